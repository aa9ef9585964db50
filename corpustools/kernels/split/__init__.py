"""Text into the parts that a model segments alone."""

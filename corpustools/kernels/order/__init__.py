"""The keyed order of records."""

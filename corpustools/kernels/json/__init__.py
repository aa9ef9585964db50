"""One text out of JSON lines."""

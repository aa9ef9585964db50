"""Rows of ids on their way into bytes: heads set before them, and ids as varints."""

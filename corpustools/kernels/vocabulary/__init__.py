"""The tables that a vocabulary is laid out as."""

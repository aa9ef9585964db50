"""Records in a pool of blocks."""

"""From a record's bytes to the bytes that are segmented: what a model does to text before its lattice."""

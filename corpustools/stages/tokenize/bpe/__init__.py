"""Byte-pair models: the ids of the model's own merges, and the libraries that these are compared with."""

"""Which pieces the merges of a byte-pair model join."""

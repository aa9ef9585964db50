"""The segmentation lattice."""

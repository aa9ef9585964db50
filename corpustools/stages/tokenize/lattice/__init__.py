"""Segmentations of normalised text: the vocabulary's tables, weights, best paths, samples and exact sums."""

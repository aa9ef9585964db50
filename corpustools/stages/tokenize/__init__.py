"""Text to token ids and back: Unigram segmentation, the best one or a sample with its exact probability."""

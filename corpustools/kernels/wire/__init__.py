"""The pieces of a SentencePiece model file."""

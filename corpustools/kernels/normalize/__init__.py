"""SentencePiece's text normalisation."""

"""Model formats, one file each; `parse` recognises which one a file's content is."""

from __future__ import annotations

from corpustools.errors import DataError
from corpustools.tokenize.model import Model

ACCEPTED = (
    "accepted are SentencePiece and bytepiece .model files, tokenizer.json, piece TAB score, word counts"
)


def parse(data: bytes, name: str) -> Model:
    """Return the model that a file's bytes hold; `name` stands in errors."""
    raise DataError(f"{name} is no model of a known format", ACCEPTED)

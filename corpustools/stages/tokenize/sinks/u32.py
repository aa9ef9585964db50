"""`u32`: bare little-endian ids of four bytes."""

from __future__ import annotations

from corpustools.stages.tokenize.sinks import Sink
from corpustools.stages.tokenize.sinks.u16 import Bare
from corpustools.stages.tokenize.tokenizer import Tokenizer


def make(tokenizer: Tokenizer, columns: tuple[str, ...]) -> Sink:
    """Return the sink."""
    return Bare(tokenizer, "<u4")

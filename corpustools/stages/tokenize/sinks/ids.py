"""`ids`: a line a segmentation, ids separated by one space."""

from __future__ import annotations

import numpy as np

from corpustools.stages.tokenize.lattice.segmenter import Ids
from corpustools.stages.tokenize.sinks import Segmented, Sink, format_lines
from corpustools.stages.tokenize.tokenizer import Tokenizer


class IdLines(Sink):
    """Text."""

    streams = True

    def format(self, batch: Segmented) -> bytes | memoryview:
        """Return the bytes of whole segmentations."""
        return format_lines(batch.ids, batch.ends)

    def part(self, ids: Ids, first: bool) -> bytes:
        """Return the bytes of further ids of a segmentation."""
        if not len(ids):
            return b""
        line = format_lines(ids, np.array([len(ids)], np.int64))
        return (b"" if first else b" ") + bytes(line[:-1])

    def end(self) -> bytes:
        """Return what ends a segmentation."""
        return b"\n"


def make(tokenizer: Tokenizer, columns: tuple[str, ...]) -> Sink:
    """Return the sink."""
    return IdLines(tokenizer, columns)

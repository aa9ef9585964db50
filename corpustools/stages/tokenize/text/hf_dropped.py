"""Bytes that a byte-level vocabulary has no piece for, and that its library drops."""

from __future__ import annotations

import numpy as np

from corpustools.stages.tokenize.text.normalize import Buffer, Normalizer, Offsets


class Dropping(Normalizer):
    """A normaliser of marked bytes that leaves some bytes out.

    Args:
        normalizer: makes the marked bytes.
        dropped: the bytes, all below 0xF5; so they are in no mark.
    """

    def __init__(self, normalizer: Normalizer, dropped: bytes) -> None:
        assert max(dropped) < 0xF5
        self._normalizer, self._dropped = normalizer, dropped
        self.surfaces = normalizer.surfaces

    def normalize(self, data: Buffer) -> bytes:
        """Return the parts of a record, with 0xFF between them."""
        return self._normalizer.normalize(data).translate(None, self._dropped)

    def normalize_batch(self, data: Buffer, starts: Offsets, ends: Offsets) -> tuple[Buffer, Offsets]:
        """Normalise many records of one buffer; see Normalizer.normalize_batch."""
        text, offsets = self._normalizer.normalize_batch(data, starts, ends)
        kept = bytes(text).translate(None, self._dropped)
        if len(kept) < len(text):
            is_dropped = np.isin(np.frombuffer(text, np.uint8), np.frombuffer(self._dropped, np.uint8))
            offsets = offsets - np.append(0, np.cumsum(is_dropped))[offsets]
        return kept, offsets

    def without_special(self, pieces: frozenset[bytes], ids: frozenset[int]) -> Normalizer:
        """Return the same where special tokens are text; see Normalizer.without_special."""
        return Dropping(self._normalizer.without_special(pieces, ids), self._dropped)

"""From a record's bytes to the bytes that a model segments, and back."""

from __future__ import annotations

from typing import Any

import numpy as np

Buffer = bytes | bytearray | memoryview
Offsets = np.ndarray[Any, np.dtype[np.int64]]


class Normalizer:
    """The identity, and the interface of every other normaliser.

    Records are bytes without their delimiter. All methods may be called from several threads at once.
    """

    def normalize(self, data: Buffer) -> bytes:
        """Return one record's normalised text, as the model's own library makes it."""
        return bytes(data)

    def normalize_batch(self, data: Buffer, starts: Offsets, ends: Offsets) -> tuple[Buffer, Offsets]:
        """Normalise many records of one buffer.

        Args:
            data: the text of all records.
            starts: first byte of each record, int64, shape (n,).
            ends: end of each record, exclusive, int64, shape (n,).

        Returns:
            A buffer, and the offsets of the records in it: int64, shape (n + 1,); record i stands at
            offsets[i]:offsets[i + 1].
        """
        view = memoryview(data)
        texts = [self.normalize(view[a:b]) for a, b in zip(starts.tolist(), ends.tolist(), strict=True)]
        offsets = np.zeros(len(texts) + 1, np.int64)
        np.cumsum([len(text) for text in texts], out=offsets[1:])
        return b"".join(texts), offsets

    def stream(self) -> Stream:
        """Return a normaliser of one record that arrives in parts, in memory that does not grow with it."""
        return Stream(self)

    def denormalize(self, pieces: Buffer) -> bytes:
        """Return the text of normalised bytes: the pieces of one record, joined."""
        return bytes(pieces)


class Stream:
    """One record in parts; this general form keeps the whole record until its end."""

    def __init__(self, normalizer: Normalizer) -> None:
        self._normalizer = normalizer
        self._parts: list[bytes] = []

    def feed(self, data: Buffer, final: bool = False) -> bytes:
        """Take the next part and return what is certain of the normalised text so far.

        The parts that are returned, joined, equal `normalize` of the parts that were fed, joined. Nothing
        may be fed after `final`.
        """
        self._parts.append(bytes(data))
        if not final:
            return b""
        return self._normalizer.normalize(b"".join(self._parts))

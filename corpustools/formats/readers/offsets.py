"""`offsets`: PREFIX.bin with ids, PREFIX.offsets.npy with where documents begin, and the end."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from corpustools.errors import DataError
from corpustools.formats.batch import Counts
from corpustools.formats.readers.bare import narrow, npy_header
from corpustools.formats.readers.reader import (
    BATCH_DOCUMENTS,
    BATCH_IDS,
    DTYPES,
    RawFile,
    TokenBatch,
    TokenReader,
    as_ids,
    cut,
)


class OffsetsReader(TokenReader):
    """n + 1 offsets in ids; the last one and the size of the ids say how wide an id is."""

    form = "offsets"
    bounds_pieces = True

    def __init__(self, path: str, vocabulary: int = 0) -> None:
        super().__init__(path, vocabulary)
        self._data, self._offsets = RawFile(path + ".bin"), RawFile(path + ".offsets.npy")
        self._dtype, shape, self._at = npy_header(self._offsets)
        if len(shape) != 1 or not shape[0] or self._dtype.kind not in "iu":
            raise DataError(f"{self._offsets.name}: has shape {shape} of {self._dtype}", "accepted are n + 1 integers")
        self.documents = shape[0] - 1
        last = self._at + self.documents * self._dtype.itemsize
        self.tokens = int(self._offsets.array(self._dtype, last, 1)[0])
        size = self._data.size
        self.width = size // self.tokens if self.tokens > 0 else narrow(vocabulary)
        if self.width not in DTYPES or self.tokens * self.width != size:
            raise DataError(
                f"{self._data.name}: has {size} bytes, and the offsets end with id {self.tokens}",
                "one is torn or of another run: write both again",
            )

    def _ends(self) -> Iterator[Counts]:
        last = 0
        for number, part in enumerate(
            self._offsets.arrays(self._dtype, self._at, (self.documents or 0) + 1, BATCH_DOCUMENTS)
        ):
            offsets = part.astype(np.int64)
            if (np.diff(offsets, prepend=last) < 0).any() or (not number and offsets[0]):
                raise DataError(f"{self._offsets.name}: the offsets do not ascend from 0", "it is damaged")
            last = int(offsets[-1])
            yield offsets if number else offsets[1:]

    def batches(self) -> Iterator[TokenBatch]:
        """Give all ids in order."""
        assert self.tokens is not None
        return cut(map(as_ids, self._data.arrays(DTYPES[self.width], 0, self.tokens, BATCH_IDS)), self._ends())

    def close(self) -> None:
        """Close both files."""
        self._data.close()
        self._offsets.close()

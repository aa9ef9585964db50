"""`datatrove`: PREFIX.ds with ids, PREFIX.ds.index with the ends of documents, PREFIX.ds.metadata with counts."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np

from corpustools.errors import DataError
from corpustools.formats.batch import Counts
from corpustools.formats.readers.bare import narrow
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


class DatatroveReader(TokenReader):
    """Ids of two or four bytes; the index says which, and without one the metadata or the vocabulary does."""

    form = "datatrove"
    bounds_pieces = True
    lacks_empty = True

    def __init__(self, path: str, vocabulary: int = 0) -> None:
        super().__init__(path, vocabulary)
        self._data = RawFile(path + ".ds")
        self._index = RawFile(path + ".ds.index") if os.path.exists(path + ".ds.index") else None
        self.bounded = self._index is not None
        told = self._metadata(path + ".ds.metadata") if os.path.exists(path + ".ds.metadata") else None
        size = self._data.size
        if self._index is not None:
            if self._index.size % 8:
                raise DataError(f"{self._index.name}: has {self._index.size} bytes, no multiple of 8", "it is torn")
            self.documents = self._index.size // 8
            self.tokens = self._last_end()
            self.width = size // self.tokens if self.tokens else narrow(vocabulary)
        else:
            self.width = told[0] if told else narrow(vocabulary)
            self.tokens = size // self.width
        if self.width not in (2, 4) or self.tokens * self.width != size:
            raise DataError(
                f"{self._data.name}: has {size} bytes, and its documents have {self.tokens} ids of 2 or 4 bytes",
                "it is torn, or the index is of another run: write both again",
            )
        if told and told != (self.width, self.tokens):
            raise DataError(
                f"{path}.ds.metadata: says {told[1]} ids of {told[0]} bytes; there are {self.tokens} of {self.width}",
                "it is of another run: write all files again",
            )

    def _metadata(self, path: str) -> tuple[int, int] | None:
        """Return bytes of an id and number of ids; None where it does not say."""
        file = RawFile(path)
        lines = file.read(0, min(file.size, 1 << 16)).decode("utf-8", "replace").split("\n")
        file.close()
        width = lines[0].rpartition("|")[2]
        if len(lines) < 2 or not width.isdecimal() or not lines[1].isdecimal():
            raise DataError(f"{path}: is no metadata of this format", "it holds NAME|BYTES and the number of ids")
        return (int(width), int(lines[1])) if width in ("2", "4") else None

    def _last_end(self) -> int:
        assert self._index is not None
        return int(self._index.array("<u8", self._index.size - 8, 1)[0]) if self._index.size else 0

    def _ends(self) -> Iterator[Counts]:
        assert self._index is not None
        last = 0
        for ends in self._index.arrays("<i8", 0, self._index.size // 8, BATCH_DOCUMENTS):
            if (np.diff(ends, prepend=last) < 0).any():
                raise DataError(f"{self._index.name}: the ends of documents do not ascend", "it is damaged")
            last = int(ends[-1])
            yield ends

    def batches(self) -> Iterator[TokenBatch]:
        """Give all ids in order."""
        assert self.tokens is not None
        ids = map(as_ids, self._data.arrays(DTYPES[self.width], 0, self.tokens, BATCH_IDS))
        return cut(ids, self._ends() if self._index is not None else ())

    def close(self) -> None:
        """Close the files."""
        self._data.close()
        if self._index is not None:
            self._index.close()

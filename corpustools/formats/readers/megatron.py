"""`megatron`: PREFIX.bin with ids, PREFIX.idx with the lengths of sequences and the documents that they make."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

from corpustools.errors import DataError
from corpustools.formats.batch import Counts
from corpustools.formats.readers.reader import BATCH_DOCUMENTS, BATCH_IDS, RawFile, TokenBatch, TokenReader, as_ids, cut

MAGIC = b"MMIDIDX\0\0"
_HEAD = struct.Struct("<QBQQ")
# The types of ids that the format knows, by their codes; floating point is none that ids have.
_TYPES = {1: "u1", 2: "i1", 3: "<i2", 4: "<i4", 5: "<i8", 8: "<u2"}


class MegatronReader(TokenReader):
    """Any type of id, any number of sequences a document, as Megatron's own tools write them too."""

    form = "megatron"

    def __init__(self, path: str, vocabulary: int = 0) -> None:
        super().__init__(path, vocabulary)
        self._index, self._data = RawFile(path + ".idx"), RawFile(path + ".bin")
        index = self._index
        head = index.read(0, min(index.size, len(MAGIC) + _HEAD.size))
        if not head.startswith(MAGIC) or len(head) < len(MAGIC) + _HEAD.size:
            raise DataError(f"{index.name}: is no index of this format", "it begins with MMIDIDX")
        version, code, self._sequences, self._marks = _HEAD.unpack_from(head, len(MAGIC))
        if version != 1 or code not in _TYPES:
            raise DataError(f"{index.name}: version {version} with ids of type {code}", "version 1 is read")
        self._dtype = np.dtype(_TYPES[code])
        self.width = self._dtype.itemsize
        self._lengths_at = len(head)
        self._places_at = self._lengths_at + 4 * self._sequences
        self._marks_at = self._places_at + 8 * self._sequences
        size = self._marks_at + 8 * self._marks
        # An index of several modes has one more byte for each sequence.
        if index.size not in (size, size + self._sequences) or not self._marks:
            raise DataError(
                f"{index.name}: has {index.size} bytes, and {size} belong to {self._sequences} sequences in "
                f"{max(self._marks - 1, 0)} documents",
                "it is torn: write it again",
            )
        self.documents = self._marks - 1
        self.tokens = self._check()

    def _check(self) -> int:
        """Hold lengths, places and the size of the ids against each other; return the number of ids."""
        total = 0
        for lengths, places in zip(self._lengths(), self._arrays("<i8", self._places_at), strict=True):
            ends = np.cumsum(lengths, dtype=np.int64) + total
            wrong = (lengths < 0) | (places != (ends - lengths) * self.width)
            if wrong.any():
                raise DataError(
                    f"{self._index.name}: a sequence of {int(lengths[wrong][0])} ids begins at byte "
                    f"{int(places[wrong][0])}, and not behind the one before it",
                    "it is damaged: write it again",
                )
            total = int(ends[-1])
        if total * self.width != self._data.size:
            raise DataError(
                f"{self._index.name}: its sequences have {total} ids of {self.width} bytes, that is "
                f"{total * self.width} bytes, and {self._data.name} has {self._data.size}",
                "one is torn or of another run: write both again",
            )
        return total

    def _lengths(self) -> Iterator[np.ndarray[Any, Any]]:
        return self._arrays("<i4", self._lengths_at)

    def _arrays(self, dtype: str, at: int) -> Iterator[np.ndarray[Any, Any]]:
        return self._index.arrays(dtype, at, self._sequences, BATCH_DOCUMENTS)

    def sequence_ends(self) -> Iterator[Counts]:
        """Give where sequences end among all ids."""
        total = 0
        for lengths in self._lengths():
            ends = np.cumsum(lengths, dtype=np.int64) + total
            total = int(ends[-1])
            yield ends

    def piece_lengths(self) -> Iterator[Counts]:
        """Give the length of every sequence."""
        return (lengths.astype(np.int64) for lengths in self._lengths())

    def _document_ends(self) -> Iterator[Counts]:
        """Give where documents end among all ids."""
        sequences = self.sequence_ends()
        ends, first = np.zeros(1, np.int64), 0
        previous = 0
        for number, marks in enumerate(self._index.arrays("<i8", self._marks_at, self._marks, BATCH_DOCUMENTS)):
            if (np.diff(marks, prepend=previous) < 0).any() or marks[-1] > self._sequences or (not number and marks[0]):
                raise DataError(f"{self._index.name}: its documents are not in order", "it is damaged: write it again")
            previous = int(marks[-1])
            rest = marks[1:] if not number else marks
            while len(rest):
                # `ends[i]` is where sequence `first + i` begins, which is where the one before it ends.
                count = int(np.searchsorted(rest, first + len(ends) - 1, "right"))
                yield ends[rest[:count] - first]
                rest = rest[count:]
                if len(rest):
                    first += len(ends) - 1
                    ends = np.concatenate([ends[-1:], next(sequences)])
        if previous != self._sequences:
            raise DataError(
                f"{self._index.name}: its documents end with sequence {previous} of {self._sequences}",
                "it is damaged: write it again",
            )

    def batches(self) -> Iterator[TokenBatch]:
        """Give all ids in order."""
        assert self.tokens is not None
        ids = map(as_ids, self._data.arrays(self._dtype, 0, self.tokens, BATCH_IDS))
        return cut(ids, self._document_ends())

    def close(self) -> None:
        """Close both files."""
        self._index.close()
        self._data.close()

"""What every reader of whole token outputs is: batches of ids, and where documents end in them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from corpustools.errors import DataError, from_os
from corpustools.formats.batch import Counts, Ids

# Ids, and documents, that are read at once.
BATCH_IDS = 1 << 18
BATCH_DOCUMENTS = 1 << 16

Dtype = np.dtype[Any]
DTYPES: dict[int, Dtype] = {1: np.dtype("u1"), 2: np.dtype("<u2"), 4: np.dtype("<i4"), 8: np.dtype("<i8")}


@dataclass(frozen=True)
class TokenBatch:
    """The next ids of an output.

    ids: int32. A number of 2^31 or more appears as a negative one.
    ends: int64, where documents end in `ids`. A document that ends with the last id is among them, and so are empty
        ones behind it. Ids behind the last end belong to a document that goes on in the next batch.
    """

    ids: Ids
    ends: Counts


class TokenReader:
    """A token output, read from the front. Its own files are held against each other first.

    Args:
        path: the file, folder, or what the names of its files begin with.
        vocabulary: how many ids there are, for formats that do not say how wide an id is; 0: not known.

    Attributes:
        name: what messages call it.
        bounded: whether the format says where documents end.
        width: bytes of an id; 0 where ids have no fixed width.
        documents, tokens: how many there are, None where that is known at the end only.

    Raises:
        DataError: the files do not fit each other, or are not of this format.
        SystemFailure: a file cannot be read.
    """

    # Its key in the table of readers.
    form = ""
    bounded = True
    # The format has no place for a document without ids.
    lacks_empty = False
    # Of context windows, the boundaries are those of the pieces in them, and not those of the windows.
    bounds_pieces = False

    def __init__(self, path: str, vocabulary: int = 0) -> None:
        self.name = path
        self.vocabulary = vocabulary
        self.width = 0
        self.documents: int | None = None
        self.tokens: int | None = None

    def batches(self) -> Iterator[TokenBatch]:
        """Give all ids in order.

        Raises:
            DataError: a file is torn, or is changed meanwhile.
            SystemFailure: a file cannot be read.
        """
        raise NotImplementedError

    def piece_lengths(self) -> Iterator[Counts] | None:
        """Give the length of every piece of all context windows, in ids; None where the output does not say it.

        Raises:
            DataError: a file is torn, or is changed meanwhile.
            SystemFailure: a file cannot be read.
        """
        return None

    def count(self) -> int:
        """Return how many documents there are, by a look through the output where nothing says it."""
        assert self.documents is not None
        return self.documents

    def close(self) -> None:
        """Close what is open."""


class RawFile:
    """A regular file, read as it is.

    Attributes:
        size: its bytes when it was opened.

    Raises:
        DataError: it is no regular file.
        SystemFailure: it cannot be opened.
    """

    def __init__(self, path: str) -> None:
        self.name = path
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            status = os.fstat(self._descriptor)
        except OSError as error:
            raise from_os(error, f"{path}: cannot be read", "check the path and its permissions") from error
        if not stat.S_ISREG(status.st_mode):
            os.close(self._descriptor)
            raise DataError(f"{path}: is no regular file", "name a file")
        self.size = status.st_size

    def read(self, at: int, size: int) -> bytes:
        """Return the bytes at a place.

        Raises:
            DataError: the file ends before.
            SystemFailure: reading failed.
        """
        parts = []
        while size:
            try:
                part = os.pread(self._descriptor, size, at)
            except OSError as error:
                raise from_os(error, f"{self.name}: reading failed at byte {at}") from error
            if not part:
                raise DataError(f"{self.name}: ends at byte {at}, {size} bytes too early", "it is torn: write it again")
            parts.append(part)
            at, size = at + len(part), size - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def array(self, dtype: Any, at: int, count: int) -> np.ndarray[Any, Any]:
        """Return numbers at a place."""
        kind = np.dtype(dtype)
        return np.frombuffer(self.read(at, count * kind.itemsize), kind)

    def arrays(self, dtype: Any, at: int, count: int, step: int) -> Iterator[np.ndarray[Any, Any]]:
        """Give numbers from a place on, at most `step` at once."""
        width = np.dtype(dtype).itemsize
        for first in range(0, count, step):
            yield self.array(dtype, at + first * width, min(step, count - first))

    def close(self) -> None:
        """Close it; once more does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1


def as_ids(numbers: np.ndarray[Any, Any]) -> Ids:
    """Return numbers as ids; what does not fit 31 bits becomes negative."""
    if numbers.dtype == np.uint32:
        return numbers.view(np.int32)
    if numbers.dtype.itemsize > 4:
        return np.where((numbers >= 0) & (numbers < 1 << 31), numbers, -1).astype(np.int32)
    return numbers.astype(np.int32, copy=False)


def cut(ids: Iterable[Ids], ends: Iterable[Counts]) -> Iterator[TokenBatch]:
    """Give ids with the documents that end among them.

    Args:
        ids: all ids, in order.
        ends: where documents end among all ids, ascending.
    """
    further, waiting = iter(ends), np.zeros(0, np.int64)
    at = 0
    for part in [np.zeros(0, np.int32)], ids:
        for chunk in part:
            stop = at + len(chunk)
            mine = []
            while True:
                count = int(np.searchsorted(waiting, stop, "right"))
                mine.append(waiting[:count])
                waiting = waiting[count:]
                if len(waiting):
                    break
                following = next(further, None)
                if following is None:
                    break
                waiting = following
            yield TokenBatch(chunk, np.concatenate(mine) - at)
            at = stop


def sums(lengths: Iterable[np.ndarray[Any, Any]]) -> Iterator[Counts]:
    """Give where documents of these lengths end."""
    total = 0
    for part in lengths:
        found = np.cumsum(part, dtype=np.int64) + total
        if len(found):
            total = int(found[-1])
        yield found

"""`arrayrecord`: ArrayRecord files whose records are tf.Example messages with `input_ids`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from corpustools.errors import DataError
from corpustools.files.extras import load_extra
from corpustools.formats.arrayrecord import example_head
from corpustools.formats.readers.reader import RawFile, TokenBatch, TokenReader, as_ids

_RECORDS = 1024
_NAME = b"input_ids"
_VARINT, _BYTES = 0, 2


class ArrayRecordReader(TokenReader):
    """Records that the library of that name reads."""

    form = "arrayrecord"

    def __init__(self, path: str, vocabulary: int = 0) -> None:
        super().__init__(path, vocabulary)
        library = "array_record.python.array_record_module"
        module = load_extra(library, "format arrayrecord needs array-record", "arrayrecord")
        file = RawFile(path)
        file.close()
        if not file.size:
            raise DataError(f"{path}: is empty", "write it again")
        try:
            self._records: Any = module.ArrayRecordReader(path)
            # A torn file opens, and says that it has no records.
            if not self._records.ok():
                self._records.close()
            self.documents = int(self._records.num_records())
        except (RuntimeError, ValueError, OSError) as error:
            raise _damaged(path, error) from error

    def batches(self) -> Iterator[TokenBatch]:
        """Give all ids in order."""
        for first in range(0, self.documents or 0, _RECORDS):
            numbers = [*range(first, min(first + _RECORDS, self.documents or 0))]
            try:
                records = self._records.read(numbers)
            except (RuntimeError, ValueError, OSError) as error:
                raise _damaged(self.name, error) from error
            packed = []
            for number, record in zip(numbers, records, strict=True):
                try:
                    packed.append(packed_ids(record))
                except (ValueError, IndexError) as error:
                    what = f"{self.name}: record {number + 1} is no tf.Example with integers under 'input_ids'"
                    raise DataError(what, "write it again") from error
            data = b"".join(packed)
            # A number ends with a byte below 0x80.
            counted = np.cumsum(np.concatenate([[0], np.frombuffer(data, np.uint8) < 0x80]), dtype=np.int64)
            ends = counted[np.cumsum([len(part) for part in packed])]
            yield TokenBatch(as_ids(_varints(data)), ends)

    def close(self) -> None:
        """Close the file."""
        with contextlib.suppress(RuntimeError):
            self._records.close()


def ids_of(record: bytes) -> np.ndarray[Any, Any]:
    """Return the integers that a tf.Example has under `input_ids`, int64.

    Raises:
        ValueError: it has none, or is damaged.
    """
    return _varints(packed_ids(record))


def packed_ids(record: bytes) -> bytes:
    """Return the integers that a tf.Example has under `input_ids`, each as it stands there.

    Raises:
        ValueError: it has none, or is damaged.
    """
    head = _usual_head(len(record))
    packed = record[len(head) :] if record.startswith(head) else _searched_ids(record)
    if packed and packed[-1] >= 0x80:
        raise ValueError("a number is cut off")
    return packed


@lru_cache(maxsize=1 << 16)
def _usual_head(size: int) -> bytes:
    """Return what an Example of so many bytes begins with that has nothing but packed ids."""
    for left in range(size, max(size - 64, -1), -1):
        head = example_head(left)
        if len(head) + left == size:
            return head
    return b"\0"


def _searched_ids(record: bytes) -> bytes:
    for features in _fields(record, 1):
        for entry in _fields(features, 1):
            if [*_fields(entry, 1)] == [_NAME]:
                lists = [numbers for value in _fields(entry, 2) for numbers in _fields(value, 3)]
                if not lists:
                    break
                return b"".join(part for one in lists for part in _fields(one, 1, numbers=True))
    raise ValueError("no input_ids")


def _fields(message: bytes, wanted: int, numbers: bool = False) -> Iterator[bytes]:
    """Give the content of a field of type bytes; with `numbers` also the bytes of numbers that stand there unpacked."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind, field = tag & 7, tag >> 3
        if kind not in (_VARINT, _BYTES):
            raise ValueError(f"a field of type {kind}")
        first = at
        value, at = _varint(message, at)
        if kind == _BYTES:
            first, at = at, at + value
            if at > len(message):
                raise ValueError("a field is cut off")
        if field == wanted and (kind == _BYTES or numbers):
            yield message[first:at]


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError("a number of more than 64 bits")


def _varints(packed: bytes) -> np.ndarray[Any, Any]:
    """Return packed numbers; one of more than 62 bits becomes -1."""
    data = np.frombuffer(packed, np.uint8)
    if not len(data):
        return np.zeros(0, np.int64)
    last = data < 0x80
    starts = np.concatenate([[0], np.flatnonzero(last)[:-1] + 1])
    lengths = np.diff(np.append(starts, len(data)))
    places = np.arange(len(data)) - np.repeat(starts, lengths)
    values = np.add.reduceat((data & 0x7F).astype(np.int64) << 7 * np.minimum(places, 8), starts)
    return np.where(lengths > 8, -1, values)


def _damaged(name: str, error: Exception) -> DataError:
    reason = str(error).partition(";")[0][:200]
    return DataError(f"{name}: cannot be read ({reason})", "it is torn or damaged: write it again")

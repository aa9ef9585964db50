"""Fingerprints of rows: of each value that of its bytes, of what holds others that of their fingerprints."""

from __future__ import annotations

from typing import Any

import numpy as np

from corpustools.files.tables import arrow
from corpustools.formats.batch import Counts
from corpustools.inspect.verify.fingerprints import Words
from corpustools.kernels import load

# Nulls are told from every value by a fingerprint that no bytes are likely to have.
_NULL = np.array([0x6E756C6C, 0x6E6F6E65], np.uint64)


class RowPrints:
    """Computes the fingerprints of rows and columns. What stands in memory under a null is no part of them.

    Args:
        key: of the fingerprints, 32 bytes.
    """

    def __init__(self, key: bytes) -> None:
        self._key = np.frombuffer(key, np.uint64)
        self._pyarrow = arrow()
        self._types = arrow("types")

    def of_rows(self, batch: Any) -> Words:
        """Return the fingerprints of rows, shape (n, 2).

        Args:
            batch: a record batch of plain types, as rows have while they are shuffled.
        """
        return self._joined([self.of_column(column) for column in batch.columns], batch.num_rows)

    def of_column(self, array: Any) -> Words:
        """Return the fingerprints of the values of a column, shape (n, 2)."""
        prints = self._of_values(array)
        if array.null_count:
            prints[np.asarray(array.is_null().to_numpy(zero_copy_only=False), bool)] = _NULL
        return prints

    def _of_values(self, array: Any) -> Words:
        types, kind = self._types, array.type
        if isinstance(array, self._pyarrow.ExtensionArray):
            return self.of_column(array.storage)
        if types.is_null(kind):
            return np.tile(_NULL, (len(array), 1))
        if types.is_struct(kind):
            return self._joined([self.of_column(array.field(i)) for i in range(kind.num_fields)], len(array))
        if types.is_map(kind):
            low, starts, stops = self._places(array)
            size = int(stops[-1]) - low if len(stops) else 0
            sides = [self.of_column(side.slice(low, size)) for side in (array.keys, array.items)]
            return self._prints(self._joined(sides, size), 16 * (starts - low), 16 * (stops - low))
        if types.is_fixed_size_list(kind):
            size = kind.list_size
            return self._joined_in_place(
                self.of_column(array.values.slice(array.offset * size, len(array) * size)), size
            )
        if types.is_list(kind) or types.is_large_list(kind):
            low, starts, stops = self._places(array)
            inside = self.of_column(array.values.slice(low, int(stops[-1]) - low if len(stops) else 0))
            return self._prints(inside, 16 * (starts - low), 16 * (stops - low))
        if types.is_boolean(kind):
            return self._of_values(array.cast(self._pyarrow.uint8()))
        if any(test(kind) for test in (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary)):
            return self._of_bytes(array)
        width = kind.byte_width
        data = array.buffers()[1]
        starts = (array.offset + np.arange(len(array), dtype=np.int64)) * width
        return self._prints(data, starts, starts + width)

    def _of_bytes(self, array: Any) -> Words:
        """Return the fingerprints of texts or bytes of any length."""
        _, places, data = array.buffers()
        types = self._types
        large = types.is_large_string(array.type) or types.is_large_binary(array.type)
        ends: Counts = np.zeros(len(array) + 1, np.int64)
        if places is not None and len(places):
            found = np.frombuffer(places, np.int64 if large else np.int32)
            ends = found[array.offset : array.offset + len(array) + 1].astype(np.int64)
        return self._prints(data, ends[:-1], ends[1:])

    def _places(self, array: Any) -> tuple[int, Counts, Counts]:
        """Return where the first list begins among all values inside, and where each begins and ends."""
        ends = array.offsets.to_numpy(zero_copy_only=False).astype(np.int64)
        return (int(ends[0]) if len(ends) else 0), ends[:-1], ends[1:]

    def _joined(self, sides: list[Words], count: int) -> Words:
        """Return a fingerprint for each row of several columns."""
        words = np.hstack([np.zeros((count, 0), np.uint64), *sides])
        return self._joined_in_place(words, 1)

    def _joined_in_place(self, words: Words, rows: int) -> Words:
        """Return a fingerprint for so many rows of fingerprints at a time."""
        data = np.ascontiguousarray(words)
        width = 8 * data.shape[1] * rows
        count = len(data) // rows if rows else 0
        starts = np.arange(count, dtype=np.int64) * width
        return self._prints(data, starts, starts + width)

    def _prints(self, data: Any, starts: Counts, stops: Counts) -> Words:
        out = np.empty((len(starts), 2), np.uint64)
        view = memoryview(b"" if data is None else data)
        view = view.cast("B") if view.nbytes else memoryview(b"")
        begins, ends = (np.ascontiguousarray(side, np.int64) for side in (starts, stops))
        load("verify").fingerprints(view, begins, ends, self._key, out)
        return out

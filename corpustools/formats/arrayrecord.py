"""`arrayrecord`: ArrayRecord files whose records are tf.Example messages with `input_ids`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from corpustools.errors import SystemFailure, UsageError
from corpustools.files.extras import load_extra
from corpustools.files.targets import is_stream
from corpustools.formats.layout import Layout
from corpustools.formats.lists import ListWriter
from corpustools.formats.rows import Rows
from corpustools.formats.thrift import varint
from corpustools.formats.vocabulary import Vocabulary
from corpustools.kernels import load

# A group of one record can be read without its neighbours. The library's own zstd takes four times as long.
OPTIONS = "group_size:1,snappy"
# Tags of fields of type bytes (tensorflow/core/example/example.proto and feature.proto).
_FEATURES, _FEATURE, _KEY, _VALUE, _INT64_LIST, _NUMBERS = 0x0A, 0x0A, 0x0A, 0x12, 0x1A, 0x0A
_NAME = b"input_ids"


class ArrayRecordWriter(ListWriter):
    """ArrayRecord files, written by the library of that name."""

    name = "arrayrecord"
    needs_file = True
    # A message has less than 2 GiB, and an id up to five bytes.
    longest = 1 << 28

    def __init__(self, vocabulary: Vocabulary, columns: tuple[str, ...] = (), layout: Layout | None = None) -> None:
        super().__init__(vocabulary, columns, layout)
        library = "array_record.python.array_record_module"
        self._library = load_extra(library, "format arrayrecord needs array-record", "arrayrecord")
        self._records: Any = None

    def check_target(self, output: str) -> None:
        """Refuse what the library cannot open by a path, and a name that asks for compression around the file.

        Raises:
            UsageError: the output is a stream, or has such a name.
        """
        if is_stream(output):
            raise UsageError("format arrayrecord needs a plain file", "name one as the output")
        super().check_target(output)

    def open_shard(self, path: str, number: int) -> None:
        """Begin a file."""
        self._file = self.files.open(path)
        with _failures(path):
            self._records = self._library.ArrayRecordWriter(self._file.path_until_named, OPTIONS)

    def write_lists(self, rows: Rows) -> None:
        """Write whole rows."""
        packed, ends = np.empty(5 * len(rows.ids), np.uint8), np.empty(len(rows.lengths), np.int64)
        size = load("rows").varints(np.ascontiguousarray(rows.ids), np.cumsum(rows.lengths), packed, ends)
        data, start = packed[:size].tobytes(), 0
        with _failures(self._file.name):
            for end in ends.tolist():
                self._records.write(example_head(end - start) + data[start:end])
                start = end

    def close_shard(self) -> None:
        """End the file: one that is not closed has no records."""
        with _failures(self._file.name):
            self._records.close()
        self._records = None
        self._file.finish()

    def abort(self) -> None:
        """Leave no trace of what was written."""
        if self._records is not None:
            # What it still holds is written to a file that goes away.
            with contextlib.suppress(Exception):
                self._records.close()
            self._records = None
        super().abort()


@lru_cache(maxsize=1 << 14)
def example_head(size: int) -> bytes:
    """Return what stands before the packed ids of a tf.Example: five messages, one in another.

    Args:
        size: bytes of the ids, each a varint.
    """
    numbers = bytes([_NUMBERS]) + varint(size)
    int64_list = bytes([_INT64_LIST]) + varint(len(numbers) + size) + numbers
    value = bytes([_VALUE]) + varint(len(int64_list) + size) + int64_list
    feature = bytes([_KEY, len(_NAME)]) + _NAME + value
    features = bytes([_FEATURE]) + varint(len(feature) + size) + feature
    return bytes([_FEATURES]) + varint(len(features) + size) + features


@contextlib.contextmanager
def _failures(name: str) -> Iterator[None]:
    """Turn the library's exceptions into one that names the file."""
    try:
        yield
    except (RuntimeError, ValueError, OSError) as error:
        # The library writes to a path without a name, which tells nobody anything.
        reason = str(error).partition(";")[0]
        raise SystemFailure(f"{name}: writing failed: {reason}", "free some space or write elsewhere") from error

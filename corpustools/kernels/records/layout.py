"""The layout of what the records kernel and its callers share: rows of a table of buckets (records.h)."""

from __future__ import annotations

from array import array
from typing import Any

# Readable, and for outputs writable, bytes behind the end of every buffer.
SLACK = 64
# No block, in links and in a bucket's head and open.
NO_BLOCK = 0xFFFFFFFF
# The columns of a row, eight u64: bucket_t of records.h says what each holds.
COLUMNS = 8
CURSOR, LAST, COUNT, SIZE, STREAM, ROOM, HEAD, OPEN = range(COLUMNS)
ROW_BYTES = 8 * COLUMNS


class BucketTable:
    """Names for the rows of a table of buckets.

    Args:
        memory: ROW_BYTES a bucket, shared with the kernel that fills the buckets.
    """

    def __init__(self, memory: Any) -> None:
        self._fields: memoryview[int] = memoryview(memory).cast("B").cast("Q")
        self.buckets = len(self._fields) // COLUMNS

    def row(self, bucket: int) -> memoryview[int]:
        """Return the columns of a bucket, to read and to write."""
        return self._fields[COLUMNS * bucket : COLUMNS * (bucket + 1)]

    def counts(self, stop: int) -> list[int]:
        """Return the records of each bucket below `stop`."""
        return self._column(COUNT, stop).tolist()

    def sizes(self, stop: int) -> list[int]:
        """Return the bytes of records of each bucket below `stop`, delimiters included."""
        return self._column(SIZE, stop).tolist()

    def count_below(self, bucket: int) -> int:
        """Return the records in all buckets below one."""
        return sum(self._column(COUNT, bucket))

    def count(self, bucket: int) -> int:
        """Return the records of a bucket."""
        return self._fields[COLUMNS * bucket + COUNT]

    def stream_bytes(self, bucket: int) -> int:
        """Return the bytes of a bucket's stream, records and headers, in memory and on disk."""
        return self._fields[COLUMNS * bucket + STREAM]

    def streams(self, stop: int) -> list[int]:
        """Return the bytes of the stream of each bucket below `stop`, in memory and on disk."""
        return self._column(STREAM, stop).tolist()

    def stream_bytes_below(self, bucket: int) -> int:
        """Return the bytes of the streams of all buckets below one, in memory and on disk."""
        return sum(self._column(STREAM, bucket))

    def head(self, bucket: int) -> int:
        """Return the first block of a bucket that is still in memory, or NO_BLOCK."""
        return self._fields[COLUMNS * bucket + HEAD]

    def open(self, bucket: int) -> int:
        """Return the block of a bucket that is being filled, the last of its chain, or NO_BLOCK."""
        return self._fields[COLUMNS * bucket + OPEN]

    def begin_at(self, bucket: int, block: int) -> None:
        """Take the blocks before one off a bucket's chain."""
        self._fields[COLUMNS * bucket + HEAD] = block

    def clear(self, bucket: int) -> None:
        """Make a bucket empty."""
        self.row(bucket)[:] = _EMPTY

    def _column(self, column: int, stop: int) -> memoryview[int]:
        return self._fields[column : COLUMNS * stop : COLUMNS]


_EMPTY = memoryview(array("Q", [0, 0, 0, 0, 0, 0, NO_BLOCK, NO_BLOCK]))

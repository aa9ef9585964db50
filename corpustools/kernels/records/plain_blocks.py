"""The blocks of buckets in plain Python: taken from a stack, chained, and listed when full (a part of the twin)."""

from __future__ import annotations

from typing import Any

from corpustools.kernels.records.layout import (
    CURSOR,
    HEAD,
    NO_BLOCK,
    OPEN,
    ROOM,
    ROW_BYTES,
    SLACK,
    STREAM,
    BucketTable,
)


class Blocks:
    """The streams of buckets in a pool of blocks; see Scatter in compiled.pyx for the arguments."""

    def __init__(self, pool: Any, links: Any, table: Any, free: Any, full: Any, block_bytes: int) -> None:
        if block_bytes < 256 or block_bytes & (block_bytes - 1):
            raise ValueError(f"{block_bytes} bytes a block: need a power of two from 256")
        self._pool = memoryview(pool).cast("B")
        self._links, self._free, self._full = (memoryview(one).cast("B").cast("I") for one in (links, free, full))
        if memoryview(table).nbytes < ROW_BYTES:
            raise ValueError("a table without buckets")
        self._table = BucketTable(table)
        self.blocks = max(0, len(self._pool) - SLACK) // block_bytes
        self.bucket_count = self._table.buckets
        if min(len(self._links), len(self._free)) < self.blocks:
            raise ValueError("the tables are too small for the pool")
        self._block_bytes = block_bytes
        self.free_count = self.full_count = 0
        self.resident = self.bucket_count
        for bucket in range(self.bucket_count):
            self._table.clear(bucket)

    def spill_from(self, bucket: int) -> None:
        """Put this bucket and those above it on the full list, block by block, as their blocks fill."""
        if not 0 <= bucket <= self.resident:
            raise ValueError("a bucket that is spilled stays spilled")
        self.resident = bucket

    def give(self, blocks: Any) -> None:
        """Push blocks (u32) on the free stack."""
        numbers = memoryview(blocks).cast("B").cast("I")
        if any(number >= self.blocks for number in numbers) or len(numbers) > self.blocks - self.free_count:
            raise ValueError("blocks that are not of this pool, or more than it has")
        self._free[self.free_count : self.free_count + len(numbers)] = numbers
        self.free_count += len(numbers)

    def take_free(self) -> bytes:
        """Empty the free stack; return its blocks (u32), the last given at the end."""
        blocks = self._free[: self.free_count].tobytes()
        self.free_count = 0
        return blocks

    def take_full(self) -> bytes:
        """Empty the full list; return its pairs (bucket, block), two u32 each, oldest first."""
        pairs = self._full[: 2 * self.full_count].tobytes()
        self.full_count = 0
        return pairs

    def _fits(self, size: int) -> bool:
        blocks = size // self._block_bytes + 2
        return blocks <= self.free_count and self.full_count + blocks <= len(self._full) // 2

    def _append(self, bucket: int, data: bytes) -> None:
        """Put bytes at the end of a bucket's stream, for which there are blocks."""
        row = self._table.row(bucket)
        row[STREAM] += len(data)
        while data:
            if not row[ROOM]:
                self._open_block(bucket, row)
            piece = data[: row[ROOM]]
            self._pool[row[CURSOR] : row[CURSOR] + len(piece)] = piece
            row[CURSOR] += len(piece)
            row[ROOM] -= len(piece)
            data = data[len(piece) :]

    def _open_block(self, bucket: int, row: memoryview[int]) -> None:
        self.free_count -= 1
        block = self._free[self.free_count]
        self._links[block] = NO_BLOCK
        if row[OPEN] == NO_BLOCK:
            row[HEAD] = block
        elif bucket >= self.resident:
            self._full[2 * self.full_count] = bucket
            self._full[2 * self.full_count + 1] = row[OPEN]
            self.full_count += 1
            row[HEAD] = block
        else:
            self._links[row[OPEN]] = block
        row[OPEN] = block
        row[CURSOR] = block * self._block_bytes
        row[ROOM] = self._block_bytes

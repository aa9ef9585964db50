"""The blocks of buckets in plain Python: taken from a stack and chained (a part of the twin)."""

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

    def __init__(self, pool: Any, links: Any, table: Any, free: Any, block_bytes: int) -> None:
        if block_bytes < 256 or block_bytes & (block_bytes - 1):
            raise ValueError(f"{block_bytes} bytes a block: need a power of two from 256")
        self._pool = memoryview(pool).cast("B")
        self._links, self._free = (memoryview(one).cast("B").cast("I") for one in (links, free))
        if memoryview(table).nbytes < ROW_BYTES:
            raise ValueError("a table without buckets")
        self._table = BucketTable(table)
        self.blocks = max(0, len(self._pool) - SLACK) // block_bytes
        self.bucket_count = self._table.buckets
        if min(len(self._links), len(self._free)) < self.blocks:
            raise ValueError("the tables are too small for the pool")
        self._block_bytes = block_bytes
        self.free_count = 0
        for bucket in range(self.bucket_count):
            self._table.clear(bucket)

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

    def _fits(self, size: int) -> bool:
        return size // self._block_bytes + 2 <= self.free_count

    def _append(self, bucket: int, data: bytes) -> None:
        """Put bytes at the end of a bucket's stream, for which there are blocks."""
        row = self._table.row(bucket)
        row[STREAM] += len(data)
        while data:
            if not row[ROOM]:
                self._open_block(row)
            piece = data[: row[ROOM]]
            self._pool[row[CURSOR] : row[CURSOR] + len(piece)] = piece
            row[CURSOR] += len(piece)
            row[ROOM] -= len(piece)
            data = data[len(piece) :]

    def _open_block(self, row: memoryview[int]) -> None:
        self.free_count -= 1
        block = self._free[self.free_count]
        self._links[block] = NO_BLOCK
        if row[OPEN] == NO_BLOCK:
            row[HEAD] = block
        else:
            self._links[row[OPEN]] = block
        row[OPEN] = block
        row[CURSOR] = block * self._block_bytes
        row[ROOM] = self._block_bytes

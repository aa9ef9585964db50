"""The buckets of one worker: blocks in memory, streams on disk, and the rule for what is spilled.

All buckets are resident at first. When the blocks run out, the highest resident bucket goes to disk, and from then on
its later blocks do too as they fill: each byte is spilled at most once, and the low keys stay in memory.
"""

from __future__ import annotations

import mmap
from array import array
from collections.abc import Callable

from corpustools import kernels
from corpustools.errors import SystemFailure
from corpustools.files.chunks import Chunk
from corpustools.stages.shuffle.spill import BlockCodec, Spill, Stream

ROW = 8
LAST, COUNT, SIZE, STREAM, ROOM, HEAD, OPEN = range(1, 8)


def allocate(size: int, huge: bool = False) -> mmap.mmap:
    """Return zeroed memory that takes room only where it is touched."""
    memory = mmap.mmap(-1, max(size, 1))
    if huge and hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)
    return memory


class RangeTooFull(Exception):
    """Not even the lowest bucket of a range fits the memory, and nothing may be spilled."""


class Pool:
    """Blocks of equal size in one stretch of memory, with a link each.

    Args:
        blocks: how many.
        block_bytes: a power of two.
        record_blocks: blocks that the longest record may touch.
    """

    def __init__(self, blocks: int, block_bytes: int, record_blocks: int) -> None:
        self.records = kernels.load("records")
        self.blocks, self.block_bytes, self.record_blocks = blocks, block_bytes, record_blocks
        self.memory = allocate(blocks * block_bytes + self.records.SLACK, huge=True)
        self.link_memory = allocate(4 * blocks)
        self.links = memoryview(self.link_memory).cast("I")
        self._view = memoryview(self.memory)

    def block(self, number: int) -> memoryview:
        """Return the bytes of a block."""
        return self._view[number * self.block_bytes : (number + 1) * self.block_bytes]

    def chain(self, block: int) -> list[int]:
        """Return the blocks of a chain, from one of them to its end."""
        blocks = []
        while block < self.blocks:
            blocks.append(block)
            block = self.links[block]
        return blocks


class BucketSet:
    """Distributes records of a key range to buckets of 2^shift keys each.

    Args:
        pool: where resident blocks live.
        buckets: how many.
        key: the generator's two words, and the mask that tests put over the keys.
        low, span, shift: the range.
        spill: where blocks go when the pool is full; None: highest buckets are dropped instead.
        droppable: given a bucket, whether it may be dropped for good (asked from the highest down).
    """

    def __init__(
        self,
        pool: Pool,
        buckets: int,
        key: tuple[int, int, int],
        low: int,
        span: int,
        shift: int,
        spill: Spill | None,
        droppable: Callable[[BucketSet, int], bool] | None = None,
    ) -> None:
        self.pool, self.buckets, self.low, self.span, self.shift = pool, buckets, low, span, shift
        self._table_memory = allocate(64 * buckets)
        self.table = memoryview(self._table_memory).cast("Q")
        self._free_memory = allocate(4 * pool.blocks)
        self._free = memoryview(self._free_memory).cast("I")
        self._full_memory = allocate(8 * (pool.record_blocks + 64))
        self._full = memoryview(self._full_memory).cast("I")
        self.kernel = pool.records.Scatter(
            pool.memory,
            pool.link_memory,
            self._table_memory,
            self._free_memory,
            self._full_memory,
            pool.block_bytes,
            *key,
        )
        self.kernel.cover(low, span, shift)
        self.streams: dict[int, Stream] = {}
        self.codec = BlockCodec()
        self._spill, self.droppable = spill, droppable
        self.dropped_from = buckets
        # Whether buckets have been dropped before this set took over, so that the checksum holds more than the records.
        self.finer = False

    def run(self, chunk: Chunk, number: int, delimiter: int, record_bytes: int) -> None:
        """Distribute the records of a chunk, of which the first has the number."""
        at, stop = chunk.start, chunk.stop
        while True:
            at, number = self.kernel.run(chunk.data, at, stop, number, delimiter, record_bytes, chunk.mapped)
            if at == stop:
                return
            self.make_room()

    def refer(self, number: int, place: int, length: int) -> bool:
        """Enter a record that is kept elsewhere; False where its key is not of this range."""
        while not (entered := self.kernel.refer(number, place, length)):
            self.make_room()
        return bool(entered > 0)

    def row(self, bucket: int) -> list[int]:
        """Return a bucket's fields."""
        return self.table[ROW * bucket : ROW * (bucket + 1)].tolist()

    def give(self, blocks: list[int] | array[int]) -> None:
        """Add free blocks."""
        self.kernel.give(blocks if isinstance(blocks, array) else array("I", blocks))

    def take_free(self) -> array[int]:
        """Take all free blocks away."""
        blocks = array("I", self._free[: self.kernel.free_count])
        self.kernel.free_count = 0
        return blocks

    def make_room(self) -> None:
        """Free blocks for any record, and some more where buckets have to be given up for it.

        Raises:
            RangeTooFull: nothing may be spilled, and the lowest bucket alone is too large.
        """
        self._flush_full()
        if self.kernel.free_count >= self.pool.record_blocks:
            return
        while self.kernel.free_count < 2 * self.pool.record_blocks and self.kernel.resident:
            self._give_up(self.kernel.resident - 1)
        if self.kernel.free_count < self.pool.record_blocks:
            raise SystemFailure("the memory is too small for the records of this input", "give a larger --memory")

    def settle(self) -> None:
        """Write the full blocks that are still listed."""
        self._flush_full()

    def drop_from(self, bucket: int) -> None:
        """Forget this bucket (not the lowest) and those above it, and refuse their records from now on."""
        for above in range(bucket, min(self.dropped_from, self.buckets)):
            self._forget(above)
        self.dropped_from = min(self.dropped_from, bucket)
        self.span = min(self.span, (bucket << self.shift) - 1)
        self.kernel.cover(self.low, self.span, self.shift)

    def _give_up(self, bucket: int) -> None:
        """Drop or spill the highest resident bucket."""
        if bucket < self.dropped_from:
            if self.droppable is not None and self.droppable(self, bucket):
                self.drop_from(bucket)
            elif self._spill is None:
                raise RangeTooFull
            else:
                self._spill_chain(bucket)
        self.kernel.resident = bucket

    def _spill_chain(self, bucket: int) -> None:
        """Write all blocks of a bucket but the open one."""
        head, last = self.row(bucket)[HEAD], self.row(bucket)[OPEN]
        if head == last:
            return
        blocks = self.pool.chain(head)[:-1]
        for block in blocks:
            self._write(bucket, block)
        self.table[ROW * bucket + HEAD] = last
        self.give(blocks)

    def _flush_full(self) -> None:
        pairs = self._full[: 2 * self.kernel.full_count].tolist()
        for bucket, block in zip(pairs[::2], pairs[1::2], strict=True):
            self._write(bucket, block)
        self.kernel.full_count = 0
        self.give(pairs[1::2])

    def _write(self, bucket: int, block: int) -> None:
        assert self._spill is not None
        stream = self.streams.get(bucket)
        if stream is None:
            stream = self.streams[bucket] = Stream()
        self._spill.append(stream, self.pool.block(block), self.codec)

    def _forget(self, bucket: int) -> None:
        row = self.row(bucket)
        if row[OPEN] != self.pool.records.NO_BLOCK:
            self.give(self.pool.chain(row[HEAD]))
        stream = self.streams.pop(bucket, None)
        if stream is not None and self._spill is not None:
            self._spill.release(stream)
        none = self.pool.records.NO_BLOCK
        self.table[ROW * bucket : ROW * (bucket + 1)] = memoryview(array("Q", [0, 0, 0, 0, 0, 0, none, none]))

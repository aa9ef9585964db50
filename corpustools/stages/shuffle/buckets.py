"""The buckets of one worker: blocks in memory, runs on disk, and the rule for what is spilled.

All buckets are resident at first. When the blocks run out, the highest resident bucket goes to disk. What comes to it
later waits in memory until room is wanted again, and goes when it is the most of what waits: each byte is spilled at
most once and with many others, and the low keys stay in memory.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from corpustools.errors import SystemFailure
from corpustools.files.chunks import Chunk
from corpustools.kernels.records.layout import NO_BLOCK, ROW_BYTES, BucketTable
from corpustools.kernels.records.status import Status
from corpustools.stages.shuffle.order import KeyRange, SortKeys
from corpustools.stages.shuffle.pool import Pool, allocate
from corpustools.stages.shuffle.spill import Spill, SpillRun


class RangeTooFull(Exception):
    """Not even the lowest bucket of a range fits the memory, and nothing may be spilled."""


class BucketSet:
    """Distributes records of a key range to buckets of 2^shift keys each.

    Args:
        pool: where resident blocks live.
        buckets: how many.
        keys: what gives the records their sort keys.
        covered: the range.
        shift: bits of the keys of one bucket.
        spill: where blocks go when the pool is full; None: nothing may be spilled.
        drop_beyond: a bucket, but never the lowest, is dropped for good when it would have to be spilled and the
            buckets below it hold at least so many records; None: none is.
        check_skipped: whether records of other keys are read for their checksum.
        takes_over: sets of the same keys whose records this one gets; some of them were dropped.

    Attributes:
        table: counts, sizes and blocks of the buckets.
        runs: what was spilled, by bucket.
        resident: the lowest bucket that was spilled or dropped; the number of buckets where none was.
        dropped_from: the lowest bucket that was dropped; the number of buckets where none was.
        dropped: whether records were dropped, so that the kernel's checksum holds more than the buckets do.
    """

    def __init__(
        self,
        pool: Pool,
        buckets: int,
        keys: SortKeys,
        covered: KeyRange,
        shift: int,
        spill: Spill | None,
        *,
        drop_beyond: int | None = None,
        check_skipped: bool = False,
        takes_over: Sequence[BucketSet] = (),
    ) -> None:
        self.pool, self.buckets, self.keys, self.covered, self.shift = pool, buckets, keys, covered, shift
        self.spill, self.drop_beyond, self.check_skipped = spill, drop_beyond, check_skipped
        table = allocate(ROW_BYTES * buckets)
        free = allocate(4 * pool.blocks)
        self.kernel = pool.kernel.Scatter(
            pool.memory, pool.link_memory, table, free, pool.block_bytes, *keys, check_skipped=check_skipped
        )
        self.kernel.cover(covered.low, covered.span, shift)
        self.table = BucketTable(table)
        self.runs: dict[int, SpillRun] = {}
        self.resident = buckets
        self.dropped_from, self.dropped = buckets, bool(takes_over)
        self._checksum_before = sum(one.checksum_passed for one in takes_over)
        self._passed = self._look_at = 0

    @property
    def checksum_passed(self) -> int:
        """The checksum of all records that passed, long ones aside: kept, dropped, and with `check_skipped` others."""
        return int(self._checksum_before + self.kernel.checksum + self.kernel.skipped)

    def distribute(self, chunk: Chunk, number: int, delimiter: int, record_bytes: int) -> None:
        """Distribute the records of a chunk, of which the first has the number."""
        at, stop, first = chunk.start, chunk.stop, number
        while True:
            at, number = self.kernel.run(chunk.data, at, stop, number, delimiter, record_bytes, chunk.mapped)
            if at == stop:
                break
            self.make_room()
        self._passed += number - first
        if self.drop_beyond and self._passed >= self._look_at:
            # What is not wanted any more falls with the records that passed: looking now and then keeps few too many.
            self._look_at = self._passed * 5 // 4
            self._drop_unwanted(self.drop_beyond)

    def refer(self, number: int, place: int, length: int) -> bool:
        """Enter a record that is kept elsewhere; False where its key is not of this range."""
        while (status := self.kernel.refer(number, place, length)) == Status.NEEDS_BLOCKS:
            self.make_room()
        return bool(status == Status.DONE)

    def give(self, blocks: list[int] | array[int]) -> None:
        """Add free blocks."""
        self.kernel.give(blocks if isinstance(blocks, array) else array("I", blocks))

    def take_free(self) -> array[int]:
        """Take all free blocks away."""
        return array("I", self.kernel.take_free())

    def make_room(self) -> None:
        """Free blocks for any record, and some more where buckets have to be given up for it.

        Raises:
            RangeTooFull: nothing may be spilled, and the lowest bucket alone is too large.
            SystemFailure: a record does not fit even when all buckets are given up, or the disk failed.
        """
        wanted = 2 * self.pool.record_blocks
        while self.kernel.free_count < wanted and self._free_some(wanted):
            pass
        if self.kernel.free_count < self.pool.record_blocks:
            raise SystemFailure("the memory is too small for the records of this input", "give more memory")

    def settle(self) -> None:
        """Spill until the gather has room to read a bucket: what waits is no more than what will be free soon."""
        waiting = self._waiting()
        blocks = sum(count for count, _ in waiting)
        while waiting and blocks > self._resident_blocks() + self.kernel.free_count:
            count, bucket = waiting.pop()
            self._spill_chain(bucket)
            blocks -= count

    def _free_some(self, wanted: int) -> bool:
        """Free some blocks, at most about as many as are wanted; False where there is nothing left to give up.

        The highest resident bucket is given up while less waits of spilled ones than is resident. Else the longest of
        what waits is spilled, since long writes and reads are fast.
        """
        waiting = self._waiting()
        if self.resident and (self._may_drop() or sum(count for count, _ in waiting) <= self._resident_blocks()):
            self.resident -= 1
            self._give_up(self.resident)
            return True
        some = bool(waiting)
        while waiting and self.kernel.free_count < wanted:
            self._spill_chain(waiting.pop()[1])
        return some

    def _waiting(self) -> list[tuple[int, int]]:
        """Return how many full blocks wait in memory of each spilled bucket, and the bucket, the most at the end."""
        waiting = []
        for bucket in range(self.resident, self.dropped_from):
            run = self.runs.get(bucket)
            written = run.blocks if run is not None else 0
            full = (self.table.stream_bytes(bucket) - 1) // self.pool.block_bytes - written
            if full > 0:
                waiting.append((full, bucket))
        return sorted(waiting)

    def _resident_blocks(self) -> int:
        return self.table.stream_bytes_below(self.resident) // self.pool.block_bytes

    def _may_drop(self) -> bool:
        """Whether nothing of the highest resident bucket is wanted any more."""
        highest, limit = self.resident - 1, self.drop_beyond
        return highest > 0 and limit is not None and self.table.count_below(highest) >= limit

    def _give_up(self, bucket: int) -> None:
        """Drop or spill a bucket, the highest that was resident."""
        if bucket >= self.dropped_from:
            return
        if bucket and self.drop_beyond is not None and self.table.count_below(bucket) >= self.drop_beyond:
            self._drop_from(bucket)
        elif self.spill is None:
            raise RangeTooFull
        else:
            self._spill_chain(bucket)

    def _drop_unwanted(self, limit: int) -> None:
        """Drop the buckets above those that hold so many records."""
        below = accumulate(self.table.counts(self.dropped_from))
        bucket = next((number for number, held in enumerate(below, 1) if held >= limit), self.dropped_from)
        if bucket < self.dropped_from:
            self.resident = min(self.resident, bucket)
            self._drop_from(bucket)

    def _drop_from(self, bucket: int) -> None:
        """Forget this bucket and those above it, and refuse their records from now on."""
        for above in range(bucket, self.dropped_from):
            self._forget(above)
        self.dropped_from, self.dropped = bucket, True
        self.covered = KeyRange(self.covered.low, min(self.covered.span, (bucket << self.shift) - 1))
        self.kernel.cover(self.covered.low, self.covered.span, self.shift)

    def _forget(self, bucket: int) -> None:
        if self.table.open(bucket) != NO_BLOCK:
            self.give(self.pool.chain(self.table.head(bucket)))
        run = self.runs.pop(bucket, None)
        if run is not None and self.spill is not None:
            self.spill.release(run)
        self.table.clear(bucket)

    def _spill_chain(self, bucket: int) -> None:
        """Write all blocks of a bucket but the open one."""
        if self.table.open(bucket) == NO_BLOCK:
            return
        blocks = self.pool.chain(self.table.head(bucket))[:-1]
        if not blocks:
            return
        assert self.spill is not None
        run = self.runs.get(bucket)
        if run is None:
            run = self.runs[bucket] = SpillRun()
        self.spill.append(run, blocks)
        self.table.begin_at_open(bucket)
        self.give(blocks)


@dataclass(frozen=True)
class BucketRange:
    """Buckets of one key range, one set a worker, and where each bucket begins in the output.

    Attributes:
        sets: of equal ranges and shifts.
        buckets: how many are complete; records of higher ones were dropped.
        starts: the output position of each bucket's first record, and of what follows the last.
        offsets: the same as bytes of the output.
    """

    sets: list[BucketSet]
    buckets: int
    starts: list[int]
    offsets: list[int]

    @classmethod
    def of(cls, sets: list[BucketSet], start: int, offset: int) -> BucketRange:
        """Return the range of some sets, given its first record's number and byte in the output."""
        buckets = min(one.dropped_from for one in sets)
        counts = map(sum, zip(*(one.table.counts(buckets) for one in sets), strict=True))
        sizes = map(sum, zip(*(one.table.sizes(buckets) for one in sets), strict=True))
        return cls(sets, buckets, list(accumulate(counts, initial=start)), list(accumulate(sizes, initial=offset)))

    @property
    def records(self) -> int:
        """Records in the buckets."""
        return self.starts[-1] - self.starts[0]

    @property
    def size(self) -> int:
        """Their bytes, delimiters included."""
        return self.offsets[-1] - self.offsets[0]

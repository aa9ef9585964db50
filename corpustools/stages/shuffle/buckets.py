"""The buckets of one worker: blocks in memory, runs on disk, and the rule for what is spilled.

All buckets are resident at first. When the blocks run out, the highest resident buckets go to disk, a group at a time.
What comes to them later waits in memory until room is wanted again, and goes when its group has the most of what waits:
each byte is spilled at most once and with many others, and the low keys stay in memory.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import accumulate

from corpustools.errors import DataError, SystemFailure
from corpustools.files.chunks import Chunk, RecordFormat
from corpustools.kernels.records.layout import NO_BLOCK, ROW_BYTES, BucketTable
from corpustools.kernels.records.status import Status
from corpustools.stages.shuffle.order import KeyRange, SortKeys
from corpustools.stages.shuffle.pieces import Share, SpillGroup, SpillRun
from corpustools.stages.shuffle.pool import NewBlocks, Pool, allocate
from corpustools.stages.shuffle.spill import Spill


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
        new_blocks: blocks that are taken when no others are free; None: all come by `give`.

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
        new_blocks: NewBlocks | None = None,
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
        self._groups: dict[int, SpillGroup] = {}
        self._width = spill.width if spill is not None else 1
        # Blocks that were handed over and not taken back.
        self._in_writing = 0
        self._writing = spill.writing() if spill is not None else None
        self.resident = buckets
        self.dropped_from, self.dropped = buckets, bool(takes_over)
        self._checksum_before = sum(one.checksum_passed for one in takes_over)
        self._passed, self._look_at, self._new_blocks = 0, 0, new_blocks

    @property
    def checksum_passed(self) -> int:
        """The checksum of all records that passed, long ones aside: kept, dropped, and with `check_skipped` others."""
        return int(self._checksum_before + self.kernel.checksum + self.kernel.skipped)

    def distribute(self, chunk: Chunk, number: int, count: int, form: RecordFormat) -> None:
        """Distribute the `count` records of a chunk, of which the first has the number."""
        at, stop, end = chunk.start, chunk.stop, number + count
        while True:
            where = (form.delimiter, form.record_bytes, chunk.mapped and not self.pool.copies)
            if self.covered.few and not self.check_skipped:
                at, number = self.kernel.sift(chunk.data, at, stop, number, end - number, *where)
            else:
                at, number = self.kernel.run(chunk.data, at, stop, number, *where)
            if at == stop:
                break
            self.make_room()
        if number != end:
            raise DataError("an input was changed while it was read", "leave inputs alone while they are read")
        self._passed += count
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
        """Take all free blocks away, once what is being written is on disk."""
        self._finish_writing()
        self._take_new(all_of_them=True)
        return array("I", self.kernel.take_free())

    def make_room(self) -> None:
        """Free blocks for any record, where buckets have to be given up for it or are being written.

        A thread of its own writes; so much is handed to it that it need not wait for this one.

        Raises:
            RangeTooFull: nothing may be spilled, and the lowest bucket alone is too large.
            SystemFailure: a record does not fit even when all buckets are given up, or the disk failed.
        """
        if self._take_new() and self.kernel.free_count >= self.pool.record_blocks:
            return
        self._take_written(wait=False)
        wanted = self.pool.record_blocks
        wanted += 2 * self.spill.piece_blocks if self.spill is not None else wanted
        while self.kernel.free_count + self._in_writing < wanted and self._free_some():
            pass
        while self.kernel.free_count < self.pool.record_blocks and self._in_writing:
            self._take_written(wait=True)
        if self.kernel.free_count < self.pool.record_blocks:
            raise SystemFailure("the memory is too small for the records of this input", "give more memory")

    def settle(self) -> None:
        """Spill until the gather can read a bucket, or split one: no more waits than what will be free soon.

        All that was spilled is on disk then, and the thread that wrote it has ended.
        """
        self._take_new(all_of_them=True)
        waiting = self._waiting()
        blocks = sum(count for count, _ in waiting)
        # Splitting a bucket takes blocks to read into, open ones of the finer buckets, and those of a record.
        split = 2 * (self.pool.record_blocks + 64)
        while waiting:
            free = self.kernel.free_count + self._in_writing
            if free >= split and blocks <= self._resident_blocks() + free:
                break
            blocks -= self._spill_some(waiting[-1][1])
            waiting = self._waiting()
        self._finish_writing()
        if self._writing is not None:
            self._writing.close()

    def _free_some(self) -> bool:
        """Give up some buckets, or hand a piece of what waits to be written; False where there is nothing left.

        The highest resident buckets are given up while less waits of spilled ones than is resident. Else the longest of
        what waits is spilled, since long writes and reads are fast.
        """
        waiting = self._waiting()
        if self.resident and (self._may_drop() or sum(count for count, _ in waiting) <= self._resident_blocks()):
            self._give_up_some()
            return True
        if not waiting:
            return False
        self._spill_some(waiting[-1][1])
        return True

    def _waiting(self) -> list[tuple[int, int]]:
        """Return how many full blocks wait in memory of each group of spilled buckets, and its number, most at the end.

        Spilled buckets of a group that is resident in part count as well, and the resident ones do not.
        """
        waiting: dict[int, int] = {}
        first, size, width = self.resident, self.pool.block_bytes, self._width
        for bucket, stream in enumerate(self.table.streams(self.dropped_from)[first:], first):
            run = self.runs.get(bucket)
            full = (stream - 1) // size - (run.blocks if run is not None else 0)
            if full > 0:
                waiting[bucket // width] = waiting.get(bucket // width, 0) + full
        return sorted((full, group) for group, full in waiting.items())

    def _resident_blocks(self) -> int:
        return self.table.stream_bytes_below(self.resident) // self.pool.block_bytes

    def _may_drop(self) -> bool:
        """Whether nothing of the highest resident bucket is wanted any more."""
        highest, limit = self.resident - 1, self.drop_beyond
        return highest > 0 and limit is not None and self.table.count_below(highest) >= limit

    def _give_up_some(self) -> None:
        """Drop the highest resident bucket, or spill it and those beside it."""
        bucket = self.resident - 1
        if bucket < self.dropped_from and self._may_drop():
            self._drop_from(bucket)
        elif bucket < self.dropped_from and self.spill is None:
            raise RangeTooFull
        self.resident = bucket
        if bucket < self.dropped_from:
            self.resident = bucket // self._width * self._width
            self._spill_some(bucket // self._width)

    def _drop_unwanted(self, limit: int) -> None:
        """Drop the buckets above those that hold so many records."""
        below = accumulate(self.table.counts(self.dropped_from))
        bucket = next((number for number, held in enumerate(below, 1) if held >= limit), self.dropped_from)
        if bucket < self.dropped_from:
            self.resident = min(self.resident, bucket)
            self._drop_from(bucket)

    def _drop_from(self, bucket: int) -> None:
        """Forget this bucket and those above it, and refuse their records from now on."""
        self._finish_writing()
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

    def _spill_some(self, group: int) -> int:
        """Hand blocks of the spilled buckets of a group to be written, a piece at most; return how many.

        Open blocks stay.
        """
        assert self.spill is not None
        assert self._writing is not None
        shares: list[Share] = []
        room = self.spill.piece_blocks
        for bucket in range(max(group * self._width, self.resident), min((group + 1) * self._width, self.dropped_from)):
            if not room or self.table.open(bucket) == NO_BLOCK:
                continue
            blocks = self.pool.chain(self.table.head(bucket))
            some = blocks[: min(len(blocks) - 1, room)]
            if some:
                run = self._run(bucket)
                shares.append(Share(run, run.blocks, some))
                run.blocks += len(some)
                self.table.begin_at(bucket, blocks[len(some)])
                room -= len(some)
        if shares:
            self._writing.submit(shares)
        written = self.spill.piece_blocks - room
        self._in_writing += written
        return written

    def _run(self, bucket: int) -> SpillRun:
        """Return the run of a bucket, which begins here if there is none."""
        run = self.runs.get(bucket)
        if run is None:
            number, slot = divmod(bucket, self._width)
            group = self._groups.get(number)
            if group is None:
                group = self._groups[number] = SpillGroup(self._width)
            run = self.runs[bucket] = SpillRun(group, slot)
        return run

    def _take_new(self, all_of_them: bool = False) -> bool:
        """Take blocks that were not used before; False where there are none."""
        if self._new_blocks is None:
            return False
        blocks = self._new_blocks.take_all() if all_of_them else self._new_blocks.take()
        self.give(blocks)
        return len(blocks) > 0

    def _take_written(self, wait: bool) -> bool:
        """Take back blocks that were written; False where there are none, or not yet."""
        taken = False
        while self._writing is not None and (shares := self._writing.take(wait and not taken)) is not None:
            for share in shares:
                self.give(share.numbers)
                self._in_writing -= len(share.numbers)
            taken = True
        return taken

    def _finish_writing(self) -> None:
        """Wait until all that was handed over is written."""
        while self._take_written(wait=True):
            pass

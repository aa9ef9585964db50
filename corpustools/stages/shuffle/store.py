"""The memory and the temporary space of one process, in which tasks run one after another."""

from __future__ import annotations

from corpustools.files.linux import PAGE
from corpustools.files.reader import RecordReader
from corpustools.files.temporary import TemporaryFiles
from corpustools.stages.shuffle.buckets import BucketSet
from corpustools.stages.shuffle.choice import Choice, Surroundings
from corpustools.stages.shuffle.long_records import LongRecords
from corpustools.stages.shuffle.pieces import extent_bytes
from corpustools.stages.shuffle.plan import Plan
from corpustools.stages.shuffle.pool import Pool, allocate
from corpustools.stages.shuffle.spill import Spill


class BucketStore:
    """What is laid out once and used by every task, and what a scatter leaves for the gather after it.

    Args:
        plan: the layout of the memory.
        delimiter: the byte that ends a record.
        tmp_dirs: where temporary data goes.
        spill: raw, lz4, zstd or auto; None: there is no temporary space.
        around: what the choice of a codec depends on, see `surroundings_of`; None: nothing but the plan is known.

    Attributes:
        plan: as given.
        pool: where records lie.
        buffers: two a thread that gathers, of `plan.buffer` bytes, a page and SLACK.
        spill: where blocks go that the pool has no room for, or None.
        long_records: those that are kept outside the pool.
        buckets: the sets of the last scatter, until they are written.
        reader: what the last scatter read from; mapped records are still there.
    """

    def __init__(
        self, plan: Plan, delimiter: int, tmp_dirs: list[str], spill: str | None, around: Surroundings | None = None
    ) -> None:
        self.plan = plan
        self.pool = Pool(plan.blocks, plan.block, plan.record_blocks, holds_all=plan.holds_all)
        slack = self.pool.kernel.SLACK
        self.buffers = [allocate(plan.buffer + PAGE + slack, huge=True) for _ in range(2 * plan.gatherers)]
        self._files = TemporaryFiles(
            tmp_dirs, extent_bytes(plan.piece, plan.width), direct=plan.spares_cache, spares=plan.spares_cache
        )
        self.spill: Spill | None = None
        if spill is not None:
            choice = Choice(spill, self._files, around or Surroundings(plan.workers, plan.pool))
            shape = (plan.piece, plan.width)
            self.spill = Spill(self._files, self.pool, choice, plan.gatherers, plan.parcel, *shape)
        self.long_records = LongRecords(tmp_dirs[0] if spill is not None else None, delimiter, plan.spares_cache)
        self.buckets: list[BucketSet] = []
        self.reader: RecordReader | None = None

    @property
    def spilled_bytes(self) -> int:
        """Bytes that went to temporary files so far, long records aside."""
        return self._files.bytes_written

    def clear(self) -> None:
        """Let go of what the last scatter left."""
        self.buckets = []
        if self.spill is not None:
            self.spill.stop_writing()
        if self.reader is not None:
            self.reader.close()
            self.reader = None

    def close(self) -> None:
        """Close all files; temporary ones end."""
        self.clear()
        self._files.close()
        self.long_records.close()

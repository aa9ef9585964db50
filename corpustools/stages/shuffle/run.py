"""The whole shuffle: inspect, plan, distribute, gather, verify, rename."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, replace
from functools import partial

from corpustools.errors import DataError, SystemFailure
from corpustools.files.chunks import RecordFormat
from corpustools.files.descriptors import Sink
from corpustools.files.inputs import Input
from corpustools.files.mapped import MappedReader
from corpustools.files.outputs import ShardSink
from corpustools.files.reader import RecordReader
from corpustools.files.temporary import TemporaryFiles
from corpustools.progress import Progress
from corpustools.stages.shuffle.buckets import COUNT, SIZE, BucketSet, Pool, RangeTooFull, allocate
from corpustools.stages.shuffle.gather import Gather, GatherWorker, Level, Tally
from corpustools.stages.shuffle.long_records import LongRecords
from corpustools.stages.shuffle.order import KEYS, KeyRange
from corpustools.stages.shuffle.plan import Plan
from corpustools.stages.shuffle.refine import move
from corpustools.stages.shuffle.scatter import Distribution
from corpustools.stages.shuffle.spill import Spill
from corpustools.stages.shuffle.threads import Crew

_EXTENT = 1 << 20
# With --head-count, buckets are made finer once no more than this many are still wanted.
_COARSE = 8


@dataclass
class Job:
    """What is to be done, every choice made.

    Attributes:
        key: the generator's words and the mask on the keys.
        limit: records to write at most.
        spill: raw, zstd or auto; None: scan the inputs again instead.
    """

    inputs: list[Input]
    form: RecordFormat
    plan: Plan
    key: tuple[int, int, int]
    keys: KeyRange
    sink: Sink
    shards: int | None
    limit: int | None
    write_header: bool
    spill: str | None
    tmp_dirs: list[str]
    progress: Progress | None


class Shuffler:
    """Runs a job: one pass over the inputs, or as many as it takes without temporary space."""

    def __init__(self, job: Job) -> None:
        self.job = job
        plan = job.plan
        self.pool = Pool(plan.blocks, plan.block, plan.record_blocks)
        slack = self.pool.records.SLACK
        self.buffers = [allocate(plan.buffer + slack, huge=True) for _ in range(plan.workers)]
        self.files = TemporaryFiles(job.tmp_dirs, max(_EXTENT, 16 * plan.block))
        self.long_records = LongRecords(job.tmp_dirs[0] if job.spill is not None else None, job.form.delimiter)
        self.spill = Spill(self.files, plan.block, job.spill) if job.spill is not None else None
        self.written = Tally()
        self.records = self.passes = 0
        self._everything: int | None = None
        self._cuts: list[int] = []

    def run(self) -> None:
        """Write the whole output to the sink, and compare what went in with what came out.

        Raises:
            DataError: what came out is not what went in: the inputs changed meanwhile, or the memory or disk fails.
        """
        low, last, span = self.job.keys.low, self.job.keys.low + self.job.keys.span, self.job.keys.span
        try:
            # One pass even where no records are wanted: it finds the header, and what is wrong with the inputs.
            while low <= last and not (self.passes and self._enough()):
                try:
                    low += self._pass(KeyRange(low, min(span, last - low)))
                except RangeTooFull:
                    span //= 64
                    if not span:
                        raise SystemFailure("the memory is too small for a record", "give a larger --memory") from None
        finally:
            self.files.close()
            self.long_records.close()
        if self._everything is not None and not self._enough():
            check(self.written, Tally(self.records, self.written.size, self._everything))

    def _enough(self) -> bool:
        return self.job.limit is not None and self.written.records >= self.job.limit

    def _pass(self, keys: KeyRange) -> int:
        """Read the inputs once and write what fits of the records of these keys; return how many keys are done."""
        job = self.job
        kind = MappedReader if job.plan.mapped else RecordReader
        reader = kind(job.inputs, job.form, job.plan.decoder)
        try:
            return self._run_pass(reader, keys)
        except self.pool.records.Truncated:
            raise DataError(
                "an input became shorter while it was read", "leave inputs alone while they are read"
            ) from None
        finally:
            reader.close()

    def _run_pass(self, reader: RecordReader, keys: KeyRange) -> int:
        sets, distribution = self._scatter(reader, keys)
        self.passes += 1
        level = Level.of(sets, self.written.records, self._header_bytes(reader) + self.written.size)
        if self.passes == 1:
            self._begin(reader, distribution, level)
        expected = self._expected(level, distribution)
        before = replace(self.written)
        self._gather(level, sum_of(level, SIZE))
        if not self._enough():
            passed = Tally(*(getattr(self.written, f) - getattr(before, f) for f in ("records", "size", "checksum")))
            check(passed, expected)
        return min(level.buckets << sets[0].shift, keys.span + 1)

    def _scatter(self, reader: RecordReader, keys: KeyRange) -> tuple[list[BucketSet], Distribution]:
        """Distribute the inputs to fresh buckets."""
        job, plan = self.job, self.job.plan
        # Fewer than wanted are dropped again and again: that is one thread's business.
        workers = 1 if job.limit is not None and self.spill is not None else plan.workers
        shift = max(0, keys.span.bit_length() - plan.buckets.bit_length() + 1)
        droppable = None
        if self.spill is None:
            droppable = _not_the_lowest
        elif job.limit is not None:
            droppable = partial(_beyond, job.limit)
        sets = [
            BucketSet(self.pool, plan.buckets, job.key, keys.low, keys.span, shift, self.spill, droppable)
            for _ in range(workers)
        ]
        for slot, one in enumerate(sets):
            first, stop = slot * plan.blocks // workers, (slot + 1) * plan.blocks // workers
            # Low numbers on top: what is used lies together.
            one.give(array("I", range(stop - 1, first - 1, -1)))
            one.kernel.check_skipped = self.spill is None and not self.passes and self._whole()
        crew = Crew(lambda: self._report("reading", reader.raw_bytes, self._input_bytes()))
        distribution = Distribution(reader, self.long_records, plan.chunk, plan.buffer, crew.stopped)
        crew.wake = distribution.wake
        between = partial(self._make_finer, sets) if job.limit is not None else _nothing
        crew.run([partial(distribution.run, sets, slot, self.buffers[slot], between) for slot in range(workers)])
        for one in sets:
            one.settle()
        self.records = distribution.records
        if self.spill is None and not self.passes and self._whole():
            kernels = sum(one.kernel.checksum + one.kernel.skipped for one in sets)
            self._everything = (kernels + distribution.long_passed.checksum) % KEYS
        return sets, distribution

    def _whole(self) -> bool:
        return self.job.keys.span == KEYS - 1

    def _make_finer(self, sets: list[BucketSet]) -> None:
        """Spread few coarse buckets over many, so that more of what is not wanted can be dropped."""
        old = sets[0]
        if old.dropped_from > _COARSE or old.dropped_from == old.buckets or old.shift < 6 or old.kernel.resident == 0:
            return
        if old.streams:
            return
        bits = min(6, old.shift)
        new = BucketSet(
            self.pool,
            old.dropped_from << bits,
            self.job.key,
            old.low,
            old.span,
            old.shift - bits,
            self.spill,
            old.droppable,
        )
        free = old.take_free()
        reading = 2 * self.pool.record_blocks
        new.give(free[reading:])
        spare = free[:reading].tolist()
        for bucket in range(old.dropped_from):
            move(old, bucket, new, spare, self.spill)
        new.give(spare)
        new.finer = True
        sets[0] = new

    def _header_bytes(self, reader: RecordReader) -> int:
        return len(reader.header) if self.job.write_header else 0

    def _begin(self, reader: RecordReader, distribution: Distribution, level: Level) -> None:
        """Write the header and lay out the shards, now that the records are counted."""
        job = self.job
        if job.write_header and reader.header:
            job.sink.write(reader.header)
        if job.shards is not None:
            total = distribution.records if self._whole() else level.starts[-1]
            if job.limit is not None:
                total = min(total, job.limit)
            self._cuts = [shard * total // job.shards for shard in range(1, job.shards)]
            assert isinstance(job.sink, ShardSink)
            for _ in range(self._cuts.count(0)):
                job.sink.cut()

    def _expected(self, level: Level, distribution: Distribution) -> Tally:
        """Return what the gather has to write; a checksum below 0 where dropped records are in it."""
        dropped = any(one.dropped_from < one.buckets or one.finer for one in level.sets)
        checksum = -1
        if not dropped:
            checksum = (sum(one.kernel.checksum for one in level.sets) + distribution.long_wanted.checksum) % KEYS
        return Tally(level.starts[-1] - level.starts[0], sum_of(level, SIZE), checksum)

    def _gather(self, level: Level, size: int) -> None:
        """Write a level's records in order."""
        job, plan = self.job, self.job.plan
        free: array[int] = array("I")
        for one in level.sets:
            free.extend(one.take_free())
        start = self.written.size
        workers: list[GatherWorker] = []

        def tick() -> None:
            self._report("writing", start + sum(worker.tally.size for worker in workers), start + size)

        crew = Crew(tick)
        limit = job.limit if job.limit is not None else KEYS
        gather = Gather(
            self.pool,
            free,
            job.key,
            self.spill,
            job.sink,
            self._cuts,
            limit,
            plan.lists,
            plan.mapped > 0,
            self.long_records,
            crew.stopped,
        )
        crew.wake = gather.turns.wake
        workers += [GatherWorker(gather, buffer, plan.buffer) for buffer in self.buffers]
        crew.run([partial(worker.run, level) for worker in workers])
        for worker in workers:
            self.written.add(worker.tally.records, worker.tally.size, worker.tally.checksum)

    def _report(self, phase: str, done: int, total: int | None) -> None:
        if self.job.progress is not None:
            self.job.progress(phase, done, total)

    def _input_bytes(self) -> int | None:
        sizes = [one.size for one in self.job.inputs]
        return None if None in sizes else sum(size for size in sizes if size is not None)


def sum_of(level: Level, field: int) -> int:
    """Return the sum of a field over the buckets of a level."""
    return sum(sum(one.table[field : 8 * level.buckets : 8]) for one in level.sets)


def check(written: Tally, expected: Tally) -> None:
    """Compare what came out with what went in.

    Raises:
        DataError: they differ; nothing is renamed then.
    """
    same = written.records == expected.records and written.size == expected.size
    if not same or (expected.checksum >= 0 and (written.checksum - expected.checksum) % KEYS):
        raise DataError(
            f"what came out is not what went in ({written.records} records of {written.size} bytes with checksum "
            f"{written.checksum % KEYS:016x}, against {expected.records}, {expected.size}, "
            f"{expected.checksum % KEYS:016x})",
            "leave inputs alone while they are read; if they were, the memory or a disk fails",
        )


def _not_the_lowest(buckets: BucketSet, bucket: int) -> bool:
    """Without temporary space every bucket but the lowest may wait for another pass."""
    return bucket > 0


def _beyond(limit: int, buckets: BucketSet, bucket: int) -> bool:
    """With a limit, a bucket is not wanted once the buckets below it hold enough."""
    return bucket > 0 and sum(buckets.table[COUNT : 8 * bucket : 8]) >= limit


def _nothing() -> None:
    return

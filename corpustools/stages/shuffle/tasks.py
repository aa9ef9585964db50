"""The tasks that a shuffle is made of: count records, scatter them to buckets, gather the buckets to the output.

Each is a function from plain data (paths, ranges, counts) to a receipt of plain data, so that a journal could note what
is done and a cluster could place it. Neither is built yet, so `count`, which a cluster needs, is called by tests alone.
Beside that, scatter and gather get the process's BucketStore as an argument: the buckets stay in its pool and its
temporary files between the two, so a gather runs where its scatter ran.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from mmap import mmap
from typing import NamedTuple

from corpustools import kernels
from corpustools.errors import DataError
from corpustools.files.atomic import FileSink
from corpustools.files.chunks import Chunk, RecordFormat, count_records
from corpustools.files.descriptors import Sink
from corpustools.files.inputs import Input
from corpustools.files.mapped import MappedReader
from corpustools.files.ordered import Turns
from corpustools.files.page_cache import Passing
from corpustools.files.reader import RecordReader
from corpustools.progress import Progress
from corpustools.stages.shuffle.bucket_range import BucketRange
from corpustools.stages.shuffle.gather import Agenda, GatherWorker
from corpustools.stages.shuffle.loader import FreeBlocks, Loader
from corpustools.stages.shuffle.order import KEYS, KeyRange, SortKeys
from corpustools.stages.shuffle.refine import alike
from corpustools.stages.shuffle.scatter import Distribution, empty_sets
from corpustools.stages.shuffle.sorter import Sorter
from corpustools.stages.shuffle.store import BucketStore
from corpustools.stages.shuffle.tally import Tally
from corpustools.stages.shuffle.threads import ThreadGroup
from corpustools.stages.shuffle.writer import RecordWriter, Target

# Where few records are kept, little is done with a chunk: fewer, longer ones cost less than the cache gains.
_LONG_CHUNK = 2 << 20


class CountTask(NamedTuple):
    """Count the records of inputs, so that a scatter of the inputs behind them can begin with the right number.

    Attributes:
        inputs: in order.
        form: what a record is.
        memory: what a decoder may allocate, in bytes.
    """

    inputs: list[Input]
    form: RecordFormat
    memory: int


class ScatterTask(NamedTuple):
    """Read inputs once and put the records of a range of sort keys into buckets.

    Attributes:
        inputs: in order.
        form: what a record is.
        first: the number of the first record.
        keys: what gives the records their sort keys.
        wanted: the range of sort keys.
        limit: how many records of the range are wanted, the lowest ones; None: all.
        check_all: whether records of other keys are read for their checksum too.
        passing: what becomes of the inputs' pages in the page cache.
    """

    inputs: list[Input]
    form: RecordFormat
    first: int
    keys: SortKeys
    wanted: KeyRange
    limit: int | None
    check_all: bool
    passing: Passing = Passing.STAYS


class ScatterReceipt(NamedTuple):
    """What a scatter did.

    Attributes:
        records: records of the inputs, of all keys.
        header: the header of the first input.
        held: records in the buckets, and their bytes and checksum.
        keys_done: how many keys, from the low end of the range, the buckets hold the records of.
        checksum_known: whether `held.checksum` is that of the records held. Else it covers dropped ones too.
        checksum_all: the checksum of all records of the inputs, if that was asked for.
        spilled_bytes: bytes that went to temporary files.
    """

    records: int
    header: bytes
    held: Tally
    keys_done: int
    checksum_known: bool
    checksum_all: int | None
    spilled_bytes: int


class GatherTask(NamedTuple):
    """Write what a scatter left, in order.

    Attributes:
        keys: what gives the records their sort keys.
        start: the output position of the first record.
        offset: its first byte in the output.
        cuts: output positions at which another shard begins, ascending.
        limit: the output position at which to stop, or None.
    """

    keys: SortKeys
    start: int
    offset: int
    cuts: list[int]
    limit: int | None


class GatherReceipt(NamedTuple):
    """What a gather did.

    Attributes:
        written: records that were written, and their bytes and checksum.
        spilled_bytes: bytes that went to temporary files, of buckets that had to be split.
    """

    written: Tally
    spilled_bytes: int


def count(task: CountTask, buffer: mmap) -> int:
    """Return how many records the inputs have.

    Args:
        task: what to do.
        buffer: what to read through, its last SLACK bytes aside.

    Raises:
        DataError: an input is torn or malformed.
        SystemFailure: an input cannot be read.
    """
    reader, capacity = RecordReader(task.inputs, task.form, task.memory), len(buffer) - kernels.load("records").SLACK
    records = 0
    try:
        while (got := reader.read(buffer, capacity, capacity)) is not None:
            records += count_records(got.data, got.start, got.stop, task.form) if isinstance(got, Chunk) else got.last
    finally:
        reader.close()
    return records


def scatter(task: ScatterTask, store: BucketStore, progress: Progress | None = None) -> ScatterReceipt:
    """Put records into buckets, which stay in the store for `gather`.

    Args:
        task: what to do.
        store: the memory and temporary space to use; what another scatter left there goes.
        progress: called now and then with ("reading", bytes read, bytes in all or None).

    Raises:
        RangeTooFull: without temporary space, the memory is too small for the lowest bucket of such a range.
        DataError: an input is torn or malformed, or became shorter while it was read.
        SystemFailure: a file, the disk or the memory failed.
    """
    store.clear()
    plan, before = store.plan, store.spilled_bytes
    with _clearing_after_failure(store):
        sets = empty_sets(store, task.keys, task.wanted, task.limit, task.check_all)
        reader = (
            MappedReader(task.inputs, task.form, plan.decoder, task.passing)
            if plan.mapped
            else RecordReader(task.inputs, task.form, plan.decoder, task.passing, plan.decode)
        )
        store.reader = reader
        group = ThreadGroup()
        few = task.wanted.few or (task.limit is not None and task.limit <= plan.few_records)
        chunk = min(plan.buffer, _LONG_CHUNK) if few else plan.chunk
        distribution = Distribution(reader, store.long_records, task.first, chunk, plan.buffer, group.stopped)
        refine = task.limit is not None and (store.spill is not None or len(sets) == 1)
        sizes = [one.size for one in task.inputs if one.size is not None]
        total = sum(sizes) if len(sizes) == len(task.inputs) else None
        sets = group.run(
            [partial(distribution.run, *pair, refine) for pair in zip(sets, store.buffers, strict=False)],
            tick=lambda: progress("reading", reader.raw_bytes, total) if progress is not None else None,
            wake=distribution.turns.wake,
        )
        if refine:
            sets = alike(sets)
        for one in sets:
            one.settle()
        store.buckets = sets
        held = BucketRange.of(sets, 0, 0)
        kept = sum(one.kernel.checksum for one in sets) + distribution.long_wanted.checksum
        passed = sum(one.checksum_passed for one in sets) + distribution.long_passed.checksum
        return ScatterReceipt(
            records=distribution.next - task.first,
            header=reader.header,
            held=Tally(held.records, held.size, kept % KEYS),
            keys_done=min(held.buckets << sets[0].shift, task.wanted.span + 1),
            checksum_known=not any(one.dropped for one in sets),
            checksum_all=passed % KEYS if task.check_all else None,
            spilled_bytes=store.spilled_bytes - before,
        )


def gather(
    task: GatherTask,
    store: BucketStore,
    sink: Sink,
    progress: Progress | None = None,
    passed: Callable[[int, Tally], None] | None = None,
) -> GatherReceipt:
    """Write the records of the buckets that `scatter` left in the store.

    Args:
        task: what to do.
        store: where the buckets are; they are gone afterwards.
        sink: takes the records.
        progress: called now and then with ("writing", bytes written, bytes in all).
        passed: called after each bucket, in order, with the sort key behind it and the bucket's records.

    Raises:
        DataError: an input became shorter meanwhile.
        SystemFailure: a file, the disk or the memory failed.
    """
    plan, pool, before = store.plan, store.pool, store.spilled_bytes
    with _clearing_after_failure(store):
        group = ThreadGroup()
        turns = Turns(group.stopped)
        buckets = BucketRange.of(store.buckets, task.start, task.offset)
        limit = KEYS if task.limit is None else task.limit
        free = FreeBlocks(turns)
        for one in buckets.sets:
            free.give(one.take_free())
        agenda = Agenda(buckets, turns, limit, passed and _by_key(passed, buckets))
        target = Target(sink, turns, task.cuts, limit, store.long_records)
        spilled, workers = any(one.runs for one in buckets.sets), []
        if isinstance(sink, FileSink) and task.limit is None:
            sink.expect(buckets.offsets[-1])
        for slot in range(plan.gatherers if spilled else plan.workers):
            sorter = Sorter(pool, task.keys, plan.lists)
            loader = Loader(pool, free, store.spill)
            writer = RecordWriter(target, sorter, (store.buffers[2 * slot], store.buffers[2 * slot + 1]), plan.buffer)
            workers.append(GatherWorker(agenda, loader, writer, plan.workers))

        def tick() -> None:
            if progress is not None:
                progress("writing", sum(worker.tally.size for worker in workers), buckets.size)

        written = Tally()
        try:
            for part in group.run([worker.run for worker in workers], tick=tick, wake=turns.wake):
                written.add_all(part)
        finally:
            for worker in workers:
                worker.writer.close()
        store.clear()
    return GatherReceipt(written, store.spilled_bytes - before)


def _by_key(passed: Callable[[int, Tally], None], buckets: BucketRange) -> Callable[[int, Tally], None]:
    """Return what is told of buckets, and tells of sort keys."""
    low, shift = buckets.sets[0].covered.low, buckets.sets[0].shift
    return lambda bucket, written: passed(low + (bucket + 1 << shift), written)


@contextmanager
def _clearing_after_failure(store: BucketStore) -> Iterator[None]:
    """Clear the store when a task fails, and say so when it failed because an input shrank."""
    try:
        yield
    except BaseException as error:
        store.clear()
        if isinstance(error, store.pool.kernel.Torn) and store.spill is not None:
            raise DataError("temporary data are not what was written", "the memory or the disk fails") from error
        if isinstance(error, store.pool.kernel.Truncated):
            raise DataError(
                "an input became shorter while it was read", "leave inputs alone while they are read"
            ) from None
        raise

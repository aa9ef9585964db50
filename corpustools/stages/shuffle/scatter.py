"""Input to buckets: chunks are read in turn, numbered in order, and distributed by several threads at once."""

from __future__ import annotations

import mmap
import threading
from collections.abc import Callable

from corpustools.files.chunks import Chunk, Fragment, count_records
from corpustools.files.ordered import Stopped, Turns
from corpustools.files.quotes import QuotedFields
from corpustools.files.reader import RecordReader
from corpustools.stages.shuffle.buckets import BucketSet
from corpustools.stages.shuffle.long_records import LongRecord, LongRecords, pack_place
from corpustools.stages.shuffle.order import KeyRange, SortKeys
from corpustools.stages.shuffle.pool import NewBlocks
from corpustools.stages.shuffle.refine import made_finer
from corpustools.stages.shuffle.store import BucketStore
from corpustools.stages.shuffle.tally import Tally


class Distribution:
    """One pass over the inputs, by several threads that each call `run`.

    Args:
        reader: the records; read by one thread at a time.
        long_records: takes those that are longer than a buffer.
        first: the number of the first record.
        chunk: bytes to read at a time.
        capacity: bytes of a buffer.
        stopped: whether another thread has failed.

    Attributes:
        turns: the order in which chunks are numbered.
        next: the number of the next record.
        long_wanted: the long records whose keys were wanted.
        long_passed: all long records.
    """

    def __init__(
        self,
        reader: RecordReader,
        long_records: LongRecords,
        first: int,
        chunk: int,
        capacity: int,
        stopped: Callable[[], bool],
    ) -> None:
        self._reader, self._long_records = reader, long_records
        self._chunk, self._capacity, self._stopped = chunk, capacity, stopped
        self.turns = Turns(stopped)
        self.next = first
        self.long_wanted, self.long_passed = Tally(), Tally()
        self._reading = threading.Lock()
        self._fields: QuotedFields | None = None
        self._chunks = 0

    def run(self, target: BucketSet, buffer: mmap.mmap, refine: bool) -> BucketSet:
        """Distribute chunks until the inputs end.

        Args:
            target: takes the records.
            buffer: takes the chunks.
            refine: whether few coarse buckets are spread over many.

        Returns:
            The set that holds the records: `target`, or a finer one in its place.
        """
        form = self._reader.form
        while True:
            with self._reading:
                if self._stopped():
                    raise Stopped
                got = self._read(buffer)
                if got is None:
                    return target
                ticket = self._chunks
                self._chunks += 1
            if isinstance(got, Chunk) and self._fields is not None:
                self._fields.check(got, self._reader.name_of(got.input))
            if isinstance(got, LongRecord):
                self._refer(target, self._number(ticket, 1), got)
            else:
                count = count_records(got.data, got.start, got.stop, form)
                target.distribute(got, self._number(ticket, count), count, form)
            if refine:
                target = made_finer(target)

    def _read(self, buffer: mmap.mmap) -> Chunk | LongRecord | None:
        reader = self._reader
        got = reader.read(buffer, self._chunk, self._capacity)
        if got is not None and reader.header and self._fields is None:
            self._fields = QuotedFields(reader.header, reader.form, reader.name_of(got.input))
        if isinstance(got, Fragment):
            fields, name = self._fields, reader.name_of(got.input)
            look = None if fields is None else lambda fragment: fields.check_long(fragment, name)
            return self._long_records.follow(reader, got, buffer, self._capacity, look)
        return got

    def _number(self, ticket: int, count: int) -> int:
        """Return the number of the first of `count` records of a chunk, in the order of the tickets."""
        with self.turns.turn(ticket):
            first = self.next
            self.next += count
        return first

    def _refer(self, target: BucketSet, number: int, record: LongRecord) -> None:
        entered = target.refer(number, pack_place(record.place), record.length)
        with self.turns.condition:
            self.long_passed.add(1, record.length, record.checksum)
            if entered:
                self.long_wanted.add(1, record.length, record.checksum)


def empty_sets(
    store: BucketStore, keys: SortKeys, wanted: KeyRange, limit: int | None, check_all: bool
) -> list[BucketSet]:
    """Return a set of buckets for each thread, which share the blocks of the pool; see ScatterTask for the rest."""
    plan, pool, spill = store.plan, store.pool, store.spill
    # What is not wanted is dropped again and again. Each thread would keep as many as are wanted: a large number is one
    # thread's business.
    many = limit is not None and limit > plan.few_records
    workers = 1 if many and spill is not None else plan.workers
    # Without temporary space, every bucket but the lowest may wait for another pass.
    drop_beyond = limit if spill is not None else 0
    shift = max(0, wanted.span.bit_length() - plan.buckets.bit_length() + 1)
    sets = []
    for slot in range(workers):
        first, stop = slot * plan.blocks // workers, (slot + 1) * plan.blocks // workers
        one = BucketSet(
            pool,
            plan.buckets,
            keys,
            wanted,
            shift,
            spill,
            drop_beyond=drop_beyond,
            check_skipped=check_all,
            new_blocks=NewBlocks(pool, first, stop, plan.buckets),
        )
        sets.append(one)
    return sets

"""Input to buckets: chunks are read in turn, numbered in order, and distributed by several threads at once."""

from __future__ import annotations

import mmap
import threading
from collections.abc import Callable

from corpustools.files.chunks import Chunk, Fragment, count_records
from corpustools.files.ordered import Stopped, Turns
from corpustools.files.reader import RecordReader
from corpustools.stages.shuffle.buckets import BucketSet
from corpustools.stages.shuffle.gather import Tally
from corpustools.stages.shuffle.long_records import LongRecord, LongRecords, pack_place


class Distribution:
    """One pass over the inputs.

    Args:
        reader: the records; read by one thread at a time.
        long_records: takes those that are longer than a buffer.
        chunk: bytes to read at a time.
        capacity: bytes of a buffer.
        stopped: whether another thread has failed.

    Attributes:
        records: how many were numbered so far.
        long_wanted: the long records whose keys were wanted.
        long_passed: all long records.
    """

    def __init__(
        self,
        reader: RecordReader,
        long_records: LongRecords,
        chunk: int,
        capacity: int,
        stopped: Callable[[], bool],
    ) -> None:
        self.reader, self.long_records = reader, long_records
        self.chunk, self.capacity, self.stopped = chunk, capacity, stopped
        self.records = 0
        self.long_wanted, self.long_passed = Tally(), Tally()
        self._reading = threading.Lock()
        self._numbering = Turns(stopped)
        self._chunks = 0

    def run(self, sets: list[BucketSet], slot: int, buffer: mmap.mmap, between: Callable[[], None]) -> None:
        """Distribute chunks to the set in a slot of `sets` until the inputs end.

        `between` is called after each chunk; it may put another set in the slot.
        """
        form = self.reader.form
        while True:
            with self._reading:
                if self.stopped():
                    raise Stopped
                got = self._read(buffer)
                if got is None:
                    return
                ticket = self._chunks
                self._chunks += 1
            if isinstance(got, LongRecord):
                self._refer(sets[slot], self._number(ticket, 1), got)
            else:
                count = count_records(got.data, got.start, got.stop, form)
                sets[slot].run(got, self._number(ticket, count), form.delimiter, form.record_bytes)
            between()

    def _read(self, buffer: mmap.mmap) -> Chunk | LongRecord | None:
        got = self.reader.read(buffer, self.chunk, self.capacity)
        return self.long_records.follow(self.reader, got, buffer, self.capacity) if isinstance(got, Fragment) else got

    def wake(self) -> None:
        """Let waiting threads see that the work has stopped."""
        self._numbering.wake()

    def _number(self, ticket: int, count: int) -> int:
        """Return the number of the first of `count` records of a chunk, in the order of the tickets."""
        with self._numbering.turn(ticket):
            first = self.records
            self.records += count
        return first

    def _refer(self, target: BucketSet, number: int, record: LongRecord) -> None:
        entered = target.refer(number, pack_place(record.place), record.length)
        with self._numbering.condition:
            self.long_passed.add(1, record.length, record.checksum)
            if entered:
                self.long_wanted.add(1, record.length, record.checksum)

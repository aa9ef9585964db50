"""Input to buckets: chunks are read in turn, numbered in order, and distributed by several threads at once."""

from __future__ import annotations

import mmap
import threading
from collections.abc import Callable

from corpustools import kernels
from corpustools.files.ordered import Stopped, Turns
from corpustools.files.records import Giant, RecordSource
from corpustools.stages.shuffle.buckets import BucketSet
from corpustools.stages.shuffle.gather import Tally


class Distribution:
    """One pass over a source.

    Args:
        source: the records; read by one thread at a time.
        chunk: bytes to read at a time.
        capacity: bytes of a buffer.
        stopped: whether another thread has failed.

    Attributes:
        records: how many were numbered so far.
        giants: those kept outside the pool whose keys were wanted.
        passed_giants: all of them.
    """

    def __init__(self, source: RecordSource, chunk: int, capacity: int, stopped: Callable[[], bool]) -> None:
        self.source, self.chunk, self.capacity, self.stopped = source, chunk, capacity, stopped
        self.records = 0
        self.giants, self.passed_giants = Tally(), Tally()
        self._kernel = kernels.load("records")
        self._reading = threading.Lock()
        self._numbering = Turns(stopped)
        self._chunks = 0

    def run(self, sets: list[BucketSet], slot: int, buffer: mmap.mmap, between: Callable[[], None]) -> None:
        """Distribute chunks to the set in a slot of `sets` until the source ends.

        `between` is called after each chunk; it may put another set in the slot.
        """
        shape = self.source.shape
        while True:
            with self._reading:
                if self.stopped():
                    raise Stopped
                got = self.source.fill(buffer, self.chunk, self.capacity)
                if got is None:
                    return
                ticket = self._chunks
                self._chunks += 1
            if isinstance(got, Giant):
                self._refer(sets[slot], self._number(ticket, 1), got)
            else:
                data, start, stop = got.data, got.start, got.stop
                if shape.record_bytes:
                    count = (stop - start) // shape.record_bytes
                else:
                    count = self._kernel.count_delimiters(data, start, stop, shape.delimiter)
                sets[slot].run(got, self._number(ticket, count), shape.delimiter, shape.record_bytes)
            between()

    def wake(self) -> None:
        """Let waiting threads see that the work has stopped."""
        self._numbering.wake()

    def _number(self, ticket: int, count: int) -> int:
        """Return the number of the first of `count` records of a chunk, in the order of the tickets."""
        with self._numbering.turn(ticket):
            first = self.records
            self.records += count
        return first

    def _refer(self, target: BucketSet, number: int, giant: Giant) -> None:
        entered = target.refer(number, giant.place, giant.length)
        with self._numbering.condition:
            self.passed_giants.add(1, giant.length, giant.checksum)
            if entered:
                self.giants.add(1, giant.length, giant.checksum)

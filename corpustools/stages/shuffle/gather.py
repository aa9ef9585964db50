"""Buckets to output, on several threads: each loads a bucket, puts its records in order, and writes them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from corpustools.files.ordered import Turns
from corpustools.stages.shuffle.bucket_range import BucketRange
from corpustools.stages.shuffle.loader import Loaded, Loader
from corpustools.stages.shuffle.tally import Tally
from corpustools.stages.shuffle.writer import RecordWriter


class Agenda:
    """Which bucket comes next.

    Args:
        buckets: what is to be written.
        turns: the order in which it is.
        limit: output position at which to stop.
        passed: told of each bucket's records, in order, once it is written; None: nobody is.
    """

    def __init__(
        self, buckets: BucketRange, turns: Turns, limit: int, passed: Callable[[int, Tally], None] | None = None
    ) -> None:
        self.buckets, self.turns, self.limit, self.passed = buckets, turns, limit, passed
        # Held while a bucket's blocks are reserved: those of lower buckets go first, or nobody could go on.
        self.reserving = threading.Lock()
        self._next = 0

    def take(self) -> int | None:
        """Return the next bucket, or None where no more are wanted; the caller holds `reserving`."""
        bucket = self._next
        if bucket == self.buckets.buckets or self.buckets.starts[bucket] >= self.limit:
            return None
        self._next += 1
        return bucket


@dataclass(frozen=True)
class GatherWorker:
    """One thread's part of a gather.

    Who waits for whom: the threads take buckets in order. Each waits, with `reserving` held, until there are free
    blocks for its bucket. A thread whose bucket does not even fit when all lower ones are written keeps `reserving`
    until it has written it part by part. At the end each waits for its turn and passes it on. No more threads put
    records in order and write them than are to be `working`: those of the lowest buckets. One more reads meanwhile.
    """

    agenda: Agenda
    loader: Loader
    writer: RecordWriter
    working: int

    @property
    def tally(self) -> Tally:
        """What was written so far."""
        return self.writer.tally

    def run(self) -> Tally:
        """Write buckets until none is left; return what was written."""
        agenda, buckets, before = self.agenda, self.agenda.buckets, Tally()
        while True:
            with agenda.reserving:
                bucket = agenda.take()
                if bucket is None:
                    break
                blocks = self.loader.reserve(buckets, bucket, bucket)
                self.loader.look_ahead(buckets, bucket + 1)
                if blocks is None:
                    for part in self.loader.load_split(buckets, bucket, bucket):
                        self._write(part, bucket)
            if blocks is not None:
                for loaded in self.loader.load(buckets, bucket, blocks):
                    self._write(loaded, bucket)
            before = self._pass_on(bucket, before)
        self.writer.finish()
        return self.tally

    def _pass_on(self, bucket: int, before: Tally) -> Tally:
        """Pass the turn of a bucket on, and tell of its records; return a copy of the tally, for the next bucket."""
        passed = self.agenda.passed
        if passed is not None:
            # What is told of has been handed to the system.
            self.writer.finish()
        with self.agenda.turns.turn(bucket):
            if passed is not None:
                passed(bucket, self.tally.since(before))
        return replace(self.tally)

    def _write(self, loaded: Loaded, bucket: int) -> None:
        turns = self.agenda.turns
        turns.wait_until(lambda: bucket < turns.current + self.working)
        self.writer.write(loaded, bucket)

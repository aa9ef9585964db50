"""Records in order to the output: at their places in a file, or in turn; cut into shards; long records among them."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from mmap import mmap

from corpustools.files.atomic import FileSink
from corpustools.files.descriptors import Sink
from corpustools.files.ordered import Turns
from corpustools.files.outputs import ShardSink
from corpustools.stages.shuffle.loader import Loaded
from corpustools.stages.shuffle.long_records import LongRecords, unpack_place
from corpustools.stages.shuffle.sorter import Sorter
from corpustools.stages.shuffle.tally import Tally


@dataclass(frozen=True)
class Target:
    """Where all threads write to.

    Attributes:
        sink: takes the records.
        turns: the order in which buckets are written.
        cuts: output positions at which the sink begins another shard, ascending.
        limit: output position at which to stop.
        long_records: those that are kept outside the pool.
    """

    sink: Sink
    turns: Turns
    cuts: list[int]
    limit: int
    long_records: LongRecords


class RecordWriter:
    """Writes records for one thread.

    Who waits for whom: a file takes bytes at any place, so there no thread waits for another. Any other sink takes them
    one after another, and a thread waits for its turn before it writes.

    Args:
        target: where to.
        sorter: puts them in order.
        buffer: holds what is written at once, with SLACK bytes behind `capacity`.
        capacity: bytes of it that may be used.

    Attributes:
        tally: what was written so far.
    """

    def __init__(self, target: Target, sorter: Sorter, buffer: mmap, capacity: int) -> None:
        self._target, self._sorter = target, sorter
        self._buffer, self._view, self._capacity, self._used = buffer, memoryview(buffer), capacity, 0
        self._file = target.sink if isinstance(target.sink, FileSink) else None
        self._offset = self._turn = 0
        self.tally = Tally()

    def write(self, loaded: Loaded, turn: int) -> None:
        """Write the records that are in memory, those up to the limit."""
        position, self._offset, self._turn = loaded.start, loaded.offset, turn
        wanted = self._target.limit - position
        for count in self._sorter.batches(loaded.chains, loaded.stop - position, wanted):
            self._copy(min(count, self._target.limit - position), position)
            position += count
        self._flush()

    def _copy(self, count: int, position: int) -> None:
        """Copy the first records of a batch, which begins at an output position; cut where a shard ends."""
        cuts, at = self._target.cuts, 0
        while at < count:
            cut = bisect_right(cuts, position + at)
            until = min(count, cuts[cut] - position) if cut < len(cuts) else count
            at = self._copy_some(at, until)
            if cut < len(cuts) and position + at == cuts[cut]:
                self._begin_shards(bisect_right(cuts, position + at) - cut)

    def _copy_some(self, at: int, until: int) -> int:
        """Copy what the buffer takes of the batch's records, or all up to a long one; return the next record."""
        copied = self._sorter.copy(at, until, self._buffer, self._capacity, self._used)
        self.tally.add(copied.next - at, copied.used - self._used, copied.checksum)
        if copied.next == at and not self._used:
            raise AssertionError("a record is longer than the output buffer")
        self._used = copied.used
        if copied.length:
            self._flush()
            self._write_long(copied.place, copied.length)
        elif copied.next < until:
            self._flush()
        return copied.next

    def _begin_shards(self, shards: int) -> None:
        """End the current shard and begin another; shards without records share their cut with the next."""
        self._flush()
        self._target.turns.wait_for(self._turn)
        assert isinstance(self._target.sink, ShardSink)
        for _ in range(shards):
            self._target.sink.cut()

    def _flush(self) -> None:
        if self._used:
            self._write(self._view[: self._used])
            self._used = 0

    def _write(self, data: memoryview) -> None:
        if self._file is not None:
            self._file.write_at(self._offset, data)
        else:
            self._target.turns.wait_for(self._turn)
            self._target.sink.write(data)
        self._offset += len(data)

    def _write_long(self, place: int, length: int) -> None:
        """Write a record that is kept outside the pool; it was counted already."""
        checksum = self._target.long_records.copy(unpack_place(place), length, self._view, self._capacity, self._write)
        self.tally.add(0, length, checksum)

"""Records in order to the output: at their places in a file, or in turn; cut into shards; long records among them."""

from __future__ import annotations

from bisect import bisect_right
from mmap import mmap
from typing import NamedTuple

from corpustools.files.atomic import FileSink
from corpustools.files.behind import WorkBehind
from corpustools.files.descriptors import Sink
from corpustools.files.linux import PAGE
from corpustools.files.ordered import Turns
from corpustools.files.outputs import ShardSink
from corpustools.stages.shuffle.loader import Loaded
from corpustools.stages.shuffle.long_records import LongRecords, unpack_place
from corpustools.stages.shuffle.sorter import Sorter
from corpustools.stages.shuffle.tally import Tally


class Target(NamedTuple):
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

    Where the file is written past the page cache, a thread of its own writes one buffer while the other is filled. What
    is written then begins and ends on whole pages, but at the ends of a bucket.

    Args:
        target: where to.
        sorter: puts them in order.
        buffers: two that hold what is written at once, with PAGE and SLACK bytes behind `capacity`.
        capacity: bytes of them that may be used.

    Attributes:
        tally: what was written so far.
    """

    def __init__(self, target: Target, sorter: Sorter, buffers: tuple[mmap, mmap], capacity: int) -> None:
        self._target, self._sorter = target, sorter
        self._buffer, self._other = buffers
        self._capacity = capacity
        self._file = target.sink if isinstance(target.sink, FileSink) else None
        self._unit = self._file.direct_unit if self._file is not None else 0
        self._behind = WorkBehind(self._write_at) if self._unit else None
        # What of the buffer is to be written; with a unit it has the same place in its page in memory and in the file.
        self._begin = self._used = 0
        self._offset = self._turn = 0
        self.tally = Tally()

    def write(self, loaded: Loaded, turn: int) -> None:
        """Write the records that are in memory, those up to the limit."""
        position, self._offset, self._turn = loaded.start, loaded.offset, turn
        self._begin = self._used = self._place()
        wanted = self._target.limit - position
        for count in self._sorter.batches(loaded.chains, loaded.stop - position, wanted):
            self._copy(min(count, self._target.limit - position), position)
            position += count
        self._flush()

    def finish(self) -> None:
        """Wait until all is written.

        Raises:
            SystemFailure: the disk is full or fails.
        """
        while self._behind is not None and self._behind.take(wait=True) is not None:
            pass

    def close(self) -> None:
        """End the thread that writes; what it has not begun is given up."""
        if self._behind is not None:
            self._behind.close()

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
        capacity = self._capacity + (PAGE if self._unit else 0)
        copied = self._sorter.copy(at, until, self._buffer, capacity, self._used)
        self.tally.add(copied.next - at, copied.used - self._used, copied.checksum)
        if copied.next == at and self._used == self._begin:
            raise AssertionError("a record is longer than the output buffer")
        self._used = copied.used
        if copied.length:
            self._flush()
            self._write_long(copied.place, copied.length)
        elif copied.next < until:
            self._flush(goes_on=True)
        return copied.next

    def _begin_shards(self, shards: int) -> None:
        """End the current shard and begin another; shards without records share their cut with the next."""
        self._flush()
        self._target.turns.wait_for(self._turn)
        assert isinstance(self._target.sink, ShardSink)
        for _ in range(shards):
            self._target.sink.cut()

    def _flush(self, goes_on: bool = False) -> None:
        """Write the buffer; where more follows, what does not fill a page at its end waits for that."""
        begin, stop = self._begin, self._used
        if begin == stop:
            return
        if self._behind is None:
            self._write(memoryview(self._buffer)[begin:stop])
            self._begin = self._used = 0
            return
        if goes_on and stop - stop % self._unit > begin:
            stop -= stop % self._unit
        self._behind.submit((self._offset, memoryview(self._buffer)[begin:stop]))
        self._offset += stop - begin
        # One buffer is written while the other is filled.
        while self._behind.pending > 1:
            self._behind.take(wait=True)
        rest = self._used - stop
        self._begin = self._place()
        self._other[self._begin : self._begin + rest] = self._buffer[stop : self._used]
        self._used = self._begin + rest
        self._buffer, self._other = self._other, self._buffer

    def _place(self) -> int:
        """Return the byte of the buffer at which the next byte of the file is to stand."""
        return self._offset % self._unit if self._unit else 0

    def _write_at(self, item: tuple[int, memoryview]) -> None:
        assert self._file is not None
        self._file.write_at(*item)

    def _write(self, data: memoryview) -> None:
        if self._file is not None:
            self._file.write_at(self._offset, data)
        else:
            self._target.turns.wait_for(self._turn)
            self._target.sink.write(data)
        self._offset += len(data)

    def _write_long(self, place: int, length: int) -> None:
        """Write a record that is kept outside the pool; it was counted already."""
        view = memoryview(self._buffer)
        checksum = self._target.long_records.copy(unpack_place(place), length, view, self._capacity, self._write)
        self._begin = self._used = self._place()
        self.tally.add(0, length, checksum)

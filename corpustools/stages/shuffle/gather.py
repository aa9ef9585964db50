"""Buckets to output: load, order, copy, and write in turn, on several threads."""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from mmap import mmap

from corpustools import kernels
from corpustools.files.atomic import FileSink
from corpustools.files.descriptors import Sink
from corpustools.files.ordered import Turns
from corpustools.files.outputs import ShardSink
from corpustools.stages.shuffle.buckets import COUNT, HEAD, SIZE, STREAM, BucketSet, Pool, allocate
from corpustools.stages.shuffle.long_records import LongRecords, unpack_place
from corpustools.stages.shuffle.refine import move
from corpustools.stages.shuffle.spill import BlockCodec, Spill, Stream

_WORDS = 1 << 32

Walk = tuple[int, int, int, int]
Chain = tuple[Walk, int]
_SUB_BUCKETS = 64


@dataclass
class Tally:
    """What has passed: records, their bytes, and the sum of their checksums modulo 2^64."""

    records: int = 0
    size: int = 0
    checksum: int = 0

    def add(self, records: int, size: int, checksum: int) -> None:
        """Count further records."""
        self.records += records
        self.size += size
        self.checksum = (self.checksum + checksum) % (1 << 64)


@dataclass(frozen=True)
class Level:
    """Buckets of one key range, one set a worker, and where each bucket begins in the output: record and byte."""

    sets: list[BucketSet]
    buckets: int
    starts: list[int]
    offsets: list[int]

    @classmethod
    def of(cls, sets: list[BucketSet], start: int, offset: int) -> Level:
        """Return the level of sets that cover one range, given its first record's number and byte in the output."""
        buckets = min(s.dropped_from for s in sets)
        counts, sizes = ([sum(s.table[8 * b + f] for s in sets) for b in range(buckets)] for f in (COUNT, SIZE))
        return cls(sets, buckets, list(accumulate(counts, initial=start)), list(accumulate(sizes, initial=offset)))


class Gather:
    """Writes a level's records in order.

    Args:
        pool: where resident blocks are.
        free: blocks that are free now.
        key: the generator's words and mask.
        spill: where blocks were spilled to, or None.
        sink: takes the records in order.
        cuts: output positions at which the sink begins another shard, ascending.
        limit: output position at which to stop.
        lists: records that are ordered at a time.
        mapped: whether records are mapped.
        long_records: those that are kept outside the pool.
        stopped: whether another thread has failed.
    """

    def __init__(
        self,
        pool: Pool,
        free: array[int],
        key: tuple[int, int, int],
        spill: Spill | None,
        sink: Sink,
        cuts: list[int],
        limit: int,
        lists: int,
        mapped: bool,
        long_records: LongRecords,
        stopped: Callable[[], bool],
    ) -> None:
        self.pool, self.key, self.spill, self.sink = pool, key, spill, sink
        self.cuts, self.limit, self.lists, self.mapped = cuts, limit, lists, mapped
        # A file takes bytes at any offset, so that no thread waits for another to write.
        self.file = sink if isinstance(sink, FileSink) else None
        self.long_records = long_records
        self.sort = kernels.load("order").sort
        self.free = free
        # Two things are waited for: a turn to write, and free blocks. Those are guarded by the condition of the turns.
        self.turns = Turns(stopped)
        self.reserve = threading.Lock()
        self.next = 0


class GatherWorker:
    """One thread's part of a gather: its lists, its output buffer, and a tally of what it wrote."""

    def __init__(self, shared: Gather, buffer: object, capacity: int) -> None:
        self.shared = shared
        self.out, self.capacity, self.used = buffer, capacity, 0
        self.view = memoryview(buffer)  # type: ignore[arg-type]
        self.words, self.ordered, self.numbers, self.places = (allocate(8 * shared.lists) for _ in range(4))
        self.lengths = allocate(8 * shared.lists) if shared.mapped else None
        self.position = 0
        self.tally = Tally()
        # Of its own: the sets' contexts belong to no single thread any more.
        self.codec = BlockCodec()
        self.records = shared.pool.records

    def run(self, level: Level) -> None:
        """Take buckets in order until none is left."""
        shared = self.shared
        while True:
            with shared.reserve:
                bucket = shared.next
                if bucket == level.buckets or level.starts[bucket] >= shared.limit:
                    return
                shared.next += 1
                blocks = self._reserve(level, bucket, bucket)
                self._look_ahead(level, shared.next)
                if blocks is None:
                    # Too large: everybody waits, since all memory is needed.
                    self._refine(level, bucket, bucket)
            if blocks is not None:
                self._bucket(level, bucket, bucket, blocks)
            with shared.turns.turn(bucket):
                pass

    def _look_ahead(self, level: Level, bucket: int) -> None:
        if self.shared.spill is not None and bucket < level.buckets:
            for s in level.sets:
                if bucket in s.streams:
                    self.shared.spill.expect(s.streams[bucket])

    def _reserve(self, level: Level, bucket: int, turn: int) -> list[int] | None:
        """Return free blocks for what of a bucket is on disk; None if it has to be split."""
        shared = self.shared
        needed = sum(s.streams[bucket].blocks for s in level.sets if bucket in s.streams)
        if not needed:
            return []
        with shared.turns.condition:
            shared.turns.wait_until(lambda: len(shared.free) >= needed or shared.turns.current == turn)
            if len(shared.free) < needed:
                return None
            taken = shared.free[-needed:].tolist()
            del shared.free[-needed:]
            return taken

    def _bucket(self, level: Level, bucket: int, turn: int, blocks: list[int]) -> None:
        """Load, order and write one bucket."""
        chains, used = [], []
        for s in level.sets:
            row = s.row(bucket)
            if not row[COUNT]:
                continue
            stream = s.streams.pop(bucket, None)
            head = row[HEAD]
            if stream is not None:
                mine, blocks = blocks[: stream.blocks], blocks[stream.blocks :]
                head = self._load(stream, mine, head)
            used.append(head)
            chains.append(((head, 0, row[STREAM], 0), row[COUNT]))
        self.position = level.offsets[bucket]
        self._deliver(chains, level.starts[bucket], level.starts[bucket + 1], turn)
        if self.shared.spill is not None:
            freed = array("I", [block for head in used for block in self.shared.pool.chain(head)])
            with self.shared.turns.condition:
                self.shared.free.extend(freed)
                self.shared.turns.condition.notify_all()

    def _load(self, stream: Stream, blocks: list[int], head: int) -> int:
        """Read a stream into blocks chained before what is in memory; return the first block."""
        pool, spill = self.shared.pool, self.shared.spill
        assert spill is not None
        spill.read(stream, 0, [pool.block(block) for block in blocks], self.codec, 0)
        spill.release(stream)
        for block, following in zip(blocks, [*blocks[1:], head], strict=True):
            pool.links[block] = following
        return blocks[0]

    def _refine(self, level: Level, bucket: int, turn: int) -> None:
        """Split a bucket that does not fit by further key bits and write the pieces one after another."""
        shared = self.shared
        old = level.sets[0]
        low, width = old.low + (bucket << old.shift), 1 << old.shift
        bits = min(_SUB_BUCKETS.bit_length() - 1, old.shift)
        span = min(width - 1, old.low + old.span - low)
        spare = shared.free[: shared.pool.record_blocks + 64].tolist()
        target = BucketSet(shared.pool, 1 << bits, self.shared.key, low, span, old.shift - bits, shared.spill)
        target.give(shared.free[len(spare) :])
        del shared.free[:]
        for s in level.sets:
            move(s, bucket, target, spare, shared.spill)
        target.settle()
        shared.free.extend(target.take_free())
        shared.free.extend(spare)
        inner = Level.of([target], level.starts[bucket], level.offsets[bucket])
        for piece in range(inner.buckets):
            blocks = self._reserve(inner, piece, turn)
            if blocks is None:
                self._refine(inner, piece, turn)
            else:
                self._bucket(inner, piece, turn, blocks)

    def _deliver(self, chains: list[Chain], start: int, stop: int, turn: int) -> None:
        """Write the records of some chains, output positions `start` to `stop`."""
        ranges, lengths = [(0, _WORDS - 1)], self.lengths
        count = stop - start
        if count > self.shared.lists:
            parts = -(-count * 5 // (self.shared.lists * 4))
            ranges = [(i * _WORDS // parts, (i + 1) * _WORDS // parts - 1) for i in reversed(range(parts))]
        while ranges and start < self.shared.limit:
            least, greatest = ranges.pop()
            try:
                n = self._index_all(chains, least, greatest, lengths)
            except OverflowError:
                middle = (least + greatest) // 2
                ranges += [(middle + 1, greatest), (least, middle)]
                continue
            except LookupError:
                # A long record is among them: this bucket's records are all found through the pool.
                lengths = None
                ranges.append((least, greatest))
                continue
            self.shared.sort(self.words, self.ordered, self.numbers, n, *self.shared.key)
            start = self._copy(n, start, turn, lengths)
        self._flush(turn)

    def _index_all(self, chains: list[Chain], least: int, greatest: int, lengths: mmap | None) -> int:
        """List the records of chains in a range of key bits; return how many."""
        pool, n = self.shared.pool, 0
        for walk, records in chains:
            where = (pool.memory, pool.link_memory, pool.block_bytes, walk, records, least, greatest)
            if lengths is None:
                n = self.records.index_stream(*where, self.words, self.numbers, self.places, n)
            else:
                n = self.records.index_mapped(*where, self.words, self.numbers, self.places, lengths, n)
        return n

    def _gather(self, at: int, until: int, lengths: mmap | None) -> tuple[int, int, int, int, int]:
        """Copy records to the buffer; return what the kernel's gather does."""
        pool, room = self.shared.pool, (self.out, self.capacity, self.used)
        if lengths is None:
            where = (pool.memory, pool.link_memory, pool.block_bytes)
            copied: tuple[int, int, int, int, int] = self.records.gather(
                *where, self.ordered, self.places, at, until, *room
            )
            return copied
        return (*self.records.gather_mapped(self.ordered, self.places, lengths, at, until, *room), 0, 0)

    def _copy(self, n: int, position: int, turn: int, lengths: mmap | None) -> int:
        """Copy the ordered records to the output, cutting it where it has to be; return the position behind them."""
        shared, at = self.shared, 0
        stop = min(n, shared.limit - position)
        while at < stop:
            cut = bisect_right(shared.cuts, position)
            until = min(stop, at + shared.cuts[cut] - position) if cut < len(shared.cuts) else stop
            before, used = at, self.used
            at, self.used, checksum, place, length = self._gather(at, until, lengths)
            self.tally.add(at - before, self.used - used, checksum)
            position += at - before
            if length:
                self._flush(turn)
                self._long_record(place, length, turn)
            elif at < until:
                if before == at and not used:
                    raise AssertionError("a record is longer than the output buffer")
                self._flush(turn)
            if cut < len(shared.cuts) and position == shared.cuts[cut] and at == until:
                self._flush(turn)
                shared.turns.wait_for(turn)
                assert isinstance(shared.sink, ShardSink)
                # Shards without records share their cut with the next.
                for _ in range(bisect_right(shared.cuts, position) - cut):
                    shared.sink.cut()
        return position

    def _flush(self, turn: int) -> None:
        if self.used:
            self._write(self.view[: self.used], turn)
            self.used = 0

    def _write(self, data: memoryview, turn: int) -> None:
        if self.shared.file is not None:
            self.shared.file.write_at(self.position, data)
        else:
            self.shared.turns.wait_for(turn)
            self.shared.sink.write(data)
        self.position += len(data)

    def _long_record(self, place: int, length: int, turn: int) -> None:
        """Write a record that is kept outside the pool."""
        checksum = self.shared.long_records.copy(
            unpack_place(place), length, self.view, self.capacity, lambda data: self._write(data, turn)
        )
        self.tally.add(0, length, checksum)

"""Buckets to memory: blocks are set aside for what was spilled, and a bucket that does not fit is split."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import NamedTuple

from corpustools.files.ordered import Turns
from corpustools.stages.shuffle.bucket_range import BucketRange
from corpustools.stages.shuffle.pieces import SpillRun
from corpustools.stages.shuffle.pool import Pool
from corpustools.stages.shuffle.refine import Walk, split
from corpustools.stages.shuffle.spill import Spill


class Chain(NamedTuple):
    """A stream of records that is in memory: where its walk begins, and how many records it has."""

    walk: Walk
    records: int


class Loaded(NamedTuple):
    """Records that are in memory and next to each other in the output.

    Attributes:
        chains: one of each worker that distributed.
        start: the output position of the first record.
        stop: behind the last.
        offset: the first byte in the output.
    """

    chains: list[Chain]
    start: int
    stop: int
    offset: int


class FreeBlocks:
    """Free blocks of the pool, which several loaders take and give back.

    Who waits for whom: a loader sleeps until other loaders have given enough blocks back, or until it is its turn to
    write. Then nobody before it will give any more.

    Args:
        turns: the order in which buckets are written.
    """

    def __init__(self, turns: Turns) -> None:
        self._blocks: array[int] = array("I")
        self._turns = turns

    def take(self, needed: int, turn: int) -> array[int] | None:
        """Return so many blocks; None where there are not as many and it is this turn.

        Raises:
            Stopped: another thread has failed.
        """
        with self._turns.condition:
            self._turns.wait_until(lambda: len(self._blocks) >= needed or self._turns.current == turn)
            if len(self._blocks) < needed:
                return None
            taken = self._blocks[-needed:]
            del self._blocks[-needed:]
            return taken

    def take_all(self) -> list[int]:
        """Return all free blocks."""
        with self._turns.condition:
            taken = self._blocks.tolist()
            del self._blocks[:]
            return taken

    def give(self, blocks: array[int]) -> None:
        """Add free blocks."""
        with self._turns.condition:
            self._blocks.extend(blocks)
            self._turns.condition.notify_all()


class Loader:
    """Loads buckets for one thread.

    Args:
        pool: where the blocks are.
        free: blocks that are free, shared by all loaders.
        spill: where blocks were spilled to, or None.
    """

    def __init__(self, pool: Pool, free: FreeBlocks, spill: Spill | None) -> None:
        self._pool, self._free, self._spill = pool, free, spill

    def reserve(self, buckets: BucketRange, bucket: int, turn: int) -> array[int] | None:
        """Return free blocks for what of a bucket is on disk; None where it does not fit and has to be split."""
        needed = sum(one.runs[bucket].blocks for one in buckets.sets if bucket in one.runs)
        return self._free.take(needed, turn) if needed else array("I")

    def look_ahead(self, buckets: BucketRange, bucket: int) -> None:
        """Tell the system that a bucket is read next."""
        if self._spill is not None and bucket < buckets.buckets:
            for one in buckets.sets:
                if bucket in one.runs:
                    self._spill.expect(one.runs[bucket])

    def load(self, buckets: BucketRange, bucket: int, blocks: array[int]) -> Iterator[Loaded]:
        """Give a bucket's records; its blocks are free again once the next ones are asked for.

        Args:
            buckets: where the bucket is.
            bucket: its number.
            blocks: what `reserve` returned.
        """
        chains = []
        for one in buckets.sets:
            count, head = one.table.count(bucket), one.table.head(bucket)
            if not count:
                continue
            run = one.runs.pop(bucket, None)
            if run is not None:
                mine, blocks = blocks[: run.blocks], blocks[run.blocks :]
                head = self._read(run, mine.tolist(), head)
            chains.append(Chain((head, 0, one.table.stream_bytes(bucket), 0), count))
        yield Loaded(chains, buckets.starts[bucket], buckets.starts[bucket + 1], buckets.offsets[bucket])
        if self._spill is not None:
            self._free.give(array("I", [block for chain in chains for block in self._pool.chain(chain.walk[0])]))

    def load_split(self, buckets: BucketRange, bucket: int, turn: int) -> Iterator[Loaded]:
        """Give the records of a bucket that does not fit, part by part of its keys.

        All free memory is used: it has to be the bucket's turn, and nobody may reserve meanwhile.
        """
        free = self._free.take_all()
        reading = self._pool.record_blocks + 64
        spare, free = free[:reading], free[reading:]
        target = split(buckets.sets, bucket, spare, free)
        self._free.give(target.take_free() + array("I", spare))
        parts = BucketRange.of([target], buckets.starts[bucket], buckets.offsets[bucket])
        for part in range(parts.buckets):
            blocks = self.reserve(parts, part, turn)
            if blocks is None:
                yield from self.load_split(parts, part, turn)
            else:
                yield from self.load(parts, part, blocks)

    def _read(self, run: SpillRun, blocks: list[int], head: int) -> int:
        """Read a run into blocks chained before what is in memory; return the first block."""
        assert self._spill is not None
        self._spill.read(run, 0, blocks, 0)
        self._spill.release(run)
        for block, following in zip(blocks, [*blocks[1:], head], strict=True):
            self._pool.links[block] = following
        return blocks[0]

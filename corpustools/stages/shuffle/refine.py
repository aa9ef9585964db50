"""Splitting a bucket by the next bits of the keys: for buckets that are larger than the memory."""

from __future__ import annotations

import itertools
from array import array

from corpustools.stages.shuffle.buckets import COUNT, HEAD, ROW, STREAM, BucketSet, Pool
from corpustools.stages.shuffle.spill import Spill


def move(source: BucketSet, bucket: int, target: BucketSet, spare: list[int], spill: Spill | None) -> None:
    """Move a bucket of one set into the buckets of another, through the pool they share.

    Args:
        source: the set; its bucket is empty afterwards.
        bucket: the bucket's number in source.
        target: a set that covers the bucket's keys.
        spare: free blocks to read spilled ones into, more than the longest record touches; they are free again
            afterwards.
        spill: where source has spilled to.
    """
    pool = target.pool
    row = source.row(bucket)
    stream = source.streams.pop(bucket, None)
    on_disk = stream.blocks if stream is not None else 0
    resident = pool.chain(row[HEAD])
    left, read, at = row[COUNT], 0, 0
    # Blocks of the walk, oldest first; those read from disk come from spare and go back there.
    order: list[int] = []
    borrowed = set(spare)
    walk = (0, 0, 0, 0)
    while left:
        added = 0
        if read < on_disk:
            assert stream is not None
            assert spill is not None
            n = min(len(spare), on_disk - read)
            blocks, spare[:] = spare[:n], spare[n:]
            at = spill.read(stream, read, [pool.block(block) for block in blocks], target.codec, at)
            read += n
            added = n * pool.block_bytes
        else:
            blocks, resident = resident, []
            added = row[STREAM] - on_disk * pool.block_bytes
        _chain(pool, order, blocks)
        walk = (walk[0] if order else blocks[0], walk[1], walk[2] + added, walk[3])
        order += blocks
        left, walk = _pour(target, walk, left)
        while order and order[0] != walk[0]:
            _return(order.pop(0), borrowed, spare, target)
    for block in order + resident:
        _return(block, borrowed, spare, target)
    if stream is not None and spill is not None:
        spill.release(stream)
    none = pool.records.NO_BLOCK
    source.table[ROW * bucket : ROW * (bucket + 1)] = memoryview(array("Q", [0, 0, 0, 0, 0, 0, none, none]))


def _pour(target: BucketSet, walk: tuple[int, int, int, int], left: int) -> tuple[int, tuple[int, int, int, int]]:
    """Redistribute what is in memory; return the records left and where the walk stands."""
    while True:
        status, walk, left = target.kernel.redistribute(walk, left)
        if status < 0:
            raise AssertionError("a chain of blocks is torn")
        if status == 0:
            return left, walk
        target.make_room()


def _chain(pool: Pool, order: list[int], blocks: list[int]) -> None:
    """Link blocks behind those of the walk."""
    everything = order[-1:] + blocks
    for block, following in itertools.pairwise(everything):
        pool.links[block] = following
    pool.links[everything[-1]] = pool.records.NO_BLOCK


def _return(block: int, borrowed: set[int], spare: list[int], target: BucketSet) -> None:
    if block in borrowed:
        spare.append(block)
    else:
        target.give([block])

"""Splitting buckets by the next bits of the keys: one that is larger than the memory, or few that are too coarse."""

from __future__ import annotations

import itertools
from array import array

from corpustools.kernels.records.layout import NO_BLOCK
from corpustools.kernels.records.status import Status
from corpustools.stages.shuffle.buckets import BucketSet
from corpustools.stages.shuffle.order import KeyRange
from corpustools.stages.shuffle.pool import Pool

# A bucket is split into 2^6 at a time.
_BITS = 6
# When some buckets were dropped, the rest is made finer once no more than this many are still wanted.
_COARSE = 8

Walk = tuple[int, int, int, int]


def split(sets: list[BucketSet], bucket: int, spare: list[int], free: list[int]) -> BucketSet:
    """Move a bucket of several sets into finer buckets of one new set, which may spill.

    Args:
        sets: of equal ranges; the bucket is empty in all of them afterwards.
        bucket: its number.
        spare: free blocks to read spilled ones into, more than the longest record touches; they are free again
            afterwards.
        free: all other free blocks; the new set takes them.
    """
    old = sets[0]
    low, width = old.covered.low + (bucket << old.shift), 1 << old.shift
    bits = min(_BITS, old.shift)
    span = min(width - 1, old.covered.low + old.covered.span - low)
    target = BucketSet(old.pool, 1 << bits, old.keys, KeyRange(low, span), old.shift - bits, old.spill)
    target.give(free)
    for one in sets:
        move(one, bucket, target, spare)
    target.settle()
    return target


def made_finer(old: BucketSet) -> BucketSet:
    """Spread few coarse buckets over many, so that more of what is not wanted can be dropped.

    Returns the set that has the records now: a new one, or `old` itself where it is fine enough or has spilled.
    """
    few = old.dropped_from <= _COARSE and old.dropped_from < old.buckets
    if not few or old.shift < _BITS or old.resident == 0 or old.runs:
        return old
    new = BucketSet(
        old.pool,
        old.dropped_from << _BITS,
        old.keys,
        old.covered,
        old.shift - _BITS,
        old.spill,
        drop_beyond=old.drop_beyond,
        check_skipped=old.check_skipped,
        takes_over=[old],
    )
    _move_all([old], new)
    return new


def alike(sets: list[BucketSet]) -> list[BucketSet]:
    """Return sets of equally fine buckets: the same ones, or one that has all records which are still wanted."""
    if len({one.shift for one in sets}) == 1:
        return sets
    finest = min(sets, key=lambda one: one.shift)
    covered = min((one.covered for one in sets), key=lambda range_: range_.span)
    new = BucketSet(
        finest.pool,
        (covered.span >> finest.shift) + 1,
        finest.keys,
        covered,
        finest.shift,
        finest.spill,
        drop_beyond=finest.drop_beyond,
        check_skipped=finest.check_skipped,
        takes_over=sets,
    )
    _move_all(sets, new)
    return [new]


def _move_all(sets: list[BucketSet], new: BucketSet) -> None:
    """Move what sets still want to a new one, with all free blocks."""
    free = array("I", [block for one in sets for block in one.take_free()])
    reading = 2 * new.pool.record_blocks
    new.give(free[reading:])
    spare = free[:reading].tolist()
    for one in sets:
        for bucket in range(one.dropped_from):
            move(one, bucket, new, spare)
    new.give(spare)


def move(source: BucketSet, bucket: int, target: BucketSet, spare: list[int]) -> None:
    """Move a bucket of one set into the buckets of another, through the pool they share.

    Args:
        source: the set; its bucket is empty afterwards.
        bucket: the bucket's number in source.
        target: a set that covers the bucket's keys.
        spare: see `split`.
    """
    pool, spill = target.pool, source.spill
    run = source.runs.pop(bucket, None)
    on_disk = run.blocks if run is not None else 0
    resident = pool.chain(source.table.head(bucket))
    left, read, at = source.table.count(bucket), 0, 0
    # Blocks of the walk, oldest first; those read from disk come from spare and go back there.
    order: list[int] = []
    borrowed = set(spare)
    walk = (0, 0, 0, 0)
    while left:
        if run is not None and spill is not None and read < on_disk:
            n = min(len(spare), on_disk - read)
            blocks, spare[:] = spare[:n], spare[n:]
            at = spill.read(run, read, blocks, at)
            read += n
            added = n * pool.block_bytes
        else:
            blocks, resident = resident, []
            added = source.table.stream_bytes(bucket) - on_disk * pool.block_bytes
        _chain(pool, order, blocks)
        walk = (walk[0] if order else blocks[0], walk[1], walk[2] + added, walk[3])
        order += blocks
        left, walk = _pour(target, walk, left)
        while order and order[0] != walk[0]:
            _return(order.pop(0), borrowed, spare, target)
    for block in order + resident:
        _return(block, borrowed, spare, target)
    if run is not None and spill is not None:
        spill.release(run)
    source.table.clear(bucket)


def _pour(target: BucketSet, walk: Walk, left: int) -> tuple[int, Walk]:
    """Redistribute what is in memory; return the records left and where the walk stands."""
    while True:
        status, walk, left = target.kernel.redistribute(walk, left)
        if status == Status.DONE:
            return left, walk
        target.make_room()


def _chain(pool: Pool, order: list[int], blocks: list[int]) -> None:
    """Link blocks behind those of the walk."""
    everything = order[-1:] + blocks
    for block, following in itertools.pairwise(everything):
        pool.links[block] = following
    pool.links[everything[-1]] = NO_BLOCK


def _return(block: int, borrowed: set[int], spare: list[int], target: BucketSet) -> None:
    if block in borrowed:
        spare.append(block)
    else:
        target.give([block])

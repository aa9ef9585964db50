"""Who gets how much of the memory: laid out before the first byte is read, arithmetic only."""

from __future__ import annotations

from dataclasses import dataclass

from corpustools.errors import UsageError

MIB = 1 << 20
MEMORY_FLOOR = 64 * MIB
# What the interpreter's own heap, the threads' stacks and the libraries' buffers may still grow by.
RESERVE = 5 * MIB
# Bytes of lists per record while a bucket is put in order: two words to sort, a number, a place, a length.
LIST_BYTES = 40
_BUCKET_ROW = 64
_CACHED_BUCKET = 4 * MIB
# Of mapped records the pool holds some 16 bytes each: short blocks, so that little memory is begun in vain.
_MAPPED_BLOCK = 16 << 10
# Their bytes are fetched in any case: a bucket is as much as is written at once.
_MAPPED_BUCKET = 2 * MIB


@dataclass(frozen=True)
class Plan:
    """The layout of the memory; every size in bytes.

    Attributes:
        memory: the bound on the whole process.
        workers: threads that distribute and gather.
        buckets: virtual buckets, a power of two.
        block: bytes of a block of the pool, a power of two.
        blocks: blocks in the pool.
        chunk: bytes read at a time.
        buffer: a worker's chunk or output buffer: no record in the pool is longer.
        lists: records that a worker puts in order at a time.
        decoder: what a decoder of a compressed input may allocate.
        fixed: the process before any of this, and what is held back.
        expected: decoded bytes of input, as far as they are known.
        mapped: bytes of input that are mapped and stay where they are, or 0.
    """

    memory: int
    workers: int
    buckets: int
    block: int
    blocks: int
    chunk: int
    buffer: int
    lists: int
    decoder: int
    fixed: int
    expected: int | None
    mapped: int

    @property
    def record_blocks(self) -> int:
        """Blocks that the longest record in the pool may touch."""
        return self.buffer // self.block + 3

    @property
    def pool(self) -> int:
        """Bytes of the pool."""
        return self.block * self.blocks

    def table(self) -> list[tuple[str, int]]:
        """Return who gets what, in the order of the budget."""
        return [
            ("process and reserve", self.fixed),
            ("decoders", self.decoder),
            ("mapped inputs", self.mapped),
            (f"buffers ({self.workers} x {self.buffer})", self.workers * self.buffer),
            (f"lists ({self.workers} x {self.lists} records)", self.workers * self.lists * LIST_BYTES),
            ("tables", tables_bytes(self.workers, self.buckets, self.blocks)),
            (f"pool ({self.blocks} blocks of {self.block})", self.pool),
        ]


def tables_bytes(workers: int, buckets: int, blocks: int) -> int:
    """Return the bytes of bucket rows, links and stacks of free blocks."""
    return workers * buckets * _BUCKET_ROW + (2 + workers) * 4 * blocks


def make_plan(
    memory: int, workers: int, expected: int | None, exact: bool, fixed: int, decoder: int, mapped: int = 0
) -> Plan:
    """Lay out `memory` for `workers` threads and an input of about `expected` decoded bytes.

    Args:
        memory: the bound on the whole process.
        workers: at least 1; fewer are planned where the memory is too small for so many.
        expected: decoded bytes of input, None where nothing is known.
        exact: whether that is a bound and not a guess.
        fixed: what the process holds already.
        decoder: what the decoders of compressed inputs may allocate.
        mapped: bytes of input that are mapped.

    Raises:
        UsageError: the memory is below the floor, or too small for what is fixed.
    """
    if memory < MEMORY_FLOOR:
        raise UsageError(f"--memory of {memory} bytes is too small", f"the least is {MEMORY_FLOOR // MIB}MiB")
    fixed += RESERVE
    usable = memory - fixed - decoder - mapped
    if usable < 16 * MIB:
        raise UsageError(
            f"--memory of {memory} bytes leaves {max(usable, 0)} for records beside {fixed + decoder} for the process",
            "give more memory",
        )
    # A buffer and its lists should not eat the pool; a worker costs about a 16th of the memory.
    workers = max(1, min(workers, usable // (8 * MIB)))
    buffer = _power_of_two(usable // (32 * workers), 256 << 10, 4 * MIB)
    lists = min(usable // (16 * workers), 256 * MIB) // LIST_BYTES
    pool = usable - workers * (buffer + 4096 + lists * LIST_BYTES)
    buckets = (
        _bucket_count(pool, workers, expected) if not mapped else _power_of_two(mapped // _MAPPED_BUCKET, 2, 1 << 13)
    )
    # All open blocks together take at most an eighth of the pool; larger blocks make longer reads and writes.
    block = _power_of_two(pool // (8 * workers * buckets), 4096, _MAPPED_BLOCK if mapped else 64 << 10)
    while buckets > 64 and workers * buckets * block > pool // 4:
        buckets //= 2
    blocks = (pool - tables_bytes(workers, buckets, pool // block)) // block - 1
    if expected is not None and exact:
        # A small input needs no large tables. A record of one byte takes at most 10 with its header; each stream ends
        # in a partly filled block.
        most = 10 * expected // block + 2 * workers * buckets + workers * (4 * buffer // block + 256)
        blocks = min(blocks, max(most, 1))
    chunk = min(buffer, MIB // 2)
    return Plan(
        memory=memory,
        workers=workers,
        buckets=buckets,
        block=block,
        blocks=blocks,
        chunk=chunk,
        buffer=buffer,
        lists=lists,
        decoder=decoder,
        fixed=fixed,
        expected=expected,
        mapped=mapped,
    )


def _bucket_count(pool: int, workers: int, expected: int | None) -> int:
    """Return a power of two: few buckets are faster to fill, smaller ones to put in order."""
    if expected is None:
        return 1024 if pool > 2048 * MIB else 512 if pool > 128 * MIB else 256
    if expected < pool // 2:
        return _power_of_two(expected // _CACHED_BUCKET + 1, 2, 1 << 13)
    # Blocks of less than 32 KiB make slow writes.
    most = _power_of_two(pool // (8 * workers * (32 << 10)), 256, 1 << 13)
    return min(most, _power_of_two(expected // _CACHED_BUCKET, 256, most))


def _power_of_two(value: int, least: int, most: int) -> int:
    """Return the largest power of two that is at most `value`, within the bounds."""
    value = max(least, min(value, most))
    return int(1 << (int(value).bit_length() - 1))

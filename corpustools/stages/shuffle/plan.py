"""Who gets how much of the memory: laid out before the first byte is read, arithmetic only."""

from __future__ import annotations

from typing import NamedTuple

from corpustools import kernels
from corpustools.errors import UsageError
from corpustools.files.compression import output_codec
from corpustools.files.compressors import KEPT_BYTES, compressor_bytes
from corpustools.files.decoding import NOT_AHEAD, DecodeAhead, decode_ahead
from corpustools.files.mapped import mean_record
from corpustools.machine import resident
from corpustools.stages.shuffle.codecs import codec_bytes
from corpustools.stages.shuffle.pieces import WIDEST, piece_bytes, table_bytes
from corpustools.stages.shuffle.request import ShuffleRequest

MIB = 1 << 20
MEMORY_FLOOR = 64 * MIB
# What the interpreter's own heap, the threads' stacks and the libraries' buffers may still grow by.
RESERVE = 5 * MIB
# Bytes of lists per record while a bucket is put in order: two words to sort, a number, and where it is.
LIST_BYTES = 40
_BUCKET_ROW = 64
# Of mapped records the pool holds some 16 bytes each: short blocks, so that little memory is begun in vain.
_MAPPED_BLOCK = 16 << 10
# A bucket that is put in order should stay in the processor's caches with its lists: so much of both together.
_CACHED_BUCKET = 3 * MIB // 2
# Of a bucket that is spilled, larger ones are read faster.
_SPILLED_BUCKET = 4 * MIB
# What the pool holds beside a record's bytes, and what is taken for a record's bytes where nothing is known of them.
_HEADER, _MEAN_RECORD = 12, 64
# An address and its header take as much memory and time as so many bytes.
_WORTH_MAPPING = 32
# A head of the order is short if this part of the pool holds each of its records.
_FEW = 64 << 10
# Room for a block of 64 KiB, a frame's head and what direct writing rounds up to.
_LEAST_PARCEL = 128 << 10
# With less memory one thread more would take too much of it.
_AHEAD = 64 * MIB


class Plan(NamedTuple):
    """The layout of the memory; every size in bytes.

    Attributes:
        memory: the bound on the whole process.
        workers: threads that distribute and gather.
        buckets: of each worker, a power of two.
        block: bytes of a block of the pool, a power of two.
        blocks: blocks in the pool.
        chunk: bytes read at a time.
        buffer: a worker's chunk or output buffer: no record in the pool is longer.
        lists: records that a worker puts in order at a time.
        decoder: what a decoder of a compressed input may allocate.
        decode: how many compressed inputs are decoded at a time, and how far ahead.
        fixed: the process before any of this, and what is held back.
        expected: decoded bytes of input, as far as they are known.
        mapped: bytes of input that are mapped, or 0.
        holds_all: whether the pool takes the mapped records too.
        direct: whether the page cache is spared: auto, yes or no.
        ahead: threads more that gather, so that one reads temporary data while the others work.
        parcel: what a thread packs temporary data into, or 0 where they are raw.
        codec: tables and contexts of a thread for that.
        pieces: what is noted of the pieces that are spilled.
        buffers: how many there are: a second one for each thread that gathers, where outputs may be written directly.
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
    decode: DecodeAhead
    fixed: int
    expected: int | None
    mapped: int
    holds_all: bool
    direct: str
    ahead: int
    parcel: int = 0
    codec: int = 0
    pieces: int = 0
    buffers: int = 0

    @property
    def gatherers(self) -> int:
        """Threads that gather; `workers` of them work at a time."""
        return self.workers + self.ahead

    @property
    def spares_cache(self) -> bool:
        """Whether temporary data is kept out of the page cache."""
        return self.direct != "no"

    @property
    def piece(self) -> int:
        """Bytes of blocks that are spilled at once; each worker has two pieces on their way to disk."""
        return piece_bytes(self.pool, self.workers)

    @property
    def width(self) -> int:
        """How many buckets, next to each other, have shares of a piece: so many that most pieces are full.

        About half of the pool waits to be spilled, and of the groups of so many buckets the longest is taken.
        """
        return min(WIDEST, max(1, self.buckets * self.workers * self.piece // self.pool))

    @property
    def few_records(self) -> int:
        """Records of which each worker may keep so many: they take a small part of the pool."""
        return self.pool // _FEW

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
            ("decoders", self.decode.all_bytes(self.decoder)),
            ("mapped inputs", self.mapped),
            (f"buffers ({self.buffers} x {self.buffer})", self.buffers * self.buffer),
            (f"lists ({self.gatherers} x {self.lists} records)", self.gatherers * self.lists * LIST_BYTES),
            (f"packing ({self.gatherers} x {self.parcel + self.codec})", self.gatherers * (self.parcel + self.codec)),
            ("tables", tables_bytes(self.workers, self.buckets, self.blocks) + self.pieces),
            (f"pool ({self.blocks} blocks of {self.block})", self.pool),
        ]


def plan_shuffle(request: ShuffleRequest) -> Plan:
    """Lay out the memory for a request.

    Raises:
        UsageError: the memory is too small.
    """
    _load_codecs(request)
    # A pipe may turn out to be compressed.
    decodes = any(one.codec or not one.seekable for one in request.inputs)
    decoder = max(10 * MIB, min(request.memory // 8, 128 * MIB)) if decodes else 0
    # A long zstd window is had where half of the memory holds it.
    decoder = max([decoder] + [one.window for one in request.inputs if one.window <= request.memory // 2])
    workers, encoders = request.workers, 0
    codecs = {codec for path in request.output_paths if (codec := output_codec(path))}
    if codecs:
        # Fewer encoders where they would leave nothing for records. One output is written at a time.
        workers = min(workers, max(1, request.memory // (32 * MIB) - 1))
        encoders = max(compressor_bytes(codec, workers) for codec in codecs) + (KEPT_BYTES if request.resume else 0)
    expected = None if request.head_count is not None else request.expected
    mean = _mean_record(request)
    fixed, mapped = resident() + encoders, _mappable_bytes(request, mean)
    if mapped * 5 // 4 + fixed + 64 * MIB > request.memory:
        mapped = 0
    spill = "raw" if request.no_temp else request.spill
    decode = decode_ahead(request.inputs, request.memory, workers, decoder)
    return make_plan(
        request.memory, workers, expected, request.exact, fixed, decoder, mapped, request.direct, spill, decode, mean
    )


def _mean_record(request: ShuffleRequest) -> int:
    """Return about how many bytes a record has, as far as that is seen without decoding."""
    if request.form.record_bytes or not request.exact or not request.inputs:
        return request.form.record_bytes or _MEAN_RECORD
    return mean_record(request.inputs[0], request.form) or _MEAN_RECORD


def _mappable_bytes(request: ShuffleRequest, mean: int) -> int:
    """Return the bytes of input if it pays to leave them where they are: plain files, no tiny records."""
    if not request.exact or request.head_count is not None or request.part is not None:
        return 0
    if not kernels.load("records").MAPS or request.direct == "yes":
        return 0
    return (request.expected or 0) if mean >= _WORTH_MAPPING else 0


def _load_codecs(request: ShuffleRequest) -> None:
    """Import now what would otherwise grow the process behind the plan's back."""
    if any(one.codec == "zst" or not one.seekable for one in request.inputs) or request.spill in ("auto", "zstd"):
        import zstandard  # noqa: F401


def tables_bytes(workers: int, buckets: int, blocks: int) -> int:
    """Return the bytes of bucket rows, links and stacks of free blocks."""
    return workers * buckets * _BUCKET_ROW + (2 + workers) * 4 * blocks


def make_plan(
    memory: int,
    workers: int,
    expected: int | None,
    exact: bool,
    fixed: int,
    decoder: int,
    mapped: int = 0,
    direct: str = "auto",
    spill: str = "auto",
    decode: DecodeAhead = NOT_AHEAD,
    mean: int = _MEAN_RECORD,
) -> Plan:
    """Lay out `memory` for `workers` threads and an input of about `expected` decoded bytes.

    Args:
        memory: the bound on the whole process.
        workers: at least 1; fewer are planned where the memory is too small for so many.
        expected: decoded bytes of input, None where nothing is known.
        exact: whether that is a bound and not a guess.
        fixed: what the process holds already.
        decoder: what the decoder of a compressed input may allocate.
        mapped: bytes of input that are mapped.
        direct: whether the page cache is spared: auto, yes or no.
        spill: how temporary data is kept: auto, raw, lz4 or zstd.
        decode: how many compressed inputs are decoded at a time.
        mean: about how many bytes a record has.

    Raises:
        UsageError: the memory is below the floor, or too small for what is fixed.
    """
    fixed += RESERVE
    usable = _usable(memory, fixed, decode.all_bytes(decoder), mapped)
    # A buffer and its lists should not eat the pool; a worker costs about a 16th of the memory.
    workers = max(1, min(workers, usable // (8 * MIB)))
    buffer = _power_of_two(usable // (32 * workers), 256 << 10, 4 * MIB)
    lists = min(usable // (16 * workers), 256 * MIB) // LIST_BYTES
    spills = not mapped and (expected is None or not exact or expected > usable * 9 // 10)
    # What is read directly is not read ahead by the system.
    ahead = 1 if spills and direct != "no" and usable >= _AHEAD else 0
    parcel = 0 if spill == "raw" else _power_of_two(usable // (64 * workers), _LEAST_PARCEL, MIB)
    codec = codec_bytes(spill)
    buffers = 2 if (spills or mapped) and direct != "no" else 1
    pool = usable - (workers + ahead) * (buffers * (buffer + 8192) + lists * LIST_BYTES + parcel + codec)
    pieces = table_bytes(pool, workers, expected) if spills else 0
    pool -= pieces
    buckets, block = _division(pool, workers, expected, mapped, mean)
    blocks = (pool - tables_bytes(workers, buckets, pool // block)) // block - 1
    if expected is not None and exact:
        # A small input needs no large tables. A record of one byte takes at most 10 with its header; each run of blocks
        # ends in a partly filled one.
        most = 10 * expected // block + 2 * workers * buckets + workers * (4 * buffer // block + 256)
        blocks = min(blocks, max(most, 1))
    holds_all = mapped * (mean + _HEADER) // mean + 2 * workers * buckets * block < blocks * block
    # fmt: off
    return Plan(
        memory, workers, buckets, block, blocks, min(buffer, MIB // 2), buffer, lists, decoder, decode, fixed, expected,
        mapped, mapped > 0 and holds_all, direct, ahead, parcel, codec, pieces, buffers * (workers + ahead),
    )
    # fmt: on


def _division(pool: int, workers: int, expected: int | None, mapped: int, mean: int) -> tuple[int, int]:
    """Return how many buckets share a pool, and the bytes of its blocks."""
    buckets = _bucket_count(pool, workers, expected, mapped, _CACHED_BUCKET * mean // (mean + _HEADER + LIST_BYTES))
    # All open blocks together take at most an eighth of the pool; larger blocks make longer reads and writes.
    block = _power_of_two(pool // (8 * workers * buckets), 4096, _MAPPED_BLOCK if mapped else 64 << 10)
    while buckets > 64 and workers * buckets * block > pool // 4:
        buckets //= 2
    return buckets, block


def _usable(memory: int, fixed: int, decoder: int, mapped: int) -> int:
    """Return the bytes that are left for records and what belongs to them."""
    if memory < MEMORY_FLOOR:
        raise UsageError(f"a memory of {memory} bytes is too small", f"the least is {MEMORY_FLOOR // MIB}MiB")
    usable = memory - fixed - decoder - mapped
    if usable < 16 * MIB:
        raise UsageError(
            f"a memory of {memory} bytes leaves {max(usable, 0)} for records beside {fixed + decoder} for the process",
            "give more memory",
        )
    return usable


def _bucket_count(pool: int, workers: int, expected: int | None, mapped: int, cached: int) -> int:
    """Return a power of two: few buckets are faster to fill, smaller ones of `cached` bytes faster to put in order."""
    if expected is None:
        return 1024 if pool > 2048 * MIB else 512 if pool > 128 * MIB else 256
    if mapped or expected < pool // 2:
        return _power_of_two(expected // cached + 1, 2, 1 << 13)
    # Blocks of less than 32 KiB make slow writes.
    most = _power_of_two(pool // (8 * workers * (32 << 10)), 256, 1 << 13)
    return min(most, _power_of_two(expected // _SPILLED_BUCKET, 256, most))


def _power_of_two(value: int, least: int, most: int) -> int:
    """Return the largest power of two that is at most `value`, within the bounds."""
    value = max(least, min(value, most))
    return int(1 << (int(value).bit_length() - 1))

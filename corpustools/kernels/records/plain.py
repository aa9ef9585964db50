"""Records in a pool of blocks, in plain Python: the twin of compiled.pyx, byte for byte (layout: records.h)."""

from __future__ import annotations

from array import array
from typing import Any

from corpustools.kernels.order import plain as order_plain
from corpustools.kernels.records.layout import (
    COUNT,
    CURSOR,
    HEAD,
    LAST,
    NO_BLOCK,
    OPEN,
    ROOM,
    ROW_BYTES,
    SIZE,
    SLACK,
    STREAM,
    BucketTable,
)
from corpustools.kernels.records.plain_streams import (
    EndOfStream,
    StreamReader,
    Walk,
    body_bytes,
    check_span,
    checksum,
    checksum_of,
    count_delimiters,
    gather,
    index_stream,
    last_end,
    varint,
)
from corpustools.kernels.records.status import Status, Torn, Truncated

__all__ = [
    "MAPS",
    "NO_BLOCK",
    "SLACK",
    "STATUSES",
    "Scatter",
    "Torn",
    "Truncated",
    "checksum",
    "count_delimiters",
    "gather",
    "guard",
    "index_stream",
    "last_end",
]

# An address means nothing here: records are always copied.
MAPS = False
STATUSES = {status.name: status.value for status in Status}
_MAX_HEADER = 24
_U64 = (1 << 64) - 1


def guard() -> None:
    """Nothing is mapped, so there is nothing to guard."""


def _key_bits(key: int, shift: int) -> bytes:
    bits = key >> (shift - 32) if shift >= 32 else key << (32 - shift)
    return (bits & 0xFFFFFFFF).to_bytes(4, "little")


class Blocks:
    """The streams of buckets in a pool of blocks; see Scatter in compiled.pyx for the arguments."""

    def __init__(self, pool: Any, links: Any, table: Any, free: Any, full: Any, block_bytes: int) -> None:
        if block_bytes < 256 or block_bytes & (block_bytes - 1):
            raise ValueError(f"{block_bytes} bytes a block: need a power of two from 256")
        self._pool = memoryview(pool).cast("B")
        self._links, self._free, self._full = (memoryview(one).cast("B").cast("I") for one in (links, free, full))
        if memoryview(table).nbytes < ROW_BYTES:
            raise ValueError("a table without buckets")
        self._table = BucketTable(table)
        self.blocks = max(0, len(self._pool) - SLACK) // block_bytes
        self.bucket_count = self._table.buckets
        if min(len(self._links), len(self._free)) < self.blocks:
            raise ValueError("the tables are too small for the pool")
        self._block_bytes = block_bytes
        self.free_count = self.full_count = 0
        self.resident = self.bucket_count
        for bucket in range(self.bucket_count):
            self._table.clear(bucket)

    def spill_from(self, bucket: int) -> None:
        """Put this bucket and those above it on the full list, block by block, as their blocks fill."""
        if not 0 <= bucket <= self.resident:
            raise ValueError("a bucket that is spilled stays spilled")
        self.resident = bucket

    def give(self, blocks: Any) -> None:
        """Push blocks (u32) on the free stack."""
        numbers = memoryview(blocks).cast("B").cast("I")
        if any(number >= self.blocks for number in numbers) or len(numbers) > self.blocks - self.free_count:
            raise ValueError("blocks that are not of this pool, or more than it has")
        self._free[self.free_count : self.free_count + len(numbers)] = numbers
        self.free_count += len(numbers)

    def take_free(self) -> bytes:
        """Empty the free stack; return its blocks (u32), the last given at the end."""
        blocks = self._free[: self.free_count].tobytes()
        self.free_count = 0
        return blocks

    def take_full(self) -> bytes:
        """Empty the full list; return its pairs (bucket, block), two u32 each, oldest first."""
        pairs = self._full[: 2 * self.full_count].tobytes()
        self.full_count = 0
        return pairs

    def _fits(self, size: int) -> bool:
        blocks = size // self._block_bytes + 2
        return blocks <= self.free_count and self.full_count + blocks <= len(self._full) // 2

    def _append(self, bucket: int, data: bytes) -> None:
        """Put bytes at the end of a bucket's stream, for which there are blocks."""
        row = self._table.row(bucket)
        row[STREAM] += len(data)
        while data:
            if not row[ROOM]:
                self._open_block(bucket, row)
            piece = data[: row[ROOM]]
            self._pool[row[CURSOR] : row[CURSOR] + len(piece)] = piece
            row[CURSOR] += len(piece)
            row[ROOM] -= len(piece)
            data = data[len(piece) :]

    def _open_block(self, bucket: int, row: memoryview[int]) -> None:
        self.free_count -= 1
        block = self._free[self.free_count]
        self._links[block] = NO_BLOCK
        if row[OPEN] == NO_BLOCK:
            row[HEAD] = block
        elif bucket >= self.resident:
            self._full[2 * self.full_count] = bucket
            self._full[2 * self.full_count + 1] = row[OPEN]
            self.full_count += 1
            row[HEAD] = block
        else:
            self._links[row[OPEN]] = block
        row[OPEN] = block
        row[CURSOR] = block * self._block_bytes
        row[ROOM] = self._block_bytes


class Scatter(Blocks):
    """Distributes records to the buckets of one worker; see compiled.pyx for the arguments."""

    def __init__(
        self,
        pool: Any,
        links: Any,
        table: Any,
        free: Any,
        full: Any,
        block_bytes: int,
        k0: int,
        k1: int,
        mask: int,
        *,
        check_skipped: bool = False,
    ) -> None:
        super().__init__(pool, links, table, free, full, block_bytes)
        self._key, self._mask, self._check_skipped = (k0, k1), mask, check_skipped
        self.checksum = self.skipped = 0
        self._low = self._range = self._shift = 0
        self._words, self._first = array("Q", bytes(32 * 512)), -512

    def cover(self, low: int, span: int, shift: int) -> None:
        """Take keys from low to low + span, 2^shift of them a bucket."""
        if not 0 <= shift <= 63 or span >> shift >= self.bucket_count:
            raise ValueError(f"a span of {span} in buckets of 2^{shift} needs more than {self.bucket_count}")
        self._low, self._range, self._shift = low, span, shift

    def run(
        self,
        data: Any,
        start: int,
        stop: int,
        number: int,
        delimiter: int,
        record_bytes: int,
        mapped: bool = False,
    ) -> tuple[int, int]:
        """Distribute the whole records in data[start:stop]; return (where it stopped, next record number)."""
        check_span(data, start, stop)
        if mapped:
            raise ValueError("nothing can stay mapped here")
        text = bytes(memoryview(data)[start:stop])
        at = 0
        while at < len(text):
            end = at + record_bytes if record_bytes else text.find(delimiter, at) + 1
            if end <= at or end > len(text):
                break
            record = text[at:end]
            key = self._place(number)
            if key > self._range:
                if self._check_skipped:
                    self.skipped = (self.skipped + checksum_of(record)) & _U64
            else:
                if not self._fits(len(record) + _MAX_HEADER):
                    break
                self._enter(number, key, 2 * len(record), len(record), record)
                self.checksum = (self.checksum + checksum_of(record)) & _U64
            at, number = end, number + 1
        return start + at, number

    def refer(self, number: int, place: int, length: int) -> Status:
        """Enter a record that is kept elsewhere: DONE, NEEDS_BLOCKS, or OUT_OF_SPAN."""
        key = self._place(number)
        if key > self._range:
            return Status.OUT_OF_SPAN
        if not self._fits(_MAX_HEADER + 16):
            return Status.NEEDS_BLOCKS
        self._enter(number, key, 0, length, place.to_bytes(8, "little") + length.to_bytes(8, "little"))
        return Status.DONE

    def redistribute(self, walk: Walk, count: int) -> tuple[Status, Walk, int]:
        """Move whole records of a stream in the same pool here; return (status, walk, records left)."""
        if walk[0] >= self.blocks or walk[1] > self._block_bytes or walk[2] > self.blocks * self._block_bytes:
            raise ValueError("the walk starts outside the pool")
        while count:
            reader = StreamReader(self._pool, self._links, self._block_bytes, self.blocks, walk)
            try:
                reader.number = (reader.number + reader.varint()) & _U64
                reader.take(4)
                code = reader.varint()
                body = reader.take(body_bytes(code))
            except EndOfStream:
                return Status.DONE, walk, count
            key = self._place(reader.number)
            if key <= self._range:
                if not self._fits(len(body) + _MAX_HEADER):
                    return Status.NEEDS_BLOCKS, walk, count
                size = code >> 1 or int.from_bytes(body[8:], "little")
                self._enter(reader.number, key, code, size, body)
            walk, count = reader.walk(), count - 1
        return Status.DONE, walk, count

    def _place(self, number: int) -> int:
        """Return the record's key counted from the low end of the range."""
        # numpy works by the window: numbers mostly come one after another.
        if not self._first <= number < self._first + len(self._words) // 4:
            self._first = number
            order_plain.words(number, len(self._words) // 4, *self._key, self._words)
        return ((self._words[4 * (number - self._first)] & self._mask) - self._low) & _U64

    def _enter(self, number: int, key: int, code: int, size: int, body: bytes) -> None:
        bucket = key >> self._shift
        row = self._table.row(bucket)
        data = varint((number - row[LAST]) & _U64) + _key_bits(key, self._shift) + varint(code) + body
        row[LAST] = number
        row[COUNT] += 1
        row[SIZE] += size
        self._append(bucket, data)

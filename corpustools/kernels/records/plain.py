"""Records in a pool of blocks, in plain Python: the twin of compiled.pyx, byte for byte (layout: records.h)."""

from __future__ import annotations

from array import array
from typing import Any

from corpustools.kernels.order import plain as order_plain
from corpustools.kernels.records.layout import COUNT, LAST, NO_BLOCK, SIZE, SLACK
from corpustools.kernels.records.plain_blocks import Blocks
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
    torn_field,
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
    "draw_keys",
    "gather",
    "guard",
    "index_stream",
    "last_end",
    "torn_field",
]

# An address means nothing here: records are always copied.
MAPS = False
STATUSES = {status.name: status.value for status in Status}
_MAX_HEADER = 24
_U64 = (1 << 64) - 1


def guard() -> None:
    """Nothing is mapped, so there is nothing to guard."""


def draw_keys(first: int, count: int, k0: int, k1: int, out: Any, portable: bool = False) -> None:
    """Write the sort keys (u64) of records first … first + count - 1 to `out`."""
    if count < 0 or memoryview(out).nbytes < 8 * count:
        raise ValueError(f"{count} keys need {8 * count} bytes, the buffer has {memoryview(out).nbytes}")
    words = array("Q", bytes(32 * count))
    order_plain.words(first, count, k0, k1, words)
    memoryview(out).cast("B")[: 8 * count] = words[::4].tobytes()


def _key_bits(key: int, shift: int) -> bytes:
    bits = key >> (shift - 32) if shift >= 32 else key << (32 - shift)
    return (bits & 0xFFFFFFFF).to_bytes(4, "little")


class Scatter(Blocks):
    """Distributes records to the buckets of one worker; see compiled.pyx for the arguments."""

    def __init__(
        self,
        pool: Any,
        links: Any,
        table: Any,
        free: Any,
        block_bytes: int,
        k0: int,
        k1: int,
        mask: int,
        *,
        check_skipped: bool = False,
    ) -> None:
        super().__init__(pool, links, table, free, block_bytes)
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
                return stop, number
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

    def sift(
        self,
        data: Any,
        start: int,
        stop: int,
        number: int,
        count: int,
        delimiter: int,
        record_bytes: int,
        mapped: bool = False,
    ) -> tuple[int, int]:
        """Do the same as `run` with the `count` whole records in data[start:stop]; see compiled.pyx."""
        check_span(data, start, stop)
        if mapped:
            raise ValueError("nothing can stay mapped here")
        if not 0 <= count <= stop - start:
            raise ValueError(f"{count} records in {stop - start} bytes")
        text = bytes(memoryview(data)[start:stop])
        at = 0
        for one in range(number, number + count):
            end = at + record_bytes if record_bytes else text.find(delimiter, at) + 1
            key = self._place(one & _U64)
            if end <= at or end > len(text):
                # The records end too early. It shows at the first of the rest that is wanted.
                at = len(text)
                if key <= self._range:
                    return stop, one & _U64
            elif key <= self._range:
                if not self._fits(end - at + _MAX_HEADER):
                    return start + at, one & _U64
                self._enter(one & _U64, key, 2 * (end - at), end - at, text[at:end])
                self.checksum = (self.checksum + checksum_of(text[at:end])) & _U64
            at = max(at, end)
        return stop, (number + count) & _U64

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

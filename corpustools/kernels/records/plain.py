"""Records in a pool of blocks, in plain Python: the twin of records.pyx, byte for byte (layout: records.h)."""

from __future__ import annotations

from array import array
from typing import Any

from corpustools.kernels.order import plain as order_plain

# An address means nothing here: records are always copied.
MAPS = False
SLACK = 64
NO_BLOCK = 0xFFFFFFFF
MAX_HEADER = 24
CURSOR, LAST, COUNT, SIZE, STREAM, ROOM, HEAD, OPEN = range(8)
_U64 = (1 << 64) - 1
_CHECK_KEYS = (0x243F6A89, 0x85A308D3, 0x13198A2F, 0x03707345, 0xA4093823, 0x299F31D1, 0x082EFA99, 0xEC4E6C8B)
_CHECK_STEPS = (0x452821E7, 0x38D01377, 0xBE5466CF, 0x34E90C6D, 0xC0AC29B7, 0xC97C50DD, 0x3F84D5B5, 0xB5470917)

Walk = tuple[int, int, int, int]


class Truncated(Exception):
    """A mapped input became shorter while it was read; never here."""


class _Torn(Exception):
    """The stream's bytes in memory end."""


def count_delimiters(data: Any, start: int, stop: int, delimiter: int) -> int:
    """Return how many bytes of data[start:stop] are the delimiter."""
    _span(data, start, stop)
    return bytes(memoryview(data)[start:stop]).count(delimiter)


def last_end(data: Any, start: int, stop: int, delimiter: int) -> int:
    """Return one past the last delimiter in data[start:stop], or `start` where there is none."""
    _span(data, start, stop)
    found = bytes(memoryview(data)[start:stop]).rfind(delimiter)
    return start + found + 1


def guard() -> None:
    """Nothing is mapped, so there is nothing to guard."""


def checksum(data: Any, start: int, stop: int, offset: int) -> int:
    """Return what data[start:stop] adds to the checksum, standing `offset` bytes (a multiple of 32) into its record."""
    _span(data, start, stop)
    if offset % 32:
        raise ValueError(f"the offset {offset} is no multiple of 32")
    return _checksum(bytes(memoryview(data)[start:stop]), offset // 32)


def _checksum(record: bytes, group: int = 0) -> int:
    words = array("I", record + bytes(-len(record) % 32))
    total = 0
    for at in range(0, len(words), 8):
        keys = [(key + (group + at // 8) * step) for key, step in zip(_CHECK_KEYS, _CHECK_STEPS, strict=True)]
        sums = [(word + key) & 0xFFFFFFFF for word, key in zip(words[at : at + 8], keys, strict=True)]
        total += sum(sums[pair] * sums[pair + 1] for pair in range(0, 8, 2))
    return total & _U64


def _span(data: Any, start: int, stop: int) -> None:
    size = memoryview(data).nbytes
    if not 0 <= start <= stop <= size - SLACK:
        raise ValueError(f"bytes {start} to {stop} and {SLACK} behind them are not all in {size} bytes")


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _body_bytes(code: int) -> int:
    return 8 if code & 1 else code >> 1 or 16


def _key_bits(key: int, shift: int) -> bytes:
    bits = key >> (shift - 32) if shift >= 32 else key << (32 - shift)
    return (bits & 0xFFFFFFFF).to_bytes(4, "little")


class Scatter:
    """Distributes records to the buckets of one worker; see records.pyx for the arguments."""

    def __init__(
        self, pool: Any, links: Any, table: Any, free: Any, full: Any, block_bytes: int, k0: int, k1: int, mask: int
    ) -> None:
        if block_bytes < 256 or block_bytes & (block_bytes - 1):
            raise ValueError(f"{block_bytes} bytes a block: need a power of two from 256")
        self._pool = memoryview(pool).cast("B")
        self._links, self._free, self._full = (memoryview(one).cast("B").cast("I") for one in (links, free, full))
        self._table = memoryview(table).cast("B").cast("Q")
        self.blocks = max(0, len(self._pool) - SLACK) // block_bytes
        self.bucket_count = len(self._table) // 8
        if min(len(self._links), len(self._free)) < self.blocks or not self.bucket_count:
            raise ValueError("the tables are too small for the pool")
        self._block_bytes, self._key, self._mask = block_bytes, (k0, k1), mask
        self._free_count = self._full_count = 0
        self.resident = self.bucket_count
        self.checksum = self.skipped = 0
        self.check_skipped = False
        self._low = self._range = self._shift = 0
        self._words, self._first = array("Q", bytes(32 * 512)), -512
        for bucket in range(self.bucket_count):
            self._table[8 * bucket : 8 * bucket + 8] = memoryview(array("Q", [0] * 6 + [NO_BLOCK] * 2))

    def cover(self, low: int, span: int, shift: int) -> None:
        """Take keys from low to low + span, 2^shift of them a bucket."""
        if not 0 <= shift <= 63 or span >> shift >= self.bucket_count:
            raise ValueError(f"a span of {span} in buckets of 2^{shift} needs more than {self.bucket_count}")
        self._low, self._range, self._shift = low, span, shift

    def give(self, blocks: Any) -> None:
        """Push blocks (u32) on the free stack."""
        numbers = memoryview(blocks).cast("B").cast("I")
        if any(number >= self.blocks for number in numbers) or len(numbers) > self.blocks - self._free_count:
            raise ValueError("blocks that are not of this pool, or more than it has")
        self._free[self._free_count : self._free_count + len(numbers)] = numbers
        self._free_count += len(numbers)

    @property
    def free_count(self) -> int:
        """Free blocks."""
        return self._free_count

    @free_count.setter
    def free_count(self, value: int) -> None:
        if not 0 <= value <= self._free_count:
            raise ValueError("blocks are given by give()")
        self._free_count = value

    @property
    def full_count(self) -> int:
        """Pairs in the full list."""
        return self._full_count

    @full_count.setter
    def full_count(self, value: int) -> None:
        if value:
            raise ValueError("the full list can only be emptied")
        self._full_count = 0

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
        _span(data, start, stop)
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
                if self.check_skipped:
                    self.skipped = (self.skipped + _checksum(record)) & _U64
            else:
                if not self._fits(len(record) + MAX_HEADER):
                    break
                self._enter(number, key, 2 * len(record), len(record), record)
                self.checksum = (self.checksum + _checksum(record)) & _U64
            at, number = end, number + 1
        return start + at, number

    def refer(self, number: int, offset: int, length: int) -> int:
        """Enter a record that is kept elsewhere: 1 done, 0 blocks are wanting, -1 not of this span."""
        key = self._place(number)
        if key > self._range:
            return -1
        if not self._fits(MAX_HEADER + 16):
            return 0
        self._enter(number, key, 0, length, offset.to_bytes(8, "little") + length.to_bytes(8, "little"))
        return 1

    def redistribute(self, walk: Walk, count: int) -> tuple[int, Walk, int]:
        """Move whole records of a stream in the same pool here; return (status, walk, records left)."""
        if walk[0] >= self.blocks or walk[1] > self._block_bytes or walk[2] > self.blocks * self._block_bytes:
            raise ValueError("the walk starts outside the pool")
        while count:
            reader = _Reader(self._pool, self._links, self._block_bytes, self.blocks, walk)
            try:
                reader.number += reader.varint()
                reader.take(4)
                code = reader.varint()
                body = reader.take(_body_bytes(code))
            except _Torn:
                return 0, walk, count
            key = self._place(reader.number)
            if key <= self._range:
                if not self._fits(len(body) + MAX_HEADER):
                    return 1, walk, count
                size = code >> 1 or int.from_bytes(body[8:], "little")
                self._enter(reader.number, key, code, size, body)
            walk, count = reader.walk(), count - 1
        return 0, walk, count

    def _place(self, number: int) -> int:
        """Return the record's key counted from the low end of the range."""
        # numpy works by the window: numbers mostly come one after another.
        if not self._first <= number < self._first + len(self._words) // 4:
            self._first = number
            order_plain.words(number, len(self._words) // 4, *self._key, self._words)
        return ((self._words[4 * (number - self._first)] & self._mask) - self._low) & _U64

    def _fits(self, size: int) -> bool:
        blocks = size // self._block_bytes + 2
        return blocks <= self._free_count and self._full_count + blocks <= len(self._full) // 2

    def _enter(self, number: int, key: int, code: int, size: int, body: bytes) -> None:
        bucket = key >> self._shift
        row = self._table[8 * bucket : 8 * bucket + 8]
        data = _varint(number - row[LAST]) + _key_bits(key, self._shift) + _varint(code) + body
        row[LAST] = number
        row[COUNT] += 1
        row[SIZE] += size
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
        self._free_count -= 1
        block = self._free[self._free_count]
        self._links[block] = NO_BLOCK
        if row[OPEN] == NO_BLOCK:
            row[HEAD] = block
        elif bucket >= self.resident:
            self._full[2 * self._full_count] = bucket
            self._full[2 * self._full_count + 1] = row[OPEN]
            self._full_count += 1
            row[HEAD] = block
        else:
            self._links[row[OPEN]] = block
        row[OPEN] = block
        row[CURSOR] = block * self._block_bytes
        row[ROOM] = self._block_bytes


class _Reader:
    """Reads a stream through its chain of blocks."""

    def __init__(self, pool: memoryview, links: memoryview[int], block_bytes: int, blocks: int, walk: Walk) -> None:
        self._pool, self._links, self._block_bytes, self._blocks = pool, links, block_bytes, blocks
        self._block, self._offset, self._available, self.number = walk

    def walk(self) -> Walk:
        """Return where the reader stands."""
        return self._block, self._offset, self._available, self.number

    def place(self) -> int:
        """Return the pool offset of the next byte."""
        if self._offset == self._block_bytes:
            self._next()
        return self._block * self._block_bytes + self._offset

    def varint(self) -> int:
        """Read a number."""
        value = 0
        for shift in range(0, 70, 7):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & _U64
        raise _Torn

    def take(self, size: int) -> bytes:
        """Read bytes, across blocks."""
        if size > self._available:
            raise _Torn
        self._available -= size
        out = bytearray()
        while True:
            start = self._block * self._block_bytes + self._offset
            piece = self._pool[start : start + min(size - len(out), self._block_bytes - self._offset)]
            out += piece
            self._offset += len(piece)
            if len(out) == size:
                return bytes(out)
            self._next()

    def _next(self) -> None:
        block = self._links[self._block]
        if block >= self._blocks:
            raise _Torn
        self._block, self._offset = block, 0


def _reader(pool: Any, links: Any, block_bytes: int, walk: Walk) -> _Reader:
    view, chain = memoryview(pool).cast("B"), memoryview(links).cast("B").cast("I")
    if block_bytes < 256 or block_bytes & (block_bytes - 1) or len(view) < SLACK:
        raise ValueError("no pool of blocks")
    blocks = min((len(view) - SLACK) // block_bytes, len(chain))
    if walk[0] >= blocks or walk[1] > block_bytes:
        raise ValueError("the walk or the lists start outside their buffers")
    return _Reader(view, chain, block_bytes, blocks, walk)


def index_stream(
    pool: Any,
    links: Any,
    block_bytes: int,
    walk: Walk,
    count: int,
    least: int,
    greatest: int,
    words: Any,
    numbers: Any,
    places: Any,
    listed: int,
) -> int:
    """List the records of a stream whose key bits are in least … greatest behind the first `listed` entries."""
    lists = [memoryview(one).cast("B").cast("Q") for one in (words, numbers, places)]
    most = min(len(one) for one in lists)
    if listed > most or walk[2] > memoryview(pool).nbytes:
        raise ValueError("the walk or the lists start outside their buffers")
    reader = _reader(pool, links, block_bytes, walk)
    try:
        for _ in range(count):
            reader.number += reader.varint()
            bits = int.from_bytes(reader.take(4), "little")
            place = reader.place()
            reader.take(_body_bytes(reader.varint()))
            if least <= bits <= greatest:
                if listed == most:
                    raise OverflowError("the lists are full")
                lists[0][listed] = bits << 32 | listed
                lists[1][listed] = reader.number
                lists[2][listed] = place
                listed += 1
    except _Torn:
        raise ValueError("the stream is torn") from None
    return listed


def gather(
    pool: Any,
    links: Any,
    block_bytes: int,
    words: Any,
    places: Any,
    first: int,
    stop: int,
    out: Any,
    capacity: int,
    used: int,
) -> tuple[int, int, int, int, int]:
    """Copy the records of words[first:stop] to `out` behind its first `used` bytes until `capacity` is reached."""
    order, where = (memoryview(one).cast("B").cast("Q") for one in (words, places))
    target, total = memoryview(out).cast("B"), 0
    _span(out, used, capacity)
    if not 0 <= first <= stop <= len(order):
        raise ValueError(f"words {first} to {stop} are not all in the list")
    try:
        for at in range(first, stop):
            place = where[order[at] & 0xFFFFFFFF]
            reader = _reader(pool, links, block_bytes, (place // block_bytes, place % block_bytes, _U64, 0))
            length = reader.varint() >> 1
            if not length:
                body = reader.take(16)
                halves = int.from_bytes(body[:8], "little"), int.from_bytes(body[8:], "little")
                return at + 1, used, total & _U64, *halves
            if length > capacity - used:
                return at, used, total & _U64, 0, 0
            record = reader.take(length)
            target[used : used + length] = record
            used += length
            total += _checksum(record)
    except (_Torn, IndexError):
        raise ValueError("the lists point outside the pool, or a stream is torn") from None
    return stop, used, total & _U64, 0, 0

"""Reading streams of records in plain Python: checksums, delimiters, lists and copies (a part of the twin)."""

from __future__ import annotations

import ctypes
from array import array
from typing import Any

from corpustools.kernels.records.layout import SLACK
from corpustools.kernels.records.status import Status, Torn

_U64 = (1 << 64) - 1
_QUOTE = 0x22
_CHECK_KEYS = (0x243F6A89, 0x85A308D3, 0x13198A2F, 0x03707345, 0xA4093823, 0x299F31D1, 0x082EFA99, 0xEC4E6C8B)
_CHECK_STEPS = (0x452821E7, 0x38D01377, 0xBE5466CF, 0x34E90C6D, 0xC0AC29B7, 0xC97C50DD, 0x3F84D5B5, 0xB5470917)

# How a record is found; see kind_t of records.h.
IN_BLOCK, MAPPED, BY_WALK = range(3)

Walk = tuple[int, int, int, int]


class EndOfStream(Exception):
    """The stream's bytes in memory end."""


def count_delimiters(data: Any, start: int, stop: int, delimiter: int) -> int:
    """Return how many bytes of data[start:stop] are the delimiter."""
    check_span(data, start, stop)
    return bytes(memoryview(data)[start:stop]).count(delimiter)


def last_end(data: Any, start: int, stop: int, delimiter: int) -> int:
    """Return one past the last delimiter in data[start:stop], or `start` where there is none."""
    check_span(data, start, stop)
    found = bytes(memoryview(data)[start:stop]).rfind(delimiter)
    return start + found + 1


def torn_field(data: Any, start: int, stop: int, delimiter: int, separator: int) -> int:
    """Return where the first record of data[start:stop] begins that ends inside a quoted field, or `stop`."""
    check_span(data, start, stop)
    at = start
    for record in bytes(memoryview(data)[start:stop]).split(bytes([delimiter])):
        if _is_torn(record, separator):
            return at
        at += len(record) + 1
    return stop


def _is_torn(record: bytes, separator: int) -> bool:
    """Whether a record has a field with an opening quote and no closing one."""
    inside, at = False, 0
    while at < len(record):
        if record[at] != _QUOTE:
            at += 1
        elif not inside:
            inside = not at or record[at - 1] == separator
            at += 1
        elif record[at + 1 :] in (b"", b"\r") or record[at + 1] == separator:
            inside = False
            at += 1
        else:
            at += 2 if record[at + 1] == _QUOTE else 1
    return inside


def checksum(data: Any, start: int, stop: int, offset: int) -> int:
    """Return what data[start:stop] adds to the checksum, standing `offset` bytes (a multiple of 32) into its record."""
    check_span(data, start, stop)
    if offset % 32:
        raise ValueError(f"the offset {offset} is no multiple of 32")
    return checksum_of(bytes(memoryview(data)[start:stop]), offset // 32)


def checksum_of(record: bytes, group: int = 0) -> int:
    """Return the checksum of a piece of a record that begins at a 32-byte group of it."""
    words = array("I", record + bytes(-len(record) % 32))
    total = 0
    for at in range(0, len(words), 8):
        keys = [(key + (group + at // 8) * step) for key, step in zip(_CHECK_KEYS, _CHECK_STEPS, strict=True)]
        sums = [(word + key) & 0xFFFFFFFF for word, key in zip(words[at : at + 8], keys, strict=True)]
        total += sum(sums[pair] * sums[pair + 1] for pair in range(0, 8, 2))
    return total & _U64


def check_span(data: Any, start: int, stop: int) -> None:
    """Refuse a stretch that leaves the buffer or the slack behind it."""
    size = memoryview(data).nbytes
    if not 0 <= start <= stop <= size - SLACK:
        raise ValueError(f"bytes {start} to {stop} and {SLACK} behind them are not all in {size} bytes")


def varint(value: int) -> bytes:
    """Return a number in groups of seven bits, the low ones first."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def body_bytes(code: int) -> int:
    """Return the bytes of a record's body by its code."""
    return 8 if code & 1 else code >> 1 or 16


class StreamReader:
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
        raise EndOfStream

    def take(self, size: int) -> bytes:
        """Read bytes, across blocks."""
        if size > self._available:
            raise EndOfStream
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

    def find(self) -> tuple[int, int]:
        """Return where the record is whose code comes next, and four times its bytes and its kind; pass it."""
        start = self.place()
        code = self.varint()
        kind, place = BY_WALK, start
        if code & 1:
            kind = MAPPED
        elif code and code >> 1 <= self._block_bytes - self._offset:
            kind, place = IN_BLOCK, self._block * self._block_bytes + self._offset
        body = self.take(body_bytes(code))
        return int.from_bytes(body, "little") if kind == MAPPED else place, code >> 1 << 2 | kind

    def _next(self) -> None:
        block = self._links[self._block]
        if block >= self._blocks:
            raise EndOfStream
        self._block, self._offset = block, 0


def reader_at(pool: Any, links: Any, block_bytes: int, walk: Walk) -> StreamReader:
    """Return a reader that stands where a walk does."""
    view, chain = memoryview(pool).cast("B"), memoryview(links).cast("B").cast("I")
    if block_bytes < 256 or block_bytes & (block_bytes - 1) or len(view) < SLACK:
        raise ValueError("no pool of blocks")
    blocks = min((len(view) - SLACK) // block_bytes, len(chain))
    if walk[0] >= blocks or walk[1] > block_bytes:
        raise ValueError("the walk or the lists start outside their buffers")
    return StreamReader(view, chain, block_bytes, blocks, walk)


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
    spots: Any,
    listed: int,
) -> tuple[Status, int]:
    """List the records of a stream whose key bits are in least … greatest behind the first `listed` entries."""
    before, lists = listed, [memoryview(one).cast("B").cast("Q") for one in (words, numbers, spots)]
    most = min(len(lists[0]), len(lists[1]), len(lists[2]) // 2)
    if listed > most or walk[2] > memoryview(pool).nbytes:
        raise ValueError("the walk or the lists start outside their buffers")
    reader = reader_at(pool, links, block_bytes, walk)
    try:
        for _ in range(count):
            reader.number = (reader.number + reader.varint()) & _U64
            bits = int.from_bytes(reader.take(4), "little")
            spot = reader.find()
            if least <= bits <= greatest:
                if listed == most:
                    return Status.LISTS_FULL, before
                lists[0][listed] = bits << 32 | listed
                lists[1][listed] = reader.number
                lists[2][2 * listed], lists[2][2 * listed + 1] = spot
                listed += 1
    except EndOfStream:
        raise Torn("a stream is torn") from None
    return Status.DONE, listed


def gather(
    pool: Any,
    links: Any,
    block_bytes: int,
    words: Any,
    spots: Any,
    first: int,
    stop: int,
    out: Any,
    capacity: int,
    used: int,
) -> tuple[int, int, int, int, int]:
    """Copy the records of words[first:stop] to `out` behind its first `used` bytes until `capacity` is reached."""
    order, where = (memoryview(one).cast("B").cast("Q") for one in (words, spots))
    target, total = memoryview(out).cast("B"), 0
    check_span(out, used, capacity)
    if not 0 <= first <= stop <= len(order):
        raise ValueError(f"words {first} to {stop} are not all in the list")
    if any(2 * (word & 0xFFFFFFFF) + 1 >= len(where) for word in order[first:stop]):
        raise Torn("the lists point outside the pool")
    try:
        for at in range(first, stop):
            entry = order[at] & 0xFFFFFFFF
            place, size = where[2 * entry], where[2 * entry + 1]
            if size >> 2 > capacity - used:
                return at, used, total & _U64, 0, 0
            body = _bytes_of(pool, links, block_bytes, place, size)
            if isinstance(body, tuple):
                return at + 1, used, total & _U64, *body
            target[used : used + len(body)] = body
            used += len(body)
            total += checksum_of(body)
    except (EndOfStream, IndexError):
        raise Torn("a stream is torn, or the lists point outside the pool") from None
    return stop, used, total & _U64, 0, 0


def _bytes_of(pool: Any, links: Any, block_bytes: int, place: int, size: int) -> bytes | tuple[int, int]:
    """Return a record, or the place and length of one that is kept elsewhere."""
    length, kind = size >> 2, size & 3
    if kind == MAPPED:
        return ctypes.string_at(place, length)
    limit = (memoryview(pool).nbytes - SLACK) // block_bytes * block_bytes
    if kind == IN_BLOCK:
        if place > limit or length > limit - place:
            raise EndOfStream
        return bytes(memoryview(pool)[place : place + length])
    if place >= limit:
        raise EndOfStream
    reader = reader_at(pool, links, block_bytes, (place // block_bytes, place % block_bytes, _U64, 0))
    code = reader.varint()
    if code >> 1 != length:
        raise EndOfStream
    if not code:
        body = reader.take(16)
        return int.from_bytes(body[:8], "little"), int.from_bytes(body[8:], "little")
    return reader.take(length)

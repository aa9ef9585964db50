"""The concatenation of the inputs as chunks of whole records in a buffer of the caller's.

buffer   [ carried | read now ............. | cut off ]
         0         last chunk's rest        end       filled     (cut off: carried to the next chunk)
"""

from __future__ import annotations

import mmap
from collections.abc import Callable
from dataclasses import dataclass

from corpustools import kernels
from corpustools.errors import DataError
from corpustools.files.inputs import Input, OpenInput

# A header is held in memory and written first.
HEADER_LIMIT = 1 << 20


@dataclass(frozen=True)
class Shape:
    """What a record is.

    Attributes:
        delimiter: the byte that ends a record.
        record_bytes: the size of fixed-size records, or 0.
        header: records at the top of each input that are no data.
    """

    delimiter: int = 10
    record_bytes: int = 0
    header: int = 0


@dataclass(frozen=True)
class Chunk:
    """Whole records at data[start:stop]; `mapped` says that they stay there for good."""

    data: mmap.mmap
    start: int
    stop: int
    mapped: bool = False


@dataclass(frozen=True)
class Giant:
    """A record that is larger than a buffer and stays outside: where it is, and its checksum.

    Attributes:
        place: offset in the low 48 bits, then 15 bits for the file (0: kept aside, i + 1: input i), and the top bit
            set where a delimiter has to be added.
        length: bytes, an added delimiter included.
    """

    place: int
    length: int
    checksum: int


FILE_BITS = 48
ADD_DELIMITER = 1 << 63


class RecordSource:
    """Cuts the inputs into chunks; `fill` is to be called by one thread at a time.

    Args:
        inputs: in order.
        shape: what a record is.
        memory: what a decoder may allocate.
        aside: takes pieces of a giant record that cannot be found in its input again; called with each piece and
            None at the end, it returns the offset of the first byte then.
    """

    def __init__(
        self, inputs: list[Input], shape: Shape, memory: int, aside: Callable[[memoryview | None], int]
    ) -> None:
        self.inputs, self.shape = inputs, shape
        self.header = b""
        self._memory, self._aside = memory, aside
        self._kernel = kernels.load("records")
        self._next = 0
        self._open: OpenInput | None = None
        self._carry = b""
        self._closed_bytes = 0
        self.kept: dict[int, OpenInput] = {}

    @property
    def raw_bytes(self) -> int:
        """Bytes read from the files so far."""
        current = self._open
        return self._closed_bytes + (current.raw_bytes if current else 0)

    def fill(self, buffer: mmap.mmap, target: int, capacity: int) -> Chunk | Giant | None:
        """Put whole records at the front of the buffer and return them, or a giant record, or None at the end.

        About `target` bytes are read, more where a record is longer, up to `capacity`; a delimiter may stand one byte
        behind it.
        """
        view = memoryview(buffer)
        filled = len(self._carry)
        view[:filled] = self._carry
        self._carry = b""
        while True:
            while filled < target:
                if self._open is None and not self._begin():
                    return Chunk(buffer, 0, filled) if filled else None
                assert self._open is not None
                n = self._open.readinto(view[filled:target])
                filled += n
                if not n:
                    filled = self._finish(buffer, filled)
            end = self._cut(buffer, filled)
            if end:
                self._carry = bytes(view[end:filled])
                return Chunk(buffer, 0, end)
            if filled == capacity:
                return self._giant(buffer, capacity)
            target = min(2 * target, capacity)

    def close(self) -> None:
        """Close what is open."""
        if self._open is not None and self._next - 1 not in self.kept:
            self._open.close()
        self._open = None
        for kept in self.kept.values():
            kept.close()
        self.kept = {}

    def _cut(self, buffer: mmap.mmap, filled: int) -> int:
        """Return the end of the last whole record."""
        if self.shape.record_bytes:
            return filled - filled % self.shape.record_bytes
        end: int = self._kernel.last_end(buffer, 0, filled, self.shape.delimiter)
        return end

    def _begin(self) -> bool:
        if self._next == len(self.inputs):
            return False
        self._open = OpenInput(self.inputs[self._next], self._memory)
        self._next += 1
        if self.shape.header:
            header = self._read_header(self._open)
            if self._next == 1:
                self.header = header
        return True

    def _finish(self, buffer: mmap.mmap, filled: int, inside: bool = False) -> int:
        """End the open input: complete its last record; return the bytes that are in the buffer now.

        `inside` says that a record is open although the buffer may be empty.
        """
        assert self._open is not None
        size = self.shape.record_bytes
        if size and self._open.delivered % size:
            raise DataError(
                f"{self._open.source.name}: {self._open.delivered % size} bytes are left over after "
                f"{self._open.delivered // size} records of {size} bytes",
                "give the right --record-bytes",
            )
        if not size and (inside or (filled and buffer[filled - 1] != self.shape.delimiter)):
            buffer[filled] = self.shape.delimiter
            filled += 1
        self._drop()
        return filled

    def _drop(self) -> None:
        assert self._open is not None
        self._closed_bytes += self._open.raw_bytes
        if self._next - 1 not in self.kept:
            self._open.close()
        self._open = None

    def _read_header(self, source: OpenInput) -> bytes:
        """Take the header records off the front of an input."""
        head = b""
        piece = memoryview(bytearray(1 << 16))
        wanted, size = self.shape.header, self.shape.record_bytes
        while True:
            ends = len(head) // size if size else head.count(self.shape.delimiter)
            if ends >= wanted:
                break
            if len(head) > HEADER_LIMIT:
                raise DataError(
                    f"{source.source.name}: the header's {wanted} records are longer than {HEADER_LIMIT} bytes",
                    "give a smaller --header",
                )
            n = source.readinto(piece)
            if not n:
                return head if size or not head or head[-1] == self.shape.delimiter else head + self._delimiter
            head += piece[:n]
        end = wanted * size if size else _end_of(head, self._delimiter, wanted)
        source.put_back(head[end:])
        return head[:end]

    @property
    def _delimiter(self) -> bytes:
        return bytes([self.shape.delimiter])

    def _giant(self, buffer: mmap.mmap, capacity: int) -> Giant:
        """Follow a record that fills the whole buffer to its end; what stands behind it is carried."""
        assert self._open is not None
        source, number = self._open, self._next
        view = memoryview(buffer)
        stays = source.plain and number < 1 << 15
        if stays:
            self.kept[number - 1] = source
        start = source.origin + source.delivered - capacity
        filled, length, checksum, added = capacity, 0, 0, False
        while True:
            end = self._giant_end(buffer, filled, length)
            piece = end or filled
            checksum += self._kernel.checksum(buffer, 0, piece, length)
            length += piece
            if not stays:
                self._aside(view[:piece])
            if end:
                break
            filled = 0
            while filled < capacity and (n := source.readinto(view[filled:capacity])):
                filled += n
            if filled < capacity and not self._giant_end(buffer, filled, length):
                filled = self._finish(buffer, filled, inside=True)
                added = True
        self._carry = bytes(view[end:filled])
        if not stays:
            return Giant(self._aside(None), length, checksum)
        return Giant(number << FILE_BITS | start | (ADD_DELIMITER if added else 0), length, checksum)

    def _giant_end(self, buffer: mmap.mmap, filled: int, before: int) -> int:
        """Return where in the buffer the giant ends, of which `before` bytes are done, or 0."""
        if self.shape.record_bytes:
            left = self.shape.record_bytes - before
            return left if left <= filled else 0
        return buffer.find(self._delimiter, 0, filled) + 1


def _end_of(head: bytes, delimiter: bytes, records: int) -> int:
    """Return where the first so many records of `head` end."""
    end = 0
    for _ in range(records):
        end = head.index(delimiter, end) + 1
    return end

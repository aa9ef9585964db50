"""Inputs as records: chunks of whole records, and fragments of a record that is longer than the buffer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from corpustools.errors import DataError
from corpustools.files.chunks import (
    Buffer,
    Chunk,
    Fragment,
    RecordFormat,
    bytes_left_over,
    header_end,
    lacks_delimiter,
    last_record_end,
    long_record_end,
)
from corpustools.files.decoding import NOT_AHEAD, DecodeAhead, Inputs
from corpustools.files.inputs import Input, OpenInput
from corpustools.files.page_cache import Passing

# A header is held in memory and written first.
HEADER_LIMIT = 1 << 20


class Records(Protocol):
    """The records of one open input, in order."""

    def read(self, buffer: Buffer, target: int, capacity: int) -> Chunk | Fragment | None:
        """Return what comes next, or None at the end; see `RecordReader.read`."""


class InputRecords:
    """The records of one input, read through the caller's buffer.

    Args:
        source: the input, its header taken away.
        number: its number, from 0.
        form: what a record is.

    Attributes:
        ended: whether the input has no more bytes; some may still be carried.
    """

    def __init__(self, source: OpenInput, number: int, form: RecordFormat) -> None:
        self._source, self._number, self._form = source, number, form
        self._carried = b""
        # Bytes of the long record that were given in fragments.
        self._given = 0
        self.ended = False

    @property
    def inside(self) -> bool:
        """Whether a long record is being read, so that a fragment comes next."""
        return self._given > 0

    def seek(self, position: int) -> None:
        """Go on with the record at a position of a plain file."""
        self._source.seek(position)
        self._carried = b""

    def read(self, buffer: Buffer, target: int, capacity: int) -> Chunk | Fragment | None:
        """Return what comes next, or None at the end; see `RecordReader.read`."""
        filled = len(self._carried)
        offset = self._source.delivered - filled
        with memoryview(buffer) as view:
            view[:filled] = self._carried
        self._carried = b""
        if self._given:
            return self._fragment(buffer, filled, capacity, offset)
        while True:
            filled = self._fill(buffer, filled, target)
            if self.ended and lacks_delimiter(buffer, filled, self._form):
                buffer[filled] = self._form.delimiter
                filled += 1
            end = last_record_end(buffer, 0, filled, self._form)
            if end:
                self._carried = bytes(memoryview(buffer)[end:filled])
                return Chunk(buffer, 0, end, self._number, offset)
            if self.ended:
                return None
            if filled == capacity:
                return self._fragment(buffer, filled, capacity, offset)
            target = min(2 * target, capacity)

    def _fragment(self, buffer: Buffer, filled: int, capacity: int, offset: int) -> Fragment:
        """Return the next fragment of the long record; what stands behind its end is carried."""
        filled = self._fill(buffer, filled, capacity)
        end, adds = long_record_end(buffer, filled, self._given, self._form), False
        if not end and self.ended:
            buffer[filled] = self._form.delimiter
            end = filled = filled + 1
            adds = True
        first, size = not self._given, end or filled
        self._carried = bytes(memoryview(buffer)[size:filled])
        self._given = 0 if end else self._given + size
        return Fragment(buffer, size, self._number, offset, first, bool(end), adds)

    def _fill(self, buffer: Buffer, filled: int, target: int) -> int:
        """Read until the buffer holds `target` bytes or the input ends; return how many it holds.

        Raises:
            DataError: at the end, bytes are left over that are no record of fixed size.
        """
        with memoryview(buffer) as view:
            while filled < target and not self.ended:
                n = self._source.readinto(view[filled:target])
                filled += n
                self.ended = not n
        if self.ended:
            self._refuse_left_over()
        return filled

    def _refuse_left_over(self) -> None:
        size = self._source.delivered
        left = bytes_left_over(size, self._form)
        if left:
            raise DataError(
                f"{self._source.source.name}: {left} bytes are left over after {size // self._form.record_bytes} "
                f"records of {self._form.record_bytes} bytes",
                "give the right size of records",
            )


class RecordReader:
    """The records of several inputs, one input after another.

    A last record without a delimiter gets one, in each input. Headers are taken away.

    Args:
        inputs: in order.
        form: what a record is.
        memory: what a decoder may allocate, in bytes.
        passing: what becomes of the pages of files that were read.
        ahead: how many compressed files are decoded at a time.

    Attributes:
        form: what a record is.
        header: the header of the first input that is not empty, known once that was read.
        current: the input that the last chunk or fragment came from, open until the next call of `read`.
    """

    def __init__(
        self,
        inputs: list[Input],
        form: RecordFormat,
        memory: int,
        passing: Passing = Passing.STAYS,
        ahead: DecodeAhead = NOT_AHEAD,
    ) -> None:
        self.form = form
        self.header = b""
        self.current: OpenInput | None = None
        self._inputs, self._opened = inputs, Inputs(inputs, memory, passing, ahead)
        self._next = 0
        self._closed_bytes = 0
        self._records: Records | None = None

    @property
    def raw_bytes(self) -> int:
        """Bytes read from the files so far."""
        current = self.current
        return self._closed_bytes + (current.raw_bytes if current else 0)

    def name_of(self, number: int) -> str:
        """Return what messages call an input, by its number from 0."""
        return self._inputs[number].name

    def read(self, buffer: Buffer, target: int, capacity: int) -> Chunk | Fragment | None:
        """Return the next whole records, or the next fragment of a record that is longer, or None at the end.

        One thread at a time may call this. Each call may bring another buffer.

        Args:
            buffer: takes the records, unless they can stay where they are. It has SLACK bytes behind `capacity`.
            target: bytes to read, about. More are read where a record is longer.
            capacity: bytes to read at most. A record that is longer is given in fragments.

        Raises:
            DataError: an input is torn or malformed.
            SystemFailure: an input cannot be read.
        """
        while True:
            if self._records is None:
                if self._next == len(self._inputs):
                    return None
                self._records = self._open()
            got = self._records.read(buffer, target, capacity)
            if got is not None:
                return got
            self._close_current()

    def fragments(self, first: Fragment, buffer: Buffer, capacity: int) -> Iterator[Fragment]:
        """Give the first fragment of a long record and those that follow it, to the record's end.

        Each has to be used before the next one is asked for, since that one fills the buffer anew.
        """
        fragment = first
        yield fragment
        while not fragment.last:
            following = self.read(buffer, capacity, capacity)
            assert isinstance(following, Fragment)
            fragment = following
            yield fragment

    def verify(self) -> None:
        """Hold the open input against what it was when the work began; at its end that is done in any case.

        Raises:
            DataError: it was written to meanwhile.
        """
        if self.current is not None:
            self.current.verify()

    def close(self) -> None:
        """Close what is open."""
        if self.current is not None:
            self._close_current()
        self._opened.close_all()

    def _records_of(self, source: OpenInput, number: int) -> Records:
        """Return the records of an input whose header is taken away."""
        return InputRecords(source, number, self.form)

    def _open(self) -> Records:
        number = self._next
        self.current = self._opened.open(number)
        self._next += 1
        if self.form.header:
            header, whole = take_header(self.current, self.form)
            if not whole and header and len(self._inputs) > 1:
                raise DataError(
                    f"{self.current.source.name}: ends inside the header of {self.form.header} records",
                    "give each input the whole header, or none of its bytes",
                )
            # Inputs without a byte, such as an empty shard, have no header to keep.
            self.header = self.header or header
        return self._records_of(self.current, number)

    def _close_current(self) -> None:
        assert self.current is not None
        self._closed_bytes += self.current.raw_bytes
        self._opened.close(self._next - 1)
        self.current = self._records = None


def take_header(source: OpenInput, form: RecordFormat) -> tuple[bytes, bool]:
    """Take the header records off the front of an input; return them, and whether there are as many as there should.

    A missing last delimiter is added.

    Raises:
        DataError: they are longer than HEADER_LIMIT.
    """
    head = bytearray()
    piece = memoryview(bytearray(1 << 16))
    while (end := header_end(head, form)) < 0:
        if len(head) > HEADER_LIMIT:
            raise DataError(
                f"{source.source.name}: the header's {form.header} records are longer than {HEADER_LIMIT} bytes",
                "give a header of fewer records",
            )
        n = source.readinto(piece)
        if not n:
            ended = bytes(head) + (bytes([form.delimiter]) if lacks_delimiter(head, len(head), form) else b"")
            return ended, header_end(ended, form) >= 0
        head += piece[:n]
    source.put_back(bytes(head[end:]))
    return bytes(head[:end]), True

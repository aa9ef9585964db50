"""Quoted fields of CSV files that hold line breaks: cut into lines, such a record would be torn in silence."""

from __future__ import annotations

from corpustools import kernels
from corpustools.errors import DataError
from corpustools.files.chunks import SLACK, Chunk, Fragment, RecordFormat

_QUOTE = 0x22
_SEPARATORS = b",;|\t"
_REMEDY = (
    "a shuffle of lines would tear its record: write the line break in the field another way, or, where quotes mean "
    "nothing, shuffle the lines without their header"
)


class QuotedFields:
    """Refuses records that end inside a quoted field. A header tells what separates the fields.

    Files separated by tabs are not looked at: a quote means nothing in most of them.

    Args:
        header: the header records, which are looked at too.
        form: what a record is.
        name: what messages call the input that the header is from.

    Raises:
        DataError: the header ends inside a quoted field.
    """

    def __init__(self, header: bytes, form: RecordFormat, name: str) -> None:
        self._kernel = kernels.load("records")
        counts = {separator: header.count(separator) for separator in _SEPARATORS}
        most = max(_SEPARATORS, key=lambda separator: counts[separator])
        # A file of one column has no separators; a field begins where a record does.
        self._separator = most if counts[most] else form.delimiter
        self._applies = form.delimiter == ord("\n") and not form.record_bytes and self._separator != ord("\t")
        self._delimiter = form.delimiter
        self._quotes = 0
        # A header of several lines may be one record.
        if self._torn(header + bytes(SLACK), 0, len(header)) is not None and self._open(header):
            raise DataError(f"{name}: the header ends inside a quoted field", _REMEDY)

    def check(self, chunk: Chunk, name: str) -> None:
        """Look at a chunk of an input; any number of threads may do so.

        Raises:
            DataError: a record ends inside a quoted field.
        """
        at = self._torn(chunk.data, chunk.start, chunk.stop)
        if at is not None:
            byte = chunk.offset + at - chunk.start
            raise DataError(f"{name}: the record at byte {byte} ends inside a quoted field", _REMEDY)

    def check_long(self, fragment: Fragment, name: str) -> None:
        """Look at the next fragment of a long record, of which the quotes are counted.

        Raises:
            DataError: the record is at its end and has an odd number of quotes.
        """
        if not self._applies:
            return
        before = 0 if fragment.first else self._quotes
        self._quotes = before + self._kernel.count_delimiters(fragment.data, 0, fragment.size, _QUOTE)
        if fragment.last and self._quotes % 2:
            raise DataError(
                f"{name}: the record of many bytes that ends before byte {fragment.offset + fragment.size} has an odd "
                "number of quotes, so a quoted field seems to go on behind it",
                _REMEDY,
            )

    def _open(self, header: bytes) -> bool:
        """Whether the whole header ends inside a quoted field, its line breaks taken as part of fields."""
        text = header.rstrip(b"\r\n")
        at: int = self._kernel.torn_field(text + bytes(SLACK), 0, len(text), 0, self._separator)
        return at < len(text)

    def _torn(self, data: bytes | bytearray | memoryview | object, start: int, stop: int) -> int | None:
        if not self._applies:
            return None
        at: int = self._kernel.torn_field(data, start, stop, self._delimiter, self._separator)
        return at if at < stop else None

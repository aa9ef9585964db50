"""Where buffers are cut between records, on byte strings."""

from __future__ import annotations

import pytest

from corpustools import kernels
from corpustools.files.batches import cut_records
from corpustools.files.chunks import (
    SLACK,
    RecordFormat,
    bytes_left_over,
    count_records,
    header_end,
    lacks_delimiter,
    last_record_end,
    long_record_end,
)

LINES, NUL = RecordFormat(), RecordFormat(0)


def fixed(size: int, header: int = 0) -> RecordFormat:
    """Records of equal size; the delimiter has to mean nothing."""
    return RecordFormat(10, size, header)


def padded(data: bytes) -> bytearray:
    """The bytes with SLACK behind them, which hold delimiters that no cut may see."""
    return bytearray(data + b"\n\0" * (SLACK // 2))


def test_the_slack_is_that_of_the_kernels():
    """Buffers are made here, and read there."""
    assert kernels.load("records").SLACK == SLACK


# (bytes, format): where the last whole record ends, and how many records there are.
WHOLE = [
    (b"", LINES, 0, 0),
    (b"\n", LINES, 1, 1),
    (b"a", LINES, 0, 0),
    (b"a\n", LINES, 2, 1),
    (b"a\nb", LINES, 2, 1),
    (b"\n\n\n", LINES, 3, 3),
    (b"a\r\nb\r", LINES, 3, 1),
    (b"a\0b\n", LINES, 4, 1),
    (b"a\0b\n", NUL, 2, 1),
    (b"a\nb\n", NUL, 0, 0),
    (b"\0", NUL, 1, 1),
    (b"x" * 100 + b"\n" + b"y" * 100, LINES, 101, 1),
    (b"\xff\xfe\n\x1a\xef\xbb\xbf", LINES, 3, 1),
    (b"", fixed(3), 0, 0),
    (b"ab", fixed(3), 0, 0),
    (b"abc", fixed(3), 3, 1),
    (b"\n\n\n\n", fixed(3), 3, 1),
    (b"\n", fixed(1), 1, 1),
]


@pytest.mark.parametrize(("data", "form", "end", "count"), WHOLE)
def test_the_last_whole_record(data: bytes, form: RecordFormat, end: int, count: int):
    """Wherever in a buffer the records begin."""
    assert last_record_end(padded(data), 0, len(data), form) == end
    assert count_records(padded(data), 0, len(data), form) == count
    assert last_record_end(padded(b"\n\0zzz" + data), 5, 5 + len(data), form) == 5 + end
    assert count_records(padded(b"\n\0zzz" + data), 5, 5 + len(data), form) == count


# (bytes, bytes of the record before them, format): where the record ends, or 0.
LONG = [
    (b"", 8, LINES, 0),
    (b"\n", 8, LINES, 1),
    (b"aaaa", 8, LINES, 0),
    (b"aaa\n", 8, LINES, 4),
    (b"aa\nb\n", 8, LINES, 3),
    (b"\n\n", 8, LINES, 1),
    (b"a\n\0", 8, NUL, 3),
    (b"a\n", 8, NUL, 0),
    (b"aaaa", 0, fixed(10), 0),
    (b"aaaa", 5, fixed(10), 0),
    (b"aaaa", 6, fixed(10), 4),
    (b"\n\n\n\n", 8, fixed(10), 2),
    (b"aaaa", 9, fixed(10), 1),
]


@pytest.mark.parametrize(("data", "before", "form", "end"), LONG)
def test_the_end_of_a_long_record(data: bytes, before: int, form: RecordFormat, end: int):
    """What is behind the filled part of the buffer does not count."""
    assert long_record_end(padded(data), len(data), before, form) == end


# (bytes, format): where the header ends, or -1.
HEADERS = [
    (b"", RecordFormat(header=0), 0),
    (b"", RecordFormat(header=1), -1),
    (b"a", RecordFormat(header=1), -1),
    (b"a\n", RecordFormat(header=1), 2),
    (b"a\nb", RecordFormat(header=1), 2),
    (b"a\nb", RecordFormat(header=2), -1),
    (b"\n\n\n", RecordFormat(header=2), 2),
    (b"a\nb\0c", RecordFormat(0, header=1), 4),
    (b"a\nb\n", RecordFormat(0, header=1), -1),
    (b"abc", fixed(2, 1), 2),
    (b"abc", fixed(2, 2), -1),
    (b"\n\n\n\n", fixed(2, 2), 4),
    (b"abc", fixed(2, 0), 0),
]


@pytest.mark.parametrize(("data", "form", "end"), HEADERS)
def test_the_end_of_the_header(data: bytes, form: RecordFormat, end: int):
    """-1 asks for more bytes."""
    assert header_end(data, form) == end
    assert header_end(bytearray(data), form) == end


# (bytes of a whole input, format): does its last record lack a delimiter, and how many bytes are no whole record?
ENDS = [
    (b"", LINES, False, 0),
    (b"\n", LINES, False, 0),
    (b"a", LINES, True, 0),
    (b"a\n", LINES, False, 0),
    (b"a\nb", LINES, True, 0),
    (b"a\n\0", LINES, True, 0),
    (b"a\n\0", NUL, False, 0),
    (b"a\n", NUL, True, 0),
    (b"\r", LINES, True, 0),
    (b"abc", fixed(3), False, 0),
    (b"abcd", fixed(3), False, 1),
    (b"ab", fixed(3), False, 2),
]


@pytest.mark.parametrize(("data", "form", "lacks", "left"), ENDS)
def test_the_end_of_an_input(data: bytes, form: RecordFormat, lacks: bool, left: int):
    """Records of fixed size have no delimiter; others leave no bytes over."""
    assert lacks_delimiter(padded(data), len(data), form) == lacks
    assert bytes_left_over(len(data), form) == left


# (whole records, format): where each begins and ends.
BOUNDARIES = [
    (b"", LINES, []),
    (b"\n", LINES, [(0, 0)]),
    (b"a\n", LINES, [(0, 1)]),
    (b"a\nbc\n", LINES, [(0, 1), (2, 4)]),
    (b"\n\n", LINES, [(0, 0), (1, 1)]),
    (b"a\r\n", LINES, [(0, 2)]),
    (b"a\0\n", LINES, [(0, 2)]),
    (b"a\n\0b\0", NUL, [(0, 2), (3, 4)]),
    (b"\0\0", NUL, [(0, 0), (1, 1)]),
    (b"abcd", fixed(2), [(0, 2), (2, 4)]),
    (b"\n\n", fixed(1), [(0, 1), (1, 2)]),
    (b"", fixed(4), []),
]


@pytest.mark.parametrize(("data", "form", "expected"), BOUNDARIES)
def test_the_boundaries_of_records(data: bytes, form: RecordFormat, expected: list[tuple[int, int]]):
    """Delimiters belong to no record here."""
    batch = cut_records(data, 7, form)
    assert list(zip(batch.starts.tolist(), batch.ends.tolist(), strict=True)) == expected
    assert (batch.data, batch.first, batch.starts.dtype, batch.ends.dtype) == (data, 7, "int64", "int64")

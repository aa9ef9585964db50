"""Records in buffers of bytes: what a record is, and where a buffer is cut. Pure functions: nothing is read here.

An input is read into a buffer of the caller's. Its whole records are a chunk; what is cut off begins the next one.

    buffer   [ carried ........ | read now ............ | cut off ]
             0                                          end       filled
             rest of the last     end of the last whole record     carried to the next chunk
             chunk

A record that fills the buffer without an end is given in fragments instead:

    [ first fragment ........ ]  [ fragment .............. ]  [ last fragment | cut off ]
                                                                              end

Every buffer has SLACK bytes behind what is looked at: the compiled loops read in steps of many bytes.
"""

from __future__ import annotations

import mmap
from typing import NamedTuple

from corpustools import kernels

SLACK = 64
# What records are cut in: something with find() whose bytes stay where they are.
Buffer = bytearray | mmap.mmap


class RecordFormat(NamedTuple):
    """What a record is.

    Attributes:
        delimiter: the byte that ends a record.
        record_bytes: the size of fixed-size records, or 0. They have no delimiter.
        header: how many records at the top of each input are no data.
    """

    delimiter: int = 10
    record_bytes: int = 0
    header: int = 0


class Chunk(NamedTuple):
    """Whole records of one input, at data[start:stop], until the buffer is filled again.

    Attributes:
        data: a buffer with SLACK bytes behind `stop`.
        start: where the first record begins.
        stop: where the last record ends, its delimiter included.
        input: the number of the input, from 0.
        offset: decoded bytes of the input before the first record.
        mapped: whether the records stay where they are as long as their reader is used.
    """

    data: Buffer
    start: int
    stop: int
    input: int
    offset: int
    mapped: bool = False


class Fragment(NamedTuple):
    """The next bytes of a record that is longer than a buffer, at data[:size], until the buffer is filled again.

    All fragments of a record but the last fill the buffer.

    Attributes:
        data: a buffer with SLACK bytes behind `size`.
        size: bytes.
        input: the number of the input, from 0.
        offset: decoded bytes of the input before the fragment.
        first: whether the record begins here.
        last: whether the record ends here.
        adds_delimiter: whether the last byte is a delimiter that the input lacks.
    """

    data: Buffer
    size: int
    input: int
    offset: int
    first: bool
    last: bool
    adds_delimiter: bool


def last_record_end(data: Buffer, start: int, stop: int, form: RecordFormat) -> int:
    """Return where the last whole record of data[start:stop] ends, or `start` where none does.

    Args:
        data: a record begins at `start`.
        start: the first byte.
        stop: behind the last byte; SLACK bytes follow.
        form: what a record is.
    """
    if form.record_bytes:
        return stop - (stop - start) % form.record_bytes
    end: int = kernels.load("records").last_end(data, start, stop, form.delimiter)
    return end


def count_records(data: Buffer, start: int, stop: int, form: RecordFormat) -> int:
    """Return how many records end in data[start:stop]; see `last_record_end` for the arguments."""
    if form.record_bytes:
        return (stop - start) // form.record_bytes
    count: int = kernels.load("records").count_delimiters(data, start, stop, form.delimiter)
    return count


def long_record_end(data: Buffer, filled: int, before: int, form: RecordFormat) -> int:
    """Return where in data[:filled] a record ends of which `before` bytes went by already, or 0 where it goes on."""
    if form.record_bytes:
        left = form.record_bytes - before
        return left if left <= filled else 0
    return data.find(bytes([form.delimiter]), 0, filled) + 1


def header_end(head: bytes | bytearray, form: RecordFormat) -> int:
    """Return where the header ends at the front of an input, or -1 where `head` does not hold all of it."""
    if form.record_bytes:
        end = form.header * form.record_bytes
        return end if end <= len(head) else -1
    end = 0
    for _ in range(form.header):
        end = head.find(form.delimiter, end) + 1
        if not end:
            return -1
    return end


def lacks_delimiter(data: Buffer | bytes, filled: int, form: RecordFormat) -> bool:
    """Return whether the last record of an input that ends at data[:filled] has no delimiter."""
    return not form.record_bytes and filled > 0 and data[filled - 1] != form.delimiter


def bytes_left_over(size: int, form: RecordFormat) -> int:
    """Return how many of an input's `size` bytes are no whole record of fixed size."""
    return size % form.record_bytes if form.record_bytes else 0

# cython: language_level=3, boundscheck=False, wraparound=False, freethreading_compatible=True
"""Rows of ids on their way into bytes, compiled. Twin: plain.py."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

include "../buffers.pxi"

cdef extern from "decimals.h" nogil:
    ctypedef struct text:
        const uint8_t *bytes
        int64_t size
    ctypedef struct digit_table:
        uint32_t *alone
    int64_t DECIMAL_SLACK
    int64_t write_rows_32(const int32_t *, const int64_t *, int64_t, const text *, const text *, const text *,
                          const digit_table *, uint8_t *, int64_t *)
    int64_t write_rows_64(const int64_t *, const int64_t *, int64_t, const text *, const text *, const text *,
                          const digit_table *, uint8_t *, int64_t *)


cdef int64_t rising(const int64_t *ends, int64_t count) noexcept nogil:
    """Return the last end, or 0 if there is none; -1 if an end lies before the one in front of it, or before 0."""
    cdef int64_t i, last = 0
    for i in range(count):
        if ends[i] < last:
            return -1
        last = ends[i]
    return last


cdef void join(const uint8_t *heads, const int64_t *head_ends, const uint8_t *bodies, const int64_t *body_ends,
               int64_t count, uint8_t *out) noexcept nogil:
    cdef int64_t i, head = 0, body = 0
    for i in range(count):
        memcpy(out, heads + head, head_ends[i] - head)
        out += head_ends[i] - head
        head = head_ends[i]
        memcpy(out, bodies + body, body_ends[i] - body)
        out += body_ends[i] - body
        body = body_ends[i]


def interleave(heads, head_ends, bodies, body_ends, out):
    """Write head and body of each row, row by row; return the bytes that were written.

    Args:
        heads: the bytes of all heads, one behind another.
        head_ends: where each ends, int64.
        bodies: the bytes of all bodies, one behind another.
        body_ends: where each ends, int64; as many.
        out: receives all of them.

    Raises:
        ValueError: ends do not rise, or do not fit the bytes or each other, or `out` is too small.
    """
    cdef views held
    cdef const uint8_t *head_bytes
    cdef const uint8_t *body_bytes
    cdef const int64_t *head_at
    cdef const int64_t *body_at
    cdef uint8_t *target
    cdef int64_t count, head_size, body_size, head_last, body_last
    held.count = 0
    try:
        head_bytes = <const uint8_t *>take(&held, heads, 0, False)
        head_size = taken(&held)
        head_at = <const int64_t *>take(&held, head_ends, 0, False)
        count = taken(&held) // 8
        body_bytes = <const uint8_t *>take(&held, bodies, 0, False)
        body_size = taken(&held)
        body_at = <const int64_t *>take(&held, body_ends, 8 * count, False)
        if taken(&held) // 8 != count:
            raise ValueError("heads and bodies are not equally many")
        with nogil:
            head_last = rising(head_at, count)
            body_last = rising(body_at, count)
        if not 0 <= head_last <= head_size or not 0 <= body_last <= body_size:
            raise ValueError("the ends of rows do not rise, or lie outside of their bytes")
        target = <uint8_t *>take(&held, out, head_last + body_last, True)
        with nogil:
            join(head_bytes, head_at, body_bytes, body_at, count, target)
        return head_last + body_last
    finally:
        release(&held)


cdef int64_t encode(const int32_t *ids, const int64_t *ends, int64_t count, uint8_t *out,
                    int64_t *out_ends) noexcept nogil:
    """Write the varints; return their bytes, or -1 where an id is negative."""
    cdef int64_t i, at = 0, written = 0
    cdef uint32_t value
    for i in range(count):
        while at < ends[i]:
            value = <uint32_t>ids[at]
            if value >> 31:
                return -1
            while value >= 0x80:
                out[written] = <uint8_t>(value | 0x80)
                written += 1
                value >>= 7
            out[written] = <uint8_t>value
            written += 1
            at += 1
        out_ends[i] = written
    return written


def varints(ids, ends, out, out_ends):
    """Write ids as varints of the protobuf wire format, row by row; return the bytes that were written.

    Args:
        ids: int32, none negative, of all rows, one after another.
        ends: where each row ends in `ids`, int64.
        out: receives the bytes; it has room for 5 bytes an id.
        out_ends: receives where each row ends in `out`, int64.

    Raises:
        ValueError: an id is negative, ends do not rise or lie outside of `ids`, or there is too little room.
    """
    cdef views held
    cdef const int32_t *values
    cdef const int64_t *row_ends
    cdef uint8_t *target
    cdef int64_t *target_ends
    cdef int64_t size, count, last, written
    held.count = 0
    try:
        values = <const int32_t *>take(&held, ids, 0, False)
        size = taken(&held) // 4
        row_ends = <const int64_t *>take(&held, ends, 0, False)
        count = taken(&held) // 8
        with nogil:
            last = rising(row_ends, count)
        if not 0 <= last <= size:
            raise ValueError("the ends of rows do not rise, or lie outside of the ids")
        target = <uint8_t *>take(&held, out, 5 * last, True)
        target_ends = <int64_t *>take(&held, out_ends, 8 * count, True)
        with nogil:
            written = encode(values, row_ends, count, target, target_ends)
        if written < 0:
            raise ValueError("a negative id")
        return written
    finally:
        release(&held)


cdef text taken_text(views *held, source) except *:
    cdef text one
    one.bytes = <const uint8_t *>take(held, source, 0, False)
    one.size = taken(held)
    return one


cdef int64_t write_rows(const void *numbers, int width, const int64_t *ends, int64_t rows, const text *before,
                        const text *between, const text *after, const digit_table *table, uint8_t *out,
                        int64_t *out_ends) noexcept nogil:
    if width == 4:
        return write_rows_32(<const int32_t *>numbers, ends, rows, before, between, after, table, out, out_ends)
    return write_rows_64(<const int64_t *>numbers, ends, rows, before, between, after, table, out, out_ends)


def decimals(numbers, int width, ends, before, between, after, table, out, out_ends):
    """Write rows of decimal numbers with text around them; return the bytes that were written.

    Args:
        numbers: int32 or int64, none negative, of all rows, one after another.
        width: bytes of a number, 4 or 8.
        ends: where each row ends in `numbers`, int64.
        before: what stands before the first number of each row.
        between: what stands between two numbers, at most 8 bytes.
        after: what stands behind the last number of each row.
        table: the digits of 0 to 999 in three forms: in front of three more digits (0 is nothing there), always three,
            and alone. A number has four bytes: its digits from the left, and in the last byte how many.
        out: receives the bytes; it has the room that `decimals_size` tells.
        out_ends: receives where each row ends in `out`, int64.

    Raises:
        ValueError: a number is negative, ends do not rise or lie outside of `numbers`, there is too little room, or
            width or `between` are other than said.
    """
    cdef views held
    cdef const void *values
    cdef const int64_t *row_ends
    cdef uint8_t *target
    cdef int64_t *target_ends
    cdef const digit_table *digits
    cdef int64_t size, count, last, written
    cdef text first, gap, final
    held.count = 0
    try:
        values = take(&held, numbers, 0, False)
        size = taken(&held) // (width if width == 4 or width == 8 else 1 << 62)
        row_ends = <const int64_t *>take(&held, ends, 0, False)
        count = taken(&held) // 8
        first, gap, final = taken_text(&held, before), taken_text(&held, between), taken_text(&held, after)
        with nogil:
            last = rising(row_ends, count)
        if not 0 <= last <= size or gap.size > 8:
            raise ValueError("the ends of rows do not rise, or lie outside of the numbers")
        digits = <const digit_table *>take(&held, table, sizeof(digit_table), False)
        target = <uint8_t *>take(&held, out, decimals_size(last, width, count, before, between, after), True)
        target_ends = <int64_t *>take(&held, out_ends, 8 * count, True)
        with nogil:
            written = write_rows(values, width, row_ends, count, &first, &gap, &final, digits, target, target_ends)
        if written < 0:
            raise ValueError("a negative number")
        return written
    finally:
        release(&held)


def decimals_size(int64_t numbers, int width, int64_t rows, before, between, after):
    """Return the most bytes that `decimals` writes, and some that it needs behind them."""
    cdef int64_t digits = 10 if width == 4 else 19
    return numbers * (digits + len(between)) + rows * (len(before) + len(after)) + 2 * DECIMAL_SLACK


include "arrays.pxi"
include "dictionary.pxi"
include "levels.pxi"

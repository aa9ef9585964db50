# cython: language_level=3, boundscheck=False, wraparound=False, freethreading_compatible=True
"""Rows of ids on their way into bytes, compiled. Twin: plain.py."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.string cimport memcpy

include "../buffers.pxi"


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

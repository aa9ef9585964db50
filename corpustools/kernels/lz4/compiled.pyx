# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, freethreading_compatible=True
"""Blocks of the LZ4 format, compiled. Twin: plain.py."""

from libc.stdint cimport int64_t, uint8_t, uint16_t

include "../buffers.pxi"

cdef extern from "lz4.h" nogil:
    const int64_t LZ4_TABLE_BYTES
    int64_t lz4_compress(const uint8_t *, int64_t, uint8_t *, int64_t, uint16_t *)
    int64_t lz4_decompress(const uint8_t *, int64_t, uint8_t *, int64_t)

TABLE_BYTES = LZ4_TABLE_BYTES


cdef uint8_t *part(views *held, object source, int64_t start, int64_t size, bint writable) except NULL:
    """Hold a buffer and return where its bytes from `start` on begin, `size` of them."""
    cdef uint8_t *first = <uint8_t *>take(held, source, 0, writable)
    if start < 0 or size < 0 or start > taken(held) or size > taken(held) - start:
        raise ValueError(f"bytes {start} to {start + size} of a buffer of {taken(held)}")
    return first + start


def compress(text, int64_t start, int64_t size, out, int64_t at, int64_t room, table):
    """Write some bytes of a text as a block to `room` bytes of `out`; see plain.compress."""
    cdef views held
    cdef const uint8_t *first
    cdef uint8_t *target
    cdef uint16_t *places
    cdef int64_t result
    held.count = 0
    try:
        first = part(&held, text, start, size, False)
        target = part(&held, out, at, room, True)
        places = <uint16_t *>take(&held, table, LZ4_TABLE_BYTES, True)
        if <size_t>places % sizeof(uint16_t):
            raise ValueError("the table is not aligned")
        with nogil:
            result = lz4_compress(first, size, target, room, places)
        return result
    finally:
        release(&held)


def decompress(block, int64_t start, int64_t size, out, int64_t at, int64_t room):
    """Write the text of a block to `room` bytes of `out`; see plain.decompress."""
    cdef views held
    cdef const uint8_t *first
    cdef uint8_t *target
    cdef int64_t result
    held.count = 0
    try:
        first = part(&held, block, start, size, False)
        target = part(&held, out, at, room, True)
        with nogil:
            result = lz4_decompress(first, size, target, room)
        return result
    finally:
        release(&held)

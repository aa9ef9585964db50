# cython: language_level=3, boundscheck=False, wraparound=False, freethreading_compatible=True
"""Records in a pool of blocks, compiled (layout: records.h, loops: dispatch.h). Twin: plain.py."""

from libc.stdint cimport UINT64_MAX, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from corpustools.kernels.records.layout import NO_BLOCK, SLACK
from corpustools.kernels.records.status import Torn, Truncated

include "../buffers.pxi"

cdef extern from "dispatch.h" nogil:
    const Py_ssize_t SLACK_BYTES "SLACK"
    const uint64_t NOTHING "NO_BLOCK"
    ctypedef enum status_t:
        STATUS_DONE "DONE"
        STATUS_NEEDS_BLOCKS "NEEDS_BLOCKS"
        STATUS_OUT_OF_SPAN "OUT_OF_SPAN"
        STATUS_LISTS_FULL "LISTS_FULL"
        STATUS_TORN "TORN"
        STATUS_TRUNCATED "TRUNCATED"
    ctypedef struct bucket_t:
        uint64_t head, open
    ctypedef struct scatter_t:
        uint8_t *pool
        uint32_t *links
        bucket_t *buckets
        uint32_t *free
        uint64_t free_count, block_bytes
        uint64_t low, span, shift, k0, k1, mask, checksum, skipped, check_skipped
    ctypedef struct walk_t:
        uint64_t block, offset, available, number
    ctypedef struct chain_t:
        const uint8_t *pool
        const uint32_t *links
        uint64_t block_bytes, blocks
    ctypedef struct spot_t:
        uint64_t place, size
    ctypedef struct lists_t:
        uint64_t *words
        uint64_t *numbers
        spot_t *spots
        uint64_t count, most
    ctypedef struct output_t:
        uint8_t *bytes
        uint64_t used, capacity, checksum, next
        uint64_t reference[2]
    int guard_install()
    status_t count_in "count_delimiters"(const uint8_t *start, const uint8_t *stop, uint8_t delimiter, uint64_t *result)
    status_t last_end_in "last_end"(const uint8_t *start, const uint8_t *stop, uint8_t delimiter, uint64_t *result)
    status_t torn_field_in(const uint8_t *start, const uint8_t *stop, uint8_t delimiter, uint8_t separator,
                           uint64_t *result)
    void draw_keys_to "draw_keys"(uint64_t first, uint64_t n, uint64_t k0, uint64_t k1, uint64_t *keys, int portable)
    uint64_t checksum_of "checksum"(const uint8_t *data, uint64_t size, uint32_t group)
    status_t scatter(scatter_t *to, const uint8_t *data, uint64_t *at, uint64_t stop, uint64_t *number,
                     uint8_t delimiter, uint64_t record_bytes, int mapped)
    status_t sift(scatter_t *to, const uint8_t *data, uint64_t *at, uint64_t stop, uint64_t *number, uint64_t count,
                  uint8_t delimiter, uint64_t record_bytes, int mapped)
    status_t refer(scatter_t *to, uint64_t number, uint64_t place, uint64_t length)
    status_t redistribute(scatter_t *to, uint64_t blocks, walk_t *walk, uint64_t *count)
    status_t list_stream "index_stream"(const chain_t *source, walk_t walk, uint64_t count, uint32_t least,
                                        uint32_t greatest, lists_t *lists)
    status_t copy_records "gather"(const chain_t *source, const lists_t *lists, uint64_t first, uint64_t stop,
                                   output_t *output)

# Whether records may stay in a mapped input (Scatter.run).
MAPS = True

STATUSES = {
    "DONE": STATUS_DONE, "NEEDS_BLOCKS": STATUS_NEEDS_BLOCKS, "OUT_OF_SPAN": STATUS_OUT_OF_SPAN,
    "LISTS_FULL": STATUS_LISTS_FULL, "TORN": STATUS_TORN, "TRUNCATED": STATUS_TRUNCATED,
}


def guard():
    """Turn the signal that a shrinking mapped input raises into Truncated, from now on."""
    if guard_install():
        raise OSError("no handler for SIGBUS can be installed")


cdef int _settle(int status) except -1:
    """Raise what is nobody's plan; return any other status."""
    if status == STATUS_TORN:
        raise Torn("a stream is torn, or the lists point outside the pool")
    if status == STATUS_TRUNCATED:
        raise Truncated
    return status


cdef uint8_t *_span(views *held, object data, uint64_t start, uint64_t stop, bint writable=False) except NULL:
    """Hold a buffer that has the bytes start … stop and the slack behind them; return its first byte."""
    cdef uint8_t *first = <uint8_t *>take(held, data, 0, writable)
    cdef Py_ssize_t size = held.buffers[held.count - 1].len
    if start > stop or size < SLACK_BYTES or stop > <uint64_t>size - SLACK_BYTES:
        raise ValueError(f"bytes {start} to {stop} and {SLACK_BYTES} behind them are not all in {size} bytes")
    return first


def count_delimiters(data, uint64_t start, uint64_t stop, uint8_t delimiter):
    """Return how many bytes of data[start:stop] are the delimiter."""
    cdef views held
    cdef uint8_t *first
    cdef uint64_t result = 0
    cdef int status
    held.count = 0
    try:
        first = _span(&held, data, start, stop)
        with nogil:
            status = count_in(first + start, first + stop, delimiter, &result)
        _settle(status)
        return result
    finally:
        release(&held)


def last_end(data, uint64_t start, uint64_t stop, uint8_t delimiter):
    """Return one past the last delimiter in data[start:stop], or `start` where there is none."""
    cdef views held
    cdef uint8_t *first
    cdef uint64_t result = 0
    cdef int status
    held.count = 0
    try:
        first = _span(&held, data, start, stop)
        with nogil:
            status = last_end_in(first + start, first + stop, delimiter, &result)
        _settle(status)
        return start + result
    finally:
        release(&held)


def torn_field(data, uint64_t start, uint64_t stop, uint8_t delimiter, uint8_t separator):
    """Return where the first record of data[start:stop] begins that ends inside a quoted field, or `stop`."""
    cdef views held
    cdef uint8_t *first
    cdef uint64_t result = 0
    cdef int status
    held.count = 0
    try:
        first = _span(&held, data, start, stop)
        with nogil:
            status = torn_field_in(first + start, first + stop, delimiter, separator, &result)
        _settle(status)
        return start + result
    finally:
        release(&held)


def checksum(data, uint64_t start, uint64_t stop, uint64_t offset):
    """Return what data[start:stop] adds to the checksum, standing `offset` bytes (a multiple of 32) into its record."""
    cdef views held
    cdef uint8_t *first
    cdef uint64_t result
    held.count = 0
    try:
        first = _span(&held, data, start, stop)
        if offset % 32:
            raise ValueError(f"the offset {offset} is no multiple of 32")
        with nogil:
            result = checksum_of(first + start, stop - start, <uint32_t>(offset // 32))
        return result
    finally:
        release(&held)


def draw_keys(uint64_t first, Py_ssize_t count, uint64_t k0, uint64_t k1, out, bint portable=False):
    """Write the sort keys (u64) of records first … first + count - 1 to `out`.

    `portable` asks for the loop that runs on any processor.
    """
    cdef views held
    cdef uint64_t *keys
    held.count = 0
    try:
        keys = <uint64_t *>take(&held, out, 8 * count, True)
        with nogil:
            draw_keys_to(first, count, k0, k1, keys, portable)
    finally:
        release(&held)


cdef uint64_t _checked_block_bytes(uint64_t block_bytes) except 0:
    if block_bytes < 256 or block_bytes & (block_bytes - 1):
        raise ValueError(f"{block_bytes} bytes a block: need a power of two from 256")
    return block_bytes


include "scatter.pxi"
include "streams.pxi"

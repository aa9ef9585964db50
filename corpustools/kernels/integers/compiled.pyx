# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, freethreading_compatible=True
"""Integers n = a b + c, compiled: the search, the window of many n, rows of text. Twin: plain.py."""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memchr

cdef extern from "integers.h" nogil:
    ctypedef struct nabc_pattern:
        const char *text[6]
        int64_t length[6]
    void nabc_scan(uint64_t p, uint64_t x, double p_float, double x_float, int64_t count, int pad,
                   int64_t *best, int64_t *at)
    void nabc_scan_halves(uint64_t p_high, uint64_t p_low, uint64_t x_high, uint64_t x_low, int64_t count,
                          int pad, int64_t *best, int64_t *at)
    void nabc_solve(uint64_t n, uint64_t *a, uint64_t *b)
    void nabc_mark(uint64_t p, uint64_t x, double p_float, double x_float, int64_t count, uint32_t first,
                   uint64_t size, uint32_t *marks)
    int64_t nabc_breakpoints(const uint32_t *marks, int64_t size, int64_t best, uint32_t *where,
                             uint32_t *sums, int64_t *highest)
    char *nabc_row(char *out, const nabc_pattern *pattern, uint64_t n, uint64_t a, uint64_t b)
    const char *nabc_line(const char *text, const char *end, uint64_t *value)

include "../buffers.pxi"

_MASK = (1 << 64) - 1


cdef int64_t read_pattern(const char *text, Py_ssize_t length, nabc_pattern *pattern) except -1:
    """Split at NUL into six pieces; return the length of the longest row."""
    cdef const char *end = text + length
    cdef const char *stop
    cdef int64_t longest = 5 * 20
    cdef int i
    for i in range(6):
        stop = <const char *>memchr(text, 0, end - text) if i < 5 else end
        if stop == NULL:
            raise ValueError("a pattern has six pieces, separated by NUL")
        pattern.text[i] = text
        pattern.length[i] = stop - text
        longest += stop - text
        text = stop + 1
    return longest


def scan(p, x, int64_t count, int64_t best, bint pad):
    """Take steps k = 0 … count - 1 of the search from the sum p, where x = p^2 - 4 n.

    Returns (least k + c, the largest k with it), or (best, -1) where no step reaches `best` or less. Steps
    beyond the best are left out. x > 0 (pad: x >= 0) and x + 2 p < 2^124 at every step; best <= 2^62.
    """
    cdef int64_t at = -1
    cdef uint64_t p_low = p & _MASK, x_low = x & _MASK, p_high, x_high
    cdef double p_float, x_float
    end = (p + count) ** 2 - p * p + x
    if count < 0 or best > 1 << 62 or x < (0 if pad else 1) or max(end, 2 * (p + count)) >= 1 << 124:
        raise ValueError(f"x = {x} is out of range")
    if end < 1 << 100:
        p_float, x_float = p, x
        with nogil:
            nabc_scan(p_low, x_low, p_float, x_float, count, pad, &best, &at)
    else:
        p_high, x_high = p >> 64, x >> 64
        with nogil:
            nabc_scan_halves(p_high, p_low, x_high, x_low, count, pad, &best, &at)
    return best, at


def mark(p, x, int64_t count, uint32_t first, marks):
    """Lower marks[i] to first + k wherever the window's i-th number is a b with a + b = p + k, k < count.

    x = p^2 - 4 n for the last number n of the window; x <= 0 for every step, or x > 0 for every step.
    `marks` holds 32-bit integers. All products of the window must have a + b >= p for x <= 0.
    """
    cdef views held
    cdef uint32_t *mark
    cdef int64_t size
    cdef uint64_t p_low = p & _MASK, x_low = x & _MASK
    cdef double p_float = p, x_float = x if x > 0 else -1
    if (p + count) ** 2 - p * p + x >= 1 << 100 or first + count >= (1 << 32) - 1:
        raise ValueError(f"x = {x} is out of range")
    held.count = 0
    try:
        mark = <uint32_t *>take(&held, marks, 0, True)
        size = taken(&held) // 4
        with nogil:
            nabc_mark(p_low, x_low, p_float, x_float, count, first, size, mark)
    finally:
        release(&held)


def breakpoints(marks, int64_t best, where, sums):
    """Run f(n) = min(f(n - 1) + 1, mark of n) over the window, `best` being f(n - 1) + 1 of its first number.

    Writes the indexes and marks where the mark wins (ties are wins); returns (their number, the largest f).
    """
    cdef views held
    cdef const uint32_t *mark
    cdef uint32_t *place
    cdef uint32_t *total
    cdef int64_t size, room, found, highest = 0
    held.count = 0
    try:
        mark = <const uint32_t *>take(&held, marks, 0, False)
        size = taken(&held)
        place = <uint32_t *>take(&held, where, 0, True)
        room = taken(&held)
        total = <uint32_t *>take(&held, sums, 0, True)
        if min(room, taken(&held)) < size:
            raise ValueError("the buffers for the breakpoints are shorter than the marks")
        with nogil:
            found = nabc_breakpoints(mark, size // 4, best, place, total, &highest)
        return found, highest
    finally:
        release(&held)


def rows(numbers, a, b, pattern, out):
    """Write a row for each n, with its a, b and c = n - a b: 64-bit integers, a b <= n, the sum < 2^64.

    Returns the bytes written.
    """
    cdef views held
    cdef nabc_pattern pieces
    cdef const uint64_t *n
    cdef const uint64_t *one
    cdef const uint64_t *other
    cdef const char *split
    cdef char *first
    cdef char *target
    cdef Py_ssize_t i, count, fewest
    cdef int64_t longest
    held.count = 0
    try:
        split = <const char *>take(&held, pattern, 0, False)
        longest = read_pattern(split, taken(&held), &pieces)
        n = <const uint64_t *>take(&held, numbers, 0, False)
        count = taken(&held) // 8
        one = <const uint64_t *>take(&held, a, 0, False)
        fewest = taken(&held) // 8
        other = <const uint64_t *>take(&held, b, 0, False)
        fewest = min(fewest, taken(&held) // 8)
        first = target = <char *>take(&held, out, 0, True)
        if taken(&held) // longest < count:
            raise ValueError(f"{count} rows do not fit into {taken(&held)} bytes")
        if fewest < count:
            raise ValueError("the arrays differ in length")
        with nogil:
            for i in range(count):
                target = nabc_row(target, &pieces, n[i], one[i], other[i])
        return target - first
    finally:
        release(&held)


def lines(text, Py_ssize_t start, pattern, out):
    """Answer whole lines of plain digits below 2^64 from text[start:], a row each, up to any other line.

    Returns (where it stopped in the text, bytes written, lines answered); a full `out` stops it as well.
    """
    cdef views held
    cdef nabc_pattern pieces
    cdef const char *split
    cdef const char *begin
    cdef const char *at
    cdef const char *after
    cdef const char *end
    cdef char *first
    cdef char *target
    cdef char *last
    cdef uint64_t n = 0, a = 0, b = 0
    cdef int64_t count = 0, longest
    held.count = 0
    try:
        split = <const char *>take(&held, pattern, 0, False)
        longest = read_pattern(split, taken(&held), &pieces)
        first = target = <char *>take(&held, out, 0, True)
        if taken(&held) < longest:
            raise ValueError(f"a row may take {longest} bytes, the buffer has {taken(&held)}")
        last = target + taken(&held) - longest
        begin = <const char *>take(&held, text, 0, False)
        end = begin + taken(&held)
        if not 0 <= start <= taken(&held):
            raise ValueError(f"no byte {start} in a text of {taken(&held)}")
        at = begin + start
        with nogil:
            while at < end and target <= last:
                after = nabc_line(at, end, &n)
                if after == NULL:
                    break
                nabc_solve(n, &a, &b)
                target = nabc_row(target, &pieces, n, a, b)
                count += 1
                at = after
        return at - begin, target - first, count
    finally:
        release(&held)

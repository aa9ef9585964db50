# cython: language_level=3, boundscheck=False, wraparound=False, freethreading_compatible=True
"""The keyed order, compiled: Philox4x64-10 words of record numbers, and sorting by them. Twin: plain.py."""

from libc.stdint cimport uint64_t

cdef extern from "../philox.h" nogil:
    void philox4x64(uint64_t c0, uint64_t c1, uint64_t k0, uint64_t k1, uint64_t *out)

cdef extern from "sort.h" nogil:
    int entries_in_range(const uint64_t *words, uint64_t n)
    void sort_words(uint64_t *words, uint64_t *sorted, uint64_t n)
    void settle_ties(uint64_t *words, const uint64_t *numbers, uint64_t n, uint64_t k0, uint64_t k1, uint64_t mask)

include "../buffers.pxi"



def words(uint64_t first, Py_ssize_t count, uint64_t k0, uint64_t k1, out):
    """Write the four Philox words of counters first … first + count - 1 to `out`, 32 bytes each."""
    cdef views held
    cdef uint64_t *target
    cdef Py_ssize_t i
    held.count = 0
    try:
        target = <uint64_t *>take(&held, out, 32 * count, True)
        with nogil:
            for i in range(count):
                philox4x64(first + <uint64_t>i, 0, k0, k1, target + 4 * i)
    finally:
        release(&held)


def sort(entries, ordered, numbers, Py_ssize_t count, uint64_t k0, uint64_t k1, uint64_t mask):
    """Sort `count` entries (upper half: key bits, lower half: place in `numbers`) into `ordered`, ties settled.

    All three are buffers of u64; entries is used up. The order is that of (key, further 64 bits, number).
    """
    cdef views held
    cdef uint64_t *source
    cdef uint64_t *target
    cdef const uint64_t *names
    cdef int sound
    held.count = 0
    try:
        source = <uint64_t *>take(&held, entries, 8 * count, True)
        target = <uint64_t *>take(&held, ordered, 8 * count, True)
        names = <const uint64_t *>take(&held, numbers, 8 * count, False)
        with nogil:
            sound = entries_in_range(source, count)
            if sound:
                sort_words(source, target, count)
                settle_ties(target, names, count, k0, k1, mask)
        if not sound:
            raise ValueError("an entry points outside the list of numbers")
    finally:
        release(&held)

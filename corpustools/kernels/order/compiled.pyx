# cython: language_level=3, boundscheck=False, wraparound=False, freethreading_compatible=True
"""The keyed order, compiled: Philox4x64-10 words of record numbers, and sorting by them. Twin: plain.py."""

from libc.stdint cimport uint64_t
from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer, Py_buffer

cdef extern from "../philox.h" nogil:
    void philox4x64(uint64_t c0, uint64_t c1, uint64_t k0, uint64_t k1, uint64_t *out)

cdef extern from "sort.h" nogil:
    int entries_in_range(const uint64_t *words, uint64_t n)
    void sort_words(uint64_t *words, uint64_t *sorted, uint64_t n)
    void settle_ties(uint64_t *words, const uint64_t *numbers, uint64_t n, uint64_t k0, uint64_t k1, uint64_t mask)


def words(uint64_t first, Py_ssize_t count, uint64_t k0, uint64_t k1, out):
    """Write the four Philox words of counters first … first + count - 1 to `out`, 32 bytes each."""
    cdef Py_buffer view
    cdef uint64_t *target
    cdef Py_ssize_t i
    PyObject_GetBuffer(out, &view, PyBUF_SIMPLE | PyBUF_WRITABLE)
    try:
        if count < 0 or view.len < 32 * count:
            raise ValueError(f"{count} counters need {32 * count} bytes, the buffer has {view.len}")
        target = <uint64_t *>view.buf
        with nogil:
            for i in range(count):
                philox4x64(first + <uint64_t>i, 0, k0, k1, target + 4 * i)
    finally:
        PyBuffer_Release(&view)


def sort(entries, ordered, numbers, Py_ssize_t count, uint64_t k0, uint64_t k1, uint64_t mask):
    """Sort `count` entries (upper half: key bits, lower half: place in `numbers`) into `ordered`, ties settled.

    All three are buffers of u64; entries is used up. The order is that of (key, further 64 bits, number).
    """
    cdef Py_buffer source, target, names
    cdef int sound
    PyObject_GetBuffer(entries, &source, PyBUF_SIMPLE | PyBUF_WRITABLE)
    PyObject_GetBuffer(ordered, &target, PyBUF_SIMPLE | PyBUF_WRITABLE)
    PyObject_GetBuffer(numbers, &names, PyBUF_SIMPLE)
    try:
        if count < 0 or min(source.len, target.len, names.len) < 8 * count:
            raise ValueError(f"{count} entries need {8 * count} bytes in each buffer")
        with nogil:
            sound = entries_in_range(<uint64_t *>source.buf, count)
            if sound:
                sort_words(<uint64_t *>source.buf, <uint64_t *>target.buf, count)
                settle_ties(<uint64_t *>target.buf, <uint64_t *>names.buf, count, k0, k1, mask)
        if not sound:
            raise ValueError("an entry points outside the list of numbers")
    finally:
        PyBuffer_Release(&source)
        PyBuffer_Release(&target)
        PyBuffer_Release(&names)

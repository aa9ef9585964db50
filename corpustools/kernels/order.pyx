# cython: language_level=3, boundscheck=False, wraparound=False, freethreading_compatible=True
"""The keyed order, compiled: Philox4x64-10 words of record numbers. Twin: order_plain."""

from libc.stdint cimport uint64_t
from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer, Py_buffer

cdef extern from "philox.h" nogil:
    void philox4x64(uint64_t c0, uint64_t c1, uint64_t k0, uint64_t k1, uint64_t *out)


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

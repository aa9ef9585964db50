# Buffers of Python objects, held and checked while a kernel runs; included where needed.

from libc.stdint cimport uint32_t
from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer, Py_buffer


cdef struct views:
    Py_buffer buffers[16]
    int count


cdef void *take(views *held, object source, Py_ssize_t size, bint writable) except NULL:
    """Hold a buffer of at least `size` bytes and return its first byte."""
    cdef Py_buffer *view = held.buffers + held.count
    PyObject_GetBuffer(source, view, PyBUF_SIMPLE | (PyBUF_WRITABLE if writable else 0))
    held.count += 1
    if size < 0 or view.len < size:
        raise ValueError(f"a buffer of {view.len} bytes where {size} are needed")
    # numpy gives an empty array a pointer that may be null.
    return view.buf if view.buf != NULL else <void *>held


cdef void release(views *held) noexcept:
    while held.count:
        held.count -= 1
        PyBuffer_Release(held.buffers + held.count)


cdef uint32_t shift_of(Py_ssize_t size) except 0:
    """Return by how much a hash is shifted to be a number of one of the bits in `size` bytes."""
    cdef uint32_t shift = 29
    if size < 512 or size & (size - 1) or size > 1 << 28:
        raise ValueError("the bits of neighbours are a power of two, 2^12 to 2^31")
    while size > 1:
        size >>= 1
        shift -= 1
    return shift

# Buffers of Python objects, held and checked while a kernel runs. Every kernel that reads raw memory includes this:
#     cdef views held
#     held.count = 0
#     try:
#         text = <const uint8_t *>take(&held, data, 0, False)
#         size = taken(&held)
#     finally:
#         release(&held)

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


cdef inline Py_ssize_t taken(const views *held) noexcept:
    """Return the bytes of the buffer that was taken last."""
    return held.buffers[held.count - 1].len


cdef void release(views *held) noexcept:
    while held.count:
        held.count -= 1
        PyBuffer_Release(held.buffers + held.count)

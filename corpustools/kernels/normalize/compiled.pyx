# cython: language_level=3, boundscheck=False, wraparound=False, freethreading_compatible=True
"""SentencePiece's text normalisation, compiled. Twin: plain.py."""

from libc.stdint cimport int64_t, uint8_t, uint32_t
from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer, Py_buffer

cdef extern from "normalize.h" nogil:
    ctypedef struct rules:
        const uint32_t *units
        const uint8_t *strings
        const uint32_t *first
        const uint32_t *target
        const uint8_t *label
        const uint8_t *terminal
        const uint8_t *ascii
        const uint8_t *bmp
        int symbols
        int flags
    ctypedef struct progress:
        int64_t record
        int64_t position
        int64_t started
        int64_t space_before
        int64_t held
        int64_t written
    void prepare_steps(rules *t)
    int64_t steady_text(const uint8_t *bits, const uint8_t *text, int64_t n)
    int normalize_record(const rules *t, const uint8_t *text, int64_t n, int is_open, progress *p, uint8_t *out, int64_t room)


def normalize(tables, int flags, data, starts, ends, bint is_open, state, out, offsets):
    """Normalise records from where `state` stands; return True where `out` became full before the end.

    Args:
        tables: the eight buffers of a Charsmap, whose contents it has validated.
        flags: sum of 1 add_dummy_prefix, 2 remove_extra_whitespaces, 4 escape_whitespaces, 8 suffix.
        data: the text.
        starts: first byte of each record, int64.
        ends: end of each record, int64.
        is_open: more of the (single) record follows; what depends on it is left unconsumed.
        state: int64[6], zeros at first: record, position in it, started, space before, held spaces, written.
        out: receives the normalised text from state[5] on.
        offsets: offsets[i + 1] receives the end of record i in `out`, int64; one more than records.
    """
    cdef Py_buffer views[14]
    cdef int opened = 0
    cdef rules t
    cdef progress *p
    cdef const int64_t *start
    cdef const int64_t *end
    cdef const uint8_t *text
    cdef int64_t *offset
    cdef uint8_t *target
    cdef int64_t count, room, size
    cdef int full = 0, bad = 0
    try:
        for item in (*tables, data, starts, ends):
            PyObject_GetBuffer(item, &views[opened], PyBUF_SIMPLE)
            opened += 1
        for item in (state, out, offsets):
            PyObject_GetBuffer(item, &views[opened], PyBUF_SIMPLE | PyBUF_WRITABLE)
            opened += 1
        count = views[9].len // 8
        if (opened != 14 or views[6].len != 128 or views[7].len != 8192 or views[10].len != 8 * count
                or views[11].len < 48 or views[13].len < 8 * (count + 1) or (is_open and count != 1)):
            raise ValueError("the buffers do not fit each other")
        t.units = <const uint32_t *>views[0].buf if views[0].len else NULL
        t.strings = <const uint8_t *>views[1].buf
        t.first = <const uint32_t *>views[2].buf
        t.target = <const uint32_t *>views[3].buf
        t.label = <const uint8_t *>views[4].buf
        t.terminal = <const uint8_t *>views[5].buf
        t.ascii = <const uint8_t *>views[6].buf
        t.bmp = <const uint8_t *>views[7].buf
        t.symbols = views[4].len > 0
        t.flags = flags
        prepare_steps(&t)
        text = <const uint8_t *>views[8].buf
        size = views[8].len
        start = <const int64_t *>views[9].buf
        end = <const int64_t *>views[10].buf
        p = <progress *>views[11].buf
        target = <uint8_t *>views[12].buf
        room = views[12].len
        offset = <int64_t *>views[13].buf
        if p.record < 0 or p.position < 0 or p.held < 0 or p.written < 0 or p.written > room:
            raise ValueError("the state is damaged")
        with nogil:
            while p.record < count:
                if (start[p.record] < 0 or end[p.record] > size or start[p.record] > end[p.record]
                        or p.position > end[p.record] - start[p.record]):
                    bad = 1
                    break
                full = normalize_record(
                    &t, text + start[p.record], end[p.record] - start[p.record], is_open, p, target, room)
                if full or is_open:
                    break
                offset[p.record + 1] = p.written
                p.record += 1
                p.position = p.started = p.space_before = p.held = 0
        if bad:
            raise ValueError(f"record {p.record} lies outside the text")
        return full != 0
    finally:
        for i in range(opened):
            PyBuffer_Release(&views[i])


def steady(bits, data):
    """Return how many bytes of UTF-8 begin `data` whose characters have their bits set: 65,536 of them, 8,192 bytes."""
    cdef Py_buffer views[2]
    cdef int opened = 0
    cdef int64_t result
    try:
        PyObject_GetBuffer(bits, &views[0], PyBUF_SIMPLE)
        opened = 1
        PyObject_GetBuffer(data, &views[1], PyBUF_SIMPLE)
        opened = 2
        if views[0].len < 8192:
            raise ValueError("there is a bit for each of 65,536 characters")
        with nogil:
            result = steady_text(<const uint8_t *>views[0].buf, <const uint8_t *>views[1].buf, views[1].len)
        return result
    finally:
        for i in range(opened):
            PyBuffer_Release(&views[i])

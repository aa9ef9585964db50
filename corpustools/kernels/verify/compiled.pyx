# cython: language_level=3, boundscheck=False, wraparound=False, freethreading_compatible=True
"""Loops of `corpus verify`, compiled (spell.h, fingerprint.h, lines.h). Twin: plain.py."""

from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint64_t

cdef extern from "spell.h" nogil:
    ctypedef struct spelling:
        const uint8_t *bytes
        const int64_t *bounds
        const int32_t *first
        const int16_t *byte_of
        const uint8_t *known
        int64_t size, unknown, fuse, bos, eos, marks
    ctypedef struct windows:
        const int32_t *ids
        const int64_t *ends
        const uint8_t *text
        const int64_t *starts
        const int64_t *stops
        const uint8_t *chosen
        int64_t id_count, documents, records, open, ids_end
        uint64_t *hashes
    ctypedef struct where:
        int64_t id, text, document, record, stage, held_id, held_text, far_id, far_text, begin_id
    int spell(const spelling *s, const windows *w, where *p)

cdef extern from "fingerprint.h" nogil:
    void fingerprint(const uint8_t *at, int64_t size, const uint64_t *key, uint64_t *out)

cdef extern from "lines.h" nogil:
    int64_t c_read_lines "read_lines"(const uint8_t *text, int64_t size, int32_t *ids, int64_t *ends, int64_t *counts)

include "../buffers.pxi"

# Codes that a bit says of whether they are pieces.
cdef Py_ssize_t KNOWN_BYTES = 1 << 18


cdef int _ascending(const int64_t *values, int64_t count, int64_t least, int64_t most) except -1:
    """Check that numbers ascend within bounds."""
    cdef int64_t i
    for i in range(count):
        if values[i] < least or values[i] > most:
            raise ValueError(f"{values[i]} stands where {least} to {most} may")
        least = values[i]
    return 0


cdef int _within(const int64_t *starts, const int64_t *stops, int64_t count, int64_t size) except -1:
    """Check that records lie in their text."""
    cdef int64_t i
    for i in range(count):
        if starts[i] < 0 or starts[i] > stops[i] or stops[i] > size:
            raise ValueError(f"a record from {starts[i]} to {stops[i]} in {size} bytes")
    return 0


cdef class Spelling:
    """What the ids of a vocabulary write; see plain.Spelling for the arguments."""

    cdef views held
    cdef spelling inner

    def __cinit__(self, text, bounds, first, byte_of, known, int64_t size, int64_t unknown, bint fuse, int64_t bos,
                  int64_t eos, bint marks):
        cdef spelling *s = &self.inner
        cdef int64_t forms, i, bytes_
        self.held.count = 0
        s.bytes = <const uint8_t *>take(&self.held, text, 0, False)
        bytes_ = taken(&self.held)
        s.bounds = <const int64_t *>take(&self.held, bounds, 8, False)
        forms = taken(&self.held) // 8 - 1
        _ascending(s.bounds, forms + 1, 0, bytes_)
        for i in range(forms):
            if s.bounds[i] == s.bounds[i + 1]:
                raise ValueError("a form without bytes")
        if size < 0 or size > 1 << 31:
            raise ValueError(f"{size} ids")
        s.first = <const int32_t *>take(&self.held, first, 4 * (size + 1), False)
        for i in range(size + 1):
            if s.first[i] < (s.first[i - 1] if i else 0) or s.first[i] > forms:
                raise ValueError("the forms of an id are not among the forms")
        s.byte_of = <const int16_t *>take(&self.held, byte_of, 2 * size, False)
        s.known = <const uint8_t *>take(&self.held, known, KNOWN_BYTES, False)
        s.size, s.unknown, s.fuse, s.bos, s.eos, s.marks = size, unknown, fuse, bos, eos, marks

    def __dealloc__(self):
        release(&self.held)

    def run(self, where_, ids, ends, text, starts, stops, chosen, bint open_end, bint ids_end,
            hashes):
        """Go on until ids or text run out, or do not agree; return why it stopped."""
        cdef views held
        cdef windows w
        cdef where *p
        cdef int status
        held.count = 0
        try:
            p = <where *>take(&held, where_, 96, True)
            w.ids = <const int32_t *>take(&held, ids, 0, False)
            w.id_count = taken(&held) // 4
            w.text = <const uint8_t *>take(&held, text, 0, False)
            size = taken(&held)
            w.starts = <const int64_t *>take(&held, starts, 0, False)
            w.records = taken(&held) // 8
            w.stops = <const int64_t *>take(&held, stops, 8 * w.records, False)
            _within(w.starts, w.stops, w.records, size)
            w.hashes = <uint64_t *>take(&held, hashes, 8 * w.records, True)
            w.ends, w.documents, w.chosen, w.open, w.ids_end = NULL, 0, NULL, open_end, ids_end
            if ends is not None:
                w.ends = <const int64_t *>take(&held, ends, 0, False)
                w.documents = taken(&held) // 8
                _ascending(w.ends, w.documents, 0, w.id_count)
            if chosen is not None:
                w.chosen = <const uint8_t *>take(&held, chosen, w.records, False)
            _check_place(p, &w)
            with nogil:
                status = spell(&self.inner, &w, p)
            return status
        finally:
            release(&held)


cdef int _check_place(const where *p, const windows *w) except -1:
    """Check that a place lies in its windows."""
    cdef int64_t limit = w.id_count, low = p.id, high = p.text, stop = 0
    if p.document < 0 or p.record < 0 or p.record > w.records or p.stage < 0 or p.stage > 2:
        raise ValueError("the place is not in the windows")
    if w.ends != NULL and p.document < w.documents:
        limit = w.ends[p.document]
    if p.record < w.records:
        stop = w.stops[p.record]
    if p.held_id >= 0:
        low, high = min(low, p.held_id), max(high, p.held_text)
    if low < 0 or p.id > limit or p.held_id > limit:
        raise ValueError("the place is not among the ids of its document")
    if p.stage == 1 and p.record < w.records and (
            p.text < w.starts[p.record] or high > stop or (p.held_id >= 0 and p.held_text < w.starts[p.record])):
        raise ValueError("the place is not in the text of its record")
    return 0


def fingerprints(data, starts, stops, key, out):
    """Write the fingerprint of each record data[starts[i]:stops[i]] under a key of four words; two words each."""
    cdef views held
    cdef const uint8_t *text
    cdef const int64_t *begin
    cdef const int64_t *end
    cdef const uint64_t *words
    cdef uint64_t *target
    cdef Py_ssize_t i, count, size
    held.count = 0
    try:
        text = <const uint8_t *>take(&held, data, 0, False)
        size = taken(&held)
        begin = <const int64_t *>take(&held, starts, 0, False)
        count = taken(&held) // 8
        end = <const int64_t *>take(&held, stops, 8 * count, False)
        words = <const uint64_t *>take(&held, key, 32, False)
        target = <uint64_t *>take(&held, out, 16 * count, True)
        _within(begin, end, count, size)
        with nogil:
            for i in range(count):
                fingerprint(text + begin[i], end[i] - begin[i], words, target + 2 * i)
    finally:
        release(&held)


def read_lines(data, ids, ends):
    """Read whole lines of decimal ids; return how many ids, how many lines, and where reading stopped.

    Args:
        data: lines that end with a newline each.
        ids: takes the ids, int32: one for every two bytes of data.
        ends: takes where each line ends among the ids, int64: one for every newline.
    """
    cdef views held
    cdef const uint8_t *text
    cdef int32_t *numbers
    cdef int64_t *bounds
    cdef int64_t counts[2]
    cdef int64_t size, stopped, i, lines = 0
    held.count = 0
    try:
        text = <const uint8_t *>take(&held, data, 0, False)
        size = taken(&held)
        numbers = <int32_t *>take(&held, ids, 4 * ((size + 1) // 2), True)
        for i in range(size):
            lines += text[i] == 10
        bounds = <int64_t *>take(&held, ends, 8 * lines, True)
        with nogil:
            stopped = c_read_lines(text, size, numbers, bounds, counts)
        return counts[0], counts[1], stopped
    finally:
        release(&held)

# cython: language_level=3, boundscheck=False, wraparound=False, freethreading_compatible=True
"""SentencePiece's text normalisation, compiled. Twin: plain.py."""

from libc.stdint cimport int64_t, uint8_t, uint32_t

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
    int normalize_record(const rules *t, const uint8_t *text, int64_t n, int is_open, progress *p, uint8_t *out,
                         int64_t room)

include "../buffers.pxi"


cdef int hold_rules(views *held, object tables, int flags, rules *t) except -1:
    """Hold the eight buffers of a Charsmap."""
    units, strings, first, target, label, terminal, ascii_kinds, bmp = tables
    t.units = <const uint32_t *>take(held, units, 0, False)
    if not taken(held):
        t.units = NULL
    t.strings = <const uint8_t *>take(held, strings, 0, False)
    t.first = <const uint32_t *>take(held, first, 0, False)
    t.target = <const uint32_t *>take(held, target, 0, False)
    t.label = <const uint8_t *>take(held, label, 0, False)
    t.symbols = taken(held) > 0
    t.terminal = <const uint8_t *>take(held, terminal, 0, False)
    t.ascii = <const uint8_t *>take(held, ascii_kinds, 128, False)
    t.bmp = <const uint8_t *>take(held, bmp, 8192, False)
    t.flags = flags
    prepare_steps(t)
    return 0


cdef int normalize_records(const rules *t, const uint8_t *text, int64_t size, const int64_t *start, const int64_t *end,
                           int64_t count, bint is_open, progress *p, uint8_t *out, int64_t room,
                           int64_t *offset) noexcept nogil:
    """Return 0 where all is done, 1 where the output is full, -1 at a record that lies outside the text."""
    while p.record < count:
        if (start[p.record] < 0 or end[p.record] > size or start[p.record] > end[p.record]
                or p.position > end[p.record] - start[p.record]):
            return -1
        if normalize_record(t, text + start[p.record], end[p.record] - start[p.record], is_open, p, out, room):
            return 1
        if is_open:
            return 0
        offset[p.record + 1] = p.written
        p.record += 1
        p.position = p.started = p.space_before = p.held = 0
    return 0


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
    cdef views held
    cdef rules t
    cdef progress *p
    cdef const int64_t *start
    cdef const int64_t *end
    cdef const uint8_t *text
    cdef int64_t *offset
    cdef uint8_t *target
    cdef int64_t count, room, size
    cdef int full
    held.count = 0
    try:
        hold_rules(&held, tables, flags, &t)
        text = <const uint8_t *>take(&held, data, 0, False)
        size = taken(&held)
        start = <const int64_t *>take(&held, starts, 0, False)
        count = taken(&held) // 8
        end = <const int64_t *>take(&held, ends, 8 * count, False)
        p = <progress *>take(&held, state, 48, True)
        target = <uint8_t *>take(&held, out, 0, True)
        room = taken(&held)
        offset = <int64_t *>take(&held, offsets, 8 * (count + 1), True)
        if is_open and count != 1:
            raise ValueError("only a single record can go on")
        if p.record < 0 or p.position < 0 or p.held < 0 or p.written < 0 or p.written > room:
            raise ValueError("the state is damaged")
        with nogil:
            full = normalize_records(&t, text, size, start, end, count, is_open, p, target, room, offset)
        if full < 0:
            raise ValueError(f"record {p.record} lies outside the text")
        return full != 0
    finally:
        release(&held)


def steady(bits, data):
    """Return how many bytes of UTF-8 begin `data` whose characters have their bits set: 65,536 of them, 8,192 bytes."""
    cdef views held
    cdef const uint8_t *set_bits
    cdef const uint8_t *text
    cdef int64_t result, size
    held.count = 0
    try:
        set_bits = <const uint8_t *>take(&held, bits, 8192, False)
        text = <const uint8_t *>take(&held, data, 0, False)
        size = taken(&held)
        with nogil:
            result = steady_text(set_bits, text, size)
        return result
    finally:
        release(&held)

# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, freethreading_compatible=True
"""What a vocabulary is laid out as, compiled: sorted entries, the trie, neighbours, the automaton. Twin: plain.py."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

include "../buffers.pxi"
include "../lattice/joins.pxi"

cdef extern from "../lattice/automaton.h" nogil:
    int64_t trie_build(const uint8_t *, const int64_t *, const int32_t *, int64_t, uint64_t *, int64_t, int32_t *,
                       int32_t *, uint8_t *, int64_t *)
    void trie_heads(const uint64_t *, int, uint64_t *)
    int64_t aho_build(const uint64_t *, int64_t, uint64_t *, uint32_t *, uint32_t *, int64_t, uint32_t *, uint32_t,
                      uint32_t *)

cdef extern from "entries.h" nogil:
    void entries_arrange(const uint8_t *, const int64_t *, int32_t *, int64_t, uint8_t *, int64_t *, uint64_t *,
                         int32_t *)
    int entries_check(const uint8_t *, const int64_t *, int64_t, int, int64_t *)
    int64_t entries_join(const uint8_t *, const int64_t *, int64_t, uint8_t *, uint32_t)


def arrange_entries(bytes_, offsets, Py_ssize_t table, order, Py_ssize_t count, text, starts, room):
    """Sort entries order[0 … count) of a table of `table` entries, and write their bytes and offsets in a row.

    text: as many bytes as the entries have; starts: count + 1, int64; room: 20 bytes an entry.
    """
    cdef views held
    cdef const uint8_t *source
    cdef const int64_t *bounds
    cdef int32_t *numbers
    cdef int64_t *begins
    cdef uint64_t *digits
    cdef uint8_t *target
    cdef int64_t size = 0
    cdef Py_ssize_t i
    held.count = 0
    try:
        bounds = <const int64_t *>take(&held, offsets, 8 * (table + 1), False)
        for i in range(table):
            if bounds[i] < 0 or bounds[i] > bounds[i + 1]:
                raise ValueError(f"entry {i} ends before it starts")
        source = <const uint8_t *>take(&held, bytes_, bounds[table], False)
        numbers = <int32_t *>take(&held, order, 4 * count, True)
        for i in range(count):
            if not 0 <= numbers[i] < table:
                raise ValueError(f"there is no entry {numbers[i]}")
            size += bounds[numbers[i] + 1] - bounds[numbers[i]]
        target = <uint8_t *>take(&held, text, size, True)
        begins = <int64_t *>take(&held, starts, 8 * (count + 1), True)
        digits = <uint64_t *>take(&held, room, 20 * count, True)
        with nogil:
            entries_arrange(source, bounds, numbers, count, target, begins, digits, <int32_t *>(digits + 2 * count))
    finally:
        release(&held)


def check_entries(text, starts, Py_ssize_t count, bint characters):
    """Return (what is wrong, with which entry) of entries in order: 0 nothing, 1 empty, 2 as the next, 3 no text."""
    cdef views held
    cdef const uint8_t *source
    cdef const int64_t *begins
    cdef int64_t at = 0
    cdef int found
    held.count = 0
    try:
        source, begins = entries_of(&held, text, starts, count)
        with nogil:
            found = entries_check(source, begins, count, characters, &at)
        return found, at
    finally:
        release(&held)


def join_entries(text, starts, Py_ssize_t count, joins):
    """Set the bits of neighbouring characters in entries that were checked; return how many there are."""
    cdef views held
    cdef const uint8_t *source
    cdef const int64_t *begins
    cdef uint8_t *bits
    cdef int64_t result
    cdef uint32_t shift
    held.count = 0
    try:
        source, begins = entries_of(&held, text, starts, count)
        bits = <uint8_t *>take(&held, joins, 512, True)
        shift = shift_of(taken(&held))
        if entries_check(source, begins, count, True, &result):
            raise ValueError("the entries are no text")
        with nogil:
            result = entries_join(source, begins, count, bits, shift)
        return result
    finally:
        release(&held)


cdef (const uint8_t *, const int64_t *) entries_of(views *held, object text, object starts, Py_ssize_t count) except *:
    """Hold entries one behind the other, and check that they are."""
    cdef const int64_t *begins = <const int64_t *>take(held, starts, 8 * (count + 1), False)
    cdef Py_ssize_t i
    if begins[0] < 0:
        raise ValueError("entry 0 starts before the text")
    for i in range(count):
        if begins[i] > begins[i + 1]:
            raise ValueError(f"entry {i} ends before it starts")
    return <const uint8_t *>take(held, text, begins[count], False), begins


def build_trie(bytes_, offsets, values, Py_ssize_t count, units, Py_ssize_t capacity, links, used, stack):
    """Build the double array of `count` different entries in ascending order; return its units, or -1 if too small.

    links: 8 bytes a unit; used: 1 byte a unit, zero; stack: 32 bytes for each byte of the entries and 32 more.
    """
    cdef views held
    cdef const uint8_t *text
    cdef const int64_t *starts
    cdef const int32_t *value
    cdef uint64_t *unit
    cdef int32_t *link
    cdef uint8_t *mark
    cdef int64_t *room
    cdef int64_t result, total
    cdef Py_ssize_t i
    held.count = 0
    try:
        starts = <const int64_t *>take(&held, offsets, 8 * (count + 1), False)
        total = starts[count]
        for i in range(count):
            if starts[i] < 0 or starts[i] >= starts[i + 1]:
                raise ValueError(f"entry {i} is empty or ends before it starts")
        text = <const uint8_t *>take(&held, bytes_, total, False)
        value = <const int32_t *>take(&held, values, 4 * count, False)
        unit = <uint64_t *>take(&held, units, 8 * capacity, True)
        link = <int32_t *>take(&held, links, 8 * capacity, True)
        mark = <uint8_t *>take(&held, used, capacity, True)
        room = <int64_t *>take(&held, stack, 32 * (total + 1), True)
        with nogil:
            result = trie_build(text, starts, value, count, unit, capacity, link, link + capacity, mark, room)
        return result
    finally:
        release(&held)


def fill_heads(units, bint character, heads):
    """Fill `heads` (65,536 units) with where a walk stands behind a first character, or two first bytes."""
    cdef views held
    cdef const uint64_t *unit
    cdef uint64_t *head
    held.count = 0
    try:
        unit = <const uint64_t *>take(&held, units, 8 * 512, False)
        head = <uint64_t *>take(&held, heads, 8 * 65536, True)
        with nogil:
            trie_heads(unit, character, head)
    finally:
        release(&held)


def build_automaton(units, Py_ssize_t size, uint32_t unknown, units_out, fails, arcs, Py_ssize_t lines, singles,
                    scratch):
    """Link an automaton to a trie of `size` units; return its lines of arcs, or -1 where something does not fit.

    units_out: 8 bytes for each unit and 256 more; fails: 4; scratch: 16. arcs: 20 bytes a line. singles: 1,024.
    unknown: the code of a byte that is no piece.
    """
    cdef views held
    cdef const uint64_t *trie
    cdef uint64_t *unit
    cdef uint32_t *fail
    cdef uint32_t *arc
    cdef uint32_t *single
    cdef uint32_t *room
    cdef int64_t result
    held.count = 0
    try:
        if size < 512 or size % 256:
            raise ValueError("a trie has pages of 256 units, two at least")
        trie = <const uint64_t *>take(&held, units, 8 * size, False)
        unit = <uint64_t *>take(&held, units_out, 8 * (size + 256), True)
        fail = <uint32_t *>take(&held, fails, 4 * (size + 256), True)
        arc = <uint32_t *>take(&held, arcs, 20 * lines, True)
        single = <uint32_t *>take(&held, singles, 1024, True)
        room = <uint32_t *>take(&held, scratch, 16 * (size + 256), True)
        with nogil:
            result = aho_build(trie, size, unit, fail, arc, lines, single, unknown, room)
        return result
    finally:
        release(&held)

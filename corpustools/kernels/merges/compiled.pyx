# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, freethreading_compatible=True
"""Which pieces merges join, compiled. Twin: plain.py."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

include "../buffers.pxi"

cdef extern from "json_pairs.h" nogil:
    ctypedef struct reader_t:
        const uint8_t *at
        const uint8_t *end
        uint8_t *out
        int half_pair
    int64_t json_pairs "read_pairs"(reader_t *, int64_t *)

cdef extern from "search.h" nogil:
    ctypedef struct pieces_t:
        const uint8_t *text
        const int64_t *starts
        uint64_t *slots
        uint64_t mask
    int64_t fill_pieces(const pieces_t *, int64_t)
    int64_t search_splits(const pieces_t *, int64_t, int, int32_t *, int32_t *, int32_t *, int64_t)
    int64_t search_pairs(const pieces_t *, const uint8_t *, const int64_t *, int64_t, int32_t *, int32_t *, int32_t *)


cdef const int64_t *starts_of(views *held, object starts, Py_ssize_t count) except NULL:
    """Hold where entries begin that stand in a row, and check that they do."""
    cdef const int64_t *begins = <const int64_t *>take(held, starts, 8 * (count + 1), False)
    cdef Py_ssize_t i
    if begins[0] < 0:
        raise ValueError("entry 0 starts before the text")
    for i in range(count):
        if begins[i] > begins[i + 1]:
            raise ValueError(f"entry {i} ends before it starts")
    return begins


cdef pieces_t table_of(views *held, object text, object starts, Py_ssize_t count, object slots) except *:
    """Hold pieces and the table that finds them, and fill it."""
    cdef pieces_t pieces
    cdef Py_ssize_t size
    cdef int64_t twice
    if not 0 <= count < (1 << 31) - 1:
        raise ValueError(f"{count} pieces")
    pieces.starts = starts_of(held, starts, count)
    pieces.text = <const uint8_t *>take(held, text, pieces.starts[count], False)
    pieces.slots = <uint64_t *>take(held, slots, 16 * count + 8, True)
    size = taken(held) // 8
    if size & (size - 1):
        raise ValueError("the slots are no power of two")
    pieces.mask = <uint64_t>size - 1
    with nogil:
        twice = fill_pieces(&pieces, count)
    if twice >= 0:
        raise ValueError(f"piece {twice} stands twice")
    return pieces


def find_splits(text, starts, Py_ssize_t count, slots, Py_ssize_t divided, bint characters, left, right, whole):
    """Find the ways to divide each of the first `divided` of `count` pieces into two pieces; return how many there are.

    slots: zeros, 8 bytes each, a power of two and more than twice the pieces. characters: pieces are divided between
    characters only. left, right, whole: receive the numbers of pieces, int32, as many as there is room for.
    """
    cdef views held
    cdef pieces_t pieces
    cdef int32_t *lefts
    cdef int32_t *rights
    cdef int32_t *wholes
    cdef Py_ssize_t room
    cdef int64_t found
    held.count = 0
    try:
        pieces = table_of(&held, text, starts, count, slots)
        if not 0 <= divided <= count:
            raise ValueError(f"{divided} of {count} pieces")
        lefts = <int32_t *>take(&held, left, 0, True)
        room = taken(&held) // 4
        rights = <int32_t *>take(&held, right, 4 * room, True)
        wholes = <int32_t *>take(&held, whole, 4 * room, True)
        with nogil:
            found = search_splits(&pieces, divided, characters, lefts, rights, wholes, room)
        return found
    finally:
        release(&held)


def find_pairs(text, starts, Py_ssize_t count, slots, halves, half_starts, Py_ssize_t pairs, left, right, whole):
    """Find the pieces that pairs are made of, and those that they make.

    text, starts, count, slots: the pieces, as for `find_splits`. halves, half_starts: the bytes of two halves a pair,
    one behind the other, and where each begins, int64, shape (2 * pairs + 1,). left, right, whole: receive the numbers
    of pieces, int32, shape (pairs,).

    Returns the number of the first pair of which something is no piece, or `pairs` where there is none.
    """
    cdef views held
    cdef pieces_t pieces
    cdef const uint8_t *half
    cdef const int64_t *begins
    cdef int32_t *lefts
    cdef int32_t *rights
    cdef int32_t *wholes
    cdef int64_t found
    held.count = 0
    try:
        pieces = table_of(&held, text, starts, count, slots)
        begins = starts_of(&held, half_starts, 2 * pairs)
        half = <const uint8_t *>take(&held, halves, begins[2 * pairs], False)
        lefts = <int32_t *>take(&held, left, 4 * pairs, True)
        rights = <int32_t *>take(&held, right, 4 * pairs, True)
        wholes = <int32_t *>take(&held, whole, 4 * pairs, True)
        with nogil:
            found = search_pairs(&pieces, half, begins, pairs, lefts, rights, wholes)
        return found
    finally:
        release(&held)


def read_pairs(data, Py_ssize_t at, halves, starts):
    """Read a list of pairs of strings in JSON; each pair is a list of two strings, or a string with one space in it.

    halves: receives the bytes of the strings; as many bytes as there are behind `at`. starts: receives where each
    begins, and where the last ends, int64; half as many as those bytes, and 3 more.

    Returns where the list ends and how many pairs there are; -1 and -1 where there is something else. Whether strings
    are UTF-8 is not looked at.
    """
    cdef views held
    cdef reader_t reader
    cdef const uint8_t *text
    cdef int64_t *begins
    cdef int64_t pairs
    cdef Py_ssize_t size
    held.count = 0
    try:
        text = <const uint8_t *>take(&held, data, 0, False)
        size = taken(&held)
        if not 0 <= at <= size:
            raise ValueError(f"byte {at} of {size}")
        reader.at, reader.end, reader.half_pair = text + at, text + size, 0
        reader.out = <uint8_t *>take(&held, halves, size - at, True)
        begins = <int64_t *>take(&held, starts, 8 * ((size - at) // 2 + 3), True)
        with nogil:
            pairs = json_pairs(&reader, begins)
        if pairs < 0:
            return -1, -1
        return reader.at - text, pairs
    finally:
        release(&held)

# cython: language_level=3, boundscheck=False, wraparound=False, freethreading_compatible=True
"""The pieces of a SentencePiece model file, compiled. Twin: plain.py."""

from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcpy
from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer, Py_buffer


def pieces(data, starts, ends, scores, types):
    """Read leading pieces in the layout that every writer makes; return how many, and where they end.

    That layout is: field 1 of less than 128 bytes, in it the text, the score, and the type where it is not
    NORMAL. The first piece in another layout ends the reading, and so does a full output.

    Args:
        data: a serialised ModelProto.
        starts: receives where each text begins in `data`, int64.
        ends: receives where it ends, int64.
        scores: receives the scores, float32, as their bytes stand in `data`.
        types: receives the types, uint8.
    """
    cdef Py_buffer views[5]
    cdef int opened = 0
    cdef const uint8_t *text
    cdef int64_t *start
    cdef int64_t *end
    cdef uint8_t *score
    cdef uint8_t *kind
    cdef int64_t position = 0, stop, after, size, count = 0, room
    try:
        PyObject_GetBuffer(data, &views[0], PyBUF_SIMPLE)
        opened = 1
        for item in (starts, ends, scores, types):
            PyObject_GetBuffer(item, &views[opened], PyBUF_SIMPLE | PyBUF_WRITABLE)
            opened += 1
        text = <const uint8_t *>views[0].buf
        start = <int64_t *>views[1].buf
        end = <int64_t *>views[2].buf
        score = <uint8_t *>views[3].buf
        kind = <uint8_t *>views[4].buf
        size = views[0].len
        room = min(views[1].len // 8, views[2].len // 8, views[3].len // 4, views[4].len)
        with nogil:
            while count < room and position + 4 < size and text[position] == 0x0A and text[position + 1] < 0x80:
                stop = position + 2 + text[position + 1]
                after = position + 4 + text[position + 3]
                if stop > size or text[position + 2] != 0x0A or text[position + 3] >= 0x80:
                    break
                if after + 5 == stop and text[after] == 0x15:
                    kind[count] = 1
                elif (after + 7 == stop and text[after] == 0x15 and text[after + 5] == 0x18
                        and text[after + 6] < 7):
                    kind[count] = text[after + 6]
                else:
                    break
                start[count] = position + 4
                end[count] = after
                memcpy(score + 4 * count, text + after + 1, 4)
                count += 1
                position = stop
        return count, position
    finally:
        for i in range(opened):
            PyBuffer_Release(&views[i])

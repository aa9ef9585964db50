# cython: language_level=3, boundscheck=False, wraparound=False, freethreading_compatible=True
"""The pieces of a SentencePiece model file, compiled. Twin: plain.py."""

from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcpy

include "../buffers.pxi"


cdef struct columns:
    int64_t *start
    int64_t *end
    uint8_t *score
    uint8_t *kind


cdef int64_t read_pieces(const uint8_t *text, int64_t size, const columns *out, int64_t room,
                         int64_t *position) noexcept nogil:
    """Read up to `room` pieces from `position` on, and move it behind them; return how many."""
    cdef int64_t at = position[0], stop, after, count = 0
    while count < room and at + 4 < size and text[at] == 0x0A and text[at + 1] < 0x80:
        stop = at + 2 + text[at + 1]
        after = at + 4 + text[at + 3]
        if stop > size or text[at + 2] != 0x0A or text[at + 3] >= 0x80:
            break
        if after + 5 == stop and text[after] == 0x15:
            out.kind[count] = 1
        elif after + 7 == stop and text[after] == 0x15 and text[after + 5] == 0x18 and text[after + 6] < 7:
            out.kind[count] = text[after + 6]
        else:
            break
        out.start[count] = at + 4
        out.end[count] = after
        memcpy(out.score + 4 * count, text + after + 1, 4)
        count += 1
        at = stop
    position[0] = at
    return count


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
    cdef views held
    cdef columns out
    cdef const uint8_t *text
    cdef int64_t position = 0, size, count, room
    held.count = 0
    try:
        text = <const uint8_t *>take(&held, data, 0, False)
        size = taken(&held)
        out.start = <int64_t *>take(&held, starts, 0, True)
        room = taken(&held) // 8
        out.end = <int64_t *>take(&held, ends, 0, True)
        room = min(room, taken(&held) // 8)
        out.score = <uint8_t *>take(&held, scores, 0, True)
        room = min(room, taken(&held) // 4)
        out.kind = <uint8_t *>take(&held, types, 0, True)
        room = min(room, taken(&held))
        with nogil:
            count = read_pieces(text, size, &out, room, &position)
        return count, position
    finally:
        release(&held)

# cython: language_level=3, boundscheck=False, wraparound=False, freethreading_compatible=True
"""One text out of JSON lines, compiled (the loops: dispatch.h). Twin: plain.py."""

from libc.stdint cimport int64_t, uint8_t

include "../buffers.pxi"

cdef extern from "dispatch.h" nogil:
    const int64_t MOST_LEVELS "DEEPEST"
    const int64_t SLACK_BYTES "OUT_SLACK"
    ctypedef struct field_t:
        const uint8_t *names
        const int64_t *ends
        int64_t keys
    ctypedef struct lines_t:
        const uint8_t *data
        int64_t size
        const int64_t *starts
        const int64_t *ends
        int64_t count
        uint8_t *out
        int64_t room
        int64_t *offsets
        uint8_t *verdicts
        int64_t *places
    int64_t read_lines(const lines_t *lines, const field_t *field, int portable)

DEEPEST = MOST_LEVELS
OUT_SLACK = SLACK_BYTES


def scan(data, starts, ends, keys, out, offsets, verdicts, places, bint portable=False):
    """Write the texts that JSON lines have under a field, one after another, and say of each line what it is.

    Args:
        data: the lines.
        starts: first byte of each line, int64.
        ends: end of each line, int64.
        keys: the field's keys in UTF-8, from the outermost object inwards; 1 to DEEPEST.
        out: receives the texts; it has OUT_SLACK bytes more than all lines together.
        offsets: offsets[i + 1] receives the end of text i in `out`, int64; one more than lines.
        verdicts: receives for each line an index of the twin's VERDICTS, uint8. Other lines than TAKEN have no text.
        places: receives the byte of the line at which that was found, int64.
        portable: use the loops for any processor.
    """
    cdef views held
    cdef field_t field
    cdef lines_t lines
    cdef int64_t key_ends[1024]
    cdef int64_t done
    cdef bytes names = b"".join(keys)
    held.count = 0
    if not 1 <= len(keys) <= MOST_LEVELS:
        raise ValueError(f"a field of {len(keys)} keys")
    field.keys = len(keys)
    for i in range(field.keys):
        key_ends[i] = len(keys[i]) + (key_ends[i - 1] if i else 0)
    field.ends = key_ends
    try:
        field.names = <const uint8_t *>take(&held, names, 0, False)
        lines.data = <const uint8_t *>take(&held, data, 0, False)
        lines.size = taken(&held)
        lines.starts = <const int64_t *>take(&held, starts, 0, False)
        lines.count = taken(&held) // 8
        lines.ends = <const int64_t *>take(&held, ends, 8 * lines.count, False)
        lines.out = <uint8_t *>take(&held, out, 0, True)
        lines.room = taken(&held)
        lines.offsets = <int64_t *>take(&held, offsets, 8 * (lines.count + 1), True)
        lines.verdicts = <uint8_t *>take(&held, verdicts, lines.count, True)
        lines.places = <int64_t *>take(&held, places, 8 * lines.count, True)
        with nogil:
            done = read_lines(&lines, &field, portable)
        if done < lines.count:
            raise ValueError(f"line {done} lies outside the data, or its text outside the output")
    finally:
        release(&held)

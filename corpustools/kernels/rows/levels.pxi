# The levels of lists in Parquet, as runs: twice the number of equal levels as a varint, then the level.

cdef enum:
    LONGEST_LIST = 1 << 30
    # A run of one level and one of all others of the longest list; a run of as many levels as there may be.
    REPETITION_BYTES = 8
    DEFINITION_BYTES = 11


cdef inline uint8_t *write_run(uint8_t *out, uint64_t count, uint8_t level) noexcept nogil:
    count <<= 1
    while count >= 0x80:
        out[0] = <uint8_t>(count | 0x80)
        out += 1
        count >>= 7
    out[0] = <uint8_t>count
    out[1] = level
    return out + 2


cdef bint write_levels(const int64_t *lengths, int64_t count, uint8_t empty, uint8_t present, uint8_t **repetition,
                       uint8_t **definition) noexcept nogil:
    cdef int64_t i, alike = 0
    cdef bint last = False
    for i in range(count):
        if lengths[i] < 0 or lengths[i] > LONGEST_LIST:
            return False
        # An empty list has one level all the same.
        repetition[0] = write_run(repetition[0], 1, 0)
        if lengths[i] > 1:
            repetition[0] = write_run(repetition[0], lengths[i] - 1, 1)
        if alike and last != (lengths[i] > 0):
            definition[0] = write_run(definition[0], alike, present if last else empty)
            alike = 0
        last = lengths[i] > 0
        alike += lengths[i] if last else 1
    if alike:
        definition[0] = write_run(definition[0], alike, present if last else empty)
    return True


def list_levels(lengths, uint8_t empty, uint8_t present, repetition, definition):
    """Write the levels of lists; return the bytes of the repetition levels and those of the definition levels.

    The first number of a list has repetition level 0, the others have 1.

    Args:
        lengths: int64, how many numbers each list has, at most 2^30.
        empty: the definition level of a list without numbers.
        present: that of a number.
        repetition: receives the runs of repetition levels; it has room for 8 bytes a list.
        definition: receives the runs of definition levels; it has room for 11 bytes a list.

    Raises:
        ValueError: a length is negative or too large, or there is too little room.
    """
    cdef views held
    cdef const int64_t *sizes
    cdef uint8_t *first
    cdef uint8_t *second
    cdef uint8_t *first_end
    cdef uint8_t *second_end
    cdef int64_t count
    cdef bint done
    held.count = 0
    try:
        sizes = <const int64_t *>take(&held, lengths, 0, False)
        count = taken(&held) // 8
        first = first_end = <uint8_t *>take(&held, repetition, REPETITION_BYTES * count, True)
        second = second_end = <uint8_t *>take(&held, definition, DEFINITION_BYTES * count, True)
        with nogil:
            done = write_levels(sizes, count, empty, present, &first_end, &second_end)
        if not done:
            raise ValueError("a list of a negative length, or too many numbers")
        return first_end - first, second_end - second
    finally:
        release(&held)

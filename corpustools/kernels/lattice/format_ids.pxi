# Ids as lines of text.


def format_ids(ids, ends, Py_ssize_t first, Py_ssize_t lines, table, out):
    """Write lines of decimal ids, one space between two; return the bytes written.

    Line i holds ids from the end of line i - 1 (or `first`) to ends[i]. table: 4 bytes for each of 0 … 999, its
    three digits and one more. out: 11 bytes an id and 2 a line and 8 more.
    """
    cdef views held
    cdef const int32_t *id
    cdef const int64_t *end
    cdef const uint8_t *digits
    cdef uint8_t *target
    cdef int64_t result, last
    cdef Py_ssize_t i
    held.count = 0
    try:
        end = <const int64_t *>take(&held, ends, 8 * lines, False)
        last = first
        if first < 0:
            raise ValueError("ends are not in ascending order")
        for i in range(lines):
            if end[i] < last:
                raise ValueError("ends are not in ascending order")
            last = end[i]
        id = <const int32_t *>take(&held, ids, 4 * last, False)
        digits = <const uint8_t *>take(&held, table, 4000, False)
        target = <uint8_t *>take(&held, out, 11 * (last - first) + 2 * lines + 8, True)
        with nogil:
            result = format_lines(id, end, first, lines, digits, target)
        return result
    finally:
        release(&held)


# Arrays of one dimension with a head before each, as MosaicML Streaming stores them (NDArray in
# streaming/base/format/mds/encodings.py): their size in bytes, a byte for the number and the type of their dimensions,
# and their length in one, two or four bytes. The size counts what follows it.

cdef enum:
    ONE_DIMENSION = 1 << 2
    SIZE_BYTES = 4
    LARGEST_ARRAY = (1 << 31) - 1


cdef inline int length_bytes(int64_t length) noexcept nogil:
    return 1 if length < 1 << 8 else 2 if length < 1 << 16 else 4


cdef int64_t arrays_size(const int64_t *lengths, int64_t count, int64_t width, int64_t size) noexcept nogil:
    """Return the bytes of all arrays and heads, or -1 where they are no arrays among so many bytes."""
    cdef int64_t i, left = size, heads = 0
    for i in range(count):
        if lengths[i] < 0 or lengths[i] > LARGEST_ARRAY // width or lengths[i] * width > left:
            return -1
        left -= lengths[i] * width
        heads += SIZE_BYTES + 1 + length_bytes(lengths[i])
    return heads + size - left


cdef void write_arrays(const uint8_t *numbers, const int64_t *lengths, int64_t count, int64_t width,
                       uint8_t *out) noexcept nogil:
    cdef int64_t i
    cdef int digits
    cdef uint32_t size, length
    for i in range(count):
        length = <uint32_t>lengths[i]
        digits = length_bytes(length)
        size = <uint32_t>(1 + digits + length * width)
        memcpy(out, &size, SIZE_BYTES)
        out[SIZE_BYTES] = <uint8_t>(ONE_DIMENSION | digits >> 1)
        memcpy(out + SIZE_BYTES + 1, &length, digits)
        out += SIZE_BYTES + 1 + digits
        memcpy(out, numbers, length * width)
        out += length * width
        numbers += length * width


def headed_arrays(numbers, lengths, int64_t width, out):
    """Write arrays with their heads, one behind another; return the bytes that were written.

    Args:
        numbers: of all arrays, one after another.
        lengths: int64, how many numbers each array has.
        width: bytes of a number.
        out: receives all of them.

    Raises:
        ValueError: lengths are negative, or more than the numbers or a head can say, or there is too little room.
    """
    cdef views held
    cdef const uint8_t *source
    cdef const int64_t *sizes
    cdef uint8_t *target
    cdef int64_t size, count, total
    if not 0 < width <= 8:
        raise ValueError("numbers have 1 to 8 bytes: no more are needed")
    held.count = 0
    try:
        source = <const uint8_t *>take(&held, numbers, 0, False)
        size = taken(&held)
        sizes = <const int64_t *>take(&held, lengths, 0, False)
        count = taken(&held) // 8
        with nogil:
            total = arrays_size(sizes, count, width, size)
        if total < 0:
            raise ValueError("negative lengths, or too many numbers")
        target = <uint8_t *>take(&held, out, total, True)
        with nogil:
            write_arrays(source, sizes, count, width, target)
        return total
    finally:
        release(&held)

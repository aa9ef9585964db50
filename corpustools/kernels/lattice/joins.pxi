# The bits of neighbouring characters (joined_codes in spans.h); included where they are read or made.


cdef uint32_t shift_of(Py_ssize_t size) except 0:
    """Return by how much a hash is shifted to be a number of one of the bits in `size` bytes."""
    cdef uint32_t shift = 29
    if size < 512 or size & (size - 1) or size > 1 << 28:
        raise ValueError("the bits of neighbours are a power of two, 2^12 to 2^31")
    while size > 1:
        size >>= 1
        shift -= 1
    return shift

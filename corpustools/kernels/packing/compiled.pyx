# cython: language_level=3, boundscheck=False, wraparound=False, freethreading_compatible=True
"""Best-fit packing, compiled. Twin: plain.py."""

from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memmove, memset

include "../buffers.pxi"

cdef extern from *:
    """
    #define LOWEST_BIT(word) __builtin_ctzll(word)
    """
    int LOWEST_BIT(uint64_t word) nogil


cdef struct bins:
    int64_t *top         # top[r]: the window with room r that got its last piece last, or -1
    int64_t *below       # below[w]: the window under w in its stack
    uint64_t *has        # bit r: there is a window with room r
    uint64_t *has_word   # bit k: has[k] is not 0
    int64_t words


cdef inline int64_t least_room(const bins *b, int64_t length) noexcept nogil:
    """Return the least room of any window that takes `length` ids, or -1."""
    cdef int64_t word = length >> 6
    cdef uint64_t bits = b.has[word] >> (length & 63)
    if bits:
        return length + LOWEST_BIT(bits)
    word += 1
    if word >= b.words:
        return -1
    cdef int64_t group = word >> 6
    bits = b.has_word[group] >> (word & 63) << (word & 63)
    while not bits:
        group += 1
        if group > (b.words - 1) >> 6:
            return -1
        bits = b.has_word[group]
    word = (group << 6) + LOWEST_BIT(bits)
    return (word << 6) + LOWEST_BIT(b.has[word])


cdef inline void push(bins *b, int64_t window, int64_t room) noexcept nogil:
    b.below[window] = b.top[room]
    b.top[room] = window
    b.has[room >> 6] |= <uint64_t>1 << (room & 63)
    b.has_word[room >> 12] |= <uint64_t>1 << ((room >> 6) & 63)


cdef inline int64_t pop(bins *b, int64_t room) noexcept nogil:
    cdef int64_t window = b.top[room]
    b.top[room] = b.below[window]
    if b.top[room] < 0:
        b.has[room >> 6] &= ~(<uint64_t>1 << (room & 63))
        if not b.has[room >> 6]:
            b.has_word[room >> 12] &= ~(<uint64_t>1 << ((room >> 6) & 63))
    return window


cdef int64_t place(bins *b, const int64_t *lengths, int64_t count, int64_t size, int64_t *windows,
                   int64_t *room) noexcept nogil:
    """Place all pieces; return how many windows there are, or -1 - i for a piece i that fits no window."""
    cdef int64_t i, length, found, window, begun = 0
    memset(b.top, 0xFF, (size + 1) * sizeof(int64_t))
    memset(b.has, 0, b.words * sizeof(uint64_t))
    memset(b.has_word, 0, (b.words // 64 + 1) * sizeof(uint64_t))
    for i in range(count):
        length = lengths[i]
        if length < 1 or length > size:
            return -1 - i
        found = least_room(b, length)
        if found < 0:
            window = begun
            begun += 1
            found = size
        else:
            window = pop(b, found)
        windows[i] = window
        room[window] = found - length
        if found > length:
            push(b, window, found - length)
    return begun


def best_fit(lengths, int64_t size, windows, room, workspace):
    """Put pieces, one after another, each into the window that it leaves least room in; return how many windows.

    Of windows with equal room the one that got its last piece last is taken. A piece that fits nowhere begins a window.

    Args:
        lengths: int64, 1 to `size` each, in the order in which they are placed.
        size: ids of a window.
        windows: int64, receives the window of each piece, counted from 0 as they are begun.
        room: int64, as long as `lengths`; receives what is left in each window.
        workspace: int64, at least `workspace_size(len(lengths), size)`.
    """
    cdef views held
    cdef bins b
    cdef const int64_t *pieces
    cdef int64_t *into
    cdef int64_t *left
    cdef int64_t count, done
    if not 0 < size < 1 << 40:
        raise ValueError("outputs are too small")
    held.count = 0
    try:
        pieces = <const int64_t *>take(&held, lengths, 0, False)
        count = taken(&held) // 8
        into = <int64_t *>take(&held, windows, 8 * count, True)
        left = <int64_t *>take(&held, room, 8 * count, True)
        b.words = size // 64 + 1
        b.top = <int64_t *>take(&held, workspace, 8 * workspace_size(count, size), True)
        b.below = b.top + size + 1
        b.has = <uint64_t *>(b.below + count)
        b.has_word = b.has + b.words
        with nogil:
            done = place(&b, pieces, count, size, into, left)
        if done < 0:
            raise ValueError(f"a piece of {pieces[-1 - done]} ids for windows of {size}")
        return done
    finally:
        release(&held)


def workspace_size(int64_t pieces, int64_t size):
    """Return how many int64 the workspace of `best_fit` has: a stack for each room, and two levels of a bit map."""
    cdef int64_t words = size // 64 + 1
    return size + 1 + pieces + words + words // 64 + 1


cdef bint within(const int64_t *starts, const int64_t *lengths, int64_t count, int64_t size) noexcept nogil:
    """Return whether all stretches lie among so many ids."""
    cdef int64_t i
    for i in range(count):
        if starts[i] < 0 or lengths[i] < 0 or lengths[i] > size or starts[i] > size - lengths[i]:
            return False
    return True


cdef void copy(const uint8_t *ids, const int64_t *starts, const int64_t *lengths, const int64_t *targets, int64_t count,
               int64_t width, uint8_t *out) noexcept nogil:
    cdef int64_t i
    for i in range(count):
        memmove(out + targets[i] * width, ids + starts[i] * width, lengths[i] * width)


def copy_pieces(ids, starts, lengths, targets, int64_t width, out):
    """Copy pieces, one after another, from one place among ids to another.

    Args:
        ids: bytes of ids of `width` bytes.
        starts: int64, where each piece begins among them, in ids.
        lengths: int64, ids of each piece.
        targets: int64, where each begins in `out`, in ids.
        width: bytes of an id.
        out: receives the pieces.

    Raises:
        ValueError: a piece lies outside of `ids` or `out`.
    """
    cdef views held
    cdef const uint8_t *source
    cdef const int64_t *places
    cdef const int64_t *sizes
    cdef const int64_t *goals
    cdef uint8_t *target
    cdef int64_t count, source_size, target_size
    cdef bint fits
    if not 0 < width <= 8:
        raise ValueError(f"ids of {width} bytes")
    held.count = 0
    try:
        source = <const uint8_t *>take(&held, ids, 0, False)
        source_size = taken(&held) // width
        sizes = <const int64_t *>take(&held, lengths, 0, False)
        count = taken(&held) // 8
        places = <const int64_t *>take(&held, starts, 8 * count, False)
        goals = <const int64_t *>take(&held, targets, 8 * count, False)
        target = <uint8_t *>take(&held, out, 0, True)
        target_size = taken(&held) // width
        with nogil:
            fits = within(places, sizes, count, source_size) and within(goals, sizes, count, target_size)
            if fits:
                copy(source, places, sizes, goals, count, width, target)
        if not fits:
            raise ValueError("a piece lies outside of its ids")
    finally:
        release(&held)

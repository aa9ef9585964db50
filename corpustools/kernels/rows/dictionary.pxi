# Ids by their places in a dictionary.

cdef enum:
    MOST_PLACES = 1 << 16
    NO_ROOM = -1
    NO_ID = -2


cdef int64_t look_up(const int32_t *ids, int64_t count, uint16_t *place_of, int64_t size, int32_t *dictionary,
                     int64_t known, int64_t room, uint16_t *places) noexcept nogil:
    """Write the place of each id; return how many ids the dictionary has then, or what went wrong."""
    cdef int64_t i
    cdef int32_t id
    cdef uint16_t place
    for i in range(count):
        id = ids[i]
        if id < 0 or id >= size:
            return NO_ID
        # A place from another dictionary, or from none, is known by what stands there.
        place = place_of[id]
        if place >= known or dictionary[place] != id:
            if known == room:
                return NO_ROOM
            place = <uint16_t>known
            place_of[id] = place
            dictionary[place] = id
            known += 1
        places[i] = place
    return known


def dictionary_places(ids, place_of, dictionary, int64_t known, places):
    """Write the places of ids in a dictionary, to which new ones are added; return how many it has then.

    Args:
        ids: int32.
        place_of: uint16, one for each id that there may be. What it holds before the first call does not matter.
        dictionary: int32, the ids that came so far, each once; at most 65,536. It receives new ones behind them.
        known: how many it has.
        places: uint16, receives the place of each id.

    Returns:
        The number of ids in the dictionary; -1 where it has no room for all new ones. Those that are in it before stay.

    Raises:
        ValueError: there is no such id, or a buffer is too small.
    """
    cdef views held
    cdef const int32_t *values
    cdef uint16_t *table
    cdef int32_t *entries
    cdef uint16_t *out
    cdef int64_t count, size, room, done
    held.count = 0
    try:
        values = <const int32_t *>take(&held, ids, 0, False)
        count = taken(&held) // 4
        table = <uint16_t *>take(&held, place_of, 0, True)
        size = taken(&held) // 2
        entries = <int32_t *>take(&held, dictionary, 0, True)
        room = min(taken(&held) // 4, MOST_PLACES)
        if not 0 <= known <= room:
            raise ValueError("a dictionary has more ids than are needed for its places")
        out = <uint16_t *>take(&held, places, 2 * count, True)
        with nogil:
            done = look_up(values, count, table, size, entries, known, room, out)
        if done == NO_ID:
            raise ValueError("a negative id, or one that the vocabulary does not have")
        return done
    finally:
        release(&held)

# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, freethreading_compatible=True
"""Words that are drawn among words that are not, compiled. Twin: plain.py."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

include "../buffers.pxi"

cdef extern from "mixture.h" nogil:
    enum:
        MOST_CUTS "WORDS_SPACE_MARKS"
        ID_OUTSIDE
    ctypedef struct canonical_words:
        const uint8_t *text
        const int64_t *offsets
        const int32_t *ids
        const int64_t *ends
        const uint8_t *fixed
        int64_t count, words, id_count, pieces
        int cuts
    int64_t choose_words "choose"(const canonical_words *, double, const uint64_t *, uint64_t, uint64_t, int64_t,
                                  int64_t *, int64_t *, int64_t *, int64_t *)
    int64_t weave_ids "weave"(const canonical_words *, const int64_t *, const int64_t *, const int64_t *, int64_t,
                              const int32_t *, const int64_t *, int32_t, int32_t, int32_t *, int64_t *, uint8_t *)


cdef int hold_words(canonical_words *c, views *held, object ids, object word_ends) except -1:
    """Hold canonical ids and where each word ends in them."""
    cdef int64_t i, before = 0
    c.ids = <const int32_t *>take(held, ids, 0, False)
    c.id_count = taken(held) // 4
    c.ends = <const int64_t *>take(held, word_ends, 0, False)
    c.words = taken(held) // 8
    for i in range(c.words):
        if not before <= c.ends[i] <= c.id_count:
            raise ValueError(f"word {i} is not in the ids")
        before = c.ends[i]
    return 0


cdef int check_ascending(const int64_t *numbers, int64_t count, int64_t limit, str what) except -1:
    cdef int64_t i, before = 0
    for i in range(count):
        if not before <= numbers[i] <= limit:
            raise ValueError(f"{what} are not in ascending order, or lead outside")
        before = numbers[i]
    return 0


def choose(text, offsets, ids, word_ends, fixed, *, int cuts, double chance, seed, uint64_t first_record,
           uint64_t first_sample, int64_t samples, bounds, places, last, record_words):
    """Choose each word with this chance, but those that are fixed; see plain.choose."""
    cdef views held
    cdef canonical_words c
    cdef const uint64_t *key
    cdef int64_t *into
    cdef int64_t *place
    cdef int64_t *stop
    cdef int64_t *record
    cdef int64_t result
    held.count = 0
    try:
        c.text = <const uint8_t *>take(&held, text, 0, False)
        c.cuts = cuts
        result = taken(&held)
        c.offsets = <const int64_t *>take(&held, offsets, 8, False)
        c.count = taken(&held) // 8 - 1
        check_ascending(c.offsets, c.count + 1, result, "records")
        hold_words(&c, &held, ids, word_ends)
        c.fixed = <const uint8_t *>take(&held, fixed, 0, False)
        c.pieces = taken(&held)
        key = <const uint64_t *>take(&held, seed, 16, False)
        if not 1 <= samples <= <int64_t>1 << 32 or not 0 <= cuts <= MOST_CUTS:
            raise ValueError(f"{samples} samples of words that are cut in way {cuts}")
        into = <int64_t *>take(&held, bounds, 16 * c.words * samples, True)
        place = <int64_t *>take(&held, places, 8 * c.words * samples, True)
        stop = <int64_t *>take(&held, last, 8 * c.count * samples, True)
        record = <int64_t *>take(&held, record_words, 8 * c.count, True)
        with nogil:
            result = choose_words(&c, chance, key, first_record, first_sample, samples, into, place, stop, record)
        if result < 0:
            raise ValueError("an id outside the vocabulary" if result == ID_OUTSIDE else "text and ids differ in words")
        return result
    finally:
        release(&held)


def weave(ids, word_ends, record_words, places, last, drawn, drawn_ends, *, int64_t samples, int bos, int eos, out,
          ends, same):
    """Put drawn ids in the places of canonical ones; see plain.weave."""
    cdef views held
    cdef canonical_words c
    cdef const int64_t *record
    cdef const int64_t *place
    cdef const int64_t *stop
    cdef const int32_t *more
    cdef const int64_t *more_ends
    cdef int32_t *target
    cdef int64_t *end
    cdef uint8_t *flags
    cdef int64_t i, k, chosen, word, least, result
    held.count = 0
    try:
        hold_words(&c, &held, ids, word_ends)
        record = <const int64_t *>take(&held, record_words, 0, False)
        c.count = taken(&held) // 8
        check_ascending(record, c.count, c.words, "records")
        if not 1 <= samples <= <int64_t>1 << 32:
            raise ValueError(f"{samples} samples")
        stop = <const int64_t *>take(&held, last, 8 * c.count * samples, False)
        chosen = stop[c.count * samples - 1] if c.count else 0
        check_ascending(stop, c.count * samples, chosen, "segmentations")
        place = <const int64_t *>take(&held, places, 8 * chosen, False)
        word = 0
        for i in range(c.count * samples):
            least = record[i // samples - 1] if i >= samples else 0
            while word < stop[i]:
                if not least <= place[word] < record[i // samples]:
                    raise ValueError(f"the chosen word {word} is not in its record")
                least = place[word] + 1
                word += 1
        more_ends = <const int64_t *>take(&held, drawn_ends, 8 * chosen, False)
        more = <const int32_t *>take(&held, drawn, 4 * (more_ends[chosen - 1] if chosen else 0), False)
        check_ascending(more_ends, chosen, taken(&held) // 4, "drawn words")
        target = <int32_t *>take(
            &held, out, 4 * (samples * (c.id_count + 2 * c.count) + (more_ends[chosen - 1] if chosen else 0)), True)
        end = <int64_t *>take(&held, ends, 8 * c.count * samples, True)
        flags = <uint8_t *>take(&held, same, chosen, True)
        with nogil:
            result = weave_ids(&c, record, place, stop, samples, more, more_ends, bos, eos, target, end, flags)
        return result
    finally:
        release(&held)

# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, freethreading_compatible=True
"""Words that are drawn among words that are not, compiled. Twin: plain.py."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

include "../buffers.pxi"

cdef extern from "mixture.h" nogil:
    ctypedef struct canonical_words:
        const int32_t *ids
        const int64_t *ends
        const int64_t *records
        int64_t count, words, id_count
    int64_t choose_words "choose"(const canonical_words *, const uint8_t *, int64_t, const int64_t *, const int64_t *,
                                  double, const uint64_t *, uint64_t, uint64_t, int64_t, int64_t *, int64_t *,
                                  int64_t *)
    int64_t weave_ids "weave"(const canonical_words *, const int64_t *, const int64_t *, int64_t, const int32_t *,
                              const int64_t *, int32_t, int32_t, int32_t *, int64_t *, uint8_t *)


cdef int check_ascending(const int64_t *numbers, int64_t count, int64_t limit, str what) except -1:
    cdef int64_t i, before = 0
    for i in range(count):
        if not before <= numbers[i] <= limit:
            raise ValueError(f"{what} are not in ascending order, or lead outside")
        before = numbers[i]
    return 0


cdef int hold_words(canonical_words *c, views *held, object ids, object word_ends, object record_words,
                    int64_t samples) except -1:
    """Hold canonical ids, where each word ends in them, and how many words each record has."""
    c.ids = <const int32_t *>take(held, ids, 0, False)
    c.id_count = taken(held) // 4
    c.ends = <const int64_t *>take(held, word_ends, 0, False)
    c.words = taken(held) // 8
    check_ascending(c.ends, c.words, c.id_count, "words")
    c.records = <const int64_t *>take(held, record_words, 0, False)
    c.count = taken(held) // 8
    check_ascending(c.records, c.count, c.words, "records")
    if not 1 <= samples <= <int64_t>1 << 32:
        raise ValueError(f"{samples} samples")
    return 0


def choose(ids, word_ends, record_words, fixed, starts, stops, *, double chance, seed, uint64_t first_record,
           uint64_t first_sample, int64_t samples, places, bounds, last):
    """Choose each word with this chance, but those that are fixed; see plain.choose."""
    cdef views held
    cdef canonical_words c
    cdef const uint8_t *flags
    cdef const uint64_t *key
    cdef const int64_t *start
    cdef const int64_t *end
    cdef int64_t *place
    cdef int64_t *bound
    cdef int64_t *stop
    cdef int64_t pieces, result
    held.count = 0
    try:
        hold_words(&c, &held, ids, word_ends, record_words, samples)
        flags = <const uint8_t *>take(&held, fixed, 0, False)
        pieces = taken(&held)
        start = <const int64_t *>take(&held, starts, 8 * c.words, False)
        end = <const int64_t *>take(&held, stops, 8 * c.words, False)
        key = <const uint64_t *>take(&held, seed, 16, False)
        place = <int64_t *>take(&held, places, 8 * c.words * samples, True)
        bound = <int64_t *>take(&held, bounds, 16 * c.words * samples, True)
        stop = <int64_t *>take(&held, last, 8 * c.count * samples, True)
        with nogil:
            result = choose_words(&c, flags, pieces, start, end, chance, key, first_record, first_sample, samples,
                                  place, bound, stop)
        if result < 0:
            raise ValueError("an id outside the vocabulary")
        return result
    finally:
        release(&held)


cdef int check_chosen(const canonical_words *c, const int64_t *place, const int64_t *stop, int64_t samples) except -1:
    """Check that the words of each segmentation are words of its record, in ascending order."""
    cdef int64_t i, least, word = 0
    for i in range(c.count * samples):
        least = c.records[i // samples - 1] if i >= samples else 0
        while word < stop[i]:
            if not least <= place[word] < c.records[i // samples]:
                raise ValueError(f"the chosen word {word} is not in its record")
            least = place[word] + 1
            word += 1
    return 0


def weave(ids, word_ends, record_words, places, last, drawn, drawn_ends, *, int64_t samples, int bos, int eos, out,
          ends, same):
    """Put drawn ids in the places of canonical ones; see plain.weave."""
    cdef views held
    cdef canonical_words c
    cdef const int64_t *place
    cdef const int64_t *stop
    cdef const int32_t *more
    cdef const int64_t *more_ends
    cdef int32_t *target
    cdef int64_t *end
    cdef uint8_t *flags
    cdef int64_t chosen, size, result
    held.count = 0
    try:
        hold_words(&c, &held, ids, word_ends, record_words, samples)
        stop = <const int64_t *>take(&held, last, 8 * c.count * samples, False)
        chosen = stop[c.count * samples - 1] if c.count else 0
        check_ascending(stop, c.count * samples, chosen, "segmentations")
        place = <const int64_t *>take(&held, places, 8 * chosen, False)
        check_chosen(&c, place, stop, samples)
        more_ends = <const int64_t *>take(&held, drawn_ends, 8 * chosen, False)
        more = <const int32_t *>take(&held, drawn, 0, False)
        check_ascending(more_ends, chosen, taken(&held) // 4, "drawn words")
        size = samples * (c.id_count + 2 * c.count) + (more_ends[chosen - 1] if chosen else 0)
        target = <int32_t *>take(&held, out, 4 * size, True)
        end = <int64_t *>take(&held, ends, 8 * c.count * samples, True)
        flags = <uint8_t *>take(&held, same, chosen, True)
        with nogil:
            result = weave_ids(&c, place, stop, samples, more, more_ends, bos, eos, target, end, flags)
        return result
    finally:
        release(&held)

# Byte-pair encoding with dropout.

cdef extern from "dropout.h" nogil:
    enum:
        DROP_CACHE_BYTES
    ctypedef struct whole_word:
        pass
    status_t drop_records(const merger_t *, room_t *, whole_word *, const records_t *, double, const uint64_t *,
                          uint64_t, uint64_t, int64_t, state_t *)

BYTES_OF_DROP_CACHE = DROP_CACHE_BYTES


cdef int64_t bytes_left(const records_t *r, int64_t done, int64_t samples) except -1:
    """Return the bytes of all segmentations but those that are done."""
    cdef int64_t record = done // samples, whole = r.offsets[r.count] - r.offsets[0]
    if whole > (<int64_t>1 << 60) // samples:
        raise ValueError("more segmentations than memory holds")
    if record == r.count:
        return 0
    return (samples * (r.offsets[r.count] - r.offsets[record]) -
            done % samples * (r.offsets[record + 1] - r.offsets[record]))


def drop(Merger merger, text, offsets, *, double chance, seed, uint64_t first_record, uint64_t first_sample,
         int64_t samples, int bos, int eos, out, ends, state, cache, room):
    """Write the codes of segmentations in which pairs are left out at random; see plain_dropout.drop."""
    cdef views held
    cdef records_t r
    cdef room_t space
    cdef whole_word *slots
    cdef state_t *at
    cdef const uint64_t *key
    cdef status_t status
    cdef int64_t size
    held.count = 0
    try:
        merger.hold_records(&held, &r, text, offsets)
        at = <state_t *>take(&held, state, sizeof(state_t), True)
        if not 0 <= chance <= 1 or bos < -1 or eos < -1 or not 1 <= samples <= 1 << 32:
            raise ValueError("a chance, a code or a number of samples out of range")
        if r.count > <int64_t>1 << 30 or not 0 <= at.records <= r.count * samples or at.codes < 0:
            raise ValueError("the state is damaged")
        size = bytes_left(&r, at.records, samples)
        key = <const uint64_t *>take(&held, seed, 16, False)
        r.bos, r.eos = bos, eos
        r.out = <int32_t *>take(&held, out, 0, True)
        if taken(&held) // 4 - at.codes < size + 2 * (r.count * samples - at.records) + SLACK_OF_OUT:
            raise ValueError("too little room for the codes")
        r.ends = <int64_t *>take(&held, ends, 8 * r.count * samples, True)
        r.word_ends = NULL
        slots = <whole_word *>((<size_t>take(&held, cache, DROP_CACHE_BYTES, True) + 63) & ~<size_t>63)
        space.heap = <uint64_t *>take(&held, room, 0, True)
        space.capacity = min(taken(&held) // BYTES_OF_LETTER, <Py_ssize_t>(1 << 30))
        space.letters = <letter_t *>(space.heap + 2 * space.capacity)
        space.needed = 0
        with nogil:
            status = drop_records(&merger.inner, &space, slots, &r, chance, key, first_record, first_sample, samples,
                                  at)
        return <int>status
    finally:
        release(&held)

# Words of records, each a lattice of its own.

cdef extern from "words.h" nogil:
    enum:
        BYTES_OF_SLOT "sizeof(word_slot)"
    ctypedef struct word_slot:
        uint8_t size
    int64_t segment_words_of "segment_words"(
        const lattice *, workspace *, const uint8_t *, const int64_t *, const int64_t *, const int64_t *, int64_t,
        int64_t, int, const uint64_t *, uint64_t, uint64_t, int64_t, word_slot *, uint64_t, int32_t *, int64_t *)
    void measure_words_of "measure_words"(
        const lattice *, const double *, moment *, int64_t, const uint8_t *, const int64_t *, int64_t, double *)


cdef int64_t checked_words(const int64_t *word, int64_t first, int64_t last, int64_t begin, int64_t end) except -1:
    """Check that words have bytes, and lie between two places; return how many bytes they have."""
    cdef int64_t i, size = 0
    for i in range(first, last):
        if not begin <= word[2 * i] < word[2 * i + 1] <= end:
            raise ValueError(f"word {i} is not in its record")
        size += word[2 * i + 1] - word[2 * i]
    return size


def segment_words(Lattice vocabulary, text, offsets, Py_ssize_t count, *, words, last, int mode, seed,
                  uint64_t first_record, uint64_t first_sample, Py_ssize_t samples, room, codes, cache, tile,
                  int64_t cells, int64_t arcs, out, ends, Py_ssize_t first=0, word_cache=None):
    """Segment some words of records; return how many segmentations are done.

    See plain_words.segment_words for the arguments.
    """
    cdef views held
    cdef workspace w
    cdef lattice inner = vocabulary.inner
    cdef const uint8_t *data
    cdef const int64_t *starts
    cdef const int64_t *record
    cdef word_slot *slots = NULL
    cdef uint64_t mask = 0
    cdef const int64_t *word
    cdef const int64_t *stop
    cdef const uint64_t *key
    cdef int32_t *ids
    cdef int64_t *end
    cdef int64_t result, size = 0, done = 0
    cdef Py_ssize_t i, total, listed
    held.count = 0
    try:
        vocabulary.prepare(&w, &held, room, codes, cache, tile, cells, arcs, mode)
        if count < 0 or samples < 1 or count > (<Py_ssize_t>1 << 60) // samples or not 0 <= first <= count * samples:
            raise ValueError("count and samples are not those of a batch")
        total = count * samples
        starts = <const int64_t *>take(&held, offsets, 8 * (count + 1), False)
        data = <const uint8_t *>take(&held, text, 0, False)
        if starts[0] < 0 or starts[count] > taken(&held):
            raise ValueError("the records are not in the text")
        stop = <const int64_t *>take(&held, last, 8 * total, False)
        word = <const int64_t *>take(&held, words, 0, False)
        listed = taken(&held) // 16
        for i in range(total):
            if not done <= stop[i] <= listed:
                raise ValueError(f"the words of segmentation {i} are not listed")
            record = starts + i // samples
            size += checked_words(word, done, stop[i], record[0], min(record[1], starts[count]))
            done = stop[i]
        key = <const uint64_t *>take(&held, seed, 16, False)
        ids = <int32_t *>take(&held, out, 4 * (size + OUT_SLACK), True)
        end = <int64_t *>take(&held, ends, 8 * done, True)
        if word_cache is not None:
            slots = <word_slot *>take(&held, word_cache, 2 * BYTES_OF_SLOT, True)
            mask = <uint64_t>(taken(&held) // BYTES_OF_SLOT) - 1
            if inner.character or mask & (mask + 1):
                raise ValueError("words of bytes are kept, in a power of two of slots that were zero")
        inner.score_wanted = False
        with nogil:
            result = segment_words_of(&inner, &w, data, starts, word, stop, first, total, mode, key, first_record,
                                      first_sample, samples, slots, mask, ids, end)
        return result
    finally:
        release(&held)


def measure_words(Lattice vocabulary, log_weights, ring, text, words, out):
    """Write log Z, entropy and expected number of tokens of each word; see plain_words.measure_words."""
    cdef views held
    cdef lattice inner = vocabulary.inner
    cdef const double *logs
    cdef moment *room
    cdef const uint8_t *data
    cdef const int64_t *word
    cdef double *target
    cdef int64_t capacity, size, count
    held.count = 0
    try:
        room = <moment *>take(&held, ring, 0, True)
        capacity = taken(&held) // <int64_t>sizeof(moment)
        if capacity & (capacity - 1) or capacity <= inner.longest:
            raise ValueError("the ring needs a power of two of cells, more than the longest piece")
        logs = <const double *>take(&held, log_weights, 8 * (<Py_ssize_t>inner.pieces + 4), False)
        data = <const uint8_t *>take(&held, text, 0, False)
        size = taken(&held)
        word = <const int64_t *>take(&held, words, 0, False)
        count = taken(&held) // 16
        target = <double *>take(&held, out, 24 * count, True)
        checked_words(word, 0, count, 0, size)
        with nogil:
            measure_words_of(&inner, logs, room, capacity - 1, data, word, count, target)
    finally:
        release(&held)


WORD_SLOT_SIZE = BYTES_OF_SLOT

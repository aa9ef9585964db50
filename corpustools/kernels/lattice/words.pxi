# Words of records, each a lattice of its own.

cdef extern from "words.h" nogil:
    enum:
        LEAST_UNITS
    ctypedef struct word_samples:
        uint64_t *memory
    word_samples word_samples_in(uint64_t *, uint64_t)
    int64_t segment_words_of "segment_words"(
        const lattice *, workspace *, const uint8_t *, const uint8_t *, const int64_t *, const int64_t *,
        const int64_t *, int64_t, int64_t, int, const uint64_t *, uint64_t, uint64_t, int64_t, const word_samples *,
        int32_t *, int64_t *)
    void measure_words_of "measure_words"(
        const lattice *, const double *, moment *, int64_t, const uint8_t *, const uint8_t *, const int64_t *, int64_t,
        int64_t *, uint64_t, double *)


cdef int64_t checked_words(const int64_t *word, int64_t first, int64_t last, int64_t begin, int64_t end) except -1:
    """Check that words have bytes, and lie between two places; return how many bytes they have."""
    cdef int64_t i, size = 0
    for i in range(first, last):
        if not begin <= word[2 * i] < word[2 * i + 1] <= end:
            raise ValueError(f"word {i} is not in its record")
        size += word[2 * i + 1] - word[2 * i]
    return size


cdef struct chosen_words:
    const uint8_t *text
    const int64_t *records   # where each record begins, and the end
    const int64_t *words
    const int64_t *last      # by segmentation
    int64_t text_size, segmentations, count, size


cdef int hold_words(chosen_words *c, views *held, object text, object offsets, Py_ssize_t count, Py_ssize_t samples,
                    object words, object last) except -1:
    """Hold the words of records, and check that each lies in its record."""
    cdef const int64_t *record
    cdef int64_t i, listed
    if count < 0 or samples < 1 or count > (<Py_ssize_t>1 << 60) // samples:
        raise ValueError("count and samples are not those of a batch")
    c.segmentations = count * samples
    c.records = <const int64_t *>take(held, offsets, 8 * (count + 1), False)
    c.text = <const uint8_t *>take(held, text, 0, False)
    c.text_size = taken(held)
    if c.records[0] < 0 or c.records[count] > c.text_size:
        raise ValueError("the records are not in the text")
    c.last = <const int64_t *>take(held, last, 8 * c.segmentations, False)
    c.words = <const int64_t *>take(held, words, 0, False)
    listed = taken(held) // 16
    c.count = c.size = 0
    for i in range(c.segmentations):
        if not c.count <= c.last[i] <= listed:
            raise ValueError(f"the words of segmentation {i} are not listed")
        record = c.records + i // samples
        c.size += checked_words(c.words, c.count, c.last[i], record[0], min(record[1], c.records[count]))
        c.count = c.last[i]
    return 0


def segment_words(Lattice vocabulary, text, offsets, Py_ssize_t count, *, words, last, int mode, seed,
                  uint64_t first_record, uint64_t first_sample, Py_ssize_t samples, room, codes, cache, tile,
                  int64_t cells, int64_t arcs, out, ends, Py_ssize_t first=0, word_cache=None):
    """Segment some words of records; return how many segmentations are done.

    See plain_words.segment_words for the arguments.
    """
    cdef views held
    cdef workspace w
    cdef lattice inner = vocabulary.inner
    cdef chosen_words c
    cdef word_samples kept
    cdef const word_samples *cached = NULL
    cdef uint64_t *memory
    cdef const uint64_t *key
    cdef int32_t *ids
    cdef int64_t *end
    cdef int64_t result
    held.count = 0
    try:
        vocabulary.prepare(&w, &held, room, codes, cache, tile, cells, arcs, mode)
        hold_words(&c, &held, text, offsets, count, samples, words, last)
        if not 0 <= first <= c.segmentations:
            raise ValueError("more is done than there is")
        key = <const uint64_t *>take(&held, seed, 16, False)
        ids = <int32_t *>take(&held, out, 4 * (c.size + OUT_SLACK), True)
        end = <int64_t *>take(&held, ends, 8 * c.count, True)
        if word_cache is not None and mode == MODE_SAMPLE:
            memory = <uint64_t *>take(&held, word_cache, LEAST_WORD_CACHE, True)
            if inner.character or taken(&held) >= <Py_ssize_t>1 << 35:
                raise ValueError("words of bytes are kept, in less than 32 GiB that were zero")
            kept = word_samples_in(memory, <uint64_t>taken(&held) // 8)
            cached = &kept
        inner.score_wanted = False
        with nogil:
            result = segment_words_of(&inner, &w, c.text, c.text + c.text_size, c.records, c.words, c.last, first,
                                      c.segmentations, mode, key, first_record, first_sample, samples, cached, ids,
                                      end)
        return result
    finally:
        release(&held)


def measure_words(Lattice vocabulary, log_weights, ring, text, words, seen, out):
    """Write log Z, entropy and expected number of tokens of each word; see plain_words.measure_words."""
    cdef views held
    cdef lattice inner = vocabulary.inner
    cdef const double *logs
    cdef moment *room
    cdef const uint8_t *data
    cdef const int64_t *word
    cdef int64_t *table
    cdef double *target
    cdef int64_t capacity, size, count, places
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
        table = <int64_t *>take(&held, seen, 8, True)
        places = taken(&held) // 8
        if places & (places - 1):
            raise ValueError("the table of words that were seen needs a power of two of places")
        target = <double *>take(&held, out, 24 * count, True)
        checked_words(word, 0, count, 0, size)
        with nogil:
            measure_words_of(&inner, logs, room, capacity - 1, data, data + size, word, count, table, places - 1,
                             target)
    finally:
        release(&held)


LEAST_WORD_CACHE = 8 * LEAST_UNITS  # bytes

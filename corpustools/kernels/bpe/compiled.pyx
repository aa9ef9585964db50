# cython: language_level=3, boundscheck=False, wraparound=False, freethreading_compatible=True
"""Byte-pair encoding, compiled (the loops: records.h). Twin: plain.py."""

include "declarations.pxi"
include "../buffers.pxi"

SLOT_WORDS = 4
CACHE_BYTES = BYTES_OF_CACHE
LETTER_BYTES = BYTES_OF_LETTER
OUT_SLACK = SLACK_OF_OUT
NEAR_BYTES = 8 * WORDS_OF_NEAR


cdef int rising(const int64_t *ends, int64_t count, int64_t first, int64_t size) noexcept nogil:
    """Say whether ends rise from `first` on and stay within `size`."""
    cdef int64_t i, last = first
    for i in range(count):
        if ends[i] < last or ends[i] > size:
            return 0
        last = ends[i]
    return 1


cdef int hold_room(views *held, room_t *space, object room) except -1:
    space.heap = <uint64_t *>take(held, room, 0, True)
    space.capacity = min(taken(held) // BYTES_OF_LETTER, <Py_ssize_t>(1 << 30))
    space.letters = <letter_t *>(space.heap + 2 * space.capacity)
    space.needed = 0
    return 0


cdef class Merger:
    """The merges of a model.

    Args:
        pairs: left, right, priority and made of each pair, codes, int32, one after another; no pair stands twice.
        pair_slots: zeros, uint32, SLOT_WORDS for each slot: a power of two of slots, more than pairs.
        letters: int32, 2^21: by code point, or by byte, the code plus 1, or 0.
        whole_text, whole_ends, whole_codes: the words that are a code at once: bytes, int64, int32.
        whole_slots: zeros, int32: a power of two, more than such words; empty where there are none.
        symbol_text, symbol_ends, symbol_codes: the text that is a word wherever it stands, sorted and none empty.
        apart_ends, apart: what is written in the place of a code: where that ends, by code, and the codes; int32.
        byte_codes: the codes of the 256 bytes that an unknown letter is written in, int32; empty where there are none.
        unknown: the code of other unknown letters, or -1.
        fuse: whether neighbouring unknown letters are one.
        characters: whether letters are characters, else bytes.
        begins: 256 flags: whether a mark begins a word behind a byte that is not of a mark.
        code_text, code_ends: the text of each code: bytes, and where each ends, int64.
        seams: zeros, uint64: NEAR_BYTES and a power of two more; empty where words are not to be cut.

    Raises:
        ValueError: tables do not fit each other.
    """

    cdef views held
    cdef merger_t inner

    def __cinit__(self, *, pairs, pair_slots, letters, whole_text, whole_ends, whole_codes, whole_slots, symbol_text,
                  symbol_ends, symbol_codes, apart_ends, apart, byte_codes, int unknown, bint fuse, bint characters,
                  begins, code_text, code_ends, seams):
        cdef merger_t *m = &self.inner
        memset(m, 0, sizeof(merger_t))
        self.held.count = 0
        self.hold_pairs(pairs, pair_slots)
        m.letters = <const int32_t *>take(&self.held, letters, 4 * <Py_ssize_t>PLACES_OF_LETTERS, False)
        self.hold_texts(&m.wholes, whole_text, whole_ends, whole_codes)
        self.hold_texts(&m.symbols, symbol_text, symbol_ends, symbol_codes)
        self.hold_wholes(whole_slots)
        self.hold_symbols()
        self.hold_apart(apart_ends, apart)
        m.byte_codes = NULL
        if len(byte_codes):
            m.byte_codes = <const int32_t *>take(&self.held, byte_codes, 4 * 256, False)
        if unknown < NO_CODE:
            raise ValueError("no code of unknown letters")
        m.unknown, m.fuse, m.characters = unknown, fuse, characters
        m.begins = <const uint8_t *>take(&self.held, begins, 256, False)
        m.space_marks = memchr(m.begins, 1, 256) != NULL
        if len(seams):
            self.hold_seams(pairs, code_text, code_ends, seams)

    def __dealloc__(self):
        release(&self.held)

    cdef int hold_pairs(self, object pairs, object slots) except -1:
        cdef const int32_t *rows = <const int32_t *>take(&self.held, pairs, 0, False)
        cdef Py_ssize_t count = taken(&self.held) // 16, size
        cdef pair_t *table = <pair_t *>take(&self.held, slots, 0, True)
        size = taken(&self.held) // sizeof(pair_t)
        if size <= count or size & (size - 1):
            raise ValueError("the slots of pairs are no power of two, or too few")
        memset(table, 0, size * sizeof(pair_t))
        if not fill_pairs(rows, count, table, size - 1):
            raise ValueError("a pair is negative, or stands twice")
        self.inner.pairs, self.inner.pair_mask = table, size - 1
        return 0

    cdef int hold_texts(self, texts_t *texts, object text, object ends, object codes) except -1:
        cdef int64_t i, size
        texts.text = <const uint8_t *>take(&self.held, text, 0, False)
        size = taken(&self.held)
        texts.ends = <const int64_t *>take(&self.held, ends, 0, False)
        texts.count = taken(&self.held) // 8
        texts.codes = <const int32_t *>take(&self.held, codes, 4 * texts.count, False)
        if not rising(texts.ends, texts.count, 0, size):
            raise ValueError("the ends of texts do not rise, or lie outside of them")
        for i in range(texts.count):
            if texts.codes[i] < 0:
                raise ValueError("a negative code")
        return 0

    cdef int hold_wholes(self, object slots) except -1:
        cdef int32_t *table = <int32_t *>take(&self.held, slots, 0, True)
        cdef Py_ssize_t size = taken(&self.held) // 4
        if not self.inner.wholes.count:
            return 0
        if size <= self.inner.wholes.count or size & (size - 1):
            raise ValueError("the slots of whole words are no power of two, or too few")
        memset(table, 0, size * 4)
        fill_wholes(&self.inner.wholes, table, size - 1)
        self.inner.whole_slots, self.inner.whole_mask = table, size - 1
        return 0

    cdef int hold_symbols(self) except -1:
        cdef const texts_t *symbols = &self.inner.symbols
        cdef int64_t i, start = 0
        cdef bytes text, before = b""
        for i in range(symbols.count):
            text = symbols.text[start:symbols.ends[i]]
            if text <= before:
                raise ValueError("symbols are not sorted, or one is empty")
            before, start = text, symbols.ends[i]
            # No letter begins with such a byte.
            if text[0] & 0xC0 != 0x80:
                self.inner.symbol_heads[text[0] >> 6] |= <uint64_t>1 << (text[0] & 63)
        return 0

    cdef int hold_apart(self, object ends, object apart) except -1:
        cdef merger_t *m = &self.inner
        cdef int64_t i, size, last = 0
        m.apart_ends = <const int32_t *>take(&self.held, ends, 0, False)
        m.apart_count = taken(&self.held) // 4
        m.apart = <const int32_t *>take(&self.held, apart, 0, False)
        size = taken(&self.held) // 4
        for i in range(m.apart_count):
            if m.apart_ends[i] < last or m.apart_ends[i] > size:
                raise ValueError("the ends of what stands apart do not rise, or lie outside of it")
            last = m.apart_ends[i]
        for i in range(size):
            if m.apart[i] < NO_CODE:
                raise ValueError("a negative code")
        return 0

    cdef int hold_seams(self, object pairs, object code_text, object code_ends, object seams) except -1:
        cdef merger_t *m = &self.inner
        cdef views lent
        cdef texts_t texts
        cdef uint64_t *near = <uint64_t *>take(&self.held, seams, 8 * WORDS_OF_NEAR + 8, True)
        cdef Py_ssize_t size = taken(&self.held) // 8 - WORDS_OF_NEAR, count
        if size & (size - 1):
            raise ValueError("the marks of seams are no power of two")
        memset(near, 0, 8 * (WORDS_OF_NEAR + size))
        lent.count = 0
        try:
            texts.codes = NULL
            texts.text = <const uint8_t *>take(&lent, code_text, 0, False)
            count = taken(&lent)
            texts.ends = <const int64_t *>take(&lent, code_ends, 0, False)
            texts.count = taken(&lent) // 8
            if not rising(texts.ends, texts.count, 0, count):
                raise ValueError("the ends of the codes' texts do not rise, or lie outside of them")
            rows = <const int32_t *>take(&lent, pairs, 0, False)
            count = taken(&lent) // 16
            if mark_seams(m, rows, count, &texts, near, near + WORDS_OF_NEAR, 64 * size - 1):
                m.near, m.seams, m.seam_mask = near, near + WORDS_OF_NEAR, 64 * size - 1
        finally:
            release(&lent)
        return 0

    cdef int hold_records(self, views *held, records_t *r, object text, object offsets) except -1:
        cdef int64_t size
        r.text = <const uint8_t *>take(held, text, 0, False)
        size = taken(held)
        r.offsets = <const int64_t *>take(held, offsets, 8, False)
        r.count = taken(held) // 8 - 1
        if not rising(r.offsets, r.count + 1, 0, size):
            raise ValueError("the offsets of records do not rise, or lie outside of the text")
        return 0

    def segment(self, text, offsets, *, int64_t first, int bos, int eos, out, ends, word_ends, state, cache, room):
        """Write the codes of records from `first` on.

        Args:
            text: the records, marked: words stand between bytes 0xFF.
            offsets: where each record begins, and the last one ends, int64; one more than records.
            first: the record to begin with: 0, or state[0] of the call that asked for more room.
            bos, eos: codes that are put around every record, or -1.
            out: receives the codes from state[1] on, int32; one for each byte, two for each record, OUT_SLACK more.
            ends: receives where each record ends in `out`, int64.
            word_ends: receives where each word ends in `out`, int64, one for each byte; or None.
            state: int64[4], zeros at first: records that are done, codes, words, letters that need room.
            cache: CACHE_BYTES, zeros at first: it belongs to this model and one thread.
            room: LETTER_BYTES for each letter of a long word, aligned to 8.

        Returns:
            DONE, MORE_ROOM or UNWRITABLE, see status.py.

        Raises:
            ValueError: buffers do not fit each other.
        """
        cdef views held
        cdef records_t r
        cdef room_t space
        cdef state_t *at
        cdef slot_t *slots
        cdef status_t status
        cdef int64_t size
        held.count = 0
        try:
            self.hold_records(&held, &r, text, offsets)
            at = <state_t *>take(&held, state, sizeof(state_t), True)
            if not 0 <= first <= r.count or at.codes < 0 or at.words < 0 or bos < -1 or eos < -1:
                raise ValueError("the state is damaged")
            r.bos, r.eos = bos, eos
            size = r.offsets[r.count] - r.offsets[first]
            r.out = <int32_t *>take(&held, out, 0, True)
            if taken(&held) // 4 - at.codes < size + 2 * (r.count - first) + SLACK_OF_OUT:
                raise ValueError("too little room for the codes")
            r.ends = <int64_t *>take(&held, ends, 8 * r.count, True)
            r.word_ends = NULL
            if word_ends is not None:
                r.word_ends = <int64_t *>take(&held, word_ends, 8 * (at.words + size), True)
            slots = <slot_t *>((<size_t>take(&held, cache, BYTES_OF_CACHE, True) + 63) & ~<size_t>63)
            hold_room(&held, &space, room)
            with nogil:
                status = write_records(&self.inner, slots, &space, &r, first, at)
            return <int>status
        finally:
            release(&held)

    def words(self, text, offsets, *, starts, ends, record_ends):
        """Write where words begin and end, and how many there are up to each record's end; return their number.

        Args:
            text, offsets: the records, see `segment`.
            starts, ends: receive where each word begins and ends in `text`, int64; room for one a byte.
            record_ends: receives the number of words up to the end of each record, int64.

        Raises:
            ValueError: buffers do not fit each other.
        """
        cdef views held
        cdef records_t r
        cdef int64_t *begun
        cdef int64_t *ended
        cdef int64_t count, size
        held.count = 0
        try:
            self.hold_records(&held, &r, text, offsets)
            size = r.offsets[r.count] - r.offsets[0]
            begun = <int64_t *>take(&held, starts, 8 * size, True)
            ended = <int64_t *>take(&held, ends, 8 * size, True)
            r.ends = <int64_t *>take(&held, record_ends, 8 * r.count, True)
            with nogil:
                count = list_words(&self.inner, &r, begun, ended)
            return count
        finally:
            release(&held)


include "dropout.pxi"

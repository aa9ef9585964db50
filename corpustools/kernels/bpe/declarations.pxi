# What compiled.pyx uses of the headers; bpe.h tells what the words mean.

from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.string cimport memchr, memset

cdef extern from "records.h" nogil:
    enum:
        BYTES_OF_CACHE "CACHE_BYTES"
        BYTES_OF_LETTER "LETTER_BYTES"
        SLACK_OF_OUT "OUT_SLACK"
        PLACES_OF_LETTERS "LETTER_PLACES"
        NO_CODE "UNKNOWN"
        WORDS_OF_NEAR "NEAR_WORDS"
    ctypedef enum status_t:
        pass
    ctypedef struct pair_t:
        pass
    ctypedef struct slot_t:
        pass
    ctypedef struct letter_t:
        pass
    ctypedef struct texts_t:
        const uint8_t *text
        const int64_t *ends
        const int32_t *codes
        int64_t count
    ctypedef struct merger_t:
        const pair_t *pairs
        uint64_t pair_mask
        const int32_t *letters
        texts_t wholes
        texts_t symbols
        const int32_t *whole_slots
        uint64_t whole_mask
        uint64_t symbol_heads[4]
        const int32_t *apart_ends
        const int32_t *apart
        int64_t apart_count
        const int32_t *byte_codes
        int32_t unknown
        int fuse
        int characters
        const uint8_t *begins
        int space_marks
        const uint64_t *near
        const uint64_t *seams
        uint64_t seam_mask
    ctypedef struct records_t:
        const uint8_t *text
        const int64_t *offsets
        int64_t count
        int32_t bos
        int32_t eos
        int32_t *out
        int64_t *ends
        int64_t *word_ends
    ctypedef struct room_t:
        uint64_t *heap
        letter_t *letters
        int64_t capacity
        int64_t needed
    ctypedef struct state_t:
        int64_t records
        int64_t codes
        int64_t words
        int64_t needed
    int fill_pairs(const int32_t *, int64_t, pair_t *, uint64_t)
    void fill_wholes(const texts_t *, int32_t *, uint64_t)
    int mark_seams(const merger_t *, const int32_t *, int64_t, const texts_t *, uint64_t *, uint64_t *, uint64_t)
    status_t write_records(const merger_t *, slot_t *, room_t *, const records_t *, int64_t, state_t *)
    int64_t list_words(const merger_t *, const records_t *, int64_t *, int64_t *)

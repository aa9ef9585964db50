/* Byte-pair encoding: the tables of a model. Read next: words.h, pairs.h, join.h, seams.h, word_cache.h,
 * units.h, records.h.
 *
 *     marked text   the FF newest FF . ...                 FF: a byte that is no text; words stand between them
 *     letters       n e w e s t                            a code each: letters[place]
 *     pairs         (e s) before (es t) before (n e)       the least (priority, place) is joined first
 *     joined        ne w est
 *     written       ids of these, or what stands apart for a code
 *
 * A code is an index of the model's pieces, or stands behind them for a letter that is no piece alone. */
#ifndef CORPUS_BPE_H
#define CORPUS_BPE_H
#include <stdint.h>

enum {
    CUT = 0xFF,
    UNKNOWN = -1, /* in the place of a code: a letter that the vocabulary cannot write */
    LETTER_PLACES = 1 << 21,
    /* Codes that may be written in vain behind the last one. */
    OUT_SLACK = 4
};

typedef enum { DONE, MORE_ROOM, UNWRITABLE } status_t;

/* left_and_one: the left code plus 1, 0 where the slot is empty. */
typedef struct {
    uint32_t left_and_one, right, priority, made;
} pair_t;

/* Text i is text[ends[i - 1]:ends[i]]. */
typedef struct {
    const uint8_t *text;
    const int64_t *ends;
    const int32_t *codes;
    int64_t count;
} texts_t;

/* pairs: a hash table of a power of two of slots, at most half of them taken. mask: that power, less 1.
 * letters: by code point, or by byte, the code plus 1, 0 where there is none.
 * wholes: words that are a code at once. whole_slots: a hash table of their indices plus 1.
 * symbols: text that is a word wherever it stands, sorted. symbol_heads: a bit for each byte that one begins with.
 * apart: code c is written as apart[apart_ends[c - 1]:apart_ends[c]], where that is not empty and c < apart_count.
 * byte_codes: what an unknown letter's bytes become; or NULL. unknown: the code that is written otherwise; or UNKNOWN.
 * fuse: neighbouring unknown letters are written as one.
 * characters: letters are characters of UTF-8.
 * near, seams: marks of characters that a pair joins across, see seams.h; NULL where words are never cut.
 * begins: whether a mark begins a word behind a byte that is not of a mark. space_marks: whether it ever does. */
typedef struct {
    const pair_t *pairs;
    uint64_t pair_mask;
    const int32_t *letters;
    texts_t wholes, symbols;
    const int32_t *whole_slots;
    uint64_t whole_mask;
    uint64_t symbol_heads[4];
    const int32_t *apart_ends;
    const int32_t *apart;
    int64_t apart_count;
    const int32_t *byte_codes;
    int32_t unknown;
    const uint8_t *begins;
    int fuse, characters, space_marks;
    const uint64_t *near, *seams;
    uint64_t seam_mask;
} merger_t;

static inline int64_t text_start(const texts_t *texts, int64_t i) { return i ? texts->ends[i - 1] : 0; }

static inline int64_t text_size(const texts_t *texts, int64_t i) { return texts->ends[i] - text_start(texts, i); }
#endif

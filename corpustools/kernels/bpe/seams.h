/* Where a word can be cut into spans that merges never join: at seams, between characters whose pair is not marked.
 *
 *     marked   (last character of left, first of right) of every pair, and neighbours in words that are a code at once
 *     word     他 们 | 在 | 北 京 | 见 面       each span is looked up, and joined, for itself
 *
 * Proof: the first join across A and B is of a code that ends with A and of one that begins with B. Of A the one holds
 * all or, where letters are bytes, only last bytes, and of B the other all or only first ones: those are marked.
 * Marks that meet by chance hide a place to cut, and change nothing else. */
#ifndef CORPUS_BPE_SEAMS_H
#define CORPUS_BPE_SEAMS_H
#include <stdint.h>
#include <string.h>

#include "bpe.h"
#include "pairs.h"

enum {
    NEAR_WORDS = 65536 / 64,
    /* Stands in the place of a character of which a pair holds a part: with its last byte, or its first one. */
    PART = 1 << 24
};

/* A character of UTF-8. whole: whether all of it is there, and it is no letter beyond Unicode. */
typedef struct {
    uint32_t point;
    uint8_t first, last, size, whole;
} character_t;

static inline int goes_on(uint8_t byte) { return (byte & 0xC0) == 0x80; }

static inline character_t character_at(const uint8_t *text, int64_t at, int64_t end) {
    const uint8_t *t = text + at, first = *t;
    if (first < 0x80) return (character_t){first, first, first, 1, 1};
    if (first >= 0xE0 && first < 0xF0 && at + 3 <= end && goes_on(t[1]) && goes_on(t[2]))
        return (character_t){(first & 15u) << 12 | (t[1] & 63u) << 6 | (t[2] & 63u), first, t[2], 3, 1};
    if (first >= 0xC2 && first < 0xE0 && at + 2 <= end && goes_on(t[1]))
        return (character_t){(first & 31u) << 6 | (t[1] & 63u), first, t[1], 2, 1};
    if (first >= 0xF0 && first < 0xF8 && at + 4 <= end && goes_on(t[1]) && goes_on(t[2]) && goes_on(t[3])) {
        const uint32_t point = (first & 7u) << 18 | (t[1] & 63u) << 12 | (t[2] & 63u) << 6 | (t[3] & 63u);
        return (character_t){point, first, t[3], 4, first < 0xF5};
    }
    return (character_t){first, first, first, 1, 0};
}

static inline uint64_t near_place(uint8_t last, uint8_t first) { return (uint64_t)last << 8 | first; }

static inline int is_set(const uint64_t *bits, uint64_t place) { return bits[place >> 6] >> (place & 63) & 1; }

static inline int is_marked(const merger_t *m, uint32_t left, uint32_t right) {
    return is_set(m->seams, hash_pair(left, right) & m->seam_mask);
}

/* Say whether merges never join across two neighbouring characters. */
static inline int is_seam(const merger_t *m, character_t a, character_t b) {
    if (!(a.whole & b.whole)) return 0;
    if (is_set(m->near, near_place(a.last, b.first))) {
        if (a.size == 1 && b.size == 1) return 0;
        if (is_marked(m, a.last | PART, b.point) || is_marked(m, a.point, b.first | PART)) return 0;
        if (is_marked(m, a.last | PART, b.first | PART)) return 0;
    }
    return (a.size == 1 && b.size == 1) || !is_marked(m, a.point, b.point);
}

/* Return where the span that begins at `at` ends: at the first seam, or at `end`. */
static inline int64_t next_seam(const merger_t *m, const uint8_t *text, int64_t at, int64_t end) {
    character_t a = character_at(text, at, end);
    for (at += a.size; at < end; at += a.size) {
        character_t b = character_at(text, at, end);
        if (is_seam(m, a, b)) return at;
        a = b;
    }
    return end;
}

static inline void set_bit(uint64_t *bits, uint64_t place) { bits[place >> 6] |= (uint64_t)1 << (place & 63); }

/* Mark the last character of one text, or what it has of it, with the first one of another. */
static inline void mark(uint64_t *near, uint64_t *bits, uint64_t mask, const uint8_t *left, int64_t left_size,
                        const uint8_t *right, int64_t right_size) {
    if (!left_size || !right_size || goes_on(right[0])) return;
    int64_t begin = left_size - 1;
    while (begin && goes_on(left[begin])) begin--;
    const character_t a = character_at(left, begin, left_size), b = character_at(right, 0, right_size);
    const uint8_t last = left[left_size - 1];
    const int a_whole = a.whole && begin + a.size == left_size;
    if (!a_whole || !b.whole || (a.size == 1 && b.size == 1)) set_bit(near, near_place(last, b.first));
    set_bit(bits, hash_pair(a_whole ? a.point : last | PART, b.whole ? b.point : b.first | PART) & mask);
}

/* Say whether text[:size] is the text of a code. */
static inline int is_text(const texts_t *texts, int64_t code, const uint8_t *text, int64_t size) {
    return code < texts->count && text_size(texts, code) == size &&
           !memcmp(texts->text + text_start(texts, code), text, (size_t)size);
}

/* Say whether every letter of text has itself as the text of its code. */
static int fits_letters(const int32_t *letters, int characters, const texts_t *texts) {
    uint8_t text[4];
    for (uint32_t place = 0; place < (characters ? 0x110000u : 256u); place++) {
        int64_t size = 1;
        if (!letters[place]) continue;
        if (place < 0x80 || !characters) text[0] = (uint8_t)place;
        else {
            size = place < 0x800 ? 2 : place < 0x10000 ? 3 : 4;
            for (int64_t i = size - 1; i; i--) text[i] = 0x80 | (place >> 6 * (size - 1 - i) & 63);
            text[0] = (uint8_t)(0xF00u >> size | place >> 6 * (size - 1));
        }
        if (text[0] < 0xF5 && !is_text(texts, letters[place] - 1, text, size)) return 0;
    }
    return 1;
}

/* Mark all pairs, rows as those of fill_pairs, and all words that are a code at once. Return 0, with some marks set or
 * none, where a code is not the text of what it is made of: then nothing is known about seams. */
static int mark_seams(const merger_t *m, const int32_t *rows, int64_t count, const texts_t *texts, uint64_t *near,
                      uint64_t *bits, uint64_t mask) {
    if (!fits_letters(m->letters, m->characters, texts)) return 0;
    for (int64_t i = 0; i < count; i++, rows += 4) {
        if (rows[0] >= texts->count || rows[1] >= texts->count || rows[3] >= texts->count) return 0;
        const uint8_t *left = texts->text + text_start(texts, rows[0]);
        const uint8_t *right = texts->text + text_start(texts, rows[1]);
        const uint8_t *made = texts->text + text_start(texts, rows[3]);
        const int64_t left_size = text_size(texts, rows[0]), right_size = text_size(texts, rows[1]);
        if (text_size(texts, rows[3]) != left_size + right_size) return 0;
        if (memcmp(made, left, (size_t)left_size) || memcmp(made + left_size, right, (size_t)right_size)) return 0;
        mark(near, bits, mask, left, left_size, right, right_size);
    }
    for (int64_t i = 0; i < m->wholes.count; i++) {
        const uint8_t *text = m->wholes.text + text_start(&m->wholes, i);
        const int64_t size = text_size(&m->wholes, i);
        for (int64_t at = 1; at < size; at++) mark(near, bits, mask, text, at, text + at, size - at);
    }
    return 1;
}
#endif

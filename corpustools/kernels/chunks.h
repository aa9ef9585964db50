/* Chunks: what lies between two seams. A seam is a boundary between two characters that stand beside each other in no
 * piece, so that no arc of any lattice spans it; to see one takes nothing but the two characters. Most chunks of natural
 * text are a word or less and come again and again.
 */
#ifndef CORPUS_CHUNKS_H
#define CORPUS_CHUNKS_H
#include "lattice.h"

/* A longer chunk is drawn position by position, so that it can be segmented in a window; a shorter one as a whole. */
#define CHUNK_BYTES 48
#define CHUNK_GROUP 16

/* The code point of a character by its first byte alone; malformed ones give a number that means nothing, always the
 * same one. */
static inline int64_t code_point(const uint8_t *t, int64_t length) {
    switch (length) {
    case 1: return t[0];
    case 2: return (t[0] & 31) << 6 | (t[1] & 63);
    case 3: return (t[0] & 15) << 12 | (t[1] & 63) << 6 | (t[2] & 63);
    default: return (t[0] & 7) << 18 | (t[1] & 63) << 12 | (t[2] & 63) << 6 | (t[3] & 63);
    }
}

/* Whether two code points are neighbours in a piece: a bit of a table by a hash, so that some others pass for such. */
static inline int joined_codes(const lattice *l, uint32_t before, uint32_t code) {
    uint32_t bit = (before * 0x9E3779B1u ^ code) * 0x85EBCA6Bu >> l->join_shift;
    return l->joins[bit >> 3] >> (bit & 7) & 1;
}

static inline int joined(const lattice *l, int64_t before, const uint8_t *text, int64_t left) {
    return before == NO_CHARACTER || joined_codes(l, (uint32_t)before, (uint32_t)code_point(text, character_length(text, left)));
}

/* What a call of next_chunks stopped at. */
enum { CHUNKS_MORE, CHUNKS_LONG, CHUNKS_END };

/* Finds the ends of the chunks from `text`, a seam, on, CHUNK_GROUP at the most; `final`: the text ends behind `left`.
 * CHUNKS_LONG: one follows that is longer than CHUNK_BYTES. CHUNKS_END: nothing follows, or an end that more text has
 * to show. */
static inline int next_chunks(const lattice *l, const uint8_t *text, int64_t left, int final, int32_t *ends, int *count) {
    int64_t at = 0, begin = 0;
    uint32_t previous = 0;
    int n = 0;
    while (at < left) {
        uint32_t code = text[at];
        int length = 1, joint;
        if (code >= 0x80) {
            length = character_length(text + at, 4);
            if (at + length > left) {
                if (!final) break;
                length = (int)(left - at);
            }
            code = (uint32_t)code_point(text + at, length);
        }
        joint = at == begin || joined_codes(l, previous, code);
        if (at - begin > CHUNK_BYTES) {
            *count = n;
            return CHUNKS_LONG;
        }
        if (!joint) {
            ends[n++] = (int32_t)at;
            begin = at;
            if (n == CHUNK_GROUP) {
                *count = n;
                return CHUNKS_MORE;
            }
        }
        previous = code;
        at += length;
    }
    *count = n;
    if (at - begin > CHUNK_BYTES) return CHUNKS_LONG;
    if (final && at > begin) ends[(*count)++] = (int32_t)at;
    return CHUNKS_END;
}
#endif

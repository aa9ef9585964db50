/* Spans: what lies between two seams. A seam is a boundary between two characters that stand beside each other in no
 * piece, so that no arc of any lattice spans it; to see one takes nothing but the two characters. Most spans of natural
 * text are a word or less and come again and again.
 */
#ifndef CORPUS_SPANS_H
#define CORPUS_SPANS_H
#include <stdint.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "lattice.h"

/* A longer span is drawn position by position, so that memory does not have to hold all of it; a shorter
 * one by a single number. */
#define SPAN_BYTES 48

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

static inline uint32_t join_bit(uint32_t before, uint32_t code, uint32_t shift) {
    return (before * 0x9E3779B1u ^ code) * 0x85EBCA6Bu >> shift;
}

/* Whether two code points are neighbours in a piece: a bit of a table by a hash, so that some others pass for such. */
static inline int joined_codes(const lattice *l, uint32_t before, uint32_t code) {
    uint32_t bit = join_bit(before, code, l->join_shift);
    return l->joins[bit >> 3] >> (bit & 7) & 1;
}

static inline int joined(const lattice *l, int64_t before, const uint8_t *text, int64_t left) {
    return before == NO_CHARACTER ||
           joined_codes(l, (uint32_t)before, (uint32_t)code_point(text, character_length(text, left)));
}

/* For two neighbouring bytes of text that holds nothing but ASCII and word marks U+2581, whether a seam lies between;
 * 65,536 of them, by first + 256 * second. */
static inline void fill_seams(const lattice *l, uint8_t *seams) {
    for (int first = 0; first < 256; first++)
        for (int second = 0; second < 256; second++) {
            uint32_t before = first < 0x80 ? (uint32_t)first : first == 0x81 ? 0x2581 : 0;
            uint32_t code = second < 0x80 ? (uint32_t)second : second == 0xE2 ? 0x2581 : 0;
            seams[first + 256 * second] = before && code ? !joined_codes(l, before, code) : 0;
        }
}

/* Where the seams of one stretch lie: bit i, before its byte i. `size`: its bytes, whole characters, 64 at most. */
typedef struct {
    uint64_t bits;
    int size;
} seam_bits;

#ifdef __SSE2__
/* A stretch of ASCII and word marks, 64 bytes of which may be read; `joint`: no seam lies before it. */
static inline seam_bits quick_seams(const lattice *l, const uint8_t *text, int joint) {
    uint64_t high = 0, lead = 0, middle = 0, tail = 0, bits = 0;
    for (int i = 0; i < 64; i += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(text + i));
        high |= (uint64_t)(uint32_t)_mm_movemask_epi8(bytes) << i;
        lead |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8((char)0xE2))) << i;
        middle |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8((char)0x96))) << i;
        tail |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8((char)0x81))) << i;
    }
    uint64_t marks = lead & middle >> 1 & tail >> 2;
    uint64_t others = high & ~(marks | marks << 1 | marks << 2);
    int size = others ? __builtin_ctzll(others) : 64;
    if (size < 16) {
        for (int i = 1; i < size; i++) bits |= (uint64_t)l->seams[text[i - 1] | text[i] << 8] << i;
    } else {
#pragma GCC unroll 64
        for (int i = 1; i < 64; i++) bits |= (uint64_t)l->seams[text[i - 1] | text[i] << 8] << i;
        if (size < 64) bits &= ((uint64_t)1 << size) - 1;
    }
    return (seam_bits){bits | (uint64_t)!joint, size};
}
#endif

/* What a call of next_spans stopped at. */
enum { SPANS_MORE, SPANS_LONG, SPANS_END };
/* It begins no stretch that could find more ends than there is room for: 64 of the stretch, and the end of the text. */
#define SPAN_ENDS 192
#define MOST_BEFORE_STRETCH (SPAN_ENDS - 65)

/* Adds the seams of a stretch at `at` to the `n` ends; returns how many there are, or -1 where a span is too long, with
 * the ends before it in `count`. */
static inline __attribute__((always_inline)) int add_ends(uint64_t seams, int64_t at, int64_t *begin, int32_t *ends,
                                                          int n, int *count) {
    for (; seams; seams &= seams - 1) {
        int64_t end = at + __builtin_ctzll(seams);
        if (end - *begin > SPAN_BYTES) {
            *count = n;
            return -1;
        }
        ends[n++] = (int32_t)end;
        *begin = end;
    }
    return n;
}

/* Finds the ends of the spans from `text`, a seam, on; `final`: the text ends behind `left`. SPANS_LONG: one follows
 * that is longer than SPAN_BYTES. SPANS_END: nothing follows, or an end that more text has to show. */
static inline int next_spans(const lattice *l, const uint8_t *text, int64_t left, int final, int32_t *ends,
                             int *count) {
    int64_t at = 0, begin = 0;
    uint32_t previous = 0;
    int n = 0;
    while (at < left && n <= MOST_BEFORE_STRETCH) {
        uint32_t code = text[at];
        int joint, length = 1;
#ifdef __SSE2__
        if ((code < 0x80 || code == 0xE2) && left - at >= 64) {
            code = code < 0x80 ? code : 0x2581;
            seam_bits seams = quick_seams(l, text + at, at == 0 || joined_codes(l, previous, code));
            if (seams.size) {
                n = add_ends(seams.bits, at, &begin, ends, n, count);
                if (n < 0) return SPANS_LONG;
                at += seams.size;
                previous = text[at - 1] < 0x80 ? text[at - 1] : 0x2581;
                if (at - begin > SPAN_BYTES) break;
                continue;
            }
            code = text[at];
        }
#endif
        if (code >= 0x80) {
            length = character_length(text + at, 4);
            if (at + length > left) {
                if (!final) break;
                length = (int)(left - at);
            }
            code = (uint32_t)code_point(text + at, length);
        }
        joint = at == 0 || joined_codes(l, previous, code);
        if (at - begin > SPAN_BYTES) break;
        ends[n] = (int32_t)at;
        n += !joint;
        begin = joint ? begin : at;
        previous = code;
        at += length;
    }
    *count = n;
    if (at - begin > SPAN_BYTES) return SPANS_LONG;
    if (at < left && n > MOST_BEFORE_STRETCH) return SPANS_MORE;
    if (final && at > begin) ends[(*count)++] = (int32_t)at;
    return SPANS_END;
}
#endif

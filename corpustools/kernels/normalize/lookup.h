/* What the text at one place becomes: the longest user-defined symbol, else the longest rule of the precompiled
   charsmap (a Darts double array), else the character. */
#ifndef CORPUS_LOOKUP_H
#define CORPUS_LOOKUP_H
#include <stdint.h>
#include <string.h>

enum { ADD_DUMMY_PREFIX = 1, REMOVE_EXTRA_WHITESPACES = 2, ESCAPE_WHITESPACES = 4, WHITESPACE_AS_SUFFIX = 8 };
/* SentencePiece looks at so many matches of one position, the shortest first (normalizer.h, normalizer.cc). */
enum { MOST_RULES = 32, MOST_SYMBOLS = 64 };

typedef struct {
    const uint32_t *units;          /* Darts units, validated; NULL: no rules */
    const uint8_t *strings;         /* NUL-terminated outputs of the rules */
    const uint32_t *first, *target; /* the trie of user-defined symbols: edges of node i are first[i] .. first[i + 1] */
    const uint8_t *label, *terminal;
    const uint8_t *ascii; /* 128: 1 stands for itself, 2 does so before an ASCII byte or the end, 0 look it up */
    const uint8_t *bmp;   /* 65,536 bits: the character stands for itself whatever follows */
    int symbols, flags;
    uint64_t step[256]; /* for each byte what the fast path does with it; see prepare_steps */
} rules;

static const uint8_t REPLACEMENT[3] = {0xEF, 0xBF, 0xBD};

/* Bytes of the valid UTF-8 character at `in`; 0 where it is malformed, -1 where it is cut off by the end. */
static inline int character(const uint8_t *in, int64_t n) {
    uint8_t a = in[0];
    if (a < 0x80) return 1;
    if (a < 0xC2 || a > 0xF4) return 0;
    int length = a < 0xE0 ? 2 : a < 0xF0 ? 3 : 4;
    uint8_t low = a == 0xE0 ? 0xA0 : a == 0xF0 ? 0x90 : 0x80, high = a == 0xED ? 0x9F : a == 0xF4 ? 0x8F : 0xBF;
    for (int i = 1; i < length; i++) {
        if (i >= n) return -1;
        if (in[i] < low || in[i] > high) return 0;
        low = 0x80, high = 0xBF;
    }
    return length;
}

static inline uint32_t darts_offset(uint32_t unit) { return (unit >> 10) << ((unit & 0x200u) >> 6); }

/* Bytes of the longest user-defined symbol at `in`, 0 for none; -1 where an open input has to go on first. */
static inline int64_t longest_symbol(const rules *t, const uint8_t *in, int64_t n, int open) {
    int64_t longest = 0;
    uint32_t node = 0;
    int matches = 0;
    for (int64_t i = 0;; i++) {
        uint32_t low = t->first[node], high = t->first[node + 1], end = high;
        if (low == high) return longest;
        if (i == n) return open ? -1 : longest;
        while (low < high) {
            uint32_t middle = (low + high) / 2;
            if (t->label[middle] < in[i]) low = middle + 1;
            else high = middle;
        }
        if (low == end || t->label[low] != in[i]) return longest;
        node = t->target[low];
        if (t->terminal[node] && matches++ < MOST_SYMBOLS) longest = i + 1;
    }
}

/* Bytes of the longest rule at `in`, and in `value` where its output stands; 0 for none, -1 as above. */
static inline int64_t longest_rule(const rules *t, const uint8_t *in, int64_t n, int open, uint32_t *value) {
    int64_t longest = 0, i = 0;
    uint32_t position = darts_offset(t->units[0]);
    int matches = 0;
    for (; i < n; i++) {
        position ^= in[i];
        uint32_t unit = t->units[position];
        if ((unit & 0x800000FFu) != in[i]) return longest;
        position ^= darts_offset(unit);
        if (unit >> 8 & 1 && matches++ < MOST_RULES) {
            longest = i + 1;
            *value = t->units[position] & 0x7FFFFFFFu;
        }
    }
    return open ? -1 : longest;
}

/* What the text at `in` becomes: sets *out and *length and returns the bytes that are consumed, or 0 where an
   open input has to go on first. */
static int64_t look_up(const rules *t, const uint8_t *in, int64_t n, int open, const uint8_t **out, int64_t *length) {
    if (t->symbols) {
        int64_t symbol = longest_symbol(t, in, n, open);
        if (symbol < 0) return 0;
        if (symbol) {
            *out = in, *length = symbol;
            return symbol;
        }
    }
    if (t->units) {
        uint32_t value = 0;
        int64_t rule = longest_rule(t, in, n, open, &value);
        if (rule < 0) return 0;
        if (rule) {
            *out = t->strings + value, *length = (int64_t)strlen((const char *)t->strings + value);
            return rule;
        }
    }
    int known = character(in, n);
    if (known < 0 && open) return 0;
    if (known <= 0) {
        *out = REPLACEMENT, *length = 3;
        return 1;
    }
    *out = in, *length = known;
    return known;
}
#endif

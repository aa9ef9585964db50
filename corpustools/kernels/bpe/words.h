/* Where words begin and end, and the letters of a word. */
#ifndef CORPUS_BPE_WORDS_H
#define CORPUS_BPE_WORDS_H
#include <stdint.h>
#include <string.h>

#include "bpe.h"

#define EVERY_BYTE 0x0101010101010101u

/* Return up to 8 bytes of text, the first lowest, and zeros behind them; nothing is read from `limit` on. */
static inline uint64_t load_bytes(const uint8_t *text, int64_t size, const uint8_t *limit) {
    uint64_t word = 0;
    if (size >= 8 || text + 8 <= limit) memcpy(&word, text, 8);
    else memcpy(&word, text, (size_t)size);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return size >= 8 ? word : word & ((1ull << 8 * size) - 1);
}

/* Return a word whose lowest set bit stands in the first byte that equals `byte`; 0 where none does. */
static inline uint64_t equal_bytes(uint64_t word, uint8_t byte) {
    uint64_t other = word ^ (EVERY_BYTE * byte);
    return (other - EVERY_BYTE) & ~other & (EVERY_BYTE << 7);
}

static inline int is_mark(const uint8_t *text, int64_t at, int64_t end) {
    return at + 3 <= end && text[at] == 0xE2 && text[at + 1] == 0x96 && text[at + 2] == 0x81;
}

/* Return where the first byte CUT stands from `at` on, or `end`. */
static inline int64_t next_cut(const uint8_t *text, int64_t at, int64_t end) {
    while (at < end) {
        uint64_t found = equal_bytes(load_bytes(text + at, end - at, text + end), CUT);
        if (found) return at + (__builtin_ctzll(found) >> 3);
        at += 8;
    }
    return end;
}

/* The same, or where a mark begins. */
static inline int64_t next_cut_or_mark(const uint8_t *text, int64_t at, int64_t end) {
    while (at < end) {
        uint64_t word = load_bytes(text + at, end - at, text + end);
        uint64_t found = equal_bytes(word, CUT) | equal_bytes(word, 0xE2);
        if (!found) {
            at += 8;
            continue;
        }
        at += __builtin_ctzll(found) >> 3;
        if (text[at] == CUT || is_mark(text, at, end)) return at;
        at++;
    }
    return end;
}

/* Return the length of the longest symbol that text[at:end] begins with, and its index; 0 where there is none. */
static inline int64_t symbol_at(const merger_t *m, const uint8_t *text, int64_t at, int64_t end, int64_t *which) {
    const texts_t *symbols = &m->symbols;
    int64_t low = 0, high = symbols->count, found = 0;
    *which = -1;
    if (!(m->symbol_heads[text[at] >> 6] >> (text[at] & 63) & 1)) return 0;
    /* Symbols low to high begin with the bytes so far. */
    for (int64_t depth = 0; at + depth < end && low < high; depth++) {
        int byte = text[at + depth];
        for (int64_t above = high; low < above;) {
            int64_t middle = low + (above - low) / 2;
            if (symbols->text[text_start(symbols, middle) + depth] < byte) low = middle + 1;
            else above = middle;
        }
        for (int64_t below = low; below < high;) {
            int64_t middle = below + (high - below) / 2;
            if (symbols->text[text_start(symbols, middle) + depth] > byte) high = middle;
            else below = middle + 1;
        }
        if (low < high && text_size(symbols, low) == depth + 1) {
            found = depth + 1;
            *which = low++;
        }
    }
    return found;
}

/* Return the end of the word that begins at `at`, which is no CUT. symbol: its index where the word is one, else -1. */
static inline int64_t word_end(const merger_t *m, const uint8_t *text, int64_t at, int64_t end, int64_t *symbol) {
    int64_t i = at;
    *symbol = -1;
    if (!m->symbols.count) {
        if (!m->space_marks) return next_cut(text, at, end);
        do {
            while (is_mark(text, i, end)) i += 3;
            i = next_cut_or_mark(text, i, end);
        } while (i < end && text[i] != CUT && !m->begins[text[i - 1]]);
        return i;
    }
    int marks = 1; /* all that the word has so far */
    while (i < end && text[i] != CUT) {
        int64_t which, size = symbol_at(m, text, i, end, &which);
        int mark = is_mark(text, i, end);
        if (size && i == at) *symbol = which;
        if (size) return i == at ? at + size : i;
        if (mark && !marks && m->begins[text[i - 1]]) return i;
        marks = mark;
        i += mark ? 3 : 1;
    }
    return i;
}

/* Return the length of the letter at `at`, before `end`, and its code, UNKNOWN where it has none. */
static inline int64_t letter_at(const merger_t *m, const uint8_t *text, int64_t at, int64_t end, int32_t *code) {
    uint32_t first = text[at], place;
    int64_t size = first < 0xC2 || first > 0xF7 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    *code = UNKNOWN;
    if (!m->characters && first < 0xF5) size = 1;
    if (m->characters && size == 1 && first >= 0x80) return 1;
    place = size == 1 ? first : first & (0x7F >> size);
    for (int64_t i = 1; i < size; i++) {
        if (at + i >= end || (text[at + i] & 0xC0) != 0x80) {
            /* No character: its first byte alone. */
            if (!m->characters) *code = m->letters[first] - 1;
            return 1;
        }
        place = place << 6 | (text[at + i] & 0x3F);
    }
    *code = m->letters[place] - 1;
    return size;
}
#endif

/* A cache of words: what the forward pass made of a word of bytes, so that a sample is its way back alone.
 *
 *     memory   used | 7 free | index, a power of two | entries, one behind another
 *     index    the hash's upper half | where the entry stands; two neighbours are one place: a new word takes the
 *              first, and what stood there moves to the second
 *     entry    size, arcs, arcs up to each end | the word's bytes | thresholds | arcs
 *
 * The arcs into an end stand in the order in which the pass adds them. A draw of 53 bits takes the last one whose
 * threshold it reaches, and the first has none. A threshold is the least draw for which the pass's own arithmetic
 * (tile_cells.h) takes that arc, so that the cache changes no id. Entries are short, so that those of the words that
 * make most of a text stay near the processor. Of words that do not fit, or whose cells leave the range, nothing is
 * kept but that they do not. When the memory is full, all is forgotten. */
#ifndef CORPUS_WORD_SAMPLES_H
#define CORPUS_WORD_SAMPLES_H
#include <stdint.h>
#include <string.h>

#include "../philox.h"
#include "lattice.h"
#include "walk.h"

/* WORD_UNITS: of the largest entry. LEAST_UNITS: memory that an index and such an entry fit in. */
enum {
    WORD_MOST = 32,
    WORD_ARCS = 255,
    ARCS_OF_END = 64,
    HEAD_UNITS = 8,
    WORD_UNITS = (2 + WORD_MOST + 7) / 8 + WORD_MOST / 8 + WORD_ARCS + (WORD_ARCS + 1) / 2,
    LEAST_UNITS = 512,
    TOKENS_AT_ONCE = 4,
    BOUNDS_AT_ONCE = 3
};

/* memory: `size` units, zeros at first; they belong to one lattice. mask: places of the index, less 1. */
typedef struct {
    uint64_t *memory, *index;
    uint64_t mask, size;
} word_samples;

/* ends[e - 1]: how many arcs lead to positions up to e; arcs: 0 where the lattice has to do the word. */
typedef struct {
    uint8_t size, arcs, ends[];
} word_entry;

typedef struct {
    uint64_t units[WORD_MOST / 8], hash;
    int64_t size;
} word_key;

static inline int64_t units_of_ends(int64_t size) { return (2 + size + 7) / 8; }

static inline word_samples word_samples_in(uint64_t *memory, uint64_t size) {
    word_samples s = {memory, memory + HEAD_UNITS, 1, size};
    while (32 * (s.mask + 1) <= size) s.mask = 2 * s.mask + 1;
    if (!memory[0]) memory[0] = HEAD_UNITS + s.mask + 1;
    return s;
}

static inline uint64_t mixed(uint64_t x) {
    uint64_t low, high = philox_high(x, 0x9E3779B97F4A7C15u, &low);
    return high ^ low;
}

/* Makes the key of a word; nothing is read from `limit` on. A word that is too long has none: its size is 0. */
static inline void key_of_word(const uint8_t *text, int64_t size, const uint8_t *limit, word_key *k) {
    k->size = size <= WORD_MOST ? size : 0;
    k->hash = k->size ? mixed((uint64_t)size) : 0;
    if (!k->size) return;
    for (int64_t i = 0; 8 * i < size; i++) {
        const int64_t left = size - 8 * i;
        uint64_t unit = 0;
        if (left >= 8 || text + 8 * i + 8 <= limit) memcpy(&unit, text + 8 * i, 8);
        else memcpy(&unit, text + 8 * i, (size_t)left);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        if (left < 8) unit &= ~(UINT64_MAX >> 8 * left);
#else
        if (left < 8) unit &= ((uint64_t)1 << 8 * left) - 1;
#endif
        k->units[i] = unit;
        k->hash = mixed(k->hash ^ unit);
    }
}

static inline uint64_t *place_of_word(const word_samples *s, const word_key *k) {
    return s->index + (k->hash & s->mask & ~(uint64_t)1);
}

static inline int is_entry_of(const word_samples *s, uint64_t place, const word_key *k) {
    if ((place ^ k->hash) >> 32 || !place) return 0;
    const uint64_t *at = s->memory + (uint32_t)place;
    if (((const word_entry *)at)->size != k->size) return 0;
    at += units_of_ends(k->size);
    for (int64_t i = 0; 8 * i < k->size; i++)
        if (at[i] != k->units[i]) return 0;
    return 1;
}

/* The arcs of a word, by where they end. */
typedef struct {
    uint32_t arcs[WORD_MOST + 1][ARCS_OF_END]; /* code << 8 | length */
    uint8_t counts[WORD_MOST + 1];
    uint8_t spanned[WORD_MOST + 1]; /* an arc leads over this position */
} word_arcs;

/* Finds the arcs of a word; 0 where there are too many, or one is an unknown character. */
static inline int find_arcs(const lattice *l, const uint8_t *text, int64_t size, word_arcs *found) {
    int64_t step;
    int fits = 1;
    memset(found->counts, 0, sizeof found->counts);
    memset(found->spanned, 0, sizeof found->spanned);
    for (int64_t here = 0; here < size; here += step) {
        EACH_ARC(l, text + here, size - here, step, {
            const int64_t end = here + length;
            if (code >= l->pieces || code >> 24 || found->counts[end] == ARCS_OF_END) fits = 0;
            else found->arcs[end][found->counts[end]++] = code << 8 | length;
            for (int64_t i = here + 1; i < end; i++) found->spanned[i] = 1;
        });
        if (!fits) return 0;
    }
    return 1;
}

/* The least draw j of 53 bits for which (j · 2^-53) · sum, rounded, is not below `before`; 2^53 where there is none.
 * before <= sum. */
static inline uint64_t threshold_of(double before, double sum) {
    const int64_t most = (int64_t)1 << 53;
    int64_t j = (int64_t)(before / sum * 0x1p53);
    while (j > 0 && (double)(j - 1) * 0x1p-53 * sum >= before) j--;
    while (j < most && (double)j * 0x1p-53 * sum < before) j++;
    return (uint64_t)j;
}

/* Does the forward pass over a word and writes its thresholds and arcs, and ends into the entry; returns how many arcs
 * there are, or 0 where they cannot be kept. */
static inline int64_t pass_over_word(const lattice *l, const uint8_t *text, int64_t size, word_entry *entry,
                                     uint64_t *thresholds, uint32_t *arcs) {
    word_arcs found;
    double cells[WORD_MOST + 1];
    int64_t count = 0;
    if (!find_arcs(l, text, size, &found)) return 0;
    cells[0] = CELL_START;
    for (int64_t e = 1; e <= size; e++) {
        double sum = 0.0, before[ARCS_OF_END];
        if (!found.counts[e] || count + found.counts[e] > WORD_ARCS) return 0;
        for (int k = 0; k < found.counts[e]; k++) {
            const uint32_t arc = arcs[count + k] = found.arcs[e][k];
            before[k] = sum;
            sum += cells[e - (int64_t)(arc & 255)] * l->weights[arc >> 8];
        }
        cells[e] = found.spanned[e] ? sum : CELL_START;
        if (!(sum > 0.0) || cells[e] < CELL_LOW || cells[e] > CELL_HIGH) return 0;
        /* The first arc of each end so far has none. */
        for (int k = 1; k < found.counts[e]; k++) thresholds[count + k - e] = threshold_of(before[k], sum);
        count += found.counts[e];
        entry->ends[e - 1] = (uint8_t)count;
    }
    return count;
}

/* Makes an entry of a word that has none. */
static __attribute__((noinline)) const word_entry *fill_word(const lattice *l, const word_samples *s,
                                                             const uint8_t *text, const word_key *k) {
    uint64_t thresholds[WORD_ARCS], *place = place_of_word(s, k), *at;
    uint32_t arcs[WORD_ARCS];
    if (s->memory[0] + WORD_UNITS > s->size) {
        memset(s->index, 0, 8 * (s->mask + 1));
        s->memory[0] = HEAD_UNITS + s->mask + 1;
    }
    at = s->memory + s->memory[0];
    word_entry *entry = (word_entry *)at;
    const int64_t count = pass_over_word(l, text, k->size, entry, thresholds, arcs);
    const int64_t bounds = count ? count - k->size : 0;
    entry->size = (uint8_t)k->size;
    entry->arcs = (uint8_t)count;
    at += units_of_ends(k->size);
    memcpy(at, k->units, 8 * (size_t)((k->size + 7) / 8));
    at += (k->size + 7) / 8;
    memcpy(at, thresholds, 8 * (size_t)bounds);
    memcpy(at + bounds, arcs, 4 * (size_t)count);
    place[1] = place[0];
    place[0] = k->hash >> 32 << 32 | s->memory[0];
    s->memory[0] = (uint64_t)(at + bounds + (count + 1) / 2 - s->memory);
    return entry;
}

/* Goes the way back through a word and writes its tokens, TOKENS_AT_ONCE at a time; returns how many. */
static inline int64_t sample_word(const word_entry *entry, const progress *p, int64_t size, int32_t *out) {
    const uint64_t *thresholds = (const uint64_t *)(const void *)entry + units_of_ends(size) + (size + 7) / 8;
    const uint32_t *arcs = (const uint32_t *)(const void *)(thresholds + (entry->arcs - size));
    int32_t tokens[WORD_MOST + TOKENS_AT_ONCE], *top = tokens + WORD_MOST, *at = top;
    uint64_t draws[WORD_MOST + 1];
    /* All draws, since none of them waits for another; on the way back each would wait for the arc before it. */
    for (int64_t e = 2; e <= size; e++) draws[e] = draw_bits(p, e, 0) >> 11;
    for (int64_t e = size; e > 1;) {
        const int64_t first = entry->ends[e - 2], more = entry->ends[e - 1] - first - 1;
        const uint64_t *these = thresholds + (first + 1 - e);
        int64_t k = first;
        /* Without a branch for each of the first, which are most: nobody can predict how many there are. What is read
         * behind the last threshold are arcs. */
        for (int64_t i = 0; i < BOUNDS_AT_ONCE; i++) k += (i < more) & (draws[e] >= these[i]);
        for (int64_t i = BOUNDS_AT_ONCE; i < more; i++) k += draws[e] >= these[i];
        *--at = (int32_t)(arcs[k] >> 8);
        e -= arcs[k] & 255;
        if (e == 1) *--at = (int32_t)(arcs[0] >> 8);
    }
    if (size == 1) *--at = (int32_t)(arcs[0] >> 8);
    for (int64_t i = 0; i < top - at; i += TOKENS_AT_ONCE) memcpy(out + i, at + i, TOKENS_AT_ONCE * sizeof *out);
    return top - at;
}

/* Samples a word by the cache; returns how many tokens are written, or -1 where the lattice has to do it. */
static inline int64_t sample_by_cache(const lattice *l, const word_samples *s, const progress *p, const uint8_t *text,
                                      const word_key *k, int32_t *out) {
    const word_entry *entry;
    if (!k->size) return -1;
    const uint64_t *place = place_of_word(s, k);
    if (is_entry_of(s, place[0], k)) entry = (const word_entry *)(s->memory + (uint32_t)place[0]);
    else if (is_entry_of(s, place[1], k)) entry = (const word_entry *)(s->memory + (uint32_t)place[1]);
    else entry = fill_word(l, s, text, k);
    return entry->arcs ? sample_word(entry, p, k->size, out) : -1;
}
#endif

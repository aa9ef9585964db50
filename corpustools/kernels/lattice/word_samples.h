/* A cache of words: what the forward pass made of a word of bytes, so that a sample is its way back alone.
 *
 *     slot   size, arcs | arcs up to each end | the word's bytes | sums of cells | sums before arcs | arcs     1 KiB
 *
 * Sums, draws and choices are those of the pass itself (tile_cells.h, segments.h), bit for bit, so that the cache
 * changes no id. Two neighbouring slots are one place: a new word takes the first, and what stood there moves to the
 * second. Of words that do not fit, or whose cells leave the range, nothing is kept but that they do not. */
#ifndef CORPUS_WORD_SAMPLES_H
#define CORPUS_WORD_SAMPLES_H
#include <stdint.h>
#include <string.h>

#include "../philox.h"
#include "lattice.h"
#include "walk.h"

enum { WORD_MOST = 24, WORD_ROOM = 968, WORD_ARCS = 64 };

/* arcs: 0 where the lattice has to do the word. ends[e - 1]: how many arcs lead to positions up to e. room: the sum of
 * each cell, then for each arc the sum of those before it into the same cell, then the arcs, code << 8 | length. */
typedef struct {
    uint8_t size, arcs, ends[WORD_MOST], text[WORD_MOST];
    uint8_t unused[6];
    uint8_t room[WORD_ROOM];
} word_slot;

typedef struct {
    uint64_t words[WORD_MOST / 8];
} word_bytes;

static inline word_bytes bytes_of_word(const uint8_t *text, int64_t size) {
    word_bytes b = {{0, 0, 0}};
    memcpy(b.words, text, (size_t)size);
    return b;
}

/* The first of the two slots of a word among 2^k of them. */
static inline word_slot *slot_of_word(word_slot *slots, uint64_t mask, const word_bytes *b, int64_t size) {
    uint64_t low, hash = philox_high(b->words[0] ^ (uint64_t)size, 0x9E3779B97F4A7C15u, &low) ^ low;
    hash = philox_high(hash ^ b->words[1], 0xD1342543DE82EF95u, &low) ^ low;
    hash = philox_high(hash ^ b->words[2], 0xBF58476D1CE4E5B9u, &low) ^ low;
    return slots + (hash & mask & ~(uint64_t)1);
}

static inline int is_word(const word_slot *s, const word_bytes *b, int64_t size) {
    return s->size == size && !memcmp(s->text, b, sizeof *b);
}

/* The arcs of a word, by where they end. */
typedef struct {
    uint32_t arcs[WORD_MOST + 1][WORD_ARCS];
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
            if (code >= l->pieces || code >> 24 || found->counts[end] == WORD_ARCS) fits = 0;
            else found->arcs[end][found->counts[end]++] = code << 8 | length;
            for (int64_t i = here + 1; i < end; i++) found->spanned[i] = 1;
        });
        if (!fits) return 0;
    }
    return 1;
}

/* Does the forward pass over a word into a slot; 0 where it cannot be kept. */
static __attribute__((noinline)) int fill_word(const lattice *l, const uint8_t *text, int64_t size, word_slot *slot) {
    word_arcs found;
    double cells[WORD_MOST + 1], sums[WORD_MOST], before[WORD_ROOM / 12];
    uint32_t arcs[WORD_ROOM / 12];
    int64_t count = 0;
    if (!find_arcs(l, text, size, &found)) return 0;
    cells[0] = CELL_START;
    for (int64_t e = 1; e <= size; e++) {
        double sum = 0.0;
        if (8 * size + 12 * (count + found.counts[e]) > WORD_ROOM) return 0;
        for (int k = 0; k < found.counts[e]; k++) {
            const uint32_t arc = found.arcs[e][k];
            before[count] = sum;
            arcs[count++] = arc;
            sum += cells[e - (int64_t)(arc & 255)] * l->weights[arc >> 8];
        }
        sums[e - 1] = sum;
        slot->ends[e - 1] = (uint8_t)count;
        cells[e] = found.spanned[e] ? sum : CELL_START;
        if (found.counts[e] && (cells[e] < CELL_LOW || cells[e] > CELL_HIGH)) return 0;
    }
    memcpy(slot->room, sums, 8 * (size_t)size);
    memcpy(slot->room + 8 * size, before, 8 * (size_t)count);
    memcpy(slot->room + 8 * size + 8 * count, arcs, 4 * (size_t)count);
    slot->arcs = (uint8_t)count;
    return 1;
}

/* Goes the way back through a word and writes its tokens; returns how many. */
static inline int64_t sample_word(const word_slot *slot, const progress *p, int64_t size, int32_t *out) {
    const double *sums = (const double *)(const void *)slot->room, *before = sums + size;
    const uint32_t *arcs = (const uint32_t *)(const void *)(before + slot->arcs);
    int32_t tokens[WORD_MOST], *top = tokens + WORD_MOST, *at = top;
    for (int64_t e = size; e > 0;) {
        const int first = e > 1 ? slot->ends[e - 2] : 0;
        int k = slot->ends[e - 1] - 1;
        if (k > first) {
            const double point = draw(p, e, 0) * sums[e - 1];
            while (point < before[k]) k--;
        }
        *--at = (int32_t)(arcs[k] >> 8);
        e -= arcs[k] & 255;
    }
    memcpy(out, at, (size_t)(top - at) * sizeof *out);
    return top - at;
}

/* Fetches the slot that a word is looked for in. */
static inline void prefetch_word(word_slot *slots, uint64_t mask, const uint8_t *text, int64_t size) {
    if (size > WORD_MOST) return;
    const word_bytes b = bytes_of_word(text, size);
    const uint8_t *at = (const uint8_t *)slot_of_word(slots, mask, &b, size);
    __builtin_prefetch(at);
    __builtin_prefetch(at + 64);
    __builtin_prefetch(at + 128);
    __builtin_prefetch(at + 192);
}

/* Samples a word by the cache; returns how many tokens are written, or -1 where the lattice has to do it. */
static inline int64_t sample_by_cache(const lattice *l, word_slot *slots, uint64_t mask, const progress *p,
                                      const uint8_t *text, int64_t size, int32_t *out) {
    if (size > WORD_MOST) return -1;
    const word_bytes b = bytes_of_word(text, size);
    word_slot *slot = slot_of_word(slots, mask, &b, size);
    if (!is_word(slot, &b, size)) {
        if (is_word(slot + 1, &b, size)) {
            slot++;
        } else {
            slot[1] = slot[0];
            if (!fill_word(l, text, size, slot)) slot->arcs = 0;
            slot->size = (uint8_t)size;
            memcpy(slot->text, &b, sizeof b);
        }
    }
    return slot->arcs ? sample_word(slot, p, size, out) : -1;
}
#endif

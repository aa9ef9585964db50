/* Tables that find a pair of codes, or a whole word. */
#ifndef CORPUS_BPE_PAIRS_H
#define CORPUS_BPE_PAIRS_H
#include <stdint.h>
#include <string.h>

#include "bpe.h"
#include "words.h"

#define MULTIPLIER 0x9E3779B97F4A7C15u /* 2^64 over the golden ratio: every bit of a product depends on those below */

static inline uint64_t hash_pair(uint32_t left, uint32_t right) {
    uint64_t hash = ((uint64_t)left << 32 | right) * MULTIPLIER;
    return hash ^ hash >> 32;
}

static inline const pair_t *find_pair(const merger_t *m, int32_t left, int32_t right) {
    for (uint64_t slot = hash_pair((uint32_t)left, (uint32_t)right);; slot++) {
        const pair_t *pair = m->pairs + (slot & m->pair_mask);
        if (!pair->left_and_one) return NULL;
        if (pair->left_and_one == (uint32_t)left + 1 && pair->right == (uint32_t)right) return pair;
    }
}

/* Fill a table of zeros with rows of left, right, priority and made. Return 0 where one is negative or stands twice. */
static int fill_pairs(const int32_t *rows, int64_t count, pair_t *pairs, uint64_t mask) {
    for (int64_t i = 0; i < count; i++, rows += 4) {
        if ((rows[0] | rows[1] | rows[2] | rows[3]) < 0) return 0;
        uint64_t slot = hash_pair((uint32_t)rows[0], (uint32_t)rows[1]);
        for (; pairs[slot & mask].left_and_one; slot++) {
            const pair_t *other = pairs + (slot & mask);
            if (other->left_and_one == (uint32_t)rows[0] + 1 && other->right == (uint32_t)rows[1]) return 0;
        }
        pairs[slot & mask] = (pair_t){(uint32_t)rows[0] + 1, (uint32_t)rows[1], (uint32_t)rows[2], (uint32_t)rows[3]};
    }
    return 1;
}

static inline uint64_t hash_text(const uint8_t *text, int64_t size, const uint8_t *limit) {
    uint64_t hash = (uint64_t)size * MULTIPLIER;
    for (int64_t i = 0; i < size; i += 8) {
        hash = (hash ^ load_bytes(text + i, size - i, limit)) * MULTIPLIER;
        hash ^= hash >> 32;
    }
    return hash;
}

/* Return the index of the whole word text[:size], or -1. */
static inline int64_t find_whole(const merger_t *m, const uint8_t *text, int64_t size) {
    if (!m->wholes.count) return -1;
    for (uint64_t slot = hash_text(text, size, text + size);; slot++) {
        int64_t i = (int64_t)m->whole_slots[slot & m->whole_mask] - 1;
        if (i < 0) return -1;
        if (text_size(&m->wholes, i) == size && !memcmp(m->wholes.text + text_start(&m->wholes, i), text, (size_t)size))
            return i;
    }
}

static void fill_wholes(const texts_t *wholes, int32_t *slots, uint64_t mask) {
    for (int64_t i = 0; i < wholes->count; i++) {
        const uint8_t *text = wholes->text + text_start(wholes, i);
        int64_t size = text_size(wholes, i);
        uint64_t slot = hash_text(text, size, text + size);
        while (slots[slot & mask]) slot++;
        slots[slot & mask] = (int32_t)(i + 1);
    }
}
#endif

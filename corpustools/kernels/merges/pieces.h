/* A table that finds pieces by their bytes. */
#ifndef CORPUS_MERGES_PIECES_H
#define CORPUS_MERGES_PIECES_H
#include <stdint.h>
#include <string.h>

#define MULTIPLIER 0x9E3779B97F4A7C15u /* 2^64 over the golden ratio: every bit of a product depends on those below */

/* Piece i is text[starts[i]:starts[i + 1]]. A slot holds 0, or the upper half of a piece's hash and i + 1; at least
 * every second slot is 0. */
typedef struct {
    const uint8_t *text;
    const int64_t *starts;
    uint64_t *slots;
    uint64_t mask;
} pieces_t;

/* Return fewer than 8 bytes as a number. */
static inline uint64_t few_bytes(const uint8_t *at, int64_t size) {
    uint64_t word = 0;
    uint32_t four;
    uint16_t two;
    if (size & 4) {
        memcpy(&four, at, 4);
        word = four;
        at += 4;
    }
    if (size & 2) {
        memcpy(&two, at, 2);
        word = word << 16 | two;
        at += 2;
    }
    return size & 1 ? word << 8 | *at : word;
}

static inline uint64_t hash_piece(const uint8_t *at, int64_t size) {
    uint64_t hash = (uint64_t)size * MULTIPLIER;
    for (; size >= 8; size -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        hash = (hash ^ word) * MULTIPLIER;
        hash ^= hash >> 29;
    }
    hash = (hash ^ few_bytes(at, size)) * MULTIPLIER;
    return hash ^ hash >> 32;
}

/* Return the slot of a piece, or the empty one where it would be. */
static inline uint64_t *slot_of(const pieces_t *p, const uint8_t *at, int64_t size) {
    uint64_t hash = hash_piece(at, size);
    for (uint64_t place = hash;; place++) {
        uint64_t *slot = p->slots + (place & p->mask);
        if (!*slot) return slot;
        if ((*slot ^ hash) >> 32) continue;
        int64_t i = (int64_t)(uint32_t)*slot - 1;
        if (p->starts[i + 1] - p->starts[i] == size && !memcmp(p->text + p->starts[i], at, (size_t)size)) return slot;
    }
}

/* Return the number of a piece, or -1. */
static inline int64_t find_piece(const pieces_t *p, const uint8_t *at, int64_t size) {
    return (int64_t)(uint32_t)*slot_of(p, at, size) - 1;
}

/* Fill a table of zeros with pieces. Return the number of one that stands there already, or -1. */
static inline int64_t fill_pieces(const pieces_t *p, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        int64_t size = p->starts[i + 1] - p->starts[i];
        uint64_t *slot = slot_of(p, p->text + p->starts[i], size);
        if (*slot) return i;
        *slot = hash_piece(p->text + p->starts[i], size) >> 32 << 32 | (uint64_t)(i + 1);
    }
    return -1;
}
#endif

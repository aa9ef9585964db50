/* Chunks that were seen before. A chunk's lattice is a function of its bytes, so what was found out about it holds
 * wherever it stands: the best path, or the intervals of [0, 1) that select one segmentation each. A cache changes no id,
 * whatever it holds: its numbers are those of the lattice, computed the same way.
 *
 * Memory: a table of slots (tag << 32 | place), two for every hash, and an arena of 8-byte units; when the arena is
 * full, all is forgotten. An entry: head, the chunk's bytes in whole units (two at least), zeros behind, then
 *   best path: margin, bound of |score|, codes (two a unit);
 *   samples:   guide (a byte for every 2^-guide_bits of [0, 1): the last leaf that begins before), codes of the arcs,
 *              leaves in ascending order and one more at 2.0; then what a draw needs that no leaf answers: each cell's
 *              first arc and weight, each arc's weight before it and length; mantissa and exponent of each block.
 */
#ifndef CORPUS_CACHE_H
#define CORPUS_CACHE_H
#include "blocks.h"

#define CHUNK_SLOTS 65536
#define CHUNK_SEEN 65536
#define CHUNK_ARCS (CHUNK_BYTES * (CHUNK_BYTES + 1) / 2)
#define LEAVES 200
#define LEAF_TOKENS 7
/* Units of the largest entry. */
#define CHUNK_LARGEST (1 + CHUNK_BYTES / 8 + 32 + CHUNK_ARCS / 2 + 2 * LEAVES + 1 + CHUNK_BYTES / 4 + 1 + CHUNK_BYTES + 1 + \
                       CHUNK_ARCS + CHUNK_ARCS / 8 + 1 + 2 * CHUNK_BYTES + 8)
/* Branches of less than this are left to the cells: it bounds the leaves. Above NARROW, so that one number decides. */
#define RARE 0x1p-6

typedef struct {
    uint8_t length, blocks, guide_bits, known; /* known: every token is a piece */
    uint16_t arcs, leaves;                     /* best path: its tokens, 0 */
} chunk_head;

/* tokens: the arcs' numbers, first token lowest, a byte each; their count in the highest byte, 0 where cells decide. */
typedef struct {
    double low;
    uint64_t tokens;
} leaf;

typedef struct chunk_cache {
    uint64_t used, generation, slots[CHUNK_SLOTS];
    uint16_t seen[CHUNK_SEEN]; /* tags of chunks that were met once: one is learned when it comes again */
    uint64_t arena[];
} chunk_cache;

static inline int key_units(int length) { return length <= 16 ? 2 : (length + 7) / 8; }

/* Where the parts of an entry for samples begin. */
typedef struct {
    const uint8_t *guide;
    const uint32_t *codes;
    const leaf *leaves;
    const uint16_t *first; /* by position, and one more */
    const double *cells;   /* by position */
    const double *before;
    const uint8_t *lengths;
    const uint64_t *weights;
} chunk_parts;

static inline int guide_units(const chunk_head *h) { return h->guide_bits <= 3 ? 1 : 1 << (h->guide_bits - 3); }

static inline void find_parts(const chunk_head *h, chunk_parts *c) {
    const uint64_t *at = (const uint64_t *)h + 1 + key_units(h->length);
    c->guide = (const uint8_t *)at;
    c->codes = (const uint32_t *)(at += guide_units(h));
    c->leaves = (const leaf *)(at += (h->arcs + 1) / 2);
    c->first = (const uint16_t *)(at += 2 * h->leaves + 1);
    c->cells = (const double *)(at += (h->length + 2 + 3) / 4);
    c->before = (const double *)(at += h->length + 1);
    c->lengths = (const uint8_t *)(at += h->arcs);
    c->weights = at + (h->arcs + 7) / 8;
}

/* The chunk's bytes in whole units, zeros behind; returns their hash. `left`: bytes that may be read. */
static inline uint64_t chunk_key(const uint8_t *text, int length, int64_t left, uint64_t *key) {
    int units = key_units(length);
    uint64_t hash = (uint64_t)length, low, high;
    if (left >= 8 * units) {
        for (int i = 0; i < units; i++) {
            int over = 8 * (i + 1) - length, bits = 8 * (over < 0 ? 0 : over);
            memcpy(key + i, text + 8 * i, 8);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
            key[i] = bits < 64 ? key[i] & UINT64_MAX >> bits : 0;
#else
            key[i] = bits < 64 ? key[i] & UINT64_MAX << bits : 0;
#endif
        }
    } else {
        memset(key, 0, 8 * (size_t)units);
        memcpy(key, text, (size_t)length);
    }
    for (int i = 0; i < units; i++) {
        high = philox_high(hash ^ key[i], 0x9E3779B97F4A7C15u, &low);
        hash = low ^ high;
    }
    return hash;
}

static inline const chunk_head *entry_at(const chunk_cache *c, uint64_t slot) {
    return (const chunk_head *)(c->arena + (uint32_t)slot);
}

static inline int same_chunk(const chunk_head *h, const uint64_t *key, int length) {
    const uint64_t *own = (const uint64_t *)h + 1;
    uint64_t differs = (uint64_t)(h->length ^ length) | (own[0] ^ key[0]) | (own[1] ^ key[1]);
    for (int i = 2; i < key_units(length) && !differs; i++) differs |= own[i] ^ key[i];
    return !differs;
}

/* The slot whose tag is the hash's; one without, where there is none. */
static inline uint64_t find_slot(const chunk_cache *c, uint64_t hash) {
    uint64_t one = c->slots[hash % CHUNK_SLOTS], other = c->slots[(hash ^ 1) % CHUNK_SLOTS];
    return one >> 32 == hash >> 32 ? one : other;
}

static inline const chunk_head *find_chunk(const chunk_cache *c, const uint64_t *key, int length, uint64_t hash) {
    uint64_t slot = find_slot(c, hash);
    if (slot >> 32 != hash >> 32 || (uint32_t)slot >= c->used) return NULL;
    return same_chunk(entry_at(c, slot), key, length) ? entry_at(c, slot) : NULL;
}
#endif

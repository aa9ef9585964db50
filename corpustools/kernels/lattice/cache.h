/* Chunks that were seen before. A chunk's lattice is a function of its bytes, so what was found out about it holds
 * wherever it stands: the best path, or the intervals of [0, 1) that select one segmentation each. A cache changes no id,
 * whatever it holds: its numbers are those of the lattice, computed the same way.
 *
 * Memory: buckets of two slots, a cache line each, and an arena of 8-byte units in two halves: when one is full, the other
 * is emptied, and what was used since then has moved. A slot holds the chunk's first 16 bytes, and its tokens where it has
 * one or two for certain: of most chunks the slot is all there is. An entry in the arena: head, the chunk's bytes in whole
 * units, then
 *   best path: margin, bound of |score|, codes (two a unit);
 *   samples:   the arcs by end and then by start: codes, by position the first that ends there, the share of the cell's
 *              weight that came earlier, lengths; then the cell at the end of each block.
 * Of an entry that is used often, its segmentations stand elsewhere in the arena, as leaves, from the start of a cache
 * line on: guide (a byte for every 32nd of [0, 1): the last leaf that begins before), codes once more, leaves in
 * ascending order.
 */
#ifndef CORPUS_CACHE_H
#define CORPUS_CACHE_H
#include "blocks.h"

#define CHUNK_GROUP 32
#define CHUNK_SEEN (1 << 17)
#define CHUNK_BUCKETS (1 << 16)
#define CHUNK_ARCS (CHUNK_BYTES * (CHUNK_BYTES + 1) / 2)
#define LEAVES 255
#define LEAF_TOKENS 4
#define LEAF_ARCS 255 /* more arcs have no number in a leaf */
/* Units of the largest entry, and of its leaves. */
#define CHUNK_LARGEST (2 + CHUNK_BYTES / 8 + CHUNK_ARCS / 2 + CHUNK_BYTES / 4 + 1 + CHUNK_ARCS + CHUNK_ARCS / 8 + 1 + \
                       2 * CHUNK_BYTES + 8)
#define GUIDE_BITS 5
#define GUIDE_UNITS 4
#define LEAF_STEP 4 /* leaves are looked through so many at a time; as many follow the last, which begin at 1 */
#define LEAVES_LARGEST (8 + GUIDE_UNITS + LEAF_ARCS / 2 + 1 + LEAVES + LEAF_STEP)
/* How often a chunk's arcs have to answer until its leaves are laid out, and until they are once more, finer. */
#define OFTEN 8
#define VERY_OFTEN 64
/* Branches of less than this are left to the arcs: it bounds the leaves. Above NARROW, so that one number decides. */
#define RARE 0x1p-5
#define RARER 0x1p-8

typedef struct {
    uint8_t length, blocks, known; /* known: every token is a piece */
    uint16_t arcs;                 /* best path: its tokens */
    uint32_t units, uses;          /* units: of the entry */
} chunk_head;

/* length: 0 where the slot is empty. count: how many codes stand here, 1 or 2, or 0: then there is an entry. place: of the
 * entry, in units. Of samples: place of the leaves, their number, units of their codes; 0 where there are none. A code of a
 * float32 path stands beside its score, the margin rounded down, and code_units of scores 2^code_units bounds. */
typedef struct {
    uint64_t key[2];
    uint8_t length, count, code_units, touched; /* touched: used since room was sought here */
    union {
        uint32_t place;
        float margin;
    };
    union {
        uint32_t codes[2];
        struct {
            uint32_t leaves_at, leaves;
        };
        struct {
            uint32_t code;
            float score;
        };
    };
} slot;

/* Where a leaf's interval begins, in 2^-32, rounded down: a draw with the same 32 bits is left to the arcs. tokens: one
 * more than the arcs' numbers, a byte each, the first token lowest; 0 where cells decide. */
typedef struct {
    uint32_t low, tokens;
} leaf;

typedef struct chunk_cache {
    slot slots[2 * CHUNK_BUCKETS]; /* stands at a multiple of 64 */
    uint64_t used, upper;          /* up to where the half in use is full; which half that is */
    uint64_t changes, flips;       /* how often a slot was filled, and a half emptied */
    uint64_t fill[4];
    uint16_t seen[CHUNK_SEEN];     /* tags of chunks that were met once */
    uint64_t arena[];              /* stands at a multiple of 64 too */
} chunk_cache;

static inline int key_units(int length) { return (length + 7) / 8; }

/* Where the parts of an entry for samples begin. */
typedef struct {
    uint32_t *codes;
    uint16_t *first; /* by position, and one more */
    double *shares;
    uint8_t *lengths;
    double *blocks;
} chunk_parts;

static inline chunk_parts find_parts(chunk_head *h) {
    chunk_parts c;
    uint64_t *at = (uint64_t *)(h + 1) + key_units(h->length);
    c.codes = (uint32_t *)at;
    c.first = (uint16_t *)(at += (h->arcs + 1) / 2);
    c.shares = (double *)(at += (h->length + 2 + 3) / 4);
    c.lengths = (uint8_t *)(at += h->arcs);
    c.blocks = (double *)(at + (h->arcs + 7) / 8);
    return c;
}

/* The chunk's bytes in whole units, zeros behind: the first two in `key`; returns the hash of all. `left`: bytes that may
 * be read. */
static inline uint64_t chunk_key(const uint8_t *text, int length, int64_t left, uint64_t *key) {
    uint64_t low, high, hash;
    uint8_t padded[CHUNK_BYTES + 16];
    if (left < 16 || length > 16) {
        memset(padded, 0, sizeof padded);
        memcpy(padded, text, (size_t)length);
        text = padded;
    }
    memcpy(key, text, 16);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    key[0] = length < 8 ? key[0] & (((uint64_t)1 << 8 * length) - 1) : key[0];
    key[1] = length < 16 ? length > 8 ? key[1] & (((uint64_t)1 << (8 * length - 64)) - 1) : 0 : key[1];
#else
    key[0] = length < 8 ? key[0] & ~(UINT64_MAX >> 8 * length) : key[0];
    key[1] = length < 16 ? length > 8 ? key[1] & ~(UINT64_MAX >> (8 * length - 64)) : 0 : key[1];
#endif
    high = philox_high(key[0] ^ (uint64_t)length, 0x9E3779B97F4A7C15u, &low);
    high = philox_high(high ^ low ^ key[1], 0xD1342543DE82EF95u, &low);
    hash = high ^ low;
    for (int i = 16; i < length; i += 8) {
        uint64_t more;
        memcpy(&more, text + i, 8);
        high = philox_high(hash ^ more, 0x9E3779B97F4A7C15u, &low);
        hash = high ^ low;
    }
    return hash;
}

static inline slot *bucket_of(chunk_cache *c, uint64_t hash) { return c->slots + 2 * (hash % CHUNK_BUCKETS); }

static inline chunk_head *entry_at(chunk_cache *c, const slot *s) { return (chunk_head *)(c->arena + s->place); }

static inline int is_slot_of(chunk_cache *c, const slot *s, const uint8_t *text, const uint64_t *key, int length) {
    if ((uint64_t)(s->length ^ length) | (s->key[0] ^ key[0]) | (s->key[1] ^ key[1])) return 0;
    return length <= 16 || !memcmp((const uint8_t *)(entry_at(c, s) + 1) + 16, text + 16, (size_t)length - 16);
}

/* Where a chunk stands for which its bucket had no room. */
static inline slot *second_bucket_of(chunk_cache *c, uint64_t hash) { return bucket_of(c, hash >> 32); }

static inline slot *find_in(chunk_cache *c, slot *s, const uint8_t *text, const uint64_t *key, int length) {
    if (is_slot_of(c, s, text, key, length)) return s;
    return is_slot_of(c, s + 1, text, key, length) ? s + 1 : NULL;
}

/* The chunk's slot, or NULL. */
static inline slot *find_chunk(chunk_cache *c, const uint8_t *text, const uint64_t *key, int length, uint64_t hash) {
    slot *s = find_in(c, bucket_of(c, hash), text, key, length);
    return s ? s : find_in(c, second_bucket_of(c, hash), text, key, length);
}

/* Room for a chunk that has no slot: one that is empty, or was not used lately. */
static inline slot *slot_for(chunk_cache *c, uint64_t hash) {
    slot *one = bucket_of(c, hash), *two = second_bucket_of(c, hash), *some[4] = {one, one + 1, two, two + 1};
    for (int i = 0; i < 4; i++)
        if (!some[i]->length) return some[i];
    for (int i = 3; i >= 0; i--)
        if (!some[i]->touched) return some[i];
    for (int i = 0; i < 4; i++) some[i]->touched = 0;
    return one + 1;
}

static inline uint64_t half_units(const workspace *w) { return (uint64_t)w->cache_units / 2 & ~(uint64_t)7; }

static inline int has_room(const workspace *w, uint64_t units) {
    return w->cache->used + units <= (w->cache->upper + 1) * half_units(w);
}

/* Empties the half that was not in use, and goes on there. */
static __attribute__((noinline)) void flip(workspace *w) {
    chunk_cache *c = w->cache;
    const uint64_t half = half_units(w);
    c->upper ^= 1;
    c->used = c->upper * half;
    c->flips++;
    c->changes++;
    for (int i = 0; i < 2 * CHUNK_BUCKETS; i++)
        if (c->slots[i].length && !c->slots[i].count && (c->slots[i].place >= half) == c->upper)
            memset(c->slots + i, 0, sizeof(slot));
}

/* Moves the entry of a slot that is used, and its leaves, out of the half that will be emptied next. */
static inline void keep(workspace *w, slot *s) {
    chunk_cache *c = w->cache;
    if (s->count || (s->place >= half_units(w)) == c->upper) return;
    uint64_t units = entry_at(c, s)->units, more = s->leaves ? GUIDE_UNITS + LEAF_STEP + s->code_units + (uint64_t)s->leaves : 0;
    if (!has_room(w, units + 8 + more)) return;
    memcpy(c->arena + c->used, c->arena + s->place, 8 * units);
    s->place = (uint32_t)c->used;
    c->used += units;
    if (!more) return;
    c->used = (c->used + 7) & ~(uint64_t)7;
    memcpy(c->arena + c->used, c->arena + s->leaves_at, 8 * more);
    s->leaves_at = (uint32_t)c->used;
    c->used += more;
}
#endif

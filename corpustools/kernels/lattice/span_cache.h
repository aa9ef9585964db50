/* Spans that were seen before. A span's lattice is a function of its bytes, so what was found out about it holds
 * wherever it stands: the best path, or the intervals of [0, 1) that select one segmentation each. A cache changes no
 * id, whatever it holds: its numbers are those of the lattice, computed the same way.
 *
 * Memory: buckets of two slots, a cache line each, and an arena of 8-byte units in two halves: when one is full, the
 * other is evicted, and what was used since then has moved. A slot holds the span's first 16 bytes, and its tokens
 * where it has one or two for certain: of most spans the slot is all there is. A cached span in the arena: head, the
 * span's bytes in whole units, then
 *   best path: limit (running_sum.h), bound of |sum| as a power of two, codes (two a unit);
 *   samples:   the arcs by end and then by start: codes, by position the first that ends there, the share of the cell's
 *              weight that came earlier, lengths; then the cell at the end of each segment.
 * Of a cached span that is used often, its segmentations stand elsewhere in the arena, as leaves, from the start of a
 * cache line on: guide (a byte for every 32nd of [0, 1): the last leaf that begins before), codes once more, leaves in
 * ascending order.
 */
#ifndef CORPUS_SPAN_CACHE_H
#define CORPUS_SPAN_CACHE_H
#include <stdint.h>
#include <string.h>

#include "../philox.h"
#include "lattice.h"
#include "spans.h"

#define SPAN_GROUP 32
#define CACHE_SEEN (1 << 17)
#define CACHE_BUCKETS (1 << 16)
#define SPAN_ARCS (SPAN_BYTES * (SPAN_BYTES + 1) / 2)
#define LEAVES 255
#define LEAF_TOKENS 4
#define LEAF_ARCS 255 /* more arcs have no number in a leaf */
/* Units of the largest cached span, and of its leaves. */
#define CACHED_SPAN_UNITS \
    (2 + SPAN_BYTES / 8 + SPAN_ARCS / 2 + SPAN_BYTES / 4 + 1 + SPAN_ARCS + SPAN_ARCS / 8 + 1 + 2 * SPAN_BYTES + 8)
#define GUIDE_BITS 5
#define GUIDE_UNITS 4
#define LEAF_STEP 4 /* leaves are looked through so many at a time; as many follow the last, which begin at 1 */
#define LEAVES_UNITS (8 + GUIDE_UNITS + LEAF_ARCS / 2 + 1 + LEAVES + LEAF_STEP)
/* How often a span's arcs have to answer until its leaves are laid out, and until they are once more, finer. */
#define LEAVES_AFTER_USES 8
#define FINER_LEAVES_AFTER_USES 64
/* Intervals of less than this are left to the arcs: it bounds the leaves. Above NARROW, so that one number decides. */
#define MIN_LEAF_SHARE 0x1p-5
#define MIN_FINER_LEAF_SHARE 0x1p-8

typedef struct {
    uint8_t length, segments, known; /* known: every token is a piece */
    uint16_t arcs;                   /* best path: its tokens */
    uint32_t units, uses;            /* units: of all of it */
} cached_span;

/* length: 0 where the slot is empty. count: how many codes stand here, 1 or 2, or 0: then there is a cached span.
 * place: of that, in units. Of samples: place of the leaves, their number, units of their codes; 0 where there are
 * none. Of a best path in the slot: limit, and its bound is 2^sum_bits. */
typedef struct {
    uint64_t bytes[2];
    uint8_t length, count;
    union {
        uint8_t code_units, sum_bits;
    };
    uint8_t touched; /* used since room was sought here */
    union {
        uint32_t place;
        float limit;
    };
    union {
        uint32_t codes[2];
        struct {
            uint32_t leaves_at, leaves;
        };
    };
} slot;

/* Where a leaf's interval begins, in 2^-32, rounded down: a draw with the same 32 bits is left to the arcs. tokens: one
 * more than the arcs' numbers, a byte each, the first token lowest; 0 where cells decide. */
typedef struct {
    uint32_t low, tokens;
} leaf;

typedef struct span_cache {
    slot slots[2 * CACHE_BUCKETS]; /* stands at a multiple of 64 */
    uint64_t used, upper;          /* up to where the half in use is full; which half that is */
    uint64_t changes, evictions;   /* how often a slot was filled, and a half emptied */
    uint64_t fill[4];
    uint16_t seen[CACHE_SEEN]; /* tags of spans that were met once */
    uint64_t arena[];          /* stands at a multiple of 64 too */
} span_cache;

static inline int units_of(int length) { return (length + 7) / 8; }

/* Where the parts of a cached span for samples begin. */
typedef struct {
    uint32_t *codes;
    uint16_t *first; /* by position, and one more */
    double *shares;
    uint8_t *lengths;
    double *segments; /* their weights */
} cached_arcs;

static inline cached_arcs find_cached_arcs(cached_span *h) {
    cached_arcs c;
    uint64_t *at = (uint64_t *)(h + 1) + units_of(h->length);
    c.codes = (uint32_t *)at;
    c.first = (uint16_t *)(at += (h->arcs + 1) / 2);
    c.shares = (double *)(at += (h->length + 2 + 3) / 4);
    c.lengths = (uint8_t *)(at += h->arcs);
    c.segments = (double *)(at + (h->arcs + 7) / 8);
    return c;
}

/* Span bytes are the span's text in whole units, zeros behind. Writes the first two to `bytes` and returns the hash of
 * all. `left`: bytes of text that may be read. */
static inline uint64_t span_hash(const uint8_t *text, int length, int64_t left, uint64_t *bytes) {
    uint64_t low, high, hash;
    uint8_t padded[SPAN_BYTES + 16];
    if (left < 16 || length > 16) {
        memset(padded, 0, sizeof padded);
        memcpy(padded, text, (size_t)length);
        text = padded;
    }
    memcpy(bytes, text, 16);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    bytes[0] = length < 8 ? bytes[0] & (((uint64_t)1 << 8 * length) - 1) : bytes[0];
    bytes[1] = length < 16 ? length > 8 ? bytes[1] & (((uint64_t)1 << (8 * length - 64)) - 1) : 0 : bytes[1];
#else
    bytes[0] = length < 8 ? bytes[0] & ~(UINT64_MAX >> 8 * length) : bytes[0];
    bytes[1] = length < 16 ? length > 8 ? bytes[1] & ~(UINT64_MAX >> (8 * length - 64)) : 0 : bytes[1];
#endif
    high = philox_high(bytes[0] ^ (uint64_t)length, 0x9E3779B97F4A7C15u, &low);
    high = philox_high(high ^ low ^ bytes[1], 0xD1342543DE82EF95u, &low);
    hash = high ^ low;
    for (int i = 16; i < length; i += 8) {
        uint64_t more;
        memcpy(&more, text + i, 8);
        high = philox_high(hash ^ more, 0x9E3779B97F4A7C15u, &low);
        hash = high ^ low;
    }
    return hash;
}

static inline slot *bucket_of(span_cache *c, uint64_t hash) { return c->slots + 2 * (hash % CACHE_BUCKETS); }

static inline cached_span *cached_span_at(span_cache *c, const slot *s) { return (cached_span *)(c->arena + s->place); }

static inline int is_slot_of(span_cache *c, const slot *s, const uint8_t *text, const uint64_t *bytes, int length) {
    if ((uint64_t)(s->length ^ length) | (s->bytes[0] ^ bytes[0]) | (s->bytes[1] ^ bytes[1])) return 0;
    return length <= 16 || !memcmp((const uint8_t *)(cached_span_at(c, s) + 1) + 16, text + 16, (size_t)length - 16);
}

/* Where a span stands for which its bucket had no room. */
static inline slot *second_bucket_of(span_cache *c, uint64_t hash) { return bucket_of(c, hash >> 32); }

static inline slot *find_in_bucket(span_cache *c, slot *s, const uint8_t *text, const uint64_t *bytes, int length) {
    if (is_slot_of(c, s, text, bytes, length)) return s;
    return is_slot_of(c, s + 1, text, bytes, length) ? s + 1 : NULL;
}

/* The span's slot, or NULL. */
static inline slot *find_span(span_cache *c, const uint8_t *text, const uint64_t *bytes, int length, uint64_t hash) {
    slot *s = find_in_bucket(c, bucket_of(c, hash), text, bytes, length);
    return s ? s : find_in_bucket(c, second_bucket_of(c, hash), text, bytes, length);
}

/* Room for a span that has no slot: one that is empty, or was not used lately. */
static inline slot *free_slot(span_cache *c, uint64_t hash) {
    slot *one = bucket_of(c, hash), *two = second_bucket_of(c, hash), *places[4] = {one, one + 1, two, two + 1};
    for (int i = 0; i < 4; i++)
        if (!places[i]->length) return places[i];
    for (int i = 3; i >= 0; i--)
        if (!places[i]->touched) return places[i];
    for (int i = 0; i < 4; i++) places[i]->touched = 0;
    return one + 1;
}

static inline uint64_t half_units(const workspace *w) { return (uint64_t)w->cache_units / 2 & ~(uint64_t)7; }

static inline int has_room(const workspace *w, uint64_t units) {
    return w->cache->used + units <= (w->cache->upper + 1) * half_units(w);
}

/* Evicts the half that was not in use, and goes on there. */
static __attribute__((noinline)) void evict_half(workspace *w) {
    span_cache *c = w->cache;
    const uint64_t half = half_units(w);
    c->upper ^= 1;
    c->used = c->upper * half;
    c->evictions++;
    c->changes++;
    for (int i = 0; i < 2 * CACHE_BUCKETS; i++)
        if (c->slots[i].length && !c->slots[i].count && (c->slots[i].place >= half) == c->upper)
            memset(c->slots + i, 0, sizeof(slot));
}

/* Moves what a used slot stands for, and its leaves, out of the half that will be evicted next. */
static inline void rescue_span(workspace *w, slot *s) {
    span_cache *c = w->cache;
    if (s->count || (s->place >= half_units(w)) == c->upper) return;
    const uint64_t units = cached_span_at(c, s)->units;
    const uint64_t more = s->leaves ? GUIDE_UNITS + LEAF_STEP + s->code_units + (uint64_t)s->leaves : 0;
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

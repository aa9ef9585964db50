/* A draw for a span that is cached: which of its leaves it selects. */
#ifndef CORPUS_SAMPLE_LOOKUP_H
#define CORPUS_SAMPLE_LOOKUP_H
#include <stddef.h>
#include <stdint.h>

#include "lattice.h"
#include "span_cache.h"

/* A span's draw on its way to a leaf, in three steps, so that a group's loads from memory are under way together.
 * leaves[near] begins at or before the draw; NULL where arcs have to answer. */
typedef struct {
    slot *of;
    const leaf *leaves;
    const uint32_t *codes;
    uint32_t point, tokens;
    int near;
} sample_lookup;

static inline void prefetch_cached_span(span_cache *c, const slot *s) {
    const uint8_t *at = (const uint8_t *)cached_span_at(c, s);
    __builtin_prefetch(at);
    __builtin_prefetch(at + 64);
    __builtin_prefetch(at + 128);
}

/* Draws for the span that ends at `end`, and fetches where its leaves are. */
static inline void sample_lookup_draw(span_cache *c, const progress *p, int64_t end, sample_lookup *f) {
    f->leaves = NULL;
    f->tokens = 0;
    if (!f->of || f->of->count) return;
    if (!f->of->leaves) {
        prefetch_cached_span(c, f->of);
        return;
    }
    const uint64_t *guide = c->arena + f->of->leaves_at;
    f->point = (uint32_t)(draw_bits(p, end, 0) >> 32);
    f->codes = (const uint32_t *)(guide + GUIDE_UNITS);
    f->leaves = (const leaf *)(guide + GUIDE_UNITS + f->of->code_units);
    __builtin_prefetch(guide);
}

/* Fetches the leaf that the guide names. */
static inline void sample_lookup_prefetch(sample_lookup *f) {
    if (!f->leaves) return;
    f->near = ((const uint8_t *)(f->codes - 2 * GUIDE_UNITS))[f->point >> (32 - GUIDE_BITS)];
    __builtin_prefetch(f->leaves + f->near);
}

/* Finds the leaf that the draw selects; its tokens are 0 where there is none. */
static inline void sample_lookup_select(span_cache *c, sample_lookup *f) {
    if (!f->leaves) return;
    const leaf *at = f->leaves + f->near;
    int passed;
    do { /* Without a branch for each: nobody can predict where the draw falls. */
        passed = 0;
        for (int k = 1; k <= LEAF_STEP; k++) passed += at[k].low <= f->point;
        at += passed;
    } while (passed == LEAF_STEP && at->low < UINT32_MAX);
    f->tokens = at->low == f->point && at > f->leaves ? 0 : at->tokens;
    if (f->tokens) return;
    prefetch_cached_span(c, f->of);
}

static inline int64_t write_leaf(const sample_lookup *f, int32_t *out) {
    for (int k = 0; k < LEAF_TOKENS; k++) out[k] = (int32_t)f->codes[(int)(f->tokens >> 8 * k & 255) - 1];
    return 4 - __builtin_clz(f->tokens) / 8;
}
#endif

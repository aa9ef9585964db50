/* What the cache keeps of a span: its best path, or the tree of its segmentations, flattened. */
#ifndef CORPUS_CACHE_FILL_H
#define CORPUS_CACHE_FILL_H
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "lattice.h"
#include "path.h"
#include "running_sum.h"
#include "span_arcs.h"
#include "span_cache.h"
#include "spans.h"

static inline uint64_t bits_of(double value) {
    uint64_t bits;
    memcpy(&bits, &value, 8);
    return bits;
}

static inline double double_of(uint64_t bits) {
    double value;
    memcpy(&value, &bits, 8);
    return value;
}

/* Remembers the best path of a span, as walk_lattice finds it, and for running sums up to where it is certain; returns
 * what follows in the arena. */
static inline uint64_t *remember_best_path(const lattice *l, const arcs_of_span *m, cached_span *head, uint64_t *at,
                                           const int mode) {
    double best[SPAN_BYTES + 1], second[SPAN_BYTES + 1], margin = INFINITY, largest = 0.0;
    uint32_t codes[SPAN_BYTES];
    span_arc choice[SPAN_BYTES + 1];
    int end = head->length, reach = 0, count = 0, bits;
    for (int i = 1; i <= end; i++) best[i] = second[i] = -INFINITY;
    best[0] = 0.0, second[0] = -INFINITY;
    for (int i = 0; i < m->starts; i++) {
        int here = m->at[i];
        if (here == reach) {
            if (here && best[here] - second[here] < margin) margin = best[here] - second[here];
            best[here] = 0.0, second[here] = -INFINITY;
        }
        for (int k = 0; k < m->count[i]; k++) {
            span_arc a = m->arcs[i][k];
            int to = here + (int)a.length;
            double score = best[here] + a.value, other = second[here] + a.value;
            if (to > reach) reach = to;
            if (fabs(a.value) > largest) largest = fabs(a.value);
            if (score > best[to]) {
                if (best[to] > other) other = best[to];
                best[to] = score;
                choice[to] = a;
            } else if (score > other) {
                other = score;
            }
            if (other > second[to]) second[to] = other;
        }
    }
    if (best[end] - second[end] < margin) margin = best[end] - second[end];
    head->known = 1;
    for (int here = end; here > 0; here -= (int)choice[here].length) {
        codes[SPAN_BYTES - ++count] = choice[here].code;
        head->known &= choice[here].code < l->pieces;
    }
    head->arcs = (uint16_t)count;
    frexp(largest * m->starts, &bits);
    *at++ = bits_of(limit_of_sums(l, margin, m->starts, mode));
    *at++ = bits_of(power_of_two(bits < 0 ? 0 : bits));
    memcpy(at, codes + SPAN_BYTES - count, 4 * (size_t)count);
    return at + (count + 1) / 2;
}

/* Remembers a span's arcs and their shares, with the sums of walk_lattice; returns what follows in the arena, or NULL
 * where a cell would have to be rescaled. */
static inline uint64_t *remember_arcs(const lattice *l, const arcs_of_span *m, cached_span *head) {
    double cells[SPAN_BYTES + 1];
    int arcs = 0, reach = 0, at[SPAN_BYTES + 1] = {0};
    cached_arcs c;
    for (int i = 0; i < m->starts; i++)
        for (int k = 0; k < m->count[i]; k++) at[m->at[i] + m->arcs[i][k].length]++;
    for (int i = 0; i <= head->length; i++) {
        int count = at[i];
        at[i] = arcs;
        arcs += count;
        cells[i] = 0.0;
    }
    head->arcs = (uint16_t)arcs;
    c = find_cached_arcs(head);
    for (int i = 0; i <= head->length; i++) c.first[i] = (uint16_t)at[i];
    c.first[head->length + 1] = (uint16_t)arcs;
    head->known = 1;
    for (int i = 0; i < m->starts; i++) {
        int here = m->at[i];
        double from = cells[here];
        if (here == reach) {
            if (here) c.segments[head->segments++] = from;
            from = CELL_START;
        } else if (from < CELL_LOW || from > CELL_HIGH) {
            return NULL;
        }
        for (int k = 0; k < m->count[i]; k++) {
            span_arc a = m->arcs[i][k];
            int to = here + (int)a.length, place = at[to]++;
            if (to > reach) reach = to;
            c.codes[place] = a.code;
            c.lengths[place] = (uint8_t)a.length;
            c.shares[place] = cells[to];
            head->known &= a.code < l->pieces;
            cells[to] += from * a.value;
        }
    }
    c.segments[head->segments++] = cells[head->length];
    for (int i = 1; i <= head->length; i++) {
        double inverse = 1.0 / cells[i];
        for (int a = c.first[i]; a < c.first[i + 1]; a++) c.shares[a] *= inverse;
    }
    return (uint64_t *)(c.segments + head->segments);
}

typedef struct {
    cached_arcs of;
    leaf *leaves;
    int count;
    double min_share;
} leaf_tree;

static inline void add_leaf(leaf_tree *t, double low, uint32_t tokens) {
    if (t->count == LEAVES) return;
    if (t->count == LEAVES - 1) tokens = 0; /* the last one stands for all that would follow */
    if (!tokens && t->count && !t->leaves[t->count - 1].tokens) return;
    t->leaves[t->count++] = (leaf){(uint32_t)(low * 0x1p32), tokens};
}

/* Adds the leaves behind one node of the way back: at `position`, with the interval and the tokens after it. */
static void add_leaves(leaf_tree *t, int position, double low, double high, uint32_t tokens) {
    const uint16_t *first = t->of.first;
    while (position > 0 && first[position + 1] - first[position] == 1 && tokens >> 24 == 0) {
        tokens = tokens << 8 | (uint32_t)(first[position] + 1);
        position -= t->of.lengths[first[position]];
    }
    if (position == 0 || tokens >> 24 || high - low < t->min_share) {
        add_leaf(t, low, position == 0 ? tokens : 0);
        return;
    }
    interval whole = {0.0, low, high};
    double from = low;
    for (int a = first[position]; a < first[position + 1]; a++) {
        double to = a + 1 < first[position + 1] ? share_from(&whole, t->of.shares[a + 1]) : high;
        if (to > from) add_leaves(t, position - t->of.lengths[a], from, to, tokens << 8 | (uint32_t)(a + 1));
        from = to;
    }
}

/* Lays out the leaves of a cached span, where there is room. */
static __attribute__((noinline)) void lay_out_leaves(workspace *w, slot *s, cached_span *head, double min_share) {
    span_cache *c = w->cache;
    leaf leaves[LEAVES + LEAF_STEP];
    leaf_tree t = {find_cached_arcs(head), leaves, 0, min_share};
    uint64_t place = (c->used + 7) & ~(uint64_t)7, *at = c->arena + place;
    int code_units = (head->arcs + 1) / 2;
    if (!has_room(w, LEAVES_UNITS) || head->arcs > LEAF_ARCS) return;
    add_leaves(&t, head->length, 0.0, 1.0, 0);
    for (int g = 0, i = 0; g < 1 << GUIDE_BITS; g++) {
        while (i + 1 < t.count && leaves[i + 1].low <= (uint32_t)g << (32 - GUIDE_BITS)) i++;
        ((uint8_t *)at)[g] = (uint8_t)i;
    }
    memcpy(at + GUIDE_UNITS, t.of.codes, 4 * (size_t)head->arcs);
    for (int i = 0; i < LEAF_STEP; i++) leaves[t.count + i] = (leaf){UINT32_MAX, 0};
    memcpy(at + GUIDE_UNITS + code_units, leaves, sizeof(leaf) * (size_t)(t.count + LEAF_STEP));
    s->code_units = (uint8_t)code_units;
    s->leaves_at = (uint32_t)place;
    s->leaves = (uint32_t)t.count;
    c->used = place + (uint64_t)(GUIDE_UNITS + code_units + t.count + LEAF_STEP);
}

/* Writes the tokens into the slot of a span that has only one path, where they have room; the arena holds nothing of it
 * then. */
static inline void answer_in_slot(slot *s, cached_span *head, const int mode) {
    const uint64_t *best = (const uint64_t *)(head + 1) + units_of(head->length);
    uint32_t codes[2] = {0, 0};
    int count = 0;
    if (!head->known || head->length > 16) return;
    if (mode == SAMPLE) {
        const cached_arcs c = find_cached_arcs(head);
        for (int position = head->length; position > 0; position -= c.lengths[c.first[position]]) {
            if (c.first[position + 1] - c.first[position] > 1 || count == 2) return;
            codes[count++] = c.codes[c.first[position]];
        }
        if (count == 2) s->codes[0] = codes[1], s->codes[1] = codes[0];
        else s->codes[0] = codes[0];
    } else {
        count = head->arcs;
        if (count > 2) return;
        memcpy(s->codes, best + 2, 8);
        s->sum_bits = (uint8_t)ilogb(double_of(best[1]));
        /* A limit that float32 rounds up would promise too much. */
        s->limit = (float)(double_of(best[0]) * (1.0 - 0x1p-23));
    }
    s->count = (uint8_t)count;
}

/* Finds out about a span; returns its slot, or NULL. One that was not met before, as half of all words of a large text
 * never are again, stays in `unkept`, and the next one takes its room. One whose tokens stand in its slot takes none,
 * and is kept as long as nothing has been forgotten. */
static __attribute__((noinline)) slot *remember_span(const lattice *l, workspace *w, const uint8_t *text,
                                                     const uint64_t *bytes, int length, uint64_t hash, slot *unkept,
                                                     const int mode) {
    span_cache *c = w->cache;
    uint16_t *seen = c->seen + (hash >> 20) % CACHE_SEEN, tag = (uint16_t)(hash >> 48 | 1);
    uint64_t *end;
    arcs_of_span m;
    if (!has_room(w, CACHED_SPAN_UNITS)) evict_half(w);
    cached_span *head = (cached_span *)(c->arena + c->used);
    uint64_t *after = (uint64_t *)(head + 1);
    *head = (cached_span){.length = (uint8_t)length};
    memset(after, 0, 8 * (size_t)units_of(length));
    memcpy(after, text, (size_t)length);
    find_arcs_of_span(l, text, length, &m, mode);
    end = mode == SAMPLE ? remember_arcs(l, &m, head) : remember_best_path(l, &m, head, after + units_of(length), mode);
    if (!end) return NULL;
    *unkept = (slot){.bytes = {bytes[0], bytes[1]}, .length = (uint8_t)length, .place = (uint32_t)c->used};
    answer_in_slot(unkept, head, mode);
    head->units = (uint32_t)(end - (uint64_t *)head);
    if (*seen != tag && (!unkept->count || c->evictions)) {
        *seen = tag;
        return unkept;
    }
    slot *s = free_slot(c, hash);
    *s = *unkept;
    c->changes++;
    if (!s->count) c->used += head->units;
    return s;
}
#endif

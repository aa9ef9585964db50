/* Segments text span by span, from the cache where it can. */
#ifndef CORPUS_CACHED_SPANS_H
#define CORPUS_CACHED_SPANS_H
#include <math.h>
#include <stdint.h>

#include "cache_fill.h"
#include "lattice.h"
#include "path.h"
#include "running_sum.h"
#include "sample_lookup.h"
#include "segments.h"
#include "span_cache.h"
#include "spans.h"

/* The codes of the segmentation that the span's draw selects, found by its arcs as `flush` does; `end`: the span's
 * end in the text. They fill codes[0 … SPAN_BYTES) from behind; returns how many. */
static inline int path_of_draw(const progress *p, cached_span *head, int64_t end, uint32_t *codes) {
    const cached_arcs c = find_cached_arcs(head);
    interval whole;
    int position = head->length, count = 0;
    draw_interval(p, end, &whole);
    while (position > 0) {
        int a = c.first[position], last = c.first[position + 1] - 1;
        if (whole.high - whole.low < NARROW) draw_interval(p, end - head->length + position, &whole);
        double low = whole.low, high = whole.high;
        for (; a < last; a++) {
            double to = share_from(&whole, c.shares[a + 1]);
            if (whole.point < to) {
                high = to;
                break;
            }
            low = to;
        }
        whole.low = low;
        whole.high = high;
        codes[SPAN_BYTES - ++count] = c.codes[a];
        position -= c.lengths[a];
    }
    return count;
}

/* Writes the tokens of a path through a cached span; `codes`: the first of them. */
static inline int64_t write_path(const lattice *l, progress *p, const uint8_t *text, const cached_span *head,
                                 const uint32_t *codes, int count, int32_t *out) {
    if (!head->known || l->score_wanted) return write_tokens(l, p, text, codes, count, out);
    for (int i = 0; i < count; i++) out[i] = (int32_t)codes[i];
    p->previous_unknown = 0;
    return count;
}

/* Writes a span's best path; returns the tokens, or -1 where the sum before it might decide otherwise. */
static inline int64_t write_best(const lattice *l, progress *p, const uint8_t *text, const cached_span *head,
                                 running_sum *sum, int32_t *out, const int mode) {
    const uint64_t *at = (const uint64_t *)(head + 1) + units_of(head->length);
    const uint32_t *codes = (const uint32_t *)(at + 2);
    if (!is_certain(l, p, sum, out, double_of(at[0]), double_of(at[1]), mode)) return -1;
    int64_t written = write_path(l, p, text, head, codes, head->arcs, out);
    if (!head->known && has_running_sum(l, mode)) {
        /* What is written of an unknown character does not tell its score. */
        catch_up(l, p, sum, out, mode);
        add_scores(l, p, codes, head->arcs, mode);
        begin_sum(p, sum, out + written);
    }
    return written;
}

/* Writes the segmentation that the span's draw selects, from its arcs. */
static __attribute__((noinline)) int64_t write_sample(const lattice *l, workspace *w, progress *p, const uint8_t *text,
                                                      slot *s, int64_t end, int32_t *out) {
    cached_span *head = cached_span_at(w->cache, s);
    uint32_t path[SPAN_BYTES];
    int count = path_of_draw(p, head, end, path);
    head->uses++;
    if (head->uses == LEAVES_AFTER_USES || head->uses == FINER_LEAVES_AFTER_USES)
        if (!s->count && head->known)
            lay_out_leaves(w, s, head, head->uses == LEAVES_AFTER_USES ? MIN_LEAF_SHARE : MIN_FINER_LEAF_SHARE);
    for (int i = 0; l->score_wanted && i < head->segments; i++)
        add_segment(p, find_cached_arcs(head).segments[i], -640);
    return write_path(l, p, text, head, path + SPAN_BYTES - count, count, out);
}

/* Segments a span by its lattice. */
static inline int64_t compute_span(const lattice *l, workspace *w, progress *p, const uint8_t *text, int64_t begin,
                                   int64_t end, running_sum *sum, int32_t *out, const int mode) {
    int64_t written;
    catch_up(l, p, sum, out, mode);
    p->past = p->frontier = p->here = p->reach = begin;
    p->one_draw = 1;
    /* A workspace holds a span in whole, so this never has to settle a cell before the end, nor to grow. */
    walk_lattice(l, w, p, text, end, 1, STOP_LATER, out, &written, mode);
    p->one_draw = 0;
    begin_sum(p, sum, out + written);
    return written;
}

/* Some spans at once. Relative to text + here, span i ends at ends[i], and it begins where the one before it ends; the
 * first one begins at `first`. */
typedef struct {
    const uint8_t *text;
    int64_t limit, here;
    const int32_t *ends;
    int32_t first;
    int count;
    uint64_t changes, evictions; /* of the cache, when the spans were looked up */
    uint64_t bytes[SPAN_GROUP][2], hashes[SPAN_GROUP];
    sample_lookup found[SPAN_GROUP];
} span_group;

/* Looks all spans of a group up. They go through in steps, so that the memory that one needs is on its way while the
 * others are looked up. */
static inline __attribute__((always_inline)) void look_up_group(workspace *w, const progress *p, span_group *g,
                                                                const int mode) {
    span_cache *c = w->cache;
    const uint8_t *start = g->text + g->here;
    const int64_t left = g->limit - g->here;
    const int count = g->count;
    g->changes = c->changes;
    g->evictions = c->evictions;
    for (int i = 0, begin = g->first; i < count; begin = g->ends[i++]) {
        g->hashes[i] = span_hash(start + begin, g->ends[i] - begin, left - begin, g->bytes[i]);
        __builtin_prefetch(bucket_of(c, g->hashes[i]));
    }
    for (int i = 0, begin = g->first; i < count; begin = g->ends[i++]) {
        slot *s = g->found[i].of = find_span(c, start + begin, g->bytes[i], g->ends[i] - begin, g->hashes[i]);
        if (s) {
            if (!s->touched) s->touched = 1;
            rescue_span(w, s);
        }
        if (mode == SAMPLE) sample_lookup_draw(c, p, g->here + g->ends[i], g->found + i);
    }
    for (int i = 0; mode == SAMPLE && i < count; i++) sample_lookup_prefetch(g->found + i);
    for (int i = 0; mode == SAMPLE && i < count; i++) sample_lookup_select(c, g->found + i);
}

/* The slot of the group's span i, found again where the cache has changed, and filled where there is none. */
static inline __attribute__((always_inline)) slot *slot_in_group(const lattice *l, workspace *w, span_group *g, int i,
                                                                 int begin, slot *unkept, const int mode) {
    span_cache *c = w->cache;
    const uint8_t *span = g->text + g->here + begin;
    const int length = g->ends[i] - begin;
    slot *s = g->found[i].of;
    if (!s || (c->changes != g->changes && !is_slot_of(c, s, span, g->bytes[i], length))) {
        s = find_span(c, span, g->bytes[i], length, g->hashes[i]);
        if (!s) s = remember_span(l, w, span, g->bytes[i], length, g->hashes[i], unkept, mode);
        g->found[i].tokens = 0;
    }
    if (c->evictions != g->evictions) g->found[i].tokens = 0; /* its leaves may have been overwritten */
    return s;
}

/* Writes the tokens that stand in the slot itself; returns how many, or -1 where they do not decide. */
static inline __attribute__((always_inline)) int64_t write_slot(const lattice *l, progress *p, const slot *s,
                                                                running_sum *sum, int32_t *out, const int mode) {
    if (!is_certain(l, p, sum, out, s->limit, power_of_two(s->sum_bits), mode)) return -1;
    out[0] = (int32_t)s->codes[0];
    out[1] = (int32_t)s->codes[1];
    p->previous_unknown = 0;
    return s->count;
}

/* Segments the group's spans; returns the tokens. */
static inline int64_t segment_group(const lattice *l, workspace *w, progress *p, span_group *g, running_sum *sum,
                                    int32_t *out, const int mode) {
    slot unkept;
    int64_t tokens = 0;
    look_up_group(w, p, g, mode);
    for (int i = 0, begin = g->first; i < g->count; begin = g->ends[i++]) {
        const uint8_t *span = g->text + g->here + begin;
        const int64_t end = g->here + g->ends[i];
        slot *s = slot_in_group(l, w, g, i, begin, &unkept, mode);
        int64_t written = -1;
        if (s && s->count) {
            /* Nothing but its tokens is known of it: its path cannot be measured. */
            if (!l->score_wanted) written = write_slot(l, p, s, sum, out + tokens, mode);
        } else if (s && mode != SAMPLE) {
            written = write_best(l, p, span, cached_span_at(w->cache, s), sum, out + tokens, mode);
        } else if (s && g->found[i].tokens && !l->score_wanted) {
            written = write_leaf(g->found + i, out + tokens);
            p->previous_unknown = 0;
        } else if (s) {
            written = write_sample(l, w, p, span, s, end, out + tokens);
        }
        if (written < 0) written = compute_span(l, w, p, g->text, g->here + begin, end, sum, out + tokens, mode);
        tokens += written;
    }
    return tokens;
}

/* Segments all spans from `here`, a seam, on; returns the tokens, and in `stopped` what next_spans found behind. */
static inline int64_t segment_spans(const lattice *l, workspace *w, progress *p, const uint8_t *text, int64_t limit,
                                    int final, int32_t *out, int *stopped, const int mode) {
    int64_t tokens = 0;
    running_sum sum;
    begin_sum(p, &sum, out);
    do {
        int32_t ends[SPAN_ENDS];
        int count;
        int64_t here = p->here;
        *stopped = next_spans(l, text + here, limit - here, final, ends, &count);
        if (count == 0) break;
        if (w->cache && mode <= SAMPLE) {
            for (int i = 0; i < count; i += SPAN_GROUP) {
                span_group g;
                g.text = text;
                g.limit = limit;
                g.here = here;
                g.first = i ? ends[i - 1] : 0;
                g.ends = ends + i;
                g.count = count - i < SPAN_GROUP ? count - i : SPAN_GROUP;
                tokens += segment_group(l, w, p, &g, &sum, out + tokens, mode);
            }
        } else {
            for (int i = 0; i < count; i++)
                tokens +=
                    compute_span(l, w, p, text, here + (i ? ends[i - 1] : 0), here + ends[i], &sum, out + tokens, mode);
        }
        p->past = p->frontier = p->here = p->reach = here + ends[count - 1];
    } while (*stopped == SPANS_MORE);
    /* No one asks for the sum of a whole lattice. */
    if (!final || *stopped == SPANS_LONG) catch_up(l, p, &sum, out + tokens, mode);
    return tokens;
}
#endif

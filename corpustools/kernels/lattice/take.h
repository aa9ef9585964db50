/* Takes text chunk by chunk, from the cache where it can. */
#ifndef CORPUS_TAKE_H
#define CORPUS_TAKE_H
#include "learn.h"

/* The codes of the segmentation that the chunk's draw selects, found by its arcs as `flush` does; `end`: the chunk's
 * end in the text. They fill codes[0 … CHUNK_BYTES) from behind; returns how many. */
static inline int decode_arcs(const progress *p, chunk_head *head, int64_t end, uint32_t *codes) {
    const chunk_parts c = find_parts(head);
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
        codes[CHUNK_BYTES - ++count] = c.codes[a];
        position -= c.lengths[a];
    }
    return count;
}

static inline int64_t write_chunk(const lattice *l, progress *p, const uint8_t *text, const chunk_head *head,
                                  const uint32_t *codes, int count, int32_t *out) {
    if (!head->known || l->score_wanted) return write_tokens(l, p, text, codes, count, out);
    for (int i = 0; i < count; i++) out[i] = (int32_t)codes[i];
    p->previous_unknown = 0;
    return count;
}

/* Whether sums that begin at `carried` choose the path that is better by `margin`. A path of n additions is off by at most n
 * half-units of the largest sum; two paths keep their order if they differ by more than both can be off. */
static inline int is_certain(const progress *p, double margin, double bound, int length, const int mode) {
    double largest = fabs(p->carried) + bound;
    if (mode == VITERBI) return margin > largest * length * 0x1p-51;
    return largest <= F32_RESET - 1.0 && margin > largest * length * 0x1p-22;
}

static inline double power_of_two(int exponent) { return double_of((uint64_t)(1023 + exponent) << 52); }

/* Writes a chunk's best path; returns the tokens, or -1 where sums that begin at `carried` might decide otherwise. */
static inline int64_t write_best(const lattice *l, progress *p, const uint8_t *text, const chunk_head *head, int32_t *out,
                                 const int mode) {
    const uint64_t *at = (const uint64_t *)(head + 1) + key_units(head->length);
    const uint32_t *codes = (const uint32_t *)(at + 2);
    int count = head->arcs;
    if (mode == VITERBI_F32 || l->carry) {
        if (!is_certain(p, double_of(at[0]), double_of(at[1]), head->length, mode)) return -1;
        for (int i = 0; i < count; i++) {
            double sum = p->carried + l->scores[codes[i]];
            p->carried = mode == VITERBI ? sum : (double)(float)sum;
        }
    }
    if (!head->known || l->score_wanted) return write_tokens(l, p, text, codes, count, out);
    for (int i = 0; i < count; i++) out[i] = (int32_t)codes[i];
    p->previous_unknown = 0;
    return count;
}

/* Writes the segmentation that the chunk's draw selects, from its arcs. */
static __attribute__((noinline)) int64_t write_sample(const lattice *l, workspace *w, progress *p, const uint8_t *text,
                                                      slot *s, int64_t end, int32_t *out) {
    chunk_head *head = entry_at(w->cache, s);
    uint32_t path[CHUNK_BYTES];
    int count = decode_arcs(p, head, end, path);
    head->uses++;
    if (head->uses == OFTEN || head->uses == VERY_OFTEN)
        if (!s->count && head->known) learn_leaves(w, s, head, head->uses == OFTEN ? RARE : RARER);
    for (int i = 0; l->score_wanted && i < head->blocks; i++) add_block(p, find_parts(head).blocks[i], -640);
    return write_chunk(l, p, text, head, path + CHUNK_BYTES - count, count, out);
}

/* What a chunk's draw is looked up in. leaves[near] begins at or before it; NULL where arcs have to answer. */
typedef struct {
    slot *of;
    const leaf *leaves;
    const uint32_t *codes;
    uint32_t point, tokens;
    int near;
} look_up;

/* Draws for the chunk that ends at `end`, and goes to where its leaves are. */
static inline void approach(chunk_cache *c, const progress *p, int64_t end, look_up *f) {
    f->leaves = NULL;
    f->tokens = 0;
    if (!f->of || f->of->count) return;
    if (!f->of->leaves) {
        __builtin_prefetch(entry_at(c, f->of));
        __builtin_prefetch((const uint8_t *)entry_at(c, f->of) + 64);
        __builtin_prefetch((const uint8_t *)entry_at(c, f->of) + 128);
        return;
    }
    const uint64_t *guide = c->arena + f->of->leaves_at;
    f->point = (uint32_t)(draw_bits(p, end, 0) >> 32);
    f->codes = (const uint32_t *)(guide + GUIDE_UNITS);
    f->leaves = (const leaf *)(guide + GUIDE_UNITS + f->of->code_units);
    __builtin_prefetch(guide);
}

static inline void come_near(look_up *f) {
    if (!f->leaves) return;
    f->near = ((const uint8_t *)(f->codes - 2 * GUIDE_UNITS))[f->point >> (32 - GUIDE_BITS)];
    __builtin_prefetch(f->leaves + f->near);
}

/* Finds the leaf that the draw selects; its tokens are 0 where there is none. */
static inline void arrive(chunk_cache *c, look_up *f) {
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
    __builtin_prefetch(entry_at(c, f->of));
    __builtin_prefetch((const uint8_t *)entry_at(c, f->of) + 64);
    __builtin_prefetch((const uint8_t *)entry_at(c, f->of) + 128);
}

static inline int64_t write_leaf(const look_up *f, int32_t *out) {
    for (int k = 0; k < LEAF_TOKENS; k++) out[k] = (int32_t)f->codes[(int)(f->tokens >> 8 * k & 255) - 1];
    return 4 - __builtin_clz(f->tokens) / 8;
}

/* Segments a chunk by its lattice. */
static inline int64_t compute_chunk(const lattice *l, workspace *w, progress *p, const uint8_t *text, int64_t begin,
                                    int64_t end, int32_t *out, const int mode) {
    int64_t written;
    p->past = p->window = p->here = p->reach = begin;
    p->carries = 1;
    /* A chunk is far smaller than the workspace, so this never has to grow. */
    blocks(l, w, p, text, end, 1, 0, out, &written, mode);
    p->carries = 0;
    return written;
}

/* Segments the chunks from here + first on that end at here + ends[0 … count). They go through in steps, so that the
 * memory that one needs is on its way while the others are looked up. */
static inline int64_t take_group(const lattice *l, workspace *w, progress *p, const uint8_t *text, int64_t limit,
                                 int64_t here, int32_t first, const int32_t *ends, int count, int32_t *out,
                                 const int mode) {
    chunk_cache *c = w->cache;
    const uint64_t changes = c->changes, flips = c->flips;
    uint64_t keys[CHUNK_GROUP][2], hashes[CHUNK_GROUP];
    look_up found[CHUNK_GROUP];
    slot passing;
    int64_t tokens = 0;
    for (int i = 0, begin = first; i < count; begin = ends[i++]) {
        hashes[i] = chunk_key(text + here + begin, ends[i] - begin, limit - here - begin, keys[i]);
        __builtin_prefetch(bucket_of(c, hashes[i]));
    }
    for (int i = 0, begin = first; i < count; begin = ends[i++]) {
        slot *s = found[i].of = find_chunk(c, text + here + begin, keys[i], ends[i] - begin, hashes[i]);
        if (s) {
            if (!s->touched) s->touched = 1;
            keep(w, s);
        }
        if (mode != SAMPLE) continue;
        approach(c, p, here + ends[i], found + i);
    }
    for (int i = 0; mode == SAMPLE && i < count; i++) come_near(found + i);
    for (int i = 0; mode == SAMPLE && i < count; i++) arrive(c, found + i);
    for (int i = 0, begin = first; i < count; begin = ends[i++]) {
        const uint8_t *chunk = text + here + begin;
        slot *s = found[i].of;
        int64_t end = here + ends[i], some = -1;
        if (!s || (c->changes != changes && !is_slot_of(c, s, chunk, keys[i], ends[i] - begin))) {
            s = find_chunk(c, chunk, keys[i], ends[i] - begin, hashes[i]);
            if (!s) s = learn(l, w, chunk, keys[i], ends[i] - begin, hashes[i], &passing, mode);
            found[i].tokens = 0;
        }
        if (c->flips != flips) found[i].tokens = 0; /* its leaves may have been overwritten */
        if (s && s->count && mode == VITERBI_F32 && !l->score_wanted &&
            is_certain(p, s->margin, power_of_two(s->code_units), s->length, mode)) {
            p->carried = (double)((float)p->carried + s->score);
            out[tokens++] = (int32_t)s->code;
            p->previous_unknown = 0;
            continue;
        }
        if (s && s->count && mode != VITERBI_F32 && !l->score_wanted) {
            out[tokens] = (int32_t)s->codes[0];
            out[tokens + 1] = (int32_t)s->codes[1];
            tokens += s->count;
            p->previous_unknown = 0;
            continue;
        }
        if (!s || s->count) {
            /* An entry that could be measured there is not. */
        } else if (mode != SAMPLE) {
            some = write_best(l, p, chunk, entry_at(c, s), out + tokens, mode);
        } else if (found[i].tokens && !l->score_wanted) {
            some = write_leaf(found + i, out + tokens);
            p->previous_unknown = 0;
        } else {
            some = write_sample(l, w, p, chunk, s, end, out + tokens);
        }
        if (some < 0) some = compute_chunk(l, w, p, text, here + begin, end, out + tokens, mode);
        tokens += some;
    }
    return tokens;
}

/* Segments all chunks from `here`, a seam, on; returns the tokens, and in `stopped` what next_chunks found behind. */
static inline int64_t take_chunks(const lattice *l, workspace *w, progress *p, const uint8_t *text, int64_t limit,
                                  int final, int32_t *out, int *stopped, const int mode) {
    int64_t tokens = 0;
    do {
        int32_t ends[CHUNK_ENDS];
        int count;
        int64_t here = p->here;
        *stopped = next_chunks(l, text + here, limit - here, final, ends, &count);
        if (count == 0) break;
        if (w->cache && mode <= SAMPLE) {
            for (int i = 0; i < count; i += CHUNK_GROUP)
                tokens += take_group(l, w, p, text, limit, here, i ? ends[i - 1] : 0, ends + i,
                                     count - i < CHUNK_GROUP ? count - i : CHUNK_GROUP, out + tokens, mode);
        } else {
            for (int i = 0; i < count; i++)
                tokens += compute_chunk(l, w, p, text, here + (i ? ends[i - 1] : 0), here + ends[i], out + tokens, mode);
        }
        p->past = p->window = p->here = p->reach = here + ends[count - 1];
    } while (*stopped == CHUNKS_MORE);
    return tokens;
}
#endif

/* Takes text chunk by chunk, from the cache where it can. */
#ifndef CORPUS_TAKE_H
#define CORPUS_TAKE_H
#include "learn.h"

/* The codes of the segmentation that the chunk's draw selects, found by its cells as `flush` does; `end`: the chunk's
 * end in the text. They fill codes[0 … CHUNK_BYTES) from behind; returns how many. */
static inline int decode_cells(const progress *p, const chunk_head *head, int64_t end, uint32_t *codes) {
    chunk_parts c;
    interval whole;
    int position = head->length, count = 0;
    find_parts(head, &c);
    draw_interval(p, end, &whole);
    while (position > 0) {
        int a = c.first[position], last = c.first[position + 1] - 1;
        if (whole.high - whole.low < NARROW) draw_interval(p, end - head->length + position, &whole);
        if (a < last) {
            double scale = (whole.high - whole.low) / c.cells[position], low = whole.low, high = whole.high;
            for (; a < last; a++) {
                double to = share_from(&whole, c.before[a + 1], scale);
                if (whole.point < to) {
                    high = to;
                    break;
                }
                low = to;
            }
            whole.low = low;
            whole.high = high;
        }
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

/* Writes a chunk's best path; returns the tokens, or -1 where float32 sums that begin at `carried` might decide
 * otherwise. */
static inline int64_t write_best(const lattice *l, progress *p, const uint8_t *text, const chunk_head *head, int32_t *out,
                                 const int mode) {
    const uint64_t *at = (const uint64_t *)head + 1 + key_units(head->length);
    const uint32_t *codes = (const uint32_t *)(at + 2);
    int count = head->arcs;
    if (mode == VITERBI_F32) {
        /* A path of n additions is off by at most n half-units of the largest sum; two paths keep their order if they
         * differ by more than both can be off. */
        double largest = fabs(p->carried) + double_of(at[1]);
        if (largest > F32_RESET - 1.0 || !(double_of(at[0]) > largest * head->length * 0x1p-22)) return -1;
        for (int i = 0; i < count; i++) p->carried = (double)(float)(p->carried + l->scores[codes[i]]);
    }
    if (!head->known || l->score_wanted) return write_tokens(l, p, text, codes, count, out);
    for (int i = 0; i < 4; i++) out[i] = (int32_t)codes[i];
    for (int i = 4; i < count; i++) out[i] = (int32_t)codes[i];
    p->previous_unknown = 0;
    return count;
}

/* Writes the segmentation that the chunk's draw selects; `f`: a leaf at or before it. */
static inline int64_t write_sample(const lattice *l, progress *p, const uint8_t *text, const chunk_head *head,
                                   const leaf *f, const uint32_t *codes, double point, int64_t end, int32_t *out) {
    while (f[1].low <= point) f++;
    uint64_t tokens = f->tokens;
    int count = (int)(tokens >> 56);
    if (count && head->known && !l->score_wanted) {
        for (int i = 0; i < 4; i++) out[i] = (int32_t)codes[tokens >> 8 * i & 255];
        if (count > 4)
            for (int i = 4; i < LEAF_TOKENS; i++) out[i] = (int32_t)codes[tokens >> 8 * i & 255];
        p->previous_unknown = 0;
        return count;
    }
    uint32_t path[CHUNK_BYTES];
    count = decode_cells(p, head, end, path);
    if (l->score_wanted) {
        chunk_parts c;
        find_parts(head, &c);
        for (int i = 0; i < head->blocks; i++) {
            int exponent;
            p->total_mantissa = frexp(p->total_mantissa * double_of(c.weights[2 * i]), &exponent);
            p->total_exponent += exponent + (int64_t)c.weights[2 * i + 1];
        }
    }
    return write_chunk(l, p, text, head, path + CHUNK_BYTES - count, count, out);
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

/* Segments the chunks that end at here + ends[0 … count). They go through in steps, so that the memory that one needs
 * is on its way while the others are looked up. */
static inline int64_t take_group(const lattice *l, workspace *w, progress *p, const uint8_t *text, int64_t limit,
                                 const int32_t *ends, int count, int32_t *out, const int mode) {
    chunk_cache *c = w->cache;
    const int64_t here = p->here;
    const uint64_t generation = c->generation;
    uint64_t keys[CHUNK_GROUP][CHUNK_BYTES / 8], hashes[CHUNK_GROUP];
    const chunk_head *entries[CHUNK_GROUP];
    const leaf *leaves[CHUNK_GROUP];
    const uint32_t *codes[CHUNK_GROUP];
    double points[CHUNK_GROUP];
    int64_t tokens = 0;
    for (int i = 0, begin = 0; i < count; begin = ends[i++]) {
        hashes[i] = chunk_key(text + here + begin, ends[i] - begin, limit - here - begin, keys[i]);
        __builtin_prefetch(c->slots + hashes[i] % CHUNK_SLOTS);
    }
    for (int i = 0; i < count; i++) {
        const chunk_head *entry = entry_at(c, find_slot(c, hashes[i]));
        __builtin_prefetch(entry);
        if (mode != SAMPLE) continue;
        __builtin_prefetch((const uint8_t *)entry + 64);
        points[i] = draw(p, here + ends[i], 0);
    }
    for (int i = 0, begin = 0; i < count; begin = ends[i++]) {
        const chunk_head *entry = entries[i] = find_chunk(c, keys[i], ends[i] - begin, hashes[i]);
        if (mode != SAMPLE || !entry) continue;
        const uint64_t *guide = (const uint64_t *)entry + 1 + key_units(entry->length);
        const uint64_t *after = guide + guide_units(entry);
        codes[i] = (const uint32_t *)after;
        leaves[i] = (const leaf *)(after + (entry->arcs + 1) / 2) +
                    ((const uint8_t *)guide)[(int)(points[i] * (double)(1 << entry->guide_bits))];
        __builtin_prefetch(leaves[i]);
        __builtin_prefetch(codes[i]);
    }
    for (int i = 0, begin = 0; i < count; begin = ends[i++]) {
        const uint8_t *chunk = text + here + begin;
        const chunk_head *entry = entries[i];
        int64_t end = here + ends[i], some = -1;
        if (!entry || c->generation != generation) {
            entry = find_chunk(c, keys[i], ends[i] - begin, hashes[i]);
            if (!entry) entry = learn(l, w, chunk, keys[i], ends[i] - begin, hashes[i], mode);
            if (entry && mode == SAMPLE) {
                chunk_parts parts;
                find_parts(entry, &parts);
                leaves[i] = parts.leaves;
                codes[i] = parts.codes;
            }
        }
        if (entry) {
            some = mode == SAMPLE
                       ? write_sample(l, p, chunk, entry, leaves[i], codes[i], points[i], end, out + tokens)
                       : write_best(l, p, chunk, entry, out + tokens, mode);
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
        int32_t ends[CHUNK_GROUP];
        int count;
        int64_t here = p->here;
        *stopped = next_chunks(l, text + here, limit - here, final, ends, &count);
        if (count == 0) break;
        if (w->cache && mode <= SAMPLE) {
            tokens += take_group(l, w, p, text, limit, ends, count, out + tokens, mode);
        } else {
            for (int i = 0; i < count; i++)
                tokens += compute_chunk(l, w, p, text, here + (i ? ends[i - 1] : 0), here + ends[i], out + tokens, mode);
        }
        p->past = p->window = p->here = p->reach = here + ends[count - 1];
    } while (*stopped == CHUNKS_MORE);
    return tokens;
}
#endif

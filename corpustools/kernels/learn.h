/* What the cache keeps of a chunk: its best path, or the tree of its segmentations, flattened. */
#ifndef CORPUS_LEARN_H
#define CORPUS_LEARN_H
#include "cache.h"

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

/* Learns the best path of a chunk: the sums of `blocks`, and by how much every other path is worse. Returns what
 * follows the entry. */
static inline uint64_t *learn_best(const lattice *l, const uint8_t *text, chunk_head *head, uint64_t *at) {
    double best[CHUNK_BYTES + 1], second[CHUNK_BYTES + 1], margin = INFINITY, largest = 0.0;
    uint32_t choice[CHUNK_BYTES + 1], codes[CHUNK_BYTES];
    int reach = 0, here = 0, count = 0, end = head->length;
    best[0] = second[0] = 0.0;
    while (here < end) {
        int64_t step;
        if (here == reach) {
            if (here && best[here] - second[here] < margin) margin = best[here] - second[here];
            best[here] = 0.0, second[here] = -INFINITY;
        }
        EACH_ARC(l, text + here, end - here, step, {
            int to = here + (int)length;
            double score = best[here] + l->scores[code], other = second[here] + l->scores[code];
            while (reach < to) reach++, best[reach] = second[reach] = -INFINITY, choice[reach] = NONE;
            if (fabs(l->scores[code]) > largest) largest = fabs(l->scores[code]);
            if (score > best[to] || choice[to] == NONE) {
                if (best[to] > other) other = best[to];
                best[to] = score;
                choice[to] = code;
            } else if (score > other) {
                other = score;
            }
            if (other > second[to]) second[to] = other;
        });
        here += (int)step;
    }
    if (best[here] - second[here] < margin) margin = best[here] - second[here];
    head->known = 1;
    for (here = end; here > 0; here -= (int)code_length(l, choice[here])) {
        codes[CHUNK_BYTES - ++count] = choice[here];
        if (choice[here] >= l->pieces) head->known = 0;
    }
    head->arcs = (uint16_t)count;
    *at++ = bits_of(margin);
    *at++ = bits_of(largest * end);
    memcpy(at, codes + CHUNK_BYTES - count, 4 * (size_t)count);
    return at + (count + 1) / 2;
}

/* Copies the arcs into a cell, which hang on it latest first. */
static inline void collect_cell(const workspace *w, int64_t index, int position, chunk_parts *c, uint16_t *arcs) {
    double inverse = 1.0 / w->cells[index];
    int count = 0;
    for (uint32_t a = w->heads[index]; a != NONE; a = w->arcs[a].next) count++;
    for (uint32_t a = w->heads[index], i = (uint32_t)(*arcs + count); a != NONE; a = w->arcs[a].next) {
        i--;
        c->shares[i] = w->arcs[a].before * inverse;
        c->codes[i] = w->arcs[a].code;
        c->lengths[i] = (uint8_t)w->arcs[a].length;
    }
    *arcs += (uint16_t)count;
    c->first[position + 1] = *arcs;
}

/* Learns a chunk's arcs by running the lattice over it as `blocks` does; returns what follows the entry, or NULL where the
 * cells had to be rescaled. */
static __attribute__((noinline)) uint64_t *learn_arcs(const lattice *l, workspace *w, const uint8_t *text,
                                                      chunk_head *head) {
    double shares[CHUNK_ARCS];
    uint32_t codes[CHUNK_ARCS];
    uint16_t first[CHUNK_BYTES + 2] = {0};
    uint8_t lengths[CHUNK_ARCS];
    uint64_t weights[2 * CHUNK_BYTES];
    chunk_parts found = {codes, first, shares, lengths, weights}, kept;
    progress p;
    memset(&p, 0, sizeof p);
    while (p.here < head->length) {
        int exponent;
        begin_block(w, &p, p.here, SAMPLE);
        sweep(l, w, &p, text, head->length, head->length, STOP_AT_CUTS, SAMPLE);
        if (!p.shift) {
            weights[2 * head->blocks] = bits_of(frexp(w->cells[p.here - p.window], &exponent));
            weights[2 * head->blocks++ + 1] = (uint64_t)((int64_t)exponent - 640);
            for (int64_t i = 1; i <= p.here - p.window; i++)
                collect_cell(w, i, (int)(p.window + i), &found, &head->arcs);
        }
        clear_cells(w, 0, p.reach - p.window, SAMPLE);
        if (p.shift) return NULL;
    }
    head->known = 1;
    for (int a = 0; a < head->arcs; a++) head->known &= codes[a] < l->pieces;
    kept = find_parts(head);
    memcpy(kept.codes, codes, 4 * (size_t)head->arcs);
    memcpy(kept.first, first, 2 * (size_t)(head->length + 2));
    memcpy(kept.shares, shares, 8 * (size_t)head->arcs);
    memcpy(kept.lengths, lengths, (size_t)head->arcs);
    memcpy(kept.weights, weights, 16 * (size_t)head->blocks);
    return kept.weights + 2 * head->blocks;
}

typedef struct {
    chunk_parts of;
    leaf *leaves;
    int count;
} tree;

static inline void add_leaf(tree *t, double low, uint32_t tokens) {
    if (t->count == LEAVES) return;
    if (t->count == LEAVES - 1) tokens = 0; /* the last one stands for all that would follow */
    if (!tokens && t->count && !t->leaves[t->count - 1].tokens) return;
    t->leaves[t->count++] = (leaf){(uint32_t)(low * 0x1p32), tokens};
}

/* Adds the leaves behind one node of the way back: at `position`, with the interval and the tokens after it. */
static void branch(tree *t, int position, double low, double high, uint32_t tokens) {
    const uint16_t *first = t->of.first;
    while (position > 0 && first[position + 1] - first[position] == 1 && tokens >> 24 == 0) {
        tokens = tokens << 8 | (uint32_t)(first[position] + 1);
        position -= t->of.lengths[first[position]];
    }
    if (position == 0 || tokens >> 24 || high - low < RARE) {
        add_leaf(t, low, position == 0 ? tokens : 0);
        return;
    }
    interval whole = {0.0, low, high};
    double from = low;
    for (int a = first[position]; a < first[position + 1]; a++) {
        double to = a + 1 < first[position + 1] ? share_from(&whole, t->of.shares[a + 1]) : high;
        if (to > from) branch(t, position - t->of.lengths[a], from, to, tokens << 8 | (uint32_t)(a + 1));
        from = to;
    }
}

/* Lays out the leaves of an entry that has none, where there is room. */
static __attribute__((noinline)) void learn_leaves(workspace *w, slot *s, chunk_head *head) {
    chunk_cache *c = w->cache;
    leaf leaves[LEAVES];
    tree t = {find_parts(head), leaves, 0};
    uint64_t *at = c->arena + c->used;
    int bits = 0, code_units = (head->arcs + 1) / 2;
    if (c->used + CHUNK_LARGEST + LEAVES_LARGEST > (uint64_t)w->cache_units || head->arcs > LEAF_ARCS) return;
    branch(&t, head->length, 0.0, 1.0, 0);
    while (1 << bits < t.count && bits < 6) bits++;
    memcpy(at, t.of.codes, 4 * (size_t)head->arcs);
    for (int g = 0, i = 0; g < 1 << bits; g++) {
        while (i + 1 < t.count && leaves[i + 1].low <= (uint64_t)g << (32 - bits)) i++;
        ((uint8_t *)(at + code_units))[g] = (uint8_t)i;
    }
    memcpy(at + code_units + guide_units(bits), leaves, sizeof(leaf) * (size_t)t.count);
    s->guide_bits = (uint8_t)bits;
    s->code_units = (uint8_t)code_units;
    s->leaves_at = (uint32_t)c->used;
    s->leaves = (uint32_t)t.count;
    c->used += (uint64_t)(code_units + guide_units(bits) + t.count);
}

/* Writes the tokens into the slot of a chunk that has only one path, where they have room; its entry is of no use then. */
static inline void settle_slot(slot *s, chunk_head *head, const int mode) {
    uint32_t codes[2] = {0, 0};
    int count = 0;
    if (!head->known || head->length > 16 || mode == VITERBI_F32) return;
    if (mode == SAMPLE) {
        const chunk_parts c = find_parts(head);
        for (int position = head->length; position > 0; position -= c.lengths[c.first[position]]) {
            if (c.first[position + 1] - c.first[position] > 1 || count == 2) return;
            codes[count++] = c.codes[c.first[position]];
        }
        if (count == 2) s->codes[0] = codes[1], s->codes[1] = codes[0];
        else s->codes[0] = codes[0];
    } else {
        count = head->arcs;
        if (count > 2) return;
        memcpy(s->codes, (const uint64_t *)(head + 1) + key_units(head->length) + 2, 8);
    }
    s->count = (uint8_t)count;
}

/* Puts a chunk into the cache that was met before; returns its slot, or NULL. */
static inline slot *learn(const lattice *l, workspace *w, const uint8_t *text, const uint64_t *key, int length,
                          uint64_t hash, const int mode) {
    chunk_cache *c = w->cache;
    uint64_t *end;
    uint16_t *seen = c->seen + (hash >> 20) % CHUNK_SEEN, tag = (uint16_t)(hash >> 48 | 1);
    if (*seen != tag) {
        *seen = tag;
        return NULL;
    }
    if (c->used == 0 || c->used + CHUNK_LARGEST > (uint64_t)w->cache_units) {
        memset(c->slots, 0, sizeof c->slots);
        c->used = 1;
        c->changes++;
    }
    chunk_head *head = (chunk_head *)(c->arena + c->used);
    uint64_t *keys = (uint64_t *)(head + 1);
    *head = (chunk_head){.length = (uint8_t)length};
    memset(keys, 0, 8 * (size_t)key_units(length));
    memcpy(keys, text, (size_t)length);
    end = mode == SAMPLE ? learn_arcs(l, w, text, head) : learn_best(l, text, head, keys + key_units(length));
    if (!end) return NULL;
    slot *s = bucket_of(c, hash);
    c->changes++;
    s[1] = s[0];
    *s = (slot){.key = {key[0], key[1]}, .length = (uint8_t)length, .place = (uint32_t)c->used};
    settle_slot(s, head, mode);
    if (!s->count) c->used += (uint64_t)(end - (uint64_t *)head);
    return s;
}
#endif

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

/* A chunk's lattice: the arcs by end, and of one end by start. */
typedef struct {
    double before[CHUNK_ARCS], cells[CHUNK_BYTES + 1];
    uint32_t codes[CHUNK_ARCS];
    uint8_t lengths[CHUNK_ARCS];
    uint16_t first[CHUNK_BYTES + 2];
    uint64_t weights[2 * CHUNK_BYTES]; /* of each block: mantissa, exponent */
    int arcs, blocks, leaf_count;
    leaf leaves[LEAVES + 1];
} chunk_lattice;

static inline void collect_cell(const workspace *w, int64_t index, int position, chunk_lattice *c) {
    int count = 0;
    for (uint32_t a = w->heads[index]; a != NONE; a = w->arcs[a].next) count++;
    for (uint32_t a = w->heads[index], i = (uint32_t)(c->arcs + count); a != NONE; a = w->arcs[a].next) {
        i--;
        c->before[i] = w->arcs[a].before;
        c->codes[i] = w->arcs[a].code;
        c->lengths[i] = (uint8_t)w->arcs[a].length;
    }
    c->cells[position] = w->cells[index];
    c->arcs += count;
    c->first[position + 1] = (uint16_t)c->arcs;
}

/* Runs the lattice over a chunk as `blocks` does. Returns 0 where its cells had to be rescaled. */
static inline int collect(const lattice *l, workspace *w, const uint8_t *text, int length, chunk_lattice *c) {
    progress p;
    memset(&p, 0, sizeof p);
    c->arcs = c->blocks = 0;
    c->first[0] = c->first[1] = 0;
    c->cells[0] = 1.0;
    while (p.here < length) {
        int exponent;
        begin_block(w, &p, p.here, SAMPLE);
        sweep(l, w, &p, text, length, length, STOP_AT_CUTS, SAMPLE);
        if (!p.shift) {
            c->weights[2 * c->blocks] = bits_of(frexp(w->cells[p.here - p.window], &exponent));
            c->weights[2 * c->blocks++ + 1] = (uint64_t)((int64_t)exponent - 640);
            for (int64_t i = 1; i <= p.here - p.window; i++) collect_cell(w, i, (int)(p.window + i), c);
        }
        clear_cells(w, 0, p.reach - p.window, SAMPLE);
        if (p.shift) return 0;
    }
    return 1;
}

static inline void add_leaf(chunk_lattice *c, double low, uint64_t tokens) {
    if (c->leaf_count == LEAVES) return;
    if (c->leaf_count == LEAVES - 1) tokens = 0; /* the last one stands for all that would follow */
    if (!tokens && c->leaf_count && !c->leaves[c->leaf_count - 1].tokens) return;
    c->leaves[c->leaf_count++] = (leaf){low, tokens};
}

/* Adds the leaves behind one node of the way back: at `position`, with the interval and the tokens after it. */
static void branch(chunk_lattice *c, int position, double low, double high, uint64_t tokens, int count) {
    while (position > 0 && c->first[position + 1] - c->first[position] == 1 && count < LEAF_TOKENS) {
        int a = c->first[position];
        tokens = tokens << 8 | (uint64_t)a;
        count++;
        position -= c->lengths[a];
    }
    if (position == 0 || count == LEAF_TOKENS || high - low < RARE) {
        add_leaf(c, low, position == 0 ? tokens | (uint64_t)count << 56 : 0);
        return;
    }
    interval whole = {0.0, low, high};
    double scale = (high - low) / c->cells[position], from = low;
    for (int a = c->first[position]; a < c->first[position + 1]; a++) {
        double to = a + 1 < c->first[position + 1] ? share_from(&whole, c->before[a + 1], scale) : high;
        if (to > from) branch(c, position - c->lengths[a], from, to, tokens << 8 | (uint64_t)a, count + 1);
        from = to;
    }
}

/* Learns a chunk's segmentations; returns what follows the entry, or NULL. */
static __attribute__((noinline)) uint64_t *learn_samples(const lattice *l, workspace *w, const uint8_t *text,
                                                         chunk_head *head) {
    chunk_lattice c;
    chunk_parts parts;
    if (!collect(l, w, text, head->length, &c)) return NULL;
    c.leaf_count = 0;
    if (c.arcs <= 256) branch(&c, head->length, 0.0, 1.0, 0, 0);
    else add_leaf(&c, 0.0, 0);
    head->blocks = (uint8_t)c.blocks;
    head->arcs = (uint16_t)c.arcs;
    head->leaves = (uint16_t)c.leaf_count;
    head->known = 1;
    for (int a = 0; a < c.arcs; a++) head->known &= c.codes[a] < l->pieces;
    while (1 << head->guide_bits < c.leaf_count && head->guide_bits < 7) head->guide_bits++;
    find_parts(head, &parts);
    c.leaves[c.leaf_count].low = 2.0;
    for (int g = 0, i = 0; g < 1 << head->guide_bits; g++) {
        while (c.leaves[i + 1].low <= ldexp(g, -head->guide_bits)) i++;
        ((uint8_t *)parts.guide)[g] = (uint8_t)i;
    }
    memcpy((void *)parts.codes, c.codes, 4 * (size_t)c.arcs);
    memcpy((void *)parts.leaves, c.leaves, sizeof(leaf) * (size_t)c.leaf_count + 8);
    memcpy((void *)parts.first, c.first, 2 * (size_t)(head->length + 2));
    memcpy((void *)parts.cells, c.cells, 8 * (size_t)(head->length + 1));
    memcpy((void *)parts.before, c.before, 8 * (size_t)c.arcs);
    memcpy((void *)parts.lengths, c.lengths, (size_t)c.arcs);
    memcpy((void *)parts.weights, c.weights, 16 * (size_t)c.blocks);
    return (uint64_t *)parts.weights + 2 * c.blocks;
}

/* Puts a chunk into the cache that was seen once before; returns its entry, or NULL where it was not, or cannot be kept. */
static inline const chunk_head *learn(const lattice *l, workspace *w, const uint8_t *text, const uint64_t *key, int length,
                                      uint64_t hash, const int mode) {
    chunk_cache *c = w->cache;
    uint64_t *slot = c->slots + hash % CHUNK_SLOTS, *other = c->slots + (hash ^ 1) % CHUNK_SLOTS;
    uint16_t *seen = c->seen + hash % CHUNK_SEEN, tag = (uint16_t)(hash >> 48 | 1);
    if (*seen != tag) {
        *seen = tag;
        return NULL;
    }
    if (c->used + CHUNK_LARGEST > (uint64_t)w->cache_units) {
        memset(c->slots, 0, sizeof c->slots);
        c->used = 0;
        c->generation++;
    }
    chunk_head *head = (chunk_head *)(c->arena + c->used);
    uint64_t *keys = (uint64_t *)head + 1, *end;
    *head = (chunk_head){.length = (uint8_t)length};
    memcpy(keys, key, 8 * (size_t)key_units(length));
    end = mode == SAMPLE ? learn_samples(l, w, text, head) : learn_best(l, text, head, keys + key_units(length));
    if (!end) return NULL;
    if (*slot) *other = *slot;
    *slot = hash >> 32 << 32 | c->used;
    c->used += (uint64_t)(end - (uint64_t *)head);
    return head;
}
#endif

/* What the cache keeps of a chunk: its best path, or the tree of its segmentations, flattened. */
#ifndef CORPUS_LEARN_H
#define CORPUS_LEARN_H
#include "match.h"

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

/* Learns the best path of a chunk, as `blocks` finds it, and for sums that are carried by how much every other is worse; returns
 * what follows the entry. */
static inline uint64_t *learn_best(const lattice *l, const matches *m, chunk_head *head, uint64_t *at) {
    double best[CHUNK_BYTES + 1], second[CHUNK_BYTES + 1], margin = INFINITY, largest = 0.0;
    uint32_t codes[CHUNK_BYTES];
    match choice[CHUNK_BYTES + 1];
    int end = head->length, reach = 0, count = 0;
    for (int i = 1; i <= end; i++) best[i] = second[i] = -INFINITY;
    best[0] = 0.0, second[0] = -INFINITY;
    for (int i = 0; i < m->starts; i++) {
        int here = m->at[i];
        if (here == reach) {
            if (here && best[here] - second[here] < margin) margin = best[here] - second[here];
            best[here] = 0.0, second[here] = -INFINITY;
        }
        for (int k = 0; k < m->count[i]; k++) {
            match a = m->arcs[i][k];
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
        codes[CHUNK_BYTES - ++count] = choice[here].code;
        head->known &= choice[here].code < l->pieces;
    }
    head->arcs = (uint16_t)count;
    *at++ = bits_of(margin);
    *at++ = bits_of(largest * end);
    memcpy(at, codes + CHUNK_BYTES - count, 4 * (size_t)count);
    return at + (count + 1) / 2;
}

/* Learns a chunk's arcs and their shares, with the sums of `blocks`; returns what follows the entry, or NULL where a cell
 * would have to be rescaled. */
static inline uint64_t *learn_arcs(const lattice *l, const matches *m, chunk_head *head) {
    double cells[CHUNK_BYTES + 1];
    int arcs = 0, reach = 0, at[CHUNK_BYTES + 1] = {0};
    chunk_parts c;
    for (int i = 0; i < m->starts; i++)
        for (int k = 0; k < m->count[i]; k++) at[m->at[i] + m->arcs[i][k].length]++;
    for (int i = 0; i <= head->length; i++) {
        int count = at[i];
        at[i] = arcs;
        arcs += count;
        cells[i] = 0.0;
    }
    head->arcs = (uint16_t)arcs;
    c = find_parts(head);
    for (int i = 0; i <= head->length; i++) c.first[i] = (uint16_t)at[i];
    c.first[head->length + 1] = (uint16_t)arcs;
    head->known = 1;
    for (int i = 0; i < m->starts; i++) {
        int here = m->at[i];
        double from = cells[here];
        if (here == reach) {
            if (here) c.blocks[head->blocks++] = from;
            from = CELL_START;
        } else if (from < CELL_LOW || from > CELL_HIGH) {
            return NULL;
        }
        for (int k = 0; k < m->count[i]; k++) {
            match a = m->arcs[i][k];
            int to = here + (int)a.length, place = at[to]++;
            if (to > reach) reach = to;
            c.codes[place] = a.code;
            c.lengths[place] = (uint8_t)a.length;
            c.shares[place] = cells[to];
            head->known &= a.code < l->pieces;
            cells[to] += from * a.value;
        }
    }
    c.blocks[head->blocks++] = cells[head->length];
    for (int i = 1; i <= head->length; i++) {
        double inverse = 1.0 / cells[i];
        for (int a = c.first[i]; a < c.first[i + 1]; a++) c.shares[a] *= inverse;
    }
    return (uint64_t *)(c.blocks + head->blocks);
}

typedef struct {
    chunk_parts of;
    leaf *leaves;
    int count;
    double rare;
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
    if (position == 0 || tokens >> 24 || high - low < t->rare) {
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

/* Lays out the leaves of an entry, where there is room. */
static __attribute__((noinline)) void learn_leaves(workspace *w, slot *s, chunk_head *head, double rare) {
    chunk_cache *c = w->cache;
    leaf leaves[LEAVES + LEAF_STEP];
    tree t = {find_parts(head), leaves, 0, rare};
    uint64_t place = (c->used + 7) & ~(uint64_t)7, *at = c->arena + place;
    int code_units = (head->arcs + 1) / 2;
    if (!has_room(w, LEAVES_LARGEST) || head->arcs > LEAF_ARCS) return;
    branch(&t, head->length, 0.0, 1.0, 0);
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

/* Writes the tokens into the slot of a chunk that has only one path, where they have room; its entry is of no use then. */
static inline void settle_slot(const lattice *l, slot *s, chunk_head *head, const int mode) {
    const uint64_t *best = (const uint64_t *)(head + 1) + key_units(head->length);
    uint32_t codes[2] = {0, 0};
    int count = 0;
    if (!head->known || head->length > 16 || (mode == VITERBI && l->carry)) return;
    if (mode == SAMPLE) {
        const chunk_parts c = find_parts(head);
        for (int position = head->length; position > 0; position -= c.lengths[c.first[position]]) {
            if (c.first[position + 1] - c.first[position] > 1 || count == 2) return;
            codes[count++] = c.codes[c.first[position]];
        }
        if (count == 2) s->codes[0] = codes[1], s->codes[1] = codes[0];
        else s->codes[0] = codes[0];
    } else if (mode == VITERBI) {
        count = head->arcs;
        if (count > 2) return;
        memcpy(s->codes, best + 2, 8);
    } else {
        int bits;
        if (head->arcs > 1) return;
        count = 1;
        memcpy(codes, best + 2, 4);
        s->code = codes[0];
        s->score = (float)l->scores[codes[0]];
        frexp(double_of(best[1]), &bits);
        s->code_units = (uint8_t)(bits < 0 ? 0 : bits > 200 ? 200 : bits);
        /* A margin that float32 rounds up would promise too much. */
        s->margin = (float)(double_of(best[0]) * (1.0 - 0x1p-23));
    }
    s->count = (uint8_t)count;
}

/* Finds out about a chunk; returns its slot, or NULL. One that was not met before, as half of all words of a large text
 * never are again, stays in `passing`, and the next one takes its room. One whose tokens stand in its slot takes none, and
 * is kept as long as nothing has been forgotten. */
static __attribute__((noinline)) slot *learn(const lattice *l, workspace *w, const uint8_t *text, const uint64_t *key,
                                             int length, uint64_t hash, slot *passing, const int mode) {
    chunk_cache *c = w->cache;
    uint16_t *seen = c->seen + (hash >> 20) % CHUNK_SEEN, tag = (uint16_t)(hash >> 48 | 1);
    uint64_t *end;
    matches m;
    if (!has_room(w, CHUNK_LARGEST)) flip(w);
    chunk_head *head = (chunk_head *)(c->arena + c->used);
    uint64_t *keys = (uint64_t *)(head + 1);
    *head = (chunk_head){.length = (uint8_t)length};
    memset(keys, 0, 8 * (size_t)key_units(length));
    memcpy(keys, text, (size_t)length);
    match_chunk(l, text, length, &m, mode);
    end = mode == SAMPLE ? learn_arcs(l, &m, head) : learn_best(l, &m, head, keys + key_units(length));
    if (!end) return NULL;
    *passing = (slot){.key = {key[0], key[1]}, .length = (uint8_t)length, .place = (uint32_t)c->used};
    settle_slot(l, passing, head, mode);
    head->units = (uint32_t)(end - (uint64_t *)head);
    if (*seen != tag && (!passing->count || c->flips)) {
        *seen = tag;
        return passing;
    }
    slot *s = slot_for(c, hash);
    *s = *passing;
    c->changes++;
    if (!s->count) c->used += head->units;
    return s;
}
#endif

/* All arcs of a chunk, found for all its starts at once: each walk of the trie waits for memory, and so all wait together. */
#ifndef CORPUS_MATCH_H
#define CORPUS_MATCH_H
#include "cache.h"

typedef struct {
    double value; /* weight or score */
    uint32_t code, length;
} match;

/* Starts in order; arcs[i], `count` of them, are those of start `at`. */
typedef struct {
    int starts;
    uint8_t at[CHUNK_BYTES], count[CHUNK_BYTES];
    match arcs[CHUNK_BYTES][CHUNK_BYTES];
} matches;

static inline void add_match(matches *m, int start, uint32_t length, uint32_t code, double value) {
    m->arcs[start][m->count[start]++] = (match){value, code, length};
}

/* Finds the arcs of a chunk; what stands in their values is the law's. */
static inline void match_chunk(const lattice *l, const uint8_t *text, int length, matches *m, const int mode) {
    const node *nodes = l->nodes;
    uint32_t bases[CHUNK_BYTES];
    uint8_t walking[CHUNK_BYTES], ends[CHUNK_BYTES];
    int count = 0, starts = 0;
    for (int at = 0; at < length; starts++) {
        int step = character_length(text + at, length - at);
        node n = head_node(l, text + at, step);
        uint32_t there = TRIE_VALUE(n.unit);
        m->at[starts] = (uint8_t)at;
        m->count[starts] = 0;
        if (there) {
            add_match(m, starts, (uint32_t)step, there - 1, n.value);
        } else {
            uint32_t code = l->pieces + (uint32_t)step - 1;
            add_match(m, starts, (uint32_t)step, code, mode == SAMPLE ? l->weights[code] : l->scores[code]);
        }
        at += step;
        bases[starts] = TRIE_BASE(n.unit);
        ends[starts] = (uint8_t)at;
        walking[count] = (uint8_t)starts;
        count += n.unit && at < length;
    }
    m->starts = starts;
    while (count) {
        int left = 0;
        for (int i = 0; i < count; i++) {
            int start = walking[i], end = ends[start];
            node n = node_step(nodes, bases[start], text[end]);
            uint32_t there = TRIE_VALUE(n.unit);
            end++;
            m->arcs[start][m->count[start]] = (match){n.value, there - 1, (uint32_t)(end - m->at[start])};
            m->count[start] += there != 0;
            bases[start] = TRIE_BASE(n.unit);
            ends[start] = (uint8_t)end;
            walking[left] = (uint8_t)start;
            left += n.unit && end < length;
        }
        count = left;
    }
}
#endif

/* All arcs of a span, found for all its starts at once: each walk of the trie waits for memory, and so all wait
 * together. */
#ifndef CORPUS_SPAN_ARCS_H
#define CORPUS_SPAN_ARCS_H
#include <stdint.h>

#include "lattice.h"
#include "spans.h"
#include "walk.h"

typedef struct {
    double value; /* weight or score */
    uint32_t code, length;
} span_arc;

/* Starts in order; arcs[i], `count` of them, are those of start `at`. */
typedef struct {
    int starts;
    uint8_t at[SPAN_BYTES], count[SPAN_BYTES];
    span_arc arcs[SPAN_BYTES][SPAN_BYTES];
} arcs_of_span;

static inline void add_span_arc(arcs_of_span *m, int start, uint32_t length, uint32_t code, double value) {
    m->arcs[start][m->count[start]++] = (span_arc){value, code, length};
}

/* Finds the arcs of a span; their values are the scores or weights that the lattice was made with. */
static inline void find_arcs_of_span(const lattice *l, const uint8_t *text, int length, arcs_of_span *m,
                                     const int mode) {
    const node *nodes = l->nodes;
    uint32_t bases[SPAN_BYTES];
    uint8_t walking[SPAN_BYTES], ends[SPAN_BYTES];
    int count = 0, starts = 0;
    for (int at = 0; at < length; starts++) {
        int step = character_length(text + at, length - at);
        node n = head_node(l, text + at, step);
        uint32_t code_and_one = TRIE_VALUE(n.unit);
        m->at[starts] = (uint8_t)at;
        m->count[starts] = 0;
        if (code_and_one) {
            add_span_arc(m, starts, (uint32_t)step, code_and_one - 1, n.value);
        } else {
            uint32_t code = l->pieces + (uint32_t)step - 1;
            add_span_arc(m, starts, (uint32_t)step, code, mode == SAMPLE ? l->weights[code] : l->scores[code]);
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
            uint32_t code_and_one = TRIE_VALUE(n.unit);
            end++;
            m->arcs[start][m->count[start]] = (span_arc){n.value, code_and_one - 1, (uint32_t)(end - m->at[start])};
            m->count[start] += code_and_one != 0;
            bases[start] = TRIE_BASE(n.unit);
            ends[start] = (uint8_t)end;
            walking[left] = (uint8_t)start;
            left += n.unit && end < length;
        }
        count = left;
    }
}
#endif

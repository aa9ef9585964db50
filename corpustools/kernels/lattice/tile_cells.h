/* The cells of a tile: each pulls from the starts of its arcs, which stand in the list of the automaton's state. */
#ifndef CORPUS_TILE_CELLS_H
#define CORPUS_TILE_CELLS_H
#include <math.h>
#include <stdint.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "automaton.h"
#include "lattice.h"
#include "path.h"
#include "tile_scan.h"

/* The value of a cell as a start. */
static inline double start_value(double value, double start, int cut) {
#ifdef __SSE2__
    __m128d mask = _mm_castsi128_pd(_mm_cvtsi64_si128(-(int64_t)cut));
    return _mm_cvtsd_f64(_mm_or_pd(_mm_and_pd(mask, _mm_set_sd(start)), _mm_andnot_pd(mask, _mm_set_sd(value))));
#else
    return cut ? start : value;
#endif
}

/* Brings the cells that arcs into e + 1 and later start from back into range, by a power of two. Returns 0 where one
 * would leave the range in which products are exact under it. */
static __attribute__((noinline)) int tile_rescale(double *cells, const uint8_t *cuts, int64_t e, int64_t longest,
                                                  int64_t *shift) {
    int exponent;
    frexp(cells[e], &exponent);
    for (int64_t i = e; i >= 0 && i > e - longest; i--) {
        cells[i] = ldexp(cells[i], 641 - exponent);
        if (!(cells[i] >= 0x1p64 && cells[i] <= 0x1p880)) return 0;
        if (i < e && cuts[i]) break;
    }
    *shift += exponent - 641;
    return 1;
}

#define TILE_CELL(arc) cell[(int64_t)((arc) & 255u) - 256]
#define TILE_ADD(sum, k) double sum##k = sum + TILE_CELL(arc##k) * line->values[k]
#define TILE_PICK(sum, next) *choice = sum <= point ? next : *choice

/* Adds up the arcs into `cell` and draws one of them by u in [0, 1): a list of two arcs at most, and the single
 * byte, whose arc weighs `one`. Returns the sum. Without a branch, because nobody can predict which arc is drawn. */
static inline __attribute__((always_inline)) double sum_of_two(const double *cell, const aho_line *line,
                                                               uint32_t single, double one, double u,
                                                               uint32_t *choice) {
    const uint32_t arc0 = line->arcs[0], arc1 = line->arcs[1];
    double sum0 = TILE_CELL(arc0) * line->values[0];
    TILE_ADD(sum0, 1);
    const double sum = sum01 + one, point = u * sum;
    *choice = arc0;
    TILE_PICK(sum0, arc1);
    TILE_PICK(sum01, single);
    return sum;
}

/* The same of a list that one line holds. */
static inline __attribute__((always_inline)) double sum_of_five(const double *cell, const aho_line *line,
                                                                uint32_t single, double one, double u,
                                                                uint32_t *choice) {
    const uint32_t arc0 = line->arcs[0], arc1 = line->arcs[1], arc2 = line->arcs[2];
    const uint32_t arc3 = line->arcs[3], arc4 = line->arcs[4];
    double sum0 = TILE_CELL(arc0) * line->values[0];
    TILE_ADD(sum0, 1);
    TILE_ADD(sum01, 2);
    TILE_ADD(sum012, 3);
    TILE_ADD(sum0123, 4);
    const double sum = sum01234 + one, point = u * sum;
    *choice = arc0;
    TILE_PICK(sum0, arc1);
    TILE_PICK(sum01, arc2);
    TILE_PICK(sum012, arc3);
    TILE_PICK(sum0123, arc4);
    TILE_PICK(sum01234, single);
    return sum;
}

/* The same of a list of any length. */
static inline __attribute__((always_inline)) double sum_of_list(const double *cell, const aho_line *line,
                                                                uint32_t count, uint32_t single, double one, double u,
                                                                uint32_t *choice) {
    double before[AHO_LIST + 1], sum = 0.0;
    uint32_t arcs[AHO_LIST + 1], k;
    for (k = 0; k < count; k++) {
        const aho_line *at = line + k / AHO_LINE_ARCS;
        before[k] = sum;
        arcs[k] = at->arcs[k % AHO_LINE_ARCS];
        sum += TILE_CELL(arcs[k]) * at->values[k % AHO_LINE_ARCS];
    }
    before[k] = sum;
    arcs[k] = single;
    sum += one;
    while (u * sum < before[k]) k--;
    *choice = arcs[k];
    return sum;
}

/* Sums and draws; returns the last cut before a cell that cannot be kept in range, or `size`. */
static inline __attribute__((always_inline)) int64_t tile_sum(const automaton *a, tile *v, progress *p,
                                                              const uint8_t *text, int64_t size, int64_t longest,
                                                              const int measured, const int long_lists) {
    double last = CELL_START, *cells = v->cells + TILE_BEFORE;
    int64_t shift = 0;
    const automaton local = *a;
    const progress local_progress = *p;
    cells[0] = last;
    for (int64_t e = 1; e <= size; e++) {
        const uint64_t unit = v->states[e];
        const aho_line *line = local.lines + AHO_LINE(unit);
        __builtin_prefetch(local.lines + AHO_LINE(v->states[e + TILE_AHEAD]));
        const double *cell = cells + e, one = local.single_values[text[e - 1]] * last;
        const uint32_t count = AHO_COUNT(unit), single = local.singles[text[e - 1]];
        const double u = draw(&local_progress, local_progress.here + e, 0);
        double sum;
        uint32_t choice;
        if (!long_lists && count <= 2) sum = sum_of_two(cell, line, single, one, u, &choice);
        else if (long_lists && count <= AHO_LINE_ARCS) sum = sum_of_five(cell, line, single, one, u, &choice);
        else sum = sum_of_list(cell, line, count, single, one, u, &choice);
        v->choices[e] = choice;
        if (measured && v->cuts[e]) {
            add_segment(p, sum, shift - 640);
            shift = 0;
        }
        cells[e] = last = start_value(sum, CELL_START, v->cuts[e]);
        if (__builtin_expect(last < CELL_LOW || last > CELL_HIGH, 0)) {
            if (!tile_rescale(cells, v->cuts, e, longest, &shift)) {
                while (!v->cuts[e] && e) e--;
                return e;
            }
            last = cells[e];
        }
    }
    return size;
}

static __attribute__((noinline)) int64_t tile_sample(const lattice *l, tile *v, progress *p, const uint8_t *text,
                                                     int64_t size, int long_lists) {
    if (l->score_wanted) return tile_sum(l->automaton, v, p, text, size, l->longest, 1, 1);
    if (long_lists) return tile_sum(l->automaton, v, p, text, size, l->longest, 0, 1);
    return tile_sum(l->automaton, v, p, text, size, l->longest, 0, 0);
}

/* Takes an arc into account that may be better than the ones before it. */
#define TILE_BETTER(arc, value)           \
    do {                                  \
        const uint32_t arc_ = (arc);      \
        double other_ = (value);          \
        int better_ = other_ > best;      \
        choice = better_ ? arc_ : choice; \
        best = better_ ? other_ : best;   \
    } while (0)
#define TILE_CONSIDER(k) TILE_BETTER(line->arcs[k], TILE_CELL(arc_) + line->values[k])

/* Cells and choices of the best path. */
static inline __attribute__((always_inline)) void tile_best(const automaton *a, tile *v, progress *p,
                                                            const uint8_t *text, int64_t size, const int carry,
                                                            const int long_lists) {
    double last = p->carried, *cells = v->cells + TILE_BEFORE;
    const automaton local = *a;
    cells[0] = last;
    for (int64_t e = 1; e <= size; e++) {
        const uint64_t unit = v->states[e];
        const aho_line *line = local.lines + AHO_LINE(unit);
        __builtin_prefetch(local.lines + AHO_LINE(v->states[e + TILE_AHEAD]));
        const double *cell = cells + e;
        const uint32_t count = AHO_COUNT(unit);
        uint32_t choice = line->arcs[0];
        double best = TILE_CELL(choice) + line->values[0];
        TILE_CONSIDER(1);
        if (long_lists || count > 2) {
            TILE_CONSIDER(2);
            TILE_CONSIDER(3);
            TILE_CONSIDER(4);
            for (uint32_t k = AHO_LINE_ARCS; k < count; k++) {
                const aho_line *at = line + k / AHO_LINE_ARCS;
                TILE_BETTER(at->arcs[k % AHO_LINE_ARCS], TILE_CELL(arc_) + at->values[k % AHO_LINE_ARCS]);
            }
        }
        const double other = last + local.single_values[text[e - 1]];
        v->choices[e] = choice ^ ((choice ^ local.singles[text[e - 1]]) & -(uint32_t)(other > best));
        best = other > best ? other : best;
        cells[e] = last = carry ? best : start_value(best, 0.0, v->cuts[e]);
    }
    if (carry) p->carried = last;
}

static __attribute__((noinline)) void tile_viterbi(const lattice *l, tile *v, progress *p, const uint8_t *text,
                                                   int64_t size, int long_lists) {
    if (l->carry && long_lists) tile_best(l->automaton, v, p, text, size, 1, 1);
    else if (l->carry) tile_best(l->automaton, v, p, text, size, 1, 0);
    else if (long_lists) tile_best(l->automaton, v, p, text, size, 0, 1);
    else tile_best(l->automaton, v, p, text, size, 0, 0);
}
#endif

/* The lattice of a byte vocabulary, window by window: each cell pulls from the starts of its arcs.
 *
 * A window is taken in passes: the automaton's states, in lanes, so that one lane's loads are under way while the others
 * compute; the cuts, backwards; cells and choices, forwards; the path back from the last cut. Arcs into a cell come longest
 * first, that is by ascending start, in which order the walks of blocks.h reach it: sums, ties and draws are the same, bit
 * for bit. What is not usual (a block longer than a window, cells too far apart) is left to blocks.h, from cut to cut.
 */
#ifndef CORPUS_WINDOWS_H
#define CORPUS_WINDOWS_H
#include "automaton.h"
#include "blocks.h"
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define AHO_WINDOW 1024
#define AHO_AHEAD 16   /* positions that lines are fetched before their use */
#define AHO_LEAST 128  /* of a window where the last ones did not do */
#define AHO_BEFORE 256 /* cells that no arc of a window starts from: what fills lines may read them */

/* What a window is worked in. Position 0 is the window's start. */
typedef struct aho_window {
    uint64_t states[AHO_WINDOW + 1 + AHO_AHEAD];
    double cells[AHO_BEFORE + AHO_WINDOW + 1]; /* of starts: at each cut the first value again; before position 0 zeros */
    uint32_t choices[AHO_WINDOW + 1];          /* entries */
    uint32_t codes[AHO_WINDOW];
    uint8_t cuts[AHO_WINDOW + 1];
} aho_window;

/* One step of lane k: to the child if there is one, else to the suffix that may have it. Without a branch, because
 * nobody can predict which. */
#define AHO_STEP(k)                                                \
    do {                                                           \
        uint32_t byte_ = text[at##k], fail_ = fails[base##k];      \
        uint64_t unit_ = units[base##k ^ byte_];                   \
        states[at##k] = unit_;                                     \
        uint64_t there_ = (uint8_t)unit_ == byte_;                 \
        __asm__("" : "+r"(there_)); /* or gcc makes it a branch */ \
        at##k += there_;                                           \
        base##k = there_ ? AHO_BASE(unit_) : fail_;                \
    } while (0)

/* The units of all positions of a window that starts at a cut, the first behind its first byte. Each lane starts its
 * stretch as if it began a text; what the lane before it knows better is put right afterwards, up to where both agree. */
static __attribute__((noinline)) void aho_states(const automaton *a, const uint8_t *text, int64_t size,
                                                 uint64_t *states) {
    const uint64_t *units = a->units;
    const uint32_t *fails = a->fails;
    uint32_t base0 = a->root, base1 = base0, base2 = base0, base3 = base0;
    uint64_t at0 = 0, end0 = (uint64_t)size / 4, at1 = end0, end1 = (uint64_t)size / 2, at2 = end1, end2 = end0 + end1;
    uint64_t at3 = end2, end3 = (uint64_t)size, sure;
    do {
        /* A step takes one byte or none. */
        sure = end0 - at0 < end1 - at1 ? end0 - at0 : end1 - at1;
        sure = end2 - at2 < sure ? end2 - at2 : sure;
        sure = end3 - at3 < sure ? end3 - at3 : sure;
        for (uint64_t step = sure; step; step--) {
            AHO_STEP(0);
            AHO_STEP(1);
            AHO_STEP(2);
            AHO_STEP(3);
        }
    } while (sure > 3);
    const uint64_t ends[] = {end0, end1, end2, end3}, stops[] = {at1, at2, at3, end3};
    uint32_t bases[] = {base0, base1, base2, base3};
    for (int lane = 0; lane < 4; lane++) {
        uint64_t here = lane ? stops[lane - 1] : at0;
        uint32_t base = bases[lane];
        while (here < stops[lane]) {
            uint64_t unit = units[base ^ text[here]];
            if ((uint8_t)unit != text[here]) {
                base = fails[base];
                continue;
            }
            if (here >= ends[lane] && unit == states[here]) break;
            states[here++] = unit;
            base = AHO_BASE(unit);
        }
        if (here == stops[lane] && lane < 3) bases[lane + 1] = base;
    }
}

/* Marks the cuts of a window; returns the last one that is certain, 0 for none. */
static inline int64_t aho_cuts(aho_window *v, int64_t size, int64_t certain) {
    int64_t start = size;
    for (int64_t e = size; e > 0; e--) {
        int64_t from = e - (int64_t)AHO_BYTES(v->states[e]);
        v->cuts[e] = start >= e;
        start = from < start ? from : start;
    }
    v->cuts[0] = 1;
    while (certain > 0 && !v->cuts[certain]) certain--;
    return certain > 0 ? certain : 0;
}

/* Whether many lists have more than two entries, by a look at some. */
static inline int aho_many(const aho_window *v, int64_t size) {
    int64_t few = 0, many = 0;
    for (int64_t e = size; e > 0; e -= 7) few += AHO_COUNT(v->states[e]) <= 2, many += AHO_COUNT(v->states[e]) > 2;
    return many * 3 > few;
}

/* The value of a cell as a start. */
static inline double aho_from(double value, double start, int cut) {
#ifdef __SSE2__
    __m128d mask = _mm_castsi128_pd(_mm_cvtsi64_si128(-(int64_t)cut));
    return _mm_cvtsd_f64(_mm_or_pd(_mm_and_pd(mask, _mm_set_sd(start)), _mm_andnot_pd(mask, _mm_set_sd(value))));
#else
    return cut ? start : value;
#endif
}

/* Brings the cells that arcs into e + 1 and later start from back into range, by a power of two. Returns 0 where one
 * would leave the range in which products are exact under it. */
static __attribute__((noinline)) int aho_rescale(double *cells, const uint8_t *cuts, int64_t e, int64_t longest,
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

#define AHO_CELL(entry) cell[(int64_t)((entry) & 255u) - 256]
#define AHO_ADD(sum, k) double sum##k = sum + AHO_CELL(entry##k) * line->values[k]
#define AHO_PICK(sum, next) choice = sum <= point ? next : choice

/* Sums and draws; returns the last cut before a cell that cannot be kept in range, or `size`. */
static inline __attribute__((always_inline)) int64_t aho_sum(const automaton *a, aho_window *v, progress *p,
                                                             const uint8_t *text, int64_t size, int64_t longest,
                                                             const int measured, const int many) {
    double last = CELL_START, *cells = v->cells + AHO_BEFORE;
    int64_t shift = 0;
    const automaton local = *a;
    const progress keys = *p;
    cells[0] = last;
    for (int64_t e = 1; e <= size; e++) {
        const uint64_t unit = v->states[e];
        const aho_line *line = local.lines + AHO_LINE(unit);
        __builtin_prefetch(local.lines + AHO_LINE(v->states[e + AHO_AHEAD]));
        const double *cell = cells + e, one = local.single_values[text[e - 1]] * last;
        const uint32_t count = AHO_COUNT(unit), single = local.singles[text[e - 1]];
        const double u = draw(&keys, keys.here + e, 0);
        double sum, point;
        uint32_t choice = line->entries[0];
        if (!many && count <= 2) {
            const uint32_t entry0 = choice, entry1 = line->entries[1];
            double sum0 = AHO_CELL(entry0) * line->values[0];
            AHO_ADD(sum0, 1);
            sum = sum01 + one;
            point = u * sum;
            AHO_PICK(sum0, entry1);
            AHO_PICK(sum01, single);
        } else if (many && count <= AHO_ENTRIES) {
            const uint32_t entry0 = choice, entry1 = line->entries[1], entry2 = line->entries[2];
            const uint32_t entry3 = line->entries[3], entry4 = line->entries[4];
            double sum0 = AHO_CELL(entry0) * line->values[0];
            AHO_ADD(sum0, 1);
            AHO_ADD(sum01, 2);
            AHO_ADD(sum012, 3);
            AHO_ADD(sum0123, 4);
            sum = sum01234 + one;
            point = u * sum;
            AHO_PICK(sum0, entry1);
            AHO_PICK(sum01, entry2);
            AHO_PICK(sum012, entry3);
            AHO_PICK(sum0123, entry4);
            AHO_PICK(sum01234, single);
        } else {
            double before[AHO_LIST + 1];
            uint32_t entries[AHO_LIST + 1], k;
            sum = 0.0;
            for (k = 0; k < count; k++) {
                const aho_line *at = line + k / AHO_ENTRIES;
                before[k] = sum;
                entries[k] = at->entries[k % AHO_ENTRIES];
                sum += AHO_CELL(entries[k]) * at->values[k % AHO_ENTRIES];
            }
            before[k] = sum;
            entries[k] = single;
            sum += one;
            point = u * sum;
            while (point < before[k]) k--;
            choice = entries[k];
        }
        v->choices[e] = choice;
        if (measured && v->cuts[e]) {
            add_block(p, sum, shift - 640);
            shift = 0;
        }
        cells[e] = last = aho_from(sum, CELL_START, v->cuts[e]);
        if (__builtin_expect(last < CELL_LOW || last > CELL_HIGH, 0)) {
            if (!aho_rescale(cells, v->cuts, e, longest, &shift)) {
                while (!v->cuts[e] && e) e--;
                return e;
            }
            last = cells[e];
        }
    }
    return size;
}

static __attribute__((noinline)) int64_t aho_sample(const lattice *l, aho_window *v, progress *p, const uint8_t *text,
                                                    int64_t size, int many) {
    if (l->score_wanted) return aho_sum(l->automaton, v, p, text, size, l->longest, 1, 1);
    if (many) return aho_sum(l->automaton, v, p, text, size, l->longest, 0, 1);
    return aho_sum(l->automaton, v, p, text, size, l->longest, 0, 0);
}

#define AHO_BETTER(entry, value)                \
    do {                                        \
        const uint32_t entry_ = (entry);        \
        double other_ = (value);                \
        int better_ = other_ > best;            \
        choice = better_ ? entry_ : choice;     \
        best = better_ ? other_ : best;         \
    } while (0)
#define AHO_ARC(k) AHO_BETTER(line->entries[k], AHO_CELL(entry_) + line->values[k])

static inline __attribute__((always_inline)) void aho_best(const automaton *a, aho_window *v, progress *p,
                                                           const uint8_t *text, int64_t size, const int carry,
                                                           const int many) {
    double last = p->carried, *cells = v->cells + AHO_BEFORE;
    const automaton local = *a;
    cells[0] = last;
    for (int64_t e = 1; e <= size; e++) {
        const uint64_t unit = v->states[e];
        const aho_line *line = local.lines + AHO_LINE(unit);
        __builtin_prefetch(local.lines + AHO_LINE(v->states[e + AHO_AHEAD]));
        const double *cell = cells + e;
        const uint32_t count = AHO_COUNT(unit);
        uint32_t choice = line->entries[0];
        double best = AHO_CELL(choice) + line->values[0];
        AHO_ARC(1);
        if (many || count > 2) {
            AHO_ARC(2);
            AHO_ARC(3);
            AHO_ARC(4);
            for (uint32_t k = AHO_ENTRIES; k < count; k++) {
                const aho_line *at = line + k / AHO_ENTRIES;
                AHO_BETTER(at->entries[k % AHO_ENTRIES], AHO_CELL(entry_) + at->values[k % AHO_ENTRIES]);
            }
        }
        const double other = last + local.single_values[text[e - 1]];
        v->choices[e] = choice ^ ((choice ^ local.singles[text[e - 1]]) & -(uint32_t)(other > best));
        best = other > best ? other : best;
        cells[e] = last = carry ? best : aho_from(best, 0.0, v->cuts[e]);
    }
    if (carry) p->carried = last;
}

static __attribute__((noinline)) void aho_viterbi(const lattice *l, aho_window *v, progress *p, const uint8_t *text,
                                                  int64_t size, int many) {
    if (l->carry && many) aho_best(l->automaton, v, p, text, size, 1, 1);
    else if (l->carry) aho_best(l->automaton, v, p, text, size, 1, 0);
    else if (many) aho_best(l->automaton, v, p, text, size, 0, 1);
    else aho_best(l->automaton, v, p, text, size, 0, 0);
}

/* Writes the path that ends at `end`. */
static inline int64_t aho_write(const lattice *l, const automaton *a, aho_window *v, progress *p, const uint8_t *text,
                                int64_t end, int32_t *out) {
    uint32_t *top = v->codes + AHO_WINDOW, *codes = top;
    for (int64_t e = end; e > 0; e -= AHO_LENGTH(v->choices[e])) *--codes = v->choices[e] >> 8;
    int64_t count = top - codes;
    if (!a->complete || l->score_wanted) return write_tokens(l, p, text, codes, count, out);
    memcpy(out, codes, (size_t)count * sizeof *out);
    p->previous_unknown = 0;
    return count;
}

/* Takes the blocks of one window from `here`, a cut, on; returns the tokens written, or -1 where the first block has to
 * go through the lattice arc by arc. `span`: bytes to look at, fewer where the last look was for nothing. */
static inline int64_t aho_take(const lattice *l, workspace *w, progress *p, const uint8_t *text, int64_t limit, int final,
                               int64_t *span, int32_t *out, const int mode) {
    aho_window *v = w->window;
    const int64_t left = limit - p->here, size = left < *span ? left : *span, least = AHO_LEAST + 2 * l->longest;
    text += p->here;
    aho_states(l->automaton, text, size, v->states + 1);
    const int64_t last = aho_cuts(v, size, final && size == left ? size : size + 1 - l->longest);
    int64_t end = last;
    if (last && mode == SAMPLE) end = aho_sample(l, v, p, text, last, aho_many(v, last));
    else if (last) aho_viterbi(l, v, p, text, last, aho_many(v, last));
    *span = !end ? least : end == last ? 2 * *span : *span / 4;
    *span = *span < least ? least : *span > AHO_WINDOW ? AHO_WINDOW : *span;
    if (!end) return -1;
    int64_t written = aho_write(l, l->automaton, v, p, text, end, out);
    p->here += end;
    p->past = p->window = p->reach = p->here;
    return written;
}

/* Carries the lattice on to `limit`, by windows where they do and arc by arc where not. */
static inline int64_t run_windows(const lattice *l, workspace *w, progress *p, const uint8_t *text, int64_t limit,
                                  int final, int32_t *out, int64_t *written, const int mode) {
    int64_t span = AHO_WINDOW;
    *written = 0;
    for (;;) {
        int64_t some = -1, least = p->here + AHO_WINDOW - span;
        if (p->here == p->past) {
            /* A window has to be full, or it is looked at again and again while text arrives. */
            if (p->here == limit || (!final && limit - p->here < AHO_WINDOW)) return RUN_MORE;
            some = aho_take(l, w, p, text, limit, final, &span, out + *written, mode);
        }
        if (some >= 0) {
            *written += some;
            continue;
        }
        do {
            const int64_t past = p->past;
            int64_t state = blocks(l, w, p, text, limit, final, STOP_AT_CUTS, out + *written, &some, mode);
            *written += some;
            if (state != RUN_MORE || p->here > p->past || p->past == past) return state;
        } while (p->here < least);
    }
}
#endif

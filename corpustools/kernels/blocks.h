/* The lattice's main loop: from cut to cut, arc by arc. */
#ifndef CORPUS_BLOCKS_H
#define CORPUS_BLOCKS_H
#include "lattice.h"

/* U+2581, which stands for a space in normalised text. */
static inline int is_mark(const uint8_t *t) { return t[0] == 0xE2 && t[1] == 0x96 && t[2] == 0x81; }


/* Carries the lattice on to `limit` arc by arc; `final`: it ends there. With `marks` it returns at the first cut before
 * a word mark. Writes the tokens that are certain to `out`, their number to `written`. Returns RUN_MORE or RUN_GROW. */
static inline __attribute__((always_inline)) int64_t run_blocks(const lattice *l, workspace *w, progress *p,
                                                                const uint8_t *text, int64_t limit, int final, int marks,
                                                                int32_t *out, int64_t *written, const int mode) {
    const int sampling = mode == SAMPLE || mode == SAMPLE_WIDE;
    const lattice local = *l;
    const int64_t begin = p->here;
    *written = 0;
    while (p->here < limit && (final || limit - p->here >= l->longest)) {
        if (p->here == p->reach) {
            if (p->here > p->past) {
                *written += flush(l, w, p, text, p->here, out + *written, mode);
                end_block(l, w, p, mode);
                clear_cells(w, 0, p->here - p->window, mode);
                if (marks && p->here > begin && limit - p->here >= 3 && is_mark(text + p->here)) {
                    p->past = p->window = p->here;
                    return RUN_MORE;
                }
            }
            begin_block(w, p, p->here, mode);
        } else if (p->here - p->window + l->longest + 1 > w->cell_capacity ||
                   (sampling && p->arcs + l->arcs_per_start > w->arc_capacity)) {
            int64_t made = make_room(l, w, p, text, out + *written, mode);
            if (made < 0) return RUN_GROW;
            *written += made;
        }
        double from = close_cell(w, p, mode);
        int32_t exponent = mode >= SAMPLE_WIDE ? w->exponents[p->here - p->window] : 0;
        hot h = warm(w, p);
        int64_t step = expand(&local, &h, p, from, exponent, text + p->here, limit - p->here, mode);
        p->reach = p->window + h.reach;
        p->arcs = h.used;
        p->here += step;
    }
    if (final && p->here == limit && p->here > p->past) {
        *written += flush(l, w, p, text, limit, out + *written, mode);
        end_block(l, w, p, mode);
        clear_cells(w, 0, p->here - p->window, mode);
        p->past = p->window = p->reach = limit;
    }
    return RUN_MORE;
}

#define BLOCKS(name, mode)                                                                                           \
    static __attribute__((noinline)) int64_t name(const lattice *l, workspace *w, progress *p, const uint8_t *text,  \
                                                  int64_t limit, int final, int marks, int32_t *out,                 \
                                                  int64_t *written) {                                                \
        return run_blocks(l, w, p, text, limit, final, marks, out, written, mode);                                   \
    }
BLOCKS(blocks_viterbi, VITERBI)
BLOCKS(blocks_viterbi_f32, VITERBI_F32)
BLOCKS(blocks_sample, SAMPLE)
BLOCKS(blocks_sample_wide, SAMPLE_WIDE)
BLOCKS(blocks_arrival, ARRIVAL)

static inline int64_t blocks(const lattice *l, workspace *w, progress *p, const uint8_t *text, int64_t limit, int final,
                             int marks, int32_t *out, int64_t *written, const int mode) {
    switch (mode) {
    case VITERBI: return blocks_viterbi(l, w, p, text, limit, final, marks, out, written);
    case VITERBI_F32: return blocks_viterbi_f32(l, w, p, text, limit, final, marks, out, written);
    case SAMPLE: return blocks_sample(l, w, p, text, limit, final, marks, out, written);
    case SAMPLE_WIDE: return blocks_sample_wide(l, w, p, text, limit, final, marks, out, written);
    default: return blocks_arrival(l, w, p, text, limit, final, marks, out, written);
    }
}
#endif

/* The lattice's main loop: from cut to cut, arc by arc. */
#ifndef CORPUS_BLOCKS_H
#define CORPUS_BLOCKS_H
#include "chunks.h"
#include "path.h"

/* A window is emptied at the first cut behind so many positions: short blocks share the cost, the cells stay in cache. */
#define FLUSH_BEHIND 512
enum { STOP_LATER, STOP_AT_SEAMS, STOP_AT_CUTS }; /* as `seams` */

/* Adds the arcs of one start after the other, up to `stop`, to where the workspace is full, or to a cut as `where` has
 * it. At every other cut the arithmetic starts again, and the cells before it stay for the path. */
static inline __attribute__((always_inline)) void sweep(const lattice *l, workspace *w, progress *p, const uint8_t *text,
                                                        int64_t limit, int64_t stop, int where, const int mode) {
    const lattice local = *l;
    const uint8_t *start = text + p->window;
    const int64_t left = limit - p->window, cells = w->cell_capacity - l->longest - 1;
    const int64_t last = stop - p->window < cells ? stop - p->window : cells;
    const int64_t room = mode == SAMPLE || mode == SAMPLE_WIDE ? w->arc_capacity - l->arcs_per_start : INT64_MAX;
    hot h = {w->cells, w->exponents, w->heads, w->choices, w->arcs, p->here - p->window, p->reach - p->window, p->arcs};
    int64_t last_start;
    do {
        double from = get_cell(h.cells, h.here, mode);
        int32_t exponent = 0;
        if (mode != VITERBI_F32 && h.here == h.reach && h.here > 0 && !(mode == VITERBI && local.carry)) {
            if (local.score_wanted || mode == ARRIVAL) {
                p->here = p->window + h.here;
                end_block(l, w, p, mode);
            }
            p->shift = 0;
            from = mode == VITERBI ? 0.0 : mode == SAMPLE ? CELL_START : 0.5;
            exponent = 1;
        } else if (mode >= SAMPLE_WIDE || (mode == SAMPLE && (from < CELL_LOW || from > CELL_HIGH)) ||
            (mode == VITERBI_F32 && (from > F32_RESET || from < -F32_RESET))) {
            p->here = p->window + h.here;
            p->reach = p->window + h.reach;
            from = close_cell(w, p, mode);
            if (mode >= SAMPLE_WIDE) exponent = h.exponents[h.here];
        }
        last_start = h.here;
        h.here += expand(&local, &h, p, from, exponent, start + h.here, left - h.here, mode);
        if (h.here == h.reach &&
            (where == STOP_AT_CUTS || h.here >= FLUSH_BEHIND ||
             (where == STOP_AT_SEAMS && (h.here + 4 <= left || (stop == limit && h.here < left)) &&
              !joined(&local, code_point(start + last_start, h.here - last_start), start + h.here, left - h.here))))
            break;
    } while (h.here < last && h.used <= room);
    p->previous = code_point(start + last_start, h.here - last_start);
    p->here = p->window + h.here;
    p->reach = p->window + h.reach;
    p->arcs = h.used;
}

/* Carries the lattice on to `limit` arc by arc; `final`: it ends there. With `seams` it returns at the first seam, or
 * the first cut, behind where it began. Writes the tokens that are certain to `out`, their number to `written`. Returns
 * RUN_MORE or RUN_GROW. */
static inline __attribute__((always_inline)) int64_t run_blocks(const lattice *l, workspace *w, progress *p,
                                                                const uint8_t *text, int64_t limit, int final, int seams,
                                                                int32_t *out, int64_t *written, const int mode) {
    const int sampling = mode == SAMPLE || mode == SAMPLE_WIDE;
    *written = 0;
    while (p->here < limit && (final || limit - p->here >= l->longest)) {
        if (p->here == p->reach) {
            if (p->here > p->past) {
                *written += flush(l, w, p, text, p->here, out + *written, mode);
                end_block(l, w, p, mode);
                clear_cells(w, 0, p->here - p->window, mode);
                p->past = p->window = p->here;
                if (seams == STOP_AT_CUTS) return RUN_MORE;
            }
            if (seams == STOP_AT_SEAMS && !joined(l, p->previous, text + p->here, limit - p->here)) return RUN_MORE;
            begin_block(w, p, p->here, mode);
        } else if (p->here - p->window + l->longest + 1 > w->cell_capacity ||
                   (sampling && p->arcs + l->arcs_per_start > w->arc_capacity)) {
            int64_t made = make_room(l, w, p, text, out + *written, mode);
            if (made < 0) return RUN_GROW;
            *written += made;
        }
        sweep(l, w, p, text, limit, final ? limit : limit - l->longest + 1, seams, mode);
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
                                                  int64_t limit, int final, int seams, int32_t *out,                 \
                                                  int64_t *written) {                                                \
        return run_blocks(l, w, p, text, limit, final, seams, out, written, mode);                                   \
    }
BLOCKS(blocks_viterbi, VITERBI)
BLOCKS(blocks_viterbi_f32, VITERBI_F32)
BLOCKS(blocks_sample, SAMPLE)
BLOCKS(blocks_sample_wide, SAMPLE_WIDE)
BLOCKS(blocks_arrival, ARRIVAL)

static inline int64_t blocks(const lattice *l, workspace *w, progress *p, const uint8_t *text, int64_t limit, int final,
                             int seams, int32_t *out, int64_t *written, const int mode) {
    switch (mode) {
    case VITERBI: return blocks_viterbi(l, w, p, text, limit, final, seams, out, written);
    case VITERBI_F32: return blocks_viterbi_f32(l, w, p, text, limit, final, seams, out, written);
    case SAMPLE: return blocks_sample(l, w, p, text, limit, final, seams, out, written);
    case SAMPLE_WIDE: return blocks_sample_wide(l, w, p, text, limit, final, seams, out, written);
    default: return blocks_arrival(l, w, p, text, limit, final, seams, out, written);
    }
}
#endif

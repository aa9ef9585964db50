/* The lattice's main loop: from cut to cut, arc by arc. */
#ifndef CORPUS_SEGMENTS_H
#define CORPUS_SEGMENTS_H
#include "lattice.h"
#include "path.h"
#include "spans.h"
#include "walk.h"

/* A frontier is emptied at the first cut behind so many positions: short segments share the cost, and the cells stay in
 * the processor's cache. */
#define FLUSH_BEHIND 512
enum { STOP_LATER, STOP_AT_SEAMS, STOP_AT_CUTS }; /* where walk_lattice returns */

/* Adds the arcs of one start after the other, up to `stop`, to where the workspace is full, or to a cut as `where` has
 * it. At every other cut the arithmetic starts again, and the cells before it stay for the path. */
static inline __attribute__((always_inline)) void sweep(const lattice *l, workspace *w, progress *p,
                                                        const uint8_t *text, int64_t limit, int64_t stop, int where,
                                                        const int mode) {
    const lattice local = *l;
    const uint8_t *start = text + p->frontier;
    const int64_t left = limit - p->frontier, cells = w->cell_capacity - l->longest - 1;
    const int64_t last = stop - p->frontier < cells ? stop - p->frontier : cells;
    const int64_t room = mode == SAMPLE || mode == SAMPLE_WIDE ? w->arc_capacity - l->arcs_per_start : INT64_MAX;
    cursor h = {w->cells, w->exponents, w->heads, w->choices, w->arcs, p->here - p->frontier, p->reach - p->frontier,
                p->arcs};
    int64_t last_start;
    do {
        double from = get_cell(h.cells, h.here, mode);
        int32_t exponent = 0;
        if (mode != VITERBI_F32 && h.here == h.reach && h.here > 0 && !(mode == VITERBI && local.carry)) {
            if (local.score_wanted || mode == ARRIVAL) {
                p->here = p->frontier + h.here;
                end_segment(l, w, p, mode);
            }
            p->shift = 0;
            from = mode == VITERBI ? 0.0 : mode == SAMPLE ? CELL_START : 0.5;
            exponent = 1;
        } else if (mode >= SAMPLE_WIDE || (mode == SAMPLE && (from < CELL_LOW || from > CELL_HIGH)) ||
                   (mode == VITERBI_F32 && (from > F32_RESET || from < -F32_RESET))) {
            p->here = p->frontier + h.here;
            p->reach = p->frontier + h.reach;
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
    p->previous_character = code_point(start + last_start, h.here - last_start);
    p->here = p->frontier + h.here;
    p->reach = p->frontier + h.reach;
    p->arcs = h.used;
}

/* Carries the lattice on to `limit` arc by arc; `final`: it ends there. It returns early at the first seam, or the
 * first cut, behind where it began if `where` says so. Writes the tokens that are certain to `out`, their number to
 * `written`. Returns RUN_MORE or RUN_GROW. */
static inline __attribute__((always_inline)) int64_t walk_segments(const lattice *l, workspace *w, progress *p,
                                                                   const uint8_t *text, int64_t limit, int final,
                                                                   int where, int32_t *out, int64_t *written,
                                                                   const int mode) {
    const int sampling = mode == SAMPLE || mode == SAMPLE_WIDE;
    *written = 0;
    while (p->here < limit && (final || limit - p->here >= l->longest)) {
        if (p->here == p->reach) {
            if (p->here > p->past) {
                *written += flush(l, w, p, text, p->here, out + *written, mode);
                end_segment(l, w, p, mode);
                clear_cells(w, 0, p->here - p->frontier, mode);
                p->past = p->frontier = p->here;
                if (where == STOP_AT_CUTS) return RUN_MORE;
            }
            if (where == STOP_AT_SEAMS && !joined(l, p->previous_character, text + p->here, limit - p->here))
                return RUN_MORE;
            begin_segment(w, p, p->here, mode);
        } else if (p->here - p->frontier + l->longest + 1 > w->cell_capacity ||
                   (sampling && p->arcs + l->arcs_per_start > w->arc_capacity)) {
            int64_t made = make_room(l, w, p, text, out + *written, mode);
            if (made < 0) return RUN_GROW;
            *written += made;
        }
        sweep(l, w, p, text, limit, final ? limit : limit - l->longest + 1, where, mode);
    }
    if (final && p->here == limit && p->here > p->past) {
        *written += flush(l, w, p, text, limit, out + *written, mode);
        end_segment(l, w, p, mode);
        clear_cells(w, 0, p->here - p->frontier, mode);
        p->past = p->frontier = p->reach = limit;
    }
    return RUN_MORE;
}

#define WALK_SEGMENTS(name, mode)                                                                                   \
    static __attribute__((noinline)) int64_t name(const lattice *l, workspace *w, progress *p, const uint8_t *text, \
                                                  int64_t limit, int final, int where, int32_t *out,                \
                                                  int64_t *written) {                                               \
        return walk_segments(l, w, p, text, limit, final, where, out, written, mode);                               \
    }
WALK_SEGMENTS(walk_viterbi, VITERBI)
WALK_SEGMENTS(walk_viterbi_f32, VITERBI_F32)
WALK_SEGMENTS(walk_sample, SAMPLE)
WALK_SEGMENTS(walk_sample_wide, SAMPLE_WIDE)
WALK_SEGMENTS(walk_arrival, ARRIVAL)

/* walk_segments compiled once for each mode. */
static inline int64_t walk_lattice(const lattice *l, workspace *w, progress *p, const uint8_t *text, int64_t limit,
                                   int final, int where, int32_t *out, int64_t *written, const int mode) {
    switch (mode) {
    case VITERBI: return walk_viterbi(l, w, p, text, limit, final, where, out, written);
    case VITERBI_F32: return walk_viterbi_f32(l, w, p, text, limit, final, where, out, written);
    case SAMPLE: return walk_sample(l, w, p, text, limit, final, where, out, written);
    case SAMPLE_WIDE: return walk_sample_wide(l, w, p, text, limit, final, where, out, written);
    default: return walk_arrival(l, w, p, text, limit, final, where, out, written);
    }
}
#endif

/* Whole records through the lattice: hard cuts, draws keyed by record, many records in one call, and text in parts. */
#ifndef CORPUS_LATTICE_RECORDS_H
#define CORPUS_LATTICE_RECORDS_H
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "../philox.h"
#include "cached_spans.h"
#include "hard_cuts.h"
#include "lattice.h"
#include "segments.h"
#include "spans.h"
#include "tiles.h"

/* Carries one lattice on: of bytes by tiles, of characters from span to span. Su's first sampling draws as arcs arrive,
 * and needs neither. */
static inline int64_t run(const lattice *l, workspace *w, progress *p, const uint8_t *text, int64_t limit, int final,
                          int32_t *out, int64_t *written, const int mode) {
    if (l->automaton && w->tile && (mode == VITERBI || mode == SAMPLE))
        return run_tiles(l, w, p, text, limit, final, out, written, mode);
    if (!l->character || mode == ARRIVAL)
        return walk_lattice(l, w, p, text, limit, final, STOP_LATER, out, written, mode);
    *written = 0;
    for (;;) {
        int64_t tokens, state;
        if (!p->in_long_span) {
            int stopped;
            *written += segment_spans(l, w, p, text, limit, final, out + *written, &stopped, mode);
            if (stopped != SPANS_LONG) return RUN_MORE;
            p->in_long_span = 1;
            p->previous_character = NO_CHARACTER;
        }
        state = walk_lattice(l, w, p, text, limit, final, STOP_AT_SEAMS, out + *written, &tokens, mode);
        *written += tokens;
        if (state != RUN_MORE || p->here == limit || p->here != p->past ||
            joined(l, p->previous_character, text + p->here, limit - p->here) ||
            (!final && limit - p->here < l->longest))
            return state;
        p->in_long_span = 0;
    }
}

static inline int64_t run_mode(const lattice *l, workspace *w, progress *p, const uint8_t *text, int64_t limit,
                               int final, int32_t *out, int64_t *written, int mode) {
    switch (mode) {
    case VITERBI: return run(l, w, p, text, limit, final, out, written, VITERBI);
    case VITERBI_F32: return run(l, w, p, text, limit, final, out, written, VITERBI_F32);
    case SAMPLE: return run(l, w, p, text, limit, final, out, written, SAMPLE);
    case SAMPLE_WIDE: return run(l, w, p, text, limit, final, out, written, SAMPLE_WIDE);
    default: return run(l, w, p, text, limit, final, out, written, ARRIVAL);
    }
}

/* A record as it begins: sample `sample` of record `record` under the seed's key. */
static inline void begin_record(progress *p, uint64_t record, uint64_t sample, uint64_t k0, uint64_t k1) {
    uint64_t words[4];
    memset(p, 0, sizeof *p);
    philox4x64(record, sample, k0, k1, words);
    p->draw_state[0] = words[0];
    p->draw_state[1] = words[1];
    p->total_mantissa = 1.0;
}

/* Carries a record on to `limit`. text[0] is the record's byte `base`, which lies at or before origin + past; `final`:
 * the record ends there. Returns RUN_MORE or RUN_GROW. */
static inline int64_t advance(const lattice *l, workspace *w, progress *p, const uint8_t *text, int64_t base,
                              int64_t limit, int final, int cuts, int mode, int32_t *out, int64_t *written) {
    *written = 0;
    if (!p->cleared) clear_cells(w, 0, w->cell_capacity - 1, mode);
    p->cleared = 1;
    for (;;) {
        int64_t tokens, origin = p->origin - base;
        int64_t cut = cuts ? next_hard_cut(text, origin, origin + p->here, limit - base, cuts) : -1;
        int64_t end = cut >= 0 ? cut : limit - base;
        int64_t state =
            run_mode(l, w, p, text + origin, end - origin, final || cut >= 0, out + *written, &tokens, mode);
        *written += tokens;
        if (state != RUN_MORE || cut < 0) return state;
        p->origin = base + cut + (cuts == CUT_MARKS);
        p->past = p->frontier = p->here = p->reach = p->in_long_span = 0;
        p->carried = 0.0;
        p->previous_unknown = 0;
    }
}

/* Ids of records offsets[0 … count], `samples` of each, one after the other.
 *
 * out: room for samples * (bytes + 2 * count) ids. ends: count * samples, the end of each in `out`. measures: NULL, or
 * 2 a segmentation: score and log Z. bos, eos: an id, or -1. Returns how many records are whole: fewer than `count`
 * where `codes` has to grow, or, as -1 - record, one that the vocabulary cannot write.
 */
static inline int64_t segment_batch(const lattice *l, workspace *w, const uint8_t *text, const int64_t *offsets,
                                    int64_t first, int64_t count, int cuts, int mode, const uint64_t *seed,
                                    uint64_t first_record, uint64_t first_sample, int64_t samples, int32_t bos,
                                    int32_t eos, int32_t *out, int64_t *ends, double *measures) {
    int64_t used = first ? ends[first * samples - 1] : 0;
    for (int64_t i = first; i < count; i++) {
        for (int64_t k = 0; k < samples; k++) {
            progress p;
            int64_t written, at = used;
            begin_record(&p, first_record + (uint64_t)i, first_sample + (uint64_t)k, seed[0], seed[1]);
            p.cleared = i > first || k > 0; /* every whole record leaves the cells as it found them */
            if (bos >= 0) out[at++] = bos;
            if (advance(l, w, &p, text + offsets[i], 0, offsets[i + 1] - offsets[i], 1, cuts, mode, out + at,
                        &written) != RUN_MORE)
                return i;
            if (p.unencodable) return -1 - i;
            at += written;
            if (eos >= 0) out[at++] = eos;
            ends[i * samples + k] = used = at;
            if (measures) {
                measures[2 * (i * samples + k)] = p.score;
                measures[2 * (i * samples + k) + 1] =
                    log(p.total_mantissa) + 0x1.62e42fefa39efp-1 * (double)p.total_exponent;
            }
        }
    }
    return count;
}
#endif

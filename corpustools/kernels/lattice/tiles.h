/* The lattice of a byte vocabulary, tile by tile: each cell pulls from the starts of its arcs.
 *
 * A tile is taken in passes: the automaton's states, in lanes, so that one lane's loads are under way while the others
 * compute; the cuts, backwards; cells and choices, forwards; the path back from the last cut. Arcs into a cell come
 * longest first, that is by ascending start, in which order the walks of segments.h reach it: sums, ties and draws are
 * the same, bit for bit. What is not usual (a segment longer than a tile, cells too far apart) is left to segments.h,
 * from cut to cut.
 */
#ifndef CORPUS_TILES_H
#define CORPUS_TILES_H
#include <stdint.h>
#include <string.h>

#include "automaton.h"
#include "lattice.h"
#include "path.h"
#include "segments.h"
#include "tile_cells.h"
#include "tile_scan.h"

/* Writes the path that ends at `end`. */
static inline int64_t tile_write(const lattice *l, const automaton *a, tile *v, progress *p, const uint8_t *text,
                                 int64_t end, int32_t *out) {
    uint32_t *top = v->codes + TILE_BYTES, *codes = top;
    for (int64_t e = end; e > 0; e -= AHO_LENGTH(v->choices[e])) *--codes = v->choices[e] >> 8;
    int64_t count = top - codes;
    if (!a->complete || l->score_wanted) return write_tokens(l, p, text, codes, count, out);
    memcpy(out, codes, (size_t)count * sizeof *out);
    p->previous_unknown = 0;
    return count;
}

/* Segments one tile from `here`, a cut, up to its last cut; returns the tokens written, or -1 where the first segment
 * has to go through the lattice arc by arc. `bytes`: how many to look at, fewer where the last look was for nothing. */
static inline int64_t take_tile(const lattice *l, workspace *w, progress *p, const uint8_t *text, int64_t limit,
                                int final, int64_t *bytes, int32_t *out, const int mode) {
    tile *v = w->tile;
    const int64_t left = limit - p->here, size = left < *bytes ? left : *bytes, least = TILE_LEAST + 2 * l->longest;
    text += p->here;
    tile_states(l->automaton, text, size, v->states + 1);
    const int64_t last = tile_cuts(v, size, final && size == left ? size : size + 1 - l->longest);
    int64_t end = last;
    if (last && mode == SAMPLE) end = tile_sample(l, v, p, text, last, has_long_lists(v, last));
    else if (last) tile_viterbi(l, v, p, text, last, has_long_lists(v, last));
    *bytes = !end ? least : end == last ? 2 * *bytes : *bytes / 4;
    *bytes = *bytes < least ? least : *bytes > TILE_BYTES ? TILE_BYTES : *bytes;
    if (!end) return -1;
    int64_t written = tile_write(l, l->automaton, v, p, text, end, out);
    p->here += end;
    p->past = p->frontier = p->reach = p->here;
    return written;
}

/* Carries the lattice on to `limit`, by tiles where they do and arc by arc where not. */
static inline int64_t run_tiles(const lattice *l, workspace *w, progress *p, const uint8_t *text, int64_t limit,
                                int final, int32_t *out, int64_t *written, const int mode) {
    int64_t bytes = TILE_BYTES;
    *written = 0;
    for (;;) {
        int64_t tokens = -1, least = p->here + TILE_BYTES - bytes;
        if (p->here == p->past) {
            /* A tile has to be full, or it is looked at again and again while text arrives. */
            if (p->here == limit || (!final && limit - p->here < TILE_BYTES)) return RUN_MORE;
            tokens = take_tile(l, w, p, text, limit, final, &bytes, out + *written, mode);
        }
        if (tokens >= 0) {
            *written += tokens;
            continue;
        }
        do {
            const int64_t past = p->past;
            int64_t state = walk_lattice(l, w, p, text, limit, final, STOP_AT_CUTS, out + *written, &tokens, mode);
            *written += tokens;
            if (state != RUN_MORE || p->here > p->past || p->past == past) return state;
        } while (p->here < least);
    }
}
#endif

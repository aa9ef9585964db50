/* The first passes over a tile of text: the automaton's state at each byte, and where the cuts are. */
#ifndef CORPUS_TILE_SCAN_H
#define CORPUS_TILE_SCAN_H
#include <stdint.h>

#include "automaton.h"

#define TILE_BYTES 1024
#define TILE_AHEAD 16   /* positions that lines are fetched before their use */
#define TILE_LEAST 128  /* bytes of a tile after some that did not do */
#define TILE_BEFORE 256 /* cells before the tile, all zero, so that what fills lines may read them */

/* What a tile is worked in. Position 0 is the tile's start. */
typedef struct tile {
    uint64_t states[TILE_BYTES + 1 + TILE_AHEAD];
    double
        cells[TILE_BEFORE + TILE_BYTES + 1]; /* of starts: at each cut the first value again; before position 0 zeros */
    uint32_t choices[TILE_BYTES + 1];        /* arcs */
    uint32_t codes[TILE_BYTES];
    uint8_t cuts[TILE_BYTES + 1];
} tile;

/* One step of lane k: to the child if there is one, else to the suffix that may have it. Without a branch, because
 * nobody can predict which. */
#define LANE_STEP(k)                                                  \
    do {                                                              \
        uint32_t byte_ = text[at##k], fail_ = fails[base##k];         \
        uint64_t unit_ = units[base##k ^ byte_];                      \
        states[at##k] = unit_;                                        \
        uint64_t is_child_ = (uint8_t)unit_ == byte_;                 \
        __asm__("" : "+r"(is_child_)); /* or gcc makes it a branch */ \
        at##k += is_child_;                                           \
        base##k = is_child_ ? AHO_BASE(unit_) : fail_;                \
    } while (0)

/* The units of all positions of a tile that starts at a cut, the first behind its first byte. Each lane starts its
 * stretch as if it began a text; what the lane before it knows better is put right afterwards, up to where both
 * agree. */
static __attribute__((noinline)) void tile_states(const automaton *a, const uint8_t *text, int64_t size,
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
            LANE_STEP(0);
            LANE_STEP(1);
            LANE_STEP(2);
            LANE_STEP(3);
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

/* Marks the cuts of a tile; returns the last one that is certain, 0 for none. */
static inline int64_t tile_cuts(tile *v, int64_t size, int64_t certain) {
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

/* Whether many lists have more than two arcs, by a look at every seventh. */
static inline int has_long_lists(const tile *v, int64_t size) {
    int64_t short_lists = 0, long_lists = 0;
    for (int64_t e = size; e > 0; e -= 7)
        short_lists += AHO_COUNT(v->states[e]) <= 2, long_lists += AHO_COUNT(v->states[e]) > 2;
    return long_lists * 3 > short_lists;
}
#endif

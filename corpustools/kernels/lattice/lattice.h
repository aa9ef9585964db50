/* Segmentation over a vocabulary, forward in one pass: the best path, an exact sample, or Su's first sampling.
 *
 * The lattice of the text "abcabda" over the pieces a, b, c, d, ab, bc, abd and cad:
 *
 *      position  0     1     2     3     4     5     6     7    in bytes
 *      cells     o--a--o--b--o--c--o--a--o--b--o--d--o--a--o
 *      and arcs  `----ab-----'     `----ab-----'
 *                      `----bc-----'
 *                                  `-------abd-------'
 *      cuts      ^                 ^                 ^     ^
 *      segments  |<----- one ----->|<--- another --->|<--->|
 *      seams     ^                                   ^     ^
 *      spans     |<-------------- one -------------->|<--->|
 *
 * - piece: an entry of the vocabulary. code: its number; behind the pieces come four codes for unknown characters.
 * - arc: a piece, or an unknown character, between two positions. path: arcs from the start to the end, the tokens.
 * - cell: what is known of all paths up to a position: their weight (SAMPLE), the best score (VITERBI), or the weight
 *   of the path that was kept (ARRIVAL). Weights count from the last cut.
 * - cut: a position that no arc of this lattice spans. The lattice factorises there: the tokens before it are final,
 *   and the arithmetic starts again at 1. So ids depend neither on how text arrives nor on what came before.
 * - segment: the lattice between two cuts.
 * - seam: a boundary between two characters that are neighbours in no piece, so that no arc of any lattice spans it:
 *   d|a above. Each seam is a cut. 3 is a cut but no seam, since c and a are neighbours in the piece cad.
 * - span: the text between two seams (spans.h), what the cache remembers (span_cache.h).
 * - frontier: the cells that are still held, from the first one whose choice is not settled to the farthest that an arc
 *   has reached. To settle a cell is to choose the arc into it for good.
 * - tile: as many bytes of text as the automaton takes at once (tiles.h).
 * - draw state: two words, a function of seed, record and sample, from which every draw of a record is made.
 *
 * Weights are linear: a product and a sum an arc, no exp and no log. Ranges: a cell is kept in 2^384 … 2^768 by
 * exact powers of two; a vocabulary whose weights could leave a double's range within one piece's length runs
 * SAMPLE_WIDE, with an exponent of its own in every cell. Both give the same ids.
 *
 * Which header does what, each on top of those before it: trie.h (pieces that begin somewhere), lattice.h, walk.h (the
 * arcs of one start), path.h (from cells back to tokens), spans.h (where the seams are), segments.h (the main loop),
 * running_sum.h (the scores so far), span_cache.h, span_arcs.h, cache_fill.h, sample_lookup.h, cached_spans.h (spans by
 * the cache), automaton.h, tile_scan.h, tile_cells.h, tiles.h (bytes by the automaton), hard_cuts.h (where one lattice
 * ends and the next one begins), records.h (whole records), moments.h (log Z, entropy, length), word_samples.h,
 * words.h (words that are lattices of their own).
 */
#ifndef CORPUS_LATTICE_H
#define CORPUS_LATTICE_H
#include <math.h>
#include <stdint.h>

#include "../philox.h"
#include "trie.h"

/* The modes; kernels and Python know them by these numbers. VITERBI_F32: best path in float32, as SentencePiece
 * adds. ARRIVAL: Su's first sampling, `--mode viterbi-sampling`, which draws as arcs arrive. */
enum { VITERBI = 0, VITERBI_F32 = 1, SAMPLE = 2, SAMPLE_WIDE = 3, ARRIVAL = 4 };
enum { RUN_MORE = 0, RUN_GROW = -1 };

#define NONE UINT32_MAX
#define CELL_START 0x1p640
#define CELL_LOW 0x1p384
#define CELL_HIGH 0x1p768
#define ON_A_PATH 0x80000000u
#define NO_CHARACTER -1
#define F32_RESET 100000.0 /* kScoreResetThreshold of SentencePiece 0.2.3 */

/* A unit of the trie beside what the piece that ends there weighs, or scores; no piece: 0, or -inf. One look at the
 * memory for both. */
typedef struct {
    uint64_t unit;
    double value;
} node;

/* What the lattices of all texts are made with: the vocabulary's tables for one mode. */
typedef struct {
    const uint64_t *units, *heads;
    const node *nodes, *starts; /* of units and of heads; not where wide */
    const uint32_t *lengths;    /* bytes of a piece, by code */
    const double *scores;       /* by code; for VITERBI_F32 float32 values */
    const double *weights;      /* by code; mantissas where wide */
    const int32_t *exponents;   /* by code, wide only */
    const int32_t *byte_ids;    /* 256 ids, or NULL */
    const uint8_t *joins;       /* characters only: 2^(32 - join_shift) bits, see joined() */
    const uint8_t *seams;       /* the same for two neighbouring bytes, see fill_seams(); or NULL */
    uint32_t pieces;            /* codes pieces … pieces + 3: an unknown character of 1 … 4 bytes */
    int32_t longest;            /* bytes of the longest arc, at least 4 */
    int32_t arcs_per_start;
    int32_t character, unknown_id; /* character: positions are characters, not bytes */
    int32_t fuse;                  /* neighbouring unknown characters are one id */
    /* Among positions that are bytes, one from F5 on begins a character of four, which is one position. */
    int32_t escaped;
    int32_t score_wanted; /* and log Z */
    int32_t carry;        /* sums of VITERBI do not start again at a cut, as in the model's own library */
    uint32_t join_shift;
    const struct automaton *automaton; /* or NULL */
} lattice;

typedef struct {
    double before; /* weight of the arcs into the same cell that came earlier */
    int32_t exponent;
    uint32_t code, length, next;
} arc;

/* One lattice in work; positions are relative to its first byte. past <= frontier <= here <= reach. */
typedef struct {
    int64_t past;     /* the tokens up to here are written */
    int64_t frontier; /* the first position whose cell is held */
    int64_t here;     /* the next start of arcs */
    int64_t reach;    /* the farthest end of an arc */
    int64_t origin;   /* what a position is counted from when a draw is keyed */
    int64_t arcs, previous_unknown, unencodable;
    int64_t cleared;            /* the workspace's cells are those of this mode */
    int64_t in_long_span;       /* a span is in work that is too long for one draw */
    int64_t one_draw;           /* the span in work is drawn by one number */
    int64_t previous_character; /* code point before `here` where `in_long_span`; NO_CHARACTER at the span's start */
    double carried;             /* sums that do not start again at a cut: what came before it */
    int64_t shift;              /* powers of two that were taken out of the segment's cells */
    int64_t total_exponent;     /* log Z so far: log(total_mantissa) + total_exponent log 2 */
    double total_mantissa, score;
    uint64_t draw_state[2];
} progress;

/* Room for one lattice in work. cells … choices: cell_capacity each, more than a few times `longest`, and room for a
 * span; arcs and spare: arc_capacity, at least longest * arcs_per_start + arcs_per_start, and room for a span's; codes:
 * at least 2 * (cell_capacity + 1). */
typedef struct {
    double *cells;
    int32_t *exponents;
    uint32_t *heads;
    uint64_t *choices; /* code << 32 | length */
    arc *arcs, *spare;
    uint32_t *codes;          /* choices of positions past + 1 … frontier */
    struct span_cache *cache; /* or NULL; with cache_units units of arena */
    struct tile *tile;        /* or NULL */
    int64_t cell_capacity, arc_capacity, code_capacity, cache_units;
} workspace;

/* The draw of a position: SplitMix64 (Steele, Lea, Flood 2014; passes BigCrush as a counter) from a start that is the
 * record's own Philox4x64-10 word, under a second one. A draw waits for the one before it, so its latency is what
 * sampling costs: Philox again would take twice as long. As a number in [0, 1) it has 53 bits. `lane` tells the draws
 * of one position apart. */
static inline uint64_t draw_bits(const progress *p, int64_t position, uint64_t lane) {
    uint64_t x = p->draw_state[0] + (uint64_t)(p->origin + position) * 0x9E3779B97F4A7C15u + lane * 0xD1342543DE82EF95u;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return (x ^ x >> 31) ^ p->draw_state[1];
}

static inline double draw(const progress *p, int64_t position, uint64_t lane) {
    return (double)(draw_bits(p, position, lane) >> 11) * 0x1p-53;
}

/* Cells of VITERBI_F32 are floats: a sum of floats takes no conversion on its way from cell to cell. */
static inline double get_cell(const double *cells, int64_t i, const int mode) {
    return mode == VITERBI_F32 ? (double)((const float *)cells)[i] : cells[i];
}

static inline void set_cell(double *cells, int64_t i, double value, const int mode) {
    if (mode == VITERBI_F32) ((float *)cells)[i] = (float)value;
    else cells[i] = value;
}

static inline double scaled(double x, int64_t by) { return by < -1100 ? 0.0 : ldexp(x, (int)by); }

/* Bytes of the character at `text`, as SentencePiece's OneCharLen: by the first byte alone. */
static inline int character_length(const uint8_t *text, int64_t left) {
    int length = text[0] < 0xC0 ? 1 : text[0] < 0xE0 ? 2 : text[0] < 0xF0 ? 3 : 4;
    return length <= left ? length : (int)left;
}

/* Bytes to the next start. */
static inline int step_length(const lattice *l, const uint8_t *text, int64_t left) {
    if (l->character || (l->escaped && text[0] >= 0xF5)) return character_length(text, left);
    return 1;
}

/* Cells that nothing has reached hold a weight of 0, or a score below all others. */
static inline void clear_cells(workspace *w, int64_t first, int64_t last, const int mode) {
    for (int64_t i = first; i <= last; i++) {
        set_cell(w->cells, i, mode < SAMPLE ? -INFINITY : 0.0, mode);
        if (mode == SAMPLE || mode == SAMPLE_WIDE) w->heads[i] = NONE;
        else w->choices[i] = 0;
        if (mode >= SAMPLE_WIDE) w->exponents[i] = INT32_MIN;
    }
}
#endif

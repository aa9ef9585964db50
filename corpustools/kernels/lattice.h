/* Segmentation over a vocabulary, forward in one pass: the best path, an exact sample, or Su's first sampling.
 *
 * Positions are bytes of one lattice's text. Cell e holds, once all arcs into it are known, the weight of all paths
 * (sample), the score of the best path (viterbi) or the weight of the path that was kept (arrival) from the last cut.
 * A cut is a position that no arc spans: there the lattice factorises, the tokens before it are final, and the
 * arithmetic starts again at 1; so ids depend neither on how text is chunked nor on what came before.
 *
 * Weights are linear: a product and a sum an arc, no exp and no log. Ranges: a cell is kept in 2^384 … 2^768 by
 * exact powers of two; a vocabulary whose weights could leave a double's range within one piece's length runs
 * `wide`, with an exponent of its own in every cell. Both give the same ids.
 */
#ifndef CORPUS_LATTICE_H
#define CORPUS_LATTICE_H
#include <math.h>
#include "philox.h"
#include "trie.h"

enum { VITERBI = 0, VITERBI_F32 = 1, SAMPLE = 2, SAMPLE_WIDE = 3, ARRIVAL = 4 };
enum { RUN_MORE = 0, RUN_GROW = -1 };

#define NONE UINT32_MAX
#define CELL_START 0x1p640
#define CELL_LOW 0x1p384
#define CELL_HIGH 0x1p768
#define MARK 0x80000000u
#define NO_CHARACTER -1
#define F32_RESET 100000.0 /* kScoreResetThreshold of SentencePiece 0.2.3 */

/* A unit of the trie beside what the piece that ends there weighs, or scores; no piece: 0, or -inf. One look at the memory
 * for both. */
typedef struct {
    uint64_t unit;
    double value;
} node;

typedef struct {
    const uint64_t *units, *heads;
    const node *nodes, *starts; /* of units and of heads; not where wide */
    const uint32_t *lengths;  /* bytes of a piece, by code */
    const double *scores;     /* by code; for VITERBI_F32 float32 values */
    const double *weights;    /* by code; mantissas where wide */
    const int32_t *exponents; /* by code, wide only */
    const int32_t *byte_ids;  /* 256 ids, or NULL */
    const uint8_t *joins;     /* characters only: 2^(32 - join_shift) bits, see joined() */
    const uint8_t *seams;     /* the same for two neighbouring bytes, see chunks.h; or NULL */
    uint32_t pieces;          /* codes pieces … pieces + 3: an unknown character of 1 … 4 bytes */
    int32_t longest;          /* bytes of the longest arc, at least 4 */
    int32_t arcs_per_start;
    int32_t character, unknown_id, fuse;
    int32_t escaped; /* among positions that are bytes, one from F5 on begins a character of four, which is one position */
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

/* One lattice in work; positions are relative to its first byte. */
typedef struct {
    int64_t past, window, here, reach; /* past <= window <= here <= reach */
    int64_t origin;                    /* what a position is counted from when a draw is keyed */
    int64_t arcs, previous_unknown, unencodable;
    int64_t cleared;        /* the workspace's cells are those of this mode */
    int64_t inside;         /* a chunk is in work that is too long to be drawn as one */
    int64_t carries;        /* the chunk in work is drawn as one */
    int64_t previous;       /* code point before `here` where `inside`; NO_CHARACTER at the chunk's start */
    double carried;         /* sums that do not start again at a cut: what came before it */
    int64_t shift;          /* powers of two that were taken out of the block's cells */
    int64_t total_exponent; /* log Z so far: log(total_mantissa) + total_exponent log 2 */
    double total_mantissa, score;
    uint64_t key0, key1;
} progress;

/* Room for one lattice in work. cells … choices: cell_capacity each, more than a few times `longest`; arcs and spare:
 * arc_capacity, at least longest * arcs_per_start + arcs_per_start; codes: at least 2 * (cell_capacity + 1). */
typedef struct {
    double *cells;
    int32_t *exponents;
    uint32_t *heads;
    uint64_t *choices; /* code << 32 | length */
    arc *arcs, *spare;
    uint32_t *codes; /* choices of positions past + 1 … window */
    struct chunk_cache *cache; /* or NULL; with cache_units units of arena */
    struct aho_window *window; /* or NULL */
    int64_t cell_capacity, arc_capacity, code_capacity, cache_units;
} workspace;

/* The draw of a position: SplitMix64 (Steele, Lea, Flood 2014; passes BigCrush as a counter) from a start that is the
 * record's own Philox4x64-10 word, under a second one. A draw waits for the one before it, so its latency is what sampling
 * costs: Philox again would take twice as long. As a number in [0, 1) it has 53 bits. `lane` tells the draws of one
 * position apart. */
static inline uint64_t draw_bits(const progress *p, int64_t position, uint64_t lane) {
    uint64_t x = p->key0 + (uint64_t)(p->origin + position) * 0x9E3779B97F4A7C15u + lane * 0xD1342543DE82EF95u;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return (x ^ x >> 31) ^ p->key1;
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

/* Which of `heads` stands for the character of up to 3 bytes; -1 where it is malformed. */
static inline int32_t head_index(const uint8_t *text, int length) {
    int32_t code;
    if (length == 1) return text[0] < 0x80 ? text[0] : -1;
    if ((text[1] & 0xC0) != 0x80) return -1;
    if (length == 2) {
        code = (text[0] & 31) << 6 | (text[1] & 63);
        return code >= 0x80 ? code : -1;
    }
    if ((text[2] & 0xC0) != 0x80) return -1;
    code = (text[0] & 15) << 12 | (text[1] & 63) << 6 | (text[2] & 63);
    return code >= 0x800 ? code : -1;
}

/* The unit behind the character of `length` bytes; 0 where no piece begins with it. */
static inline uint64_t head_unit(const lattice *l, const uint8_t *text, int length) {
    if (length == 4) return trie_find(l->units, text, 4);
    int32_t index = head_index(text, length);
    return index >= 0 ? l->heads[index] : 0;
}

/* The child's node, or one of no unit. */
static inline node node_step(const node *nodes, uint32_t base, uint8_t byte) {
    node n = nodes[base ^ byte];
    n.unit = TRIE_LABEL(n.unit) == byte + 1u ? n.unit : 0;
    return n;
}

static inline node head_node(const lattice *l, const uint8_t *text, int length) {
    node n = {0, 0.0};
    if (length == 4) {
        uint32_t base = TRIE_ROOT;
        for (int i = 0; i < 4; i++) {
            n = node_step(l->nodes, base, text[i]);
            if (!n.unit) return n;
            base = TRIE_BASE(n.unit);
        }
        return n;
    }
    int32_t index = head_index(text, length);
    return index >= 0 ? l->starts[index] : n;
}

/* Runs BODY for every arc that starts at `text`, shortest first, with its `length` and `code`; leaves the bytes to the
 * next start in `step`. */
#define EACH_ARC(l, text, left, step, ...)                                                         \
    do {                                                                                           \
        const uint8_t *text_ = (text);                                                             \
        int64_t left_ = (left);                                                                    \
        uint64_t unit_;                                                                            \
        int64_t at_;                                                                               \
        int known_ = 0;                                                                            \
        step = step_length((l), text_, left_);                                                     \
        if ((l)->character) {                                                                      \
            unit_ = head_unit((l), text_, (int)step);                                              \
            at_ = step;                                                                            \
        } else {                                                                                   \
            uint64_t one_ = trie_step((l)->units, TRIE_ROOT, text_[0]);                            \
            if (TRIE_VALUE(one_)) {                                                                \
                uint32_t length = 1, code = TRIE_VALUE(one_) - 1;                                  \
                known_ = step == 1;                                                                \
                __VA_ARGS__                                                                             \
            }                                                                                      \
            unit_ = left_ > 1 ? (l)->heads[(uint32_t)text_[0] << 8 | text_[1]] : 0;                \
            at_ = 2;                                                                               \
        }                                                                                          \
        while (unit_) {                                                                            \
            if (TRIE_VALUE(unit_)) {                                                               \
                uint32_t length = (uint32_t)at_, code = TRIE_VALUE(unit_) - 1;                     \
                known_ |= at_ == step;                                                             \
                __VA_ARGS__                                                                             \
            }                                                                                      \
            if (at_ >= left_) break;                                                               \
            unit_ = trie_step((l)->units, TRIE_BASE(unit_), text_[at_]);                           \
            at_++;                                                                                 \
        }                                                                                          \
        if (!known_) {                                                                             \
            uint32_t length = (uint32_t)step, code = (l)->pieces + (uint32_t)step - 1;             \
            __VA_ARGS__                                                                                 \
        }                                                                                          \
    } while (0)

/* The bytes of an arc by its code. */
static inline int64_t code_length(const lattice *l, uint32_t code) {
    return code < l->pieces ? l->lengths[code] : code - l->pieces + 1;
}

/* The arc into cell `index` that the position's draw selects. Arcs hang on a cell latest first, so the first whose
 * predecessors weigh no more than the draw is the one. A cell with one arc needs no draw. */
static inline const arc *pick(const workspace *w, const progress *p, int64_t index, const int wide) {
    const arc *a = w->arcs + w->heads[index];
    if (a->next == NONE) return a;
    double point = draw(p, p->window + index, 0) * w->cells[index];
    if (wide) {
        int32_t exponent = w->exponents[index];
        while (a->next != NONE && scaled(point, (int64_t)exponent - a->exponent) < a->before) a = w->arcs + a->next;
    } else {
        while (point < a->before) a = w->arcs + a->next;
    }
    return a;
}

/* A chunk that is drawn as one: a number in [0, 1) selects its whole path, since every arc on the way back takes its
 * share of the interval that was left (arithmetic decoding). Where less than NARROW is left, the position reached has
 * a number of its own. So a bound is off by 2^-53 where the interval is at least NARROW: by 2^-43 of a share. */
#define NARROW 0x1p-10
typedef struct {
    double point, low, high;
} interval;

static inline void draw_interval(const progress *p, int64_t position, interval *i) {
    i->point = draw(p, position, 0);
    i->low = 0.0;
    i->high = 1.0;
}

/* Where the interval of an arc begins; `share`: of the cell's weight, what came earlier. */
static inline double share_from(const interval *i, double share) {
    double from = i->low + share * (i->high - i->low);
    return from < i->high ? from : i->high;
}

/* As pick, within the interval, which becomes the arc's. */
static inline const arc *pick_share(const workspace *w, interval *i, int64_t index, const int wide) {
    const arc *a = w->arcs + w->heads[index];
    if (a->next == NONE) return a;
    double inverse = 1.0 / w->cells[index], high = i->high, low = i->low;
    for (; a->next != NONE; a = w->arcs + a->next) {
        double share = a->before * inverse;
        double from = share_from(i, wide ? scaled(share, (int64_t)a->exponent - w->exponents[index]) : share);
        if (!(i->point < from)) {
            low = from;
            break;
        }
        high = from;
    }
    i->low = low;
    i->high = high;
    return a;
}

/* Writes the tokens of path codes[0 … count) to `out`, which may overlap it from below; returns how many. */
static inline int64_t write_tokens(const lattice *l, progress *p, const uint8_t *text, const uint32_t *codes,
                                   int64_t count, int32_t *out) {
    int64_t written = 0;
    for (int64_t i = 0; i < count; i++) {
        uint32_t code = codes[i];
        if (l->score_wanted) p->score += l->scores[code];
        if (code < l->pieces) {
            out[written++] = (int32_t)code;
            p->previous_unknown = 0;
            text += l->byte_ids ? l->lengths[code] : 0;
            continue;
        }
        int length = (int)(code - l->pieces) + 1;
        if (l->byte_ids) {
            uint8_t bytes[4];
            memcpy(bytes, text, (size_t)length);
            for (int j = 0; j < length; j++) out[written++] = l->byte_ids[bytes[j]];
            text += length;
        } else if (!(l->fuse && p->previous_unknown)) {
            out[written++] = l->unknown_id;
            if (l->unknown_id < 0) p->unencodable = 1;
        }
        p->previous_unknown = 1;
    }
    return written;
}

/* Follows the path that ends at `end` back to the block's start and writes its tokens; `text` stands at position 0. */
static inline int64_t flush(const lattice *l, workspace *w, progress *p, const uint8_t *text, int64_t end, int32_t *out,
                            const int mode) {
    const int sampling = mode == SAMPLE || mode == SAMPLE_WIDE;
    /* Codes fill the room of the block's bytes from its end: at least a byte a token, so writing from the front
     * never overtakes reading. */
    uint32_t *top = (uint32_t *)out + (end - p->past), *codes = top;
    int64_t position = end;
    interval whole = {0.0, 0.0, 1.0};
    if (sampling && p->carries) draw_interval(p, end, &whole);
    while (position > p->window) {
        if (sampling && p->carries) {
            if (whole.high - whole.low < NARROW) draw_interval(p, position, &whole);
            const arc *a = pick_share(w, &whole, position - p->window, mode == SAMPLE_WIDE);
            *--codes = a->code;
            position -= a->length;
        } else if (sampling) {
            const arc *a = pick(w, p, position - p->window, mode == SAMPLE_WIDE);
            *--codes = a->code;
            position -= a->length;
        } else {
            uint64_t choice = w->choices[position - p->window];
            *--codes = (uint32_t)(choice >> 32);
            position -= (uint32_t)choice;
        }
    }
    while (position > p->past) {
        uint32_t code = w->codes[position - p->past] & ~MARK;
        *--codes = code;
        position -= code_length(l, code);
    }
    return write_tokens(l, p, text + p->past, codes, top - codes, out);
}

/* Starts a block at position `at`, in cells that are clear. */
static inline void begin_block(workspace *w, progress *p, int64_t at, const int mode) {
    p->past = p->window = p->here = p->reach = at;
    p->arcs = p->shift = 0;
    double value = mode < SAMPLE ? p->carried : mode == SAMPLE ? CELL_START : 0.5;
    set_cell(w->cells, 0, value, mode);
    if (mode >= SAMPLE_WIDE) w->exponents[0] = 1;
}

/* Takes a block's weight, value * 2^by, into log Z. */
static inline void add_block(progress *p, double value, int64_t by) {
    int exponent, more;
    double mantissa = frexp(value, &exponent);
    p->total_mantissa = frexp(p->total_mantissa * mantissa, &more);
    p->total_exponent += by + exponent + more;
}

/* Carries over what goes beyond a block when all of it is known: the best sum, or log Z. */
static inline void end_block(const lattice *l, const workspace *w, progress *p, const int mode) {
    if (mode == VITERBI_F32 || (mode == VITERBI && l->carry)) p->carried = get_cell(w->cells, p->here - p->window, mode);
    if (!l->score_wanted || (mode != SAMPLE && mode != SAMPLE_WIDE)) return;
    add_block(p, w->cells[p->here - p->window], (mode == SAMPLE_WIDE ? w->exponents[p->here - p->window] : -640) + p->shift);
}

/* Divides every cell that is not settled by 2^by, and the parts of sums that hang on it: exact. */
static inline void rescale(workspace *w, progress *p, int by, const int mode) {
    for (int64_t i = p->here - p->window; i <= p->reach - p->window; i++) {
        if (mode == SAMPLE) w->cells[i] = ldexp(w->cells[i], -by);
        else w->exponents[i] -= w->exponents[i] == INT32_MIN ? 0 : by;
        if (mode == ARRIVAL) continue;
        for (uint32_t a = w->heads[i]; a != NONE; a = w->arcs[a].next) {
            if (mode == SAMPLE) w->arcs[a].before = ldexp(w->arcs[a].before, -by);
            else w->arcs[a].exponent -= by;
        }
    }
    p->shift += by;
}

/* Finds the position through which every path that can still win passes, by following all of them back together;
 * all choices up to `here` are in `codes`, and the starts that later cells hang on are marked there. */
static inline int64_t meeting(const lattice *l, workspace *w, const progress *p, int64_t marked) {
    int64_t position = p->here;
    while (marked > 1) {
        uint32_t *code = w->codes + (position - p->past);
        if (*code & MARK) {
            *code &= ~MARK;
            uint32_t *parent = code - code_length(l, *code);
            if (*parent & MARK) marked--;
            else *parent |= MARK;
        }
        position--;
    }
    while (!(w->codes[position - p->past] & MARK)) position--;
    w->codes[position - p->past] &= ~MARK;
    return position;
}

/* Settles the choices of the whole window, moves them into `codes`, and starts the window again at `here`. */
static inline void clear_cells(workspace *w, int64_t first, int64_t last, const int mode);

static inline void settle(workspace *w, progress *p, const int mode) {
    const int sampling = mode == SAMPLE || mode == SAMPLE_WIDE;
    int64_t here = p->here - p->window, pending = p->reach - p->here, used = 0;
    for (int64_t i = 1; i <= here; i++) {
        uint32_t code = 0;
        if (sampling) code = w->heads[i] == NONE ? 0 : pick(w, p, i, mode == SAMPLE_WIDE)->code;
        else code = (uint32_t)(w->choices[i] >> 32);
        w->codes[p->window + i - p->past] = code;
    }
    for (int64_t i = 0; i <= pending; i++) {
        set_cell(w->cells, i, get_cell(w->cells, here + i, mode), mode);
        if (mode >= SAMPLE_WIDE) w->exponents[i] = w->exponents[here + i];
        if (!sampling) {
            w->choices[i] = w->choices[here + i];
            continue;
        }
        uint32_t from = w->heads[here + i];
        w->heads[i] = NONE;
        if (i == 0 || from == NONE) continue;
        w->heads[i] = (uint32_t)used;
        for (; from != NONE; from = w->arcs[from].next, used++) {
            w->spare[used] = w->arcs[from];
            w->spare[used].next = w->arcs[from].next == NONE ? NONE : (uint32_t)(used + 1);
        }
    }
    if (sampling) memcpy(w->arcs, w->spare, (size_t)used * sizeof(arc));
    clear_cells(w, pending + 1, here + pending, mode);
    p->arcs = used;
    p->window = p->here;
}

/* Makes room: settles the window and, where `codes` runs full, emits what all surviving paths share.
 * Returns the tokens written, or RUN_GROW where the paths do not meet and `codes` has to be larger. */
static inline int64_t make_room(const lattice *l, workspace *w, progress *p, const uint8_t *text, int32_t *out,
                                const int mode) {
    const int sampling = mode == SAMPLE || mode == SAMPLE_WIDE;
    if (p->here - p->past + 1 > w->code_capacity) return RUN_GROW;
    if (p->window < p->here) settle(w, p, mode);
    if (p->here - p->past + w->cell_capacity + 1 <= w->code_capacity) return 0;
    int64_t marked = 1;
    w->codes[0] = 0;
    w->codes[p->here - p->past] |= MARK;
    for (int64_t i = 1; i <= p->reach - p->here; i++) {
        uint32_t a = sampling ? w->heads[i] : 0;
        if (!sampling && w->choices[i] == 0) continue;
        while (a != NONE) {
            int64_t start = i - (sampling ? w->arcs[a].length : (uint32_t)w->choices[i]);
            uint32_t *code = w->codes + (p->here + start - p->past);
            if (!(*code & MARK)) *code |= MARK, marked++;
            a = sampling ? w->arcs[a].next : NONE;
        }
    }
    int64_t meet = meeting(l, w, p, marked), kept = p->here - meet, window = p->window;
    if (meet - p->past < w->code_capacity / 2) return RUN_GROW;
    p->window = meet; /* flush finds the whole path in `codes` */
    int64_t written = flush(l, w, p, text, meet, out, mode);
    memmove(w->codes, w->codes + (meet - p->past), (size_t)(kept + 1) * sizeof(uint32_t));
    p->past = meet;
    p->window = window;
    return written;
}

/* What the inner loop touches, in registers: the compiler has to assume that a store changes anything it reads through
 * a pointer it does not know. Indexes are relative to the window. */
typedef struct {
    double *cells;
    int32_t *exponents;
    uint32_t *heads;
    uint64_t *choices;
    arc *arcs;
    int64_t here, reach, used;
} hot;

/* Takes one step of a walk into account: piece `there` - 1 of weight or score `value` ends `length` bytes on, or with 0
 * none does. Without a branch, because nobody can predict which: the value of none changes nothing. */
static inline __attribute__((always_inline)) void add_step(hot *h, double from, uint32_t length, uint32_t there, double value,
                                                           const int mode) {
    int64_t index = h->here + length, code = (int64_t)there - 1;
    h->reach = there && index > h->reach ? index : h->reach;
    double before = mode == VITERBI_F32 ? 0.0 : h->cells[index];
    if (mode == SAMPLE) {
        arc *a = h->arcs + h->used;
        uint32_t head = h->heads[index];
        a->before = before;
        a->code = (uint32_t)code;
        a->length = length;
        a->next = head;
        h->heads[index] = there ? (uint32_t)h->used : head;
        h->used += there != 0;
        h->cells[index] = before + from * value;
    } else {
        uint64_t choice = h->choices[index];
        int better;
        if (mode == VITERBI_F32) {
            float *cell = (float *)h->cells + index, score = (float)from + (float)value;
            better = score > *cell;
            *cell = better ? score : *cell;
        } else {
            double score = from + value;
            better = score > before;
            h->cells[index] = better ? score : before;
        }
        h->choices[index] = better ? (uint64_t)code << 32 | length : choice;
    }
}

/* Adds an arc where weights have exponents of their own, or where paths compete as they arrive. */
static inline __attribute__((always_inline)) void add_wide(const lattice *l, hot *h, const progress *p, double from,
                                                           int32_t from_exponent, uint32_t length, uint32_t code,
                                                           const int mode) {
    int64_t index = h->here + length;
    double weight = from * l->weights[code], before = h->cells[index];
    int32_t exponent = from_exponent + l->exponents[code];
    if (index > h->reach) h->reach = index;
    if (before == 0.0) {
        h->exponents[index] = exponent;
    } else if (exponent > h->exponents[index]) {
        before = scaled(before, (int64_t)h->exponents[index] - exponent);
        h->exponents[index] = exponent;
    } else {
        weight = scaled(weight, (int64_t)exponent - h->exponents[index]);
        exponent = h->exponents[index];
    }
    if (mode == ARRIVAL) {
        int taken = h->choices[index] == 0 || draw(p, p->here + length, length) * (before + weight) < weight;
        h->choices[index] = taken ? (uint64_t)code << 32 | length : h->choices[index];
        h->cells[index] = taken ? weight : before;
        return;
    }
    arc *a = h->arcs + h->used;
    a->before = before;
    a->exponent = exponent;
    a->code = code;
    a->length = length;
    a->next = h->heads[index];
    h->heads[index] = (uint32_t)h->used++;
    h->cells[index] = before + weight;
}

/* Adds all arcs that start at `text`; returns the bytes to the next start. */
static inline __attribute__((always_inline)) int64_t expand(const lattice *l, hot *h, const progress *p, double from,
                                                            int32_t exponent, const uint8_t *text, int64_t left,
                                                            const int mode) {
    int64_t step;
    if (mode >= SAMPLE_WIDE) {
        EACH_ARC(l, text, left, step, { add_wide(l, h, p, from, exponent, length, code, mode); });
        return step;
    }
    node n = {0, 0.0};
    uint32_t at, known = 0;
    step = step_length(l, text, left);
    if (l->character) {
        n = head_node(l, text, (int)step);
        at = (uint32_t)step;
        known = TRIE_VALUE(n.unit);
    } else {
        node one = node_step(l->nodes, TRIE_ROOT, text[0]);
        if (TRIE_VALUE(one.unit)) add_step(h, from, 1, TRIE_VALUE(one.unit), one.value, mode);
        known = step == 1 ? TRIE_VALUE(one.unit) : 0;
        if (left > 1) n = l->starts[(uint32_t)text[0] << 8 | text[1]];
        at = 2;
    }
    while (n.unit) {
        add_step(h, from, at, TRIE_VALUE(n.unit), n.value, mode);
        if (at == step) known = TRIE_VALUE(n.unit);
        if (at >= left) break;
        uint8_t byte = text[at++];
        n = node_step(l->nodes, TRIE_BASE(n.unit), byte);
        if (byte >= 0xC0 && l->character) {
            /* Inside a character no piece ends. */
            uint32_t end = at + (byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : 3);
            if (end > left) break;
            while (n.unit && at < end) n = node_step(l->nodes, TRIE_BASE(n.unit), text[at++]);
        }
    }
    if (!known) {
        uint32_t code = l->pieces + (uint32_t)step - 1;
        add_step(h, from, (uint32_t)step, code + 1, mode == SAMPLE ? l->weights[code] : l->scores[code], mode);
    }
    return step;
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

/* Settles the value of the cell at `here`, from which arcs are about to start. */
static inline double close_cell(workspace *w, progress *p, const int mode) {
    int64_t index = p->here - p->window;
    double value = get_cell(w->cells, index, mode);
    if (mode == VITERBI_F32 && (value > F32_RESET || value < -F32_RESET)) {
        float *cells = (float *)w->cells;
        for (int64_t i = index; i <= p->reach - p->window; i++) cells[i] = cells[i] - (float)value;
        return 0.0;
    }
    if (mode == SAMPLE && (value < CELL_LOW || value > CELL_HIGH)) {
        /* By the largest of the cells that are not settled: one may be that far above this one. */
        int exponent;
        for (int64_t i = index; i <= p->reach - p->window; i++) value = w->cells[i] > value ? w->cells[i] : value;
        frexp(value, &exponent);
        rescale(w, p, exponent - 641, mode);
        return w->cells[index];
    }
    if (mode >= SAMPLE_WIDE) {
        int exponent;
        if (value < 0.5 || value >= 1.0) {
            /* Only this cell's own pair changes: its arcs carry exponents of their own. */
            w->cells[index] = value = frexp(value, &exponent);
            w->exponents[index] += exponent;
        }
        if (w->exponents[index] > 1 << 29 || w->exponents[index] < -(1 << 29)) rescale(w, p, w->exponents[index], mode);
    }
    return value;
}

#endif

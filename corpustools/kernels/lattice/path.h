/* From cells to tokens: the path that is best or drawn, segments that begin and end, and frontiers that get too
 * long. */
#ifndef CORPUS_PATH_H
#define CORPUS_PATH_H
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "lattice.h"
#include "walk.h"

/* The arc into cell `index` that the position's draw selects. Arcs hang on a cell latest first, so the first whose
 * predecessors weigh no more than the draw is the one. A cell with one arc needs no draw. */
static inline const arc *pick(const workspace *w, const progress *p, int64_t index, const int wide) {
    const arc *a = w->arcs + w->heads[index];
    if (a->next == NONE) return a;
    double point = draw(p, p->frontier + index, 0) * w->cells[index];
    if (wide) {
        int32_t exponent = w->exponents[index];
        while (a->next != NONE && scaled(point, (int64_t)exponent - a->exponent) < a->before) a = w->arcs + a->next;
    } else {
        while (point < a->before) a = w->arcs + a->next;
    }
    return a;
}

/* A span that is drawn as one: a number in [0, 1) selects its whole path, since every arc on the way back takes its
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

/* Follows the path that ends at `end` back to the segment's start and writes its tokens; `text` stands at position
 * 0. */
static inline int64_t flush(const lattice *l, workspace *w, progress *p, const uint8_t *text, int64_t end, int32_t *out,
                            const int mode) {
    const int sampling = mode == SAMPLE || mode == SAMPLE_WIDE;
    /* Codes fill the room of the segment's bytes from its end: at least a byte a token, so writing from the front
     * never overtakes reading. */
    uint32_t *top = (uint32_t *)out + (end - p->past), *codes = top;
    int64_t position = end;
    interval whole = {0.0, 0.0, 1.0};
    if (sampling && p->one_draw) draw_interval(p, end, &whole);
    while (position > p->frontier) {
        if (sampling && p->one_draw) {
            if (whole.high - whole.low < NARROW) draw_interval(p, position, &whole);
            const arc *a = pick_share(w, &whole, position - p->frontier, mode == SAMPLE_WIDE);
            *--codes = a->code;
            position -= a->length;
        } else if (sampling) {
            const arc *a = pick(w, p, position - p->frontier, mode == SAMPLE_WIDE);
            *--codes = a->code;
            position -= a->length;
        } else {
            uint64_t choice = w->choices[position - p->frontier];
            *--codes = (uint32_t)(choice >> 32);
            position -= (uint32_t)choice;
        }
    }
    while (position > p->past) {
        uint32_t code = w->codes[position - p->past] & ~ON_A_PATH;
        *--codes = code;
        position -= code_length(l, code);
    }
    return write_tokens(l, p, text + p->past, codes, top - codes, out);
}

/* Starts a segment at position `at`, in cells that are clear. */
static inline void begin_segment(workspace *w, progress *p, int64_t at, const int mode) {
    p->past = p->frontier = p->here = p->reach = at;
    p->arcs = p->shift = 0;
    double value = mode < SAMPLE ? p->carried : mode == SAMPLE ? CELL_START : 0.5;
    set_cell(w->cells, 0, value, mode);
    if (mode >= SAMPLE_WIDE) w->exponents[0] = 1;
}

/* Takes a segment's weight, value * 2^by, into log Z. */
static inline void add_segment(progress *p, double value, int64_t by) {
    int exponent, more;
    double mantissa = frexp(value, &exponent);
    p->total_mantissa = frexp(p->total_mantissa * mantissa, &more);
    p->total_exponent += by + exponent + more;
}

/* Carries over what goes beyond a segment when all of it is known: the best sum, or log Z. */
static inline void end_segment(const lattice *l, const workspace *w, progress *p, const int mode) {
    if (mode == VITERBI_F32 || (mode == VITERBI && l->carry))
        p->carried = get_cell(w->cells, p->here - p->frontier, mode);
    if (!l->score_wanted || (mode != SAMPLE && mode != SAMPLE_WIDE)) return;
    add_segment(p, w->cells[p->here - p->frontier],
                (mode == SAMPLE_WIDE ? w->exponents[p->here - p->frontier] : -640) + p->shift);
}

/* Divides every cell that is not settled by 2^by, and the parts of sums that hang on it: exact. */
static inline void rescale(workspace *w, progress *p, int by, const int mode) {
    for (int64_t i = p->here - p->frontier; i <= p->reach - p->frontier; i++) {
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
        if (*code & ON_A_PATH) {
            *code &= ~ON_A_PATH;
            uint32_t *parent = code - code_length(l, *code);
            if (*parent & ON_A_PATH) marked--;
            else *parent |= ON_A_PATH;
        }
        position--;
    }
    while (!(w->codes[position - p->past] & ON_A_PATH)) position--;
    w->codes[position - p->past] &= ~ON_A_PATH;
    return position;
}

/* Settles the choices of all cells up to `here`, moves them into `codes`, and starts the frontier again at `here`. */
static inline void settle(workspace *w, progress *p, const int mode) {
    const int sampling = mode == SAMPLE || mode == SAMPLE_WIDE;
    int64_t here = p->here - p->frontier, pending = p->reach - p->here, used = 0;
    for (int64_t i = 1; i <= here; i++) {
        uint32_t code = 0;
        if (sampling) code = w->heads[i] == NONE ? 0 : pick(w, p, i, mode == SAMPLE_WIDE)->code;
        else code = (uint32_t)(w->choices[i] >> 32);
        w->codes[p->frontier + i - p->past] = code;
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
    p->frontier = p->here;
}

/* Makes room: settles the frontier and, where `codes` runs full, emits what all surviving paths share.
 * Returns the tokens written, or RUN_GROW where the paths do not meet and `codes` has to be larger. */
static inline int64_t make_room(const lattice *l, workspace *w, progress *p, const uint8_t *text, int32_t *out,
                                const int mode) {
    const int sampling = mode == SAMPLE || mode == SAMPLE_WIDE;
    if (p->here - p->past + 1 > w->code_capacity) return RUN_GROW;
    if (p->frontier < p->here) settle(w, p, mode);
    if (p->here - p->past + w->cell_capacity + 1 <= w->code_capacity) return 0;
    int64_t marked = 1;
    w->codes[0] = 0;
    w->codes[p->here - p->past] |= ON_A_PATH;
    for (int64_t i = 1; i <= p->reach - p->here; i++) {
        uint32_t a = sampling ? w->heads[i] : 0;
        if (!sampling && w->choices[i] == 0) continue;
        while (a != NONE) {
            int64_t start = i - (sampling ? w->arcs[a].length : (uint32_t)w->choices[i]);
            uint32_t *code = w->codes + (p->here + start - p->past);
            if (!(*code & ON_A_PATH)) *code |= ON_A_PATH, marked++;
            a = sampling ? w->arcs[a].next : NONE;
        }
    }
    int64_t meet = meeting(l, w, p, marked), kept = p->here - meet, frontier = p->frontier;
    if (meet - p->past < w->code_capacity / 2) return RUN_GROW;
    p->frontier = meet; /* flush finds the whole path in `codes` */
    int64_t written = flush(l, w, p, text, meet, out, mode);
    memmove(w->codes, w->codes + (meet - p->past), (size_t)(kept + 1) * sizeof(uint32_t));
    p->past = meet;
    p->frontier = frontier;
    return written;
}

/* Settles the value of the cell at `here`, from which arcs are about to start. */
static inline double close_cell(workspace *w, progress *p, const int mode) {
    int64_t index = p->here - p->frontier;
    double value = get_cell(w->cells, index, mode);
    if (mode == VITERBI_F32 && (value > F32_RESET || value < -F32_RESET)) {
        float *cells = (float *)w->cells;
        for (int64_t i = index; i <= p->reach - p->frontier; i++) cells[i] = cells[i] - (float)value;
        return 0.0;
    }
    if (mode == SAMPLE && (value < CELL_LOW || value > CELL_HIGH)) {
        /* By the largest of the cells that are not settled: one may be that far above this one. */
        int exponent;
        for (int64_t i = index; i <= p->reach - p->frontier; i++) value = w->cells[i] > value ? w->cells[i] : value;
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

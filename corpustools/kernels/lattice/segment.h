/* Whole records through the lattice: hard cuts, draws keyed by record, many records in one call, and text in parts. */
#ifndef CORPUS_SEGMENT_H
#define CORPUS_SEGMENT_H
#include "take.h"
#include "windows.h"

/* Carries one lattice on: of characters, from chunk to chunk. Su's first sampling draws as arcs arrive, and needs none. */
static inline int64_t run(const lattice *l, workspace *w, progress *p, const uint8_t *text, int64_t limit, int final,
                          int32_t *out, int64_t *written, const int mode) {
    if (l->automaton && w->window && (mode == VITERBI || mode == SAMPLE))
        return run_windows(l, w, p, text, limit, final, out, written, mode);
    if (!l->character || mode == ARRIVAL) return blocks(l, w, p, text, limit, final, 0, out, written, mode);
    *written = 0;
    for (;;) {
        int64_t some, state;
        if (!p->inside) {
            int stopped;
            *written += take_chunks(l, w, p, text, limit, final, out + *written, &stopped, mode);
            if (stopped != CHUNKS_LONG) return RUN_MORE;
            p->inside = 1;
            p->previous = NO_CHARACTER;
        }
        state = blocks(l, w, p, text, limit, final, 1, out + *written, &some, mode);
        *written += some;
        if (state != RUN_MORE || p->here == limit || p->here != p->past ||
            joined(l, p->previous, text + p->here, limit - p->here) || (!final && limit - p->here < l->longest))
            return state;
        p->inside = 0;
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

/* Where a record's text is cut before any lattice is made. */
enum { CUT_NONE = 0, CUT_NEWLINE_RUNS = 1, CUT_MARKS = 2 };
#define CUT_MARK 0xFF

/* A record as it begins: sample `sample` of record `record` under the seed's key. */
static inline void begin_record(progress *p, uint64_t record, uint64_t sample, uint64_t k0, uint64_t k1) {
    uint64_t words[4];
    memset(p, 0, sizeof *p);
    philox4x64(record, sample, k0, k1, words);
    p->key0 = words[0];
    p->key1 = words[1];
    p->total_mantissa = 1.0;
}

/* The end of the lattice that starts at `origin`, looked for from `from` on, or -1 where `text` ends before it. */
static inline int64_t next_cut(const uint8_t *text, int64_t origin, int64_t from, int64_t limit, int cuts) {
    if (cuts == CUT_MARKS) {
        const uint8_t *mark = from < limit ? memchr(text + from, CUT_MARK, (size_t)(limit - from)) : NULL;
        return mark ? mark - text : -1;
    }
    if (from == origin) from++;
    while (cuts == CUT_NEWLINE_RUNS && from < limit) {
        const uint8_t *newline = memchr(text + from - 1, '\n', (size_t)(limit - from));
        if (!newline) return -1;
        if (newline[1] != '\n') return newline + 1 - text;
        from = newline + 2 - text;
    }
    return -1;
}

/* Carries a record on to `limit`. text[0] is the record's byte `base`, which lies at or before origin + past; `final`:
 * the record ends there. Returns RUN_MORE or RUN_GROW. */
static inline int64_t advance(const lattice *l, workspace *w, progress *p, const uint8_t *text, int64_t base,
                              int64_t limit, int final, int cuts, int mode, int32_t *out, int64_t *written) {
    *written = 0;
    if (!p->cleared) clear_cells(w, 0, w->cell_capacity - 1, mode);
    p->cleared = 1;
    for (;;) {
        int64_t some, origin = p->origin - base;
        int64_t cut = cuts ? next_cut(text, origin, origin + p->here, limit - base, cuts) : -1;
        int64_t end = cut >= 0 ? cut : limit - base;
        int64_t state = run_mode(l, w, p, text + origin, end - origin, final || cut >= 0, out + *written, &some, mode);
        *written += some;
        if (state != RUN_MORE || cut < 0) return state;
        p->origin = base + cut + (cuts == CUT_MARKS);
        p->past = p->window = p->here = p->reach = p->inside = 0;
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
                                    uint64_t first_record, uint64_t first_sample, int64_t samples, int32_t bos, int32_t eos,
                                    int32_t *out, int64_t *ends, double *measures) {
    int64_t used = first ? ends[first * samples - 1] : 0;
    for (int64_t i = first; i < count; i++) {
        for (int64_t k = 0; k < samples; k++) {
            progress p;
            int64_t written, at = used;
            begin_record(&p, first_record + (uint64_t)i, first_sample + (uint64_t)k, seed[0], seed[1]);
            p.cleared = i > first || k > 0; /* every whole record leaves the cells as it found them */
            if (bos >= 0) out[at++] = bos;
            if (advance(l, w, &p, text + offsets[i], 0, offsets[i + 1] - offsets[i], 1, cuts, mode, out + at, &written) !=
                RUN_MORE)
                return i;
            if (p.unencodable) return -1 - i;
            at += written;
            if (eos >= 0) out[at++] = eos;
            ends[i * samples + k] = used = at;
            if (measures) {
                measures[2 * (i * samples + k)] = p.score;
                measures[2 * (i * samples + k) + 1] = log(p.total_mantissa) + 0x1.62e42fefa39efp-1 * (double)p.total_exponent;
            }
        }
    }
    return count;
}

/* Sums over all paths that end in one cell, for the law of the sample: weight, and the weighted means of log weight and
 * number of tokens, times the weight. */
typedef struct {
    double weight, surprise, length;
    int64_t exponent;
} moment;

typedef struct {
    int64_t origin, here, reach;
    double log_z, entropy, length;
} moments;

static inline void add_moment(moment *to, const moment *from, double weight, int32_t exponent, double log_weight) {
    double product = from->weight * weight;
    int64_t scale = from->exponent + exponent;
    if (to->weight == 0.0) to->exponent = scale;
    if (scale > to->exponent) {
        int64_t by = to->exponent - scale;
        to->weight = scaled(to->weight, by), to->surprise = scaled(to->surprise, by), to->length = scaled(to->length, by);
        to->exponent = scale;
    } else {
        product = scaled(product, scale - to->exponent);
    }
    to->weight += product;
    to->surprise += product * (from->surprise + log_weight);
    to->length += product * (from->length + 1.0);
}

static inline void close_moment(moment *m) {
    int exponent;
    if (m->weight == 0.0) return;
    m->surprise /= m->weight;
    m->length /= m->weight;
    m->weight = frexp(m->weight, &exponent);
    m->exponent += exponent;
}

static inline void take_block(moments *p, const moment *m) {
    double log_z = log(m->weight) + 0x1.62e42fefa39efp-1 * (double)m->exponent;
    p->log_z += log_z;
    p->entropy += log_z - m->surprise;
    p->length += m->length;
}

/* log Z, entropy and expected length of a record, carried on to `limit`; ring: mask + 1 cells, more than `longest`.
 * log_weights: natural logarithms of the weights, by code. */
static inline void measure(const lattice *l, const double *log_weights, moments *p, moment *ring, int64_t mask,
                           const uint8_t *text, int64_t base, int64_t limit, int final, int cuts) {
    for (;;) {
        int64_t origin = p->origin - base;
        int64_t cut = cuts ? next_cut(text, origin, origin + p->here, limit - base, cuts) : -1;
        int64_t end = (cut >= 0 ? cut : limit - base) - origin;
        int whole = final || cut >= 0;
        while (p->here < end && (whole || end - p->here >= l->longest)) {
            moment *from = ring + (p->here & mask);
            int64_t step;
            if (p->here) close_moment(from);
            if (p->here == p->reach) {
                if (p->here) take_block(p, from);
                *from = (moment){0.5, 0.0, 0.0, 1};
            }
            EACH_ARC(l, text + origin + p->here, end - p->here, step, {
                while (p->reach < p->here + length) ring[++p->reach & mask] = (moment){0.0, 0.0, 0.0, 0};
                add_moment(ring + ((p->here + length) & mask), from, l->weights[code], l->exponents[code], log_weights[code]);
            });
            p->here += step;
        }
        if (whole && p->here) {
            close_moment(ring + (p->here & mask));
            take_block(p, ring + (p->here & mask));
        }
        if (cut < 0) return;
        p->origin = base + cut + (cuts == CUT_MARKS);
        p->here = p->reach = 0;
    }
}

/* All arcs of one lattice, by start and then by length: three numbers an arc, start, length, code. Returns how many
 * there are, though no more than `capacity` are written. */
static inline int64_t list_arcs(const lattice *l, const uint8_t *text, int64_t size, int64_t *out, int64_t capacity) {
    int64_t count = 0, here = 0;
    while (here < size) {
        int64_t step;
        EACH_ARC(l, text + here, size - here, step, {
            if (count < capacity) out[3 * count] = here, out[3 * count + 1] = length, out[3 * count + 2] = code;
            count++;
        });
        here += step;
    }
    return count;
}

/* Writes an id and returns where the next byte goes. */
static inline uint8_t *write_decimal(uint8_t *out, uint32_t value) {
    uint8_t digits[10];
    int count = 0;
    do digits[count++] = (uint8_t)('0' + value % 10);
    while (value /= 10);
    while (count) *out++ = digits[--count];
    return out;
}

/* Lines of ids: `glue` between two of them, a newline behind each line. Needs 11 bytes an id and 1 a line. The digits
 * of 0 … 999 come from a table of 4 bytes each, so that an id of six digits is two steps. */
static inline int64_t format_lines(const int32_t *ids, const int64_t *ends, int64_t first, int64_t lines,
                                   const uint8_t *table, uint8_t *out) {
    uint8_t *to = out;
    int64_t at = first;
    for (int64_t i = 0; i < lines; i++) {
        for (; at < ends[i]; at++) {
            uint32_t id = (uint32_t)ids[at], high = id / 1000, low = id % 1000;
            if (high >= 1000) {
                to = write_decimal(to, id);
            } else if (high) {
                int short_by = (high < 10) + (high < 100);
                memcpy(to, table + 4 * high + short_by, 4);
                to += 3 - short_by;
                memcpy(to, table + 4 * low, 4);
                to += 3;
            } else {
                int short_by = (low < 10) + (low < 100);
                memcpy(to, table + 4 * low + short_by, 4);
                to += 3 - short_by;
            }
            *to++ = ' ';
        }
        if (to > out && to[-1] == ' ') to--;
        *to++ = '\n';
    }
    return to - out;
}
#endif

/* What is known of the distribution that samples are drawn from: log Z, entropy and expected number of tokens. */
#ifndef CORPUS_MOMENTS_H
#define CORPUS_MOMENTS_H
#include <math.h>
#include <stdint.h>

#include "hard_cuts.h"
#include "lattice.h"
#include "walk.h"

/* Sums over all paths that end in one cell: weight, and the weighted means of log weight and number of tokens, times
 * the weight. */
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
        to->weight = scaled(to->weight, by), to->surprise = scaled(to->surprise, by),
        to->length = scaled(to->length, by);
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

static inline void end_moment(moments *p, const moment *m) {
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
        int64_t cut = cuts ? next_hard_cut(text, origin, origin + p->here, limit - base, cuts) : -1;
        int64_t end = (cut >= 0 ? cut : limit - base) - origin;
        int whole = final || cut >= 0;
        while (p->here < end && (whole || end - p->here >= l->longest)) {
            moment *from = ring + (p->here & mask);
            int64_t step;
            if (p->here) close_moment(from);
            if (p->here == p->reach) {
                if (p->here) end_moment(p, from);
                *from = (moment){0.5, 0.0, 0.0, 1};
            }
            EACH_ARC(l, text + origin + p->here, end - p->here, step, {
                while (p->reach < p->here + length) ring[++p->reach & mask] = (moment){0.0, 0.0, 0.0, 0};
                add_moment(ring + ((p->here + length) & mask), from, l->weights[code], l->exponents[code],
                           log_weights[code]);
            });
            p->here += step;
        }
        if (whole && p->here) {
            close_moment(ring + (p->here & mask));
            end_moment(p, ring + (p->here & mask));
        }
        if (cut < 0) return;
        p->origin = base + cut + (cuts == CUT_MARKS);
        p->here = p->reach = 0;
    }
}
#endif

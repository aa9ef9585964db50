/* The sum of all scores of a text so far, rounded as the model's library rounds it. It decides between paths that are
 * equally good or nearly so. Other spans have the same best path whatever came before them; so tokens are written
 * first, and their scores are added when a span's path depends on the sum.
 *
 * A path of n additions is off by at most n half-units of its largest sum. So the path that is best by `margin` stays
 * the best one where margin > n units of the largest sum, and then no tie is left to break. The bound on sums that a
 * span has this for is its `limit`.
 */
#ifndef CORPUS_RUNNING_SUM_H
#define CORPUS_RUNNING_SUM_H
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "lattice.h"

typedef struct {
    const int32_t *next; /* the first token that progress.carried does not hold */
    double bound;        /* of |sum|, from progress.carried to behind the last token */
} running_sum;

/* Whether the sum runs on over cuts. */
static inline int has_running_sum(const lattice *l, const int mode) {
    return mode == VITERBI_F32 || (mode == VITERBI && l->carry);
}

static inline double power_of_two(int exponent) {
    uint64_t bits = (uint64_t)(1023 + exponent) << 52;
    double value;
    memcpy(&value, &bits, 8);
    return value;
}

/* The limit of a span whose best path has the margin. Twice the units: the margin is rounded as well. Below
 * F32_RESET by 1, because sums that pass it by rounding alone start again too. */
static inline double limit_of_sums(const lattice *l, double margin, int additions, const int mode) {
    double limit = margin / (additions + 1);
    if (!has_running_sum(l, mode)) return INFINITY;
    if (mode == VITERBI) return limit * 0x1p51;
    return limit * 0x1p22 < F32_RESET - 1.0 ? limit * 0x1p22 : F32_RESET - 1.0;
}

/* Adds the scores of a path. */
static inline void add_scores(const lattice *l, progress *p, const uint32_t *codes, int64_t count, const int mode) {
    if (mode == VITERBI_F32) {
        float sum = (float)p->carried;
        for (int64_t i = 0; i < count; i++) sum += (float)l->scores[codes[i]];
        p->carried = (double)sum;
    } else {
        for (int64_t i = 0; i < count; i++) p->carried += l->scores[codes[i]];
    }
}

/* Brings the sum up to `end`. The tokens that are added are pieces: each is its own code. */
static inline void catch_up(const lattice *l, progress *p, running_sum *s, const int32_t *end, const int mode) {
    if (!has_running_sum(l, mode)) return;
    add_scores(l, p, (const uint32_t *)s->next, end - s->next, mode);
    s->next = end;
    s->bound = fabs(p->carried);
}

/* Takes note that progress.carried holds the sum up to `end`. */
static inline void begin_sum(const progress *p, running_sum *s, const int32_t *end) {
    s->next = end;
    s->bound = fabs(p->carried);
}

static __attribute__((noinline)) int is_certain_now(const lattice *l, progress *p, running_sum *s, const int32_t *end,
                                                    double limit, double largest, const int mode) {
    catch_up(l, p, s, end, mode);
    if (s->bound + largest > limit) return 0;
    s->bound += largest;
    return 1;
}

/* Whether the best path of the span behind the token `end` is certain. `largest`: the bound of |sum| within the span.
 * Where it is not, the sum is up to date. */
static inline __attribute__((always_inline)) int is_certain(const lattice *l, progress *p, running_sum *s,
                                                            const int32_t *end, double limit, double largest,
                                                            const int mode) {
    if (!has_running_sum(l, mode)) return 1;
    double bound = s->bound + largest;
    if (bound > limit) return is_certain_now(l, p, s, end, limit, largest, mode);
    s->bound = bound;
    return 1;
}
#endif

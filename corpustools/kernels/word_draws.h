/* Draws of words: which words of a record are drawn at all, and what is drawn in each. */
#ifndef CORPUS_WORD_DRAWS_H
#define CORPUS_WORD_DRAWS_H
#include <stdint.h>

#include "philox.h"

/* The third and fourth word of the Philox block whose first two key the draws of the lattice (lattice/records.h): for
 * the same record, sample and seed the two never meet. */
typedef struct {
    uint64_t start, mask;
} word_draws;

static inline word_draws draws_of(uint64_t record, uint64_t sample, const uint64_t *seed) {
    uint64_t words[4];
    philox4x64(record, sample, seed[0], seed[1], words);
    return (word_draws){words[2], words[3]};
}

/* Draw `step` of the record's word `place`, in [0, 1): SplitMix64, as lattice.h has it for positions. */
static inline double word_draw(const word_draws *d, uint64_t place, uint64_t step) {
    uint64_t x = d->start + place * 0x9E3779B97F4A7C15u + step * 0xD1342543DE82EF95u;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return (double)(((x ^ x >> 31) ^ d->mask) >> 11) * 0x1p-53;
}
#endif

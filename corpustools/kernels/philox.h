/* Philox4x64-10 (Salmon, Moraes, Dror, Shaw: Parallel Random Numbers: As Easy as 1, 2, 3, SC 2011, section 3.3). */
#ifndef CORPUS_PHILOX_H
#define CORPUS_PHILOX_H
#include <stdint.h>

static inline uint64_t philox_high(uint64_t a, uint64_t b, uint64_t *low) {
    unsigned __int128 product = (unsigned __int128)a * b;
    *low = (uint64_t)product;
    return (uint64_t)(product >> 64);
}

/* The multipliers, and the steps of the key from round to round. */
#define PHILOX_M0 0xD2E7470EE14C6C93u
#define PHILOX_M1 0xCA5A826395121157u
#define PHILOX_W0 0x9E3779B97F4A7C15u
#define PHILOX_W1 0xBB67AE8584CAA73Bu
#define PHILOX_ROUNDS 10

typedef struct {
    uint64_t x0, x1, x2, x3;
} philox_block;

static inline philox_block philox_round(philox_block x, uint64_t k0, uint64_t k1) {
    uint64_t low0, low1;
    uint64_t high0 = philox_high(PHILOX_M0, x.x0, &low0);
    uint64_t high1 = philox_high(PHILOX_M1, x.x2, &low1);
    return (philox_block){high1 ^ x.x1 ^ k0, low1, high0 ^ x.x3 ^ k1, low0};
}

/* The four words of counter (c0, c1, 0, 0) under key (k0, k1). */
static inline void philox4x64(uint64_t c0, uint64_t c1, uint64_t k0, uint64_t k1, uint64_t out[4]) {
    philox_block x = {c0, c1, 0, 0};
    for (int round = 0; round < PHILOX_ROUNDS; round++) {
        x = philox_round(x, k0, k1);
        k0 += PHILOX_W0;
        k1 += PHILOX_W1;
    }
    out[0] = x.x0;
    out[1] = x.x1;
    out[2] = x.x2;
    out[3] = x.x3;
}

/* The first word alone: the sorting key of record `index`. */
static inline uint64_t philox_key(uint64_t index, uint64_t k0, uint64_t k1) {
    uint64_t out[4];
    philox4x64(index, 0, k0, k1, out);
    return out[0];
}
#endif

/* Philox4x64-10 (Salmon, Moraes, Dror, Shaw: Parallel Random Numbers: As Easy as 1, 2, 3, SC 2011, section 3.3). */
#ifndef CORPUS_PHILOX_H
#define CORPUS_PHILOX_H
#include <stdint.h>

static inline uint64_t philox_high(uint64_t a, uint64_t b, uint64_t *low) {
    unsigned __int128 product = (unsigned __int128)a * b;
    *low = (uint64_t)product;
    return (uint64_t)(product >> 64);
}

/* The four words of counter (c0, c1, 0, 0) under key (k0, k1). */
static inline void philox4x64(uint64_t c0, uint64_t c1, uint64_t k0, uint64_t k1, uint64_t out[4]) {
    uint64_t x0 = c0, x1 = c1, x2 = 0, x3 = 0;
    for (int round = 0; round < 10; round++) {
        uint64_t low0, low1;
        uint64_t high0 = philox_high(0xD2E7470EE14C6C93u, x0, &low0);
        uint64_t high1 = philox_high(0xCA5A826395121157u, x2, &low1);
        x0 = high1 ^ x1 ^ k0;
        x1 = low1;
        x2 = high0 ^ x3 ^ k1;
        x3 = low0;
        k0 += 0x9E3779B97F4A7C15u;
        k1 += 0xBB67AE8584CAA73Bu;
    }
    out[0] = x0;
    out[1] = x1;
    out[2] = x2;
    out[3] = x3;
}

/* The first word alone: the sorting key of record `index`. */
static inline uint64_t philox_key(uint64_t index, uint64_t k0, uint64_t k1) {
    uint64_t out[4];
    philox4x64(index, 0, k0, k1, out);
    return out[0];
}
#endif

/* Sort keys of records that follow one another.
 *
 * Included once per instruction set by dispatch.h. Philox waits for the one multiplier of 64 bits that plain registers
 * share. Vectors have others, of 32 bits: some keys are drawn in vectors and some in plain registers, together. */
#include "records.h"

#ifdef CORPUS_AVX2
#define KEY_VECTORS 2
#define KEY_WORDS 4
#define KEY_GROUP (4 * KEY_VECTORS + KEY_WORDS)

typedef struct {
    __m256i x0, x1, x2, x3;
} philox_lanes;

/* The keys of the rounds, for plain registers and for vectors. */
typedef struct {
    uint64_t k0[PHILOX_ROUNDS], k1[PHILOX_ROUNDS];
    __m256i lanes0[PHILOX_ROUNDS], lanes1[PHILOX_ROUNDS];
} round_keys;

/* philox_high for four lanes: schoolbook on halves of 32 bits. */
static inline __attribute__((always_inline)) TARGET __m256i NAME(lanes_high)(uint64_t a, __m256i b, __m256i *low) {
    const __m256i a_low = _mm256_set1_epi64x((long long)(uint32_t)a), a_high = _mm256_set1_epi64x((long long)(a >> 32));
    __m256i b_high = _mm256_srli_epi64(b, 32), lows = _mm256_mul_epu32(b, a_low);
    __m256i middle = _mm256_add_epi64(_mm256_mul_epu32(b_high, a_low), _mm256_srli_epi64(lows, 32));
    __m256i cross = _mm256_add_epi64(_mm256_mul_epu32(b, a_high),
                                     _mm256_and_si256(middle, _mm256_set1_epi64x((long long)UINT32_MAX)));
    *low = _mm256_blend_epi32(lows, _mm256_slli_epi64(cross, 32), 0xAA);
    __m256i highs = _mm256_add_epi64(_mm256_mul_epu32(b_high, a_high), _mm256_srli_epi64(middle, 32));
    return _mm256_add_epi64(highs, _mm256_srli_epi64(cross, 32));
}

static inline __attribute__((always_inline)) TARGET philox_lanes NAME(lanes_round)(philox_lanes x, __m256i k0,
                                                                                   __m256i k1) {
    __m256i low0, low1;
    __m256i high0 = NAME(lanes_high)(PHILOX_M0, x.x0, &low0);
    __m256i high1 = NAME(lanes_high)(PHILOX_M1, x.x2, &low1);
    return (philox_lanes){_mm256_xor_si256(_mm256_xor_si256(high1, x.x1), k0), low1,
                          _mm256_xor_si256(_mm256_xor_si256(high0, x.x3), k1), low0};
}

/* The first round of the counters first ... first + 3, whose other words are zero. */
static inline __attribute__((always_inline)) TARGET philox_lanes NAME(lanes_begin)(uint64_t first,
                                                                                   const round_keys *keys) {
    __m256i low, counters = _mm256_add_epi64(_mm256_set1_epi64x((long long)first), _mm256_set_epi64x(3, 2, 1, 0));
    __m256i high = NAME(lanes_high)(PHILOX_M0, counters, &low);
    return (philox_lanes){keys->lanes0[0], _mm256_setzero_si256(), _mm256_xor_si256(high, keys->lanes1[0]), low};
}

static inline __attribute__((always_inline)) TARGET void NAME(key_group)(uint64_t first, const round_keys *keys,
                                                                         uint64_t *out) {
    philox_lanes lanes[KEY_VECTORS];
    philox_block words[KEY_WORDS];
    for (int i = 0; i < KEY_VECTORS; i++) lanes[i] = NAME(lanes_begin)(first + 4 * (uint64_t)i, keys);
    for (int i = 0; i < KEY_WORDS; i++) {
        philox_block block = {first + 4 * KEY_VECTORS + (uint64_t)i, 0, 0, 0};
        words[i] = philox_round(block, keys->k0[0], keys->k1[0]);
    }
    /* Unrolled, the second round loses the products of constants, and the last two those that only other words need. */
#pragma GCC unroll 16
    for (int r = 1; r < PHILOX_ROUNDS; r++) {
        for (int i = 0; i < KEY_VECTORS; i++) lanes[i] = NAME(lanes_round)(lanes[i], keys->lanes0[r], keys->lanes1[r]);
        for (int i = 0; i < KEY_WORDS; i++) words[i] = philox_round(words[i], keys->k0[r], keys->k1[r]);
    }
    for (int i = 0; i < KEY_VECTORS; i++) _mm256_storeu_si256((__m256i *)(out + 4 * i), lanes[i].x0);
    for (int i = 0; i < KEY_WORDS; i++) out[4 * KEY_VECTORS + i] = words[i].x0;
}
#endif

/* philox_key of n records from `first` on. */
static TARGET void NAME(draw_keys)(uint64_t first, uint64_t n, uint64_t k0, uint64_t k1, uint64_t *keys) {
    uint64_t done = 0;
#ifdef CORPUS_AVX2
    round_keys round;
    for (uint64_t r = 0; r < PHILOX_ROUNDS; r++) {
        round.k0[r] = k0 + r * PHILOX_W0;
        round.k1[r] = k1 + r * PHILOX_W1;
        round.lanes0[r] = _mm256_set1_epi64x((long long)round.k0[r]);
        round.lanes1[r] = _mm256_set1_epi64x((long long)round.k1[r]);
    }
    for (; done + KEY_GROUP <= n; done += KEY_GROUP) NAME(key_group)(first + done, &round, keys + done);
#endif
    for (; done < n; done++) keys[done] = philox_key(first + done, k0, k1);
}

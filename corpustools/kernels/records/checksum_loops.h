/* The order-free checksum of records (see CHECK_KEYS in records.h), taken while they are copied.
 *
 * Included once per instruction set by dispatch.h: NAME() gives the suffix, TARGET the attribute, and SUM_TYPE is what
 * the loops keep a sum in. */
#include "records.h"

#ifdef CORPUS_AVX2
static const uint8_t TAIL_MASK[64] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
                                      255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255};

static inline TARGET uint64_t NAME(lanes)(__m256i sum) {
    __m128i half = _mm_add_epi64(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
    return (uint64_t)_mm_cvtsi128_si64(half) + (uint64_t)_mm_extract_epi64(half, 1);
}

/* Adds the checksum of n bytes that begin at a record's 32-byte group `group` to the lanes of sum, and copies them
 * unless `to` is NULL (up to 31 more are read and written). */
static inline TARGET __m256i NAME(copy_sum_from)(uint8_t *to, const uint8_t *from, uint64_t n, uint32_t group,
                                                 __m256i sum) {
    const __m256i step = _mm256_loadu_si256((const __m256i *)CHECK_STEPS);
    __m256i key = _mm256_add_epi32(_mm256_loadu_si256((const __m256i *)CHECK_KEYS),
                                   _mm256_mullo_epi32(step, _mm256_set1_epi32((int)group)));
    uint64_t at = 0;
    for (; at + 32 <= n; at += 32) {
        __m256i words = _mm256_loadu_si256((const __m256i *)(from + at));
        if (to) _mm256_storeu_si256((__m256i *)(to + at), words);
        words = _mm256_add_epi32(words, key);
        sum = _mm256_add_epi64(sum, _mm256_mul_epu32(words, _mm256_srli_epi64(words, 32)));
        key = _mm256_add_epi32(key, step);
    }
    if (at < n) {
        __m256i words = _mm256_loadu_si256((const __m256i *)(from + at));
        if (to) _mm256_storeu_si256((__m256i *)(to + at), words);
        words = _mm256_and_si256(words, _mm256_loadu_si256((const __m256i *)(TAIL_MASK + 32 - (n - at))));
        words = _mm256_add_epi32(words, key);
        sum = _mm256_add_epi64(sum, _mm256_mul_epu32(words, _mm256_srli_epi64(words, 32)));
    }
    return sum;
}

#define SUM_TYPE __m256i
#define SUM_ZERO _mm256_setzero_si256()
#define SUM_TOTAL(sum) NAME(lanes)(sum)
#else
static inline uint64_t NAME(copy_sum_from)(uint8_t *to, const uint8_t *from, uint64_t n, uint32_t group, uint64_t sum) {
    uint32_t key[8];
    for (int lane = 0; lane < 8; lane++) key[lane] = CHECK_KEYS[lane] + group * CHECK_STEPS[lane];
    if (to) memcpy(to, from, n);
    for (uint64_t at = 0; at < n; at += 32) {
        uint32_t words[8] = {0};
        memcpy(words, from + at, n - at < 32 ? n - at : 32);
        for (int pair = 0; pair < 8; pair += 2)
            sum += (uint64_t)(uint32_t)(words[pair] + key[pair]) * (uint32_t)(words[pair + 1] + key[pair + 1]);
        for (int lane = 0; lane < 8; lane++) key[lane] += CHECK_STEPS[lane];
    }
    return sum;
}

#define SUM_TYPE uint64_t
#define SUM_ZERO 0
#define SUM_TOTAL(sum) (sum)
#endif

static inline TARGET SUM_TYPE NAME(copy_sum)(uint8_t *to, const uint8_t *from, uint64_t n, SUM_TYPE sum) {
    return NAME(copy_sum_from)(to, from, n, 0, sum);
}

static TARGET uint64_t NAME(checksum)(const uint8_t *from, uint64_t n, uint32_t group) {
    return SUM_TOTAL(NAME(copy_sum_from)(NULL, from, n, group, SUM_ZERO));
}

/* Where records end: counting and finding delimiters.
 *
 * Included once per instruction set by dispatch.h, behind checksum_loops.h. */
#include "records.h"

/* Number of delimiters in [from, to). */
static TARGET uint64_t NAME(count_delimiters)(const uint8_t *from, const uint8_t *to, uint8_t delimiter) {
    uint64_t count = 0;
#ifdef CORPUS_AVX2
    const __m256i wanted = _mm256_set1_epi8((char)delimiter);
    while (to - from >= 32) {
        /* Equal bytes compare to -1: byte counters hold up to 255 rounds before they are summed. */
        __m256i bytes = _mm256_setzero_si256();
        for (int round = 0; round < 255 && to - from >= 32; round++, from += 32)
            bytes = _mm256_sub_epi8(bytes, _mm256_cmpeq_epi8(_mm256_loadu_si256((const __m256i *)from), wanted));
        count += NAME(lanes)(_mm256_sad_epu8(bytes, _mm256_setzero_si256()));
    }
#endif
    for (; from < to; from++) count += *from == delimiter;
    return count;
}

/* One past the last delimiter in [from, to), relative to from; 0 where there is none. */
static TARGET uint64_t NAME(last_end)(const uint8_t *from, const uint8_t *to, uint8_t delimiter) {
    const uint8_t *at = to;
#ifdef CORPUS_AVX2
    const __m256i wanted = _mm256_set1_epi8((char)delimiter);
    for (; at - from >= 32; at -= 32) {
        __m256i bytes = _mm256_loadu_si256((const __m256i *)(at - 32));
        uint32_t hits = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(bytes, wanted));
        if (hits) return (uint64_t)(at - from) - (uint64_t)__builtin_clz(hits);
    }
#endif
    for (; at > from; at--)
        if (at[-1] == delimiter) return (uint64_t)(at - from);
    return 0;
}

#ifdef CORPUS_AVX2
/* A bit for each delimiter in the 64 bytes at `from`, of which only those before `to` count. */
static inline TARGET uint64_t NAME(delimiter_bits)(const uint8_t *from, const uint8_t *to, uint8_t delimiter) {
    const __m256i wanted = _mm256_set1_epi8((char)delimiter);
    __m256i low = _mm256_loadu_si256((const __m256i *)from), high = _mm256_loadu_si256((const __m256i *)(from + 32));
    uint64_t bits = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(low, wanted)) |
                    (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(high, wanted)) << 32;
    return to - from < 64 ? bits & (((uint64_t)1 << (to - from)) - 1) : bits;
}
#endif

/* One past the n-th delimiter in [from, to), or NULL where there are fewer; n 0 is `from`. */
static inline TARGET const uint8_t *NAME(skip_delimiters)(const uint8_t *from, const uint8_t *to, uint64_t n,
                                                          uint8_t delimiter) {
    if (!n) return from;
#ifdef CORPUS_AVX2
    for (; from < to; from += 64) {
        uint64_t bits = NAME(delimiter_bits)(from, to, delimiter), found = (uint64_t)__builtin_popcountll(bits);
        if (found >= n) return from + __builtin_ctzll(_pdep_u64((uint64_t)1 << (n - 1), bits)) + 1;
        n -= found;
    }
    return NULL;
#else
    for (; n; n--) {
        from = (const uint8_t *)memchr(from, delimiter, (size_t)(to - from));
        if (!from) return NULL;
        from++;
    }
    return from;
#endif
}

/* Ends (one past the delimiter, relative to from) of up to `most` records that start at from; the bytes up to `to`
 * are whole records. */
static inline TARGET uint64_t NAME(find_ends)(const uint8_t *from, const uint8_t *to, uint8_t delimiter, uint64_t *ends,
                                              uint64_t most) {
    uint64_t found = 0;
#ifdef CORPUS_AVX2
    uint64_t length = (uint64_t)(to - from);
    for (uint64_t at = 0; at < length; at += 64) {
        uint64_t hits = NAME(delimiter_bits)(from + at, to, delimiter);
        while (hits) {
            ends[found++] = at + (uint64_t)__builtin_ctzll(hits) + 1;
            if (found == most) return found;
            hits &= hits - 1;
        }
    }
#else
    for (const uint8_t *at = from; at < to && found < most;) {
        at = (const uint8_t *)memchr(at, delimiter, (size_t)(to - at));
        if (!at) break;
        at++;
        ends[found++] = (uint64_t)(at - from);
    }
#endif
    return found;
}

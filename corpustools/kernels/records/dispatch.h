/* The loops over records for this processor: each compiled twice, portable and for AVX2, and chosen at run time. Calls
 * that may read a mapped input are guarded: they end with TRUNCATED when it shrinks meanwhile. */
#ifndef CORPUS_DISPATCH_H
#define CORPUS_DISPATCH_H
#include "guard.h"
#include "quotes.h"
#include "records.h"
#include <stdint.h>

#define NAME(base) base##_portable
#define TARGET
#include "loops.h"
#undef NAME
#undef TARGET

#if defined(__x86_64__) && defined(__GNUC__) && !defined(CORPUS_PORTABLE)
#include <immintrin.h>
#define CORPUS_AVX2 1
#define NAME(base) base##_avx2
#define TARGET __attribute__((target("avx2,bmi,bmi2")))
#include "loops.h"
#undef NAME
#undef TARGET
#undef CORPUS_AVX2
static inline int has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2"); }
#define DISPATCH(call, ...) (has_avx2() ? call##_avx2(__VA_ARGS__) : call##_portable(__VA_ARGS__))
#else
#define DISPATCH(call, ...) call##_portable(__VA_ARGS__)
#endif

static inline status_t count_delimiters(const uint8_t *from, const uint8_t *to, uint8_t delimiter, uint64_t *result) {
    return GUARDED(*result = DISPATCH(count_delimiters, from, to, delimiter)) ? TRUNCATED : DONE;
}

static inline status_t last_end(const uint8_t *from, const uint8_t *to, uint8_t delimiter, uint64_t *result) {
    return GUARDED(*result = DISPATCH(last_end, from, to, delimiter)) ? TRUNCATED : DONE;
}

static inline status_t torn_field_in(const uint8_t *from, const uint8_t *to, uint8_t delimiter, uint8_t separator,
                                     uint64_t *result) {
    return GUARDED(*result = torn_field(from, to, delimiter, separator)) ? TRUNCATED : DONE;
}

static inline void draw_keys(uint64_t first, uint64_t n, uint64_t k0, uint64_t k1, uint64_t *keys, int portable) {
    if (portable) draw_keys_portable(first, n, k0, k1, keys);
    else DISPATCH(draw_keys, first, n, k0, k1, keys);
}

static inline uint64_t checksum(const uint8_t *from, uint64_t n, uint32_t group) {
    return DISPATCH(checksum, from, n, group);
}

static inline status_t scatter(scatter_t *s, const uint8_t *data, uint64_t *at, uint64_t stop, uint64_t *number,
                               uint8_t delimiter, uint64_t record_bytes, int mapped) {
    return GUARDED(DISPATCH(scatter, s, data, at, stop, number, delimiter, record_bytes, mapped)) ? TRUNCATED : DONE;
}

static inline status_t sift(scatter_t *s, const uint8_t *data, uint64_t *at, uint64_t stop, uint64_t *number,
                            uint64_t count, uint8_t delimiter, uint64_t record_bytes, int mapped) {
    return GUARDED(DISPATCH(sift, s, data, at, stop, number, count, delimiter, record_bytes, mapped)) ? TRUNCATED
                                                                                                      : DONE;
}

static inline status_t refer(scatter_t *s, uint64_t number, uint64_t place, uint64_t length) {
    return DISPATCH(refer, s, number, place, length);
}

static inline status_t redistribute(scatter_t *s, uint64_t blocks, walk_t *walk, uint64_t *count) {
    return DISPATCH(redistribute, s, blocks, walk, count);
}

static inline status_t index_stream(const chain_t *source, walk_t walk, uint64_t count, uint32_t least,
                                    uint32_t greatest, lists_t *lists) {
    return DISPATCH(index_stream, source, walk, count, least, greatest, lists);
}

static inline status_t gather(const chain_t *source, const lists_t *lists, uint64_t first, uint64_t stop,
                              output_t *output) {
    status_t status = TORN;
    if (!words_in_range(lists, first, stop)) return TORN;
    if (GUARDED(status = DISPATCH(gather, source, lists, first, stop, output))) return TRUNCATED;
    return status;
}
#endif

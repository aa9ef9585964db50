/* Sorting of bucket entries: words = 32 key bits << 32 | place in the lists. */
#ifndef CORPUS_SORT_H
#define CORPUS_SORT_H
#include "../philox.h"
#include <stdint.h>
#include <string.h>

/* Whether every entry's place is below n: what settle_ties relies on. */
static int entries_in_range(const uint64_t *words, uint64_t n) {
    uint64_t sound = 1;
    for (uint64_t i = 0; i < n; i++) sound &= (uint32_t)words[i] < n;
    return (int)sound;
}

/* Least-significant-digit radix sort by the upper 32 bits, digits of 11, 11 and 10 bits: from words, which is used
 * up, into sorted. */
static void sort_words(uint64_t *words, uint64_t *sorted, uint64_t n) {
    uint32_t counts[3][2048];
    memset(counts, 0, sizeof counts);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t word = words[i];
        counts[0][word >> 32 & 2047]++;
        counts[1][word >> 43 & 2047]++;
        counts[2][word >> 54]++;
    }
    static const int SHIFTS[3] = {32, 43, 54};
    uint64_t *from = words, *to = sorted;
    for (int pass = 0; pass < 3; pass++) {
        uint32_t *count = counts[pass], total = 0;
        for (int digit = 0; digit < 2048; digit++) {
            uint32_t here = count[digit];
            count[digit] = total;
            total += here;
        }
        int shift = SHIFTS[pass];
        for (uint64_t i = 0; i < n; i++) {
            uint64_t word = from[i];
            to[count[word >> shift & 2047]++] = word;
        }
        uint64_t *swap = from;
        from = to;
        to = swap;
    }
}

/* Whether record a stands before record b: by key, then by 64 further bits drawn only for equal keys, then number. */
static int stands_before(uint64_t a, uint64_t b, uint64_t k0, uint64_t k1, uint64_t mask) {
    uint64_t of_a[4], of_b[4];
    philox4x64(a, 0, k0, k1, of_a);
    philox4x64(b, 0, k0, k1, of_b);
    if ((of_a[0] & mask) != (of_b[0] & mask)) return (of_a[0] & mask) < (of_b[0] & mask);
    if (of_a[1] != of_b[1]) return of_a[1] < of_b[1];
    return a < b;
}

/* Orders runs of words with equal key bits by the whole order; runs are short for honest keys. */
static void settle_ties(uint64_t *words, const uint64_t *numbers, uint64_t n, uint64_t k0, uint64_t k1, uint64_t mask) {
    for (uint64_t i = 1; i < n; i++) {
        uint64_t word = words[i], j = i;
        if (words[i - 1] >> 32 != word >> 32) continue;
        for (; j && words[j - 1] >> 32 == word >> 32; j--) {
            if (!stands_before(numbers[(uint32_t)word], numbers[(uint32_t)words[j - 1]], k0, k1, mask)) break;
            words[j] = words[j - 1];
        }
        words[j] = word;
    }
}
#endif

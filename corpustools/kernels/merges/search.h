/* Pairs of pieces: all that make up another piece, and given ones. */
#ifndef CORPUS_MERGES_SEARCH_H
#define CORPUS_MERGES_SEARCH_H
#include "pieces.h"

/* Write the ways to divide each of the first `divided` pieces into two pieces, up to `room` of them. Return how many
 * there are. */
static inline int64_t search_splits(const pieces_t *p, int64_t divided, int characters, int32_t *left, int32_t *right,
                                    int32_t *whole, int64_t room) {
    int64_t found = 0;
    for (int64_t i = 0; i < divided; i++) {
        const uint8_t *piece = p->text + p->starts[i];
        int64_t size = p->starts[i + 1] - p->starts[i];
        for (int64_t cut = 1; cut < size; cut++) {
            if (characters && (piece[cut] & 0xC0) == 0x80) continue;
            int64_t one = find_piece(p, piece, cut);
            if (one < 0) continue;
            int64_t other = find_piece(p, piece + cut, size - cut);
            if (other < 0) continue;
            if (found < room) {
                left[found] = (int32_t)one;
                right[found] = (int32_t)other;
                whole[found] = (int32_t)i;
            }
            found++;
        }
    }
    return found;
}

/* Write the numbers of pairs' halves and of what they make; halves stand in a row. Return the number of the first pair
 * of which something is no piece, or `pairs`. */
static inline int64_t search_pairs(const pieces_t *p, const uint8_t *halves, const int64_t *starts, int64_t pairs,
                                   int32_t *left, int32_t *right, int32_t *whole) {
    for (int64_t i = 0; i < pairs; i++, starts += 2) {
        int64_t one = find_piece(p, halves + starts[0], starts[1] - starts[0]);
        int64_t other = find_piece(p, halves + starts[1], starts[2] - starts[1]);
        int64_t both = find_piece(p, halves + starts[0], starts[2] - starts[0]);
        if (one < 0 || other < 0 || both < 0) return i;
        left[i] = (int32_t)one;
        right[i] = (int32_t)other;
        whole[i] = (int32_t)both;
    }
    return pairs;
}
#endif

/* A double array: the vocabulary as one flat table, one load a byte of text.
 *
 * A unit is 64 bits: label + 1 of the byte that leads here (9 bits, 0 is an empty slot), the base of its
 * children (27 bits), and the piece that ends here + 1 (28 bits, 0 is none). The child under byte b stands at
 * base ^ b. Two parents never share a base, so a label that fits belongs to the parent that was asked.
 * Aoe, "An Efficient Digital Search Algorithm by Using a Double-Array Structure", 1989; XOR as in Darts-clone.
 */
#ifndef CORPUS_TRIE_H
#define CORPUS_TRIE_H
#include <stdint.h>
#include <string.h>

#define TRIE_ROOT 256 /* page 0 stays empty: it is where the children of a leaf are looked for in vain */
#define TRIE_BASES ((int64_t)1 << 27)
#define TRIE_LABEL(unit) ((uint32_t)(unit) & 511u)
#define TRIE_BASE(unit) ((uint32_t)((unit) >> 9) & 0x7FFFFFFu)
#define TRIE_VALUE(unit) ((uint32_t)((unit) >> 36))

/* The child of `base` under `byte`, or 0. */
static inline uint64_t trie_step(const uint64_t *units, uint32_t base, uint8_t byte) {
    uint64_t unit = units[base ^ byte];
    return TRIE_LABEL(unit) == byte + 1u ? unit : 0;
}

/* The unit behind a whole key, or 0. */
static inline uint64_t trie_find(const uint64_t *units, const uint8_t *key, int length) {
    uint32_t base = TRIE_ROOT;
    uint64_t unit = 0;
    for (int i = 0; i < length; i++) {
        unit = trie_step(units, base, key[i]);
        if (!unit) return 0;
        base = TRIE_BASE(unit);
    }
    return unit;
}

/* Free slots form a ring in ascending order; slot 0 is its anchor. */
static inline void trie_take(int32_t *next, int32_t *previous, int64_t slot) {
    next[previous[slot]] = next[slot];
    previous[next[slot]] = previous[slot];
    next[slot] = -1;
}

/* Pages of 256 slots that are still looked through for room; older ones keep their holes. */
#define TRIE_OPEN 16

/* A base under which all labels fit, or -1. Free slots of the open pages are tried before a fresh page is taken, so
 * that building stays linear and the table grows by some per cent. */
static inline int64_t trie_place(const uint8_t *labels, int count, int32_t *next, int32_t *previous,
                                 const uint8_t *used, int64_t *fresh, int64_t capacity) {
    for (int64_t slot = next[0]; slot != 0 && slot < *fresh; slot = next[slot]) {
        int64_t base = slot ^ labels[0];
        int fits = !used[base];
        for (int i = 1; fits && i < count; i++) fits = next[base ^ labels[i]] >= 0;
        if (fits) return base;
    }
    if (*fresh + 256 > capacity) return -1;
    int64_t base = *fresh, closed = *fresh - 256 * TRIE_OPEN;
    *fresh += 256;
    while (next[0] != 0 && next[0] < closed + 256) trie_take(next, previous, next[0]);
    return base;
}

/* Builds the table of `count` different, non-empty keys in ascending order of bytes; key i has value values[i].
 *
 * units: capacity entries, zero. next, previous: capacity entries each. used: capacity bytes, zero.
 * stack: 4 entries for each byte of the keys and one more. Returns the number of units, a multiple of 256, or -1
 * where the capacity is too small.
 */
static inline int64_t trie_build(const uint8_t *bytes, const int64_t *offsets, const int32_t *values, int64_t count,
                                 uint64_t *units, int64_t capacity, int32_t *next, int32_t *previous, uint8_t *used,
                                 int64_t *stack) {
    int64_t fresh = 512, depth_of_stack = 0;
    uint8_t labels[256];
    int64_t first[257];
    if (capacity < 512 || capacity > TRIE_BASES) return -1;
    /* The ring holds every slot from the root's page on; those beyond `fresh` are refused by trie_place. */
    for (int64_t i = TRIE_ROOT; i < capacity; i++) {
        next[i] = i + 1 < capacity ? (int32_t)(i + 1) : 0;
        previous[i] = i > TRIE_ROOT ? (int32_t)(i - 1) : 0;
    }
    next[0] = TRIE_ROOT;
    previous[0] = (int32_t)(capacity - 1);
    if (count == 0) return fresh;
    stack[0] = 0, stack[1] = count, stack[2] = 0, stack[3] = -1;
    depth_of_stack = 1;
    while (depth_of_stack > 0) {
        int64_t *top = stack + 4 * --depth_of_stack;
        int64_t low = top[0], high = top[1], depth = top[2], slot = top[3];
        if (offsets[low + 1] - offsets[low] == depth) {
            units[slot] |= ((uint64_t)(uint32_t)values[low] + 1) << 36;
            if (++low == high) continue;
        }
        int children = 0;
        for (int64_t i = low; i < high; i++) {
            uint8_t label = bytes[offsets[i] + depth];
            if (children == 0 || labels[children - 1] != label) {
                labels[children] = label;
                first[children++] = i;
            }
        }
        first[children] = high;
        int64_t base = slot < 0 ? TRIE_ROOT : trie_place(labels, children, next, previous, used, &fresh, capacity);
        if (base < 0) return -1;
        used[base] = 1;
        if (slot >= 0) units[slot] |= (uint64_t)base << 9;
        for (int i = children - 1; i >= 0; i--) {
            int64_t child = base ^ labels[i];
            units[child] = labels[i] + 1u;
            trie_take(next, previous, child);
            top = stack + 4 * depth_of_stack++;
            top[0] = first[i], top[1] = first[i + 1], top[2] = depth + 1, top[3] = child;
        }
    }
    return fresh;
}

/* Where a walk stands behind its first character: units by code point below 65,536, or, for positions that are
 * bytes, by the first two bytes (first << 8 | second). */
static inline void trie_heads(const uint64_t *units, int character, uint64_t *heads) {
    for (uint32_t code = 0; code < 65536; code++) {
        uint8_t key[3];
        int length = 2;
        if (!character) {
            key[0] = (uint8_t)(code >> 8), key[1] = (uint8_t)code;
        } else if (code < 0x80) {
            key[0] = (uint8_t)code, length = 1;
        } else if (code < 0x800) {
            key[0] = (uint8_t)(0xC0 | code >> 6), key[1] = (uint8_t)(0x80 | (code & 63));
        } else {
            key[0] = (uint8_t)(0xE0 | code >> 12), key[1] = (uint8_t)(0x80 | (code >> 6 & 63));
            key[2] = (uint8_t)(0x80 | (code & 63)), length = 3;
        }
        heads[code] = trie_find(units, key, length);
    }
}
#endif

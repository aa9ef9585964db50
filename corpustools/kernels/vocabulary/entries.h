/* The entries of a vocabulary: put in order, checked, and which of their characters are neighbours. */
#ifndef CORPUS_ENTRIES_H
#define CORPUS_ENTRIES_H
#include <stdint.h>
#include <string.h>

#include "../lattice/lattice.h"
#include "../lattice/spans.h"

/* What entries_check found. */
enum { ENTRIES_FINE = 0, ENTRY_EMPTY, ENTRY_TWICE, ENTRY_NO_TEXT };

typedef struct {
    const uint8_t *bytes;
    const int64_t *offsets;
} entry_table;

static inline int64_t entry_length(const entry_table *t, int32_t i) { return t->offsets[i + 1] - t->offsets[i]; }

static inline int entry_before(const entry_table *t, int32_t a, int32_t b, int64_t depth) {
    int64_t one = entry_length(t, a) - depth, other = entry_length(t, b) - depth;
    int order =
        memcmp(t->bytes + t->offsets[a] + depth, t->bytes + t->offsets[b] + depth, (size_t)(one < other ? one : other));
    return order < 0 || (order == 0 && one < other);
}

/* The next seven bytes from `depth` on, nine bits each: 0 is the end. */
static inline uint64_t entry_digits(const entry_table *t, int32_t i, int64_t depth) {
    const uint8_t *entry = t->bytes + t->offsets[i];
    int64_t length = entry_length(t, i);
    uint64_t digits = 0;
    for (int k = 0; k < 7; k++, depth++) digits = digits << 9 | (depth < length ? entry[depth] + 1u : 0u);
    return digits;
}

/* Sorts entries that share their first `depth` bytes: seven bytes at a time by counting, so that no choice of entries
 * makes it slow; what is equal in them, by the next seven. room: 2 digits and 1 number an entry. */
static void entries_sort(const entry_table *t, int32_t *order, int64_t count, int64_t depth, uint64_t *digits,
                         uint64_t *other, int32_t *spare) {
    if (count <= 24) {
        for (int64_t i = 1; i < count; i++) {
            int32_t entry = order[i];
            int64_t k = i;
            for (; k > 0 && entry_before(t, entry, order[k - 1], depth); k--) order[k] = order[k - 1];
            order[k] = entry;
        }
        return;
    }
    for (int64_t i = 0; i < count; i++) digits[i] = entry_digits(t, order[i], depth);
    for (int shift = 0; shift < 63; shift += 9) {
        int64_t starts[513] = {0};
        for (int64_t i = 0; i < count; i++) starts[(digits[i] >> shift & 511) + 1]++;
        for (int k = 0; k < 512; k++) starts[k + 1] += starts[k];
        for (int64_t i = 0; i < count; i++) {
            int64_t to = starts[digits[i] >> shift & 511]++;
            other[to] = digits[i];
            spare[to] = order[i];
        }
        memcpy(digits, other, 8 * (size_t)count);
        memcpy(order, spare, 4 * (size_t)count);
    }
    for (int64_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && digits[end] == digits[i]; end++) {
        }
        /* Entries that end here are equal and stay as they are. */
        if (end - i > 1 && (digits[i] & 511))
            entries_sort(t, order + i, end - i, depth + 7, digits + i, other + i, spare + i);
    }
}

/* Puts entries `order` of the table in order, and their bytes and offsets one behind the other. */
static inline void entries_arrange(const uint8_t *bytes, const int64_t *offsets, int32_t *order, int64_t count,
                                   uint8_t *text, int64_t *starts, uint64_t *digits, int32_t *spare) {
    entry_table t = {bytes, offsets};
    entries_sort(&t, order, count, 0, digits, digits + count, spare);
    starts[0] = 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t length = entry_length(&t, order[i]);
        memcpy(text + starts[i], bytes + offsets[order[i]], (size_t)length);
        starts[i + 1] = starts[i] + length;
    }
}

/* Bytes of the character at `entry`, which is UTF-8 or one of four bytes beyond it, from F5 on; 0 where it is
 * malformed. */
static inline int entry_character(const uint8_t *entry, int64_t left) {
    uint8_t a = entry[0];
    if (a < 0x80) return 1;
    if (a < 0xC2 || a > 0xF7) return 0;
    int length = a < 0xE0 ? 2 : a < 0xF0 ? 3 : 4;
    if (length > left) return 0;
    for (int i = 1; i < length; i++)
        if ((entry[i] & 0xC0) != 0x80) return 0;
    if ((a == 0xE0 && entry[1] < 0xA0) || (a == 0xED && entry[1] > 0x9F) || (a == 0xF0 && entry[1] < 0x90) ||
        (a == 0xF4 && entry[1] > 0x8F))
        return 0;
    return length;
}

/* Looks at entries in order; returns what is wrong with the one whose number is left in `at`. `characters`: they have
 * to be text. */
static inline int entries_check(const uint8_t *text, const int64_t *starts, int64_t count, int characters,
                                int64_t *at) {
    entry_table t = {text, starts};
    for (int64_t i = 0; i < count; i++) {
        int64_t length = entry_length(&t, (int32_t)i);
        *at = i;
        if (!length) return ENTRY_EMPTY;
        if (i + 1 < count && length == entry_length(&t, (int32_t)i + 1) &&
            !memcmp(text + starts[i], text + starts[i + 1], (size_t)length))
            return ENTRY_TWICE;
        for (int64_t k = starts[i]; characters && k < starts[i + 1];) {
            int step = entry_character(text + k, starts[i + 1] - k);
            if (!step) return ENTRY_NO_TEXT;
            k += step;
        }
    }
    return ENTRIES_FINE;
}

/* Sets the bits of all neighbours in entries that are text; see joined_codes in spans.h. Returns how many are set. */
static inline int64_t entries_join(const uint8_t *text, const int64_t *starts, int64_t count, uint8_t *joins,
                                   uint32_t shift) {
    int64_t set = 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t before = -1;
        for (int64_t at = starts[i]; at < starts[i + 1];) {
            int length = entry_character(text + at, starts[i + 1] - at);
            int64_t code = code_point(text + at, length);
            if (before >= 0) {
                uint32_t bit = join_bit((uint32_t)before, (uint32_t)code, shift);
                set += !(joins[bit >> 3] >> (bit & 7) & 1);
                joins[bit >> 3] |= (uint8_t)(1 << (bit & 7));
            }
            before = code;
            at += length;
        }
    }
    return set;
}
#endif

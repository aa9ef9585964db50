/* The keys of a vocabulary: put in order, checked, and which of their characters are neighbours. */
#ifndef CORPUS_KEYS_H
#define CORPUS_KEYS_H
#include "chunks.h"

/* What keys_check found. */
enum { KEYS_FINE = 0, KEY_EMPTY, KEY_TWICE, KEY_NO_TEXT };

typedef struct {
    const uint8_t *bytes;
    const int64_t *offsets;
} key_table;

static inline int64_t key_length(const key_table *t, int32_t i) { return t->offsets[i + 1] - t->offsets[i]; }

static inline int key_before(const key_table *t, int32_t a, int32_t b, int64_t depth) {
    int64_t one = key_length(t, a) - depth, other = key_length(t, b) - depth;
    int order = memcmp(t->bytes + t->offsets[a] + depth, t->bytes + t->offsets[b] + depth, (size_t)(one < other ? one : other));
    return order < 0 || (order == 0 && one < other);
}

/* The next seven bytes from `depth` on, nine bits each: 0 is the end. */
static inline uint64_t key_digits(const key_table *t, int32_t i, int64_t depth) {
    const uint8_t *key = t->bytes + t->offsets[i];
    int64_t length = key_length(t, i);
    uint64_t digits = 0;
    for (int k = 0; k < 7; k++, depth++) digits = digits << 9 | (depth < length ? key[depth] + 1u : 0u);
    return digits;
}

/* Sorts keys that share their first `depth` bytes: seven bytes at a time by counting, so that no choice of keys makes it
 * slow; what is equal in them, by the next seven. room: 2 digits and 1 number a key. */
static void keys_sort(const key_table *t, int32_t *order, int64_t count, int64_t depth, uint64_t *digits, uint64_t *other,
                      int32_t *spare) {
    if (count <= 24) {
        for (int64_t i = 1; i < count; i++) {
            int32_t key = order[i];
            int64_t k = i;
            for (; k > 0 && key_before(t, key, order[k - 1], depth); k--) order[k] = order[k - 1];
            order[k] = key;
        }
        return;
    }
    for (int64_t i = 0; i < count; i++) digits[i] = key_digits(t, order[i], depth);
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
        for (end = i + 1; end < count && digits[end] == digits[i]; end++) {}
        /* Keys that end here are equal and stay as they are. */
        if (end - i > 1 && (digits[i] & 511)) keys_sort(t, order + i, end - i, depth + 7, digits + i, other + i, spare + i);
    }
}

/* Puts keys `order` of the table in order, and their bytes and offsets one behind the other. */
static inline void keys_arrange(const uint8_t *bytes, const int64_t *offsets, int32_t *order, int64_t count, uint8_t *text,
                                int64_t *starts, uint64_t *digits, int32_t *spare) {
    key_table t = {bytes, offsets};
    keys_sort(&t, order, count, 0, digits, digits + count, spare);
    starts[0] = 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t length = key_length(&t, order[i]);
        memcpy(text + starts[i], bytes + offsets[order[i]], (size_t)length);
        starts[i + 1] = starts[i] + length;
    }
}

/* Bytes of the character at `key`, which is UTF-8 or one of four bytes beyond it, from F5 on; 0 where it is malformed. */
static inline int key_character(const uint8_t *key, int64_t left) {
    uint8_t a = key[0];
    if (a < 0x80) return 1;
    if (a < 0xC2 || a > 0xF7) return 0;
    int length = a < 0xE0 ? 2 : a < 0xF0 ? 3 : 4;
    if (length > left) return 0;
    for (int i = 1; i < length; i++)
        if ((key[i] & 0xC0) != 0x80) return 0;
    if ((a == 0xE0 && key[1] < 0xA0) || (a == 0xED && key[1] > 0x9F) || (a == 0xF0 && key[1] < 0x90) ||
        (a == 0xF4 && key[1] > 0x8F))
        return 0;
    return length;
}

/* Looks at keys in order; returns what is wrong with the one whose number is left in `at`. `characters`: they have to
 * be text. */
static inline int keys_check(const uint8_t *text, const int64_t *starts, int64_t count, int characters, int64_t *at) {
    key_table t = {text, starts};
    for (int64_t i = 0; i < count; i++) {
        int64_t length = key_length(&t, (int32_t)i);
        *at = i;
        if (!length) return KEY_EMPTY;
        if (i + 1 < count && length == key_length(&t, (int32_t)i + 1) &&
            !memcmp(text + starts[i], text + starts[i + 1], (size_t)length))
            return KEY_TWICE;
        for (int64_t k = starts[i]; characters && k < starts[i + 1];) {
            int step = key_character(text + k, starts[i + 1] - k);
            if (!step) return KEY_NO_TEXT;
            k += step;
        }
    }
    return KEYS_FINE;
}

/* Sets the bits of all neighbours in keys that are text; see joined_codes in chunks.h. Returns how many are set. */
static inline int64_t keys_join(const uint8_t *text, const int64_t *starts, int64_t count, uint8_t *joins, uint32_t shift) {
    int64_t set = 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t before = -1;
        for (int64_t at = starts[i]; at < starts[i + 1];) {
            int length = key_character(text + at, starts[i + 1] - at);
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

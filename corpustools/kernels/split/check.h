/* Whether a record is text that is left as it is: valid UTF-8, and in the composed form where that is asked for. */
#ifndef CORPUS_SPLIT_CHECK_H
#define CORPUS_SPLIT_CHECK_H
#include "program.h"
#include <stdint.h>
#include <string.h>

/* The first byte from `at` on that is no ASCII, or `end`. */
static inline const uint8_t *ascii_end(const uint8_t *at, const uint8_t *end) {
    uint64_t four[4];
    while (end - at >= 32) {
        memcpy(four, at, 32);
        if ((four[0] | four[1] | four[2] | four[3]) & 0x8080808080808080u) break;
        at += 32;
    }
    while (at < end && *at < 0x80) at++;
    return at;
}

/* Bytes of the valid character that is no ASCII at `at`; 0 where there is none. */
static inline int valid_size(const uint8_t *at, const uint8_t *end) {
    const uint32_t lead = at[0];
    /* Most characters of three bytes, whose second one may be any. */
    if (lead - 0xE1 < 12 && end - at >= 3 && ((at[1] ^ 0x80) | (at[2] ^ 0x80)) < 64) return 3;
    if (lead < 0xC2 || lead > 0xF4) return 0;
    const int size = character_size((uint8_t)lead);
    if (end - at < size) return 0;
    /* What the second byte may be: no overlong form, no surrogate, nothing above U+10FFFF. */
    const uint32_t least = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    const uint32_t most = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (at[1] < least || at[1] > most) return 0;
    if (size > 2 && (at[2] & 0xC0) != 0x80) return 0;
    if (size > 3 && (at[3] & 0xC0) != 0x80) return 0;
    return size;
}

/* Says whether it is. Unicode Standard Annex 15, 9: a text is composed if none of its characters has to be looked at
 * and its marks are in order. */
static inline int is_steady(const program_t *t, const uint8_t *at, const uint8_t *end) {
    uint8_t last = 0;
    while (at < end) {
        if (*at < 0x80) {
            uint64_t eight;
            last = 0;
            at++;
            while (end - at >= 8 && (memcpy(&eight, at, 8), !(eight & 0x8080808080808080u))) at += 8;
            continue;
        }
        const int size = valid_size(at, end);
        if (!size) return 0;
        if (t->orders) {
            const uint8_t order = looked_up(t->order_blocks, t->orders, code_point(at));
            if (order == 1 || (order && order < last)) return 0;
            last = order;
        }
        at += size;
    }
    return 1;
}
#endif

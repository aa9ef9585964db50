/* A text with its cuts, by a cutter that has a match at every character: one step a character, without going back
 * but where a match had to be followed beyond its end. */
#ifndef CORPUS_SPLIT_STREAM_H
#define CORPUS_SPLIT_STREAM_H
#include "program.h"
#include <stdint.h>

/* Where a walk over a text stands: at the next character, with the row of its state, and what it has written up to
 * `out`. remembered, out_then: the same where the match may last have ended. */
typedef struct {
    const uint8_t *at;
    uint8_t *out;
    const uint8_t *remembered;
    uint8_t *out_then;
    uint32_t row;
} lane_t;

/* Does what a verdict beyond ENDED asks for; says whether the lane went back to the end of its match. */
static inline int heed(const cutter_t *c, lane_t *l, uint8_t verdict) {
    if (verdict == MAY_END) {
        l->remembered = l->at;
        l->out_then = l->out;
        return 0;
    }
    if (verdict == FAILED) {
        l->at = l->remembered;
        l->out = l->out_then;
    } else {
        const uint8_t *const last = before(c, l->at);
        l->out -= l->at - last;
        l->at = last;
    }
    *l->out++ = MARK_CUT;
    l->row = 0;
    return 1;
}

/* Takes the next character, or goes back. */
static inline void take_character(const cutter_t *c, lane_t *l) {
    const uint32_t entry = l->row + column_of(c, l->at);
    const uint8_t verdict = c->verdicts[entry];
    if (verdict > ENDED && heed(c, l, verdict)) return;
    *l->out = MARK_CUT;
    l->out += verdict == ENDED;
    l->row = c->next[entry];
    for (int size = size_of(c, l->at); size; size--) *l->out++ = *l->at++;
}

/* Goes on to `end`, which is no end of the text for the match. The loop needs all registers for itself. */
static __attribute__((noinline)) void walk(const cutter_t *c, lane_t *l, const uint8_t *end) {
    const uint16_t *const next = c->next, *const blocks = c->blocks;
    const uint8_t *const verdicts = c->verdicts, *const classes = c->classes;
    while (l->at < end) {
        const uint8_t *at = l->at;
        uint8_t *out = l->out;
        uint32_t row = l->row;
        while (at < end) {
            const uint32_t byte = *at;
            const uint32_t entry = row + (byte < 0x80 ? byte : looked_up(blocks, classes, code_point(at)));
            const uint8_t verdict = verdicts[entry];
            if (verdict > ENDED) break;
            row = next[entry];
            *out = MARK_CUT;
            out += verdict;
            *out++ = *at++;
            if (byte < 0x80) continue;
            *out++ = *at++;
            if (byte >= 0xE0) *out++ = *at++;
            if (byte >= 0xF0) *out++ = *at++;
        }
        l->at = at;
        l->out = out;
        l->row = row;
        if (at < end) take_character(c, l);
    }
}

/* Goes on to the end of the text. */
static inline void finish(const cutter_t *c, lane_t *l, const uint8_t *end) {
    for (;;) {
        walk(c, l, end);
        const uint8_t verdict = c->verdicts[l->row + END_COLUMN];
        if (verdict <= ENDED || !heed(c, l, verdict)) return;
    }
}
#endif

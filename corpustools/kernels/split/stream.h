/* A text with its cuts, by a cutter that has a match at every character: one step a character, without going back
 * but where a match had to be followed beyond its end. */
#ifndef CORPUS_SPLIT_STREAM_H
#define CORPUS_SPLIT_STREAM_H
#include "program.h"
#include <stdint.h>
#include <string.h>

/* Writes [at, end), which is not empty, to `out` with a cut between two parts; returns the byte behind it.
 * space: a space that is written first and stands in no buffer. */
static inline uint8_t *stream(const cutter_t *c, const uint8_t *at, const uint8_t *end, int space, uint8_t *out) {
    const uint16_t *const next = c->next, *const blocks = c->blocks;
    const uint8_t *const verdicts = c->verdicts, *const classes = c->classes;
    const uint8_t *remembered = at;
    uint8_t *out_then = out;
    uint32_t row = 0;
    if (space) {
        row = next[' '];
        *out++ = ' ';
    }
    for (;;) {
        int size = 0;
        uint32_t entry = row + END_COLUMN;
        if (at < end) {
            uint32_t column = *at;
            size = 1;
            if (column >= 0x80) {
                size = character_size(*at);
                column = looked_up(blocks, classes, code_point(at));
            }
            entry = row + column;
        }
        const uint8_t verdict = verdicts[entry];
        if (verdict > ENDED) {
            if (verdict == FAILED) {
                at = remembered;
                out = out_then;
                *out++ = MARK_CUT;
                row = 0;
                continue;
            }
            remembered = at;
            out_then = out;
        }
        if (!size) return out;
        *out = MARK_CUT;
        out += verdict == ENDED;
        row = next[entry];
        *out++ = *at++;
        while (--size) *out++ = *at++;
    }
}
#endif

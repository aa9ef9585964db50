/* Parts of a text by a cutter of any kind: each match is one, and what stands between two. */
#ifndef CORPUS_SPLIT_MATCH_H
#define CORPUS_SPLIT_MATCH_H
#include "program.h"
#include <stdint.h>

/* The end of the match that begins at `at`, or NULL where none does. */
static inline const uint8_t *match_end(const cutter_t *c, const uint8_t *at, const uint8_t *end) {
    const uint8_t *remembered = 0;
    for (uint32_t row = 0;;) {
        const uint32_t entry = row + (at < end ? column_of(c, at) : END_COLUMN);
        switch (c->verdicts[entry]) {
        case ENDED: return at;
        case FAILED: return remembered;
        case ENDED_BEFORE: return before(c, at);
        case MAY_END: remembered = at; break;
        default: break;
        }
        row = c->next[entry];
        at += size_of(c, at);
    }
}

/* A text on its way through one cutter: from `at` to `end` it is still to be cut. A match that was found behind the
 * part before it is kept: [from, to). */
typedef struct {
    const uint8_t *at;
    const uint8_t *end;
    const uint8_t *from;
    const uint8_t *to;
} stage_t;

/* Moves a stage behind its next part, and returns where that begins. */
static inline const uint8_t *take_part(const cutter_t *c, stage_t *s) {
    const uint8_t *const begin = s->at;
    if (s->from == begin && s->to) {
        s->at = s->to;
        s->to = 0;
        return begin;
    }
    const uint8_t *next = begin;
    s->to = 0;
    while (next < s->end) {
        if (c->verdicts[column_of(c, next)] != FAILED) {
            s->to = match_end(c, next, s->end);
            if (s->to) break;
        }
        next += size_of(c, next);
    }
    s->from = next;
    s->at = next;
    if (next == begin) {
        s->at = s->to;
        s->to = 0;
    }
    return begin;
}
#endif

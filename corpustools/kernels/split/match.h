/* Parts of a text by a cutter of any kind: each match is one, and what stands between two. */
#ifndef CORPUS_SPLIT_MATCH_H
#define CORPUS_SPLIT_MATCH_H
#include "program.h"
#include <stdint.h>

/* The end of the match that begins at `at`, or NULL where none does. */
static inline const uint8_t *match_end(const cutter_t *c, const uint8_t *at, const uint8_t *end) {
    const uint8_t *const verdicts = c->verdicts, *remembered = 0;
    const uint16_t *const next = c->next;
    /* Up to here ASCII is its own column. */
    const uint8_t *const plain_end = c->blocks ? end : at;
    for (uint32_t row = 0;;) {
        while (at < plain_end && *at < 0x80 && verdicts[row + *at] == GO_ON) row = next[row + *at++];
        const uint32_t entry = row + (at < end ? column_of(c, at) : END_COLUMN);
        switch (verdicts[entry]) {
        case ENDED: return at;
        case FAILED: return remembered;
        case ENDED_BEFORE: return before(c, at);
        case MAY_END: remembered = at; break;
        default: break;
        }
        row = next[entry];
        at += size_of(c, at);
    }
}

/* The first character from `at` on at which a match may begin, or `end`. */
static inline const uint8_t *first_start(const cutter_t *c, const uint8_t *at, const uint8_t *end) {
    const uint8_t *const verdicts = c->verdicts;
    const uint8_t *const plain_end = c->blocks ? end : at;
    for (;;) {
        while (at < plain_end && *at < 0x80 && verdicts[*at] == FAILED) at++;
        if (at == end || verdicts[column_of(c, at)] != FAILED) return at;
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
    const uint8_t *next = first_start(c, begin, s->end);
    s->to = 0;
    while (next < s->end && !(s->to = match_end(c, next, s->end)))
        next = first_start(c, next + size_of(c, next), s->end);
    s->from = next;
    s->at = next;
    if (next == begin) {
        s->at = s->to;
        s->to = 0;
    }
    return begin;
}
#endif

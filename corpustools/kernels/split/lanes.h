/* A long text of ASCII in two stretches at once: each step waits only for the one before it in its own stretch.
 *
 *     text      The cat sat on the mat. It wa|sn't the first time that it had been.
 *     lane 0    ----------------------------->
 *     lane 1                                 ---------------------------------->   as if a match began there
 *
 * Lane 0 then goes on into the second stretch until it begins a match where lane 1 has begun one as well. From there on
 * both would write the same, and what lane 1 has written is moved up. */
#ifndef CORPUS_SPLIT_LANES_H
#define CORPUS_SPLIT_LANES_H
#include "check.h"
#include "program.h"
#include "stream.h"
#include <stdint.h>
#include <string.h>

/* The bytes from which on a text has two lanes, how far each goes alone, and how far lane 0 goes on to meet lane 1.
 * Lane 0 has three bytes of room for each byte of its stretch and writes at most two, so that it does not reach what
 * lane 1 has written when it is compared. */
enum { LONG_TEXT = 128, APART = 32, MEETING_BYTES = 48, LANE_GROWTH = 3 };

/* Writes a byte, behind a cut where that is 1. */
static inline uint8_t *put(uint8_t *out, uint32_t byte, uint32_t cut) {
    *out = MARK_CUT;
    out[cut] = (uint8_t)byte;
    return out + 1 + cut;
}

/* Takes steps of both lanes until one is at its end. Where one meets what is no plain step, each goes on for itself. */
static __attribute__((noinline)) void walk_together(const cutter_t *c, lane_t *l, const uint8_t *const *ends) {
    const uint16_t *const next = c->next;
    const uint8_t *const verdicts = c->verdicts;
    for (;;) {
        const int64_t left_a = ends[0] - l[0].at, left_b = ends[1] - l[1].at;
        const int64_t steps = left_a < left_b ? left_a : left_b;
        if (steps <= 0) return;
        const uint8_t *const a = l[0].at, *const b = l[1].at;
        uint8_t *to_a = l[0].out, *to_b = l[1].out;
        uint32_t row_a = l[0].row, row_b = l[1].row;
        int64_t i = 0;
        for (; i < steps; i++) {
            const uint32_t byte_a = a[i], byte_b = b[i], entry_a = row_a + byte_a, entry_b = row_b + byte_b;
            const uint32_t ended_a = verdicts[entry_a], ended_b = verdicts[entry_b];
            if ((ended_a | ended_b) > ENDED) break;
            row_a = next[entry_a], row_b = next[entry_b];
            to_a = put(to_a, byte_a, ended_a), to_b = put(to_b, byte_b, ended_b);
        }
        l[0] = (lane_t){a + i, to_a, l[0].remembered, l[0].out_then, row_a};
        l[1] = (lane_t){b + i, to_b, l[1].remembered, l[1].out_then, row_b};
        if (i == steps) return;
        for (int k = 0; k < 2; k++) walk(c, l + k, ends[k] - l[k].at < APART ? ends[k] : l[k].at + APART);
    }
}

/* Lets lane 0 go on from `start` until it meets lane 1, which began there and wrote from `written` on. Then it stands
 * where lane 1 stands. Where they do not meet, it has come some way. */
static inline void meet(const cutter_t *c, lane_t *l, const uint8_t *start, const uint8_t *written) {
    const uint8_t *const limit = l[1].at - start < MEETING_BYTES ? l[1].at : start + MEETING_BYTES;
    const uint8_t *compared = start;
    while (l->at < limit) {
        for (; compared < l->at; compared++) written += 1 + (*written == MARK_CUT);
        const int begins = c->verdicts[l->row + column_of(c, l->at)] == ENDED;
        if (begins && compared == l->at && *written == MARK_CUT) {
            const int64_t size = l[1].out - written, moved = l->out - written;
            memmove(l->out, written, (size_t)size);
            l[0] = l[1];
            l->out += moved;
            l->out_then += moved;
            return;
        }
        take_character(c, l);
    }
}

/* Writes a long text of ASCII from where a lane stands; returns the byte behind it. */
static inline uint8_t *write_long(const cutter_t *c, const lane_t *first, const uint8_t *end) {
    const int64_t half = (end - first->at) / 2;
    const uint8_t *const start = first->at + half, *const ends[2] = {start, end};
    uint8_t *const written = first->out + LANE_GROWTH * half + 8;
    lane_t lanes[2] = {*first, {start, written + 1, start, written + 1, 0}};
    *written = MARK_CUT;
    walk_together(c, lanes, ends);
    walk(c, lanes, start);
    walk(c, lanes + 1, end);
    meet(c, lanes, start, written);
    finish(c, lanes, end);
    return lanes->out;
}

/* Writes [at, end), which is not empty, to `out` with a cut between two parts; returns the byte behind it. `out` has
 * LANE_GROWTH bytes for each byte of it, and 16 more.
 * space: a space that is written first and stands in no buffer. */
static inline uint8_t *stream(const cutter_t *c, const uint8_t *at, const uint8_t *end, int space, uint8_t *out) {
    lane_t lane = {at, out, at, out, 0};
    if (space) {
        lane.row = c->next[' '];
        *lane.out++ = ' ';
    }
    if (end - at >= LONG_TEXT && ascii_end(at, end) == end) return write_long(c, &lane, end);
    finish(c, &lane, end);
    return lane.out;
}
#endif

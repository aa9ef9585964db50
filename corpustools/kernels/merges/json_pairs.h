/* A list of pairs in JSON: [["a", "b"], …], or with both halves in one string, ["a b", …]. */
#ifndef CORPUS_MERGES_JSON_PAIRS_H
#define CORPUS_MERGES_JSON_PAIRS_H
#include <string.h>

#include "../json/json.h"

/* Copies the string that begins at r->at, with its quotes, and moves r->at behind it. Returns the byte behind what was
 * written, or NULL where there is no string, or half of a surrogate pair. */
static inline uint8_t *copy_string(reader_t *r, uint8_t *to) {
    if (r->at == r->end || *r->at != '"') return 0;
    r->at++;
    while (r->at < r->end && *r->at >= 32) {
        if (*r->at == '"') {
            r->at++;
            return to;
        }
        if (*r->at == '\\') {
            to = read_escapes(r, to);
            if (!to || r->half_pair) return 0;
        } else {
            *to++ = *r->at++;
        }
    }
    return 0;
}

/* Moves r->at behind a byte and the space around it; says whether it was there. */
static inline int step_over(reader_t *r, uint8_t byte) {
    r->at = skip_space(r->at, r->end);
    if (r->at == r->end || *r->at != byte) return 0;
    r->at = skip_space(r->at + 1, r->end);
    return 1;
}

/* Takes the one space out of a string; returns where it stood, or NULL where there is not one. What begins as the head
 * of a list of merges does is no pair. */
static inline uint8_t *take_space(uint8_t *from, const uint8_t *end) {
    static const char head[] = "#version";
    int64_t size = end - from;
    uint8_t *space = memchr(from, ' ', (size_t)size);
    if (!space || memchr(space + 1, ' ', (size_t)(end - space - 1))) return 0;
    if (size >= (int64_t)sizeof head - 1 && !memcmp(from, head, sizeof head - 1)) return 0;
    memmove(space, space + 1, (size_t)(end - space - 1));
    return space;
}

/* Reads a list that begins at r->at. The halves go to r->out one behind the other, and to `starts` where each begins
 * and where the last ends. Returns how many pairs there are, or -1 where something is no pair; r->at is behind them. */
static inline int64_t read_pairs(reader_t *r, int64_t *starts) {
    uint8_t *to = r->out;
    int64_t pairs = 0;
    starts[0] = 0;
    if (!step_over(r, '[')) return -1;
    for (int more = !(r->at < r->end && *r->at == ']'); more; more = step_over(r, ',')) {
        uint8_t *from = to, *middle;
        if (r->at < r->end && *r->at == '[') {
            step_over(r, '[');
            middle = copy_string(r, from);
            if (!middle || !step_over(r, ',')) return -1;
            to = copy_string(r, middle);
            if (!to || !step_over(r, ']')) return -1;
        } else {
            to = copy_string(r, from);
            middle = to ? take_space(from, to) : 0;
            if (!middle) return -1;
            to--;
        }
        starts[2 * pairs + 1] = middle - r->out;
        starts[2 * pairs + 2] = to - r->out;
        pairs++;
    }
    return step_over(r, ']') ? pairs : -1;
}
#endif

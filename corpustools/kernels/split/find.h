/* The added tokens in a text, from left to right, the longest where several begin. */
#ifndef CORPUS_SPLIT_FIND_H
#define CORPUS_SPLIT_FIND_H
#include "../lattice/trie.h"
#include "program.h"
#include <stdint.h>

typedef struct {
    const uint8_t *from;
    const uint8_t *to;
    int32_t action;
} token_t;

/* Bytes of the longest token at `at`, and its action; 0 where there is none. */
static inline int64_t longest_token(const finder_t *f, const uint8_t *at, const uint8_t *end, int32_t *action) {
    uint32_t base = TRIE_ROOT;
    int64_t longest = 0;
    for (const uint8_t *next = at; next < end;) {
        const uint64_t unit = trie_step(f->units, base, *next++);
        if (!unit) break;
        if (TRIE_VALUE(unit)) {
            longest = next - at;
            *action = f->actions[TRIE_VALUE(unit) - 1];
        }
        base = TRIE_BASE(unit);
    }
    return longest;
}

/* The first place from `at` on where two bytes may begin a token, or the last byte. */
static inline const uint8_t *first_candidate(const finder_t *f, const uint8_t *at, const uint8_t *last) {
    const uint8_t *firsts = f->firsts, *seconds = f->seconds;
    while (last - at >= 8) {
        uint8_t any = 0;
        for (int i = 0; i < 8; i++) any |= firsts[at[i]] & seconds[at[i + 1]];
        if (any) break;
        at += 8;
    }
    while (at < last && !(firsts[at[0]] & seconds[at[1]])) at++;
    return at;
}

/* Finds the next token that is not passed over in [at, end), or an empty one at the end. */
static inline token_t next_token(const finder_t *f, const uint8_t *at, const uint8_t *end) {
    token_t found = {end, end, PASSED_OVER};
    while (f->units && at < end) {
        at = first_candidate(f, at, end - 1);
        int32_t action = 0;
        const int64_t size = longest_token(f, at, end, &action);
        if (size && action != PASSED_OVER) {
            found.from = at, found.to = at + size, found.action = action;
            return found;
        }
        at += size ? size : 1;
    }
    return found;
}
#endif

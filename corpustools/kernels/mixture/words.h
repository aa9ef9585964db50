/* Where the words of a record lie in its normalised text. */
#ifndef CORPUS_MIXTURE_WORDS_H
#define CORPUS_MIXTURE_WORDS_H
#include <stdint.h>
#include <string.h>

/* The whole record is one word; words lie between bytes 0xFF, which are no text; or one also begins at each word mark
 * U+2581 that follows another character. */
enum { WORDS_WHOLE = 0, WORDS_MARKS = 1, WORDS_SPACE_MARKS = 2 };

static inline int is_space_mark(const uint8_t *text, int64_t left) {
    return left >= 3 && text[0] == 0xE2 && text[1] == 0x96 && text[2] == 0x81;
}

/* The first word mark behind `begin` that follows another character, or `limit`. */
static inline int64_t next_space_mark(const uint8_t *text, int64_t begin, int64_t limit) {
    int64_t at = begin;
    for (;;) {
        const uint8_t *found = memchr(text + at, 0xE2, (size_t)(limit - at));
        if (!found) return limit;
        at = found - text;
        if (!is_space_mark(found, limit - at)) {
            at++;
            continue;
        }
        if (at > begin && !(at >= begin + 3 && is_space_mark(found - 3, 3))) return at;
        at += 3;
    }
}

/* Finds the word at or behind `at`: *begin and the end that is returned; -1 where there is none before `limit`. */
static inline int64_t next_word(const uint8_t *text, int64_t at, int64_t limit, int cuts, int64_t *begin) {
    while (cuts != WORDS_WHOLE && at < limit && text[at] == 0xFF) at++;
    if (at >= limit) return -1;
    *begin = at;
    if (cuts == WORDS_WHOLE) return limit;
    const uint8_t *mark = memchr(text + at, 0xFF, (size_t)(limit - at));
    if (mark) limit = mark - text;
    return cuts == WORDS_MARKS ? limit : next_space_mark(text, at, limit);
}
#endif

/* The letters of a word, and what merges make of them. */
#ifndef CORPUS_BPE_JOIN_H
#define CORPUS_BPE_JOIN_H
#include <stdint.h>
#include <string.h>

#include "bpe.h"
#include "pairs.h"
#include "words.h"

#define SHORT_WORD 64 /* up to here, looking through all pairs is faster than a heap */
#define NO_PAIR UINT32_MAX

/* A letter of a long word, or what it has become. Of the pair of it and the one behind it: priority, and what it makes.
 * before, behind: its neighbours' places; -1 and the number of letters where there are none. code: or GONE. */
typedef struct {
    int32_t code, before, behind, made;
    uint32_t priority;
} letter_t;

enum { GONE = -2, LETTER_BYTES = 16 + sizeof(letter_t) };

/* Room for `capacity` letters of a long word: a heap of two entries each, then the letters. needed: letters of a word
 * that has more. */
typedef struct {
    uint64_t *heap;
    letter_t *letters;
    int64_t capacity, needed;
} room_t;

/* Write the codes of a word's letters; return how many. There is room for one a byte. */
static inline int64_t list_letters(const merger_t *m, const uint8_t *word, int64_t size, int32_t *codes) {
    int64_t count = 0, step;
    for (int64_t at = 0; at < size; at += step) {
        int32_t code;
        step = letter_at(m, word, at, size, &code);
        if (code != UNKNOWN || !m->byte_codes) codes[count++] = code;
        else
            for (int64_t i = 0; i < step; i++) codes[count++] = m->byte_codes[word[at + i]];
    }
    return count;
}

static inline void rate(const merger_t *m, int32_t left, int32_t right, uint32_t *priority, int32_t *made) {
    const pair_t *pair = find_pair(m, left, right);
    *priority = pair ? pair->priority : NO_PAIR;
    *made = pair ? (int32_t)pair->made : GONE;
}

/* Join the letters of a short word where they stand; return how many codes are left. */
static inline int64_t join_short(const merger_t *m, int32_t *codes, int64_t count) {
    uint32_t priorities[SHORT_WORD];
    int32_t made[SHORT_WORD];
    for (int64_t i = 0; i + 1 < count; i++) rate(m, codes[i], codes[i + 1], priorities + i, made + i);
    while (count > 1) {
        int64_t best = 0;
        for (int64_t i = 1; i + 1 < count; i++)
            if (priorities[i] < priorities[best]) best = i;
        if (priorities[best] == NO_PAIR) break;
        codes[best] = made[best];
        count--;
        for (int64_t i = best + 1; i < count; i++) codes[i] = codes[i + 1];
        for (int64_t i = best + 1; i + 1 < count; i++) {
            priorities[i] = priorities[i + 1];
            made[i] = made[i + 1];
        }
        if (best) rate(m, codes[best - 1], codes[best], priorities + best - 1, made + best - 1);
        if (best + 1 < count) rate(m, codes[best], codes[best + 1], priorities + best, made + best);
    }
    return count;
}

/* The heap of a long word. An entry has the priority in its upper half and the place in its lower one. */
static inline void sift_down(uint64_t *heap, int64_t size, int64_t at, uint64_t entry) {
    for (int64_t child; (child = 2 * at + 1) < size; at = child) {
        if (child + 1 < size && heap[child + 1] < heap[child]) child++;
        if (entry <= heap[child]) break;
        heap[at] = heap[child];
    }
    heap[at] = entry;
}

static inline void sift_up(uint64_t *heap, int64_t at, uint64_t entry) {
    for (int64_t parent; at && heap[parent = (at - 1) / 2] > entry; at = parent) heap[at] = heap[parent];
    heap[at] = entry;
}

/* Rate the pair that begins at `place`, and put it on the heap; return the heap's size. */
static inline int64_t offer(const merger_t *m, const room_t *room, int64_t count, int64_t place, int64_t heaped) {
    letter_t *left = room->letters + place;
    left->priority = NO_PAIR;
    if (left->behind >= count) return heaped;
    rate(m, left->code, room->letters[left->behind].code, &left->priority, &left->made);
    if (left->priority == NO_PAIR) return heaped;
    sift_up(room->heap, heaped, (uint64_t)left->priority << 32 | (uint64_t)place);
    return heaped + 1;
}

/* Join a long word's letters; return how many codes are left. The heap never holds more than two entries a letter: one
 * a pair at first, and each join takes one entry away and brings at most two. */
static inline int64_t join_long(const merger_t *m, const room_t *room, int32_t *codes, int64_t count) {
    letter_t *letters = room->letters;
    int64_t heaped = 0, left = 0;
    for (int64_t i = 0; i < count; i++)
        letters[i] = (letter_t){codes[i], (int32_t)i - 1, (int32_t)i + 1, GONE, NO_PAIR};
    for (int64_t i = 0; i < count; i++) heaped = offer(m, room, count, i, heaped);
    while (heaped) {
        uint64_t entry = room->heap[0];
        int64_t place = (int64_t)(entry & UINT32_MAX);
        letter_t *one = letters + place;
        heaped--;
        if (heaped) sift_down(room->heap, heaped, 0, room->heap[heaped]);
        /* An entry is old where one of its two neighbours has become another since. */
        if (one->code == GONE || one->priority != (uint32_t)(entry >> 32)) continue;
        letter_t *other = letters + one->behind;
        one->code = one->made;
        one->behind = other->behind;
        other->code = GONE;
        if (one->behind < count) letters[one->behind].before = (int32_t)place;
        if (one->before >= 0) heaped = offer(m, room, count, one->before, heaped);
        heaped = offer(m, room, count, place, heaped);
    }
    for (int64_t i = 0; i < count; i++)
        if (letters[i].code != GONE) codes[left++] = letters[i].code;
    return left;
}

static inline int64_t size_apart(const merger_t *m, int32_t code) {
    if (code < 0 || code >= m->apart_count) return 0;
    return m->apart_ends[code] - (code ? m->apart_ends[code - 1] : 0);
}

/* Put what is written in the place of codes that stand apart; return how many codes there are then, or -1 where that is
 * more than `most`. */
static inline int64_t take_apart(const merger_t *m, int32_t *codes, int64_t count, int64_t most) {
    int64_t size, target = count;
    if (!m->apart_count) return count;
    for (int64_t i = 0; i < count; i++)
        if ((size = size_apart(m, codes[i]))) target += size - 1;
    if (target > most) return -1;
    int64_t total = target;
    for (int64_t i = count; i--;) {
        int32_t code = codes[i];
        size = size_apart(m, code);
        if (!size) codes[--target] = code;
        for (int64_t k = 0; k < size; k++) codes[--target] = m->apart[m->apart_ends[code] - 1 - k];
    }
    return total;
}
#endif

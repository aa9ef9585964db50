/* Byte-pair encoding with dropout (Provilkov, Emelianenko, Voita 2020): in every step each pair that could be joined is
 * left out with a probability, the first of the others is joined, and the next step begins with all pairs again, until
 * a step leaves all of them out.
 *
 * So the pair that is joined is the k-th in order with probability chance^(k - 1) · (1 - chance): one draw a step says
 * how many are left out before it. Only products are used, so that every IEEE machine draws the same. */
#ifndef CORPUS_BPE_DROPOUT_H
#define CORPUS_BPE_DROPOUT_H
#include <stdint.h>

#include "../word_draws.h"
#include "bpe.h"
#include "join.h"
#include "records.h"
#include "whole_words.h"
#include "words.h"

/* The draws of one word. */
typedef struct {
    const word_draws *of;
    uint64_t place, step;
    double chance;
} dropout_t;

/* Return how many pairs of `count` a step leaves out before one that it keeps; `count` where it leaves out all. */
static inline int64_t left_out(dropout_t *d, int64_t count) {
    const double u = word_draw(d->of, d->place, d->step++);
    int64_t skipped = 0;
    for (double all = d->chance; skipped < count && u < all; all *= d->chance) skipped++;
    return skipped;
}

/* Return the place of the pair with `skipped` others before it in order. */
static inline int64_t pair_behind(const uint32_t *priorities, int64_t pairs, int64_t skipped) {
    int64_t best = -1;
    for (int64_t k = 0; k <= skipped; k++) {
        const int64_t last = best;
        best = -1;
        for (int64_t i = 0; i < pairs; i++) {
            if (priorities[i] == NO_PAIR) continue;
            if (last >= 0 && (priorities[i] < priorities[last] || (priorities[i] == priorities[last] && i <= last)))
                continue;
            if (best < 0 || priorities[i] < priorities[best]) best = i;
        }
    }
    return best;
}

/* Join the letters of a short word where they stand; return how many codes are left. */
static inline int64_t drop_short(const merger_t *m, dropout_t *d, int32_t *codes, int64_t count) {
    uint32_t priorities[SHORT_WORD];
    int32_t made[SHORT_WORD];
    int64_t possible = 0;
    for (int64_t i = 0; i + 1 < count; i++) {
        rate(m, codes[i], codes[i + 1], priorities + i, made + i);
        possible += priorities[i] != NO_PAIR;
    }
    while (possible) {
        const int64_t skipped = left_out(d, possible);
        if (skipped == possible) break;
        const int64_t best = pair_behind(priorities, count - 1, skipped);
        possible -= 1 + (best > 0 && priorities[best - 1] != NO_PAIR);
        possible -= best + 2 < count && priorities[best + 1] != NO_PAIR;
        codes[best] = made[best];
        count--;
        for (int64_t i = best + 1; i < count; i++) codes[i] = codes[i + 1];
        for (int64_t i = best + 1; i + 1 < count; i++) {
            priorities[i] = priorities[i + 1];
            made[i] = made[i + 1];
        }
        if (best) {
            rate(m, codes[best - 1], codes[best], priorities + best - 1, made + best - 1);
            possible += priorities[best - 1] != NO_PAIR;
        }
        if (best + 1 < count) {
            rate(m, codes[best], codes[best + 1], priorities + best, made + best);
            possible += priorities[best] != NO_PAIR;
        }
    }
    return count;
}

/* Take the next entry off a heap that is neither old nor one that was taken just before; return 0 where there is none.
 * An entry stands twice where its pair became another of equal priority. */
static inline int next_entry(const room_t *room, int64_t *heaped, uint64_t *entry) {
    const uint64_t last = *entry;
    while (*heaped) {
        *entry = room->heap[0];
        --*heaped;
        if (*heaped) sift_down(room->heap, *heaped, 0, room->heap[*heaped]);
        const letter_t *one = room->letters + (*entry & UINT32_MAX);
        if (*entry != last && one->code != GONE && one->priority == (uint32_t)(*entry >> 32)) return 1;
    }
    return 0;
}

/* Join a long word's letters; return how many codes are left. Entries that a step leaves out wait at the far end of the
 * heap's room, which never holds more than two a letter; see join_long. */
static inline int64_t drop_long(const merger_t *m, const room_t *room, dropout_t *d, int32_t *codes, int64_t count) {
    letter_t *letters = room->letters;
    uint64_t *top = room->heap + 2 * room->capacity;
    int64_t heaped = 0, left = 0;
    for (int64_t i = 0; i < count; i++)
        letters[i] = (letter_t){codes[i], (int32_t)i - 1, (int32_t)i + 1, GONE, NO_PAIR};
    for (int64_t i = 0; i < count; i++) heaped = offer(m, room, count, i, heaped);
    for (;;) {
        const int64_t skipped = left_out(d, count);
        int64_t waiting = 0;
        uint64_t entry = UINT64_MAX;
        int found = next_entry(room, &heaped, &entry);
        while (found && waiting < skipped) {
            top[-++waiting] = entry;
            found = next_entry(room, &heaped, &entry);
        }
        if (!found) break;
        const int64_t place = (int64_t)(entry & UINT32_MAX);
        letter_t *one = letters + place, *other = letters + one->behind;
        one->code = one->made;
        one->behind = other->behind;
        other->code = GONE;
        if (one->behind < count) letters[one->behind].before = (int32_t)place;
        /* First what waits: a new entry would have to fit beside it. */
        for (; waiting; waiting--) sift_up(room->heap, heaped++, top[-waiting]);
        if (one->before >= 0) heaped = offer(m, room, count, one->before, heaped);
        heaped = offer(m, room, count, place, heaped);
    }
    for (int64_t i = 0; i < count; i++)
        if (letters[i].code != GONE) codes[left++] = letters[i].code;
    return left;
}

/* Write the codes of a word as segment_word does. A word that is a code at once is one only where nothing is left
 * out. */
static inline int64_t drop_word(const merger_t *m, room_t *room, dropout_t *d, const uint8_t *word, int64_t size,
                                int32_t *codes) {
    if (!(d->chance > 0)) return segment_word(m, room, word, size, codes);
    int64_t count = list_letters(m, word, size, codes);
    if (count <= SHORT_WORD) count = drop_short(m, d, codes, count);
    else if (count <= room->capacity) count = drop_long(m, room, d, codes, count);
    else {
        room->needed = count;
        return -MORE_ROOM;
    }
    count = take_apart(m, codes, count, size);
    return count < 0 ? -UNWRITABLE : count;
}

/* Whether the draws of so many steps keep the first pair. */
static inline int keeps_first(const dropout_t *d, int64_t steps) {
    for (int64_t step = 0; step < steps; step++)
        if (word_draw(d->of, d->place, (uint64_t)step) < d->chance) return 0;
    return 1;
}

/* The same as drop_word. Most words have no step that leaves a pair out, and draws alone tell that. limit: the end of
 * the text. */
static inline int64_t drop_by_cache(const merger_t *m, room_t *room, whole_word *slots, dropout_t *d,
                                    const uint8_t *word, int64_t size, const uint8_t *limit, int32_t *codes) {
    if (d->chance > 0) {
        const whole_word *whole = find_whole_word(m, slots, word, size, limit, codes);
        if (whole && keeps_first(d, whole->steps)) {
            memcpy(codes, whole->room, 4 * OUT_SLACK);
            if (whole->count > OUT_SLACK) memcpy(codes, whole->room, 4 * (size_t)whole->count);
            return whole->count;
        }
    }
    return drop_word(m, room, d, word, size, codes);
}

/* Write one segmentation of the record; return 0 or a negative status. */
static inline int64_t drop_record(const merger_t *m, room_t *room, whole_word *slots, const records_t *r,
                                  int64_t record, const word_draws *draws, double chance, state_t *state) {
    const uint8_t *limit = r->text + r->offsets[r->count];
    int64_t at = r->offsets[record], end = r->offsets[record + 1], written = state->codes, symbol;
    dropout_t d = {draws, 0, 0, chance};
    int last = 0;
    if (r->bos >= 0) r->out[written++] = r->bos;
    while (at < end) {
        if (r->text[at] == CUT) {
            last = 0;
            at++;
            continue;
        }
        int64_t stop = word_end(m, r->text, at, end, &symbol);
        if (symbol >= 0) {
            r->out[written++] = m->symbols.codes[symbol];
            last = 0;
        } else {
            d.step = 0;
            int64_t count = drop_by_cache(m, room, slots, &d, r->text + at, stop - at, limit, r->out + written);
            if (count < 0) return count;
            if (m->unknown == UNKNOWN && holds_unknown(r->out + written, count)) return -UNWRITABLE;
            written += settle(m, r->out + written, count, &last);
        }
        d.place++;
        at = stop;
    }
    if (r->eos >= 0) r->out[written++] = r->eos;
    r->ends[state->records] = written;
    *state = (state_t){state->records + 1, written, 0, 0};
    return 0;
}

/* Write the segmentations from state->records on, `samples` of each record one after another; on a status other than
 * DONE, state->records is the one that was not written. */
static status_t drop_records(const merger_t *m, room_t *room, whole_word *slots, const records_t *r, double chance,
                             const uint64_t *seed, uint64_t first_record, uint64_t first_sample, int64_t samples,
                             state_t *state) {
    while (state->records < r->count * samples) {
        const int64_t record = state->records / samples, sample = state->records % samples;
        const word_draws draws = draws_of(first_record + (uint64_t)record, first_sample + (uint64_t)sample, seed);
        int64_t status = drop_record(m, room, slots, r, record, &draws, chance, state);
        if (status < 0) {
            state->needed = room->needed;
            return (status_t)-status;
        }
    }
    return DONE;
}
#endif

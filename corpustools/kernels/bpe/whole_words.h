/* Words in which no merge was left out, and how many merges that takes: where the draws of all of these steps keep the
 * first pair, dropout makes what all merges make. What a word becomes so is a function of its bytes, so that this cache
 * changes no id either.
 *
 *     slot   size | count | steps | - | codes, 4 bytes each | the word's bytes | free
 *            1      1       1       1         60 in all
 *
 * A slot is a cache line, and two neighbours are one place: a new word takes the first slot, and what stood there moves
 * to the second. What does not fit is never kept. */
#ifndef CORPUS_BPE_WHOLE_WORDS_H
#define CORPUS_BPE_WHOLE_WORDS_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "bpe.h"
#include "join.h"
#include "pairs.h"
#include "words.h"

enum {
    DROP_SLOTS = 1 << 17,
    DROP_ROOM = 60,
    /* A line to align the slots by. */
    DROP_CACHE_BYTES = (DROP_SLOTS + 1) * 64
};

/* size: 0 where the slot is empty. steps: merges that are made. */
typedef struct {
    uint8_t size, count, steps, free;
    uint8_t room[DROP_ROOM];
} whole_word;

static inline int is_whole_word(const whole_word *slot, const uint8_t *word, int64_t size, const uint8_t *limit) {
    if (slot->size != size) return 0;
    const uint8_t *kept = slot->room + 4 * slot->count;
    for (int64_t i = 0; i < size; i += 8)
        if (load_bytes(kept + i, size - i, slot->room + DROP_ROOM) != load_bytes(word + i, size - i, limit)) return 0;
    return 1;
}

/* Return the slot of a word, made where there is none; NULL where it does not fit. codes: room for one a byte. */
static inline const whole_word *find_whole_word(const merger_t *m, whole_word *slots, const uint8_t *word, int64_t size,
                                                const uint8_t *limit, int32_t *codes) {
    if (size > DROP_ROOM - 4) return NULL;
    whole_word *slot = slots + (hash_text(word, size, limit) >> 20 & (DROP_SLOTS - 2));
    if (is_whole_word(slot, word, size, limit)) return slot;
    if (is_whole_word(slot + 1, word, size, limit)) return slot + 1;
    const int64_t letters = list_letters(m, word, size, codes), left = join_short(m, codes, letters);
    const int64_t count = take_apart(m, codes, left, size);
    if (count < 0 || size + 4 * count > DROP_ROOM) return NULL;
    slot[1] = slot[0];
    *slot = (whole_word){(uint8_t)size, (uint8_t)count, (uint8_t)(letters - left), 0, {0}};
    memcpy(slot->room, codes, 4 * (size_t)count);
    memcpy(slot->room + 4 * count, word, (size_t)size);
    return slot;
}
#endif

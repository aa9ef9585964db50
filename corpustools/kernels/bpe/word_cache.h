/* Words that were seen before, and their codes. What a word becomes is a function of its bytes, so that what the cache
 * holds changes no id, and neither does what it has forgotten.
 *
 *     slot   size | part | count | unknown | codes, 4 bytes each | the word's bytes | free
 *            1      1      1       1         60 in all
 *
 * A slot is a cache line, and two neighbours are one place: a new word takes the first slot, and what stood there moves
 * to the second. A word that needs more is wide: it takes the whole place. What does not fit there is never kept. */
#ifndef CORPUS_BPE_WORD_CACHE_H
#define CORPUS_BPE_WORD_CACHE_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "pairs.h"
#include "words.h"

enum {
    CACHE_SLOTS = 1 << 18,
    SLOT_ROOM = 60,
    WIDE_ROOM = 124,
    /* A line to align the slots by, and one that is read in vain behind the last. */
    CACHE_BYTES = (CACHE_SLOTS + 2) * 64
};

/* size: 0 where the slot is empty. part: whether these are the codes of a span, which is never a code at once.
 * unknown: whether UNKNOWN is among the codes. */
typedef struct {
    uint8_t size, part, count, unknown;
    uint8_t room[SLOT_ROOM];
} slot_t;

static inline slot_t *slot_of(slot_t *slots, const uint8_t *word, int64_t size, const uint8_t *limit) {
    return slots + (hash_text(word, size, limit) >> 20 & (CACHE_SLOTS - 2));
}

/* The codes and bytes of a word: those of a wide one go on in the second slot. */
static inline uint8_t *room_of(slot_t *slot) { return (uint8_t *)slot + offsetof(slot_t, room); }

static inline int is_wide(const slot_t *slot) { return slot->size + 4 * slot->count > SLOT_ROOM; }

static inline int holds(slot_t *slot, const uint8_t *word, int64_t size, int part, const uint8_t *limit) {
    if (slot->size != size || slot->part != part) return 0;
    const uint8_t *kept = room_of(slot) + 4 * slot->count;
    for (int64_t i = 0; i < size; i += 8)
        if (load_bytes(kept + i, size - i, kept + i + 8) != load_bytes(word + i, size - i, limit)) return 0;
    return 1;
}

/* Keep a word in its place, if it fits. */
static inline void keep(slot_t *place, const uint8_t *word, int64_t size, int part, const int32_t *codes, int64_t count,
                        int unknown) {
    if (size + 4 * count > WIDE_ROOM) return;
    if (is_wide(place)) place[1].size = 0;
    else place[1] = place[0];
    place->size = (uint8_t)size;
    place->part = (uint8_t)part;
    place->count = (uint8_t)count;
    place->unknown = (uint8_t)unknown;
    memcpy(room_of(place), codes, 4 * (size_t)count);
    memcpy(room_of(place) + 4 * count, word, (size_t)size);
}
#endif

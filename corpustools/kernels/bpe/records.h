/* Records of marked text to codes: word by word, from the cache or from the merges. */
#ifndef CORPUS_BPE_RECORDS_H
#define CORPUS_BPE_RECORDS_H
#include <stdint.h>
#include <string.h>

#include "bpe.h"
#include "join.h"
#include "pairs.h"
#include "units.h"
#include "word_cache.h"
#include "words.h"

/* text: all records; record i is text[offsets[i]:offsets[i + 1]]. bos, eos: codes around every record, or -1.
 * out, ends: the codes, and where each record ends in them. word_ends: where each word does; or NULL. */
typedef struct {
    const uint8_t *text;
    const int64_t *offsets;
    int64_t count;
    int32_t bos, eos;
    int32_t *out;
    int64_t *ends;
    int64_t *word_ends;
} records_t;

/* What is done: records, codes and words. needed: letters of the word that the room is too small for. */
typedef struct {
    int64_t records, codes, words, needed;
} state_t;

/* Write what merges make of a word's letters, UNKNOWN for those that the vocabulary cannot write. Return how many codes
 * there are, or -MORE_ROOM or -UNWRITABLE. `codes` has room for one a byte. */
static inline int64_t merge_word(const merger_t *m, room_t *room, const uint8_t *word, int64_t size, int32_t *codes) {
    int64_t count = list_letters(m, word, size, codes);
    if (count <= SHORT_WORD) count = join_short(m, codes, count);
    else if (count <= room->capacity) count = join_long(m, room, codes, count);
    else {
        room->needed = count;
        return -MORE_ROOM;
    }
    count = take_apart(m, codes, count, size);
    return count < 0 ? -UNWRITABLE : count;
}

/* The same of a word that may be a code at once. */
static inline int64_t segment_word(const merger_t *m, room_t *room, const uint8_t *word, int64_t size, int32_t *codes) {
    const int64_t whole = find_whole(m, word, size);
    if (whole < 0) return merge_word(m, room, word, size, codes);
    codes[0] = m->wholes.codes[whole];
    return 1;
}

static inline int holds_unknown(const int32_t *codes, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        if (codes[i] == UNKNOWN) return 1;
    return 0;
}

/* Put the unknown code in the place of unknown letters, one for neighbours that are fused; return how many codes are
 * left. last: whether the code before these is unknown; it becomes whether the last one is. */
static inline int64_t settle(const merger_t *m, int32_t *codes, int64_t count, int *last) {
    int64_t left = 0;
    for (int64_t i = 0; i < count; i++) {
        int unknown = codes[i] == UNKNOWN;
        if (!unknown || !*last || !m->fuse) codes[left++] = unknown ? m->unknown : codes[i];
        *last = unknown;
    }
    return left;
}

/* Write the codes of one unit that is no symbol; return how many there are, or a negative status. */
static inline int64_t write_unit(const merger_t *m, room_t *room, const unit_t *unit, const uint8_t *limit,
                                 int32_t *out, int *last) {
    slot_t *slot = unit->slot;
    const int64_t size = unit->size;
    int found = holds(slot, unit->text, size, unit->part, limit);
    if (!found && !is_wide(slot) && holds(slot + 1, unit->text, size, unit->part, limit)) {
        slot++;
        found = 1;
    }
    if (found && !slot->unknown) {
        *last = 0;
        memcpy(out, room_of(slot), 4 * OUT_SLACK);
        if (slot->count > OUT_SLACK) memcpy(out, room_of(slot), 4 * (size_t)slot->count);
        return slot->count;
    }
    int64_t count = slot->count;
    int unknown = 1;
    if (found) memcpy(out, room_of(slot), 4 * (size_t)count);
    else {
        count = unit->part ? merge_word(m, room, unit->text, size, out) : segment_word(m, room, unit->text, size, out);
        if (count < 0) return count;
        unknown = holds_unknown(out, count);
        if (unknown && m->unknown == UNKNOWN) return -UNWRITABLE;
        keep(slot, unit->text, size, unit->part, out, count, unknown);
    }
    if (unknown) return settle(m, out, count, last);
    *last = 0;
    return count;
}

/* Write one record; return 0 or a negative status. */
static inline int64_t write_record(const merger_t *m, slot_t *slots, room_t *room, const records_t *r, int64_t record,
                                   state_t *state) {
    const uint8_t *limit = r->text + r->offsets[r->count];
    unit_t units[UNITS_AHEAD];
    scan_t scan = {r->text, limit, r->offsets[record], r->offsets[record + 1], r->offsets[record], 0};
    int64_t written = state->codes, words = state->words, ahead;
    int last = 0;
    if (r->bos >= 0) r->out[written++] = r->bos;
    while ((ahead = list_units(m, slots, &scan, units))) {
        for (const unit_t *unit = units; unit < units + ahead; unit++) {
            if (unit->behind_cut) last = 0;
            if (unit->symbol >= 0) {
                r->out[written++] = m->symbols.codes[unit->symbol];
                last = 0;
            } else {
                const int64_t count = write_unit(m, room, unit, limit, r->out + written, &last);
                if (count < 0) return count;
                written += count;
            }
            if (r->word_ends && unit->ends_word) r->word_ends[words++] = written;
        }
    }
    if (r->eos >= 0) r->out[written++] = r->eos;
    r->ends[record] = written;
    *state = (state_t){record + 1, written, words, 0};
    return 0;
}

/* Write records from `first` on; on a status other than DONE, state->records is the one that was not written. */
static status_t write_records(const merger_t *m, slot_t *slots, room_t *room, const records_t *r, int64_t first,
                              state_t *state) {
    for (int64_t i = first; i < r->count; i++) {
        int64_t status = write_record(m, slots, room, r, i, state);
        if (status < 0) {
            state->needed = room->needed;
            return (status_t)-status;
        }
    }
    return DONE;
}

/* Write where words begin and end, and how many there are up to each record's end; return how many there are. */
static int64_t list_words(const merger_t *m, const records_t *r, int64_t *starts, int64_t *ends) {
    int64_t words = 0, symbol;
    for (int64_t record = 0; record < r->count; record++) {
        for (int64_t at = r->offsets[record], end = r->offsets[record + 1]; at < end;) {
            if (r->text[at] == CUT) {
                at++;
                continue;
            }
            starts[words] = at;
            at = ends[words++] = word_end(m, r->text, at, end, &symbol);
        }
        r->ends[record] = words;
    }
    return words;
}
#endif

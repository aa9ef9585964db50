/* What is looked up at once: a word, a span of one, or a symbol.
 *
 * Units are found some at a time, and where the cache would have each is fetched from memory meanwhile. */
#ifndef CORPUS_BPE_UNITS_H
#define CORPUS_BPE_UNITS_H
#include <stdint.h>

#include "bpe.h"
#include "seams.h"
#include "word_cache.h"
#include "words.h"

enum {
    UNITS_AHEAD = 32,
    LEAST_CUT = 7 /* bytes: two characters of three are nearly always known */
};

/* symbol: its index, or -1. slot: the word's place in the cache. part: whether it is a span of a model that has words
 * that are a code at once. behind_cut: whether a byte CUT stands before it. */
typedef struct {
    const uint8_t *text;
    int64_t size, symbol;
    slot_t *slot;
    uint8_t part, behind_cut, ends_word;
} unit_t;

/* The record text[at:end], of which what stands before `at` is done. The word ends at `stop`; `cut`: at seams too.
 * limit: where the memory of all records ends. */
typedef struct {
    const uint8_t *text, *limit;
    int64_t at, end, stop;
    int cut;
} scan_t;

/* Say whether it pays to look for seams. Where letters are bytes, the splitter has cut ASCII already. */
static inline int is_worth_cutting(const merger_t *m, const uint8_t *word, int64_t size) {
    if (!m->near || size < LEAST_CUT) return 0;
    for (int64_t i = 0; i < size; i++)
        if (m->characters || word[i] >= 0x80) return 1;
    return 0;
}

/* Find the next unit; return 0 where the record has no more. */
static inline int next_unit(const merger_t *m, slot_t *slots, scan_t *scan, unit_t *unit) {
    int64_t begin = scan->at;
    unit->part = unit->behind_cut = 0;
    unit->symbol = -1;
    if (begin == scan->stop) {
        while (begin < scan->end && scan->text[begin] == CUT) {
            unit->behind_cut = 1;
            begin++;
        }
        if (begin == scan->end) return 0;
        scan->stop = word_end(m, scan->text, begin, scan->end, &unit->symbol);
        scan->cut = unit->symbol < 0 && is_worth_cutting(m, scan->text + begin, scan->stop - begin);
        scan->at = scan->cut ? next_seam(m, scan->text, begin, scan->stop) : scan->stop;
        unit->part = scan->at < scan->stop && m->wholes.count;
    } else {
        scan->at = next_seam(m, scan->text, begin, scan->stop);
        unit->part = m->wholes.count > 0;
    }
    unit->text = scan->text + begin;
    unit->size = scan->at - begin;
    unit->ends_word = scan->at == scan->stop;
    unit->slot = slot_of(slots, unit->text, unit->size, scan->limit);
    __builtin_prefetch(unit->slot);
    return 1;
}

static inline int64_t list_units(const merger_t *m, slot_t *slots, scan_t *scan, unit_t *units) {
    int64_t count = 0;
    while (count < UNITS_AHEAD && next_unit(m, slots, scan, units + count)) count++;
    return count;
}
#endif

/* Words of records that are drawn, and the canonical ids with drawn ones in their places. */
#ifndef CORPUS_MIXTURE_H
#define CORPUS_MIXTURE_H
#include <stdint.h>
#include <string.h>

#include "draws.h"
#include "words.h"

/* The canonical ids of a batch, word by word. */
typedef struct {
    const uint8_t *text;
    const int64_t *offsets;
    const int32_t *ids;
    const int64_t *ends;  /* of each word in `ids` */
    const uint8_t *fixed; /* by id: a word that holds one, or none, is not drawn */
    int64_t count, words, id_count, pieces;
    int cuts;
} canonical_words;

enum { WORDS_DIFFER = -1, ID_OUTSIDE = -2 };

/* Whether a word is not drawn; ID_OUTSIDE where it holds an id that does not exist. */
static inline int is_fixed(const canonical_words *c, int64_t word) {
    const int64_t begin = word ? c->ends[word - 1] : 0;
    for (int64_t i = begin; i < c->ends[word]; i++) {
        if ((uint32_t)c->ids[i] >= (uint64_t)c->pieces) return ID_OUTSIDE;
        if (c->fixed[c->ids[i]]) return 1;
    }
    return begin == c->ends[word];
}

/* Chooses each word with this chance, but those that are fixed; sample by sample of each record.
 *
 * bounds: 2 a chosen word, its first byte and its end. places: which word of the batch it is. last: the number of
 * chosen words up to the end of each segmentation. record_words: the number of words up to the end of each record.
 * Returns how many are chosen, or WORDS_DIFFER where text and ids do not have the same words. */
static inline int64_t choose(const canonical_words *c, double chance, const uint64_t *seed, uint64_t first_record,
                             uint64_t first_sample, int64_t samples, int64_t *bounds, int64_t *places, int64_t *last,
                             int64_t *record_words) {
    int64_t chosen = 0, before = 0;
    for (int64_t i = 0; i < c->count; i++) {
        int64_t word = before;
        for (int64_t k = 0; k < samples; k++) {
            const word_draws draws = draws_of(first_record + (uint64_t)i, first_sample + (uint64_t)k, seed);
            int64_t begin, end;
            word = before;
            for (int64_t at = c->offsets[i]; (end = next_word(c->text, at, c->offsets[i + 1], c->cuts, &begin)) >= 0;
                 at = end, word++) {
                if (word >= c->words) return WORDS_DIFFER;
                if (!(word_draw(&draws, (uint64_t)(word - before), 0) < chance)) continue;
                const int fixed = is_fixed(c, word);
                if (fixed < 0) return fixed;
                if (fixed) continue;
                bounds[2 * chosen] = begin;
                bounds[2 * chosen + 1] = end;
                places[chosen++] = word;
            }
            last[i * samples + k] = chosen;
        }
        record_words[i] = before = word;
    }
    return before == c->words ? chosen : WORDS_DIFFER;
}

/* Copies the ids `from` … `to`; returns where the next one goes. */
static inline int32_t *copy_ids(int32_t *out, const int32_t *ids, int64_t from, int64_t to) {
    memcpy(out, ids + from, (size_t)(to - from) * sizeof *out);
    return out + (to - from);
}

/* Drawn ids in the places of the canonical ones of the words that were chosen.
 *
 * drawn, drawn_ends: the ids of the chosen words. out: the segmentations, with bos and eos where they are not below 0.
 * ends: where each ends in `out`. same: of each chosen word, whether its canonical ids were drawn. Returns how many ids
 * there are. */
static inline int64_t weave(const canonical_words *c, const int64_t *record_words, const int64_t *places,
                            const int64_t *last, int64_t samples, const int32_t *drawn, const int64_t *drawn_ends,
                            int32_t bos, int32_t eos, int32_t *out, int64_t *ends, uint8_t *same) {
    int32_t *to = out;
    int64_t word = 0, used = 0, first = 0;
    for (int64_t i = 0; i < c->count; i++) {
        const int64_t stop = record_words[i] ? c->ends[record_words[i] - 1] : 0;
        for (int64_t k = 0; k < samples; k++) {
            int64_t at = first;
            if (bos >= 0) *to++ = bos;
            for (; word < last[i * samples + k]; word++) {
                const int64_t begin = places[word] ? c->ends[places[word] - 1] : 0, end = c->ends[places[word]];
                const int64_t size = drawn_ends[word] - used;
                to = copy_ids(to, c->ids, at, begin);
                same[word] = size == end - begin && !memcmp(drawn + used, c->ids + begin, (size_t)size * sizeof *drawn);
                to = copy_ids(to, drawn, used, drawn_ends[word]);
                used = drawn_ends[word];
                at = end;
            }
            to = copy_ids(to, c->ids, at, stop);
            if (eos >= 0) *to++ = eos;
            ends[i * samples + k] = to - out;
        }
        first = stop;
    }
    return to - out;
}
#endif

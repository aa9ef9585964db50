/* Words of records that are drawn, and the canonical ids with drawn ones in their places. */
#ifndef CORPUS_MIXTURE_H
#define CORPUS_MIXTURE_H
#include <stdint.h>
#include <string.h>

#include "../word_draws.h"

/* The canonical ids of a batch, word by word. */
typedef struct {
    const int32_t *ids;
    const int64_t *ends;    /* of each word in `ids` */
    const int64_t *records; /* how many words there are up to the end of each record */
    int64_t count, words, id_count;
} canonical_words;

static inline int64_t first_id(const canonical_words *c, int64_t word) { return word ? c->ends[word - 1] : 0; }

/* Whether a word is not drawn: it holds no id, or one that is marked in `fixed`, or -1 for one that is not there. */
static inline int is_fixed(const canonical_words *c, const uint8_t *fixed, int64_t pieces, int64_t word) {
    for (int64_t i = first_id(c, word); i < c->ends[word]; i++) {
        if ((uint32_t)c->ids[i] >= (uint64_t)pieces) return -1;
        if (fixed[c->ids[i]]) return 1;
    }
    return first_id(c, word) == c->ends[word];
}

/* Chooses each word with this chance, but those that are fixed; sample by sample of each record.
 *
 * fixed: by id, `pieces` of them. places: which words are chosen. last: their number up to the end of each
 * segmentation. Returns how many they are, or -1 where an id is outside. */
static inline int64_t choose(const canonical_words *c, const uint8_t *fixed, int64_t pieces, double chance,
                             const uint64_t *seed, uint64_t first_record, uint64_t first_sample, int64_t samples,
                             int64_t *places, int64_t *last) {
    int64_t chosen = 0, begin = 0;
    for (int64_t i = 0; i < c->count; i++) {
        for (int64_t k = 0; k < samples; k++) {
            const word_draws draws = draws_of(first_record + (uint64_t)i, first_sample + (uint64_t)k, seed);
            for (int64_t word = begin; word < c->records[i]; word++) {
                if (!(word_draw(&draws, (uint64_t)(word - begin), 0) < chance)) continue;
                const int is = is_fixed(c, fixed, pieces, word);
                if (is < 0) return -1;
                places[chosen] = word;
                chosen += !is;
            }
            last[i * samples + k] = chosen;
        }
        begin = c->records[i];
    }
    return chosen;
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
static inline int64_t weave(const canonical_words *c, const int64_t *places, const int64_t *last, int64_t samples,
                            const int32_t *drawn, const int64_t *drawn_ends, int32_t bos, int32_t eos, int32_t *out,
                            int64_t *ends, uint8_t *same) {
    int32_t *to = out;
    int64_t word = 0, used = 0, first = 0;
    for (int64_t i = 0; i < c->count; i++) {
        const int64_t stop = first_id(c, c->records[i]);
        for (int64_t k = 0; k < samples; k++) {
            int64_t at = first;
            if (bos >= 0) *to++ = bos;
            for (; word < last[i * samples + k]; word++) {
                const int64_t begin = first_id(c, places[word]), end = c->ends[places[word]];
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

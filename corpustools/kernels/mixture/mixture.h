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
 * fixed: by id, `pieces` of them. starts, stops: of each word in the text. places: which words are chosen. bounds: the
 * start and the stop of each of these. last: their number up to the end of each segmentation. Returns how many they
 * are, or -1 where an id is outside. */
static inline int64_t choose(const canonical_words *c, const uint8_t *fixed, int64_t pieces, const int64_t *starts,
                             const int64_t *stops, double chance, const uint64_t *seed, uint64_t first_record,
                             uint64_t first_sample, int64_t samples, int64_t *places, int64_t *bounds, int64_t *last) {
    int64_t chosen = 0, begin = 0;
    for (int64_t i = 0; i < c->count; i++) {
        for (int64_t k = 0; k < samples; k++) {
            const word_draws draws = draws_of(first_record + (uint64_t)i, first_sample + (uint64_t)k, seed);
            for (int64_t word = begin; word < c->records[i]; word++) {
                if (!(word_draw(&draws, (uint64_t)(word - begin), 0) < chance)) continue;
                const int is = is_fixed(c, fixed, pieces, word);
                if (is < 0) return -1;
                places[chosen] = word;
                bounds[2 * chosen] = starts[word];
                bounds[2 * chosen + 1] = stops[word];
                chosen += !is;
            }
            last[i * samples + k] = chosen;
        }
        begin = c->records[i];
    }
    return chosen;
}

/* Copies the ids `from` … `to`; returns where the next one goes. Most words have a few ids, and a call for each would
 * take longer than the ids. */
static inline int32_t *copy_ids(int32_t *out, const int32_t *ids, int64_t from, int64_t to) {
    const int64_t count = to - from;
    ids += from;
    if (count > 8) memcpy(out, ids, (size_t)count * sizeof *out);
    else if (count >= 4) {
        memcpy(out, ids, 4 * sizeof *out);
        memcpy(out + count - 4, ids + count - 4, 4 * sizeof *out);
    } else if (count >= 2) {
        memcpy(out, ids, 2 * sizeof *out);
        out[count - 1] = ids[count - 1];
    } else if (count) out[0] = ids[0];
    return out + count;
}

static inline int equal_ids(const int32_t *one, const int32_t *other, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        if (one[i] != other[i]) return 0;
    return 1;
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
                same[word] = size == end - begin && equal_ids(drawn + used, c->ids + begin, size);
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

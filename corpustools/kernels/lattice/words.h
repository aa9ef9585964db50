/* Words of records, each a lattice of its own: samples of some of them, and what is known of their distributions. */
#ifndef CORPUS_LATTICE_WORDS_H
#define CORPUS_LATTICE_WORDS_H
#include <stdint.h>
#include <string.h>

#include "hard_cuts.h"
#include "lattice.h"
#include "moments.h"
#include "records.h"
#include "word_samples.h"

/* Keys of the words that come next, and what the cache holds of them on its way to the processor. */
#define WORDS_AHEAD 8
typedef struct {
    const word_samples *samples;
    const uint8_t *text, *limit;
    const int64_t *words;
    int64_t count, known; /* of words, and of those whose keys are known */
    word_key keys[WORDS_AHEAD];
} words_ahead;

static inline const word_key *key_ahead(words_ahead *a, int64_t word) {
    for (; a->known < a->count && a->known < word + WORDS_AHEAD; a->known++) {
        const int64_t *bounds = a->words + 2 * a->known;
        word_key *k = a->keys + a->known % WORDS_AHEAD;
        key_of_word(a->text + bounds[0], bounds[1] - bounds[0], a->limit, k);
        __builtin_prefetch(place_of_word(a->samples, k));
    }
    if (word + WORDS_AHEAD / 2 < a->count) {
        const word_key *next = a->keys + (word + WORDS_AHEAD / 2) % WORDS_AHEAD;
        const uint64_t *entry = a->samples->memory + (uint32_t)*place_of_word(a->samples, next);
        __builtin_prefetch(entry);
        __builtin_prefetch(entry + 8);
    }
    return a->keys + word % WORDS_AHEAD;
}

/* Samples of words, those of segmentations first … count one after another. Segmentation s is sample s % samples of
 * record s / samples, and its words are those before last[s]. words: 2 a word, its first byte in `text` and its end. A
 * draw is keyed by where in its record it falls, as if the whole record were segmented.
 *
 * limit: the end of the text. kept: the cache of words of this lattice, or NULL. out: an id a byte, and OUT_SLACK more.
 * ends: where each word ends in `out`. Returns how many segmentations are whole: fewer than `count` where `codes` has
 * to grow, or, as -1 - segmentation, one that the vocabulary cannot write. */
static inline int64_t segment_words(const lattice *l, workspace *w, const uint8_t *text, const uint8_t *limit,
                                    const int64_t *offsets, const int64_t *words, const int64_t *last, int64_t first,
                                    int64_t count, int mode, const uint64_t *seed, uint64_t first_record,
                                    uint64_t first_sample, int64_t samples, const word_samples *kept, int32_t *out,
                                    int64_t *ends) {
    int64_t word = first ? last[first - 1] : 0, used = word ? ends[word - 1] : 0;
    words_ahead ahead = {kept, text, limit, words, count ? last[count - 1] : 0, word, {{{0}, 0, 0}}};
    clear_cells(w, 0, w->cell_capacity - 1, mode);
    for (int64_t s = first; s < count; s++) {
        const int64_t record = s / samples, start = offsets[record];
        progress fresh;
        if (word == last[s]) continue;
        begin_record(&fresh, first_record + (uint64_t)record, first_sample + (uint64_t)(s % samples), seed[0], seed[1]);
        fresh.cleared = 1; /* every whole word leaves the cells as it found them */
        for (; word < last[s]; word++) {
            const uint8_t *bytes = text + words[2 * word];
            const int64_t size = words[2 * word + 1] - words[2 * word];
            int64_t written = -1;
            fresh.origin = words[2 * word] - start;
            if (kept) written = sample_by_cache(l, kept, &fresh, bytes, key_ahead(&ahead, word), out + used);
            if (written < 0) {
                progress p = fresh;
                if (run_mode(l, w, &p, bytes, size, 1, out + used, &written, mode)) return s;
                if (p.unencodable) return -1 - s;
            }
            ends[word] = used += written;
        }
    }
    return count;
}

/* Log Z, entropy and expected number of tokens of each word: 3 numbers a word. They follow from its bytes, so that a
 * word which came before has those of that one. seen: a table of a power of two of places, seen_mask + 1: the word
 * that was met there last, plus 1. */
static inline void measure_words(const lattice *l, const double *log_weights, moment *ring, int64_t mask,
                                 const uint8_t *text, const uint8_t *limit, const int64_t *words, int64_t count,
                                 int64_t *seen, uint64_t seen_mask, double *out) {
    memset(seen, 0, 8 * (seen_mask + 1));
    for (int64_t i = 0; i < count; i++) {
        const uint8_t *word = text + words[2 * i];
        const int64_t size = words[2 * i + 1] - words[2 * i];
        word_key key;
        key_of_word(word, size, limit, &key);
        int64_t *place = seen + (key.hash & seen_mask), before = *place - 1;
        *place = i + 1;
        if (before >= 0 && words[2 * before + 1] - words[2 * before] == size &&
            !memcmp(text + words[2 * before], word, (size_t)size)) {
            memcpy(out + 3 * i, out + 3 * before, 3 * sizeof *out);
            continue;
        }
        moments p;
        memset(&p, 0, sizeof p);
        measure(l, log_weights, &p, ring, mask, word, 0, size, 1, CUT_NONE);
        out[3 * i] = p.log_z;
        out[3 * i + 1] = p.entropy;
        out[3 * i + 2] = p.length;
    }
}
#endif

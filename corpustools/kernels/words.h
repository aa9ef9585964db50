/* Words that were seen before: between two word marks U+2581 no arc of most vocabularies leaves a word, so its lattice
 * is a function of its bytes. What is kept of it is what a segmentation needs: the best path, or every cell with the arcs
 * into it. Draws stay keyed by position and sums keep their order, so the ids and log Z are those without the cache.
 *
 * Memory: a table of slots (tag << 32 | place), two for every hash, and an arena of 8-byte units; when the arena is full,
 * all is forgotten. An entry: length | blocks << 8 | count << 16, the key's bytes in whole units, then
 *   best path: margin, bound of |score|, codes (two a unit);
 *   sample:    mantissa and exponent of each block's weight; the place of each cell's first arc, relative to the entry
 *              (four a unit); arcs, latest first: the share of the cell's weight that came earlier, in 2^-32, << 32 |
 *              code << 6 | bytes. Shares are exact to one unit: a draw that comes that near is left to the lattice.
 */
#ifndef CORPUS_WORDS_H
#define CORPUS_WORDS_H
#include "blocks.h"
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define WORD_BYTES 48
#define WORD_KEYS (WORD_BYTES / 8)
#define WORD_SLOTS 65536
#define WORD_GROUP 16
#define WORD_SEEN 65536
#define WORD_LARGEST 2048 /* units: 1,176 arcs at most, and the rest */
#define WORD_CODES (1u << 26)

typedef struct word_cache {
    uint64_t used, generation, slots[WORD_SLOTS];
    uint16_t seen[WORD_SEEN]; /* tags of words that were met once: a word is learned when it comes again */
    uint64_t arena[];
} word_cache;

/* Bytes of the word that starts at `text`, a mark or more: up to the next mark behind another character. 0 where it is
 * too long, or not known to end within `left`. */
static inline int word_length(const uint8_t *text, int64_t left, int final) {
    int at = 3, most = left < WORD_BYTES + 3 ? (int)left : WORD_BYTES + 3;
    while (at + 3 <= most && is_mark(text + at)) at += 3;
#ifdef __SSE2__
    if (left >= WORD_BYTES + 32) {
        const __m128i mark = _mm_set1_epi8((char)0xE2);
        for (; at <= WORD_BYTES; at += 16) {
            unsigned hits = (unsigned)_mm_movemask_epi8(
                _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(text + at)), mark));
            for (; hits; hits &= hits - 1) {
                int hit = at + __builtin_ctz(hits);
                if (is_mark(text + hit)) return hit <= WORD_BYTES ? hit : 0;
            }
        }
        return 0;
    }
#endif
    for (; at + 3 <= most; at++)
        if (is_mark(text + at)) return at <= WORD_BYTES ? at : 0;
    return final && left <= WORD_BYTES ? (int)left : 0;
}

/* The word's bytes in whole units, zeros behind; returns their hash. */
static inline uint64_t word_key(const uint8_t *text, int length, int64_t left, uint64_t *key) {
    uint64_t hash = (uint64_t)length;
    int units = (length + 7) / 8, tail = length & 7;
    for (int i = 0; i < units; i++) {
        if (left >= 8 * (i + 1)) memcpy(key + i, text + 8 * i, 8);
        else key[i] = 0, memcpy(key + i, text + 8 * i, (size_t)(length - 8 * i));
        if (i == units - 1 && tail) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
            key[i] &= UINT64_MAX >> (64 - 8 * tail);
#else
            key[i] &= UINT64_MAX << (64 - 8 * tail);
#endif
        }
        uint64_t low, high = philox_high(hash ^ key[i], 0x9E3779B97F4A7C15u, &low);
        hash = low ^ high;
    }
    return hash;
}

/* The entry of a word, or NULL. A slot's place is the entry's unit in the arena. */
static inline const uint64_t *word_find(const word_cache *c, const uint64_t *key, int length, uint64_t hash) {
    for (int way = 0; way < 2; way++) {
        uint64_t slot = c->slots[(hash ^ (uint64_t)way) % WORD_SLOTS];
        if (slot >> 32 != hash >> 32 || (uint32_t)slot >= c->used) continue;
        const uint64_t *entry = c->arena + (uint32_t)slot;
        if ((int)(entry[0] & 255) != length) continue;
        int units = (length + 7) / 8, i = 0;
        while (i < units && entry[1 + i] == key[i]) i++;
        if (i == units) return entry;
    }
    return NULL;
}

/* All tokens of the word are pieces, and nothing but their ids is asked for. */
#define WORD_KNOWN ((uint64_t)1 << 63)

static inline int64_t word_tokens(const lattice *l, progress *p, const uint8_t *text, uint64_t kind, const uint32_t *codes,
                                  int64_t count, int32_t *out) {
    if (!(kind & WORD_KNOWN) || l->score_wanted) return write_tokens(l, p, text, codes, count, out);
    /* Not memcpy: its wide loads would wait for the codes that were just stored one by one. */
    for (int64_t i = 0; i < count; i++) ((volatile int32_t *)out)[i] = (int32_t)codes[i];
    p->previous_unknown = 0;
    return count;
}

static inline uint64_t bits_of(double value) {
    uint64_t bits;
    memcpy(&bits, &value, 8);
    return bits;
}

static inline double double_of(uint64_t bits) {
    double value;
    memcpy(&value, &bits, 8);
    return value;
}

/* Learns the best path of a word: the sums of `run`, and by how much every other path is worse. */
static inline uint64_t *learn_best(const lattice *l, const uint8_t *text, int length, uint64_t *entry, uint64_t *at) {
    double best[WORD_BYTES + 1], second[WORD_BYTES + 1], margin = INFINITY, largest = 0.0;
    uint32_t choice[WORD_BYTES + 1], codes[WORD_BYTES];
    int reach = 0, here = 0, count = 0;
    best[0] = second[0] = 0.0;
    while (here < length) {
        int64_t step;
        if (here == reach) {
            if (here && best[here] - second[here] < margin) margin = best[here] - second[here];
            best[here] = 0.0, second[here] = -INFINITY;
        }
        EACH_ARC(l, text + here, length - here, step, {
            int to = here + (int)length;
            double score = best[here] + l->scores[code], other = second[here] + l->scores[code];
            while (reach < to) reach++, best[reach] = second[reach] = -INFINITY, choice[reach] = NONE;
            if (fabs(l->scores[code]) > largest) largest = fabs(l->scores[code]);
            if (score > best[to] || choice[to] == NONE) {
                if (best[to] > other) other = best[to];
                best[to] = score;
                choice[to] = code;
            } else if (score > other) {
                other = score;
            }
            if (other > second[to]) second[to] = other;
        });
        here += (int)step;
    }
    if (best[here] - second[here] < margin) margin = best[here] - second[here];
    entry[0] |= WORD_KNOWN;
    for (here = length; here > 0; here -= (int)code_length(l, choice[here])) {
        codes[WORD_BYTES - ++count] = choice[here];
        if (choice[here] >= l->pieces) entry[0] &= ~WORD_KNOWN;
    }
    entry[0] |= (uint64_t)count << 16;
    *at++ = bits_of(margin);
    *at++ = bits_of(largest * length);
    memcpy(at, codes + WORD_BYTES - count, 4 * (size_t)count);
    return at + (count + 1) / 2;
}

/* Learns a word's cells, by running the lattice over it as `run` does. Returns NULL where the cells were rescaled. */
static __attribute__((noinline)) uint64_t *learn_cells(const lattice *l, workspace *w, const uint8_t *text, int length, uint64_t *entry,
                                    uint64_t *at) {
    uint64_t weights[2 * WORD_BYTES], records[WORD_BYTES + 1], blocks = 0, known = WORD_KNOWN;
    uint64_t *ends = at, *places, *record;
    progress p;
    /* Where the records begin depends on how many blocks there are: leave room for as many as bytes, move up after. */
    memset(&p, 0, sizeof p);
    places = ends + 2 * length;
    record = places + (length + 4) / 4;
    memset(records, 0, sizeof records);
    for (;;) {
        if (p.here == p.reach) {
            if (p.here > p.past) {
                int exponent;
                double mantissa = frexp(w->cells[p.here - p.window], &exponent);
                weights[2 * blocks] = bits_of(mantissa);
                weights[2 * blocks++ + 1] = (uint64_t)((int64_t)exponent - 640);
                for (int64_t i = 1; i <= p.here - p.window; i++) {
                    if (w->heads[i] == NONE) continue;
                    records[p.window + i] = (uint64_t)(record - entry);
                    for (uint32_t a = w->heads[i]; a != NONE; a = w->arcs[a].next) {
                        if (w->arcs[a].code >= l->pieces) known = 0;
                        uint64_t share = (uint64_t)(w->arcs[a].before / w->cells[i] * 0x1p32);
                        if (w->arcs[a].next != NONE && share == 0) share = 1; /* 0 is the last arc's alone */
                        *record++ = (share < UINT32_MAX ? share : UINT32_MAX) << 32 | w->arcs[a].code << 6 | w->arcs[a].length;
                    }
                }
                clear_cells(w, 0, p.here - p.window, SAMPLE);
            }
            if (p.here == length) break;
            begin_block(w, &p, p.here, SAMPLE);
        }
        sweep(l, w, &p, text, length, length, STOP_AT_CUTS, SAMPLE);
        if (p.shift) {
            clear_cells(w, 0, p.reach - p.window, SAMPLE);
            return NULL;
        }
    }
    int64_t down = 2 * (length - (int64_t)blocks);
    memcpy(ends, weights, 16 * blocks);
    places -= down;
    uint16_t *place = (uint16_t *)places;
    uint64_t *first = places + (length + 4) / 4;
    memmove(first, first + down, (size_t)(record - down - first) * 8);
    for (int i = 0; i <= length; i++) {
        uint16_t where = (uint16_t)(records[i] ? records[i] - (uint64_t)down : 0);
        memcpy(place + i, &where, 2);
    }
    entry[0] |= blocks << 8 | known;
    return record - down;
}

/* Puts a word into the cache that was seen once before; returns its entry, or NULL where it was not, or cannot be kept. */
static inline const uint64_t *word_learn(const lattice *l, workspace *w, const uint8_t *text, const uint64_t *key,
                                         int length, uint64_t hash, const int mode) {
    word_cache *c = w->words;
    uint64_t *slot = c->slots + hash % WORD_SLOTS, *other = c->slots + (hash ^ 1) % WORD_SLOTS;
    uint16_t *seen = c->seen + hash % WORD_SEEN, tag = (uint16_t)(hash >> 48 | 1);
    if (*seen != tag) {
        *seen = tag;
        return NULL;
    }
    if (c->used + WORD_LARGEST > (uint64_t)w->word_units) {
        memset(c->slots, 0, sizeof c->slots);
        c->used = 0;
        c->generation++;
    }
    uint64_t *entry = c->arena + c->used, *end;
    entry[0] = (uint64_t)length;
    memcpy(entry + 1, key, 8 * (size_t)((length + 7) / 8));
    end = entry + 1 + (length + 7) / 8;
    end = mode == SAMPLE ? learn_cells(l, w, text, length, entry, end) : learn_best(l, text, length, entry, end);
    if (!end) return NULL;
    if (*slot) *other = *slot;
    *slot = hash >> 32 << 32 | c->used;
    c->used += (uint64_t)(end - entry);
    return entry;
}

/* Writes the word's tokens from its entry, as the lattice would; returns their number, or -1 where float32 sums that
 * begin at `carried` might decide otherwise. */
static inline int64_t word_write(const lattice *l, progress *p, const uint8_t *text, const uint64_t *entry, int32_t *out,
                                 const int mode) {
    int length = (int)(entry[0] & 255), count;
    const uint64_t *at = entry + 1 + (length + 7) / 8;
    if (mode != SAMPLE) {
        count = (int)(entry[0] >> 16 & 255);
        const uint32_t *codes = (const uint32_t *)(at + 2);
        if (mode == VITERBI_F32) {
            /* A path of n additions is off by at most n half-units of the largest sum; two paths keep their order if
             * they differ by more than both can be off. */
            double largest = fabs(p->carried) + double_of(at[1]);
            if (largest > F32_RESET - 1.0 || !(double_of(at[0]) > largest * length * 0x1p-22)) return -1;
            for (int i = 0; i < count; i++) p->carried = (double)(float)(p->carried + l->scores[codes[i]]);
        }
        return word_tokens(l, p, text, entry[0], codes, count, out);
    }
    uint32_t codes[WORD_BYTES];
    int blocks = (int)(entry[0] >> 8 & 255), position = length;
    const uint16_t *places = (const uint16_t *)(at + 2 * blocks);
    count = 0;
    while (position > 0) {
        const uint64_t *a = entry + places[position];
        if (*a >> 32) {
            uint64_t point = draw_bits(p, p->here + position, 0) >> 32;
            while (point + 2 < *a >> 32) a++;
            if (*a >> 32 && point < (*a >> 32) + 2) return -1;
        }
        codes[WORD_BYTES - ++count] = (uint32_t)*a >> 6;
        position -= (int)(*a & 63);
    }
    for (int i = 0; l->score_wanted && i < blocks; i++) {
        int exponent;
        p->total_mantissa = frexp(p->total_mantissa * double_of(at[2 * i]), &exponent);
        p->total_exponent += exponent + (int64_t)at[2 * i + 1];
    }
    return word_tokens(l, p, text, entry[0], codes + WORD_BYTES - count, count, out);
}

/* Takes whole words from `here`, a cut, on; returns the tokens written. Stops where a word cannot be taken whole.
 * Words go through in groups, so that the memory that they need is on its way while others are looked up. */
static inline int64_t take_words(const lattice *l, workspace *w, progress *p, const uint8_t *text, int64_t limit,
                                 int final, int32_t *out, const int mode) {
    word_cache *c = w->words;
    int64_t tokens = 0;
    for (;;) {
        uint64_t keys[WORD_GROUP][WORD_KEYS], hashes[WORD_GROUP], generation = c->generation;
        const uint64_t *entries[WORD_GROUP];
        int lengths[WORD_GROUP], count = 0;
        int64_t at = p->here;
        while (count < WORD_GROUP && limit - at > 3 && is_mark(text + at)) {
            int length = word_length(text + at, limit - at, final);
            if (!length) break;
            hashes[count] = word_key(text + at, length, limit - at, keys[count]);
            __builtin_prefetch(c->slots + hashes[count] % WORD_SLOTS);
            lengths[count++] = length;
            at += length;
        }
        for (int i = 0; i < count; i++) {
            uint64_t slot = c->slots[hashes[i] % WORD_SLOTS];
            if (slot >> 32 != hashes[i] >> 32) slot = c->slots[(hashes[i] ^ 1) % WORD_SLOTS];
            const uint64_t *entry = c->arena + (uint32_t)slot;
            for (int j = 0; j < 4; j++) __builtin_prefetch(entry + 8 * j);
        }
        for (int i = 0; i < count; i++) entries[i] = word_find(c, keys[i], lengths[i], hashes[i]);
        for (int i = 0; i < count; i++) {
            const uint8_t *word = text + p->here;
            const uint64_t *entry = entries[i];
            if (!entry || c->generation != generation) {
                entry = word_find(c, keys[i], lengths[i], hashes[i]);
                if (!entry) entry = word_learn(l, w, word, keys[i], lengths[i], hashes[i], mode);
            }
            int64_t some = entry ? word_write(l, p, word, entry, out + tokens, mode) : -1;
            if (some < 0) {
                /* A word is far smaller than the workspace, so this never has to grow. */
                blocks(l, w, p, text, p->here + lengths[i], 1, 0, out + tokens, &some, mode);
            } else {
                p->here += lengths[i];
                p->past = p->window = p->reach = p->here;
            }
            tokens += some;
        }
        if (count < WORD_GROUP) return tokens;
    }
}
#endif

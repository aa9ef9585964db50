/* Walks of the trie from one start: the arcs that begin there, and what each adds to the cell that it ends in. */
#ifndef CORPUS_WALK_H
#define CORPUS_WALK_H
#include <stdint.h>

#include "lattice.h"
#include "trie.h"

/* Which of `heads` stands for the character of up to 3 bytes; -1 where it is malformed. */
static inline int32_t head_index(const uint8_t *text, int length) {
    int32_t code;
    if (length == 1) return text[0] < 0x80 ? text[0] : -1;
    if ((text[1] & 0xC0) != 0x80) return -1;
    if (length == 2) {
        code = (text[0] & 31) << 6 | (text[1] & 63);
        return code >= 0x80 ? code : -1;
    }
    if ((text[2] & 0xC0) != 0x80) return -1;
    code = (text[0] & 15) << 12 | (text[1] & 63) << 6 | (text[2] & 63);
    return code >= 0x800 ? code : -1;
}

/* The unit behind the character of `length` bytes; 0 where no piece begins with it. */
static inline uint64_t head_unit(const lattice *l, const uint8_t *text, int length) {
    if (length == 4) return trie_find(l->units, text, 4);
    int32_t index = head_index(text, length);
    return index >= 0 ? l->heads[index] : 0;
}

/* The child's node, or one of no unit. */
static inline node node_step(const node *nodes, uint32_t base, uint8_t byte) {
    node n = nodes[base ^ byte];
    n.unit = TRIE_LABEL(n.unit) == byte + 1u ? n.unit : 0;
    return n;
}

static inline node head_node(const lattice *l, const uint8_t *text, int length) {
    node n = {0, 0.0};
    if (length == 4) {
        uint32_t base = TRIE_ROOT;
        for (int i = 0; i < 4; i++) {
            n = node_step(l->nodes, base, text[i]);
            if (!n.unit) return n;
            base = TRIE_BASE(n.unit);
        }
        return n;
    }
    int32_t index = head_index(text, length);
    return index >= 0 ? l->starts[index] : n;
}

/* Runs BODY for every arc that starts at `text`, shortest first, with its `length` and `code`; leaves the bytes to the
 * next start in `step`. */
#define EACH_ARC(l, text, left, step, ...)                                             \
    do {                                                                               \
        const uint8_t *text_ = (text);                                                 \
        int64_t left_ = (left);                                                        \
        uint64_t unit_;                                                                \
        int64_t at_;                                                                   \
        int known_ = 0;                                                                \
        step = step_length((l), text_, left_);                                         \
        if ((l)->character) {                                                          \
            unit_ = head_unit((l), text_, (int)step);                                  \
            at_ = step;                                                                \
        } else {                                                                       \
            uint64_t one_ = trie_step((l)->units, TRIE_ROOT, text_[0]);                \
            if (TRIE_VALUE(one_)) {                                                    \
                uint32_t length = 1, code = TRIE_VALUE(one_) - 1;                      \
                known_ = step == 1;                                                    \
                __VA_ARGS__                                                            \
            }                                                                          \
            unit_ = left_ > 1 ? (l)->heads[(uint32_t)text_[0] << 8 | text_[1]] : 0;    \
            at_ = 2;                                                                   \
        }                                                                              \
        while (unit_) {                                                                \
            if (TRIE_VALUE(unit_)) {                                                   \
                uint32_t length = (uint32_t)at_, code = TRIE_VALUE(unit_) - 1;         \
                known_ |= at_ == step;                                                 \
                __VA_ARGS__                                                            \
            }                                                                          \
            if (at_ >= left_) break;                                                   \
            unit_ = trie_step((l)->units, TRIE_BASE(unit_), text_[at_]);               \
            at_++;                                                                     \
        }                                                                              \
        if (!known_) {                                                                 \
            uint32_t length = (uint32_t)step, code = (l)->pieces + (uint32_t)step - 1; \
            __VA_ARGS__                                                                \
        }                                                                              \
    } while (0)

/* The bytes of an arc by its code. */
static inline int64_t code_length(const lattice *l, uint32_t code) {
    return code < l->pieces ? l->lengths[code] : code - l->pieces + 1;
}

/* What the inner loop touches, in registers: the compiler has to assume that a store changes anything it reads through
 * a pointer it does not know. Indexes are relative to the frontier. */
typedef struct {
    double *cells;
    int32_t *exponents;
    uint32_t *heads;
    uint64_t *choices;
    arc *arcs;
    int64_t here, reach, used;
} cursor;

/* Takes one step of a walk into account: the piece `code_and_one` - 1 of weight or score `value` ends `length` bytes
 * on, or with 0 none does. Without a branch, because nobody can predict which: the value of none changes nothing. */
static inline __attribute__((always_inline)) void add_step(cursor *h, double from, uint32_t length,
                                                           uint32_t code_and_one, double value, const int mode) {
    int64_t index = h->here + length, code = (int64_t)code_and_one - 1;
    h->reach = code_and_one && index > h->reach ? index : h->reach;
    double before = mode == VITERBI_F32 ? 0.0 : h->cells[index];
    if (mode == SAMPLE) {
        arc *a = h->arcs + h->used;
        uint32_t head = h->heads[index];
        a->before = before;
        a->code = (uint32_t)code;
        a->length = length;
        a->next = head;
        h->heads[index] = code_and_one ? (uint32_t)h->used : head;
        h->used += code_and_one != 0;
        h->cells[index] = before + from * value;
    } else {
        uint64_t choice = h->choices[index];
        int better;
        if (mode == VITERBI_F32) {
            float *cell = (float *)h->cells + index, score = (float)from + (float)value;
            better = score > *cell;
            *cell = better ? score : *cell;
        } else {
            double score = from + value;
            better = score > before;
            h->cells[index] = better ? score : before;
        }
        h->choices[index] = better ? (uint64_t)code << 32 | length : choice;
    }
}

/* Adds an arc where weights have exponents of their own, or where paths compete as they arrive. */
static inline __attribute__((always_inline)) void add_wide(const lattice *l, cursor *h, const progress *p, double from,
                                                           int32_t from_exponent, uint32_t length, uint32_t code,
                                                           const int mode) {
    int64_t index = h->here + length;
    double weight = from * l->weights[code], before = h->cells[index];
    int32_t exponent = from_exponent + l->exponents[code];
    if (index > h->reach) h->reach = index;
    if (before == 0.0) {
        h->exponents[index] = exponent;
    } else if (exponent > h->exponents[index]) {
        before = scaled(before, (int64_t)h->exponents[index] - exponent);
        h->exponents[index] = exponent;
    } else {
        weight = scaled(weight, (int64_t)exponent - h->exponents[index]);
        exponent = h->exponents[index];
    }
    if (mode == ARRIVAL) {
        int taken = h->choices[index] == 0 || draw(p, p->here + length, length) * (before + weight) < weight;
        h->choices[index] = taken ? (uint64_t)code << 32 | length : h->choices[index];
        h->cells[index] = taken ? weight : before;
        return;
    }
    arc *a = h->arcs + h->used;
    a->before = before;
    a->exponent = exponent;
    a->code = code;
    a->length = length;
    a->next = h->heads[index];
    h->heads[index] = (uint32_t)h->used++;
    h->cells[index] = before + weight;
}

/* Adds all arcs that start at `text`; returns the bytes to the next start. */
static inline __attribute__((always_inline)) int64_t expand(const lattice *l, cursor *h, const progress *p, double from,
                                                            int32_t exponent, const uint8_t *text, int64_t left,
                                                            const int mode) {
    int64_t step;
    if (mode >= SAMPLE_WIDE) {
        EACH_ARC(l, text, left, step, { add_wide(l, h, p, from, exponent, length, code, mode); });
        return step;
    }
    node n = {0, 0.0};
    uint32_t at, known = 0;
    step = step_length(l, text, left);
    if (l->character) {
        n = head_node(l, text, (int)step);
        at = (uint32_t)step;
        known = TRIE_VALUE(n.unit);
    } else {
        node one = node_step(l->nodes, TRIE_ROOT, text[0]);
        if (TRIE_VALUE(one.unit)) add_step(h, from, 1, TRIE_VALUE(one.unit), one.value, mode);
        known = step == 1 ? TRIE_VALUE(one.unit) : 0;
        if (left > 1) n = l->starts[(uint32_t)text[0] << 8 | text[1]];
        at = 2;
    }
    while (n.unit) {
        add_step(h, from, at, TRIE_VALUE(n.unit), n.value, mode);
        if (at == step) known = TRIE_VALUE(n.unit);
        if (at >= left) break;
        uint8_t byte = text[at++];
        n = node_step(l->nodes, TRIE_BASE(n.unit), byte);
        if (byte >= 0xC0 && l->character) {
            /* Inside a character no piece ends. */
            uint32_t end = at + (byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : 3);
            if (end > left) break;
            while (n.unit && at < end) n = node_step(l->nodes, TRIE_BASE(n.unit), text[at++]);
        }
    }
    if (!known) {
        uint32_t code = l->pieces + (uint32_t)step - 1;
        add_step(h, from, (uint32_t)step, code + 1, mode == SAMPLE ? l->weights[code] : l->scores[code], mode);
    }
    return step;
}

/* All arcs of one lattice, by start and then by length: three numbers an arc, start, length, code. Returns how many
 * there are, though no more than `capacity` are written. */
static inline int64_t list_arcs(const lattice *l, const uint8_t *text, int64_t size, int64_t *out, int64_t capacity) {
    int64_t count = 0, here = 0;
    while (here < size) {
        int64_t step;
        EACH_ARC(l, text + here, size - here, step, {
            if (count < capacity) out[3 * count] = here, out[3 * count + 1] = length, out[3 * count + 2] = code;
            count++;
        });
        here += step;
    }
    return count;
}
#endif

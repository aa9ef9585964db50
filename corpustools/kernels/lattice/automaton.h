/* Byte vocabularies as an Aho-Corasick automaton (Aho and Corasick 1975): one walk over a text tells at each byte all
 * pieces that end there.
 *
 * A unit is 64 bits: the byte that leads here (8 bits), its list: first line (20 bits), arcs (6 bits), bytes of the
 * longest or 1 (8 bits); and the base of its children, or where it has none that of the longest suffix that has (22
 * bits). The child under byte b stands at base ^ b, as in trie.h. An empty slot has a byte under which it belongs to no
 * base in use. fails[base] is where to look for a child that is not under `base`: under the longest suffix that has
 * children.
 *
 * A list holds the arcs of the pieces of two bytes and more that end in a state, longest first, five to a line of the
 * cache; the rest of its last line is filled with arcs of no weight. Single bytes stand in a table of their own.
 */
#ifndef CORPUS_AUTOMATON_H
#define CORPUS_AUTOMATON_H
#include <stdint.h>
#include <string.h>

#include "lattice.h"
#include "trie.h"

#define AHO_LINE_ARCS 5 /* arcs of one line */
#define AHO_BASES ((int64_t)1 << 22)
#define AHO_LINES ((int64_t)1 << 20)
#define AHO_LIST 63        /* arcs of one list */
#define AHO_LONGEST 255    /* bytes of a piece */
#define AHO_CODES 0xFFFFFF /* codes below; this one fills lines */
#define AHO_LINE(unit) ((uint32_t)((unit) >> 8) & 0xFFFFFu)
#define AHO_COUNT(unit) ((uint32_t)((unit) >> 28) & 63u)
#define AHO_BYTES(unit) ((uint32_t)((unit) >> 34) & 255u)
#define AHO_BASE(unit) ((uint32_t)((unit) >> 42))
#define AHO_LISTS 0x3FFFFFFFF00u /* the bits of line, count and bytes */
#define AHO_NO_LIST ((uint64_t)1 << 34)
#define AHO_ARC(code, length) ((uint32_t)(code) << 8 | (256u - (length)))
#define AHO_LENGTH(arc) (256u - ((arc) & 255u))

/* A cache line. An arc is AHO_ARC(code, bytes); its value the score or the weight, of what fills lines -inf or
 * 0. */
typedef struct {
    double values[AHO_LINE_ARCS];
    uint32_t arcs[AHO_LINE_ARCS], none;
} aho_line;

typedef struct automaton {
    const uint64_t *units;
    const uint32_t *fails;
    const aho_line *lines;
    const uint32_t *singles; /* the arc of each byte */
    const double *single_values;
    uint32_t root;
    int complete; /* each byte is a piece */
} automaton;

/* The automaton while it is built: the trie, what becomes of it, and lists of children, by base. */
typedef struct {
    const uint64_t *trie;
    int64_t size;
    uint64_t *units;
    uint32_t *arcs;
    uint32_t *child, *sibling; /* the first child of a base, 0 for none, and the next one of a unit */
    int64_t lines, used;       /* lines of arcs: how many there are, and are filled */
} aho_links;

/* Lists the children of every base but the root's, and sets the byte of every unit. */
static inline void aho_label(const aho_links *b) {
    memset(b->child, 0, (size_t)(b->size + 256) * sizeof *b->child);
    for (int64_t i = TRIE_ROOT; i < b->size; i++) {
        uint32_t label = TRIE_LABEL(b->trie[i]), base = (uint32_t)i ^ (label - 1);
        if (!label || base == TRIE_ROOT) continue;
        b->sibling[i] = b->child[base];
        b->child[base] = (uint32_t)i;
    }
    for (int64_t i = 0; i < b->size; i++) {
        uint32_t label = TRIE_LABEL(b->trie[i]), other = 0;
        /* A base in use has a child, so a page of 256 with an empty slot has a base that is not in use. */
        if (!label || (label - 1) == ((uint32_t)i ^ TRIE_ROOT)) {
            while (b->child[(uint32_t)i ^ other]) other++;
            b->units[i] = other;
        } else {
            b->units[i] = label - 1;
        }
    }
}

/* Writes the list of a state in which piece `value` - 1, `depth` bytes long, ends and then what is in `list`; returns
 * the bits of a unit that name it, or 0 where something does not fit. */
static inline uint64_t aho_list(aho_links *b, uint32_t value, uint32_t depth, uint64_t list) {
    uint32_t count = AHO_COUNT(list), *own = b->arcs + b->used * AHO_LINE_ARCS;
    int64_t more = count / AHO_LINE_ARCS + 1, first = b->used;
    if (depth > AHO_LONGEST || value > AHO_CODES || count == AHO_LIST) return 0;
    if (first + more > b->lines || first + more > AHO_LINES) return 0;
    own[0] = AHO_ARC(value - 1, depth);
    memcpy(own + 1, b->arcs + AHO_LINE(list) * AHO_LINE_ARCS, count * sizeof *own);
    for (int64_t k = count + 1; k < more * AHO_LINE_ARCS; k++) own[k] = AHO_ARC(AHO_CODES, AHO_LENGTH(own[count]));
    b->used += more;
    return (uint64_t)first << 8 | (uint64_t)(count + 1) << 28 | (uint64_t)depth << 34;
}

/* Links the automaton to the trie of `size` units; the root moves to a page of its own behind them, where every byte
 * has a child. units, fails: size + 256 each. arcs: five for each of `lines`. singles: 256, of a byte that is no
 * piece the code `unknown`. scratch: 4 * (size + 256). Returns the lines, or -1 where something does not fit. */
static inline int64_t aho_build(const uint64_t *trie, int64_t size, uint64_t *units, uint32_t *fails, uint32_t *arcs,
                                int64_t lines, uint32_t *singles, uint32_t unknown, uint32_t *scratch) {
    const int64_t all = size + 256;
    const uint32_t root = (uint32_t)size;
    aho_links b = {trie, size, units, arcs, scratch, scratch + all, lines, 1};
    uint32_t *queue = scratch + 2 * all, *suffix = queue + all, depth = 1;
    int64_t head = 0, tail = 0, level_end;
    if (all > AHO_BASES || lines < 1) return -1;
    for (int64_t i = 0; i < all; i++) fails[i] = root;
    aho_label(&b);
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint64_t unit = trie_step(trie, TRIE_ROOT, (uint8_t)byte);
        units[root ^ byte] = byte | AHO_NO_LIST | (uint64_t)root << 42;
        singles[byte] = AHO_ARC(TRIE_VALUE(unit) ? TRIE_VALUE(unit) - 1 : unknown, 1);
        suffix[root ^ byte] = NONE;
        if (unit) queue[tail++] = root ^ byte;
    }
    for (int k = 0; k < AHO_LINE_ARCS; k++) arcs[k] = AHO_ARC(AHO_CODES, 2u);
    level_end = tail;
    while (head < tail) { /* level by level, so that a state's longest suffix is done before it */
        if (head == level_end) level_end = tail, depth++;
        uint32_t at = queue[head++], to = suffix[at];
        uint64_t unit = trie[depth == 1 ? TRIE_ROOT ^ (at ^ root) : at];
        uint64_t list = to == NONE ? AHO_NO_LIST : units[to] & AHO_LISTS;
        uint32_t base = TRIE_BASE(unit), value = TRIE_VALUE(unit), longer = to == NONE ? root : AHO_BASE(units[to]);
        if (value && depth > 1) list = aho_list(&b, value, depth, list);
        if (!list) return -1;
        units[at] = (units[at] & 255u) | list | (uint64_t)(base ? base : longer) << 42;
        if (!base) continue;
        fails[base] = longer;
        for (uint32_t next = b.child[base]; next; next = b.sibling[next]) {
            uint32_t byte = (uint32_t)units[next] & 255u, under = longer;
            while (((uint32_t)units[under ^ byte] & 255u) != byte) under = fails[under];
            suffix[next] = under ^ byte;
            queue[tail++] = next;
        }
    }
    return b.used;
}

/* Whether no step from any unit leads outside the arrays. */
static inline int aho_valid(const automaton *a, int64_t size, int64_t lines) {
    if (size < 256 || a->root != size - 256) return 0;
    for (int64_t i = 0; i < size; i++) {
        int64_t more = (AHO_COUNT(a->units[i]) + AHO_LINE_ARCS - 1) / AHO_LINE_ARCS;
        if ((AHO_BASE(a->units[i]) | 255) >= size || (a->fails[i] | 255) >= size) return 0;
        if (AHO_LINE(a->units[i]) + (more ? more : 1) > lines) return 0;
    }
    for (uint32_t byte = 0; byte < 256; byte++)
        if (((uint32_t)a->units[a->root ^ byte] & 255u) != byte) return 0;
    return 1;
}
#endif

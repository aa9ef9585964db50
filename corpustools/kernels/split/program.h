/* From a record to its marked bytes: what is done to it.
 *
 *     record    Hi<|end|>it's 42              UTF-8, checked first (check.h)
 *     tokens    Hi | TOKEN | it's 42          added tokens are found (find.h) and stand as characters beyond Unicode
 *     parts     Hi | TOKEN | it | 's |  42    each text is cut by one cutter behind another (match.h, stream.h)
 *               or gets marks for its spaces, and is cut before them (marks.h)
 *     written   with 0xFF between the parts
 *
 * A cutter is a deterministic automaton made of a regular expression. It reads columns: a byte of ASCII is its own, any
 * other character has that of its class, and the end of the text has one too. An entry says where to go on, and what
 * is known before the character is taken. */
#ifndef CORPUS_SPLIT_PROGRAM_H
#define CORPUS_SPLIT_PROGRAM_H
#include <stdint.h>

enum { MOST_CUTTERS = 12, ROW = 256, END_COLUMN = 255, BLOCKS = 0x1100, MARK_CUT = 0xFF };

/* What an entry says of the match so far: nothing new; it ended right here and no longer one is possible; it may end
 * here, and that has to be remembered; it cannot go on, and ended where that was last remembered; it cannot go on, and
 * ended before the last character. */
typedef enum { GO_ON, ENDED, MAY_END, FAILED, ENDED_BEFORE } verdict_t;

/* blocks, classes: the column of the code point c is classes[256 * blocks[c >> 8] + (c & 255)]. Without blocks the text
 * is taken byte by byte, and the column of a byte b is classes[b].
 * next, verdicts: rows of 256 entries; the first row is the start. An entry of `next` is where its row begins; behind
 * ENDED, where the next match stands that begins with this character.
 * total: a match begins at every character, and an end of it is known before a second one is taken. */
typedef struct {
    const uint16_t *blocks;
    const uint8_t *classes;
    const uint16_t *next;
    const uint8_t *verdicts;
    int total;
} cutter_t;

/* What becomes of a token that is found: its id, or one of these. */
enum { PASSED_OVER = -1, NOT_DONE_HERE = -2 };

/* firsts, seconds: a token may begin with two bytes a, b only if firsts[a] & seconds[b].
 * units: the tokens as a double array whose values are indices of actions; NULL where there are none. */
typedef struct {
    const uint8_t *firsts;
    const uint8_t *seconds;
    const uint64_t *units;
    const int32_t *actions;
} finder_t;

/* When a mark is put before a text: never, always, unless it has one, or likewise at the start of a record only. */
enum { NO_PREFIX, ALWAYS, UNLESS_MARKED, AT_START };

/* mark: what a space becomes, 1 to 4 bytes. cuts: whether a part begins at each mark.
 * rewrites: the normalizer does this, so that normal tokens are looked for in what it makes.
 * words, sizes: the bytes that each byte becomes, a cut among them, and how many; 0 for a byte that may begin a mark.
 */
typedef struct {
    const uint8_t *prefix;
    int64_t prefix_size;
    const uint8_t *mark;
    int64_t mark_size;
    int scheme;
    int cuts;
    int rewrites;
    uint64_t words[256];
    uint8_t sizes[256];
} marks_t;

/* raw, normal: the tokens that are found in the record, and in its text once that is normalised.
 * orders: two-stage table like a cutter's, of what the canonical composition makes of a character: 0 nothing, 1 it has
 * to be looked at, more: a mark with this place in the order of marks. NULL where no text is composed.
 * space: whether a text is cut as if a space stood before it, unless one does.
 * marks: NULL where text is cut. */
typedef struct {
    finder_t raw;
    finder_t normal;
    const uint16_t *order_blocks;
    const uint8_t *orders;
    cutter_t cutters[MOST_CUTTERS];
    int count;
    int space;
    const marks_t *marks;
} program_t;

/* The bytes of a valid character. */
static inline int character_size(uint8_t lead) { return lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4; }

/* The code point of a valid character that is no ASCII. */
static inline uint32_t code_point(const uint8_t *at) {
    uint32_t lead = at[0];
    if (lead < 0xE0) return (lead & 31) << 6 | (at[1] & 63);
    if (lead < 0xF0) return (lead & 15) << 12 | (uint32_t)(at[1] & 63) << 6 | (at[2] & 63);
    return (lead & 7) << 18 | (uint32_t)(at[1] & 63) << 12 | (uint32_t)(at[2] & 63) << 6 | (at[3] & 63);
}

/* What a two-stage table has for a code point. */
static inline uint8_t looked_up(const uint16_t *blocks, const uint8_t *values, uint32_t code) {
    return values[(uint32_t)blocks[code >> 8] << 8 | (code & 255)];
}

/* The column of the character at `at`, and its bytes. */
static inline uint32_t column_of(const cutter_t *c, const uint8_t *at) {
    if (!c->blocks) return c->classes[*at];
    return *at < 0x80 ? *at : looked_up(c->blocks, c->classes, code_point(at));
}
static inline int size_of(const cutter_t *c, const uint8_t *at) { return c->blocks ? character_size(*at) : 1; }

/* Where the character before `at` begins. */
static inline const uint8_t *before(const cutter_t *c, const uint8_t *at) {
    do at--;
    while (c->blocks && (*at & 0xC0) == 0x80);
    return at;
}
#endif

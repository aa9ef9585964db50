/* One text out of each of many JSON lines: what a line may be, and the state of its reader.
 *
 *     {"id": 7, "meta": {"text": "caf\u00e9"}, "tags": ["a"]}        field: meta.text
 *      |         |        |       |
 *      key       key      key     value: unescaped into the output, as UTF-8
 *                depth 1  depth 2
 *
 * A line is read once for its UTF-8 and once for its grammar. Strings that are not wanted are unescaped as well, into
 * room behind the text, which the next string overwrites: so there is one way through a string. */
#ifndef CORPUS_JSON_H
#define CORPUS_JSON_H
#include <stdint.h>

enum {
    /* Objects and lists inside one another, the outermost included. */
    DEEPEST = 1024,
    /* Bytes behind the output that are written in vain: strings are copied in steps. */
    OUT_SLACK = 32
};

/* What a line is found to be. The twin's VERDICTS has the words, in the same order. */
typedef enum { TAKEN, BLANK, NO_JSON, NO_UTF8, TOO_DEEP, MISSING, IS_NULL, WRONG_TYPE, HALF_PAIR } verdict_t;

/* The keys of the wanted text, from the outermost object inwards: key i is names[ends[i - 1]:ends[i]]. */
typedef struct {
    const uint8_t *names;
    const int64_t *ends;
    int64_t keys;
} field_t;

/* What is wanted of a value: nothing, an object on the way to the text, or the text. */
typedef enum { ANY, INNER, WANTED } role_t;

/* The reader of one line.
 *
 * at, end: the next byte and the end of the line. limit: up to where bytes may be read, the line's end or behind it.
 * out, written: where the text goes, and how much of it there is.
 * lists: a bit for each open bracket, 1 for a list. depth: open brackets.
 * matched: how many of the innermost brackets' objects lie on the field's way, one inside the other.
 * found, place: what the field was last found to be, and where; before its first key, where its object begins.
 * half_pair: whether a string had half of a surrogate pair. */
typedef struct {
    const uint8_t *at;
    const uint8_t *end;
    const uint8_t *limit;
    uint8_t *out;
    int64_t written;
    int64_t depth;
    int64_t matched;
    verdict_t found;
    const uint8_t *place;
    int half_pair;
    uint64_t lists[DEEPEST / 64];
} reader_t;

/* A hexadecimal digit's value with 16 added; 0 for other bytes. */
static const uint8_t hex_digits[256] = {
    ['0'] = 16, ['1'] = 17, ['2'] = 18, ['3'] = 19, ['4'] = 20, ['5'] = 21, ['6'] = 22, ['7'] = 23,
    ['8'] = 24, ['9'] = 25, ['a'] = 26, ['b'] = 27, ['c'] = 28, ['d'] = 29, ['e'] = 30, ['f'] = 31,
    ['A'] = 26, ['B'] = 27, ['C'] = 28, ['D'] = 29, ['E'] = 30, ['F'] = 31,
};

/* What a backslash and a letter stand for; 0 for other letters. `u` is read by itself. */
static const uint8_t short_escapes[256] = {
    ['"'] = '"', ['\\'] = '\\', ['/'] = '/', ['b'] = '\b', ['f'] = '\f', ['n'] = '\n', ['r'] = '\r', ['t'] = '\t',
};

/* The code unit of `\uXXXX` at a backslash, or -1 where there is none before `end`. */
static inline int32_t code_unit(const uint8_t *at, const uint8_t *end) {
    if (end - at < 6 || at[0] != '\\' || at[1] != 'u') return -1;
    uint32_t a = hex_digits[at[2]], b = hex_digits[at[3]], c = hex_digits[at[4]], d = hex_digits[at[5]];
    if (!(a & b & c & d & 16)) return -1;
    return (int32_t)((a & 15) << 12 | (b & 15) << 8 | (c & 15) << 4 | (d & 15));
}

/* Writes a code point; half of a surrogate pair like any other of its size. Returns the byte behind it. */
static inline uint8_t *put_code_point(uint8_t *to, uint32_t code) {
    if (code < 0x80) {
        *to++ = (uint8_t)code;
    } else if (code < 0x800) {
        *to++ = (uint8_t)(0xC0 | code >> 6);
        *to++ = (uint8_t)(0x80 | (code & 63));
    } else if (code < 0x10000) {
        *to++ = (uint8_t)(0xE0 | code >> 12);
        *to++ = (uint8_t)(0x80 | (code >> 6 & 63));
        *to++ = (uint8_t)(0x80 | (code & 63));
    } else {
        *to++ = (uint8_t)(0xF0 | code >> 18);
        *to++ = (uint8_t)(0x80 | (code >> 12 & 63));
        *to++ = (uint8_t)(0x80 | (code >> 6 & 63));
        *to++ = (uint8_t)(0x80 | (code & 63));
    }
    return to;
}

/* Reads escapes as long as one follows another, from the backslash at r->at on; moves r->at behind them. Returns the
 * byte behind what was written, or NULL at what is no escape. */
static inline uint8_t *read_escapes(reader_t *r, uint8_t *to) {
    const uint8_t *at = r->at;
    while (at < r->end && *at == '\\') {
        int32_t unit = code_unit(at, r->end);
        if (unit >= 0) {
            uint32_t code = (uint32_t)unit;
            at += 6;
            if ((code & 0xF800) == 0xD800) {
                int32_t low = code < 0xDC00 ? code_unit(at, r->end) : -1;
                if (low >= 0xDC00 && low < 0xE000) {
                    code = 0x10000 + ((code - 0xD800) << 10) + ((uint32_t)low - 0xDC00);
                    at += 6;
                } else {
                    r->half_pair = 1;
                }
            }
            to = put_code_point(to, code);
        } else if (r->end - at >= 2 && short_escapes[at[1]]) {
            *to++ = short_escapes[at[1]];
            at += 2;
        } else {
            r->at = at;
            return 0;
        }
    }
    r->at = at;
    return to;
}

/* Where a number that begins at `at` ends; `at` itself where none does. Behind `1.` and `1e` it ends before the letter,
 * as in Python's json: what follows is an error then. */
static inline const uint8_t *number_end(const uint8_t *at, const uint8_t *end) {
    const uint8_t *next = at;
    if (next < end && *next == '-') next++;
    if (next == end || *next < '0' || *next > '9') return at;
    if (*next++ != '0')
        while (next < end && *next >= '0' && *next <= '9') next++;
    const uint8_t *part = next;
    if (part < end && *part == '.') {
        const uint8_t *digits = ++part;
        while (part < end && *part >= '0' && *part <= '9') part++;
        if (part > digits) next = part;
    }
    part = next;
    if (part < end && (*part | 32) == 'e') {
        part++;
        if (part < end && (*part == '+' || *part == '-')) part++;
        const uint8_t *digits = part;
        while (part < end && *part >= '0' && *part <= '9') part++;
        if (part > digits) next = part;
    }
    return next;
}

static inline const uint8_t *skip_space(const uint8_t *at, const uint8_t *end) {
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')) at++;
    return at;
}
#endif

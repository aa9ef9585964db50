/* Lines: the strict grammar of JSON, with what Python's json takes beyond it (NaN, Infinity), and the text of a field.
 *
 * Included once per instruction set by dispatch.h, behind string_loops.h. */
#include "json.h"
#include <string.h>

/* Reads a string that is not kept, or a key: its end behind `written` bytes of the text, or NULL. */
static inline TARGET const uint8_t *NAME(skip_string)(reader_t *r) {
    r->at++;
    return NAME(read_string)(r, r->out + r->written);
}

/* Reads a key and its colon up to the value; returns what is wanted of that value, or -1 with r->at at a wrong byte. */
static inline TARGET int NAME(read_key)(reader_t *r, const field_t *field) {
    const uint8_t *name = r->out + r->written;
    if (r->at == r->end || *r->at != '"') return -1;
    const uint8_t *name_end = NAME(skip_string)(r);
    if (!name_end) return -1;
    r->at = skip_space(r->at, r->end);
    if (r->at == r->end || *r->at != ':') return -1;
    r->at = skip_space(r->at + 1, r->end);
    if (r->matched != r->depth || r->depth > field->keys) return ANY;
    const int64_t begin = r->depth > 1 ? field->ends[r->depth - 2] : 0, size = field->ends[r->depth - 1] - begin;
    if (name_end - name != size || memcmp(name, field->names + begin, (size_t)size)) return ANY;
    /* Of a key that stands twice the last counts. */
    r->found = MISSING;
    r->written = 0;
    return r->depth == field->keys ? WANTED : INNER;
}

/* Reads an opening bracket at r->at; returns 0 where it is one too many. */
static inline TARGET int NAME(open_bracket)(reader_t *r, role_t role, int list) {
    if (r->depth == DEEPEST) return 0;
    const uint64_t bit = (uint64_t)1 << (r->depth & 63);
    uint64_t *lists = r->lists + (r->depth >> 6);
    *lists = list ? *lists | bit : *lists & ~bit;
    r->depth++;
    r->at = skip_space(r->at + 1, r->end);
    if (role == INNER && !list) {
        r->matched = r->depth;
        r->found = MISSING;
    }
    return 1;
}

/* Whether the innermost open bracket is that of a list. */
static inline TARGET int NAME(in_list)(const reader_t *r) {
    return r->lists[(r->depth - 1) >> 6] >> ((r->depth - 1) & 63) & 1;
}

/* Reads a value that is neither an object nor a list; returns 0 at what is no value. */
static inline TARGET int NAME(read_scalar)(reader_t *r, role_t role) {
    const uint8_t *at = r->at;
    const int64_t left = r->end - at;
    if (left && *at == '"') {
        r->half_pair = 0;
        const uint8_t *text_end = NAME(skip_string)(r);
        if (text_end && role == WANTED) {
            r->written = text_end - r->out;
            r->found = r->half_pair ? HALF_PAIR : TAKEN;
        }
        return text_end != 0;
    }
    const uint8_t *end = number_end(at, r->end);
    if (end == at) {
        static const struct {
            const char *word;
            int64_t size;
        } literals[] = {{"null", 4}, {"true", 4}, {"false", 5}, {"NaN", 3}, {"Infinity", 8}, {"-Infinity", 9}};
        for (int i = 0; i < 6; i++)
            if (left >= literals[i].size && !memcmp(at, literals[i].word, (size_t)literals[i].size))
                end = at + literals[i].size;
    }
    /* A line that is null is no object; a field may be null. */
    if (role != ANY && r->depth && end > at && *at == 'n') r->found = IS_NULL;
    r->at = end;
    return end > at;
}

/* Goes on behind a value: over closing brackets to the next value or key, or to the end of the line. Returns 1 where a
 * value or a key follows, 0 at the end, -1 at what cannot be. */
static inline TARGET int NAME(after_value)(reader_t *r) {
    for (;;) {
        r->at = skip_space(r->at, r->end);
        if (!r->depth) return r->at == r->end ? 0 : -1;
        if (r->at == r->end) return -1;
        const int list = NAME(in_list)(r);
        if (*r->at == ',') {
            r->at = skip_space(r->at + 1, r->end);
            return 1;
        }
        if (*r->at != (list ? ']' : '}')) return -1;
        r->at++;
        r->depth--;
        if (r->matched > r->depth) r->matched = r->depth;
    }
}

/* Reads the line behind its first white space. Returns what the field is, or what the line is instead. */
static inline TARGET verdict_t NAME(read_values)(reader_t *r, const field_t *field) {
    int role = INNER;
    for (;;) {
        if (role != ANY) {
            r->found = WRONG_TYPE;
            r->place = r->at;
        }
        const uint8_t byte = r->at < r->end ? *r->at : 0;
        int next;
        if (byte == '{' || byte == '[') {
            if (!NAME(open_bracket)(r, (role_t)role, byte == '[')) return TOO_DEEP;
            /* An empty one ends at once; else a value or a key follows. */
            const int empty = r->at < r->end && *r->at == (byte == '[' ? ']' : '}');
            next = empty ? NAME(after_value)(r) : 1;
        } else {
            next = NAME(read_scalar)(r, (role_t)role) ? NAME(after_value)(r) : -1;
        }
        if (next == 0) return r->found;
        if (next < 0) return NO_JSON;
        role = ANY;
        if (!NAME(in_list)(r)) {
            role = NAME(read_key)(r, field);
            if (role < 0) return NO_JSON;
        }
    }
}

/* Reads the line [from, end) and writes the text of its field to `out`, which has room for the line and OUT_SLACK
 * bytes.
 *
 * r: its `written` is then the size of the text; its `place` is where what was found stands. */
static TARGET verdict_t NAME(read_line)(reader_t *r, const field_t *field, const uint8_t *from, const uint8_t *end,
                                        const uint8_t *limit, uint8_t *out) {
    r->end = end;
    r->limit = limit;
    r->out = out;
    r->written = r->depth = r->matched = 0;
    r->half_pair = 0;
    r->at = skip_space(from, end);
    r->place = from;
    if (r->at == end) return BLANK;
    const int64_t valid = NAME(utf8_prefix)(r->at, end);
    if (valid < end - r->at) {
        r->place = r->at + valid;
        return NO_UTF8;
    }
    const verdict_t verdict = NAME(read_values)(r, field);
    if (verdict == NO_JSON || verdict == TOO_DEEP) r->place = r->at;
    if (verdict != TAKEN) r->written = 0;
    return verdict;
}

/* Records into marked bytes: the tokens in each, and the parts of the texts between them. */
#ifndef CORPUS_SPLIT_SPLIT_H
#define CORPUS_SPLIT_SPLIT_H
#include "check.h"
#include "find.h"
#include "lanes.h"
#include "marks.h"
#include "match.h"
#include "program.h"
#include <stdint.h>
#include <string.h>

/* Bytes that a record may take beyond its growth, for what is put before its text, and because some loops write
 * eight or sixteen bytes at a time. */
enum { OUT_SLACK = 64 };

/* Where a record's bytes go: to `out`, and its first one stood at `begin`. text: where the record itself begins.
 * limit: up to where text may be read. */
typedef struct {
    uint8_t *out;
    const uint8_t *begin;
    const uint8_t *text;
    const uint8_t *limit;
} target_t;

/* Begins a part. */
static inline void begin_part(target_t *to) {
    if (to->out > to->begin) *to->out++ = MARK_CUT;
}

static inline void write_bytes(target_t *to, const uint8_t *at, const uint8_t *end) {
    /* Most parts are short, and their copy of one size needs no call. */
    if (end - at <= 16 && to->limit - at >= 16) memcpy(to->out, at, 16);
    else memcpy(to->out, at, (size_t)(end - at));
    to->out += end - at;
}

/* Writes the parts that cutters one behind another make of [at, end), which is not empty. */
static inline void write_parts(const program_t *t, const uint8_t *at, const uint8_t *end, target_t *to) {
    stage_t stages[MOST_CUTTERS];
    const int last = t->count - 1;
    int depth = 0;
    stages[0] = (stage_t){at, end, 0, 0};
    while (depth >= 0) {
        stage_t *const stage = stages + depth;
        if (stage->at == stage->end) {
            depth--;
            continue;
        }
        if (depth == last && t->cutters[last].total) {
            begin_part(to);
            to->out = stream(t->cutters + last, stage->at, stage->end, 0, to->out);
            stage->at = stage->end;
            continue;
        }
        const uint8_t *const from = take_part(t->cutters + depth, stage);
        if (depth == last) {
            begin_part(to);
            write_bytes(to, from, stage->at);
        } else {
            stages[++depth] = (stage_t){from, stage->at, 0, 0};
        }
    }
}

/* Writes a text that holds no tokens and is not empty. */
static inline void write_text(const program_t *t, const uint8_t *at, const uint8_t *end, target_t *to) {
    const int space = t->space && *at != ' ';
    if (t->marks) {
        begin_part(to);
        to->out = write_marked(t->marks, at, end, at == to->text, to->out);
    } else if (t->count == 1 && t->cutters[0].total) {
        begin_part(to);
        to->out = stream(t->cutters, at, end, space, to->out);
    } else if (t->count) {
        write_parts(t, at, end, to);
    } else {
        begin_part(to);
        if (space) *to->out++ = ' ';
        write_bytes(to, at, end);
    }
}

/* Writes token `i` as the character that stands for it. */
static inline void write_token(target_t *to, int32_t i) {
    const uint32_t code = 0x140000u + (uint32_t)i;
    begin_part(to);
    *to->out++ = (uint8_t)(0xF0 | code >> 18);
    *to->out++ = (uint8_t)(0x80 | (code >> 12 & 63));
    *to->out++ = (uint8_t)(0x80 | (code >> 6 & 63));
    *to->out++ = (uint8_t)(0x80 | (code & 63));
}

/* Writes a text between raw tokens; returns 0 where it is not done here. Where marks make other text of it, tokens are
 * looked for in that. */
static inline int write_normal(const program_t *t, const uint8_t *at, const uint8_t *end, target_t *to) {
    const int rewritten = t->marks && t->marks->rewrites;
    const int64_t before = to->out - to->begin;
    while (!rewritten && at < end) {
        const token_t token = next_token(&t->normal, at, end);
        if (token.action == NOT_DONE_HERE) return 0;
        if (token.from > at) write_text(t, at, token.from, to);
        if (token.from < token.to) write_token(to, token.action);
        at = token.to;
    }
    if (at < end) write_text(t, at, end, to);
    if (!rewritten) return 1;
    const token_t token = next_token(&t->normal, to->begin + before, to->out);
    return token.from == token.to;
}

/* Writes the marked bytes of a record; returns 0 where it is not done here. */
static inline int write_record(const program_t *t, const uint8_t *at, const uint8_t *end, target_t *to) {
    if (!is_steady(t, at, end)) return 0;
    while (at < end) {
        const token_t token = next_token(&t->raw, at, end);
        if (token.action == NOT_DONE_HERE) return 0;
        if (token.from > at && !write_normal(t, at, token.from, to)) return 0;
        if (token.from < token.to) write_token(to, token.action);
        at = token.to;
    }
    return 1;
}

/* Records and their marked bytes: record i is data[starts[i]:ends[i]] and becomes out[offsets[i]:offsets[i + 1]], empty
 * where done[i] is 0. growth: no byte of a record becomes more bytes than that. */
typedef struct {
    const uint8_t *data;
    int64_t size;
    const int64_t *starts;
    const int64_t *ends;
    int64_t count;
    uint8_t *out;
    int64_t room;
    int64_t growth;
    int64_t *offsets;
    uint8_t *done;
} records_t;

/* Splits all records; returns how many lay in the data and had room. */
static int64_t split_records(const program_t *t, const records_t *r) {
    int64_t written = 0;
    r->offsets[0] = 0;
    for (int64_t i = 0; i < r->count; i++) {
        const int64_t start = r->starts[i], end = r->ends[i];
        if (start < 0 || end < start || end > r->size) return i;
        if ((r->room - written - OUT_SLACK) / r->growth < end - start) return i;
        target_t to = {r->out + written, r->out + written, r->data + start, r->data + r->size};
        r->done[i] = (uint8_t)write_record(t, r->data + start, r->data + end, &to);
        if (r->done[i]) written += to.out - to.begin;
        r->offsets[i + 1] = written;
    }
    return r->count;
}
#endif

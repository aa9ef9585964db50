/* SentencePiece's text normalisation: symbols, rules and characters (lookup.h); white space trimmed, collapsed and
   escaped on the way. It stops and resumes anywhere: when the output is full, and where more input could lengthen a
   match. */
#ifndef CORPUS_NORMALIZE_H
#define CORPUS_NORMALIZE_H
#include <stdint.h>
#include <string.h>

#include "lookup.h"

typedef struct { /* where a record's normalisation stands */
    int64_t record, position, started, space_before, held, written;
} progress;

static const uint8_t SPACE_MARK[3] = {0xE2, 0x96, 0x81};

/* The fast path: bits 0-31 are the bytes to write, 32-39 how many, 40-47 what the next byte has to be, 48-55 what
   this byte is to the one before: ASCII, and text that stands for itself. */
enum { IS_ASCII = 1, IS_TEXT = 2, NEVER = 128 };

static void prepare_steps(rules *t) {
    for (int c = 0; c < 256; c++) {
        uint8_t text[4] = {(uint8_t)c, 0, 0, 0};
        uint64_t length = 1, needs = NEVER, is = c < 128 ? IS_ASCII : 0;
        if (c < 128 && t->ascii[c]) {
            needs = t->ascii[c] == 2 ? IS_ASCII : 0;
            if (c != ' ') {
                is |= IS_TEXT;
            } else {
                if (t->flags & REMOVE_EXTRA_WHITESPACES) needs = IS_TEXT;
                if (t->flags & ESCAPE_WHITESPACES) memcpy(text, SPACE_MARK, 3), length = 3;
            }
        }
        uint32_t bytes; /* in the machine's order, so that storing it writes the text */
        memcpy(&bytes, text, 4);
        t->step[c] = bytes | length << 32 | needs << 40 | is << 48;
    }
}

static inline int is_mark(const uint8_t *s, int64_t n) { return n >= 3 && !memcmp(s, SPACE_MARK, 3); }

/* Copies characters of three bytes that stand for themselves, most of Chinese text, up to the first of another kind;
   `n` and `room` count from the first, and it reads and writes one byte beyond what it copies. Returns the bytes. */
static inline int64_t copy_plain(const rules *t, const uint8_t *in, int64_t n, uint8_t *out, int64_t room) {
    int64_t i = 0, end = (n < room ? n : room) - 4;
    while (i <= end) {
        uint32_t a = in[i], b = in[i + 1], c = in[i + 2], code = (a & 15) << 12 | (b & 63) << 6 | (c & 63);
        /* Behind E0 and ED not every second byte is legal. */
        if (a < 0xE1 || a > 0xEF || a == 0xED || (b & 0xC0) != 0x80 || (c & 0xC0) != 0x80) break;
        if (!(t->bmp[code >> 3] >> (code & 7) & 1) || code == 0x2581) break;
        memcpy(out + i, in + i, 4);
        i += 3;
    }
    return i;
}

/* How many bytes of `in` are characters below 65,536 whose bits are set, up to the first of another kind. */
static inline int64_t steady_text(const uint8_t *bits, const uint8_t *in, int64_t n) {
    int64_t i = 0;
    while (i < n) {
        uint32_t a = in[i], code = a;
        int length = 1;
        if (a >= 0x80) {
            length = character(in + i, n - i);
            if (length < 2 || length > 3) break;
            code = length == 2 ? (a & 31) << 6 | (in[i + 1] & 63u)
                               : (a & 15) << 12 | (in[i + 1] & 63u) << 6 | (in[i + 2] & 63u);
        }
        if (!(bits[code >> 3] >> (code & 7) & 1)) break;
        i += length;
    }
    return i;
}

/* Bytes of the character at `in` where it stands for itself whatever follows, else 0. */
static inline __attribute__((always_inline)) int64_t plain_character(const rules *t, const uint8_t *in, int64_t n,
                                                                     int open) {
    uint8_t c = in[0];
    if (c < 0x80) {
        uint8_t kind = t->ascii[c];
        return kind == 1 || (kind == 2 && (1 < n ? in[1] < 0x80 : !open));
    }
    int length = c < 0xF0 ? character(in, n) : 0;
    if (length <= 0) return 0;
    uint32_t code =
        length == 2 ? (c & 0x1Fu) << 6 | (in[1] & 0x3Fu) : (c & 0x0Fu) << 12 | (in[1] & 0x3Fu) << 6 | (in[2] & 0x3Fu);
    return t->bmp[code >> 3] >> (code & 7) & 1 ? length : 0;
}

/* Copies ASCII text that stands for itself from in[i - 1], no space, on; returns where it stopped. */
static inline __attribute__((always_inline)) int64_t copy_ascii(const rules *t, const uint8_t *in, int64_t i, int64_t n,
                                                                uint8_t *out, int64_t *written, int64_t room) {
    int64_t o = *written, end = n - i < (room - o - 4) / 3 ? n - 1 : i - 1 + (room - o - 4) / 3;
    out[o++] = in[i - 1];
    for (uint64_t now = i < end ? t->step[in[i]] : 0; i < end; i++) {
        uint64_t next = t->step[in[i + 1]];
        if (now >> 40 & ~(next >> 48) & 0xFF) break;
        uint32_t bytes = (uint32_t)now;
        memcpy(out + o, &bytes, 4);
        o += now >> 32 & 0xFF;
        now = next;
    }
    *written = o;
    return i;
}

/* How many space symbols the text s[0 .. length) is, where it is nothing else; else -1. */
static inline int64_t only_spaces(const uint8_t *s, int64_t length, int escape) {
    int64_t symbols = 0;
    for (int64_t k = 0; k < length; symbols++) {
        if (s[k] != ' ' && !(escape && is_mark(s + k, length - k))) return -1;
        k += s[k] == ' ' ? 1 : 3;
    }
    return symbols;
}

/* What becomes of white space: the symbol that a space is written as, and whether spaces are trimmed or escaped. */
typedef struct {
    const uint8_t *symbol;
    int width, trim, escape;
} spaces;

/* Skips the white space that a record begins with; returns 1 where its text has begun. */
static int begin_text(const rules *t, const spaces *w, const uint8_t *in, int64_t n, int open, progress *p) {
    const int dummy = t->flags & ADD_DUMMY_PREFIX, suffix = t->flags & WHITESPACE_AS_SUFFIX;
    while (w->trim && p->position < n) {
        const uint8_t *s;
        int64_t length, used = look_up(t, in + p->position, n - p->position, open, &s, &length);
        if (!used) return 0;
        if (length != 1 || s[0] != ' ') break;
        p->position += used;
    }
    if (p->position == n) return 0;
    p->started = 1;
    p->space_before = w->trim != 0;
    p->held = dummy && !suffix;
    return 1;
}

/* Writes spaces that are held, as many as fit; returns 1 where all did. */
static inline int write_held(const spaces *w, progress *p, uint8_t *out, int64_t *written, int64_t room) {
    for (; p->held && room - *written >= w->width; p->held--, *written += w->width)
        memcpy(out + *written, w->symbol, (size_t)w->width);
    return !p->held;
}

/* Writes text that fits, its last spaces excepted, which are held. */
static inline void write_text(const spaces *w, progress *p, const uint8_t *s, int64_t length, uint8_t *out,
                              int64_t *written) {
    int64_t o = *written;
    for (int64_t k = 0; k < length;) {
        int mark = w->escape && is_mark(s + k, length - k);
        if (s[k] == ' ' || mark) {
            p->held++;
            k += mark ? 3 : 1;
            continue;
        }
        for (; p->held; p->held--, o += w->width) memcpy(out + o, w->symbol, (size_t)w->width);
        out[o++] = s[k++];
    }
    p->space_before = w->trim && s[length - 1] == ' ';
    *written = o;
}

/* Writes text from p->position on, to the end of the input or of the output, or to where an open input has to go on.
 * Space symbols are held back until text follows: those at the end are dropped when white space is trimmed. Returns 1
 * where the output is full. */
static inline int write_record(const rules *t, const spaces *w, const uint8_t *in, int64_t n, int open, progress *p,
                               uint8_t *out, int64_t room) {
    int64_t i = p->position, o = p->written;
    int full = 0;
    while (i < n) {
        const uint8_t *s = in + i;
        int64_t used = plain_character(t, s, n - i, open), length = used;
        const int plain = used > 0;
        if (plain && s[0] == ' ') {
            p->held += !p->space_before;
            p->space_before = w->trim != 0;
            i++;
            continue;
        }
        if (!plain) {
            used = look_up(t, in + i, n - i, open, &s, &length);
            if (!used) break;
            for (; p->space_before && length && s[0] == ' '; length--) s++;
            int64_t symbols = only_spaces(s, length, w->escape);
            if (symbols >= 0) {
                p->held += symbols;
                if (length) p->space_before = w->trim && s[length - 1] == ' ';
                i += used;
                continue;
            }
        }
        full = !write_held(w, p, out, &o, room) || room - o < 3 * length + 3;
        if (full) break;
        i += used;
        int64_t copied = 0;
        if (plain && s[0] < 0x80) {
            i = copy_ascii(t, in, i, n, out, &o, room);
            p->space_before = 0;
            /* What follows may be removed, or begin with a space: the last spaces wait for it. */
            for (int64_t k = i; in[k - 1] == ' '; k--, o -= w->width) p->held++, p->space_before = w->trim != 0;
        } else if (plain && length == 3 && (copied = copy_plain(t, s, n - (s - in), out + o, room - o))) {
            o += copied;
            i += copied - 3;
            p->space_before = 0;
        } else {
            write_text(w, p, s, length, out, &o);
        }
    }
    p->position = i;
    p->written = o;
    return full;
}

/* Writes the record in[0 .. n) from p->position on; returns 1 where the output is full, else 0. */
static int normalize_record(const rules *t, const uint8_t *in, int64_t n, int open, progress *p, uint8_t *out,
                            int64_t room) {
    const int escape = t->flags & ESCAPE_WHITESPACES;
    const spaces w = {escape ? SPACE_MARK : (const uint8_t *)" ", escape ? 3 : 1, t->flags & REMOVE_EXTRA_WHITESPACES,
                      escape};
    if (!p->started && !begin_text(t, &w, in, n, open, p)) return 0;
    if (write_record(t, &w, in, n, open, p, out, room)) return 1;
    if (p->position < n || open) return 0;
    if (p->started == 1) {
        const int dummy = t->flags & ADD_DUMMY_PREFIX, suffix = t->flags & WHITESPACE_AS_SUFFIX;
        p->held = (w.trim ? 0 : p->held) + (dummy && suffix);
        p->started = 2;
    }
    return !write_held(&w, p, out, &p->written, room);
}
#endif

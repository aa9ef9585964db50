/* SentencePiece's text normalisation: the longest user-defined symbol, else the longest rule of the precompiled
   charsmap (a Darts double array), else the character; white space trimmed, collapsed and escaped on the way.
   It stops and resumes anywhere: when the output is full, and where more input could lengthen a match. */
#ifndef CORPUS_NORMALIZE_H
#define CORPUS_NORMALIZE_H
#include <stdint.h>
#include <string.h>

enum { ADD_DUMMY_PREFIX = 1, REMOVE_EXTRA_WHITESPACES = 2, ESCAPE_WHITESPACES = 4, WHITESPACE_AS_SUFFIX = 8 };
/* SentencePiece looks at so many matches of one position, the shortest first (normalizer.h, normalizer.cc). */
enum { MOST_RULES = 32, MOST_SYMBOLS = 64 };

typedef struct {
    const uint32_t *units; /* Darts units, validated; NULL: no rules */
    const uint8_t *strings; /* NUL-terminated outputs of the rules */
    const uint32_t *first, *target; /* the trie of user-defined symbols: edges of node i are first[i] .. first[i + 1] */
    const uint8_t *label, *terminal;
    const uint8_t *ascii; /* 128: 1 stands for itself, 2 does so before an ASCII byte or the end, 0 look it up */
    const uint8_t *bmp; /* 65,536 bits: the character stands for itself whatever follows */
    int symbols, flags;
    uint64_t step[256]; /* for each byte what the fast path does with it; see prepare_steps */
} rules;

typedef struct { /* where a record's normalisation stands */
    int64_t record, position, started, space_before, held, written;
} progress;

static const uint8_t SPACE_MARK[3] = {0xE2, 0x96, 0x81};
static const uint8_t REPLACEMENT[3] = {0xEF, 0xBF, 0xBD};

/* Bytes of the valid UTF-8 character at `in`; 0 where it is malformed, -1 where it is cut off by the end. */
static inline int character(const uint8_t *in, int64_t n) {
    uint8_t a = in[0];
    if (a < 0x80) return 1;
    if (a < 0xC2 || a > 0xF4) return 0;
    int length = a < 0xE0 ? 2 : a < 0xF0 ? 3 : 4;
    uint8_t low = a == 0xE0 ? 0xA0 : a == 0xF0 ? 0x90 : 0x80, high = a == 0xED ? 0x9F : a == 0xF4 ? 0x8F : 0xBF;
    for (int i = 1; i < length; i++) {
        if (i >= n) return -1;
        if (in[i] < low || in[i] > high) return 0;
        low = 0x80, high = 0xBF;
    }
    return length;
}

static inline uint32_t darts_offset(uint32_t unit) { return (unit >> 10) << ((unit & 0x200u) >> 6); }

/* What the text at `in` becomes: sets *out and *length and returns the bytes that are consumed, or 0 where an
   open input has to go on first. */
static int64_t look_up(const rules *t, const uint8_t *in, int64_t n, int open, const uint8_t **out, int64_t *length) {
    if (t->symbols) {
        int64_t longest = 0, i = 0;
        uint32_t node = 0;
        int matches = 0;
        for (;; i++) {
            uint32_t low = t->first[node], high = t->first[node + 1], end = high;
            if (low == high) break;
            if (i == n) {
                if (open) return 0;
                break;
            }
            while (low < high) {
                uint32_t middle = (low + high) / 2;
                if (t->label[middle] < in[i]) low = middle + 1;
                else high = middle;
            }
            if (low == end || t->label[low] != in[i]) break;
            node = t->target[low];
            if (t->terminal[node] && matches++ < MOST_SYMBOLS) longest = i + 1;
        }
        if (longest) {
            *out = in, *length = longest;
            return longest;
        }
    }
    if (t->units) {
        int64_t longest = 0, i = 0;
        uint32_t value = 0, position = darts_offset(t->units[0]);
        int matches = 0;
        for (; i < n; i++) {
            position ^= in[i];
            uint32_t unit = t->units[position];
            if ((unit & 0x800000FFu) != in[i]) break;
            position ^= darts_offset(unit);
            if (unit >> 8 & 1 && matches++ < MOST_RULES) {
                longest = i + 1;
                value = t->units[position] & 0x7FFFFFFFu;
            }
        }
        if (i == n && open) return 0;
        if (longest) {
            *out = t->strings + value, *length = (int64_t)strlen((const char *)t->strings + value);
            return longest;
        }
    }
    int known = character(in, n);
    if (known < 0 && open) return 0;
    if (known <= 0) {
        *out = REPLACEMENT, *length = 3;
        return 1;
    }
    *out = in, *length = known;
    return known;
}

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

/* Writes the record in[0 .. n) from p->position on; returns 1 where the output is full, else 0. */
static int normalize_record(const rules *t, const uint8_t *in, int64_t n, int open, progress *p, uint8_t *out, int64_t room) {
    const int trim = t->flags & REMOVE_EXTRA_WHITESPACES, escape = t->flags & ESCAPE_WHITESPACES;
    const int dummy = t->flags & ADD_DUMMY_PREFIX, suffix = t->flags & WHITESPACE_AS_SUFFIX;
    const uint8_t *symbol = escape ? SPACE_MARK : (const uint8_t *)" ", *s = 0;
    const int width = escape ? 3 : 1;
    int64_t i = p->position, o = p->written, length = 0;
    int full = 0;
    if (!p->started) {
        while (trim && i < n) {
            int64_t used = look_up(t, in + i, n - i, open, &s, &length);
            if (!used) goto stop;
            if (length != 1 || s[0] != ' ') break;
            i += used;
        }
        if (i == n) goto stop;
        p->started = 1;
        p->space_before = trim != 0;
        p->held = dummy && !suffix;
    }
    /* Space symbols are held back until text follows: those at the end are dropped when white space is trimmed. */
    while (i < n) {
        uint8_t c = in[i];
        int64_t used = 0;
        if (c < 0x80) {
            uint8_t kind = t->ascii[c];
            if (kind == 1 || (kind == 2 && (i + 1 < n ? in[i + 1] < 0x80 : !open))) {
                if (c == ' ') {
                    p->held += !p->space_before;
                    p->space_before = trim != 0;
                    i++;
                    continue;
                }
                used = 1;
            }
        } else if (c < 0xF0 && (used = character(in + i, n - i)) > 0) {
            uint32_t code = used == 2 ? (c & 0x1Fu) << 6 | (in[i + 1] & 0x3Fu)
                                      : (c & 0x0Fu) << 12 | (in[i + 1] & 0x3Fu) << 6 | (in[i + 2] & 0x3Fu);
            if (!(t->bmp[code >> 3] >> (code & 7) & 1)) used = 0;
        }
        const int plain = used > 0;
        if (plain) {
            s = in + i, length = used;
        } else {
            used = look_up(t, in + i, n - i, open, &s, &length);
            if (!used) break;
            if (p->space_before)
                while (length && s[0] == ' ') s++, length--;
            int64_t k = 0, symbols = 0;
            while (k < length && (s[k] == ' ' || (escape && is_mark(s + k, length - k)))) {
                k += s[k] == ' ' ? 1 : 3;
                symbols++;
            }
            if (k == length) {
                p->held += symbols;
                if (length) p->space_before = trim && s[length - 1] == ' ';
                i += used;
                continue;
            }
        }
        while (p->held && room - o >= width) {
            memcpy(out + o, symbol, (size_t)width);
            o += width;
            p->held--;
        }
        if (p->held || room - o < 3 * length + 3) {
            full = 1;
            break;
        }
        i += used;
        if (plain && c < 0x80) {
            int64_t end = n - i < (room - o - 4) / 3 ? n - 1 : i - 1 + (room - o - 4) / 3;
            uint64_t now;
            out[o++] = c;
            for (now = i < end ? t->step[in[i]] : 0; i < end; i++) {
                uint64_t next = t->step[in[i + 1]];
                if (now >> 40 & ~(next >> 48) & 0xFF) break;
                uint32_t bytes = (uint32_t)now;
                memcpy(out + o, &bytes, 4);
                o += now >> 32 & 0xFF;
                now = next;
            }
            p->space_before = 0;
            /* What follows may be removed, or begin with a space: the last spaces wait for it. */
            for (int64_t k = i; in[k - 1] == ' '; k--) {
                o -= width;
                p->held++;
                p->space_before = trim != 0;
            }
            continue;
        }
        if (plain && length == 3) {
            int64_t copied = copy_plain(t, s, n - (s - in), out + o, room - o);
            if (copied) {
                o += copied;
                i += copied - 3;
                p->space_before = 0;
                continue;
            }
        }
        for (int64_t k = 0; k < length;) {
            int mark = escape && is_mark(s + k, length - k);
            if (s[k] == ' ' || mark) {
                p->held++;
                k += mark ? 3 : 1;
                continue;
            }
            for (; p->held; p->held--, o += width) memcpy(out + o, symbol, (size_t)width);
            out[o++] = s[k++];
        }
        p->space_before = trim && s[length - 1] == ' ';
    }
stop:
    p->position = i;
    p->written = o;
    if (full) return 1;
    if (i < n || open || !p->started) return 0;
    if (p->started == 1) {
        p->held = (trim ? 0 : p->held) + (dummy && suffix);
        p->started = 2;
    }
    for (; p->held && room - o >= width; p->held--, o += width) memcpy(out + o, symbol, (size_t)width);
    p->written = o;
    return p->held > 0;
}
#endif

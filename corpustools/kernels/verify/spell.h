/* Whether the ids of documents spell the normalised text of records.
 *
 * Ids and text come in windows, and either may end anywhere. `where` keeps the place between calls: a document may
 * begin in one window and end in another, and so may a record.
 *
 * An unknown id stands for one unknown character, or, where the model fuses, for one or more. The loop takes as few as
 * it can; when what follows does not fit, the last unknown id takes one more. As every character that it takes is
 * unknown, no other way of sharing out the text can succeed where this one fails. */
#ifndef CORPUS_SPELL_H
#define CORPUS_SPELL_H
#include <stdint.h>
#include <string.h>

enum { MORE_TEXT, MORE_IDS, WRONG_TEXT, ENDS_EARLY, ENDS_LATE, NO_BOS, NO_EOS, NO_SUCH_ID };
enum { BEFORE, INSIDE, PASSING };

/* What a vocabulary writes. A form is the bytes that an id has in normalised text; most ids have one. */
typedef struct {
    const uint8_t *bytes;
    const int64_t *bounds;  /* form f is bytes[bounds[f]:bounds[f + 1]] */
    const int32_t *first;   /* id i has the forms first[i] to first[i + 1] */
    const int16_t *byte_of; /* the byte that the id stands for within an unknown character, or -1 */
    const uint8_t *known;   /* a bit for each code below 2^21: a piece of its own */
    int64_t size, unknown, fuse, bos, eos, marks;
} spelling;

typedef struct {
    const int32_t *ids;
    const int64_t *ends; /* of documents; NULL: the text tells where they end */
    const uint8_t *text;
    const int64_t *starts, *stops;
    const uint8_t *chosen; /* of each record; NULL: all are compared */
    int64_t id_count, documents, records, open;
    int64_t ids_end;  /* no ids follow the window */
    uint64_t *hashes; /* of the ids of each document */
} windows;

/* Text that fits behind an unknown id for so many bytes settles what that id stands for. */
#define SETTLED 1024

/* The place. begin_id is where the document begins; held_id, the id behind the last unknown one, -1 if there is
 * none; held_text, where that one's text ends; far_*, the farthest place at which ids and text agreed. */
typedef struct {
    int64_t id, text, document, record, stage, held_id, held_text, far_id, far_text, begin_id;
    uint64_t hash, held_hash;
} where;

static inline uint64_t mixed(uint64_t hash, int32_t id) {
    hash = (hash ^ (uint32_t)id) * 0x9E3779B97F4A7C15u;
    return hash ^ hash >> 29;
}

/* The bytes of the character at `at`, by its first byte; *code becomes its number. 0: it is cut off. */
static inline int64_t character(const uint8_t *at, int64_t left, uint32_t *code) {
    uint8_t lead = at[0];
    int64_t n = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (n > left) return 0;
    *code = n == 1 ? lead : lead & (0x7F >> n);
    for (int64_t i = 1; i < n; i++) *code = *code << 6 | (at[i] & 0x3F);
    return n;
}

/* The bytes of the unknown character at `at`; 0: it is known, -1: it is cut off. */
static inline int64_t unknown_character(const spelling *s, const uint8_t *at, int64_t left) {
    uint32_t code = 0;
    int64_t n = character(at, left, &code);
    if (!n) return -1;
    code &= 0x1FFFFF;
    return s->known[code >> 3] >> (code & 7) & 1 ? 0 : n;
}

/* The bytes at `at` that an id spells; 0: others stand there, -1: the text is cut off too early to say. */
static inline int64_t spelled(const spelling *s, int32_t id, const uint8_t *at, int64_t left) {
    int64_t result = 0;
    if (s->byte_of[id] == at[0]) {
        int64_t n = (at[0] & 0xC0) == 0x80 ? 1 : unknown_character(s, at, left);
        if (n > 0) return 1;
        result = n;
    }
    for (int32_t form = s->first[id]; form < s->first[id + 1]; form++) {
        const uint8_t *piece = s->bytes + s->bounds[form];
        int64_t n = s->bounds[form + 1] - s->bounds[form];
        if (n <= left) {
            if (!memcmp(piece, at, (size_t)n)) return n;
        } else if (!memcmp(piece, at, (size_t)left)) {
            result = -1;
        }
    }
    return result;
}

/* Lets the last unknown id take one more character; 0: it cannot, -1: the text is cut off. */
static inline int held_takes_more(const spelling *s, const windows *w, where *p, int64_t stop) {
    if (p->held_id < 0) return 0;
    int64_t at = p->held_text;
    while (s->marks && at < stop && w->text[at] == 0xFF) at++;
    if (at == stop) return 0;
    int64_t n = unknown_character(s, w->text + at, stop - at);
    if (n <= 0) return (int)n;
    p->held_text = p->text = at + n;
    p->id = p->held_id;
    p->hash = p->held_hash;
    return 1;
}

static inline void note_place(where *p) {
    if (p->text >= p->far_text) p->far_text = p->text, p->far_id = p->id;
    if (p->text - p->held_text > SETTLED) p->held_id = -1;
}

/* Takes the id at the place if it fits; returns the bytes that it spells, 0 if it does not, -1 if the text is cut off
 * too early to say. */
static inline int64_t take_id(const spelling *s, const windows *w, where *p, int64_t stop) {
    int32_t id = w->ids[p->id];
    const uint8_t *at = w->text + p->text;
    int64_t n = spelled(s, id, at, stop - p->text);
    int unknown = n <= 0 && id == s->unknown;
    if (unknown) n = unknown_character(s, at, stop - p->text);
    if (n <= 0) return n;
    p->hash = mixed(p->hash, id);
    p->text += n;
    p->id++;
    if (unknown && s->fuse) p->held_id = p->id, p->held_text = p->text, p->held_hash = p->hash;
    return n;
}

/* Reads ids until they have spelled the record's text to `stop`; ids of the document end at `limit`, and there it is
 * `ended` or goes on in the next window. Returns -1 if they have. */
static inline int spell_text(const spelling *s, const windows *w, where *p, int64_t stop, int64_t limit, int ended,
                             int open) {
    for (;;) {
        int64_t n = 0;
        int failure = ENDS_EARLY;
        while (s->marks && p->text < stop && w->text[p->text] == 0xFF) p->text++;
        note_place(p);
        if (p->text == stop) return open ? MORE_TEXT : -1;
        if (p->id == limit && !ended) return MORE_IDS;
        if (p->id < limit) {
            failure = WRONG_TEXT;
            if (w->ids[p->id] < 0 || w->ids[p->id] >= s->size) return NO_SUCH_ID;
            n = take_id(s, w, p, stop);
            if (n > 0) continue;
        }
        if (n == 0) n = held_takes_more(s, w, p, stop);
        if (n < 0 && open) return MORE_TEXT;
        if (n < 0) n = held_takes_more(s, w, p, stop);
        if (n <= 0) return failure;
    }
}

/* Reads the ids of a document that is not compared: they are in range, and between its marks. -1: it has ended. */
static inline int pass_over(const spelling *s, const windows *w, where *p, int64_t limit, int ended) {
    /* The last id may be the end mark. */
    int64_t last = limit - (s->eos >= 0);
    while (p->id < last) {
        int32_t id = w->ids[p->id];
        if (id < 0 || id >= s->size) return NO_SUCH_ID;
        p->hash = mixed(p->hash, id);
        p->id++;
    }
    return ended ? -1 : MORE_IDS;
}

static inline int end_document(const spelling *s, const windows *w, where *p, int64_t limit, int ended) {
    if (s->eos >= 0) {
        if (p->id == limit) return ended ? NO_EOS : MORE_IDS;
        if (w->ids[p->id] != s->eos) return NO_EOS;
        p->id++;
    }
    if (w->ends && !(ended && p->id == limit)) return ENDS_LATE;
    w->hashes[p->record] = p->hash ^ p->hash >> 32;
    p->document++;
    p->record++;
    p->stage = BEFORE;
    return -1;
}

static inline int begin_document(const spelling *s, const windows *w, where *p, int64_t limit, int ended) {
    p->begin_id = p->id;
    if (s->bos >= 0) {
        if (p->id == limit) return ended ? NO_BOS : MORE_IDS;
        if (w->ids[p->id] != s->bos) return NO_BOS;
        p->id++;
    } else if (w->ends && p->id == limit && !ended) {
        return MORE_IDS;
    }
    p->stage = w->chosen && !w->chosen[p->record] ? PASSING : INSIDE;
    p->text = p->far_text = w->starts[p->record];
    p->far_id = p->id;
    p->held_id = -1;
    p->hash = 0;
    return -1;
}

/* Goes on until ids or text run out, or do not agree. */
static int spell(const spelling *s, const windows *w, where *p) {
    while (p->record < w->records) {
        int bounded = w->ends && p->document < w->documents, ended = bounded || (!w->ends && w->ids_end), status = -1;
        int64_t limit = bounded ? w->ends[p->document] : w->id_count;
        int open = w->open && p->record == w->records - 1;
        if (p->stage == BEFORE) status = begin_document(s, w, p, limit, ended);
        if (status < 0 && p->stage == INSIDE) status = spell_text(s, w, p, w->stops[p->record], limit, ended, open);
        else if (status < 0) status = open ? MORE_TEXT : pass_over(s, w, p, limit, ended);
        if (status < 0) status = end_document(s, w, p, limit, ended);
        if (status >= 0) return status;
    }
    return MORE_TEXT;
}

#endif

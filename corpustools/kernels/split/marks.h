/* A text whose spaces become marks. */
#ifndef CORPUS_SPLIT_MARKS_H
#define CORPUS_SPLIT_MARKS_H
#include "program.h"
#include <stdint.h>
#include <string.h>

/* Says what each byte becomes: itself, or for a space the mark, with a cut before it where parts begin there. */
static inline void prepare_marks(marks_t *m) {
    uint8_t bytes[8] = {MARK_CUT};
    for (int byte = 0; byte < 256; byte++) {
        m->words[byte] = 0;
        memcpy(m->words + byte, &(uint8_t){(uint8_t)byte}, 1);
        m->sizes[byte] = 1;
    }
    memcpy(bytes + (m->cuts != 0), m->mark, (size_t)m->mark_size);
    memcpy(m->words + ' ', bytes, 8);
    m->sizes[' '] = (uint8_t)(m->mark_size + (m->cuts != 0));
    if (m->cuts) m->sizes[m->mark[0]] = 0;
}

/* Says whether a text begins with what is or becomes a mark. */
static inline int begins_marked(const marks_t *m, const uint8_t *at, const uint8_t *end) {
    return *at == ' ' || (end - at >= m->mark_size && !memcmp(at, m->mark, (size_t)m->mark_size));
}

/* Writes [at, end), which is not empty, to `out`; returns the byte behind it. Eight bytes are written at a time.
 * first: the text begins its record. */
static inline uint8_t *write_marked(const marks_t *m, const uint8_t *at, const uint8_t *end, int first, uint8_t *out) {
    const int prefixed = m->scheme == ALWAYS || (m->scheme == UNLESS_MARKED && !begins_marked(m, at, end)) ||
                         (m->scheme == AT_START && first && !begins_marked(m, at, end));
    if (prefixed) {
        memcpy(out, m->prefix, (size_t)m->prefix_size);
        out += m->prefix_size;
    } else if (m->cuts && begins_marked(m, at, end)) {
        memcpy(out, m->mark, (size_t)m->mark_size);
        out += m->mark_size;
        at += *at == ' ' ? 1 : m->mark_size;
    }
    while (at < end) {
        const uint8_t byte = *at;
        int64_t size = m->sizes[byte];
        const uint8_t *word = (const uint8_t *)(m->words + byte);
        if (!size) {
            const int is_mark = end - at >= m->mark_size && !memcmp(at, m->mark, (size_t)m->mark_size);
            if (is_mark) at += m->mark_size - 1;
            word = (const uint8_t *)(m->words + (is_mark ? ' ' : byte));
            size = is_mark ? m->sizes[' '] : 1;
        }
        memcpy(out, word, 8);
        out += size;
        at++;
    }
    return out;
}
#endif

/* Where a record's text is cut before any lattice is made: a lattice each between two hard cuts. */
#ifndef CORPUS_HARD_CUTS_H
#define CORPUS_HARD_CUTS_H
#include <stdint.h>
#include <string.h>

/* Nowhere, behind each run of newlines, or at marks, which are no text themselves. */
enum { CUT_NONE = 0, CUT_NEWLINE_RUNS = 1, CUT_MARKS = 2 };
#define CUT_MARK 0xFF

/* The end of the lattice that starts at `origin`, looked for from `from` on, or -1 where `text` ends before it. */
static inline int64_t next_hard_cut(const uint8_t *text, int64_t origin, int64_t from, int64_t limit, int cuts) {
    if (cuts == CUT_MARKS) {
        const uint8_t *mark = from < limit ? memchr(text + from, CUT_MARK, (size_t)(limit - from)) : NULL;
        return mark ? mark - text : -1;
    }
    if (from == origin) from++;
    while (cuts == CUT_NEWLINE_RUNS && from < limit) {
        const uint8_t *newline = memchr(text + from - 1, '\n', (size_t)(limit - from));
        if (!newline) return -1;
        if (newline[1] != '\n') return newline + 1 - text;
        from = newline + 2 - text;
    }
    return -1;
}
#endif

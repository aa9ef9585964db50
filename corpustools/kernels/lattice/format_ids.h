/* Ids as lines of decimal text. */
#ifndef CORPUS_FORMAT_IDS_H
#define CORPUS_FORMAT_IDS_H
#include <stdint.h>
#include <string.h>

/* Writes an id and returns where the next byte goes. */
static inline uint8_t *write_decimal(uint8_t *out, uint32_t value) {
    uint8_t digits[10];
    int count = 0;
    do digits[count++] = (uint8_t)('0' + value % 10);
    while (value /= 10);
    while (count) *out++ = digits[--count];
    return out;
}

/* Lines of ids: one space between two of them, a newline behind each line. Needs 11 bytes an id and 1 a line. The
 * digits of 0 … 999 come from a table of 4 bytes each, so that an id of six digits is two steps. */
static inline int64_t format_lines(const int32_t *ids, const int64_t *ends, int64_t first, int64_t lines,
                                   const uint8_t *table, uint8_t *out) {
    uint8_t *to = out;
    int64_t at = first;
    for (int64_t i = 0; i < lines; i++) {
        for (; at < ends[i]; at++) {
            uint32_t id = (uint32_t)ids[at], high = id / 1000, low = id % 1000;
            if (high >= 1000) {
                to = write_decimal(to, id);
            } else if (high) {
                int short_by = (high < 10) + (high < 100);
                memcpy(to, table + 4 * high + short_by, 4);
                to += 3 - short_by;
                memcpy(to, table + 4 * low, 4);
                to += 3;
            } else {
                int short_by = (low < 10) + (low < 100);
                memcpy(to, table + 4 * low + short_by, 4);
                to += 3 - short_by;
            }
            *to++ = ' ';
        }
        if (to > out && to[-1] == ' ') to--;
        *to++ = '\n';
    }
    return to - out;
}
#endif

/* Lines of decimal ids, as `ids` has them, read into numbers. */
#ifndef CORPUS_LINES_H
#define CORPUS_LINES_H
#include <stdint.h>

/* Reads whole lines. Returns the bytes read: less than `size` where a line holds something else than ids below 2^31,
 * between spaces, tabs and carriage returns; then that is the place of the first wrong byte. */
static int64_t read_lines(const uint8_t *text, int64_t size, int32_t *ids, int64_t *ends, int64_t counts[2]) {
    int64_t count = 0, lines = 0, at = 0;
    while (at < size) {
        uint8_t c = text[at];
        if (c == '\n') {
            ends[lines++] = count;
            at++;
        } else if (c == ' ' || c == '\t' || c == '\r') {
            at++;
        } else if (c >= '0' && c <= '9') {
            int64_t first = at, value = 0;
            while (at < size && text[at] >= '0' && text[at] <= '9') {
                value = 10 * value + (text[at++] - '0');
                if (value > INT32_MAX) break;
            }
            if (value > INT32_MAX) {
                at = first;
                break;
            }
            ids[count++] = (int32_t)value;
        } else {
            break;
        }
    }
    counts[0] = count;
    counts[1] = lines;
    return at;
}

#endif

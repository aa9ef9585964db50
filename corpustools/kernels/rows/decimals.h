/* Numbers as decimal text. */
#ifndef CORPUS_DECIMALS_H
#define CORPUS_DECIMALS_H
#include <stdint.h>
#include <string.h>

/* Texts are written up to eight bytes at a time, so that so many may be written behind what counts. */
#define DECIMAL_SLACK 8

/* The digits of 0 to 999 in three forms. An entry is four bytes: digits from the left, and how many in the last one. */
typedef struct {
    uint32_t front[1000]; /* what stands in front of three more digits: nothing for 0 */
    uint32_t three[1000]; /* always three digits */
    uint32_t alone[1000]; /* as few digits as there may be */
} digit_table;

static inline uint8_t *write_entry(uint8_t *out, uint32_t entry) {
    memcpy(out, &entry, 4);
    return out + (entry >> 24 & 3);
}

/* Writes a number below a million and returns where the next byte goes. There is no branch: one that depends on how
 * many digits a number has would be guessed wrong at every second id. */
static inline uint8_t *write_short(uint8_t *out, uint32_t value, const digit_table *table) {
    uint32_t high = value / 1000, low = value % 1000;
    out = write_entry(out, table->front[high]);
    return write_entry(out, (high ? table->three : table->alone)[low]);
}

/* Writes any other number. Apart, so that the loop over short ones stays small. */
static __attribute__((noinline)) uint8_t *write_long(uint8_t *out, uint64_t value, const digit_table *table) {
    uint64_t high = value / 1000;
    out = high < 1000000 ? write_short(out, (uint32_t)high, table) : write_long(out, high, table);
    return write_entry(out, table->three[value % 1000]);
}

/* A text that is written around numbers. */
typedef struct {
    const uint8_t *bytes;
    int64_t size;
} text;

static inline uint8_t *write_text(uint8_t *out, const text *one) {
    memcpy(out, one->bytes, one->size);
    return out + one->size;
}

/* Writes rows of numbers: `before`, the numbers with `between` between two of them, `after`. Returns the bytes, or -1
 * where a number is negative. `between` has at most eight bytes. */
#define DEFINE_WRITE_ROWS(NAME, NUMBER)                                                                 \
    static int64_t NAME(const NUMBER *numbers, const int64_t *ends, int64_t rows, const text *before,   \
                        const text *between, const text *after, const digit_table *table, uint8_t *out, \
                        int64_t *out_ends) {                                                            \
        uint8_t *to = out;                                                                              \
        uint64_t gap = 0;                                                                               \
        const int64_t gap_size = between->size;                                                         \
        memcpy(&gap, between->bytes, gap_size);                                                         \
        for (int64_t row = 0, at = 0; row < rows; row++) {                                              \
            const int64_t end = ends[row], gaps = end > at;                                             \
            to = write_text(to, before);                                                                \
            for (; at < end; at++) {                                                                    \
                const NUMBER number = numbers[at];                                                      \
                /* One below 0 is larger than any other when it is taken as one without a sign. */      \
                if ((uint64_t)number < 1000000) {                                                       \
                    to = write_short(to, (uint32_t)number, table);                                      \
                } else {                                                                                \
                    if (number < 0) return -1;                                                          \
                    to = write_long(to, (uint64_t)number, table);                                       \
                }                                                                                       \
                memcpy(to, &gap, 8);                                                                    \
                to += gap_size;                                                                         \
            }                                                                                           \
            to = write_text(to - gaps * gap_size, after);                                               \
            out_ends[row] = to - out;                                                                   \
        }                                                                                               \
        return to - out;                                                                                \
    }

DEFINE_WRITE_ROWS(write_rows_32, int32_t)
DEFINE_WRITE_ROWS(write_rows_64, int64_t)
#endif

/* The few records to buckets whose keys are wanted, out of many.
 *
 * Included once per instruction set by dispatch.h, behind scatter_loops.h. Keys come from numbers alone: the bytes are
 * looked at only to find the records that are kept. */
#include "records.h"

/* Where the record begins that is `ahead` records behind the one at `from`, or NULL where [from, to) ends before. */
static inline TARGET const uint8_t *NAME(skip_records)(const uint8_t *from, const uint8_t *to, uint64_t ahead,
                                                       uint8_t delimiter, uint64_t record_bytes) {
    if (!record_bytes) return NAME(skip_delimiters)(from, to, ahead, delimiter);
    return ahead <= (uint64_t)(to - from) / record_bytes ? from + ahead * record_bytes : NULL;
}

/* The first of the keys i, i + 1, ... that is wanted; n where none is. */
static inline TARGET uint64_t NAME(next_wanted)(const uint64_t *keys, uint64_t i, uint64_t n, uint64_t span) {
    for (; i + 16 <= n; i += 16) {
        uint64_t wanted = 0;
        for (uint64_t j = 0; j < 16; j++) wanted += keys[i + j] <= span;
        if (wanted) break;
    }
    while (i < n && keys[i] > span) i++;
    return i;
}

/* As `scatter`, for the `count` records that are in [*at, stop). Fewer bytes than these records take, as in a mapped
 * input that is written to meanwhile, end it with the number of the first wanted record that is not there. */
static TARGET void NAME(sift)(scatter_t *s, const uint8_t *data, uint64_t *at, uint64_t stop, uint64_t *number,
                              uint64_t count, uint8_t delimiter, uint64_t record_bytes, int mapped) {
    uint64_t keys[BATCH], first = *number;
    SUM_TYPE sum = SUM_ZERO;
    /* Where the record first + passed begins. */
    const uint8_t *record = data + *at, *to = data + stop;
    uint64_t passed = 0;
    *at = stop;
    *number = first + count;
    for (uint64_t done = 0; done < count && record; done += BATCH) {
        uint64_t n = count - done < BATCH ? count - done : BATCH;
        NAME(draw_keys)(first + done, n, s->k0, s->k1, keys);
        for (uint64_t i = 0; i < n; i++) keys[i] = (keys[i] & s->mask) - s->low;
        for (uint64_t i = 0; (i = NAME(next_wanted)(keys, i, n, s->span)) < n; i++) {
            record = NAME(skip_records)(record, to, done + i - passed, delimiter, record_bytes);
            const uint8_t *end = record ? NAME(skip_records)(record, to, 1, delimiter, record_bytes) : NULL;
            if (!end) {
                *number = first + done + i;
                record = NULL;
                break;
            }
            uint64_t length = (uint64_t)(end - record);
            if (!NAME(fits)(s, (mapped ? MAPPED_BODY : length) + MAX_HEADER)) {
                *at = (uint64_t)(record - data);
                *number = first + done + i;
                record = NULL;
                break;
            }
            sum = NAME(take)(s, first + done + i, keys[i], record, length, mapped, sum);
            record = end;
            passed = done + i + 1;
        }
    }
    s->checksum += SUM_TOTAL(sum);
}

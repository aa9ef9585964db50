/* Records to buckets.
 *
 * Included once per instruction set by dispatch.h, behind checksum_loops.h, delimiter_loops.h and key_loops.h. */
#include "records.h"

/* Gives the bucket a fresh open block; the caller made sure that one is free. */
static inline TARGET void NAME(open_block)(scatter_t *s, uint64_t b) {
    bucket_t *bucket = s->buckets + b;
    uint32_t block = s->free[--s->free_count];
    s->links[block] = NO_BLOCK;
    if (bucket->open == NO_BLOCK) {
        bucket->head = block;
    } else {
        s->links[bucket->open] = block;
    }
    bucket->open = block;
    bucket->cursor = (uint64_t)block * s->block_bytes;
    bucket->room = s->block_bytes;
}

static inline TARGET void NAME(put)(scatter_t *s, uint64_t b, const uint8_t *from, uint64_t n) {
    bucket_t *bucket = s->buckets + b;
    while (n) {
        if (!bucket->room) NAME(open_block)(s, b);
        uint64_t piece = n < bucket->room ? n : bucket->room;
        memcpy(s->pool + bucket->cursor, from, piece);
        bucket->cursor += piece;
        bucket->room -= piece;
        from += piece;
        n -= piece;
    }
}

/* Whether a record of n stream bytes can be taken without asking for blocks. */
static inline TARGET int NAME(fits)(const scatter_t *s, uint64_t n) { return n / s->block_bytes + 2 <= s->free_count; }

/* The header of record `number` with `key` (counted from low), and the bucket's counters moved on by it. */
static inline TARGET unsigned NAME(enter)(bucket_t *bucket, uint64_t number, uint64_t key, uint64_t shift,
                                          uint64_t code, uint64_t size, uint8_t *header) {
    uint32_t bits = (uint32_t)(shift >= 32 ? key >> (shift - 32) : key << (32 - shift));
    unsigned n = put_varint(header, number - bucket->last);
    memcpy(header + n, &bits, 4);
    n += 4;
    n += put_varint(header + n, code);
    bucket->last = number;
    bucket->count++;
    bucket->size += size;
    return n;
}

/* Puts one record into its bucket, for which there is room, and adds its checksum to `sum`. With `mapped` the bucket
 * gets the record's address. */
static inline __attribute__((always_inline)) TARGET SUM_TYPE NAME(take)(scatter_t *s, uint64_t number, uint64_t key,
                                                                        const uint8_t *record, uint64_t length,
                                                                        int mapped, SUM_TYPE sum) {
    uint64_t b = key >> s->shift;
    bucket_t *bucket = s->buckets + b;
    uint64_t address = (uint64_t)(uintptr_t)record, body = mapped ? MAPPED_BODY : length;
    uint64_t code = 2 * length + !!mapped;
    if (bucket->room >= body + MAX_HEADER + SLACK) {
        uint8_t *to = s->pool + bucket->cursor;
        unsigned header = NAME(enter)(bucket, number, key, s->shift, code, length, to);
        if (mapped) memcpy(to + header, &address, MAPPED_BODY);
        sum = NAME(copy_sum)(mapped ? NULL : to + header, record, length, sum);
        bucket->cursor += header + body;
        bucket->room -= header + body;
        bucket->stream += header + body;
    } else {
        uint8_t bytes[MAX_HEADER];
        unsigned header = NAME(enter)(bucket, number, key, s->shift, code, length, bytes);
        bucket->stream += header + body;
        NAME(put)(s, b, bytes, header);
        NAME(put)(s, b, mapped ? (const uint8_t *)&address : record, body);
        sum = NAME(copy_sum)(NULL, record, length, sum);
    }
    return sum;
}

/* Ends, relative to from, of up to BATCH records in [from, to). */
static inline TARGET uint64_t NAME(cut_batch)(const uint8_t *from, const uint8_t *to, uint8_t delimiter,
                                              uint64_t record_bytes, uint64_t *ends) {
    if (!record_bytes) return NAME(find_ends)(from, to, delimiter, ends, BATCH);
    uint64_t n = (uint64_t)(to - from) / record_bytes;
    if (n > BATCH) n = BATCH;
    for (uint64_t i = 0; i < n; i++) ends[i] = (i + 1) * record_bytes;
    return n;
}

/* Distributes the whole records in [*at, stop) of data, the first of which is number *number; record_bytes 0 means
 * delimited. With `mapped`, data stays where it is and the buckets get addresses. Stops early, between records, when
 * it needs free blocks. */
static TARGET void NAME(scatter)(scatter_t *s, const uint8_t *data, uint64_t *at, uint64_t stop, uint64_t *number,
                                 uint8_t delimiter, uint64_t record_bytes, int mapped) {
    uint64_t ends[BATCH], keys[BATCH];
    SUM_TYPE sum = SUM_ZERO, skipped = SUM_ZERO;
    uint64_t position = *at, first = *number;
    while (position < stop) {
        uint64_t n = NAME(cut_batch)(data + position, data + stop, delimiter, record_bytes, ends);
        if (!n) {
            /* Bytes that are no record, as in a mapped input that is written to meanwhile: none is left to wait for. */
            position = stop;
            break;
        }
        NAME(draw_keys)(first, n, s->k0, s->k1, keys);
        for (uint64_t i = 0; i < n; i++) {
            keys[i] = (keys[i] & s->mask) - s->low;
            if (keys[i] <= s->span) __builtin_prefetch(s->buckets + (keys[i] >> s->shift), 1);
        }
        uint64_t done = 0, start = 0;
        for (; done < n; done++) {
            if (done + 8 < n && keys[done + 8] <= s->span) {
                const uint8_t *target = s->pool + s->buckets[keys[done + 8] >> s->shift].cursor;
                __builtin_prefetch(target, 1);
                __builtin_prefetch(target + 64, 1);
            }
            uint64_t length = ends[done] - start;
            const uint8_t *record = data + position + start;
            if (keys[done] > s->span) {
                if (s->check_skipped) skipped = NAME(copy_sum)(NULL, record, length, skipped);
            } else {
                if (!NAME(fits)(s, (mapped ? MAPPED_BODY : length) + MAX_HEADER)) break;
                sum = NAME(take)(s, first + done, keys[done], record, length, mapped, sum);
            }
            start = ends[done];
        }
        position += start;
        first += done;
        if (done < n) break;
    }
    s->checksum += SUM_TOTAL(sum);
    s->skipped += SUM_TOTAL(skipped);
    *at = position;
    *number = first;
}

/* Enters a reference to a record of `length` bytes that is kept elsewhere: DONE, NEEDS_BLOCKS or OUT_OF_SPAN. */
static TARGET status_t NAME(refer)(scatter_t *s, uint64_t number, uint64_t place, uint64_t length) {
    uint64_t key = record_key(number, s->k0, s->k1, s->mask) - s->low;
    uint8_t bytes[MAX_HEADER + REFERENCE_BODY];
    if (key > s->span) return OUT_OF_SPAN;
    if (!NAME(fits)(s, sizeof bytes)) return NEEDS_BLOCKS;
    bucket_t *bucket = s->buckets + (key >> s->shift);
    unsigned n = NAME(enter)(bucket, number, key, s->shift, 0, length, bytes);
    memcpy(bytes + n, &place, 8);
    memcpy(bytes + n + 8, &length, 8);
    bucket->stream += n + REFERENCE_BODY;
    NAME(put)(s, key >> s->shift, bytes, n + REFERENCE_BODY);
    return DONE;
}

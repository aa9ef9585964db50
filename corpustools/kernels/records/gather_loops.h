/* Buckets to output: listing the records of streams, and copying them in the order of the sorted list.
 *
 * Included once per instruction set by dispatch.h, behind checksum_loops.h and stream_loops.h. */
#include "records.h"

/* How far ahead of the copy records are fetched: an input's pages and the pool are read in random order. */
#define FETCH_AHEAD 24

/* Finds the record whose code comes next, and moves the walk behind it; 0 when the stream is torn. */
static inline TARGET int NAME(find)(const chain_t *chain, walk_t *walk, spot_t *spot) {
    if (walk->offset == chain->block_bytes && !NAME(next_block)(chain, walk)) return 0;
    uint64_t code, start = walk->block * chain->block_bytes + walk->offset;
    if (!NAME(read_varint)(chain, walk, &code)) return 0;
    uint64_t length = code >> 1;
    if (code & 1) {
        spot->size = length << 2 | MAPPED;
        return NAME(read_bytes)(chain, walk, (uint8_t *)&spot->place, MAPPED_BODY);
    }
    if (code && length <= chain->block_bytes - walk->offset) {
        spot->place = walk->block * chain->block_bytes + walk->offset;
        spot->size = length << 2 | IN_BLOCK;
    } else {
        spot->place = start;
        spot->size = length << 2 | BY_WALK;
    }
    return NAME(skip)(chain, walk, body_bytes(code));
}

/* Reads `count` records of a stream and lists those whose key bits are in least … greatest: DONE, LISTS_FULL or
 * TORN. */
static TARGET status_t NAME(index_stream)(const chain_t *source, walk_t walk, uint64_t count, uint32_t least,
                                          uint32_t greatest, lists_t *lists) {
    const chain_t chain = *source;
    uint64_t listed = lists->count, most = lists->most;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t delta;
        uint32_t bits;
        spot_t spot;
        const uint8_t *ahead = chain.pool + walk.block * chain.block_bytes + walk.offset + 1024;
        __builtin_prefetch(ahead);
        __builtin_prefetch(ahead + 64);
        if (!NAME(read_varint)(&chain, &walk, &delta)) return TORN;
        walk.number += delta;
        if (!NAME(read_bytes)(&chain, &walk, (uint8_t *)&bits, 4)) return TORN;
        if (!NAME(find)(&chain, &walk, &spot)) return TORN;
        if (bits < least || bits > greatest) continue;
        if (listed == most) return LISTS_FULL;
        lists->words[listed] = (uint64_t)bits << 32 | listed;
        lists->numbers[listed] = walk.number;
        lists->spots[listed] = spot;
        listed++;
    }
    lists->count = listed;
    return DONE;
}

/* Copies a record that is found by a walk, or notes the reference; TORN when the pool does not hold it. */
static TARGET status_t NAME(copy_walked)(const chain_t *chain, spot_t spot, uint8_t *to, output_t *output) {
    uint64_t code, length = spot.size >> 2;
    walk_t walk = {spot.place / chain->block_bytes, spot.place & (chain->block_bytes - 1), UINT64_MAX, 0};
    if (walk.block >= chain->blocks) return TORN;
    if (!NAME(read_varint)(chain, &walk, &code) || code >> 1 != length) return TORN;
    if (!code) return NAME(read_bytes)(chain, &walk, (uint8_t *)output->reference, REFERENCE_BODY) ? DONE : TORN;
    if (!NAME(read_bytes)(chain, &walk, to, length)) return TORN;
    output->checksum += NAME(checksum)(to, length, 0);
    return DONE;
}

/* Copies records in the order of the words [first, stop) to the output until it is full or a reference comes: DONE, or
 * TORN when the pool does not hold what the lists say. */
static TARGET status_t NAME(gather)(const chain_t *source, const lists_t *lists, uint64_t first, uint64_t stop,
                                    output_t *output) {
    const chain_t chain = *source;
    const uint64_t *words = lists->words, pool_bytes = chain.blocks * chain.block_bytes;
    const spot_t *spots = lists->spots;
    status_t status = DONE;
    SUM_TYPE sum = SUM_ZERO;
    uint8_t *out = output->bytes;
    uint64_t filled = output->used, capacity = output->capacity, i = first;
    for (; i < stop; i++) {
        if (i + FETCH_AHEAD < stop) {
            /* To the second level: the first one's few line buffers are the bottleneck. */
            const spot_t spot = spots[(uint32_t)words[i + FETCH_AHEAD]];
            const uint8_t *ahead = (const uint8_t *)(uintptr_t)spot.place;
            if ((spot.size & 3) != MAPPED) ahead = chain.pool + spot.place;
            __builtin_prefetch(ahead, 0, 2);
            __builtin_prefetch(ahead + 64, 0, 2);
            __builtin_prefetch(ahead + 128, 0, 2);
        }
        spot_t spot = spots[(uint32_t)words[i]];
        uint64_t length = spot.size >> 2, kind = spot.size & 3;
        if (length > capacity - filled) break;
        const uint8_t *record = (const uint8_t *)(uintptr_t)spot.place;
        if (kind == BY_WALK) {
            status = NAME(copy_walked)(&chain, spot, out + filled, output);
            if (status != DONE) break;
            filled += length;
            if (length) continue;
            i++;
            break;
        }
        if (kind == IN_BLOCK) {
            if (spot.place > pool_bytes || length > pool_bytes - spot.place) {
                status = TORN;
                break;
            }
            record = chain.pool + spot.place;
        }
        sum = NAME(copy_sum)(out + filled, record, length, sum);
        filled += length;
    }
    output->used = filled;
    output->checksum += SUM_TOTAL(sum);
    output->next = i;
    return status;
}

/* Buckets to output: listing the records of streams, and copying them in the order of the sorted list.
 *
 * Included once per instruction set by dispatch.h, behind checksum_loops.h and stream_loops.h. */
#include "records.h"

/* Reads `count` records of a stream and lists those whose key bits are in least … greatest: DONE, LISTS_FULL or
 * TORN. */
static TARGET status_t NAME(index_stream)(const chain_t *source, walk_t walk, uint64_t count, uint32_t least,
                                          uint32_t greatest, lists_t *lists) {
    const chain_t chain = *source;
    uint64_t *words = lists->words, *numbers = lists->numbers, *places = lists->places;
    uint64_t listed = lists->count, most = lists->most;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t delta, code;
        uint32_t bits;
        const uint8_t *ahead = chain.pool + walk.block * chain.block_bytes + walk.offset + 1024;
        __builtin_prefetch(ahead);
        __builtin_prefetch(ahead + 64);
        if (!NAME(read_varint)(&chain, &walk, &delta)) return TORN;
        walk.number += delta;
        if (!NAME(read_bytes)(&chain, &walk, (uint8_t *)&bits, 4)) return TORN;
        if (walk.offset == chain.block_bytes && !NAME(next_block)(&chain, &walk)) return TORN;
        uint64_t place = walk.block * chain.block_bytes + walk.offset;
        if (!NAME(read_varint)(&chain, &walk, &code)) return TORN;
        if (!NAME(skip)(&chain, &walk, body_bytes(code))) return TORN;
        if (bits < least || bits > greatest) continue;
        if (listed == most) return LISTS_FULL;
        words[listed] = (uint64_t)bits << 32 | listed;
        numbers[listed] = walk.number;
        places[listed] = place;
        listed++;
    }
    lists->count = listed;
    return DONE;
}

/* Copies records in the order of the words [first, stop) to the output until it is full or a reference comes: DONE, or
 * TORN when the pool does not hold what the lists say. */
static TARGET status_t NAME(gather)(const chain_t *source, const lists_t *lists, uint64_t first, uint64_t stop,
                                    output_t *output) {
    const chain_t chain = *source;
    const uint64_t *words = lists->words, *places = lists->places;
    uint8_t *out = output->bytes;
    SUM_TYPE sum = SUM_ZERO;
    uint64_t filled = output->used, capacity = output->capacity, i = first;
    for (; i < stop; i++) {
        if (i + 8 < stop) {
            const uint8_t *ahead = chain.pool + places[(uint32_t)words[i + 8]];
            __builtin_prefetch(ahead);
            __builtin_prefetch(ahead + 64);
        }
        uint64_t place = places[(uint32_t)words[i]];
        walk_t walk = {place / chain.block_bytes, place & (chain.block_bytes - 1), UINT64_MAX, 0};
        uint64_t code;
        if (!NAME(read_varint)(&chain, &walk, &code)) return TORN;
        if (!code) {
            if (!NAME(read_bytes)(&chain, &walk, (uint8_t *)output->reference, REFERENCE_BODY)) return TORN;
            i++;
            break;
        }
        uint64_t length = code >> 1;
        if (length > capacity - filled) break;
        if (code & 1) {
            uint64_t address;
            if (!NAME(read_bytes)(&chain, &walk, (uint8_t *)&address, MAPPED_BODY)) return TORN;
            sum = NAME(copy_sum)(out + filled, (const uint8_t *)(uintptr_t)address, length, sum);
        } else if (length <= chain.block_bytes - walk.offset) {
            sum = NAME(copy_sum)(out + filled, chain.pool + walk.block * chain.block_bytes + walk.offset, length, sum);
        } else {
            if (!NAME(read_bytes)(&chain, &walk, out + filled, length)) return TORN;
            sum = NAME(copy_sum)(NULL, out + filled, length, sum);
        }
        filled += length;
    }
    output->used = filled;
    output->checksum += SUM_TOTAL(sum);
    output->next = i;
    return DONE;
}

/* ---- mapped records: the lists hold addresses and lengths themselves, so that the loop that fetches far-away lines
 * has nothing else to wait for ---- */

/* As index_stream for streams that hold nothing but mapped records; NOT_MAPPED when another kind is among them. */
static TARGET status_t NAME(index_mapped)(const chain_t *source, walk_t walk, uint64_t count, uint32_t least,
                                          uint32_t greatest, lists_t *lists) {
    const chain_t chain = *source;
    uint64_t *words = lists->words, *numbers = lists->numbers, *addresses = lists->places, *lengths = lists->lengths;
    uint64_t listed = lists->count, most = lists->most;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t delta, code, address;
        uint32_t bits;
        if (!NAME(read_varint)(&chain, &walk, &delta)) return TORN;
        walk.number += delta;
        if (!NAME(read_bytes)(&chain, &walk, (uint8_t *)&bits, 4)) return TORN;
        if (!NAME(read_varint)(&chain, &walk, &code)) return TORN;
        if (!(code & 1)) return NOT_MAPPED;
        if (!NAME(read_bytes)(&chain, &walk, (uint8_t *)&address, MAPPED_BODY)) return TORN;
        if (bits < least || bits > greatest) continue;
        if (listed == most) return LISTS_FULL;
        words[listed] = (uint64_t)bits << 32 | listed;
        numbers[listed] = walk.number;
        addresses[listed] = address;
        lengths[listed] = code >> 1;
        listed++;
    }
    lists->count = listed;
    return DONE;
}

/* Copies mapped records in the order of the words [first, stop) to the output until it is full. */
static TARGET void NAME(gather_mapped)(const lists_t *lists, uint64_t first, uint64_t stop, output_t *output) {
    const uint64_t *words = lists->words, *addresses = lists->places, *lengths = lists->lengths;
    uint8_t *out = output->bytes;
    SUM_TYPE sum = SUM_ZERO;
    uint64_t filled = output->used, capacity = output->capacity, i = first;
    for (; i < stop; i++) {
        if (i + 24 < stop) {
            /* To the second level: the first one's few line buffers are the bottleneck. */
            const uint8_t *ahead = (const uint8_t *)(uintptr_t)addresses[(uint32_t)words[i + 24]];
            __builtin_prefetch(ahead, 0, 2);
            __builtin_prefetch(ahead + 64, 0, 2);
            __builtin_prefetch(ahead + 128, 0, 2);
        }
        uint64_t length = lengths[(uint32_t)words[i]];
        if (length > capacity - filled) break;
        const uint8_t *record = (const uint8_t *)(uintptr_t)addresses[(uint32_t)words[i]];
        sum = NAME(copy_sum)(out + filled, record, length, sum);
        filled += length;
    }
    output->used = filled;
    output->checksum += SUM_TOTAL(sum);
    output->next = i;
}

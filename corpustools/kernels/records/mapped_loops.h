/* Buckets of mapped records, included once per instruction set: the lists hold addresses and lengths themselves, so
 * that the loop that fetches far-away lines has nothing else to wait for. */

/* As index_stream for streams that hold nothing but mapped records. UINT64_MAX: torn; UINT64_MAX - 1: the lists are
 * full; UINT64_MAX - 2: another kind of record is among them. */
static TARGET uint64_t NAME(index_mapped)(const uint8_t *pool, const uint32_t *links, uint64_t block_bytes,
                                          uint64_t blocks, walk_t walk, uint64_t count, uint32_t least,
                                          uint32_t greatest, uint64_t *words, uint64_t *numbers, uint64_t *addresses,
                                          uint64_t *lengths, uint64_t listed, uint64_t most) {
    NAME(chain_t) chain = {pool, links, block_bytes, blocks};
    for (uint64_t i = 0; i < count; i++) {
        uint64_t delta, code, address;
        uint32_t bits;
        if (!NAME(read_varint)(&chain, &walk, &delta)) return UINT64_MAX;
        walk.number += delta;
        if (!NAME(read_bytes)(&chain, &walk, (uint8_t *)&bits, 4)) return UINT64_MAX;
        if (!NAME(read_varint)(&chain, &walk, &code)) return UINT64_MAX;
        if (!(code & 1)) return UINT64_MAX - 2;
        if (!NAME(read_bytes)(&chain, &walk, (uint8_t *)&address, MAPPED_BODY)) return UINT64_MAX;
        if (bits < least || bits > greatest) continue;
        if (listed == most) return UINT64_MAX - 1;
        words[listed] = (uint64_t)bits << 32 | listed;
        numbers[listed] = walk.number;
        addresses[listed] = address;
        lengths[listed] = code >> 1;
        listed++;
    }
    return listed;
}

/* Copies mapped records in the order of the words [first, stop) into out until it is full; returns the index of the
 * first word not done. */
static TARGET uint64_t NAME(gather_mapped)(const uint64_t *words, const uint64_t *addresses, const uint64_t *lengths,
                                           uint64_t first, uint64_t stop, uint8_t *out, uint64_t capacity,
                                           uint64_t *used, uint64_t *checksum) {
    SUM_TYPE sum = SUM_ZERO;
    uint64_t filled = *used, i = first;
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
    *used = filled;
    *checksum += SUM_TOTAL(sum);
    return i;
}

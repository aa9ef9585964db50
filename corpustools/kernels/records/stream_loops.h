/* Reading a stream through its chain of blocks.
 *
 * Included once per instruction set by dispatch.h. */
#include "records.h"

/* Moves the walk to the next block; 0 at the end of the chain. */
static inline TARGET int NAME(next_block)(const chain_t *chain, walk_t *walk) {
    uint64_t block = chain->links[walk->block];
    if (block >= chain->blocks) return 0;
    walk->block = block;
    walk->offset = 0;
    return 1;
}

static inline TARGET int NAME(read_varint)(const chain_t *chain, walk_t *walk, uint64_t *value) {
    uint64_t result = 0;
    const uint8_t *bytes = chain->pool + walk->block * chain->block_bytes;
    if (chain->block_bytes - walk->offset >= 10 && walk->available >= 10) {
        const uint8_t *at = bytes + walk->offset;
        unsigned n = 0;
        do {
            result |= (uint64_t)(at[n] & 0x7F) << (7 * n);
        } while (at[n++] & 0x80 && n < 10);
        walk->offset += n;
        walk->available -= n;
        *value = result;
        return 1;
    }
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (!walk->available) return 0;
        if (walk->offset == chain->block_bytes && !NAME(next_block)(chain, walk)) return 0;
        uint8_t byte = chain->pool[walk->block * chain->block_bytes + walk->offset];
        walk->offset++;
        walk->available--;
        result |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80)) {
            *value = result;
            return 1;
        }
    }
    return 0;
}

static inline TARGET int NAME(skip)(const chain_t *chain, walk_t *walk, uint64_t n) {
    if (n > walk->available) return 0;
    walk->available -= n;
    while (n > chain->block_bytes - walk->offset) {
        n -= chain->block_bytes - walk->offset;
        if (!NAME(next_block)(chain, walk)) return 0;
    }
    walk->offset += n;
    return 1;
}

static inline TARGET int NAME(read_bytes)(const chain_t *chain, walk_t *walk, uint8_t *to, uint64_t n) {
    if (n > walk->available) return 0;
    walk->available -= n;
    if (n == 4 && walk->offset + 4 <= chain->block_bytes) {
        memcpy(to, chain->pool + walk->block * chain->block_bytes + walk->offset, 4);
        walk->offset += 4;
        return 1;
    }
    for (;;) {
        uint64_t room = chain->block_bytes - walk->offset, piece = n < room ? n : room;
        memcpy(to, chain->pool + walk->block * chain->block_bytes + walk->offset, piece);
        walk->offset += piece;
        to += piece;
        n -= piece;
        if (!n) return 1;
        if (!NAME(next_block)(chain, walk)) return 0;
    }
}

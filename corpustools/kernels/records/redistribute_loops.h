/* Streams to finer buckets.
 *
 * Included once per instruction set by dispatch.h, behind scatter_loops.h and stream_loops.h. */
#include "records.h"

/* Copies a record's body, which is in memory, from where the walk stands to bucket b; 0 when the chain is torn. */
static inline TARGET int NAME(move_body)(scatter_t *s, uint64_t b, const chain_t *chain, walk_t *walk, uint64_t n) {
    walk->available -= n;
    for (;;) {
        uint64_t room = s->block_bytes - walk->offset, piece = n < room ? n : room;
        NAME(put)(s, b, s->pool + walk->block * s->block_bytes + walk->offset, piece);
        walk->offset += piece;
        n -= piece;
        if (!n) return 1;
        if (!NAME(next_block)(chain, walk)) return 0;
    }
}

/* Moves whole records of a stream into the buckets of s until the stream's bytes in memory end inside a record or all
 * `*count` records are moved: DONE, NEEDS_BLOCKS, or TORN. The walk stands behind the last record moved. */
static TARGET status_t NAME(redistribute)(scatter_t *s, uint64_t blocks, walk_t *walk, uint64_t *count) {
    const chain_t chain = {s->pool, s->links, s->block_bytes, blocks};
    while (*count) {
        walk_t trial = *walk;
        uint64_t delta, code, bytes, size;
        uint8_t header[MAX_HEADER];
        if (!NAME(read_varint)(&chain, &trial, &delta)) return DONE;
        trial.number += delta;
        if (!NAME(skip)(&chain, &trial, 4)) return DONE;
        if (!NAME(read_varint)(&chain, &trial, &code)) return DONE;
        bytes = body_bytes(code);
        size = code >> 1;
        if (!code) {
            uint8_t reference[REFERENCE_BODY];
            walk_t peek = trial;
            if (!NAME(read_bytes)(&chain, &peek, reference, REFERENCE_BODY)) return DONE;
            memcpy(&size, reference + 8, 8);
        }
        if (bytes > trial.available) return DONE;
        uint64_t key = record_key(trial.number, s->k0, s->k1, s->mask) - s->low;
        if (key <= s->span) {
            uint64_t b = key >> s->shift;
            if (!NAME(fits)(s, bytes + MAX_HEADER)) return NEEDS_BLOCKS;
            unsigned n = NAME(enter)(s->buckets + b, trial.number, key, s->shift, code, size, header);
            s->buckets[b].stream += n + bytes;
            NAME(put)(s, b, header, n);
            if (!NAME(move_body)(s, b, &chain, &trial, bytes)) return TORN;
        } else if (!NAME(skip)(&chain, &trial, bytes)) {
            return TORN;
        }
        *walk = trial;
        --*count;
    }
    return DONE;
}

/* Blocks of the LZ4 format: a greedy search with one table of places, and a decoder for bytes that nobody vouches for.
 *
 * A block is a row of sequences (https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md):
 *
 *   token            literals                       distance        length of the match
 *   +----+----+      +------------------------+     +-----+-----+   +----------------------+
 *   | n  | m  |      | n bytes, as they are   |     | low | high|   | m + 4 bytes, copied  |
 *   +----+----+      +------------------------+     +-----+-----+   | from so far back     |
 *    4    4 bits                                                    +----------------------+
 *
 * An n or m of 15 goes on in bytes that are added to it, up to the first that is not 255. The last sequence is literals
 * alone. Decoders rely on two rules: the last 5 bytes are literals, and no match begins in the last 12.
 *
 * Nothing is read outside [text, text + size) nor written outside [out, out + room).
 */
#ifndef CORPUS_LZ4_H
#define CORPUS_LZ4_H
#include <stdint.h>
#include <string.h>

#define LZ4_HASH_BITS 13
#define LZ4_TABLE_BYTES ((int64_t)sizeof(uint16_t) << LZ4_HASH_BITS)
/* Places in the table have 16 bits. */
#define LZ4_STRETCH (1 << 16)
#define LZ4_LEAST_MATCH 4
#define LZ4_LAST_LITERALS 5
#define LZ4_LAST_START 12
/* So many places without a match, and the search takes longer steps. */
#define LZ4_PATIENCE 6
/* Lengths from here on go on behind the token. */
#define LZ4_LONG 15

static inline uint64_t lz4_load8(const uint8_t *p) {
    uint64_t word;
    memcpy(&word, p, 8);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

/* Of the first 5 bytes: matches of 4 save too little to be looked for. */
static inline uint32_t lz4_hash(uint64_t word) {
    return (uint32_t)((word << 24) * 0x9E3779B185EBCA87u >> (64 - LZ4_HASH_BITS));
}

static inline void lz4_copy16(uint8_t *out, const uint8_t *from) { memcpy(out, from, 16); }

/* Copies bytes in steps of 16 where up to 15 more may be read and written, `spare` says so. */
static inline void lz4_copy(uint8_t *out, const uint8_t *from, int64_t size, int spare) {
    if (!spare) {
        memcpy(out, from, (size_t)size);
        return;
    }
    for (int64_t i = 0; i < size; i += 16) lz4_copy16(out + i, from + i);
}

/* How many bytes at `at` and `before` are equal, up to `end`. */
static inline int64_t lz4_common(const uint8_t *at, const uint8_t *before, const uint8_t *end) {
    const uint8_t *begin = at;
    while (end - at >= 8) {
        const uint64_t differ = lz4_load8(at) ^ lz4_load8(before);
        if (differ) return at - begin + (__builtin_ctzll(differ) >> 3);
        at += 8;
        before += 8;
    }
    while (at < end && *at == *before) at++, before++;
    return at - begin;
}

static inline uint8_t *lz4_put_length(uint8_t *out, int64_t rest) {
    for (; rest >= 255; rest -= 255) *out++ = 255;
    *out++ = (uint8_t)rest;
    return out;
}

/* What a sequence with so many literals takes at most, the length of its match aside. */
static inline int64_t lz4_bound(int64_t literals) { return literals + literals / 255 + 16; }

/* Writes token and literals; the caller has seen that there is room for lz4_bound of them. */
static inline uint8_t *lz4_put_literals(uint8_t *out, const uint8_t *from, int64_t count, int spare) {
    uint8_t *token = out++;
    *token = (uint8_t)((count < LZ4_LONG ? count : LZ4_LONG) << 4);
    if (count >= LZ4_LONG) out = lz4_put_length(out, count - LZ4_LONG);
    lz4_copy(out, from, count, spare);
    return out + count;
}

/* Compresses a text; returns the bytes of the block, or 0 where they do not fit. `table` has LZ4_TABLE_BYTES. */
static inline int64_t lz4_compress(const uint8_t *text, int64_t size, uint8_t *out, int64_t room, uint16_t *table) {
    const uint8_t *const end = text + size, *const last = end - LZ4_LAST_START,
                         *const match_end = end - LZ4_LAST_LITERALS;
    uint8_t *const out_begin = out, *const out_end = out + room;
    const uint8_t *anchor = text, *at = text;
    while (size > LZ4_LAST_START && at < last) {
        /* A stretch: the table begins anew. */
        const uint8_t *const base = at, *const stop = last - at < LZ4_STRETCH - 1 ? last : at + (LZ4_STRETCH - 1);
        memset(table, 0, LZ4_TABLE_BYTES);
        at++;
        while (at <= stop) {
            const uint8_t *before;
            uint32_t misses = 1 << LZ4_PATIENCE;
            for (;;) {
                const uint64_t word = lz4_load8(at);
                uint16_t *const slot = table + lz4_hash(word);
                before = base + *slot;
                *slot = (uint16_t)(at - base);
                if ((uint32_t)lz4_load8(before) == (uint32_t)word) break;
                at += misses++ >> LZ4_PATIENCE;
                if (at > stop) goto stretch_done;
            }
            while (at > anchor && before > text && at[-1] == before[-1]) at--, before--;
            const int64_t length = LZ4_LEAST_MATCH + lz4_common(at + 4, before + 4, match_end);
            const int64_t literals = at - anchor, more = length - LZ4_LEAST_MATCH;
            if (out_end - out < lz4_bound(literals) + more / 255 + 16) return 0;
            uint8_t *const token = out;
            out = lz4_put_literals(out, anchor, literals, end - at >= 16);
            const int64_t distance = at - before;
            *out++ = (uint8_t)distance;
            *out++ = (uint8_t)(distance >> 8);
            *token |= (uint8_t)(more < LZ4_LONG ? more : LZ4_LONG);
            if (more >= LZ4_LONG) out = lz4_put_length(out, more - LZ4_LONG);
            at += length;
            anchor = at;
            if (at <= stop) table[lz4_hash(lz4_load8(at - 2))] = (uint16_t)(at - 2 - base);
        }
    stretch_done:;
    }
    if (out_end - out < lz4_bound(end - anchor)) return 0;
    return lz4_put_literals(out, anchor, end - anchor, 0) - out_begin;
}

/* Adds the bytes behind a length of 15; -1 where they end early, or the length is beyond any block. */
static inline int64_t lz4_take_length(const uint8_t **in, const uint8_t *in_end, int64_t limit) {
    int64_t length = LZ4_LONG;
    for (;;) {
        if (*in == in_end || length > limit) return -1;
        const uint8_t byte = *(*in)++;
        length += byte;
        if (byte != 255) return length;
    }
}

/* Decompresses a block; returns the bytes of the text, or -1 where the block is damaged or the text has no room. */
static inline int64_t lz4_decompress(const uint8_t *in, int64_t size, uint8_t *out, int64_t room) {
    const uint8_t *const in_end = in + size;
    uint8_t *const out_begin = out, *const out_end = out + room;
    while (in < in_end) {
        const uint8_t token = *in++;
        int64_t literals = token >> 4, length = token & 15;
        if (literals == LZ4_LONG && (literals = lz4_take_length(&in, in_end, room)) < 0) return -1;
        if (literals <= 16 && in_end - in >= 32 && out_end - out >= 64) {
            lz4_copy16(out, in);
        } else {
            if (literals > in_end - in || literals > out_end - out) return -1;
            lz4_copy(out, in, literals, in_end - in - literals >= 16 && out_end - out - literals >= 16);
        }
        in += literals;
        out += literals;
        if (in == in_end) return out - out_begin;
        if (in_end - in < 2) return -1;
        const int64_t distance = in[0] | in[1] << 8;
        in += 2;
        if (length == LZ4_LONG && (length = lz4_take_length(&in, in_end, room)) < 0) return -1;
        length += LZ4_LEAST_MATCH;
        if (!distance || distance > out - out_begin || length > out_end - out) return -1;
        const uint8_t *from = out - distance;
        if (distance >= 16 && out_end - out >= length + 16) {
            lz4_copy(out, from, length, 1);
        } else {
            /* What is copied may just have been written. */
            for (int64_t i = 0; i < length; i++) out[i] = from[i];
        }
        out += length;
    }
    return -1;
}
#endif

/* Records in a pool of equal blocks: cutting, distributing to buckets, indexing, gathering, and an order-free
 * checksum on the way. Nothing here allocates; every buffer comes from the caller with SLACK readable (and, for
 * outputs, writable) bytes behind its end.
 *
 * A bucket is a stream of records cut into blocks. One record in a stream:
 *     varint(number - previous number of the stream)  u32 key bits below the bucket's prefix  varint(code)  body
 * The code is twice the length and the body the record's bytes, or one more than that and the body the u64 address of
 * the bytes in a mapped input, or 0 and the body a reference: u64 place and u64 length of a record that the caller
 * keeps (a real record is never empty: it holds at least its delimiter). Records cross block ends freely.
 *
 * Here are the types; the loops are in *_loops.h, once per instruction set, and dispatch.h offers them.
 */
#ifndef CORPUS_RECORDS_H
#define CORPUS_RECORDS_H
#include "../philox.h"
#include <stdint.h>
#include <string.h>

#define SLACK 64
#define NO_BLOCK 0xFFFFFFFFu
#define MAX_HEADER 24
#define BATCH 256

/* How a call ended. status.py has the same names and numbers. */
typedef enum {
    DONE,         /* all that could be done */
    NEEDS_BLOCKS, /* free blocks, or room in the full list, are wanting; go on when there are some */
    OUT_OF_SPAN,  /* the record's key is not of this span */
    LISTS_FULL,   /* more records are in the range than the lists take */
    TORN,         /* a chain of blocks ends inside a record, or the lists point outside the pool */
    TRUNCATED     /* a mapped input became shorter while it was read */
} status_t;

typedef struct {     /* a bucket; layout.py names its columns in this order */
    uint64_t cursor; /* pool offset of the next byte to write */
    uint64_t last;   /* number of the newest record */
    uint64_t count;  /* records */
    uint64_t size;   /* their bytes, delimiters included */
    uint64_t stream; /* bytes of the stream: records and headers */
    uint64_t room;   /* bytes left in the open block */
    uint64_t head;   /* first block still in memory, or NO_BLOCK */
    uint64_t open;   /* last block, the one being filled, or NO_BLOCK */
} bucket_t;

typedef struct {
    uint8_t *pool;
    uint32_t *links; /* links[block] = the next block of the same stream */
    bucket_t *buckets;
    uint32_t *free; /* stack of free blocks */
    uint64_t free_count;
    uint64_t block_bytes;      /* a power of two */
    uint64_t low, span, shift; /* key k belongs here when k - low <= span, in bucket (k - low) >> shift */
    uint64_t k0, k1, mask;
    uint64_t checksum, skipped; /* of the records kept, and (if check_skipped) of those outside the span */
    uint64_t check_skipped;
} scatter_t;

typedef struct {            /* where a walk through a stream stands */
    uint64_t block, offset; /* the next byte: pool block and offset in it */
    uint64_t available;     /* bytes of the stream that are in memory from here on */
    uint64_t number;        /* of the last record read */
} walk_t;

typedef struct { /* the pool that streams are read from */
    const uint8_t *pool;
    const uint32_t *links;
    uint64_t block_bytes, blocks;
} chain_t;

/* How a record is found. */
typedef enum {
    IN_BLOCK, /* its bytes lie in one block; place is their pool offset */
    MAPPED,   /* place is the address of its bytes in a mapped input */
    BY_WALK   /* place is the pool offset of its code: it crosses blocks, or is a reference */
} kind_t;

typedef struct { /* where a record is; both words in one line of the cache, since they are read in random order */
    uint64_t place;
    uint64_t size; /* four times its bytes, and its kind */
} spot_t;

typedef struct {          /* the records that are put in order, one entry in each list */
    uint64_t *words;      /* what is sorted: 32 key bits, then 32 bits of the place in the other lists */
    uint64_t *numbers;    /* of the records */
    spot_t *spots;        /* where they are */
    uint64_t count, most; /* entries used, and how many there is room for */
} lists_t;

typedef struct { /* where records are copied to */
    uint8_t *bytes;
    uint64_t used, capacity;
    uint64_t checksum;     /* of what was copied */
    uint64_t next;         /* the first word not done */
    uint64_t reference[2]; /* place and length, when the last record done is kept elsewhere; else length 0 */
} output_t;

static inline uint64_t record_key(uint64_t number, uint64_t k0, uint64_t k1, uint64_t mask) {
    return philox_key(number, k0, k1) & mask;
}

/* Checksum of one record: its bytes padded with zeros to whole 32-byte groups, group t giving the sum over its four
 * pairs (a, b) of 32-bit words of (a + key) * (b + key'), keys advancing with t, all modulo 2^64. It is the NH
 * construction of UMAC (Black et al., CRYPTO 1999) with counted keys: sensitive to the place of every word, and
 * additive over records, hence free of their order. */
static const uint32_t CHECK_KEYS[8] = {0x243F6A89u, 0x85A308D3u, 0x13198A2Fu, 0x03707345u,
                                       0xA4093823u, 0x299F31D1u, 0x082EFA99u, 0xEC4E6C8Bu};
static const uint32_t CHECK_STEPS[8] = {0x452821E7u, 0x38D01377u, 0xBE5466CFu, 0x34E90C6Du,
                                        0xC0AC29B7u, 0xC97C50DDu, 0x3F84D5B5u, 0xB5470917u};

static inline unsigned put_varint(uint8_t *to, uint64_t value) {
    unsigned n = 0;
    while (value >= 0x80) {
        to[n++] = (uint8_t)value | 0x80;
        value >>= 7;
    }
    to[n++] = (uint8_t)value;
    return n;
}

/* Whether the words [first, stop) name entries of the lists. */
static inline int words_in_range(const lists_t *lists, uint64_t first, uint64_t stop) {
    uint64_t sound = 1;
    for (uint64_t i = first; i < stop; i++) sound &= (uint32_t)lists->words[i] < lists->most;
    return (int)sound;
}

#define MAPPED_BODY 8
#define REFERENCE_BODY 16

static inline uint64_t body_bytes(uint64_t code) { return code & 1 ? MAPPED_BODY : code ? code >> 1 : REFERENCE_BODY; }
#endif

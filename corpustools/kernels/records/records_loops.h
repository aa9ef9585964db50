/* The loops of records.h, included once per instruction set: NAME() gives the suffix, TARGET the attribute. */

#ifdef CORPUS_AVX2
static const uint8_t TAIL_MASK[64] = {
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255};

static inline TARGET uint64_t NAME(lanes)(__m256i sum) {
    __m128i half = _mm_add_epi64(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
    return (uint64_t)_mm_cvtsi128_si64(half) + (uint64_t)_mm_extract_epi64(half, 1);
}

/* Adds the checksum of n bytes that begin at a record's 32-byte group `group` to the lanes of sum, and copies them
 * unless `to` is NULL (up to 31 more are read and written). */
static inline TARGET __m256i NAME(copy_sum_from)(uint8_t *to, const uint8_t *from, uint64_t n, uint32_t group,
                                                 __m256i sum) {
    const __m256i step = _mm256_loadu_si256((const __m256i *)CHECK_STEPS);
    __m256i key = _mm256_add_epi32(_mm256_loadu_si256((const __m256i *)CHECK_KEYS),
                                   _mm256_mullo_epi32(step, _mm256_set1_epi32((int)group)));
    uint64_t at = 0;
    for (; at + 32 <= n; at += 32) {
        __m256i words = _mm256_loadu_si256((const __m256i *)(from + at));
        if (to) _mm256_storeu_si256((__m256i *)(to + at), words);
        words = _mm256_add_epi32(words, key);
        sum = _mm256_add_epi64(sum, _mm256_mul_epu32(words, _mm256_srli_epi64(words, 32)));
        key = _mm256_add_epi32(key, step);
    }
    if (at < n) {
        __m256i words = _mm256_loadu_si256((const __m256i *)(from + at));
        if (to) _mm256_storeu_si256((__m256i *)(to + at), words);
        words = _mm256_and_si256(words, _mm256_loadu_si256((const __m256i *)(TAIL_MASK + 32 - (n - at))));
        words = _mm256_add_epi32(words, key);
        sum = _mm256_add_epi64(sum, _mm256_mul_epu32(words, _mm256_srli_epi64(words, 32)));
    }
    return sum;
}

#define SUM_TYPE __m256i
#define SUM_ZERO _mm256_setzero_si256()
#define SUM_TOTAL(sum) NAME(lanes)(sum)
#else
static inline uint64_t NAME(copy_sum_from)(uint8_t *to, const uint8_t *from, uint64_t n, uint32_t group, uint64_t sum) {
    uint32_t key[8];
    for (int lane = 0; lane < 8; lane++) key[lane] = CHECK_KEYS[lane] + group * CHECK_STEPS[lane];
    if (to) memcpy(to, from, n);
    for (uint64_t at = 0; at < n; at += 32) {
        uint32_t words[8] = {0};
        memcpy(words, from + at, n - at < 32 ? n - at : 32);
        for (int pair = 0; pair < 8; pair += 2)
            sum += (uint64_t)(uint32_t)(words[pair] + key[pair]) * (uint32_t)(words[pair + 1] + key[pair + 1]);
        for (int lane = 0; lane < 8; lane++) key[lane] += CHECK_STEPS[lane];
    }
    return sum;
}

#define SUM_TYPE uint64_t
#define SUM_ZERO 0
#define SUM_TOTAL(sum) (sum)
#endif

static inline TARGET SUM_TYPE NAME(copy_sum)(uint8_t *to, const uint8_t *from, uint64_t n, SUM_TYPE sum) {
    return NAME(copy_sum_from)(to, from, n, 0, sum);
}

static TARGET uint64_t NAME(checksum)(const uint8_t *from, uint64_t n, uint32_t group) {
    return SUM_TOTAL(NAME(copy_sum_from)(NULL, from, n, group, SUM_ZERO));
}

/* Number of delimiters in [from, to). */
static TARGET uint64_t NAME(count_delimiters)(const uint8_t *from, const uint8_t *to, uint8_t delimiter) {
    uint64_t count = 0;
#ifdef CORPUS_AVX2
    const __m256i wanted = _mm256_set1_epi8((char)delimiter);
    while (to - from >= 32) {
        /* Equal bytes compare to -1: byte counters hold up to 255 rounds before they are summed. */
        __m256i bytes = _mm256_setzero_si256();
        for (int round = 0; round < 255 && to - from >= 32; round++, from += 32)
            bytes = _mm256_sub_epi8(bytes, _mm256_cmpeq_epi8(_mm256_loadu_si256((const __m256i *)from), wanted));
        count += NAME(lanes)(_mm256_sad_epu8(bytes, _mm256_setzero_si256()));
    }
#endif
    for (; from < to; from++) count += *from == delimiter;
    return count;
}

/* One past the last delimiter in [from, to), relative to from; 0 where there is none. */
static TARGET uint64_t NAME(last_end)(const uint8_t *from, const uint8_t *to, uint8_t delimiter) {
    const uint8_t *at = to;
#ifdef CORPUS_AVX2
    const __m256i wanted = _mm256_set1_epi8((char)delimiter);
    for (; at - from >= 32; at -= 32) {
        __m256i bytes = _mm256_loadu_si256((const __m256i *)(at - 32));
        uint32_t hits = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(bytes, wanted));
        if (hits) return (uint64_t)(at - from) - (uint64_t)__builtin_clz(hits);
    }
#endif
    for (; at > from; at--)
        if (at[-1] == delimiter) return (uint64_t)(at - from);
    return 0;
}

/* Ends (one past the delimiter, relative to from) of up to `most` records that start at from; the bytes up to `to`
 * are whole records. */
static inline TARGET uint64_t NAME(find_ends)(const uint8_t *from, const uint8_t *to, uint8_t delimiter, uint64_t *ends,
                                              uint64_t most) {
    uint64_t found = 0;
#ifdef CORPUS_AVX2
    const __m256i wanted = _mm256_set1_epi8((char)delimiter);
    uint64_t length = (uint64_t)(to - from);
    for (uint64_t at = 0; at < length; at += 64) {
        __m256i low = _mm256_loadu_si256((const __m256i *)(from + at));
        __m256i high = _mm256_loadu_si256((const __m256i *)(from + at + 32));
        uint64_t hits = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(low, wanted)) |
                        (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(high, wanted)) << 32;
        if (length - at < 64) hits &= ((uint64_t)1 << (length - at)) - 1;
        while (hits) {
            ends[found++] = at + (uint64_t)__builtin_ctzll(hits) + 1;
            if (found == most) return found;
            hits &= hits - 1;
        }
    }
#else
    for (const uint8_t *at = from; at < to && found < most;) {
        at = (const uint8_t *)memchr(at, delimiter, (size_t)(to - at));
        if (!at) break;
        at++;
        ends[found++] = (uint64_t)(at - from);
    }
#endif
    return found;
}

/* Gives the bucket a fresh open block; the caller made sure that one is free and that the full list has room. */
static inline TARGET void NAME(open_block)(scatter_t *s, uint64_t b) {
    bucket_t *bucket = s->buckets + b;
    uint32_t block = s->free[--s->free_count];
    s->links[block] = NO_BLOCK;
    if (bucket->open == NO_BLOCK) {
        bucket->head = block;
    } else if (b >= s->resident) {
        s->full[2 * s->full_count] = (uint32_t)b;
        s->full[2 * s->full_count + 1] = (uint32_t)bucket->open;
        s->full_count++;
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
static inline TARGET int NAME(fits)(const scatter_t *s, uint64_t n) {
    uint64_t blocks = n / s->block_bytes + 2;
    return blocks <= s->free_count && s->full_count + blocks <= s->full_capacity;
}

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

/* Distributes the whole records in [*at, stop) of data, the first of which is number *number; record_bytes 0 means
 * delimited. With `mapped`, data stays where it is and the buckets get addresses. Stops early, between records, when
 * it needs free blocks or room in the full list. */
static TARGET void NAME(scatter)(scatter_t *s, const uint8_t *data, uint64_t *at, uint64_t stop, uint64_t *number,
                                 uint8_t delimiter, uint64_t record_bytes, int mapped) {
    uint64_t ends[BATCH], keys[BATCH];
    SUM_TYPE sum = SUM_ZERO, skipped = SUM_ZERO;
    uint64_t position = *at, first = *number;
    while (position < stop) {
        uint64_t n;
        if (record_bytes) {
            n = (stop - position) / record_bytes;
            if (n > BATCH) n = BATCH;
            for (uint64_t i = 0; i < n; i++) ends[i] = (i + 1) * record_bytes;
        } else {
            n = NAME(find_ends)(data + position, data + stop, delimiter, ends, BATCH);
        }
        if (!n) break;
        for (uint64_t i = 0; i < n; i++) {
            keys[i] = record_key(first + i, s->k0, s->k1, s->mask) - s->low;
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
                uint64_t b = keys[done] >> s->shift;
                bucket_t *bucket = s->buckets + b;
                uint64_t address = (uint64_t)(uintptr_t)record, body = mapped ? MAPPED_BODY : length;
                if (!NAME(fits)(s, body + MAX_HEADER)) break;
                if (bucket->room >= body + MAX_HEADER + SLACK) {
                    uint8_t *to = s->pool + bucket->cursor;
                    unsigned header =
                        NAME(enter)(bucket, first + done, keys[done], s->shift, 2 * length + !!mapped, length, to);
                    if (mapped) memcpy(to + header, &address, MAPPED_BODY);
                    sum = NAME(copy_sum)(mapped ? NULL : to + header, record, length, sum);
                    bucket->cursor += header + body;
                    bucket->room -= header + body;
                    bucket->stream += header + body;
                } else {
                    uint8_t bytes[MAX_HEADER];
                    unsigned header =
                        NAME(enter)(bucket, first + done, keys[done], s->shift, 2 * length + !!mapped, length, bytes);
                    bucket->stream += header + body;
                    NAME(put)(s, b, bytes, header);
                    NAME(put)(s, b, mapped ? (const uint8_t *)&address : record, body);
                    sum = NAME(copy_sum)(NULL, record, length, sum);
                }
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

/* Enters a reference to a record of `length` bytes at `offset` of a file: 1, 0 when blocks are needed first, -1 when
 * the key is not of this span. */
static TARGET int NAME(refer)(scatter_t *s, uint64_t number, uint64_t offset, uint64_t length) {
    uint64_t key = record_key(number, s->k0, s->k1, s->mask) - s->low;
    uint8_t bytes[MAX_HEADER + REFERENCE_BODY];
    if (key > s->span) return -1;
    if (!NAME(fits)(s, sizeof bytes)) return 0;
    bucket_t *bucket = s->buckets + (key >> s->shift);
    unsigned n = NAME(enter)(bucket, number, key, s->shift, 0, length, bytes);
    memcpy(bytes + n, &offset, 8);
    memcpy(bytes + n + 8, &length, 8);
    bucket->stream += n + REFERENCE_BODY;
    NAME(put)(s, key >> s->shift, bytes, n + REFERENCE_BODY);
    return 1;
}

/* ---- walking a stream ---- */

typedef struct {
    const uint8_t *pool;
    const uint32_t *links;
    uint64_t block_bytes, blocks;
} NAME(chain_t);

/* Moves the walk to the next block; 0 at the end of the chain. */
static inline TARGET int NAME(next_block)(const NAME(chain_t) * chain, walk_t *walk) {
    uint64_t block = chain->links[walk->block];
    if (block >= chain->blocks) return 0;
    walk->block = block;
    walk->offset = 0;
    return 1;
}

static inline TARGET int NAME(read_varint)(const NAME(chain_t) * chain, walk_t *walk, uint64_t *value) {
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

static inline TARGET int NAME(skip)(const NAME(chain_t) * chain, walk_t *walk, uint64_t n) {
    if (n > walk->available) return 0;
    walk->available -= n;
    while (n > chain->block_bytes - walk->offset) {
        n -= chain->block_bytes - walk->offset;
        if (!NAME(next_block)(chain, walk)) return 0;
    }
    walk->offset += n;
    return 1;
}

static inline TARGET int NAME(read_bytes)(const NAME(chain_t) * chain, walk_t *walk, uint8_t *to, uint64_t n) {
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

/* Reads `count` records of a stream and lists those whose key bits are in least … greatest: a word to sort by (the
 * bits, then the place in the lists), the number, and where the length stands in the pool. Returns the new length of
 * the lists, UINT64_MAX when the stream is torn, UINT64_MAX - 1 when the lists would pass `most`. */
static TARGET uint64_t NAME(index_stream)(const uint8_t *pool, const uint32_t *links, uint64_t block_bytes,
                                          uint64_t blocks, walk_t walk, uint64_t count, uint32_t least,
                                          uint32_t greatest, uint64_t *words, uint64_t *numbers, uint64_t *places,
                                          uint64_t listed, uint64_t most) {
    NAME(chain_t) chain = {pool, links, block_bytes, blocks};
    for (uint64_t i = 0; i < count; i++) {
        uint64_t delta, code;
        uint32_t bits;
        __builtin_prefetch(pool + walk.block * block_bytes + walk.offset + 1024);
        __builtin_prefetch(pool + walk.block * block_bytes + walk.offset + 1088);
        if (!NAME(read_varint)(&chain, &walk, &delta)) return UINT64_MAX;
        walk.number += delta;
        if (!NAME(read_bytes)(&chain, &walk, (uint8_t *)&bits, 4)) return UINT64_MAX;
        if (walk.offset == block_bytes && !NAME(next_block)(&chain, &walk)) return UINT64_MAX;
        uint64_t place = walk.block * block_bytes + walk.offset;
        if (!NAME(read_varint)(&chain, &walk, &code)) return UINT64_MAX;
        if (!NAME(skip)(&chain, &walk, body_bytes(code))) return UINT64_MAX;
        if (bits < least || bits > greatest) continue;
        if (listed == most) return UINT64_MAX - 1;
        words[listed] = (uint64_t)bits << 32 | listed;
        numbers[listed] = walk.number;
        places[listed] = place;
        listed++;
    }
    return listed;
}

/* Copies records in the order of the words [first, stop) into out until it is full or a reference comes: then the
 * reference's offset and length are left in `reference` (length 0 otherwise). Returns the index of the first word not
 * done; *used moves on, *checksum too; UINT64_MAX when the pool does not hold what the lists say. */
static TARGET uint64_t NAME(gather)(const uint8_t *pool, const uint32_t *links, uint64_t block_bytes, uint64_t blocks,
                                    const uint64_t *words, const uint64_t *places, uint64_t first, uint64_t stop,
                                    uint8_t *out, uint64_t capacity, uint64_t *used, uint64_t *checksum,
                                    uint64_t *reference) {
    NAME(chain_t) chain = {pool, links, block_bytes, blocks};
    SUM_TYPE sum = SUM_ZERO;
    uint64_t filled = *used, i = first;
    reference[0] = reference[1] = 0;
    for (; i < stop; i++) {
        if (i + 8 < stop) {
            const uint8_t *ahead = pool + places[(uint32_t)words[i + 8]];
            __builtin_prefetch(ahead);
            __builtin_prefetch(ahead + 64);
        }
        uint64_t place = places[(uint32_t)words[i]];
        walk_t walk = {place / block_bytes, place & (block_bytes - 1), UINT64_MAX, 0};
        uint64_t code;
        if (!NAME(read_varint)(&chain, &walk, &code)) return UINT64_MAX;
        if (!code) {
            if (!NAME(read_bytes)(&chain, &walk, (uint8_t *)reference, REFERENCE_BODY)) return UINT64_MAX;
            i++;
            break;
        }
        uint64_t length = code >> 1;
        if (length > capacity - filled) break;
        if (code & 1) {
            uint64_t address;
            if (!NAME(read_bytes)(&chain, &walk, (uint8_t *)&address, MAPPED_BODY)) return UINT64_MAX;
            sum = NAME(copy_sum)(out + filled, (const uint8_t *)(uintptr_t)address, length, sum);
        } else if (length <= block_bytes - walk.offset) {
            sum = NAME(copy_sum)(out + filled, pool + walk.block * block_bytes + walk.offset, length, sum);
        } else {
            if (!NAME(read_bytes)(&chain, &walk, out + filled, length)) return UINT64_MAX;
            sum = NAME(copy_sum)(NULL, out + filled, length, sum);
        }
        filled += length;
    }
    *used = filled;
    *checksum += SUM_TOTAL(sum);
    return i;
}

/* Moves whole records of a stream into the buckets of s until the stream's bytes in memory end inside a record, all
 * `*count` records are moved, or s needs blocks (returns 1). Returns 0 otherwise, -1 when the chain is torn. */
static TARGET int NAME(redistribute)(scatter_t *s, uint64_t blocks, walk_t *walk, uint64_t *count) {
    NAME(chain_t) chain = {s->pool, s->links, s->block_bytes, blocks};
    while (*count) {
        walk_t trial = *walk;
        uint64_t delta, code, bytes, size;
        uint8_t header[MAX_HEADER];
        if (!NAME(read_varint)(&chain, &trial, &delta)) return 0;
        trial.number += delta;
        if (!NAME(skip)(&chain, &trial, 4)) return 0;
        if (!NAME(read_varint)(&chain, &trial, &code)) return 0;
        bytes = body_bytes(code);
        size = code >> 1;
        if (!code) {
            uint8_t reference[REFERENCE_BODY];
            walk_t peek = trial;
            if (!NAME(read_bytes)(&chain, &peek, reference, REFERENCE_BODY)) return 0;
            memcpy(&size, reference + 8, 8);
        }
        if (bytes > trial.available) return 0;
        uint64_t key = record_key(trial.number, s->k0, s->k1, s->mask) - s->low;
        if (key <= s->span) {
            uint64_t b = key >> s->shift;
            if (!NAME(fits)(s, bytes + MAX_HEADER)) return 1;
            unsigned n = NAME(enter)(s->buckets + b, trial.number, key, s->shift, code, size, header);
            s->buckets[b].stream += n + bytes;
            NAME(put)(s, b, header, n);
            uint64_t left = bytes;
            for (;;) {
                uint64_t room = s->block_bytes - trial.offset, piece = left < room ? left : room;
                NAME(put)(s, b, s->pool + trial.block * s->block_bytes + trial.offset, piece);
                trial.offset += piece;
                left -= piece;
                if (!left) break;
                if (!NAME(next_block)(&chain, &trial)) return -1;
            }
            trial.available -= bytes;
        } else if (!NAME(skip)(&chain, &trial, bytes)) {
            return -1;
        }
        *walk = trial;
        --*count;
    }
    return 0;
}

#include "mapped_loops.h"

#undef SUM_TYPE
#undef SUM_ZERO
#undef SUM_TOTAL

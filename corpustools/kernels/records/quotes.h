/* Quoted fields of CSV that a record's end tears. */
#ifndef CORPUS_QUOTES_H
#define CORPUS_QUOTES_H
#include <stdint.h>
#include <string.h>

/* One past the quote that ends the field whose first byte is at, or NULL where none does before end. Within a field a
 * quote stands for itself if it is doubled, or if neither a separator nor the record's end follows it. */
static inline const uint8_t *field_end(const uint8_t *at, const uint8_t *end, uint8_t separator) {
    while (at < end && (at = (const uint8_t *)memchr(at, '"', (size_t)(end - at)))) {
        at++;
        if (at == end || *at == separator || (*at == '\r' && at + 1 == end)) return at;
        if (*at == '"') at++;
    }
    return NULL;
}

/* Where the first record of [from, to) begins that has a field with an opening quote and no closing one, relative to
 * from; to - from where there is none. The bytes are whole records; a field begins behind a separator or delimiter. */
static inline uint64_t torn_field(const uint8_t *from, const uint8_t *to, uint8_t delimiter, uint8_t separator) {
    /* What is before `seen` was looked at, and `end` is the end of a record: no byte is looked at again and again. */
    const uint8_t *record = from, *at = from, *seen = from, *end = from;
    while (at < to && (at = (const uint8_t *)memchr(at, '"', (size_t)(to - at)))) {
        const uint8_t *begin = at;
        while (begin > seen && begin[-1] != delimiter) begin--;
        if (begin > seen) record = begin;
        if (at == record || at[-1] == separator) {
            if (end <= at) {
                end = (const uint8_t *)memchr(at, delimiter, (size_t)(to - at));
                if (!end) end = to;
            }
            at = field_end(at + 1, end, separator);
            if (!at) return (uint64_t)(record - from);
        } else {
            at++;
        }
        seen = at;
    }
    return (uint64_t)(to - from);
}
#endif

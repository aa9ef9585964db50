/* Strings: what stands between quotes is copied and unescaped.
 *
 * Included once per instruction set by dispatch.h. */
#include "json.h"
#include <string.h>

/* Copies a string that r->at stands in, unescaped, and moves r->at behind its closing quote. Returns the byte behind
 * what was written, or NULL; r->at is then the first byte that cannot be. */
static inline TARGET uint8_t *NAME(read_string)(reader_t *r, uint8_t *to) {
    const uint8_t *at = r->at, *end = r->end;
    for (;;) {
#ifdef CORPUS_AVX2
        const __m256i quote = _mm256_set1_epi8('"'), slash = _mm256_set1_epi8('\\'), low = _mm256_set1_epi8(31);
        uint32_t hits = 0;
        while (at < end && r->limit - at >= 32) {
            const __m256i text = _mm256_loadu_si256((const __m256i *)at);
            _mm256_storeu_si256((__m256i *)to, text);
            const __m256i marks = _mm256_or_si256(_mm256_cmpeq_epi8(text, quote), _mm256_cmpeq_epi8(text, slash));
            const __m256i controls = _mm256_cmpeq_epi8(_mm256_min_epu8(text, low), text);
            hits = (uint32_t)_mm256_movemask_epi8(_mm256_or_si256(marks, controls));
            const int plain = hits ? __builtin_ctz(hits) : 32;
            at += plain;
            to += plain;
            if (hits) break;
        }
#else
        const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
        while (end - at >= 8) {
            uint64_t text;
            memcpy(&text, at, 8);
            const uint64_t quote = text ^ ones * '"', slash = text ^ ones * '\\';
            /* A high bit for a zero byte in the two, and for a byte below 32; it may err upwards behind the first. */
            const uint64_t marks = ((quote - ones) & ~quote) | ((slash - ones) & ~slash);
            if ((marks | ((text - ones * 32) & ~text)) & highs) break;
            memcpy(to, &text, 8);
            at += 8;
            to += 8;
        }
#endif
        while (at < end && *at != '"' && *at != '\\' && *at >= 32) *to++ = *at++;
        r->at = at < end ? at : end;
        if (at >= end || *at < 32) return 0;
        if (*at == '"') {
            r->at = at + 1;
            return to;
        }
        to = read_escapes(r, to);
        if (!to) return 0;
        at = r->at;
    }
}

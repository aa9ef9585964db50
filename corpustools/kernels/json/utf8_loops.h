/* UTF-8: whether bytes are whole characters, without overlong forms, surrogates, or anything above U+10FFFF.
 *
 * Included once per instruction set by dispatch.h. */
#include <stdint.h>
#include <string.h>

/* Bytes that begin [from, to) and are whole characters of UTF-8; all of them where it is valid. */
static TARGET int64_t NAME(valid_prefix)(const uint8_t *from, const uint8_t *to) {
    const uint8_t *at = from;
    while (at < to) {
        uint64_t eight;
        while (to - at >= 8 && (memcpy(&eight, at, 8), !(eight & 0x8080808080808080u))) at += 8;
        if (at == to) break;
        uint32_t lead = at[0];
        if (lead < 0x80) {
            at++;
            continue;
        }
        int64_t follow = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
        if (lead < 0xC2 || lead > 0xF4 || to - at <= follow) break;
        /* What the second byte may be: no overlong form, no surrogate, nothing above U+10FFFF. */
        uint32_t least = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
        uint32_t most = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
        if (at[1] < least || at[1] > most) break;
        if (follow > 1 && (at[2] & 0xC0) != 0x80) break;
        if (follow > 2 && (at[3] & 0xC0) != 0x80) break;
        at += follow + 1;
    }
    return at - from;
}

#ifdef CORPUS_AVX2
/* The mistakes that two neighbouring bytes can show, as in Keiser and Lemire, "Validating UTF-8 In Less Than One
 * Instruction Per Byte" (2021). A pair makes a mistake that stands in all three tables: by the first byte's high half,
 * by its low half, and by the second byte's high half. */
enum {
    TOO_SHORT = 1,          /* a lead, then no continuation */
    TOO_LONG = 2,           /* ASCII, then a continuation */
    OVERLONG_3 = 4,         /* E0, then 80 to 9F */
    TOO_LARGE = 8,          /* F4, then 90 to BF; F5 to FF, then 90 to BF */
    SURROGATE = 16,         /* ED, then A0 to BF */
    OVERLONG_2 = 32,        /* C0 or C1 */
    OVERLONG_4 = 64,        /* F0, then 80 to 8F; F5 to FF, then 80 to 8F */
    TWO_CONTINUATIONS = 128 /* no mistake behind the second byte of three, or the second or third of four */
};
#define CARRY (TOO_SHORT | TOO_LONG | TWO_CONTINUATIONS)
#define BIG (CARRY | TOO_LARGE | OVERLONG_4)
#define BOTH(...) _mm256_setr_epi8(__VA_ARGS__, __VA_ARGS__)

/* The bytes of `now` that stand `n` places earlier, those of `before` among them. */
#define EARLIER(before, now, n) _mm256_alignr_epi8(now, _mm256_permute2x128_si256(before, now, 0x21), 16 - (n))

/* Bits where a byte of `now` does not go with the three before it. */
static inline TARGET __m256i NAME(mistakes)(__m256i before, __m256i now) {
    const __m256i by_first_high =
        BOTH(TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, (char)TWO_CONTINUATIONS,
             (char)TWO_CONTINUATIONS, (char)TWO_CONTINUATIONS, (char)TWO_CONTINUATIONS, TOO_SHORT | OVERLONG_2,
             TOO_SHORT, TOO_SHORT | OVERLONG_3 | SURROGATE, TOO_SHORT | TOO_LARGE | OVERLONG_4);
    const __m256i by_first_low =
        BOTH((char)(CARRY | OVERLONG_2 | OVERLONG_3 | OVERLONG_4), (char)(CARRY | OVERLONG_2), (char)CARRY, (char)CARRY,
             (char)(CARRY | TOO_LARGE), (char)BIG, (char)BIG, (char)BIG, (char)BIG, (char)BIG, (char)BIG, (char)BIG,
             (char)BIG, (char)(BIG | SURROGATE), (char)BIG, (char)BIG);
    const int late = TOO_LONG | OVERLONG_2 | TWO_CONTINUATIONS;
    const __m256i by_second_high =
        BOTH(TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT,
             (char)(late | OVERLONG_3 | OVERLONG_4), (char)(late | OVERLONG_3 | TOO_LARGE),
             (char)(late | SURROGATE | TOO_LARGE), (char)(late | SURROGATE | TOO_LARGE), TOO_SHORT, TOO_SHORT,
             TOO_SHORT, TOO_SHORT);
    const __m256i half = _mm256_set1_epi8(15);
    const __m256i first = EARLIER(before, now, 1);
    const __m256i pairs = _mm256_and_si256(
        _mm256_and_si256(_mm256_shuffle_epi8(by_first_high, _mm256_and_si256(_mm256_srli_epi16(first, 4), half)),
                         _mm256_shuffle_epi8(by_first_low, _mm256_and_si256(first, half))),
        _mm256_shuffle_epi8(by_second_high, _mm256_and_si256(_mm256_srli_epi16(now, 4), half)));
    /* The third byte of three or four and the fourth of four have to be continuations behind a continuation. */
    const __m256i third = _mm256_subs_epu8(EARLIER(before, now, 2), _mm256_set1_epi8(0xE0 - 0x80));
    const __m256i fourth = _mm256_subs_epu8(EARLIER(before, now, 3), _mm256_set1_epi8(0xF0 - 0x80));
    const __m256i must = _mm256_and_si256(_mm256_or_si256(third, fourth), _mm256_set1_epi8((char)TWO_CONTINUATIONS));
    return _mm256_xor_si256(pairs, must);
}
#undef CARRY
#undef BIG
#undef BOTH
#undef EARLIER
#endif

/* Bytes that begin [from, to) and are whole characters of UTF-8. */
static inline TARGET int64_t NAME(utf8_prefix)(const uint8_t *from, const uint8_t *to) {
#ifdef CORPUS_AVX2
    const uint8_t *at = from;
    __m256i before = _mm256_setzero_si256(), wrong = before;
    for (; to - at >= 32; at += 32) {
        const __m256i now = _mm256_loadu_si256((const __m256i *)at);
        /* ASCII behind ASCII is right. */
        if (_mm256_movemask_epi8(_mm256_or_si256(before, now)))
            wrong = _mm256_or_si256(wrong, NAME(mistakes)(before, now));
        before = now;
    }
    /* The rest and zeros, which no character goes on with. */
    uint8_t rest[32] = {0};
    memcpy(rest, at, (size_t)(to - at));
    wrong = _mm256_or_si256(wrong, NAME(mistakes)(before, _mm256_loadu_si256((const __m256i *)rest)));
    if (_mm256_testz_si256(wrong, wrong)) return to - from;
#endif
    return NAME(valid_prefix)(from, to);
}

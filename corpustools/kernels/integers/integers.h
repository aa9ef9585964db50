/* The least a + b + c with n = a b + c: one search, the marks of a window of n, and decimal rows.
 *
 * Notation: p = a + b, q = |a - b|, x = p^2 - 4 n, so that 4 c = q^2 - x. All of p, q, x are kept modulo 2^64;
 * what is tested is a difference that is known to be far below 2^63, so the wrap-around is exact. */
#ifndef CORPUS_INTEGERS_H
#define CORPUS_INTEGERS_H
#include <math.h>
#include <stdint.h>
#include <string.h>

/* The largest q = parity (mod 2) with q^2 <= x, for 0 <= x < 2^100.
 * `approximate` is x within 2^-51 of itself: its root, shortened by 2^-50, lies in (sqrt x - 1.5, sqrt x], so q is
 * the answer or the answer less two, and the exact difference decides. q may be -1, that is 1 less than nothing. */
static inline uint64_t nabc_root(uint64_t x, double approximate, uint64_t parity) {
    uint64_t q = (uint64_t)(int64_t)(sqrt(approximate) * (1 - 0x1p-50));
    q -= (q ^ parity) & 1;
    uint64_t next = q + 2;
    return (int64_t)(next * next - x) <= 0 ? next : q;
}

/* Steps k = 0 ... count - 1 of the search from p with x > 0 (pad: x >= 0, n = a b - c); stops once k > *best.
 * On return *best is the least k + c (at most what it was) and *at the largest k that reaches it, else unchanged. */
static inline void nabc_scan(uint64_t p, uint64_t x, double p_float, double x_float, int64_t count, int pad,
                             int64_t *best, int64_t *at) {
    int64_t least = *best, where = *at;
    for (int64_t k = 0; k < count && k <= least; k++) {
        double step = (double)k;
        uint64_t parity = p + (uint64_t)k;
        uint64_t q = nabc_root(x, step * (step + 2 * p_float) + x_float, parity);
        uint64_t above = q * q == x ? q : q + 2;
        int64_t c = (int64_t)((pad ? x - q * q : above * above - x) >> 2);
        if (k + c <= least) {
            least = k + c;
            where = k;
        }
        x += 2 * parity + 1;
    }
    *best = least;
    *at = where;
}

typedef unsigned __int128 nabc_wide;

/* As nabc_root, for 1 <= x < 2^124: the root in doubles may be off by 2^11, one step of Newton brings it within 1. */
static inline uint64_t nabc_wide_root(nabc_wide x, uint64_t parity) {
    uint64_t q = (uint64_t)sqrt((double)x);
    __int128 rest = (__int128)(x - (nabc_wide)q * q);
    q += (uint64_t)(int64_t)((double)rest / (2 * (double)q));
    q -= (q ^ parity) & 1;
    if ((nabc_wide)q * q > x) return q - 2;
    return (nabc_wide)(q + 2) * (q + 2) <= x ? q + 2 : q;
}

/* As nabc_scan, for x of 2^100 and beyond. */
static inline void nabc_scan_wide(nabc_wide p, nabc_wide x, int64_t count, int pad, int64_t *best, int64_t *at) {
    int64_t least = *best, where = *at;
    for (int64_t k = 0; k < count && k <= least; k++, p++) {
        nabc_wide q = nabc_wide_root(x, (uint64_t)p);
        nabc_wide above = q * q == x ? q : q + 2;
        int64_t c = (int64_t)((pad ? x - q * q : above * above - x) >> 2);
        if (k + c <= least) {
            least = k + c;
            where = k;
        }
        x += 2 * p + 1;
    }
    *best = least;
    *at = where;
}

static inline void nabc_scan_halves(uint64_t p_high, uint64_t p_low, uint64_t x_high, uint64_t x_low, int64_t count,
                                    int pad, int64_t *best, int64_t *at) {
    nabc_scan_wide((nabc_wide)p_high << 64 | p_low, (nabc_wide)x_high << 64 | x_low, count, pad, best, at);
}

static inline uint64_t nabc_floor_sqrt(uint64_t n) {
    uint64_t r = (uint64_t)sqrt((double)n);
    if (r > 0xFFFFFFFFu) r = 0xFFFFFFFFu;
    if (r * r > n) return r - 1;
    return r < 0xFFFFFFFFu && (r + 1) * (r + 1) <= n ? r + 1 : r;
}

#define NABC_LANES 8

/* The canonical a <= b of one 64-bit n. Here x < 2^52 (p - 2 sqrt n < 2^17 + 2, p < 2^34), so doubles are exact:
 * eight steps at a time without a branch, which compilers turn into two or more lanes. */
static inline void nabc_solve(uint64_t n, uint64_t *a, uint64_t *b) {
    if (n < 4) {
        *a = *b = 0;
        return;
    }
    uint64_t r = nabc_floor_sqrt(n), rest = n - r * r;
    uint64_t p = 2 * r + (rest > r), c = rest > r ? rest - r : rest;
    /* Relative to p: the sum found so far, and the step that found it. */
    double best = (double)c, at = 0;
    double x = (double)(rest > r ? 8 * r + 4 - 4 * rest : 4 * r + 1 - 4 * rest);
    double slope = 2 * (double)(p + 1), parity = (double)((p + 1) & 1);
    for (double first = 1; first <= best; first += NABC_LANES) {
        double key[NABC_LANES];
/* Unrolled, GCC sees eight scalar roots and no loop to put into lanes. */
#pragma GCC unroll 1
        for (int lane = 0; lane < NABC_LANES; lane++) {
            double step = first - 1 + lane, odd = lane & 1 ? 1 - parity : parity;
            double xk = x + step * (slope + step);
            /* Adding and taking away 3 * 2^51 rounds to an integer: q is one of the two next to the root. */
            double q = 2 * ((0.5 * (sqrt(xk) - odd) + 0x1.8p52) - 0x1.8p52) + odd;
            q += q * q < xk ? 2 : 0;
            /* Least sum first, then the largest step: the canonical minimiser has the least c. */
            key[lane] = (0.25 * (q * q - xk) + step + 1) * 0x1p20 - (step + 1);
        }
        double least = key[0];
        for (int lane = 1; lane < NABC_LANES; lane++) least = key[lane] < least ? key[lane] : least;
        double total = ceil(least * 0x1p-20);
        if (total <= best) {
            best = total;
            at = total * 0x1p20 - least;
        }
    }
    p += (uint64_t)at;
    uint64_t square = p * p - 4 * n + 4 * ((uint64_t)best - (uint64_t)at);
    uint64_t q = (uint64_t)sqrt((double)square);
    *a = (p - q) >> 1;
    *b = (p + q) >> 1;
}

/* Marks every product v = a b of a window of `size` numbers, for steps k = 0 ... count - 1 from p, with first + k,
 * where nothing smaller stands yet. x belongs to the window's last number; x_float < 0 says that x <= 0 throughout.
 * marks[i] belongs to the i-th number of the window. */
static inline void nabc_mark(uint64_t p, uint64_t x, double p_float, double x_float, int64_t count, uint32_t first,
                             uint64_t size, uint32_t *marks) {
    for (int64_t k = 0; k < count; k++) {
        double step = (double)k;
        uint64_t parity = p + (uint64_t)k;
        uint64_t q = parity & 1;
        if (x_float >= 0) {
            q = nabc_root(x, step * (step + 2 * p_float) + x_float, parity);
            q = q * q == x ? q : q + 2;
        }
        uint32_t mark = first + (uint32_t)k;
        for (uint64_t below = (q * q - x) >> 2; below < size; below += q + 1, q += 2) {
            uint32_t *slot = marks + (size - 1 - below);
            if (mark < *slot) *slot = mark;
        }
        x += 2 * parity + 1;
    }
}

/* The running minimum f(n) = min(f(n - 1) + 1, s(n)): writes where s(n) wins (a tie is a win, it has the less c).
 * `best` is f(n - 1) + 1 of the first n, on the scale of the marks. Returns the number of wins. */
static inline int64_t nabc_breakpoints(const uint32_t *marks, int64_t size, int64_t best, uint32_t *where,
                                       uint32_t *sums, int64_t *highest) {
    int64_t found = 0, peak = 0;
    for (int64_t i = 0; i < size; i++, best++) {
        if ((int64_t)marks[i] <= best) {
            best = marks[i];
            where[found] = (uint32_t)i;
            sums[found++] = marks[i];
        }
        peak = best > peak ? best : peak;
    }
    *highest = peak;
    return found;
}

/* The text between the five numbers of a row: six pieces. */
typedef struct {
    const char *text[6];
    int64_t length[6];
} nabc_pattern;

/* clang-format off */
static const char nabc_pairs[] =
    "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849505152535455"
    "56575859606162636465666768697071727374757677787980818283848586878889909192939495969798" "99";
/* clang-format on */

static inline char *nabc_put(char *out, uint64_t value) {
    char digits[20];
    int at = 20;
    while (value >= 100) {
        memcpy(digits + (at -= 2), nabc_pairs + 2 * (value % 100), 2);
        value /= 100;
    }
    if (value >= 10) memcpy(digits + (at -= 2), nabc_pairs + 2 * value, 2);
    else digits[--at] = (char)('0' + value);
    memcpy(out, digits + at, (size_t)(20 - at));
    return out + (20 - at);
}

static inline char *nabc_piece(char *out, const nabc_pattern *pattern, int which) {
    memcpy(out, pattern->text[which], (size_t)pattern->length[which]);
    return out + pattern->length[which];
}

static inline char *nabc_row(char *out, const nabc_pattern *pattern, uint64_t n, uint64_t a, uint64_t b) {
    uint64_t c = n - a * b;
    out = nabc_put(nabc_piece(out, pattern, 0), n);
    out = nabc_put(nabc_piece(out, pattern, 1), a);
    out = nabc_put(nabc_piece(out, pattern, 2), b);
    out = nabc_put(nabc_piece(out, pattern, 3), c);
    out = nabc_put(nabc_piece(out, pattern, 4), a + b + c);
    return nabc_piece(out, pattern, 5);
}

/* Reads one line of nothing but digits (and a carriage return) below 2^64; returns what follows its newline,
 * or NULL for any other line. */
static inline const char *nabc_line(const char *text, const char *end, uint64_t *value) {
    const char *at = text;
    uint64_t n = 0;
    for (; at < end && (unsigned char)(*at - '0') < 10; at++) {
        uint64_t digit = (uint64_t)(*at - '0');
        if (n > (UINT64_MAX - digit) / 10) return NULL;
        n = 10 * n + digit;
    }
    if (at == text) return NULL;
    if (at < end && *at == '\r') at++;
    if (at == end || *at != '\n') return NULL;
    *value = n;
    return at + 1;
}
#endif

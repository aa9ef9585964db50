/* The loops over JSON lines for this processor: each compiled twice, portable and for AVX2, and chosen at run time. */
#ifndef CORPUS_JSON_DISPATCH_H
#define CORPUS_JSON_DISPATCH_H
#include "json.h"
#include <stdint.h>

#define NAME(base) base##_portable
#define TARGET
#include "loops.h"
#undef NAME
#undef TARGET

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define CORPUS_AVX2 1
#define NAME(base) base##_avx2
#define TARGET __attribute__((target("avx2,bmi,bmi2")))
#include "loops.h"
#undef NAME
#undef TARGET
#undef CORPUS_AVX2
static inline int has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2"); }
#endif

/* What many lines are read from, and what was found in each.
 *
 * data: size bytes; line i is data[starts[i]:ends[i]].
 * out, offsets: the texts one after another; that of line i is out[offsets[i]:offsets[i + 1]], empty where the line has
 * none. room: bytes at out. verdicts: what each line is. places: where in the line that stands. */
typedef struct {
    const uint8_t *data;
    int64_t size;
    const int64_t *starts;
    const int64_t *ends;
    int64_t count;
    uint8_t *out;
    int64_t room;
    int64_t *offsets;
    uint8_t *verdicts;
    int64_t *places;
} lines_t;

typedef verdict_t read_line_t(reader_t *, const field_t *, const uint8_t *, const uint8_t *, const uint8_t *,
                              uint8_t *);

/* The loop for this processor, or the one for any. */
static read_line_t *line_reader(int portable) {
#if defined(__x86_64__) && defined(__GNUC__)
    if (!portable && has_avx2()) return read_line_avx2;
#endif
    (void)portable;
    return read_line_portable;
}

/* Reads all lines; returns how many lay in the data and had room for their texts. */
static int64_t read_lines(const lines_t *t, const field_t *field, int portable) {
    read_line_t *const read_line = line_reader(portable);
    reader_t r;
    int64_t written = 0;
    t->offsets[0] = 0;
    for (int64_t i = 0; i < t->count; i++) {
        const int64_t start = t->starts[i], end = t->ends[i];
        if (start < 0 || end < start || end > t->size || t->room - written - OUT_SLACK < end - start) return i;
        const uint8_t *from = t->data + start;
        t->verdicts[i] = (uint8_t)read_line(&r, field, from, t->data + end, t->data + t->size, t->out + written);
        t->places[i] = r.place - from;
        written += r.written;
        t->offsets[i + 1] = written;
    }
    return t->count;
}
#endif

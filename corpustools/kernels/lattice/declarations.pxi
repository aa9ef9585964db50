# What compiled.pyx uses of the headers; lattice.h tells what the words mean.

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

cdef extern from "records.h" nogil:
    enum:
        RUN_MORE, CACHED_SPAN_UNITS, LEAVES_UNITS, SPAN_ARCS
        LONGEST_SPAN "SPAN_BYTES"
        MODE_VITERBI "VITERBI"
        MODE_VITERBI_F32 "VITERBI_F32"
        MODE_SAMPLE "SAMPLE"
        MODE_SAMPLE_WIDE "SAMPLE_WIDE"
        MODE_ARRIVAL "ARRIVAL"
    ctypedef struct node:
        uint64_t unit
    ctypedef struct lattice:
        const node *nodes
        const node *starts
        const uint64_t *units
        const uint64_t *heads
        const uint32_t *lengths
        const double *scores
        const double *weights
        const int32_t *exponents
        const int32_t *byte_ids
        const uint8_t *joins
        const uint8_t *seams
        uint32_t pieces, join_shift
        int32_t longest, arcs_per_start, character, escaped, unknown_id, fuse, score_wanted, carry
        const automaton *automaton
    ctypedef struct aho_line:
        pass
    ctypedef struct automaton:
        const uint64_t *units
        const uint32_t *fails
        const aho_line *lines
        const uint32_t *singles
        const double *single_values
        uint32_t root
        int complete
    ctypedef struct tile:
        pass
    ctypedef struct arc:
        double before
    ctypedef struct progress:
        int64_t past, origin, unencodable, total_exponent
        double total_mantissa, score
        uint64_t draw_state[2]
    ctypedef struct span_cache:
        uint64_t used, upper
    ctypedef struct workspace:
        double *cells
        int32_t *exponents
        uint32_t *heads
        uint64_t *choices
        arc *arcs
        arc *spare
        uint32_t *codes
        span_cache *cache
        tile *tile
        int64_t cell_capacity, arc_capacity, code_capacity, cache_units
    void fill_seams(const lattice *, uint8_t *)
    bint aho_valid(const automaton *, int64_t, int64_t)
    void begin_record(progress *, uint64_t, uint64_t, uint64_t, uint64_t)
    int64_t advance(const lattice *, workspace *, progress *, const uint8_t *, int64_t, int64_t, int, int, int,
                    int32_t *, int64_t *)
    int64_t segment_batch(const lattice *, workspace *, const uint8_t *, const int64_t *, int64_t, int64_t, int, int,
                          const uint64_t *, uint64_t, uint64_t, int64_t, int32_t, int32_t, int32_t *, int64_t *,
                          double *)

cdef extern from "walk.h" nogil:
    int64_t list_arcs(const lattice *, const uint8_t *, int64_t, int64_t *, int64_t)

cdef extern from "moments.h" nogil:
    ctypedef struct moment:
        double weight
    ctypedef struct moments:
        double log_z, entropy, length
        int64_t origin, here
    void measure(const lattice *, const double *, moments *, moment *, int64_t, const uint8_t *, int64_t, int64_t, int,
                 int)

cdef extern from "math.h" nogil:
    double log(double)

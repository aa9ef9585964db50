# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, freethreading_compatible=True
"""The segmentation lattice, compiled: best path, samples, moments, formatting. Twin: plain.py."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer, Py_buffer

cdef extern from "segment.h" nogil:
    enum:
        RUN_MORE, VITERBI, SAMPLE, SAMPLE_WIDE, ARRIVAL, CHUNK_LARGEST, LEAVES_LARGEST, CHUNK_ARCS
        LONGEST_CHUNK "CHUNK_BYTES"
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
    ctypedef struct aho_window:
        pass
    ctypedef struct arc:
        double before
    ctypedef struct progress:
        int64_t past, origin, unencodable, total_exponent
        double total_mantissa, score
        uint64_t key0, key1
    ctypedef struct chunk_cache:
        uint64_t used, upper
    ctypedef struct workspace:
        double *cells
        int32_t *exponents
        uint32_t *heads
        uint64_t *choices
        arc *arcs
        arc *spare
        uint32_t *codes
        chunk_cache *cache
        aho_window *window
        int64_t cell_capacity, arc_capacity, code_capacity, cache_units
    ctypedef struct moment:
        double weight
    ctypedef struct moments:
        double log_z, entropy, length
        int64_t origin, here
    void fill_seams(const lattice *, uint8_t *)
    bint aho_valid(const automaton *, int64_t, int64_t)
    void begin_record(progress *, uint64_t, uint64_t, uint64_t, uint64_t)
    int64_t advance(const lattice *, workspace *, progress *, const uint8_t *, int64_t, int64_t, int, int, int,
                    int32_t *, int64_t *)
    int64_t segment_batch(const lattice *, workspace *, const uint8_t *, const int64_t *, int64_t, int64_t, int, int,
                          const uint64_t *, uint64_t, uint64_t, int64_t, int32_t, int32_t, int32_t *, int64_t *, double *)
    void measure(const lattice *, const double *, moments *, moment *, int64_t, const uint8_t *, int64_t, int64_t, int,
                 int)
    int64_t list_arcs(const lattice *, const uint8_t *, int64_t, int64_t *, int64_t)
    int64_t format_lines(const int32_t *, const int64_t *, int64_t, int64_t, const uint8_t *, uint8_t *)

cdef extern from "math.h" nogil:
    double log(double)

include "../buffers.pxi"


cdef class Lattice:
    """A vocabulary ready to segment with; see plain.Lattice for the arguments."""

    cdef views held
    cdef lattice inner
    cdef uint8_t seams[65536]
    cdef automaton linked

    def __cinit__(self, units, heads, nodes, starts, lengths, scores, weights, exponents, byte_ids, joins, *, int longest, int arcs_per_start,
                  bint character, int unknown_id, bint fuse, bint escaped=False, bint carry=False, automaton=None, lines=None, single_values=None):
        cdef Py_ssize_t codes, size
        self.held.count = 0
        self.inner.units = <const uint64_t *>take(&self.held, units, 8 * 512, False)
        self.inner.heads = <const uint64_t *>take(&self.held, heads, 8 * 65536, False)
        self.inner.lengths = <const uint32_t *>take(&self.held, lengths, 16, False)
        codes = self.held.buffers[self.held.count - 1].len // 4
        self.inner.nodes = self.inner.starts = NULL
        if nodes is not None:
            self.inner.nodes = <const node *>take(&self.held, nodes, 2 * self.held.buffers[0].len, False)
            self.inner.starts = <const node *>take(&self.held, starts, 16 * 65536, False)
        self.inner.scores = <const double *>take(&self.held, scores, 8 * codes, False)
        self.inner.weights = <const double *>take(&self.held, weights, 8 * codes, False)
        self.inner.exponents = <const int32_t *>take(&self.held, exponents, 4 * codes, False)
        self.inner.byte_ids = NULL
        if byte_ids is not None:
            self.inner.byte_ids = <const int32_t *>take(&self.held, byte_ids, 4 * 256, False)
        self.inner.joins = <const uint8_t *>take(&self.held, joins, 512, False)
        self.inner.join_shift = shift_of(self.held.buffers[self.held.count - 1].len)
        if longest < 4 or arcs_per_start < 1:
            raise ValueError("longest is at least 4 and arcs_per_start at least 1")
        self.inner.pieces = <uint32_t>(codes - 4)
        self.inner.longest = longest
        self.inner.arcs_per_start = arcs_per_start
        self.inner.character = character
        self.inner.escaped = escaped
        self.inner.carry = carry
        self.inner.seams = self.seams
        fill_seams(&self.inner, self.seams)
        self.inner.unknown_id = unknown_id
        self.inner.fuse = fuse
        self.inner.automaton = NULL
        if automaton is not None:
            self.linked.units = <const uint64_t *>take(&self.held, automaton.units, 0, False)
            size = self.held.buffers[self.held.count - 1].len // 8
            self.linked.fails = <const uint32_t *>take(&self.held, automaton.fails, 4 * size, False)
            self.linked.lines = <const aho_line *>take(&self.held, lines, 64 * <Py_ssize_t>len(lines), False)
            self.linked.singles = <const uint32_t *>take(&self.held, automaton.singles, 4 * 256, False)
            self.linked.single_values = <const double *>take(&self.held, single_values, 8 * 256, False)
            self.linked.root = <uint32_t>(size - 256)
            self.linked.complete = automaton.complete
            if not aho_valid(&self.linked, size, len(lines)):
                raise ValueError("the automaton leads outside its arrays")
            self.inner.automaton = &self.linked

    def __dealloc__(self):
        release(&self.held)

    cdef int prepare(self, workspace *w, views *held, object room, object codes, object cache, object window,
                     int64_t cells, int64_t arcs, int mode) except -1:
        """Lay a workspace of `workspace_size` bytes out, and check that it is enough for this vocabulary."""
        cdef uint8_t *at = <uint8_t *>take(held, room, workspace_size(cells, arcs), True)
        if mode < VITERBI or mode > ARRIVAL or (mode < SAMPLE_WIDE and self.inner.nodes == NULL):
            raise ValueError(f"no mode {mode}")
        w.codes = <uint32_t *>take(held, codes, 0, True)
        w.code_capacity = held.buffers[held.count - 1].len // 4
        if cells < 4 * self.inner.longest or arcs < (<int64_t>self.inner.longest + 1) * self.inner.arcs_per_start:
            raise ValueError("the workspace is too small for this vocabulary")
        # A chunk that is drawn as one may not be settled half-way: its draw selects the whole path.
        if cells < LONGEST_CHUNK + self.inner.longest or (
                SAMPLE <= mode <= SAMPLE_WIDE and self.inner.character and
                arcs < min(CHUNK_ARCS, LONGEST_CHUNK * <int64_t>self.inner.arcs_per_start) + self.inner.arcs_per_start):
            raise ValueError("the workspace is too small for a chunk")
        if w.code_capacity < 2 * (cells + 1):
            raise ValueError("the workspace needs two codes a cell and two more")
        w.cache = NULL
        w.cache_units = 0
        if cache is not None:
            w.cache = <chunk_cache *>((<size_t>take(held, cache, CACHE_SIZE, True) + 63) & ~<size_t>63)
            w.cache_units = (held.buffers[held.count - 1].len - 64 - <int64_t>sizeof(chunk_cache)) // 8
            if not self.inner.character or w.cache.used > <uint64_t>w.cache_units or w.cache.upper > 1:
                raise ValueError("chunks are kept for positions that are characters, in memory that was zero")
        w.window = NULL
        if window is not None:
            w.window = <aho_window *>take(held, window, sizeof(aho_window), True)
        w.cell_capacity = cells
        w.arc_capacity = arcs
        w.arcs = <arc *>at
        w.spare = w.arcs + arcs
        w.cells = <double *>(w.spare + arcs)
        w.choices = <uint64_t *>(w.cells + cells)
        w.exponents = <int32_t *>(w.choices + cells)
        w.heads = <uint32_t *>(w.exponents + cells)
        return 0

    def segment(self, text, offsets, Py_ssize_t count, *, int mode, int cuts, seed, uint64_t first_record,
                uint64_t first_sample, Py_ssize_t samples, int bos, int eos, room, codes, cache, window,
                int64_t cells, int64_t arcs, out, ends, measures, Py_ssize_t first=0):
        """Segment records; return how many are done, or -1 - i where record i cannot be written."""
        cdef views held
        cdef workspace w
        cdef lattice inner = self.inner
        cdef const uint8_t *data
        cdef const int64_t *starts
        cdef const uint64_t *key
        cdef int32_t *ids
        cdef int64_t *end
        cdef double *measured = NULL
        cdef int64_t result, size
        cdef Py_ssize_t i
        held.count = 0
        try:
            self.prepare(&w, &held, room, codes, cache, window, cells, arcs, mode)
            if count < 0 or samples < 1 or not 0 <= first <= count:
                raise ValueError("count and samples are not those of a batch")
            starts = <const int64_t *>take(&held, offsets, 8 * (count + 1), False)
            if starts[0] < 0:
                raise ValueError("a record starts before the text")
            for i in range(count):
                if starts[i] > starts[i + 1]:
                    raise ValueError(f"record {i} ends before it starts")
            size = starts[count]
            data = <const uint8_t *>take(&held, text, size, False)
            key = <const uint64_t *>take(&held, seed, 16, False)
            ids = <int32_t *>take(&held, out, 4 * (samples * (size - starts[0] + 2 * count) + OUT_SLACK), True)
            end = <int64_t *>take(&held, ends, 8 * samples * count, True)
            if measures is not None:
                measured = <double *>take(&held, measures, 16 * samples * count, True)
            inner.score_wanted = measured != NULL
            with nogil:
                result = segment_batch(&inner, &w, data, starts, first, count, cuts, mode, key, first_record, first_sample,
                                       samples, bos, eos, ids, end, measured)
            return result
        finally:
            release(&held)

    def begin(self, state, uint64_t record, uint64_t sample, seed):
        """Set `state` (STATE_SIZE bytes) to the start of a record that comes in parts."""
        cdef views held
        cdef progress *p
        cdef const uint64_t *key
        held.count = 0
        try:
            p = <progress *>take(&held, state, sizeof(progress), True)
            key = <const uint64_t *>take(&held, seed, 16, False)
            begin_record(p, record, sample, key[0], key[1])
        finally:
            release(&held)

    def keys(self, state):
        """Return the two words that the record's draws are keyed by."""
        cdef views held
        cdef progress *p
        held.count = 0
        try:
            p = <progress *>take(&held, state, sizeof(progress), False)
            return p.key0, p.key1
        finally:
            release(&held)

    def advance(self, state, text, int64_t base, Py_ssize_t size, bint final, *, int mode, int cuts, room, codes, cache,
                window, int64_t cells, int64_t arcs, out, bint measured):
        """Carry a record on by its bytes base … base + size; return (ids written, whether `codes` has to grow)."""
        cdef views held
        cdef workspace w
        cdef lattice inner = self.inner
        cdef progress *p
        cdef const uint8_t *data
        cdef int32_t *ids
        cdef int64_t result, written
        held.count = 0
        inner.score_wanted = measured
        try:
            self.prepare(&w, &held, room, codes, cache, window, cells, arcs, mode)
            p = <progress *>take(&held, state, sizeof(progress), True)
            data = <const uint8_t *>take(&held, text, size, False)
            if base < 0 or base > p.origin + p.past or p.origin + p.past > base + size:
                raise ValueError("the text does not reach from what is unsettled to beyond")
            ids = <int32_t *>take(&held, out, 4 * (size + OUT_SLACK), True)
            with nogil:
                result = advance(&inner, &w, p, data, base, base + size, final, cuts, mode, ids, &written)
            return written, result != RUN_MORE
        finally:
            release(&held)

    def standing(self, state):
        """Return (first byte still needed, score, log Z, whether a character cannot be written) of a record."""
        cdef views held
        cdef progress *p
        held.count = 0
        try:
            p = <progress *>take(&held, state, sizeof(progress), False)
            return (p.origin + p.past, p.score,
                    log(p.total_mantissa) + 0.6931471805599453 * <double>p.total_exponent, p.unencodable != 0)
        finally:
            release(&held)

    def measure(self, state, ring, log_weights, text, int64_t base, Py_ssize_t size, bint final, int cuts):
        """Carry log Z, entropy and expected length on; return them and the first byte still needed."""
        cdef views held
        cdef lattice inner = self.inner
        cdef moments *p
        cdef moment *cells
        cdef const double *logs
        cdef const uint8_t *data
        cdef int64_t capacity
        held.count = 0
        try:
            p = <moments *>take(&held, state, sizeof(moments), True)
            cells = <moment *>take(&held, ring, 0, True)
            capacity = held.buffers[held.count - 1].len // <int64_t>sizeof(moment)
            if capacity & (capacity - 1) or capacity <= inner.longest:
                raise ValueError("the ring needs a power of two of cells, more than the longest piece")
            logs = <const double *>take(&held, log_weights, 8 * (<Py_ssize_t>inner.pieces + 4), False)
            data = <const uint8_t *>take(&held, text, size, False)
            if base < 0 or base > p.origin + p.here:
                raise ValueError("the text does not reach from what is unsettled to beyond")
            with nogil:
                measure(&inner, logs, p, cells, capacity - 1, data, base, base + size, final, cuts)
            return p.log_z, p.entropy, p.length, p.origin + p.here
        finally:
            release(&held)

    def arcs(self, text, Py_ssize_t size, out, Py_ssize_t capacity):
        """Write start, length and code of every arc of one lattice; return how many there are."""
        cdef views held
        cdef lattice inner = self.inner
        cdef const uint8_t *data
        cdef int64_t *target
        cdef int64_t result
        held.count = 0
        try:
            data = <const uint8_t *>take(&held, text, size, False)
            target = <int64_t *>take(&held, out, 24 * capacity, True)
            with nogil:
                result = list_arcs(&inner, data, size, target, capacity)
            return result
        finally:
            release(&held)


STATE_SIZE = sizeof(progress)
MOMENTS_SIZE = sizeof(moments)
MOMENT_SIZE = sizeof(moment)
CACHE_SIZE = 64 + sizeof(chunk_cache) + 16 * (CHUNK_LARGEST + LEAVES_LARGEST + 8)
WINDOW_SIZE = sizeof(aho_window)
CHUNK_BYTES = LONGEST_CHUNK
OUT_SLACK = 8  # ids are written some at a time


def workspace_size(int64_t cells, int64_t arcs):
    """Return the bytes of a workspace of so many cells and arcs."""
    if cells < 0 or arcs < 0 or cells > 1 << 40 or arcs > 1 << 40:
        raise ValueError("a workspace of no size")
    return 24 * cells + 2 * <int64_t>sizeof(arc) * arcs


def format_ids(ids, ends, Py_ssize_t first, Py_ssize_t lines, table, out):
    """Write lines of decimal ids, one space between two; return the bytes written.

    Line i holds ids from the end of line i - 1 (or `first`) to ends[i]. table: 4 bytes for each of 0 … 999, its
    three digits and one more. out: 11 bytes an id and 2 a line and 8 more.
    """
    cdef views held
    cdef const int32_t *id
    cdef const int64_t *end
    cdef const uint8_t *digits
    cdef uint8_t *target
    cdef int64_t result, last
    cdef Py_ssize_t i
    held.count = 0
    try:
        end = <const int64_t *>take(&held, ends, 8 * lines, False)
        last = first
        if first < 0:
            raise ValueError("ends are not in ascending order")
        for i in range(lines):
            if end[i] < last:
                raise ValueError("ends are not in ascending order")
            last = end[i]
        id = <const int32_t *>take(&held, ids, 4 * last, False)
        digits = <const uint8_t *>take(&held, table, 4000, False)
        target = <uint8_t *>take(&held, out, 11 * (last - first) + 2 * lines + 8, True)
        with nogil:
            result = format_lines(id, end, first, lines, digits, target)
        return result
    finally:
        release(&held)


# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, freethreading_compatible=True
"""The segmentation lattice, compiled: best path, samples, moments, formatting. Twin: plain.py."""

include "declarations.pxi"
include "../buffers.pxi"
include "joins.pxi"


cdef class Lattice:
    """A vocabulary ready to segment with; see plain.Lattice for the arguments."""

    cdef views held
    cdef lattice inner
    cdef uint8_t seams[65536]
    cdef automaton linked

    def __cinit__(self, trie, by_code, byte_ids, joins, *, int longest, int arcs_per_start, bint character,
                  int unknown_id, bint fuse, bint escaped=False, bint carry=False, automaton=None):
        cdef lattice *l = &self.inner
        self.held.count = 0
        if longest < 4 or arcs_per_start < 1:
            raise ValueError("longest is at least 4 and arcs_per_start at least 1")
        self.hold_trie(trie)
        self.hold_codes(by_code)
        l.byte_ids = NULL
        if byte_ids is not None:
            l.byte_ids = <const int32_t *>take(&self.held, byte_ids, 4 * 256, False)
        l.joins = <const uint8_t *>take(&self.held, joins, 512, False)
        l.join_shift = shift_of(taken(&self.held))
        l.longest = longest
        l.arcs_per_start = arcs_per_start
        l.character = character
        l.unknown_id = unknown_id
        l.fuse = fuse
        l.escaped = escaped
        l.carry = carry
        l.seams = self.seams
        fill_seams(l, self.seams)
        l.automaton = NULL
        if automaton is not None:
            self.hold_automaton(automaton)

    cdef int hold_trie(self, object parts) except -1:
        units, heads, nodes, starts = parts
        cdef lattice *l = &self.inner
        l.units = <const uint64_t *>take(&self.held, units, 8 * 512, False)
        cdef Py_ssize_t size = taken(&self.held)
        l.heads = <const uint64_t *>take(&self.held, heads, 8 * 65536, False)
        l.nodes = l.starts = NULL
        if nodes is not None:
            l.nodes = <const node *>take(&self.held, nodes, 2 * size, False)
            l.starts = <const node *>take(&self.held, starts, 16 * 65536, False)
        return 0

    cdef int hold_codes(self, object parts) except -1:
        lengths, scores, weights, exponents = parts
        cdef lattice *l = &self.inner
        l.lengths = <const uint32_t *>take(&self.held, lengths, 16, False)
        cdef Py_ssize_t codes = taken(&self.held) // 4
        l.scores = <const double *>take(&self.held, scores, 8 * codes, False)
        l.weights = <const double *>take(&self.held, weights, 8 * codes, False)
        l.exponents = <const int32_t *>take(&self.held, exponents, 4 * codes, False)
        l.pieces = <uint32_t>(codes - 4)
        return 0

    cdef int hold_automaton(self, object parts) except -1:
        tables, lines, single_values = parts
        cdef automaton *a = &self.linked
        a.units = <const uint64_t *>take(&self.held, tables.units, 0, False)
        cdef Py_ssize_t size = taken(&self.held) // 8
        a.fails = <const uint32_t *>take(&self.held, tables.fails, 4 * size, False)
        a.lines = <const aho_line *>take(&self.held, lines, 64 * <Py_ssize_t>len(lines), False)
        a.singles = <const uint32_t *>take(&self.held, tables.singles, 4 * 256, False)
        a.single_values = <const double *>take(&self.held, single_values, 8 * 256, False)
        a.root = <uint32_t>(size - 256)
        a.complete = tables.complete
        if not aho_valid(a, size, len(lines)):
            raise ValueError("the automaton leads outside its arrays")
        self.inner.automaton = a
        return 0

    def __dealloc__(self):
        release(&self.held)

    cdef int prepare(self, workspace *w, views *held, object room, object codes, object cache, object tile_room,
                     int64_t cells, int64_t arcs, int mode) except -1:
        """Lay a workspace of `workspace_size` bytes out, and check that it is enough for this vocabulary."""
        cdef uint8_t *at = <uint8_t *>take(held, room, workspace_size(cells, arcs), True)
        if mode < MODE_VITERBI or mode > MODE_ARRIVAL or (mode < MODE_SAMPLE_WIDE and self.inner.nodes == NULL):
            raise ValueError(f"no mode {mode}")
        w.codes = <uint32_t *>take(held, codes, 0, True)
        w.code_capacity = taken(held) // 4
        if cells < 4 * self.inner.longest or arcs < (<int64_t>self.inner.longest + 1) * self.inner.arcs_per_start:
            raise ValueError("the workspace is too small for this vocabulary")
        # A span that is drawn by one number may not be settled half-way: the draw selects the whole path.
        if cells < LONGEST_SPAN + self.inner.longest or (
                MODE_SAMPLE <= mode <= MODE_SAMPLE_WIDE and self.inner.character and
                arcs < min(SPAN_ARCS, LONGEST_SPAN * <int64_t>self.inner.arcs_per_start) + self.inner.arcs_per_start):
            raise ValueError("the workspace is too small for a span")
        if w.code_capacity < 2 * (cells + 1):
            raise ValueError("the workspace needs two codes a cell and two more")
        w.cache = NULL
        w.cache_units = 0
        if cache is not None:
            w.cache = <span_cache *>((<size_t>take(held, cache, CACHE_SIZE, True) + 63) & ~<size_t>63)
            w.cache_units = (taken(held) - 64 - <int64_t>sizeof(span_cache)) // 8
            if not self.inner.character or w.cache.used > <uint64_t>w.cache_units or w.cache.upper > 1:
                raise ValueError("spans are kept for positions that are characters, in memory that was zero")
        w.tile = NULL
        if tile_room is not None:
            w.tile = <tile *>take(held, tile_room, sizeof(tile), True)
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
                uint64_t first_sample, Py_ssize_t samples, int bos, int eos, room, codes, cache, tile,
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
            self.prepare(&w, &held, room, codes, cache, tile, cells, arcs, mode)
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
                result = segment_batch(&inner, &w, data, starts, first, count, cuts, mode, key, first_record,
                                       first_sample, samples, bos, eos, ids, end, measured)
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

    def draw_state(self, state):
        """Return the two words that the record's draws are made from."""
        cdef views held
        cdef progress *p
        held.count = 0
        try:
            p = <progress *>take(&held, state, sizeof(progress), False)
            return p.draw_state[0], p.draw_state[1]
        finally:
            release(&held)

    def advance(self, state, text, int64_t base, Py_ssize_t size, bint final, *, int mode, int cuts, room, codes, cache,
                tile, int64_t cells, int64_t arcs, out, bint measured):
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
            self.prepare(&w, &held, room, codes, cache, tile, cells, arcs, mode)
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
            capacity = taken(&held) // <int64_t>sizeof(moment)
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


VITERBI, VITERBI_F32, SAMPLE = MODE_VITERBI, MODE_VITERBI_F32, MODE_SAMPLE
SAMPLE_WIDE, ARRIVAL = MODE_SAMPLE_WIDE, MODE_ARRIVAL

STATE_SIZE = sizeof(progress)
MOMENTS_SIZE = sizeof(moments)
MOMENT_SIZE = sizeof(moment)
CACHE_SIZE = 64 + sizeof(span_cache) + 16 * (CACHED_SPAN_UNITS + LEAVES_UNITS + 8)
TILE_SIZE = sizeof(tile)
SPAN_BYTES = LONGEST_SPAN
OUT_SLACK = 8  # ids are written some at a time


def workspace_size(int64_t cells, int64_t arcs):
    """Return the bytes of a workspace of so many cells and arcs."""
    if cells < 0 or arcs < 0 or cells > 1 << 40 or arcs > 1 << 40:
        raise ValueError("a workspace of no size")
    return 24 * cells + 2 * <int64_t>sizeof(arc) * arcs


include "words.pxi"

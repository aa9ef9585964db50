# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, freethreading_compatible=True
"""The segmentation lattice, compiled: trie, best path, samples, moments, formatting. Twin: lattice_plain."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer, Py_buffer

cdef extern from "segment.h" nogil:
    enum:
        RUN_MORE, VITERBI, SAMPLE_WIDE, ARRIVAL, CHUNK_LARGEST, LEAVES_LARGEST
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
    int64_t trie_build(const uint8_t *, const int64_t *, const int32_t *, int64_t, uint64_t *, int64_t, int32_t *,
                       int32_t *, uint8_t *, int64_t *)
    void trie_heads(const uint64_t *, int, uint64_t *)
    void fill_seams(const lattice *, uint8_t *)
    int64_t aho_build(const uint64_t *, int64_t, uint64_t *, uint32_t *, uint32_t *, int64_t, uint32_t *, uint32_t,
                      uint32_t *)
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

cdef extern from "keys.h" nogil:
    void keys_arrange(const uint8_t *, const int64_t *, int32_t *, int64_t, uint8_t *, int64_t *, uint64_t *, int32_t *)
    int keys_check(const uint8_t *, const int64_t *, int64_t, int, int64_t *)
    int64_t keys_join(const uint8_t *, const int64_t *, int64_t, uint8_t *, uint32_t)

cdef extern from "math.h" nogil:
    double log(double)




cdef struct views:
    Py_buffer buffers[16]
    int count


cdef void *take(views *held, object source, Py_ssize_t size, bint writable) except NULL:
    """Hold a buffer of at least `size` bytes and return its first byte."""
    cdef Py_buffer *view = held.buffers + held.count
    PyObject_GetBuffer(source, view, PyBUF_SIMPLE | (PyBUF_WRITABLE if writable else 0))
    held.count += 1
    if size < 0 or view.len < size:
        raise ValueError(f"a buffer of {view.len} bytes where {size} are needed")
    # numpy gives an empty array a pointer that may be null.
    return view.buf if view.buf != NULL else <void *>held


cdef void release(views *held) noexcept:
    while held.count:
        held.count -= 1
        PyBuffer_Release(held.buffers + held.count)


def arrange_keys(bytes_, offsets, Py_ssize_t table, order, Py_ssize_t count, text, starts, room):
    """Sort keys order[0 … count) of a table of `table` keys, and write their bytes and offsets one behind the other.

    text: as many bytes as the keys have; starts: count + 1, int64; room: 20 bytes a key.
    """
    cdef views held
    cdef const uint8_t *source
    cdef const int64_t *bounds
    cdef int32_t *numbers
    cdef int64_t *begins
    cdef uint64_t *digits
    cdef uint8_t *target
    cdef int64_t size = 0
    cdef Py_ssize_t i
    held.count = 0
    try:
        bounds = <const int64_t *>take(&held, offsets, 8 * (table + 1), False)
        for i in range(table):
            if bounds[i] < 0 or bounds[i] > bounds[i + 1]:
                raise ValueError(f"key {i} ends before it starts")
        source = <const uint8_t *>take(&held, bytes_, bounds[table], False)
        numbers = <int32_t *>take(&held, order, 4 * count, True)
        for i in range(count):
            if not 0 <= numbers[i] < table:
                raise ValueError(f"there is no key {numbers[i]}")
            size += bounds[numbers[i] + 1] - bounds[numbers[i]]
        target = <uint8_t *>take(&held, text, size, True)
        begins = <int64_t *>take(&held, starts, 8 * (count + 1), True)
        digits = <uint64_t *>take(&held, room, 20 * count, True)
        with nogil:
            keys_arrange(source, bounds, numbers, count, target, begins, digits, <int32_t *>(digits + 2 * count))
    finally:
        release(&held)


def check_keys(text, starts, Py_ssize_t count, bint characters):
    """Return (what is wrong, with which key) of keys in order: 0 nothing, 1 empty, 2 as the next, 3 no text."""
    cdef views held
    cdef const uint8_t *source
    cdef const int64_t *begins
    cdef int64_t at = 0
    cdef int found
    held.count = 0
    try:
        source, begins = keys_of(&held, text, starts, count)
        with nogil:
            found = keys_check(source, begins, count, characters, &at)
        return found, at
    finally:
        release(&held)


def join_keys(text, starts, Py_ssize_t count, joins):
    """Set the bits of neighbouring characters in keys that were checked; return how many there are."""
    cdef views held
    cdef const uint8_t *source
    cdef const int64_t *begins
    cdef uint8_t *bits
    cdef int64_t result
    cdef uint32_t shift
    held.count = 0
    try:
        source, begins = keys_of(&held, text, starts, count)
        bits = <uint8_t *>take(&held, joins, 512, True)
        shift = shift_of(held.buffers[held.count - 1].len)
        if keys_check(source, begins, count, True, &result):
            raise ValueError("the keys are no text")
        with nogil:
            result = keys_join(source, begins, count, bits, shift)
        return result
    finally:
        release(&held)


cdef (const uint8_t *, const int64_t *) keys_of(views *held, object text, object starts, Py_ssize_t count) except *:
    """Hold keys one behind the other, and check that they are."""
    cdef const int64_t *begins = <const int64_t *>take(held, starts, 8 * (count + 1), False)
    cdef Py_ssize_t i
    if begins[0] < 0:
        raise ValueError("key 0 starts before the text")
    for i in range(count):
        if begins[i] > begins[i + 1]:
            raise ValueError(f"key {i} ends before it starts")
    return <const uint8_t *>take(held, text, begins[count], False), begins


cdef uint32_t shift_of(Py_ssize_t size) except 0:
    """Return by how much a hash is shifted to be a number of one of the bits in `size` bytes."""
    cdef uint32_t shift = 29
    if size < 512 or size & (size - 1) or size > 1 << 28:
        raise ValueError("the bits of neighbours are a power of two, 2^12 to 2^31")
    while size > 1:
        size >>= 1
        shift -= 1
    return shift


def build_trie(bytes_, offsets, values, Py_ssize_t count, units, Py_ssize_t capacity, links, used, stack):
    """Build the double array of `count` different keys in ascending order; return its units, or -1 if too small.

    links: 8 bytes a unit; used: 1 byte a unit, zero; stack: 32 bytes for each byte of the keys and 32 more.
    """
    cdef views held
    cdef const uint8_t *text
    cdef const int64_t *starts
    cdef const int32_t *value
    cdef uint64_t *unit
    cdef int32_t *link
    cdef uint8_t *mark
    cdef int64_t *room
    cdef int64_t result, total
    cdef Py_ssize_t i
    held.count = 0
    try:
        starts = <const int64_t *>take(&held, offsets, 8 * (count + 1), False)
        total = starts[count]
        for i in range(count):
            if starts[i] < 0 or starts[i] >= starts[i + 1]:
                raise ValueError(f"key {i} is empty or ends before it starts")
        text = <const uint8_t *>take(&held, bytes_, total, False)
        value = <const int32_t *>take(&held, values, 4 * count, False)
        unit = <uint64_t *>take(&held, units, 8 * capacity, True)
        link = <int32_t *>take(&held, links, 8 * capacity, True)
        mark = <uint8_t *>take(&held, used, capacity, True)
        room = <int64_t *>take(&held, stack, 32 * (total + 1), True)
        with nogil:
            result = trie_build(text, starts, value, count, unit, capacity, link, link + capacity, mark, room)
        return result
    finally:
        release(&held)


def fill_heads(units, bint character, heads):
    """Fill `heads` (65,536 units) with where a walk stands behind a first character, or two first bytes."""
    cdef views held
    cdef const uint64_t *unit
    cdef uint64_t *head
    held.count = 0
    try:
        unit = <const uint64_t *>take(&held, units, 8 * 512, False)
        head = <uint64_t *>take(&held, heads, 8 * 65536, True)
        with nogil:
            trie_heads(unit, character, head)
    finally:
        release(&held)


def build_automaton(units, Py_ssize_t size, uint32_t unknown, units_out, fails, entries, Py_ssize_t lines, singles,
                    scratch):
    """Link an automaton to a trie of `size` units; return its lines of entries, or -1 where something does not fit.

    units_out: 8 bytes for each unit and 256 more; fails: 4; scratch: 16. entries: 20 bytes a line. singles: 1,024 bytes.
    unknown: the code of a byte that is no piece.
    """
    cdef views held
    cdef const uint64_t *trie
    cdef uint64_t *unit
    cdef uint32_t *fail
    cdef uint32_t *entry
    cdef uint32_t *single
    cdef uint32_t *room
    cdef int64_t result
    held.count = 0
    try:
        if size < 512 or size % 256:
            raise ValueError("a trie has blocks of 256 units, two at least")
        trie = <const uint64_t *>take(&held, units, 8 * size, False)
        unit = <uint64_t *>take(&held, units_out, 8 * (size + 256), True)
        fail = <uint32_t *>take(&held, fails, 4 * (size + 256), True)
        entry = <uint32_t *>take(&held, entries, 20 * lines, True)
        single = <uint32_t *>take(&held, singles, 1024, True)
        room = <uint32_t *>take(&held, scratch, 16 * (size + 256), True)
        with nogil:
            result = aho_build(trie, size, unit, fail, entry, lines, single, unknown, room)
        return result
    finally:
        release(&held)


cdef class Lattice:
    """A vocabulary ready to segment with; see lattice_plain.Lattice for the arguments."""

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


# cython: language_level=3, boundscheck=False, wraparound=False, freethreading_compatible=True
"""Records in a pool of blocks, compiled (layout and loops: records.h). Twin: plain.py."""

from libc.stdint cimport UINT64_MAX, uint8_t, uint32_t, uint64_t
from libc.string cimport memset
from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer, Py_buffer

cdef extern from "records.h" nogil:
    """
    #include "guard.h"
    /* Those that may read a mapped input are guarded; they return 0, or 1 when they were cut short. */
    static int do_count(const uint8_t *from, const uint8_t *to, uint8_t delimiter, uint64_t *result) {
        return GUARDED(*result = DISPATCH(count_delimiters, (from, to, delimiter)));
    }
    static int do_last_end(const uint8_t *from, const uint8_t *to, uint8_t delimiter, uint64_t *result) {
        return GUARDED(*result = DISPATCH(last_end, (from, to, delimiter)));
    }
    static int do_scatter(scatter_t *s, const uint8_t *data, uint64_t *at, uint64_t stop, uint64_t *number,
                          uint8_t delimiter, uint64_t record_bytes, int mapped) {
        return GUARDED(DISPATCH(scatter, (s, data, at, stop, number, delimiter, record_bytes, mapped)));
    }
    #define DO_INDEX_MAPPED(p, l, bb, bs, w, c, le, gr, ws, ns, as, ls, li, mo) \
        DISPATCH(index_mapped, (p, l, bb, bs, w, c, le, gr, ws, ns, as, ls, li, mo))
    static int do_gather_mapped(const uint64_t *words, const uint64_t *addresses, const uint64_t *lengths,
                                uint64_t first, uint64_t stop, uint8_t *out, uint64_t capacity, uint64_t *used,
                                uint64_t *check, uint64_t *result) {
        return GUARDED(*result = DISPATCH(gather_mapped, (words, addresses, lengths, first, stop, out, capacity, used,
                                                          check)));
    }
    static int do_gather(const uint8_t *pool, const uint32_t *links, uint64_t block_bytes, uint64_t blocks,
                         const uint64_t *words, const uint64_t *places, uint64_t first, uint64_t stop, uint8_t *out,
                         uint64_t capacity, uint64_t *used, uint64_t *check, uint64_t *reference, uint64_t *result) {
        return GUARDED(*result = DISPATCH(gather, (pool, links, block_bytes, blocks, words, places, first, stop, out,
                                                   capacity, used, check, reference)));
    }
    #define DO_CHECKSUM(from, n, group) DISPATCH(checksum, (from, n, group))
    #define DO_REFER(s, number, offset, length) DISPATCH(refer, (s, number, offset, length))
    #define DO_REDISTRIBUTE(s, blocks, walk, count) DISPATCH(redistribute, (s, blocks, walk, count))
    #define DO_INDEX(p, l, bb, bs, w, c, le, gr, ws, ns, ps, li, mo) \
        DISPATCH(index_stream, (p, l, bb, bs, w, c, le, gr, ws, ns, ps, li, mo))
    """
    ctypedef struct bucket_t:
        pass
    ctypedef struct scatter_t:
        uint8_t *pool
        uint32_t *links
        bucket_t *buckets
        uint32_t *free
        uint32_t *full
        uint64_t free_count, full_count, full_capacity, block_bytes, resident
        uint64_t low, span, shift, k0, k1, mask, checksum, skipped, check_skipped
    ctypedef struct walk_t:
        uint64_t block, offset, available, number
    int guard_install()
    int do_count(const uint8_t *start, const uint8_t *stop, uint8_t delimiter, uint64_t *result)
    int do_last_end(const uint8_t *start, const uint8_t *stop, uint8_t delimiter, uint64_t *result)
    uint64_t DO_CHECKSUM(const uint8_t *data, uint64_t n, uint32_t group)
    int do_scatter(scatter_t *s, const uint8_t *data, uint64_t *at, uint64_t stop, uint64_t *number,
                   uint8_t delimiter, uint64_t record_bytes, int mapped)
    int DO_REFER(scatter_t *s, uint64_t number, uint64_t offset, uint64_t length)
    int DO_REDISTRIBUTE(scatter_t *s, uint64_t blocks, walk_t *walk, uint64_t *count)
    uint64_t DO_INDEX(const uint8_t *pool, const uint32_t *links, uint64_t block_bytes, uint64_t blocks, walk_t walk,
                      uint64_t count, uint32_t least, uint32_t greatest, uint64_t *words, uint64_t *numbers,
                      uint64_t *places, uint64_t listed, uint64_t most)
    uint64_t DO_INDEX_MAPPED(const uint8_t *pool, const uint32_t *links, uint64_t block_bytes, uint64_t blocks,
                             walk_t walk, uint64_t count, uint32_t least, uint32_t greatest, uint64_t *words,
                             uint64_t *numbers, uint64_t *addresses, uint64_t *lengths, uint64_t listed, uint64_t most)
    int do_gather_mapped(const uint64_t *words, const uint64_t *addresses, const uint64_t *lengths, uint64_t first,
                         uint64_t stop, uint8_t *out, uint64_t capacity, uint64_t *used, uint64_t *check,
                         uint64_t *result)
    int places_in_range(const uint64_t *words, uint64_t first, uint64_t stop, const uint64_t *places, uint64_t most,
                        uint64_t limit)
    int do_gather(const uint8_t *pool, const uint32_t *links, uint64_t block_bytes, uint64_t blocks,
                  const uint64_t *words, const uint64_t *places, uint64_t first, uint64_t stop, uint8_t *out,
                  uint64_t capacity, uint64_t *used, uint64_t *check, uint64_t *reference, uint64_t *result)

SLACK = 64
NO_BLOCK = 0xFFFFFFFF

# Whether records may stay in a mapped input (Scatter.run).
MAPS = True


class Truncated(Exception):
    """A mapped input became shorter while it was read."""


def guard():
    """Turn the signal that a shrinking mapped input raises into Truncated, from now on."""
    if guard_install():
        raise OSError("no handler for SIGBUS can be installed")


cdef enum:
    SLACK_BYTES = 64
    BUCKET_BYTES = 64


cdef int _span(Py_buffer *view, uint64_t start, uint64_t stop) except -1:
    """Refuse a stretch that leaves the buffer or the slack behind it."""
    if start > stop or view.len < SLACK_BYTES or stop > <uint64_t>view.len - SLACK_BYTES:
        raise ValueError(f"bytes {start} to {stop} and {SLACK_BYTES} behind them are not all in {view.len} bytes")
    return 0


def count_delimiters(data, uint64_t start, uint64_t stop, uint8_t delimiter):
    """Return how many bytes of data[start:stop] are the delimiter."""
    cdef Py_buffer view
    cdef uint64_t result = 0
    cdef int cut
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        _span(&view, start, stop)
        with nogil:
            cut = do_count(<uint8_t *>view.buf + start, <uint8_t *>view.buf + stop, delimiter, &result)
        if cut:
            raise Truncated
        return result
    finally:
        PyBuffer_Release(&view)


def last_end(data, uint64_t start, uint64_t stop, uint8_t delimiter):
    """Return one past the last delimiter in data[start:stop], or `start` where there is none."""
    cdef Py_buffer view
    cdef uint64_t result = 0
    cdef int cut
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        _span(&view, start, stop)
        with nogil:
            cut = do_last_end(<uint8_t *>view.buf + start, <uint8_t *>view.buf + stop, delimiter, &result)
        if cut:
            raise Truncated
        return start + result
    finally:
        PyBuffer_Release(&view)


def checksum(data, uint64_t start, uint64_t stop, uint64_t offset):
    """Return what data[start:stop] adds to the checksum, standing `offset` bytes (a multiple of 32) into its record."""
    cdef Py_buffer view
    cdef uint64_t result
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        _span(&view, start, stop)
        if offset % 32:
            raise ValueError(f"the offset {offset} is no multiple of 32")
        with nogil:
            result = DO_CHECKSUM(<uint8_t *>view.buf + start, stop - start, <uint32_t>(offset // 32))
        return result
    finally:
        PyBuffer_Release(&view)


cdef class Scatter:
    """Distributes records to the buckets of one worker; the fields and their meaning are scatter_t of records.h.

    Args:
        pool: blocks of block_bytes (a power of two) each, and SLACK bytes.
        links: one u32 a block.
        table: eight u64 a bucket (bucket_t of records.h), zeroed by this constructor.
        free: u32 stack of free blocks, as large as links.
        full: u32 pairs (bucket, block).
    """

    cdef scatter_t s
    cdef Py_buffer views[5]
    cdef int held
    cdef readonly uint64_t blocks
    cdef readonly uint64_t bucket_count

    def __init__(self, pool, links, table, free, full, uint64_t block_bytes, uint64_t k0, uint64_t k1, uint64_t mask):
        cdef int i
        if self.held:
            raise ValueError("a Scatter is set up once")
        if block_bytes < 256 or block_bytes & (block_bytes - 1):
            raise ValueError(f"{block_bytes} bytes a block: need a power of two from 256")
        for buffer in (pool, links, table, free, full):
            PyObject_GetBuffer(buffer, &self.views[self.held], PyBUF_SIMPLE | PyBUF_WRITABLE)
            self.held += 1
        self.blocks = (self.views[0].len - SLACK_BYTES) // block_bytes if self.views[0].len > SLACK_BYTES else 0
        self.bucket_count = self.views[2].len // BUCKET_BYTES
        if min(self.views[1].len, self.views[3].len) // 4 < <Py_ssize_t>self.blocks or not self.bucket_count:
            raise ValueError("the tables are too small for the pool")
        memset(&self.s, 0, sizeof(scatter_t))
        self.s.pool = <uint8_t *>self.views[0].buf
        self.s.links = <uint32_t *>self.views[1].buf
        self.s.buckets = <bucket_t *>self.views[2].buf
        self.s.free = <uint32_t *>self.views[3].buf
        self.s.full = <uint32_t *>self.views[4].buf
        self.s.full_capacity = self.views[4].len // 8
        self.s.block_bytes = block_bytes
        self.s.k0, self.s.k1, self.s.mask = k0, k1, mask
        self.s.resident = self.bucket_count
        memset(self.s.buckets, 0, self.bucket_count * BUCKET_BYTES)
        cdef uint64_t *fields = <uint64_t *>self.s.buckets
        cdef uint64_t b
        for b in range(self.bucket_count):
            fields[8 * b + 6] = fields[8 * b + 7] = 0xFFFFFFFF

    def __dealloc__(self):
        while self.held:
            self.held -= 1
            PyBuffer_Release(&self.views[self.held])

    def cover(self, uint64_t low, uint64_t span, uint64_t shift):
        """Take keys from low to low + span, 2^shift of them a bucket."""
        if shift > 63 or span >> shift >= self.bucket_count:
            raise ValueError(f"a span of {span} in buckets of 2^{shift} needs more than {self.bucket_count}")
        self.s.low, self.s.span, self.s.shift = low, span, shift

    def give(self, blocks):
        """Push blocks (u32) on the free stack."""
        cdef Py_buffer view
        cdef uint64_t i, n
        cdef int sound = 1
        PyObject_GetBuffer(blocks, &view, PyBUF_SIMPLE)
        try:
            n = view.len // 4
            for i in range(n):
                sound &= (<uint32_t *>view.buf)[i] < self.blocks
            if not sound or n > self.blocks - self.s.free_count:
                raise ValueError("blocks that are not of this pool, or more than it has")
            for i in range(n):
                self.s.free[self.s.free_count + i] = (<uint32_t *>view.buf)[i]
            self.s.free_count += n
        finally:
            PyBuffer_Release(&view)

    def run(self, data, uint64_t start, uint64_t stop, uint64_t number, uint8_t delimiter, uint64_t record_bytes,
            bint mapped=False):
        """Distribute the whole records in data[start:stop]; return (where it stopped, next record number).

        It stops early, between records, when free blocks or room in the full list are wanting. With `mapped` the
        records stay where they are, and data has to stay as long as the buckets are used.
        """
        cdef Py_buffer view
        cdef int cut
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        try:
            _span(&view, start, stop)
            with nogil:
                cut = do_scatter(&self.s, <uint8_t *>view.buf, &start, stop, &number, delimiter, record_bytes, mapped)
            if cut:
                raise Truncated
            return start, number
        finally:
            PyBuffer_Release(&view)

    def refer(self, uint64_t number, uint64_t offset, uint64_t length):
        """Enter a record that is kept elsewhere: 1 done, 0 blocks are wanting, -1 not of this span."""
        return DO_REFER(&self.s, number, offset, length)

    def redistribute(self, walk, uint64_t count):
        """Move whole records of a stream in the same pool here; return (status, walk, records left).

        A walk is (block, offset, bytes in memory from there, number of the last record). Status 0: all done or more
        bytes are needed; 1: blocks are wanting; -1: the chain is torn.
        """
        cdef walk_t w
        cdef int status
        w.block, w.offset, w.available, w.number = walk
        # More bytes than the pool has could only be walked in circles.
        if w.block >= self.blocks or w.offset > self.s.block_bytes or w.available > self.blocks * self.s.block_bytes:
            raise ValueError("the walk starts outside the pool")
        with nogil:
            status = DO_REDISTRIBUTE(&self.s, self.blocks, &w, &count)
        return status, (w.block, w.offset, w.available, w.number), count

    @property
    def free_count(self):
        """Free blocks."""
        return self.s.free_count

    @free_count.setter
    def free_count(self, uint64_t value):
        if value > self.s.free_count:
            raise ValueError("blocks are given by give()")
        self.s.free_count = value

    @property
    def full_count(self):
        """Pairs in the full list."""
        return self.s.full_count

    @full_count.setter
    def full_count(self, uint64_t value):
        if value:
            raise ValueError("the full list can only be emptied")
        self.s.full_count = 0

    @property
    def resident(self):
        """The first bucket that is spilled."""
        return self.s.resident

    @resident.setter
    def resident(self, uint64_t value):
        self.s.resident = value

    @property
    def checksum(self):
        """The checksum of the records kept, references aside."""
        return self.s.checksum

    @property
    def skipped(self):
        """The checksum of the records outside the span, if check_skipped is set."""
        return self.s.skipped

    @property
    def check_skipped(self):
        """Whether records outside the span are read for their checksum."""
        return bool(self.s.check_skipped)

    @check_skipped.setter
    def check_skipped(self, bint value):
        self.s.check_skipped = value


cdef uint64_t _pool_blocks(Py_buffer *pool, Py_buffer *links, uint64_t block_bytes) except? 0:
    cdef uint64_t blocks
    if block_bytes < 256 or block_bytes & (block_bytes - 1) or pool.len < SLACK_BYTES:
        raise ValueError("no pool of blocks")
    blocks = (pool.len - SLACK_BYTES) // block_bytes
    return min(blocks, <uint64_t>links.len // 4)


def index_stream(pool, links, uint64_t block_bytes, walk, uint64_t count, uint32_t least, uint32_t greatest,
                 words, numbers, places, uint64_t listed):
    """List the records of a stream whose key bits are in least … greatest behind the first `listed` entries.

    An entry is a word to sort by, a number, and the pool offset of the length, in three u64 buffers. Returns the new
    count of entries; ValueError when the stream is torn, OverflowError when the buffers are full.
    """
    cdef Py_buffer views[5]
    cdef int held = 0
    cdef walk_t w
    cdef uint64_t blocks, most, result
    w.block, w.offset, w.available, w.number = walk
    try:
        for buffer in (pool, links, words, numbers, places):
            PyObject_GetBuffer(buffer, &views[held], PyBUF_SIMPLE | (PyBUF_WRITABLE if held > 1 else 0))
            held += 1
        blocks = _pool_blocks(&views[0], &views[1], block_bytes)
        most = min(views[2].len, views[3].len, views[4].len) // 8
        if w.block >= blocks or w.offset > block_bytes or w.available > blocks * block_bytes or listed > most:
            raise ValueError("the walk or the lists start outside their buffers")
        with nogil:
            result = DO_INDEX(<uint8_t *>views[0].buf, <uint32_t *>views[1].buf, block_bytes, blocks, w, count, least,
                              greatest, <uint64_t *>views[2].buf, <uint64_t *>views[3].buf,
                              <uint64_t *>views[4].buf, listed, most)
        if result == UINT64_MAX:
            raise ValueError("the stream is torn")
        if result == UINT64_MAX - 1:
            raise OverflowError("the lists are full")
        return result
    finally:
        while held:
            held -= 1
            PyBuffer_Release(&views[held])


def gather(pool, links, uint64_t block_bytes, words, places, uint64_t first, uint64_t stop, out, uint64_t capacity,
           uint64_t used):
    """Copy the records of words[first:stop] to `out` behind its first `used` bytes until `capacity` is reached.

    Returns (index of the first word not done, bytes used, checksum, reference offset, reference length); a length
    other than 0 says that the last record done is kept elsewhere and was not copied.
    """
    cdef Py_buffer views[5]
    cdef int held = 0
    cdef uint64_t blocks, result = 0, check = 0
    cdef uint64_t reference[2]
    cdef int cut = 0
    cdef uint64_t *list_of_words
    cdef uint64_t *list_of_places
    cdef uint64_t most
    cdef int sound
    try:
        for buffer in (pool, links, words, places, out):
            PyObject_GetBuffer(buffer, &views[held], PyBUF_SIMPLE | (PyBUF_WRITABLE if held == 4 else 0))
            held += 1
        blocks = _pool_blocks(&views[0], &views[1], block_bytes)
        _span(&views[4], used, capacity)
        most = views[3].len // 8
        if first > stop or stop > <uint64_t>views[2].len // 8:
            raise ValueError(f"words {first} to {stop} are not all in the list")
        list_of_words = <uint64_t *>views[2].buf
        list_of_places = <uint64_t *>views[3].buf
        with nogil:
            sound = places_in_range(list_of_words, first, stop, list_of_places, most, blocks * block_bytes)
            if sound:
                cut = do_gather(<uint8_t *>views[0].buf, <uint32_t *>views[1].buf, block_bytes, blocks,
                                list_of_words, list_of_places, first, stop, <uint8_t *>views[4].buf, capacity,
                                &used, &check, reference, &result)
        if cut:
            raise Truncated
        if not sound or result == UINT64_MAX:
            raise ValueError("the lists point outside the pool, or a stream is torn")
        return result, used, check, reference[0], reference[1]
    finally:
        while held:
            held -= 1
            PyBuffer_Release(&views[held])


def index_mapped(pool, links, uint64_t block_bytes, walk, uint64_t count, uint32_t least, uint32_t greatest,
                 words, numbers, addresses, lengths, uint64_t listed):
    """List the mapped records of a stream as index_stream does, with address and length in two u64 buffers.

    Returns the new count of entries; LookupError when a record of another kind is among them, and the errors of
    index_stream.
    """
    cdef Py_buffer views[6]
    cdef int held = 0
    cdef walk_t w
    cdef uint64_t blocks, most, result
    w.block, w.offset, w.available, w.number = walk
    try:
        for buffer in (pool, links, words, numbers, addresses, lengths):
            PyObject_GetBuffer(buffer, &views[held], PyBUF_SIMPLE | (PyBUF_WRITABLE if held > 1 else 0))
            held += 1
        blocks = _pool_blocks(&views[0], &views[1], block_bytes)
        most = min(views[2].len, views[3].len, views[4].len, views[5].len) // 8
        if w.block >= blocks or w.offset > block_bytes or listed > most:
            raise ValueError("the walk or the lists start outside their buffers")
        with nogil:
            result = DO_INDEX_MAPPED(<uint8_t *>views[0].buf, <uint32_t *>views[1].buf, block_bytes, blocks, w, count,
                                     least, greatest, <uint64_t *>views[2].buf, <uint64_t *>views[3].buf,
                                     <uint64_t *>views[4].buf, <uint64_t *>views[5].buf, listed, most)
        if result == UINT64_MAX:
            raise ValueError("the stream is torn")
        if result == UINT64_MAX - 1:
            raise OverflowError("the lists are full")
        if result == UINT64_MAX - 2:
            raise LookupError("a record is not mapped")
        return result
    finally:
        while held:
            held -= 1
            PyBuffer_Release(&views[held])


def gather_mapped(words, addresses, lengths, uint64_t first, uint64_t stop, out, uint64_t capacity, uint64_t used):
    """Copy mapped records as gather does; return (index of the first word not done, bytes used, checksum)."""
    cdef Py_buffer views[4]
    cdef int held = 0, cut = 0, sound
    cdef uint64_t most, result = 0, check = 0
    try:
        for buffer in (words, addresses, lengths, out):
            PyObject_GetBuffer(buffer, &views[held], PyBUF_SIMPLE | (PyBUF_WRITABLE if held == 3 else 0))
            held += 1
        _span(&views[3], used, capacity)
        most = min(views[1].len, views[2].len) // 8
        if first > stop or stop > <uint64_t>views[0].len // 8:
            raise ValueError(f"words {first} to {stop} are not all in the list")
        with nogil:
            sound = places_in_range(<uint64_t *>views[0].buf, first, stop, <uint64_t *>views[1].buf, most, UINT64_MAX)
            if sound:
                cut = do_gather_mapped(<uint64_t *>views[0].buf, <uint64_t *>views[1].buf, <uint64_t *>views[2].buf,
                                       first, stop, <uint8_t *>views[3].buf, capacity, &used, &check, &result)
        if not sound:
            raise ValueError("the words point outside the lists")
        if cut:
            raise Truncated
        return result, used, check
    finally:
        while held:
            held -= 1
            PyBuffer_Release(&views[held])

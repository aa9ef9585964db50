# cython: language_level=3, boundscheck=False, wraparound=False, freethreading_compatible=True
"""Records in a pool of blocks, compiled (layout: records.h, loops: dispatch.h). Twin: plain.py."""

from libc.stdint cimport UINT64_MAX, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from corpustools.kernels.records.layout import NO_BLOCK, SLACK
from corpustools.kernels.records.status import Torn, Truncated

include "../buffers.pxi"

cdef extern from "dispatch.h" nogil:
    const Py_ssize_t SLACK_BYTES "SLACK"
    const uint64_t NOTHING "NO_BLOCK"
    ctypedef enum status_t:
        STATUS_DONE "DONE"
        STATUS_NEEDS_BLOCKS "NEEDS_BLOCKS"
        STATUS_OUT_OF_SPAN "OUT_OF_SPAN"
        STATUS_LISTS_FULL "LISTS_FULL"
        STATUS_NOT_MAPPED "NOT_MAPPED"
        STATUS_TORN "TORN"
        STATUS_TRUNCATED "TRUNCATED"
    ctypedef struct bucket_t:
        uint64_t head, open
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
    ctypedef struct chain_t:
        const uint8_t *pool
        const uint32_t *links
        uint64_t block_bytes, blocks
    ctypedef struct lists_t:
        uint64_t *words
        uint64_t *numbers
        uint64_t *places
        uint64_t *lengths
        uint64_t count, most
    ctypedef struct output_t:
        uint8_t *bytes
        uint64_t used, capacity, checksum, next
        uint64_t reference[2]
    int guard_install()
    status_t count_in "count_delimiters"(const uint8_t *start, const uint8_t *stop, uint8_t delimiter, uint64_t *result)
    status_t last_end_in "last_end"(const uint8_t *start, const uint8_t *stop, uint8_t delimiter, uint64_t *result)
    uint64_t checksum_of "checksum"(const uint8_t *data, uint64_t size, uint32_t group)
    status_t scatter(scatter_t *to, const uint8_t *data, uint64_t *at, uint64_t stop, uint64_t *number,
                     uint8_t delimiter, uint64_t record_bytes, int mapped)
    status_t refer(scatter_t *to, uint64_t number, uint64_t place, uint64_t length)
    status_t redistribute(scatter_t *to, uint64_t blocks, walk_t *walk, uint64_t *count)
    status_t list_stream "index_stream"(const chain_t *source, walk_t walk, uint64_t count, uint32_t least,
                                        uint32_t greatest, lists_t *lists)
    status_t list_mapped "index_mapped"(const chain_t *source, walk_t walk, uint64_t count, uint32_t least,
                                        uint32_t greatest, lists_t *lists)
    status_t copy_records "gather"(const chain_t *source, const lists_t *lists, uint64_t first, uint64_t stop,
                                   output_t *output)
    status_t copy_mapped "gather_mapped"(const lists_t *lists, uint64_t first, uint64_t stop, output_t *output)

# Whether records may stay in a mapped input (Scatter.run).
MAPS = True

STATUSES = {
    "DONE": STATUS_DONE, "NEEDS_BLOCKS": STATUS_NEEDS_BLOCKS, "OUT_OF_SPAN": STATUS_OUT_OF_SPAN,
    "LISTS_FULL": STATUS_LISTS_FULL, "NOT_MAPPED": STATUS_NOT_MAPPED, "TORN": STATUS_TORN,
    "TRUNCATED": STATUS_TRUNCATED,
}


def guard():
    """Turn the signal that a shrinking mapped input raises into Truncated, from now on."""
    if guard_install():
        raise OSError("no handler for SIGBUS can be installed")


cdef int _settle(int status) except -1:
    """Raise what is nobody's plan; return any other status."""
    if status == STATUS_TORN:
        raise Torn("a stream is torn, or the lists point outside the pool")
    if status == STATUS_TRUNCATED:
        raise Truncated
    return status


cdef uint8_t *_span(views *held, object data, uint64_t start, uint64_t stop, bint writable=False) except NULL:
    """Hold a buffer that has the bytes start … stop and the slack behind them; return its first byte."""
    cdef uint8_t *first = <uint8_t *>take(held, data, 0, writable)
    cdef Py_ssize_t size = held.buffers[held.count - 1].len
    if start > stop or size < SLACK_BYTES or stop > <uint64_t>size - SLACK_BYTES:
        raise ValueError(f"bytes {start} to {stop} and {SLACK_BYTES} behind them are not all in {size} bytes")
    return first


def count_delimiters(data, uint64_t start, uint64_t stop, uint8_t delimiter):
    """Return how many bytes of data[start:stop] are the delimiter."""
    cdef views held
    cdef uint8_t *first
    cdef uint64_t result = 0
    cdef int status
    held.count = 0
    try:
        first = _span(&held, data, start, stop)
        with nogil:
            status = count_in(first + start, first + stop, delimiter, &result)
        _settle(status)
        return result
    finally:
        release(&held)


def last_end(data, uint64_t start, uint64_t stop, uint8_t delimiter):
    """Return one past the last delimiter in data[start:stop], or `start` where there is none."""
    cdef views held
    cdef uint8_t *first
    cdef uint64_t result = 0
    cdef int status
    held.count = 0
    try:
        first = _span(&held, data, start, stop)
        with nogil:
            status = last_end_in(first + start, first + stop, delimiter, &result)
        _settle(status)
        return start + result
    finally:
        release(&held)


def checksum(data, uint64_t start, uint64_t stop, uint64_t offset):
    """Return what data[start:stop] adds to the checksum, standing `offset` bytes (a multiple of 32) into its record."""
    cdef views held
    cdef uint8_t *first
    cdef uint64_t result
    held.count = 0
    try:
        first = _span(&held, data, start, stop)
        if offset % 32:
            raise ValueError(f"the offset {offset} is no multiple of 32")
        with nogil:
            result = checksum_of(first + start, stop - start, <uint32_t>(offset // 32))
        return result
    finally:
        release(&held)


cdef uint64_t _checked_block_bytes(uint64_t block_bytes) except 0:
    if block_bytes < 256 or block_bytes & (block_bytes - 1):
        raise ValueError(f"{block_bytes} bytes a block: need a power of two from 256")
    return block_bytes


cdef class Scatter:
    """Distributes records to the buckets of one worker; the fields and their meaning are scatter_t of records.h.

    Args:
        pool: blocks of block_bytes (a power of two) each, and SLACK bytes.
        links: one u32 a block.
        table: the rows of the buckets (layout.BucketTable), made empty by this constructor.
        free: u32 stack of free blocks, as large as links.
        full: u32 pairs (bucket, block).
        block_bytes: the size of a block.
        k0, k1, mask: what gives the records their sort keys.
        check_skipped: whether records outside the span are read for their checksum.
    """

    cdef scatter_t inner
    cdef views held
    cdef readonly uint64_t blocks
    cdef readonly uint64_t bucket_count

    def __cinit__(self, pool, links, table, free, full, uint64_t block_bytes, uint64_t k0, uint64_t k1, uint64_t mask,
                  *, bint check_skipped=False):
        cdef uint64_t bucket
        self.held.count = 0
        memset(&self.inner, 0, sizeof(scatter_t))
        self.inner.block_bytes = _checked_block_bytes(block_bytes)
        self.inner.pool = <uint8_t *>take(&self.held, pool, 0, True)
        self.blocks = max(self.held.buffers[0].len - SLACK_BYTES, 0) // block_bytes
        self.inner.links = <uint32_t *>take(&self.held, links, 4 * self.blocks, True)
        self.inner.buckets = <bucket_t *>take(&self.held, table, sizeof(bucket_t), True)
        self.bucket_count = self.held.buffers[2].len // sizeof(bucket_t)
        self.inner.free = <uint32_t *>take(&self.held, free, 4 * self.blocks, True)
        self.inner.full = <uint32_t *>take(&self.held, full, 0, True)
        self.inner.full_capacity = self.held.buffers[4].len // 8
        self.inner.k0, self.inner.k1, self.inner.mask = k0, k1, mask
        self.inner.check_skipped = check_skipped
        self.inner.resident = self.bucket_count
        memset(self.inner.buckets, 0, self.bucket_count * sizeof(bucket_t))
        for bucket in range(self.bucket_count):
            self.inner.buckets[bucket].head = self.inner.buckets[bucket].open = NOTHING

    def __dealloc__(self):
        release(&self.held)

    def cover(self, uint64_t low, uint64_t span, uint64_t shift):
        """Take keys from low to low + span, 2^shift of them a bucket."""
        if shift > 63 or span >> shift >= self.bucket_count:
            raise ValueError(f"a span of {span} in buckets of 2^{shift} needs more than {self.bucket_count}")
        self.inner.low, self.inner.span, self.inner.shift = low, span, shift

    def spill_from(self, uint64_t bucket):
        """Put this bucket and those above it on the full list, block by block, as their blocks fill."""
        if bucket > self.inner.resident:
            raise ValueError("a bucket that is spilled stays spilled")
        self.inner.resident = bucket

    def give(self, blocks):
        """Push blocks (u32) on the free stack."""
        cdef views held
        cdef uint64_t i, n
        cdef uint32_t *numbers
        cdef int sound = 1
        held.count = 0
        try:
            numbers = <uint32_t *>take(&held, blocks, 0, False)
            n = held.buffers[0].len // 4
            for i in range(n):
                sound &= numbers[i] < self.blocks
            if not sound or n > self.blocks - self.inner.free_count:
                raise ValueError("blocks that are not of this pool, or more than it has")
            memcpy(self.inner.free + self.inner.free_count, numbers, 4 * n)
            self.inner.free_count += n
        finally:
            release(&held)

    def take_free(self):
        """Empty the free stack; return its blocks (u32), the last given at the end."""
        blocks = (<uint8_t *>self.inner.free)[:4 * self.inner.free_count]
        self.inner.free_count = 0
        return blocks

    def take_full(self):
        """Empty the full list; return its pairs (bucket, block), two u32 each, oldest first."""
        pairs = (<uint8_t *>self.inner.full)[:8 * self.inner.full_count]
        self.inner.full_count = 0
        return pairs

    def run(self, data, uint64_t start, uint64_t stop, uint64_t number, uint8_t delimiter, uint64_t record_bytes,
            bint mapped=False):
        """Distribute the whole records in data[start:stop]; return (where it stopped, next record number).

        It stops early, between records, when free blocks or room in the full list are wanting. With `mapped` the
        records stay where they are, and data has to stay as long as the buckets are used.
        """
        cdef views held
        cdef uint8_t *first
        cdef int status
        held.count = 0
        try:
            first = _span(&held, data, start, stop)
            with nogil:
                status = scatter(&self.inner, first, &start, stop, &number, delimiter, record_bytes, mapped)
            _settle(status)
            return start, number
        finally:
            release(&held)

    def refer(self, uint64_t number, uint64_t place, uint64_t length):
        """Enter a record that is kept elsewhere: DONE, NEEDS_BLOCKS, or OUT_OF_SPAN."""
        return <int>refer(&self.inner, number, place, length)

    def redistribute(self, walk, uint64_t count):
        """Move whole records of a stream in the same pool here; return (status, walk, records left).

        A walk is (block, offset, bytes in memory from there, number of the last record). DONE: all are moved, or more
        bytes are needed; NEEDS_BLOCKS: go on when there are some.
        """
        cdef walk_t w
        cdef int status
        w.block, w.offset, w.available, w.number = walk
        # More bytes than the pool has could only be walked in circles.
        if w.block >= self.blocks or w.offset > self.inner.block_bytes \
                or w.available > self.blocks * self.inner.block_bytes:
            raise ValueError("the walk starts outside the pool")
        with nogil:
            status = redistribute(&self.inner, self.blocks, &w, &count)
        return _settle(status), (w.block, w.offset, w.available, w.number), count

    @property
    def free_count(self):
        """Free blocks."""
        return self.inner.free_count

    @property
    def full_count(self):
        """Pairs in the full list."""
        return self.inner.full_count

    @property
    def resident(self):
        """The first bucket that is spilled."""
        return self.inner.resident

    @property
    def checksum(self):
        """The checksum of the records kept, references aside."""
        return self.inner.checksum

    @property
    def skipped(self):
        """The checksum of the records outside the span, if check_skipped was asked for."""
        return self.inner.skipped


cdef int _hold_chain(chain_t *chain, views *held, object pool, object links, uint64_t block_bytes) except -1:
    cdef uint64_t linked
    chain.block_bytes = _checked_block_bytes(block_bytes)
    chain.pool = <const uint8_t *>take(held, pool, SLACK_BYTES, False)
    chain.blocks = (held.buffers[held.count - 1].len - SLACK_BYTES) // block_bytes
    chain.links = <const uint32_t *>take(held, links, 0, False)
    linked = held.buffers[held.count - 1].len // 4
    chain.blocks = min(chain.blocks, linked)
    return 0


cdef uint64_t *_hold_list(lists_t *lists, views *held, object source, bint writable) except NULL:
    """Hold one of the lists; all together have room for as many entries as the shortest."""
    cdef uint64_t *first = <uint64_t *>take(held, source, 0, writable)
    lists.most = min(lists.most, <uint64_t>held.buffers[held.count - 1].len // 8)
    return first


cdef walk_t _walk_in(chain_t *chain, object walk) except *:
    cdef walk_t w
    w.block, w.offset, w.available, w.number = walk
    if w.block >= chain.blocks or w.offset > chain.block_bytes or w.available > chain.blocks * chain.block_bytes:
        raise ValueError("the walk starts outside the pool")
    return w


def index_stream(pool, links, uint64_t block_bytes, walk, uint64_t count, uint32_t least, uint32_t greatest,
                 words, numbers, places, uint64_t listed):
    """List the records of a stream whose key bits are in least … greatest behind the first `listed` entries.

    An entry is a word to sort by, a number, and the pool offset of the length, in three u64 buffers. Returns (status,
    entries): DONE, or LISTS_FULL with `listed` entries as before.

    Raises:
        Torn: the stream ends inside a record.
    """
    return _index(pool, links, block_bytes, walk, count, least, greatest, words, numbers, places, None, listed)


def index_mapped(pool, links, uint64_t block_bytes, walk, uint64_t count, uint32_t least, uint32_t greatest,
                 words, numbers, addresses, lengths, uint64_t listed):
    """List the mapped records of a stream as index_stream does, with address and length in two u64 buffers.

    The status may also be NOT_MAPPED: a record of another kind is among them.
    """
    return _index(pool, links, block_bytes, walk, count, least, greatest, words, numbers, addresses, lengths, listed)


cdef _index(pool, links, uint64_t block_bytes, walk, uint64_t count, uint32_t least, uint32_t greatest,
            words, numbers, places, lengths, uint64_t listed):
    cdef views held
    cdef chain_t chain
    cdef lists_t lists
    cdef walk_t w
    cdef int status
    held.count = 0
    lists.most, lists.count, lists.lengths = UINT64_MAX, listed, NULL
    try:
        _hold_chain(&chain, &held, pool, links, block_bytes)
        lists.words = _hold_list(&lists, &held, words, True)
        lists.numbers = _hold_list(&lists, &held, numbers, True)
        lists.places = _hold_list(&lists, &held, places, True)
        if lengths is not None:
            lists.lengths = _hold_list(&lists, &held, lengths, True)
        w = _walk_in(&chain, walk)
        if listed > lists.most:
            raise ValueError(f"{listed} entries in lists of {lists.most}")
        with nogil:
            if lists.lengths != NULL:
                status = list_mapped(&chain, w, count, least, greatest, &lists)
            else:
                status = list_stream(&chain, w, count, least, greatest, &lists)
        return _settle(status), lists.count
    finally:
        release(&held)


cdef int _check_words(views *held, uint64_t first, uint64_t stop) except -1:
    """Check a stretch of the words, which were held last."""
    if first > stop or stop > <uint64_t>held.buffers[held.count - 1].len // 8:
        raise ValueError(f"words {first} to {stop} are not all in the list")
    return 0


def gather(pool, links, uint64_t block_bytes, words, places, uint64_t first, uint64_t stop, out, uint64_t capacity,
           uint64_t used):
    """Copy the records of words[first:stop] to `out` behind its first `used` bytes until `capacity` is reached.

    Returns (index of the first word not done, bytes used, checksum, place, length); a length other than 0 says that
    the last record done is kept elsewhere, at that place, and was not copied.

    Raises:
        Torn: the lists point outside the pool, or a stream ends inside a record.
        Truncated: a mapped input became shorter.
    """
    cdef views held
    cdef chain_t chain
    cdef lists_t lists
    cdef output_t output
    cdef int status
    held.count = 0
    memset(&output, 0, sizeof(output_t))
    output.used, output.capacity, lists.most = used, capacity, UINT64_MAX
    try:
        _hold_chain(&chain, &held, pool, links, block_bytes)
        output.bytes = _span(&held, out, used, capacity, True)
        lists.places = _hold_list(&lists, &held, places, False)
        lists.words = <uint64_t *>take(&held, words, 0, False)
        _check_words(&held, first, stop)
        with nogil:
            status = copy_records(&chain, &lists, first, stop, &output)
        _settle(status)
        return output.next, output.used, output.checksum, output.reference[0], output.reference[1]
    finally:
        release(&held)


def gather_mapped(words, addresses, lengths, uint64_t first, uint64_t stop, out, uint64_t capacity, uint64_t used):
    """Copy mapped records as gather does; return (index of the first word not done, bytes used, checksum)."""
    cdef views held
    cdef lists_t lists
    cdef output_t output
    cdef int status
    held.count = 0
    memset(&output, 0, sizeof(output_t))
    output.used, output.capacity, lists.most = used, capacity, UINT64_MAX
    try:
        output.bytes = _span(&held, out, used, capacity, True)
        lists.places = _hold_list(&lists, &held, addresses, False)
        lists.lengths = _hold_list(&lists, &held, lengths, False)
        lists.words = <uint64_t *>take(&held, words, 0, False)
        _check_words(&held, first, stop)
        with nogil:
            status = copy_mapped(&lists, first, stop, &output)
        _settle(status)
        return output.next, output.used, output.checksum
    finally:
        release(&held)

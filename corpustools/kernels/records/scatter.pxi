# Records to buckets; a part of compiled.pyx.


cdef class Scatter:
    """Distributes records to the buckets of one worker; the fields and their meaning are scatter_t of records.h.

    Args:
        pool: blocks of block_bytes (a power of two) each, and SLACK bytes.
        links: one u32 a block.
        table: the rows of the buckets (layout.BucketTable), made empty by this constructor.
        free: u32 stack of free blocks, as large as links.
        block_bytes: the size of a block.
        k0, k1, mask: what gives the records their sort keys.
        check_skipped: whether records outside the span are read for their checksum.
    """

    cdef scatter_t inner
    cdef views held
    cdef readonly uint64_t blocks
    cdef readonly uint64_t bucket_count

    def __cinit__(self, pool, links, table, free, uint64_t block_bytes, uint64_t k0, uint64_t k1, uint64_t mask,
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
        self.inner.k0, self.inner.k1, self.inner.mask = k0, k1, mask
        self.inner.check_skipped = check_skipped
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

    def run(self, data, uint64_t start, uint64_t stop, uint64_t number, uint8_t delimiter, uint64_t record_bytes,
            bint mapped=False):
        """Distribute the whole records in data[start:stop]; return (where it stopped, next record number).

        It stops early, between records, when free blocks are wanting. With `mapped` the
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

    def sift(self, data, uint64_t start, uint64_t stop, uint64_t number, uint64_t count, uint8_t delimiter,
             uint64_t record_bytes, bint mapped=False):
        """Do the same as `run` with the `count` whole records in data[start:stop], faster where few keys are wanted.

        The checksum of the others is not taken.
        """
        cdef views held
        cdef uint8_t *first
        cdef int status
        held.count = 0
        try:
            first = _span(&held, data, start, stop)
            if count > stop - start:
                raise ValueError(f"{count} records in {stop - start} bytes")
            with nogil:
                status = sift(&self.inner, first, &start, stop, &number, count, delimiter, record_bytes, mapped)
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
    def checksum(self):
        """The checksum of the records kept, references aside."""
        return self.inner.checksum

    @property
    def skipped(self):
        """The checksum of the records outside the span, if check_skipped was asked for."""
        return self.inner.skipped

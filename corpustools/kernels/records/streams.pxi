# Streams of buckets to the output: listing their records, and copying them in order; a part of compiled.pyx.


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


cdef int _hold_lists(lists_t *lists, views *held, object numbers, object spots, bint writable) except -1:
    if numbers is not None:
        lists.numbers = _hold_list(lists, held, numbers, writable)
    lists.spots = <spot_t *>take(held, spots, 0, writable)
    lists.most = min(lists.most, <uint64_t>taken(held) // sizeof(spot_t))
    return 0


def index_stream(pool, links, uint64_t block_bytes, walk, uint64_t count, uint32_t least, uint32_t greatest,
                 words, numbers, spots, uint64_t listed):
    """List the records of a stream whose key bits are in least … greatest behind the first `listed` entries.

    An entry is a word to sort by and a number, in two u64 buffers, and where the record is, two u64 in a third one.
    Returns (status, entries): DONE, or LISTS_FULL with `listed` entries as before.

    Raises:
        Torn: the stream ends inside a record.
    """
    cdef views held
    cdef chain_t chain
    cdef lists_t lists
    cdef walk_t w
    cdef int status
    held.count = 0
    lists.most, lists.count = UINT64_MAX, listed
    try:
        _hold_chain(&chain, &held, pool, links, block_bytes)
        lists.words = _hold_list(&lists, &held, words, True)
        _hold_lists(&lists, &held, numbers, spots, True)
        w = _walk_in(&chain, walk)
        if listed > lists.most:
            raise ValueError(f"{listed} entries in lists of {lists.most}")
        with nogil:
            status = list_stream(&chain, w, count, least, greatest, &lists)
        return _settle(status), lists.count
    finally:
        release(&held)


def gather(pool, links, uint64_t block_bytes, words, spots, uint64_t first, uint64_t stop, out, uint64_t capacity,
           uint64_t used):
    """Copy the records of words[first:stop] to `out` behind its first `used` bytes until `capacity` is reached.

    Returns (index of the first word not done, bytes used, checksum, place, length); a length other than 0 says that
    the last record done is kept elsewhere, at that place, and was not copied. Mapped inputs that records are in have
    to be there still.

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
        _hold_lists(&lists, &held, None, spots, False)
        lists.words = <uint64_t *>take(&held, words, 0, False)
        if first > stop or stop > <uint64_t>taken(&held) // 8:
            raise ValueError(f"words {first} to {stop} are not all in the list")
        with nogil:
            status = copy_records(&chain, &lists, first, stop, &output)
        _settle(status)
        return output.next, output.used, output.checksum, output.reference[0], output.reference[1]
    finally:
        release(&held)

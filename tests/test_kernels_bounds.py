"""The kernels against lying callers and torn data: a ValueError or Torn, never a crash, never a hang."""

from __future__ import annotations

from array import array
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_kernels_records import BACKENDS, BITS, BLOCK, KEY, U64, World

from corpustools.kernels.records.layout import NO_BLOCK, ROW_BYTES, SLACK
from corpustools.kernels.records.plain_streams import BY_WALK, IN_BLOCK
from corpustools.kernels.records.status import Status, Torn

LISTS = 40


def filled(backend):
    """A world of 40 blocks with 30 records of 100 bytes in one bucket; returns it and its distributor."""
    world = World(backend, 40)
    one = world.scatter(1)
    one.cover(0, U64 >> 1, 63)
    one.give(array("I", range(40)))
    text = (b"x" * 99 + b"\n") * 30
    assert one.run(text + bytes(SLACK), 0, len(text), 0, 10, 0)[0] == len(text)
    return world, one


def lists():
    return [array("Q", bytes(8 * size)) for size in (LISTS, LISTS, 2 * LISTS)]


LIES = {
    "more bytes than there are": lambda m, w, s: m.count_delimiters(bytes(SLACK + 8), 0, 9, 10),
    "no slack": lambda m, w, s: m.count_delimiters(bytes(SLACK - 1), 0, 0, 10),
    "start behind stop": lambda m, w, s: m.count_delimiters(bytes(200), 5, 4, 10),
    "fields behind the end": lambda m, w, s: m.torn_field(bytes(SLACK + 8), 0, 9, 10, 44),
    "a huge stop": lambda m, w, s: m.checksum(bytes(200), 0, U64, 0),
    "an odd offset": lambda m, w, s: m.checksum(bytes(200), 0, 8, 33),
    "run beyond the data": lambda m, w, s: s.run(bytes(200), 0, 137, 0, 10, 0),
    "run from behind": lambda m, w, s: s.run(bytes(200), 137, 136, 0, 10, 0),
    "sift beyond the data": lambda m, w, s: s.sift(bytes(200), 0, 137, 0, 1, 10, 0),
    "sift from behind": lambda m, w, s: s.sift(bytes(200), 137, 136, 0, 0, 10, 0),
    "more records than bytes": lambda m, w, s: s.sift(bytes(200), 0, 100, 0, U64, 10, 0),
    "too many buckets for a span": lambda m, w, s: s.cover(0, U64, 1),
    "a shift of 64": lambda m, w, s: s.cover(0, 0, 64),
    "a foreign block": lambda m, w, s: s.give(array("I", [40])),
    "more blocks than there are": lambda m, w, s: s.give(array("I", range(40))),
    "a block size that is no power of two": lambda m, w, s: m.Scatter(w.pool, w.links, *tables(), 300, *KEY, U64),
    "a block size of 0": lambda m, w, s: m.Scatter(w.pool, w.links, *tables(), 0, *KEY, U64),
    "short links": lambda m, w, s: m.Scatter(w.pool, w.links[:39], *tables(), BLOCK, *KEY, U64),
    "no table": lambda m, w, s: m.Scatter(w.pool, w.links, bytearray(ROW_BYTES - 1), *tables()[1:], BLOCK, *KEY, U64),
    "a walk outside the pool": lambda m, w, s: s.redistribute((40, 0, 10, 0), 1),
    "a walk outside its block": lambda m, w, s: s.redistribute((0, BLOCK + 1, 10, 0), 1),
    "a walk of more bytes than the pool": lambda m, w, s: s.redistribute((0, 0, U64, 0), 1),
    "an index outside the pool": lambda m, w, s: index(m, w, (40, 0, 10, 0), 1),
    "an index of more bytes than the pool": lambda m, w, s: index(m, w, (0, 0, U64, 0), 1),
    "an index behind the lists": lambda m, w, s: index(m, w, (0, 0, 10, 0), 1, listed=LISTS + 1),
    "an index of no pool": lambda m, w, s: m.index_stream(b"", w.links, BLOCK, (0, 0, 0, 0), 1, 0, 1, *lists(), 0),
    "more records than the stream has": lambda m, w, s: index(m, w, w.walk(s), 31 + LISTS),
    "a walk from outside the pool": lambda m, w, s: gather(m, w, [0], [40 * BLOCK, BY_WALK]),
    "a walk from far outside": lambda m, w, s: gather(m, w, [0], [U64, BY_WALK]),
    "a record outside the pool": lambda m, w, s: gather(m, w, [0], [40 * BLOCK, 4 | IN_BLOCK], capacity=9, out=99),
    "a record far outside": lambda m, w, s: gather(m, w, [0], [U64, 4 | IN_BLOCK], capacity=9, out=99),
    "a record over the pool's end": lambda m, w, s: gather(m, w, [0], [40 * BLOCK - 2, 12], capacity=9, out=99),
    "a walk to another length": lambda m, w, s: gather(m, w, [0], [5, 4 * 99 | BY_WALK], capacity=200, out=300),
    "a word outside the lists": lambda m, w, s: gather(m, w, [1], [0, 0]),
    "half a spot": lambda m, w, s: gather(m, w, [0], [0]),
    "words that are not there": lambda m, w, s: gather(m, w, [0], [0, 0], stop=2),
    "words backwards": lambda m, w, s: gather(m, w, [0], [0, 0], first=1, stop=0),
    "an output without slack": lambda m, w, s: gather(m, w, [0], [0, 0], capacity=SLACK),
    "an output used beyond its capacity": lambda m, w, s: gather(m, w, [0], [0, 0], capacity=10, used=11, out=100),
}


def tables():
    return bytearray(ROW_BYTES), bytearray(160)


def index(module, world, walk, count, listed=0):
    return module.index_stream(world.pool, world.links, BLOCK, walk, count, 0, BITS, *lists(), listed)


def gather(module, world, words, spots, first=0, stop=1, capacity=0, used=0, out=SLACK):
    return module.gather(
        world.pool,
        world.links,
        BLOCK,
        array("Q", words),
        array("Q", spots),
        first,
        stop,
        bytearray(out),
        capacity,
        used,
    )


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_refused(backend, lie):
    """Arguments that do not fit each other are an error before the first byte is touched."""
    world, one = filled(backend[0])
    with pytest.raises((ValueError, TypeError, OverflowError, Torn)):
        LIES[lie](backend[0], world, one)


@pytest.mark.parametrize("backend", BACKENDS)
def test_lists_that_are_full_say_so(backend):
    """The caller splits the range then; entries never run over the end."""
    world, one = filled(backend[0])
    count = world.table(one).count(0)
    three = [array("Q", bytes(8 * size)) for size in (count - 1, count, 2 * count)]
    walk = world.walk(one)
    ended = backend[0].index_stream(world.pool, world.links, BLOCK, walk, count, 0, BITS, *three, 0)
    assert ended == (Status.LISTS_FULL, 0)


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_entry_outside_the_numbers_is_refused(backend):
    """Sorting looks numbers up by place."""
    with pytest.raises(ValueError, match="outside"):
        backend[1].sort(array("Q", [5]), array("Q", [0]), array("Q", [0]), 1, *KEY, U64)
    with pytest.raises(ValueError, match="bytes"):
        backend[1].sort(array("Q", [0]), array("Q", []), array("Q", [0]), 1, *KEY, U64)


@pytest.mark.parametrize("backend", BACKENDS)
@given(cut=st.integers(0, 39))
def test_a_torn_chain_is_noticed(backend, cut):
    """A link that ends too early is a torn stream."""
    world, one = filled(backend[0])
    chain = [world.table(one).head(0)]
    while world.links[chain[-1]] != NO_BLOCK:
        chain.append(world.links[chain[-1]])
    if len(chain) < 2:
        return
    world.links[chain[cut % (len(chain) - 1)]] = NO_BLOCK
    with pytest.raises(Torn):
        index(backend[0], world, world.walk(one), world.table(one).count(0))


@pytest.mark.parametrize("backend", BACKENDS)
@given(
    pool=st.tuples(st.integers(0, 1 << 32), st.sampled_from([1, 2, 4, 16, 256])),
    links=st.lists(st.sampled_from([0, 1, 2, 3, 8, NO_BLOCK]), min_size=8, max_size=8),
    walk=st.tuples(st.integers(0, 3), st.integers(0, BLOCK), st.integers(0, 8 * BLOCK), st.integers(0, U64)),
    count=st.integers(0, 100),
    free=st.integers(0, 4),
)
@settings(max_examples=200)
def test_rubbish_in_the_pool_ends(backend, pool, links, walk, count, free):
    """Random bytes and random links, cycles included: an answer or an error, in bounded time."""
    world = World(backend[0], 8)
    seed, letters = pool
    world.pool[: 8 * BLOCK] = bytes(byte % letters for byte in Random(seed).randbytes(8 * BLOCK))
    world.links[:8] = array("I", links)
    try:
        status, listed = index(backend[0], world, walk, count)
        assert status in (Status.DONE, Status.LISTS_FULL)
        assert listed <= LISTS
    except (ValueError, Torn):
        pass
    one = world.scatter(2)
    one.cover(0, U64, 63)
    # Blocks of the walk are never free ones.
    one.give(array("I", range(4, 4 + free)))
    try:
        status, after, left = one.redistribute(walk, count)
    except (ValueError, Torn):
        return
    assert status in (Status.DONE, Status.NEEDS_BLOCKS)
    assert left <= count
    assert after[0] < 8

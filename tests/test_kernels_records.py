"""The loops over records: kernel and twin equal in every step, right against brute force, and deaf to lies."""

from __future__ import annotations

import re
from array import array
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from corpustools.kernels.order import plain as order_plain
from corpustools.kernels.records import plain as records_plain
from corpustools.kernels.records.layout import CURSOR, NO_BLOCK, ROW_BYTES, SLACK, BucketTable
from corpustools.kernels.records.status import Status

try:
    from corpustools.kernels.order import compiled as order_compiled
    from corpustools.kernels.records import compiled as records_compiled
except ImportError:
    order_compiled = records_compiled = None

needs_both = pytest.mark.skipif(records_compiled is None, reason="there is no compiled kernel to compare with")
BACKENDS = [pytest.param((records_plain, order_plain), id="plain")] + (
    [pytest.param((records_compiled, order_compiled), id="compiled")] if records_compiled else []
)
U64, BITS = (1 << 64) - 1, (1 << 32) - 1
BLOCK = 256
KEY = (0x0123456789ABCDEF, 0xFEDCBA9876543210)
KEYS = st.integers(0, U64)
MASKS = st.sampled_from([U64, 0xFF << 56, (1 << 40) - 1, 1 << 63, 0])
# Pieces below, at and above a block of 256 bytes and a group of 32.
PIECES = st.one_of(
    st.binary(max_size=40), st.sampled_from([0, 1, 30, 31, 32, 33, 223, 255, 256, 257, 700, 1500]).map(bytes)
)
TEXTS = st.lists(PIECES, max_size=60).map(
    lambda pieces: b"".join(piece.replace(b"\n", b"\0") + b"\n" for piece in pieces)
)


class World:
    """A pool with its links, and distributors that share it."""

    def __init__(self, backend: Any, blocks: int) -> None:
        self.backend, self.blocks = backend, blocks
        self.pool = bytearray(blocks * BLOCK + SLACK)
        self.links = array("I", [0]) * max(blocks, 1)

    def scatter(self, buckets: int, mask: int = U64, check_skipped: bool = False) -> Any:
        tables = bytearray(ROW_BYTES * buckets), bytearray(4 * max(self.blocks, 1))
        one = self.backend.Scatter(self.pool, self.links, *tables, BLOCK, *KEY, mask, check_skipped=check_skipped)
        one_tables[id(one)] = tables
        return one

    def table(self, one: Any) -> BucketTable:
        return BucketTable(one_tables[id(one)][0])

    def walk(self, one: Any, bucket: int = 0, hidden: int = 0) -> tuple[int, int, int, int]:
        """The beginning of a bucket's stream, of which the last bytes are not in memory yet."""
        table = self.table(one)
        return table.head(bucket), 0, max(0, table.stream_bytes(bucket) - hidden), 0

    def stream(self, table: BucketTable, bucket: int) -> bytes:
        """The bytes of a bucket that are in memory."""
        data, block, last = b"", table.head(bucket), table.open(bucket)
        while block != NO_BLOCK:
            end = table.row(bucket)[CURSOR] if block == last else (block + 1) * BLOCK
            data += self.pool[block * BLOCK : end]
            block = NO_BLOCK if block == last else self.links[block]
        return data

    def take_full_blocks(self, one: Any, bucket: int) -> None:
        """Give all blocks of a bucket but the open one back."""
        table = self.table(one)
        block, last = table.head(bucket), table.open(bucket)
        if last == NO_BLOCK:
            return
        while block != last:
            one.give(array("I", [block]))
            block = self.links[block]
        table.begin_at(bucket, last)

    def state(self, one: Any) -> tuple[Any, ...]:
        """All that the two kernels must agree on (bytes behind a cursor are nobody's)."""
        _, free = one_tables[id(one)]
        table = self.table(one)
        return (
            [table.row(bucket).tolist() for bucket in range(table.buckets)],
            [self.stream(table, bucket) for bucket in range(table.buckets)],
            memoryview(free).cast("I")[: one.free_count].tolist(),
            one.checksum, one.skipped,
        )  # fmt: skip


# A compiled Scatter takes no further attributes; its buffers are found by its identity.
one_tables: dict[int, tuple[bytearray, bytearray]] = {}


def worlds(blocks: int) -> list[World]:
    return [World(backend, blocks) for backend in (records_compiled, records_plain)]


def same(pairs: list[Any]) -> Any:
    """Return what both kernels say, having checked that they say the same."""
    assert pairs[0] == pairs[1]
    return pairs[0]


def drawn(backend: Any, first: int, count: int, key: tuple[int, int], portable: bool = False) -> list[int]:
    """The sort keys of some records."""
    out = array("Q", bytes(8 * count + 8))
    backend.draw_keys(first, count, *key, out, portable)
    # Nothing is written behind them.
    assert out.pop() == 0
    return out.tolist()


@needs_both
@given(KEYS, st.integers(0, 600), KEYS, KEYS)
@example(U64 - 5, 40, 1, 2)
def test_keys_of_a_run_are_the_first_words_of_its_blocks(first, count, k0, k1):
    """For any processor, this one and the twin, at any length, and where the numbers begin again at 0."""
    words = array("Q", bytes(32 * count))
    order_plain.words(first, count, k0, k1, words)
    assert drawn(records_compiled, first, count, (k0, k1)) == words[::4].tolist()
    assert drawn(records_compiled, first, count, (k0, k1), portable=True) == words[::4].tolist()
    assert drawn(records_plain, first, count, (k0, k1)) == words[::4].tolist()


@pytest.mark.parametrize("backend", BACKENDS)
def test_keys_need_room(backend):
    """A buffer that is too short is refused before anything is written."""
    with pytest.raises(ValueError, match=r"buffer (has|of) 15"):
        backend[0].draw_keys(0, 2, *KEY, bytearray(15))
    with pytest.raises(ValueError, match=r"-1|-8"):
        backend[0].draw_keys(0, -1, *KEY, bytearray(15))


@needs_both
@given(st.data(), TEXTS, st.integers(0, 60), st.integers(0, 4), MASKS, st.integers(0, U64 >> 20))
@settings(max_examples=150)
def test_distributing_is_the_same_in_kernel_and_twin(data, text, blocks, bits, mask, number):
    """Byte for byte: streams, tables, free stack, checksums, also when it stops early for want of room."""
    both = worlds(blocks)
    ones = [world.scatter(1 << bits, mask, check_skipped=True) for world in both]
    low, shift = data.draw(KEYS), 64 - bits - data.draw(st.integers(0, 2)) * (bits > 0)
    shift = min(shift, 63)
    span = data.draw(st.integers(0, min(U64, (1 << bits << shift) - 1)))
    size = data.draw(st.sampled_from([0, 0, 1, 3, 100]))
    for one in ones:
        one.cover(low, span, shift)
        one.give(array("I", range(blocks)))
    buffer = bytearray(text + bytes(SLACK))
    at = 0
    for _ in range(8):
        at, number = same([one.run(buffer, at, len(text), number, 10, size) for one in ones])
        same([world.state(one) for world, one in zip(both, ones, strict=True)])
        # Make room as the buckets do: the full blocks of one of them go back to the stack.
        bucket = data.draw(st.integers(0, (1 << bits) - 1))
        for world, one in zip(both, ones, strict=True):
            world.take_full_blocks(one, bucket)
        entered = same([one.refer(number, 1 << 40, 1 << 33) for one in ones])
        number += entered == Status.DONE
        same([world.state(one) for world, one in zip(both, ones, strict=True)])
    # The stack is taken away as a whole.
    same([one.take_free() for one in ones])
    assert [one.free_count for one in ones] == [0, 0]


@needs_both
def test_statuses_have_the_same_names_and_numbers_everywhere():
    """records.h, the twin and the callers speak of the same endings."""
    assert records_compiled.STATUSES == records_plain.STATUSES == {one.name: one.value for one in Status}


@needs_both
@given(TEXTS, st.integers(0, 40), MASKS, st.integers(0, 64))
@settings(max_examples=100)
def test_redistributing_is_the_same_in_kernel_and_twin(text, few, mask, cut):
    """Also where the target has few blocks and where the stream ends inside a record."""
    blocks = 80 + 4 * len(text) // BLOCK
    both = worlds(blocks)
    sources = [world.scatter(1, mask=mask) for world in both]
    targets = [world.scatter(8, mask=mask) for world in both]
    buffer = bytearray(text + bytes(SLACK))
    for source, target in zip(sources, targets, strict=True):
        source.cover(0, U64 >> 1, 63)
        source.give(array("I", range(few, blocks)))
        target.cover(1 << 60, (1 << 62) - 1, 59)
        target.give(array("I", range(few)))
        assert source.run(buffer, 0, len(text), 7, 10, 0)[0] == len(text)
        assert source.refer(100_000, 5, 1 << 32) in (Status.DONE, Status.OUT_OF_SPAN)
    left = same([world.table(source).count(0) for world, source in zip(both, sources, strict=True)])
    if left:
        walk = same([world.walk(source, hidden=cut) for world, source in zip(both, sources, strict=True)])
        for _ in range(4):
            status, walk, left = same([target.redistribute(walk, left) for target in targets])
            same([world.state(target) for world, target in zip(both, targets, strict=True)])
            assert status in (Status.DONE, Status.NEEDS_BLOCKS)
            if status == Status.DONE and left:
                # What was held back comes into memory.
                walk = (walk[0], walk[1], walk[2] + cut, walk[3])


def everything(world: World, orders: Any, text: bytes, mask: int, capacity: int, size: int) -> bytes:
    """Distribute to 4 buckets, then index, sort and gather each; the records in order."""
    one = world.scatter(4, mask=mask)
    one.cover(0, U64, 62)
    one.give(array("I", range(world.blocks)))
    assert one.run(bytearray(text + bytes(SLACK)), 0, len(text), 0, 10, size)[0] == len(text)
    most = 200
    words, ordered, numbers, spots = (array("Q", bytes(8 * size)) for size in (most, most, most, 2 * most))
    result, checksum = b"", 0
    for bucket, wanted in enumerate(world.table(one).counts(4)):
        if not wanted:
            continue
        walk = world.walk(one, bucket)
        lists = (words, numbers, spots)
        count = 0
        for least, greatest in ((0, 1 << 31), ((1 << 31) + 1, BITS)):
            status, count = world.backend.index_stream(
                world.pool, world.links, BLOCK, walk, wanted, least, greatest, *lists, count
            )
            assert status == Status.DONE
        assert count == wanted
        orders.sort(words, ordered, numbers, count, *KEY, mask)
        at, used, out = 0, 0, bytearray(capacity + SLACK)
        while at < count:
            at, used, partial, place, length = world.backend.gather(
                world.pool, world.links, BLOCK, ordered, spots, at, count, out, capacity, used
            )
            assert (place, length) == (0, 0)
            checksum += partial
            result, used = result + out[:used], 0
    assert checksum & U64 == one.checksum
    return result


@pytest.mark.parametrize("backend", BACKENDS)
@given(text=TEXTS, mask=MASKS, room=st.integers(0, 300), size=st.sampled_from([0, 0, 1, 7, 300]))
@settings(max_examples=80)
def test_everything_in_a_row_is_the_order_by_brute_force(backend, text, mask, room, size):
    """Records cut, distributed over straddled blocks, indexed, sorted and gathered through a small output buffer."""
    if size:
        text = text[: len(text) % 4096 // size * size][: 180 * size]
        records = [text[at : at + size] for at in range(0, len(text), size)]
    else:
        records = [record + b"\n" for record in text.split(b"\n")[:-1]]
    drawn = array("Q", bytes(32 * max(len(records), 1)))
    order_plain.words(0, len(records), *KEY, drawn)
    order = sorted(range(len(records)), key=lambda i: (drawn[4 * i] & mask, drawn[4 * i + 1], i))
    world = World(backend[0], 300 + 8 * len(text) // BLOCK)
    capacity = max(map(len, records), default=0) + room
    assert everything(world, backend[1], text, mask, capacity, size) == b"".join(records[i] for i in order)


@needs_both
@given(st.binary(max_size=1000), st.integers(0, 255), st.data())
def test_counting_and_checksums_are_the_same_in_kernel_and_twin(data, delimiter, draw):
    """At every alignment; checksums of aligned pieces add up to that of the whole."""
    buffer = data + bytes([delimiter]) * SLACK
    start = draw.draw(st.integers(0, len(data)))
    stop = draw.draw(st.integers(start, len(data)))
    both = (records_compiled, records_plain)
    assert same([one.count_delimiters(buffer, start, stop, delimiter) for one in both]) == data[start:stop].count(
        delimiter
    )
    offset = 32 * draw.draw(st.integers(0, 1 << 40))
    whole = same([one.checksum(buffer, start, stop, offset) for one in both])
    middle = start + (stop - start) // 64 * 32
    pieces = records_plain.checksum(buffer, start, middle, offset) + records_plain.checksum(
        buffer, middle, stop, offset + middle - start
    )
    assert pieces & U64 == whole


def is_torn(record: bytes, separator: int) -> bool:
    """By a regular expression: every other field is quoted whole, or does not begin with a quote."""
    between = re.escape(bytes([separator]))
    quoted = rb'"(?:[^"]|"(?!%b|\r?\Z)"?+)*+"(?=%b|\r?\Z)' % (between, between)
    field = rb'(?:%b|(?!")[^%b]*+)' % (quoted, between)
    return not re.fullmatch(rb"%b(?:%b%b)*+\r?" % (field, between, field), record, re.DOTALL)


CSV = st.lists(st.sampled_from([b'"', b'"', b",", b"\n", b"\r", b"a", b"bc", b'""', b";"]), max_size=60).map(b"".join)


@needs_both
@given(CSV, st.sampled_from(b",;\n"), st.data())
def test_the_first_record_with_a_torn_field(data, separator, draw):
    """The same in kernel, twin and a regular expression, wherever the stretch begins."""
    buffer = data + b'"' * SLACK
    start = draw.draw(st.integers(0, len(data)))
    stop = draw.draw(st.integers(start, len(data)))
    both = (records_compiled, records_plain)
    found = same([one.torn_field(buffer, start, stop, 10, separator) for one in both])
    at, expected = start, stop
    for record in data[start:stop].split(b"\n"):
        if is_torn(record, separator):
            expected = at
            break
        at += len(record) + 1
    assert found == expected


@needs_both
@pytest.mark.parametrize("unit", [b'"', b'a"', b'"a",', b'""', b'","', b'x,"a"'])
def test_torn_fields_in_a_record_full_of_quotes(unit):
    """It ends: a search that begins anew at every quote would not, in a megabyte of them."""
    for size in (1 << 14, 1 << 20):
        data = unit * (size // len(unit)) + b"\n"
        found = records_compiled.torn_field(data + bytes(SLACK), 0, len(data), 10, 44)
        if size == 1 << 14:
            assert found == records_plain.torn_field(data + bytes(SLACK), 0, len(data), 10, 44)


@pytest.mark.parametrize("backend", BACKENDS)
@given(record=st.binary(min_size=1, max_size=300), at=st.integers(0, 299), flip=st.integers(1, 255))
def test_the_checksum_sees_every_byte(backend, record, at, flip):
    """A single changed byte changes the sum: what the comparison before the rename relies on."""
    damaged = bytearray(record)
    damaged[at % len(record)] ^= flip
    sums = [backend[0].checksum(bytes(one) + bytes(SLACK), 0, len(record), 0) for one in (record, damaged)]
    # A product changes by the change times its partner, which is 0 only by an accident of 2^-32.
    assert sums[0] != sums[1]


@pytest.mark.parametrize("backend", BACKENDS)
@given(bits=st.lists(st.integers(0, 5) | st.integers(0, BITS), max_size=300), mask=MASKS)
def test_sorting_settles_ties_by_the_whole_order(backend, bits, mask):
    """Equal key bits: by key under the mask, then 64 further bits, then number; against Python's sort."""
    count = len(bits)
    drawn = array("Q", bytes(32 * max(count, 1)))
    order_plain.words(1000, count, *KEY, drawn)
    entries = array("Q", [bit << 32 | place for place, bit in enumerate(bits)])
    numbers = array("Q", range(1000, 1000 + count))
    ordered = array("Q", bytes(8 * count))
    backend[1].sort(entries, ordered, numbers, count, *KEY, mask)
    wanted = sorted(range(count), key=lambda i: (bits[i], drawn[4 * i] & mask, drawn[4 * i + 1], i))
    assert ordered.tolist() == [bits[place] << 32 | place for place in wanted]

"""Few records wanted out of many: the loop that looks only for these does what the loop over all of them does."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_kernels_records import BACKENDS, MASKS, TEXTS, U64, World, needs_both, same, worlds

from corpustools.kernels.records.layout import SLACK

SPANS = st.sampled_from([0, 1 << 40, U64 >> 8, U64 >> 4, U64 >> 2, U64 >> 1, U64])
SIZES = st.sampled_from([0, 0, 1, 3, 100])


def ready(world: World, mask: int, low: int, span: int, blocks: int):
    """A distributor with four buckets for the span, and some free blocks."""
    one = world.scatter(4, mask)
    one.cover(low, span, max(0, span.bit_length() - 2))
    one.give(array("I", range(blocks)))
    return one


def records_in(text: bytes, size: int) -> int:
    """How many whole records a text has."""
    return len(text) // size if size else text.count(b"\n")


@needs_both
@given(TEXTS, st.integers(0, 60), MASKS, st.integers(0, U64), st.integers(0, U64), SPANS, SIZES, st.integers(-2, 2))
@settings(max_examples=200)
def test_sifting_is_the_same_in_kernel_and_twin(text, blocks, mask, low, number, span, size, off):
    """Byte for byte, also where it stops for want of blocks, and where the count is not that of the bytes."""
    both = worlds(blocks)
    ones = [ready(world, mask, low, span, blocks) for world in both]
    buffer, at = bytearray(text + bytes(SLACK)), 0
    left = min(max(0, records_in(text, size) + off), len(text))
    for _ in range(4):
        before = number
        at, number = same([one.sift(buffer, at, len(text), number, left, 10, size) for one in ones])
        same([world.state(one) for world, one in zip(both, ones, strict=True)])
        left = min((left - (number - before)) & U64, len(text) - at)
        for world, one in zip(both, ones, strict=True):
            world.take_full_blocks(one, 0)


@pytest.mark.parametrize("backend", BACKENDS)
@given(TEXTS, st.integers(1, 20), MASKS, st.integers(0, U64), st.integers(0, U64 >> 20), SPANS, st.integers(0, 60))
@settings(max_examples=100)
def test_sifting_is_distributing(backend, text, times, mask, low, number, span, blocks):
    """The same records in the same blocks, and the same place and number where blocks are wanting; in many batches."""
    text *= times
    data, ends = bytearray(text + bytes(SLACK)), []
    for way in ("sift", "run"):
        world = World(backend[0], blocks)
        one = ready(world, mask, low, span, blocks)
        if way == "sift":
            ended = one.sift(data, 0, len(text), number, text.count(b"\n"), 10, 0)
        else:
            ended = one.run(data, 0, len(text), number, 10, 0)
            whole = text[: ended[0]]
            # The loop over all records stops at the first for which blocks are wanting: so does the other.
            assert whole.count(b"\n") == ended[1] - number
        ends.append((ended, world.state(one)))
    assert ends[0] == ends[1]


@pytest.mark.parametrize("backend", BACKENDS)
def test_more_records_than_bytes_are_refused(backend):
    """A count that cannot be true would keep the loop busy for hours."""
    world = World(backend[0], 4)
    one = ready(world, U64, 0, 0, 4)
    with pytest.raises(ValueError, match="4 records in 3 bytes"):
        one.sift(bytes(3 + SLACK), 0, 3, 0, 4, 10, 0)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("length", [1, 2, 63, 64, 65, 127, 128, 129, 200])
def test_records_are_found_across_steps_of_the_loop(backend, length):
    """Ends before, at and behind each step of 64 bytes; nothing behind the stop counts."""
    text = (b"a" * length + b"\n") * 9
    data = bytearray(text + b"\n" * SLACK)
    world = World(backend[0], 40)
    one = ready(world, U64, 0, U64, 40)
    assert one.sift(data, 0, len(text), 0, 9, 10, 0) == (len(text), 9)
    kept = b"".join(world.stream(world.table(one), bucket) for bucket in range(4))
    assert kept.count(b"a" * length + b"\n") >= 9
    # The tenth record would lie behind the stop: it is the first that is not there.
    assert one.sift(data, 0, len(text), 9, 10, 10, 0) == (len(text), 18)
    assert sum(world.table(one).counts(4)) == 18


@needs_both
@given(TEXTS, MASKS, st.integers(0, U64), SPANS, st.integers(0, 60))
def test_records_that_stay_in_a_mapped_input_are_sifted_too(text, mask, low, span, blocks):
    """The buckets get the same addresses from both loops."""
    data, ends = bytearray(text + bytes(SLACK)), []
    for way in ("sift", "run"):
        world = World(BACKENDS[-1].values[0][0], blocks)
        one = ready(world, mask, low, span, blocks)
        count = [text.count(b"\n")] if way == "sift" else []
        ends.append((getattr(one, way)(data, 0, len(text), 0, *count, 10, 0, True), world.state(one)))
    assert ends[0] == ends[1]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("text", "size", "count"), [(b"a\nbc", 0, 1), (b"abc", 0, 0), (b"abcdefg", 3, 2)])
def test_bytes_that_are_no_record_are_not_waited_for(backend, text, size, count):
    """A mapped input may lose its last delimiter after it was counted: who asks for more blocks would ask for ever."""
    data = text + bytes(SLACK)
    for way, counted in (("run", []), ("sift", [count]), ("sift", [count + 1])):
        one = ready(World(backend[0], 40), U64, 0, U64, 40)
        assert getattr(one, way)(data, 0, len(text), 0, *counted, 10, size) == (len(text), count)

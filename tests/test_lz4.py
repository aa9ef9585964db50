"""The LZ4 kernel: what it compresses comes back, and what is damaged leads nowhere outside."""

from __future__ import annotations

import random
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpustools.kernels.lz4 import plain

try:
    from corpustools.kernels.lz4 import compiled
except ImportError:
    compiled = None

KERNELS = [pytest.param(plain, id="plain"), *([pytest.param(compiled, id="compiled")] if compiled else [])]
needs_compiled = pytest.mark.skipif(compiled is None, reason="no compiled kernel")
GUARD = b"\xa5" * 64
WORDS = [b"the ", b"number ", b"of ", b"this ", b"line\n", b"0000000000000000", b"is ", b"\xff\xfe", b"ab" * 40]


def text_of(seed: int, size: int) -> bytes:
    """Words as text has them, now and then noise, and a long run of one byte."""
    chance, parts, length = random.Random(seed), [], 0
    while length < size:
        kind = chance.random()
        part = (
            chance.choice(WORDS)
            if kind < 0.9
            else chance.randbytes(chance.randrange(400))
            if kind < 0.99
            else b"-" * 700
        )
        parts.append(part)
        length += len(part)
    return b"".join(parts)[:size]


# Random bytes, bytes of a small alphabet, and text of words, up to beyond the stretch that 16 bits count.
texts = st.one_of(
    st.binary(max_size=300),
    st.lists(st.sampled_from(WORDS), max_size=80).map(b"".join),
    st.builds(lambda unit, times: (unit * times)[:3000], st.binary(min_size=1, max_size=20), st.integers(1, 900)),
    st.builds(text_of, st.integers(0, 1 << 30), st.integers(0, 2000)),
)


def pack(kernel: ModuleType, text: bytes, room: int | None = None) -> bytes:
    """Compress in the middle of guarded buffers; nothing around them may change.

    And in buffers of their exact size: the sanitizer sees what is read behind those.
    """
    room = len(text) + len(text) // 255 + 32 if room is None else room
    source, out = GUARD + text + GUARD, bytearray(GUARD + bytes(room) + GUARD)
    table = bytearray(b"\xee" * (kernel.TABLE_BYTES + 1))[: kernel.TABLE_BYTES]
    size = kernel.compress(source, len(GUARD), len(text), out, len(GUARD), room, table)
    assert size <= room
    assert out[: len(GUARD)] == GUARD
    assert out[len(GUARD) + room :] == GUARD
    exact = bytearray(room)
    assert kernel.compress(bytearray(text), 0, len(text), exact, 0, room, bytearray(kernel.TABLE_BYTES)) == size
    assert exact[:size] == out[len(GUARD) : len(GUARD) + size]
    return bytes(exact[:size])


def unpack(kernel: ModuleType, block: bytes, room: int) -> bytes | None:
    """Decompress in the middle of guarded buffers; None where the kernel says that it is damaged."""
    source, out = GUARD + block + GUARD, bytearray(GUARD + bytes(room) + GUARD)
    size = kernel.decompress(source, len(GUARD), len(block), out, len(GUARD), room)
    assert -1 <= size <= room
    assert out[: len(GUARD)] == GUARD
    assert out[len(GUARD) + room :] == GUARD
    exact = bytearray(room)
    assert kernel.decompress(bytearray(block), 0, len(block), exact, 0, room) == size
    return None if size < 0 else bytes(exact[:size])


@pytest.mark.parametrize("kernel", KERNELS)
@given(text=texts, more=st.integers(0, 80))
def test_what_was_compressed_comes_back(kernel: ModuleType, text: bytes, more: int):
    """Into exactly its room and into more; what repeats becomes smaller."""
    block = pack(kernel, text)
    assert block
    assert unpack(kernel, block, len(text) + more) == text
    if len(text) > 100 and text == text[:4] * (len(text) // 4):
        assert len(block) < len(text) // 2


@needs_compiled
@given(text=texts, data=st.data())
def test_kernel_and_twin_write_the_same_bytes(text: bytes, data: st.DataObject):
    """In enough room, and in any less, where both write nothing."""
    block = pack(compiled, text)
    assert block == pack(plain, text)
    room = data.draw(st.integers(0, len(block) + 40))
    assert pack(compiled, text, room) == pack(plain, text, room)


@needs_compiled
@pytest.mark.parametrize("size", [(1 << 16) + 11, (1 << 16) + 12, (1 << 16) + 13, 200_000])
@pytest.mark.parametrize("seed", range(3))
def test_a_text_longer_than_a_stretch(size: int, seed: int):
    """The table begins anew behind 64 KiB; kernel and twin agree there too."""
    text = text_of(seed, size)
    block = pack(compiled, text)
    assert block == pack(plain, text)
    assert unpack(compiled, block, size) == text
    assert len(block) < size * 3 // 4


@needs_compiled
@given(
    text=texts,
    changes=st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), max_size=4),
    cut=st.integers(0, 1 << 20),
    room=st.integers(-40, 40),
)
def test_damaged_blocks_lead_nowhere_outside(text: bytes, changes: list[tuple[int, int]], cut: int, room: int):
    """Changed, cut, or with less room: the twin's text or its refusal, and no byte around the buffers changes."""
    block = bytearray(pack(compiled, text))
    for place, byte in changes:
        block[place % len(block)] = byte
    damaged = bytes(block[: len(block) - cut % 3 * (cut % len(block)) // 2])
    size = max(0, len(text) + room)
    assert unpack(compiled, damaged, size) == unpack(plain, damaged, size)


@needs_compiled
@given(
    block=st.one_of(
        st.binary(max_size=200), st.lists(st.sampled_from(b"\x00\x01\xf0\x0f\xff\x1f"), max_size=200).map(bytes)
    )
)
def test_random_bytes_are_no_block_or_a_small_one(block: bytes):
    """Whatever the bytes say: the twin's text or its refusal."""
    assert unpack(compiled, block, 300) == unpack(plain, block, 300)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(
    ("block", "text"),
    [
        (b"\x00", b""),
        (b"\x30abc", b"abc"),
        (b"\x13a\x01\x00\x10b", b"aaaaaaaab"),
        (b"\x1fa\x01\x00\xff\x00\x00", b"a" * (1 + 4 + 15 + 255)),
        (b"\xf0\x00" + b"x" * 15, b"x" * 15),
        (b"", None),
        (b"\x40abc", None),  # fewer literals than it says
        (b"\x10a\x00\x00\x00", None),  # a match from no distance
        (b"\x10a\x02\x00\x00", None),  # a match from before the text
        (b"\x10a\x01\x00", None),  # nothing behind the match
        (b"\x10a\x01", None),  # half a distance
        (b"\x1fa\x01\x00\xff", None),  # a length without an end
        (b"\xf0" + b"\xff" * 1000, None),
    ],
)
def test_blocks_by_hand(kernel: ModuleType, block: bytes, text: bytes | None):
    """The format's own rules, and each way to break them."""
    assert unpack(kernel, block, 400) == text
    if text:
        assert unpack(kernel, block, len(text) - 1) is None


@pytest.mark.parametrize("kernel", KERNELS)
def test_parts_outside_a_buffer_are_refused(kernel: ModuleType):
    """Bounds are checked before the loop begins."""
    table, out = bytearray(kernel.TABLE_BYTES), bytearray(100)
    for start, size, at, room in [(-1, 5, 0, 50), (0, 11, 0, 50), (6, 5, 0, 50), (0, 10, 51, 50), (0, 10, 0, 101)]:
        with pytest.raises(ValueError, match="of a buffer of"):
            kernel.compress(b"0123456789", start, size, out, at, room, table)
        with pytest.raises(ValueError, match="of a buffer of"):
            kernel.decompress(b"0123456789", start, size, out, at, room)
    with pytest.raises(ValueError):
        kernel.compress(b"0123456789", 0, 10, out, 0, 50, table[1:])

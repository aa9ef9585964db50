"""Rows of ids on their way into bytes: the kernel and its twin do the same, and believe no caller."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpustools.formats.decimals import TABLE
from corpustools.kernels.rows import plain

try:
    from corpustools.kernels.rows import compiled
except ImportError:
    compiled = None

BACKENDS = [pytest.param(plain, id="plain")]
if compiled:
    BACKENDS.append(pytest.param(compiled, id="compiled"))
IDS = st.integers(0, 300) | st.integers(0, (1 << 31) - 1)


def ends_of(parts: list[Any]) -> np.ndarray[Any, Any]:
    """Where each part ends when all are joined."""
    return np.cumsum([len(part) for part in parts], dtype=np.int64)


def varint(value: int) -> bytes:
    """The varint of the wire format, as its specification tells it."""
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(value & 0x7F)
    return bytes([group | 0x80 for group in groups[:-1]] + groups[-1:])


@pytest.mark.parametrize("backend", BACKENDS)
@given(rows=st.lists(st.tuples(st.binary(max_size=9), st.binary(max_size=70))))
def test_heads_and_bodies_alternate(backend: Any, rows: list[tuple[bytes, bytes]]):
    """Whatever their lengths, and nothing is written behind them."""
    heads, bodies = [head for head, _ in rows], [body for _, body in rows]
    wanted = b"".join(head + body for head, body in rows)
    out = np.full(len(wanted) + 3, 0xEE, np.uint8)
    written = backend.interleave(b"".join(heads), ends_of(heads), b"".join(bodies), ends_of(bodies), out)
    assert written == len(wanted)
    assert out.tobytes() == wanted + b"\xee" * 3


@pytest.mark.parametrize("backend", BACKENDS)
@given(rows=st.lists(st.lists(IDS)))
def test_ids_as_varints(backend: Any, rows: list[list[int]]):
    """Each row's bytes are those of the specification, and the ends are found again."""
    ids = np.array([i for row in rows for i in row], np.int32)
    out, ends = np.empty(5 * len(ids), np.uint8), np.empty(len(rows), np.int64)
    written = backend.varints(ids, ends_of(rows), out, ends)
    wanted = [b"".join(map(varint, row)) for row in rows]
    assert out[:written].tobytes() == b"".join(wanted)
    assert ends.tolist() == ends_of(wanted).tolist()


SHORT_TEXT = st.binary(max_size=8)


@pytest.mark.parametrize("backend", BACKENDS)
@given(
    rows=st.lists(st.lists(IDS | st.integers(0, (1 << 63) - 1))),
    texts=st.tuples(st.binary(max_size=20), SHORT_TEXT, st.binary(max_size=20)),
)
def test_numbers_as_decimal_text(backend: Any, rows: list[list[int]], texts: tuple[bytes, bytes, bytes]):
    """Each row is what Python prints, with the texts around its numbers, inside the room asked for."""
    before, between, after = texts
    wanted = [before + between.join(b"%d" % i for i in row) + after for row in rows]
    largest = max((i for row in rows for i in row), default=0)
    for kind in [np.int64] if largest >> 31 else [np.int32, np.int64]:
        numbers = np.array([i for row in rows for i in row], kind)
        size = backend.decimals_size(len(numbers), numbers.itemsize, len(rows), *texts)
        out, ends = np.full(size + 3, 0xEE, np.uint8), np.empty(len(rows), np.int64)
        written = backend.decimals(numbers, numbers.itemsize, ends_of(rows), *texts, TABLE, out[:size], ends)
        assert out[:written].tobytes() == b"".join(wanted)
        assert ends.tolist() == ends_of(wanted).tolist()
        assert out[size:].tobytes() == b"\xee" * 3


@pytest.mark.parametrize("backend", BACKENDS)
def test_numbers_of_every_length(backend: Any):
    """Where one more digit is needed, and around every number of thousands."""
    bounds = [10**digits + more for digits in range(19) for more in (-1, 0, 1)]
    bounds += [10**digits * 999 + more for digits in range(16) for more in (0, 1)] + [(1 << 63) - 1]
    numbers, ends = np.array(bounds, np.int64), np.empty(1, np.int64)
    texts = (b"[", b", ", b"]")
    out = np.empty(backend.decimals_size(len(numbers), 8, 1, *texts), np.uint8)
    size = backend.decimals(numbers, 8, np.array([len(numbers)], np.int64), *texts, TABLE, out, ends)
    assert out[:size].tobytes().decode() == str(bounds)


TWO = np.array([1, 2], np.int64)


def decimals(kernel: Any, numbers: Any, ends: Any, **other: Any) -> None:
    """Call the kernel with arguments that are right but for those that are named."""
    given_ = {"width": 4, "between": b",", "table": TABLE, "out": bytearray(99), "out_ends": TWO.copy(), **other}
    texts = (b"", given_["between"], b"")
    kernel.decimals(numbers, given_["width"], ends, *texts, given_["table"], given_["out"], given_["out_ends"])


LIES = {
    "ends that fall": lambda k: k.interleave(b"ab", np.array([2, 1], np.int64), b"cd", TWO, bytearray(8)),
    "an end below 0": lambda k: k.interleave(b"ab", np.array([-1, 2], np.int64), b"cd", TWO, bytearray(8)),
    "heads behind their bytes": lambda k: k.interleave(b"a", TWO, b"cd", TWO, bytearray(8)),
    "bodies behind their bytes": lambda k: k.interleave(b"ab", TWO, b"c", TWO, bytearray(8)),
    "fewer bodies": lambda k: k.interleave(b"ab", TWO, b"cd", TWO[:1], bytearray(8)),
    "more bodies": lambda k: k.interleave(b"ab", TWO[:1], b"cd", TWO, bytearray(8)),
    "too little room": lambda k: k.interleave(b"ab", TWO, b"cd", TWO, bytearray(3)),
    "a negative id": lambda k: k.varints(np.array([1, -1], np.int32), TWO, bytearray(10), TWO.copy()),
    "rows behind the ids": lambda k: k.varints(np.array([1], np.int32), TWO, bytearray(10), TWO.copy()),
    "rows that fall": lambda k: k.varints(np.ones(2, np.int32), TWO[::-1].copy(), bytearray(10), TWO.copy()),
    "too little room for ids": lambda k: k.varints(np.ones(2, np.int32), TWO, bytearray(9), TWO.copy()),
    "too little room for ends": lambda k: k.varints(np.ones(2, np.int32), TWO, bytearray(10), TWO[:1].copy()),
    "a negative number": lambda k: decimals(k, np.array([1, -1], np.int32), TWO),
    "a negative number of 64 bits": lambda k: decimals(k, np.array([1, -1 << 63]), TWO, width=8),
    "rows behind the numbers": lambda k: decimals(k, np.ones(1, np.int32), TWO),
    "rows behind the numbers of 64 bits": lambda k: decimals(k, np.ones(2, np.int32), TWO, width=8),
    "rows of numbers that fall": lambda k: decimals(k, np.ones(2, np.int32), TWO[::-1].copy()),
    "numbers of another width": lambda k: decimals(k, np.ones(2, np.int32), TWO, width=3),
    "a long text between numbers": lambda k: decimals(k, np.ones(2, np.int32), TWO, between=bytes(9)),
    "too little room for text": lambda k: decimals(k, np.ones(2, np.int32), TWO, out=bytearray(37)),
    "too little room for ends of text": lambda k: decimals(k, np.ones(2, np.int32), TWO, out_ends=TWO[:1].copy()),
    "an end of the largest size": lambda k: k.varints(
        np.ones(2, np.int32), np.array([1, (1 << 63) - 1], np.int64), bytearray(10), TWO.copy()
    ),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("lie", LIES)
def test_a_caller_that_lies_is_refused(backend: Any, lie: str):
    """Nothing outside of a buffer is read or written."""
    with pytest.raises(ValueError, match=r"rise|many|needed|negative"):
        LIES[lie](backend)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_cannot_be_written_is_refused(backend: Any):
    """A buffer that is only to be read receives nothing."""
    with pytest.raises((ValueError, BufferError)):
        backend.interleave(b"ab", TWO, b"cd", TWO, bytes(8))
    with pytest.raises((ValueError, BufferError)):
        backend.varints(np.ones(2, np.int32), TWO, bytes(10), TWO.copy())

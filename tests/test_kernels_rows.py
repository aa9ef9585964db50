"""Rows of ids on their way into bytes: the kernel and its twin do the same, and believe no caller."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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


TWO = np.array([1, 2], np.int64)
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

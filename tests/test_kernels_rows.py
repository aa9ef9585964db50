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


@pytest.mark.parametrize("backend", BACKENDS)
@given(
    lengths=st.lists(st.integers(0, 3) | st.sampled_from([254, 255, 256, 257, 65534, 65535, 65536, 65537]), max_size=6),
    width=st.sampled_from([1, 2, 4, 8]),
    more=st.integers(0, 3),
)
def test_arrays_with_heads(backend: Any, lengths: list[int], width: int, more: int):
    """A size that counts what follows it, a byte for one dimension and the width of its length, the length."""
    numbers = np.resize(np.arange(251, dtype=np.uint8), sum(lengths) * width + more)
    wanted, at = b"", 0
    for length in lengths:
        digits, kind = (1, 4) if length < 256 else (2, 5) if length < 65536 else (4, 6)
        body = numbers[at : at + length * width].tobytes()
        head = bytes([kind]) + length.to_bytes(digits, "little")
        wanted += len(head + body).to_bytes(4, "little") + head + body
        at += length * width
    out = np.full(len(wanted) + 3, 0xEE, np.uint8)
    assert backend.headed_arrays(numbers, np.array(lengths, np.int64), width, out) == len(wanted)
    assert out.tobytes() == wanted + b"\xee" * 3
    if wanted:
        with pytest.raises(ValueError, match="needed"):
            backend.headed_arrays(numbers, np.array(lengths, np.int64), width, out[: len(wanted) - 1])


@pytest.mark.parametrize("backend", BACKENDS)
@given(
    pages=st.lists(st.lists(st.integers(0, 40))), room=st.integers(1, 45), before=st.binary(min_size=82, max_size=82)
)
def test_places_in_a_dictionary(backend: Any, pages: list[list[int]], room: int, before: bytes):
    """Ids are numbered as they come, whatever the table held; a page with too many new ones changes nothing."""
    table, ids, known = np.frombuffer(bytearray(before), np.uint16), np.full(room, 7, np.int32), 0
    wanted: list[int] = []
    for page in pages:
        new = [i for i in dict.fromkeys(page) if i not in wanted]
        places = np.empty(len(page), np.uint16)
        done = backend.dictionary_places(np.array(page, np.int32), table, ids, known, places)
        if len(wanted) + len(new) > room:
            assert done == -1
        else:
            wanted += new
            known = done
            assert [wanted[place] for place in places.tolist()] == page
        assert ids[:known].tolist() == wanted


def test_a_dictionary_has_no_more_ids_than_places_can_name():
    """Whatever room there is; the last place is 65,535."""
    for backend in [one.values[0] for one in BACKENDS]:
        table, ids, places = np.zeros(65537, np.uint16), np.zeros(65537, np.int32), np.zeros(65537, np.uint16)
        every = np.arange(65537, dtype=np.int32)
        assert backend.dictionary_places(every, table, ids, 0, places) == -1
        assert backend.dictionary_places(every[:65536], table, ids, 0, places) == 65536
        assert places[:65536].tolist() == list(range(65536))
        assert backend.dictionary_places(every[65535:], table, ids, 65536, places) == -1


@pytest.mark.parametrize("backend", BACKENDS)
@given(lengths=st.lists(st.integers(0, 3) | st.integers(60, 70) | st.integers(8190, 8200) | st.integers(0, 1 << 30)))
def test_levels_are_runs(backend: Any, lengths: list[int]):
    """A list of n numbers is a run of one level and one of n - 1; lists of one kind are one run of the other levels."""
    repetition, definition = (
        np.full(8 * len(lengths) + 1, 0xEE, np.uint8),
        np.full(11 * len(lengths) + 1, 0xEE, np.uint8),
    )
    sizes = backend.list_levels(np.array(lengths, np.int64), 5, 9, repetition[:-1], definition[:-1])
    first = [pair for n in lengths for pair in ((1, 0), (n - 1, 1)) if pair[0] > 0]
    second: list[tuple[int, int]] = []
    for n in lengths:
        count, level = (n, 9) if n else (1, 5)
        if second and second[-1][1] == level:
            count += second.pop()[0]
        second.append((count, level))
    for found, size, runs in ((repetition, sizes[0], first), (definition, sizes[1], second)):
        assert found[:size].tobytes() == b"".join(varint(2 * count) + bytes([level]) for count, level in runs)
        assert found[-1] == 0xEE


TWO = np.array([1, 2], np.int64)


def places(kernel: Any, ids: list[int], known: int = 0, out: int = 4, size: int = 4) -> None:
    """Call the kernel with a dictionary that has room for three ids."""
    buffers = np.zeros(size, np.uint16), np.zeros(3, np.int32), np.zeros(out, np.uint16)
    kernel.dictionary_places(np.array(ids, np.int32), buffers[0], buffers[1], known, buffers[2])


def arrays(kernel: Any, lengths: list[int], width: int = 4) -> None:
    """Call the kernel with four numbers of four bytes."""
    kernel.headed_arrays(bytes(16), np.array(lengths, np.int64), width, bytearray(99))


def levels(kernel: Any, lengths: list[int], first: int = 99, second: int = 99) -> None:
    """Call the kernel with so much room."""
    kernel.list_levels(np.array(lengths, np.int64), 1, 3, bytearray(first), bytearray(second))


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
    "an array of a negative length": lambda k: arrays(k, [2, -1]),
    "more arrays than there are numbers": lambda k: arrays(k, [2, 3]),
    "an array that is too long for its head": lambda k: arrays(k, [1 << 30]),
    "an array of the largest length": lambda k: arrays(k, [(1 << 63) - 1]),
    "arrays of numbers without bytes": lambda k: arrays(k, [1], width=0),
    "a negative id for a dictionary": lambda k: places(k, [1, -1]),
    "an id that the table does not have": lambda k: places(k, [1, 4]),
    "a dictionary without a table": lambda k: places(k, [0], size=0),
    "more ids than the dictionary has": lambda k: places(k, [1], known=4),
    "fewer ids than none": lambda k: places(k, [1], known=-1),
    "too little room for places": lambda k: places(k, [1, 2], out=1),
    "a list of a negative length": lambda k: levels(k, [1, -1]),
    "a list that is too long": lambda k: levels(k, [1, (1 << 30) + 1]),
    "a list of the largest length": lambda k: levels(k, [(1 << 63) - 1]),
    "too little room for repetition": lambda k: levels(k, [1, 2], first=15),
    "too little room for definition": lambda k: levels(k, [1, 2], second=21),
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

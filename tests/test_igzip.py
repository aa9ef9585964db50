"""gzip decoded by igzip: the same bytes as zlib's, and an error wherever zlib has one."""

from __future__ import annotations

import gzip
import io
import random
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpustools.errors import DataError
from corpustools.files import members

igzip_lib = pytest.importorskip("isal.igzip_lib")

TEXT = b"".join(b"%d words of a text %d\n" % (i, i * i) for i in range(2000))


def decoded(data: bytes, member: Callable[[], object], step: int, monkeypatch: pytest.MonkeyPatch) -> tuple[bytes, str]:
    """Return what a kind of member makes of data, read by so many bytes at most, and what it says of an error."""
    out, view = bytearray(), memoryview(bytearray(step))
    with monkeypatch.context() as patch:
        patch.setitem(members._MEMBERS, "gz", lambda memory: member())
        reader = members.MemberReader("gz", io.BytesIO(data), "x", 1 << 20)  # type: ignore[arg-type]
        try:
            while n := reader.readinto(view):
                out += view[:n]
        except DataError as error:
            return bytes(out), str(error)
    return bytes(out), ""


def igzip_member() -> members._IgzipMember:
    """Return what decodes a member by igzip."""
    return members._IgzipMember(igzip_lib)


def both(data: bytes, step: int, monkeypatch: pytest.MonkeyPatch) -> list[tuple[bytes, str]]:
    """Return what zlib and igzip make of data."""
    return [decoded(data, one, step, monkeypatch) for one in (members._ZlibMember, igzip_member)]


def test_it_is_taken_where_it_is_installed():
    """Else the tests here compare nothing that users get."""
    assert isinstance(members._MEMBERS["gz"](0), members._IgzipMember)


HEADERS = {
    "plain": b"\x1f\x8b\x08\0\0\0\0\0\0\3",
    "name": b"\x1f\x8b\x08\x08\0\0\0\0\0\3name\0",
    "extra": b"\x1f\x8b\x08\x04\0\0\0\0\0\3\4\0abcd",
    "comment and name": b"\x1f\x8b\x08\x18\0\0\0\0\0\3name\0comment\0",
    "text": b"\x1f\x8b\x08\x01\0\0\0\0\0\3",
}


def member(text: bytes, header: bytes = HEADERS["plain"], level: int = 6) -> bytes:
    """Return a member with a header of one's own."""
    deflate = zlib.compressobj(level, zlib.DEFLATED, -15)
    ends = zlib.crc32(text).to_bytes(4, "little") + (len(text) & 0xFFFFFFFF).to_bytes(4, "little")
    return header + deflate.compress(text) + deflate.flush() + ends


@settings(max_examples=60, deadline=None)
@given(
    parts=st.lists(
        st.tuples(st.sampled_from(sorted(HEADERS)), st.sampled_from([0, 1, 6, 9]), st.integers(0, 40_000)), max_size=4
    ),
    padding=st.integers(0, 600),
    step=st.sampled_from([1 << 8, 1 << 12, 1 << 20]),
)
def test_whole_members(parts: list[tuple[str, int, int]], padding: int, step: int):
    """Several members, empty ones too, of any level, with any header and padding of zeros."""
    texts = [TEXT[:size] for _, _, size in parts]
    data = b"".join(member(text, HEADERS[kind], level) for text, (kind, level, _) in zip(texts, parts, strict=True))
    for found in both(data + bytes(padding if parts else 0), step, pytest.MonkeyPatch()):
        assert found == (b"".join(texts), "")


HARMS = {
    "garbage behind": lambda data: data + b"garbage",
    "one byte behind": lambda data: data + b"g",
    "half a magic behind": lambda data: data + b"\x1f",
    "reserved flag": lambda data: data[:3] + b"\x20" + data[4:],
    "another method": lambda data: data[:2] + b"\x07" + data[3:],
    "wrong checksum": lambda data: data[:-8] + bytes(4) + data[-4:],
    "wrong length": lambda data: data[:-4] + bytes(4),
    "torn": lambda data: data[:-3],
    "torn in the header": lambda data: data[:7],
    "a second member torn": lambda data: data + data[:30],
}


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("step", [100, 1 << 20])
def test_errors_are_those_of_zlib(harm: str, step: int, monkeypatch: pytest.MonkeyPatch):
    """The same kind of error in the same sentence; what is in brackets is the library's own."""
    ours, theirs = (error.partition("(")[0] for _, error in both(HARMS[harm](member(TEXT)), step, monkeypatch))
    assert ours
    assert theirs == ours


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 1 << 32), changes=st.integers(1, 3), cut=st.booleans())
def test_what_is_damaged_anywhere_is_an_error_of_both(seed: int, changes: int, cut: bool):
    """Flipped bytes and a cut, in one of two members: either both libraries see it, or both read the same bytes."""
    chance = random.Random(seed)
    data = bytearray(member(TEXT[:3000], HEADERS["name"]) + member(TEXT[:500]))
    for _ in range(changes):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    if cut:
        del data[chance.randrange(len(data)) :]
    (ours, error), (theirs, other) = both(bytes(data), 1 << 20, pytest.MonkeyPatch())
    assert bool(error) == bool(other), (error, other)
    assert error or ours == theirs


def test_a_long_text_in_small_reads(monkeypatch: pytest.MonkeyPatch):
    """Members larger than what is read of the file at a time."""
    text = random.Random(1).randbytes(700_000) + TEXT * 20
    for found in both(gzip.compress(text) * 2, 50_000, monkeypatch):
        assert found == (text * 2, "")

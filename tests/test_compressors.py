"""Compressed outputs: what a reader gets that looks no further than the first member or frame."""

from __future__ import annotations

import base64
import io
import random
import zlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from corpustools.files import compressors
from corpustools.files.compressors import GZIP_PIECE, ZSTD_JOB, compressed, compressor_bytes
from tests.harness import MIB, Folder, needs_speed, run

WORDS = b"a text that repeats itself, with numbers behind it: "


class Kept:
    """A sink that keeps what it is given."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.finished = self.aborted = False

    def write(self, data: memoryview | bytes) -> None:
        """Keep bytes."""
        self.data += data

    def finish(self) -> None:
        """Note the end."""
        self.finished = True

    def abort(self) -> None:
        """Note the end."""
        self.aborted = True


def packed(codec: str, pieces: list[bytes], workers: int) -> bytes:
    """Return what the sink of a codec makes of pieces."""
    kept = Kept()
    sink = compressed(kept, codec, workers)
    for piece in pieces:
        sink.write(memoryview(piece))
    sink.finish()
    assert kept.finished
    return bytes(kept.data)


def first(codec: str, data: bytes) -> bytes:
    """Decode the first member or frame, behind which nothing may stand."""
    if codec == "gz":
        inflate = zlib.decompressobj(31)
        out = inflate.decompress(data)
        assert inflate.eof
        assert not inflate.unused_data
        return out
    reader = zstandard.ZstdDecompressor().decompressobj()
    out = reader.decompress(data)
    assert not reader.unused_data
    assert reader.eof
    return out


def text(size: int) -> bytes:
    """Return a text of words and numbers, of about so many bytes."""
    return b"".join(WORDS + str(i * i).encode() for i in range(size // (len(WORDS) + 8)))


@pytest.mark.parametrize("codec", ["gz", "zst"])
@given(pieces=st.lists(st.binary(max_size=200), max_size=8), workers=st.integers(1, 4))
def test_any_bytes(codec: str, pieces: list[bytes], workers: int):
    """One member or frame holds everything, however it was cut; nothing at all makes an empty one."""
    assert first(codec, packed(codec, pieces, workers)) == b"".join(pieces)


@pytest.mark.parametrize("codec", ["gz", "zst"])
@pytest.mark.parametrize("size", [0, GZIP_PIECE - 1, GZIP_PIECE, GZIP_PIECE + 1, ZSTD_JOB, 3 * ZSTD_JOB + 17])
def test_the_bytes_are_those_of_one_thread(codec: str, size: int):
    """Neither the threads nor how the text comes in change a byte."""
    data = text(size + 100)[:size]
    alone = packed(codec, [data], 1)
    assert first(codec, alone) == data
    for workers, step in ((2, 99_991), (3, 1 << 20), (4, 3_000_017)):
        assert packed(codec, [data[at : at + step] for at in range(0, size, step)], workers) == alone


@pytest.mark.parametrize("codec", ["gz", "zst"])
def test_an_aborted_output(codec: str):
    """The inner sink learns of it, and of no end."""
    kept = Kept()
    sink = compressed(kept, codec, 2)
    sink.write(text(3 * MIB))
    sink.abort()
    assert kept.aborted
    assert not kept.finished


def test_pieces_know_what_came_before():
    """A gzip member of several pieces is smaller than members of the same pieces."""
    data = text(4 * GZIP_PIECE)
    alone = sum(len(zlib.compress(data[at : at + GZIP_PIECE], 6)) for at in range(0, len(data), GZIP_PIECE))
    assert len(packed("gz", [data], 2)) < alone


def test_a_file_of_four_gibibytes():
    """The length at the end of a gzip member counts modulo 2^32."""
    sink = compressors.GzipSink(Kept(), 1)
    sink._size = (1 << 32) - 1
    sink.write(b"ab")
    sink.finish()
    assert sink._inner.data[-4:] == (1).to_bytes(4, "little")  # type: ignore[attr-defined]


class Failing:
    """A compressor for which the system has no thread."""

    def write(self, data: object) -> int:
        """Fail as the library does."""
        raise zstandard.ZstdError("zstd compressor error: Allocation error : not enough memory")


def test_no_thread_is_an_error_that_says_so():
    """The library names it as missing memory."""
    sink = compressors.ZstdSink(Kept(), 1)
    sink._compressor = Failing()
    with pytest.raises(compressors.SystemFailure, match="it needs a thread and some memory"):
        sink.write(b"x")


@needs_speed
@pytest.mark.parametrize("suffix", ["gz", "zst"])
def test_the_command_writes_one_member(folder: Folder, suffix: str):
    """What python-zstandard's decompressobj and the first gzip member give is the whole output."""
    lines = text(5 * MIB).replace(b":", b"\n")
    folder.write("in", lines)
    plain = folder.corpus("shuffle", "-q", "-s", "1", "in").ok().stdout
    folder.corpus("shuffle", "-q", "-s", "1", "-m", "64M", "in", "-o", f"out.{suffix}").ok()
    assert first(suffix, folder.read(f"out.{suffix}")) == plain
    again = run(
        "shuffle", "-q", "-s", "1", "-m", "512M", "-j", "3", "-", "-o", f"more.{suffix}", stdin=lines, cwd=folder.path
    )
    assert again.returncode == 0
    assert folder.read(f"more.{suffix}") == folder.read(f"out.{suffix}")


@needs_speed
@pytest.mark.parametrize("suffix", ["gz", "zst"])
def test_text_that_cannot_be_compressed_takes_no_more_memory(folder: Folder, suffix: str):
    """At the least memory; what the library's threads have done is passed on in small pieces."""
    folder.write("in", base64.encodebytes(random.Random(1).randbytes(60 * MIB)))
    outcome = folder.measured("shuffle", "-q", "-s", "1", "-m", "64M", "in", "-o", f"out.{suffix}").ok()
    assert outcome.peak <= 64 * MIB, str(outcome)


def test_memory_grows_with_the_threads():
    """The plan of a shuffle sets it aside."""
    for codec in ("gz", "zst"):
        assert 0 < compressor_bytes(codec, 1) < compressor_bytes(codec, 2) < 32 * MIB
    assert zstandard.ZstdDecompressor().stream_reader(io.BytesIO(packed("zst", [b"x"], 1))).read() == b"x"

"""Compressed outputs that are left at any place and gone on with: the bytes are those of one sink."""

from __future__ import annotations

import gzip
import os
import random
from pathlib import Path

import pytest
import zstandard

from corpustools.files.compressors import ZSTD_JOB, compressed
from corpustools.files.fileset import FileSet
from corpustools.files.kept import JOURNAL, UNFINISHED, KeptSet, kept_name
from corpustools.files.kept_outputs import open_kept
from corpustools.files.kept_text import Front, KeptText

WORDS = [b"%x" % (i * 2654435761 % 2**32) for i in range(999)]


def text_of(size: int, seed: int) -> bytes:
    """Some words in random order."""
    chance = random.Random(seed)
    return b" ".join(chance.choices(WORDS, k=size // 8 + 2))[:size]


def left(path: Path, text: bytes, codec: str, size: int) -> Front | None:
    """What goes on with the first bytes of a file takes; they hold this text."""
    found, buffer = KeptText(kept_name(str(path), UNFINISHED), size, codec, True), bytearray(70_000)
    data = bytearray()
    while n := found.readinto(memoryview(buffer)):
        data += buffer[:n]
    assert bytes(data) == text
    front = found.front()
    found.close()
    return front


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("codec", ["gz", "zst"])
@pytest.mark.parametrize(
    "cuts",
    [
        [0, 1],
        [ZSTD_JOB],
        [ZSTD_JOB - 1, ZSTD_JOB, ZSTD_JOB + 1],
        [2 * ZSTD_JOB + 77, 2 * ZSTD_JOB + 78, 3 * ZSTD_JOB],
        [ZSTD_JOB + 5, 3 * ZSTD_JOB + 9, 4 * ZSTD_JOB],
        [5 * ZSTD_JOB],
    ],
)
@pytest.mark.parametrize("settles", [False, True])
def test_left_and_gone_on_with(tmp_path: Path, codec: str, cuts: list[int], workers: int, settles: bool):
    """At the ends of pieces and beside them, once and again; what was written behind the note is of no account."""
    text = text_of(4 * ZSTD_JOB + 1234 if max(cuts) < 5 * ZSTD_JOB else 5 * ZSTD_JOB, len(cuts))
    name, front, waiting, size, at = str(tmp_path / f"x.{codec}"), None, b"", 0, 0
    for cut in [*cuts, len(text)]:
        files = KeptSet([name])
        files.noted = True
        files.go_on({name: size})
        sink = open_kept([name], workers, files, front=front)
        sink.write(waiting)
        while at < cut:
            step = min(cut - at, 300_001)
            sink.write(text[at : at + step])
            at += step
            if settles:
                sink.settle()
        if cut == len(text):
            sink.finish()
            files.noted = False
            files.publish()
            break
        waiting = sink.settle()
        size = files.file(name).written
        sink.write(b"more that is lost" * 99_999)
        sink.abort()
        files.abort()
        front = left(tmp_path / f"x.{codec}", text[: cut - len(waiting)], codec, size)
    whole = FileSet()
    other = compressed(whole.open(str(tmp_path / "y")), codec, 2)
    other.write(text)
    other.finish()
    whole.publish()
    assert (tmp_path / f"x.{codec}").read_bytes() == (tmp_path / "y").read_bytes()
    packed = (tmp_path / "y").read_bytes()
    assert (gzip.decompress(packed) if codec == "gz" else zstandard.decompress(packed, len(text))) == text
    assert sorted(os.listdir(tmp_path)) == sorted([f"x.{codec}", "y"])


@pytest.mark.parametrize("codec", ["gz", "zst"])
@pytest.mark.parametrize("text", [b"", b"a,b\n"])
def test_settled_before_the_first_piece(tmp_path: Path, codec: str, text: bytes):
    """Nothing and a header alone have the bytes that they have without notes."""
    name, plain = str(tmp_path / f"x.{codec}"), str(tmp_path / "y")
    files, whole = KeptSet([name]), FileSet()
    sink, other = open_kept([name], 2, files), compressed(whole.open(plain), codec, 2)
    sink.settle()
    sink.write(text)
    sink.settle()
    other.write(text)
    for one, its in ((sink, files), (other, whole)):
        one.finish()
        its.publish()
    assert (tmp_path / f"x.{codec}").read_bytes() == (tmp_path / "y").read_bytes()


@pytest.mark.parametrize("length", [1, 230, *range(238, 256)])
def test_names_of_any_length(tmp_path: Path, length: int):
    """What is kept beside the longest names has names that the system takes, that of a fresh journal too."""
    for ending in (UNFINISHED, JOURNAL, ".lock"):
        assert len(os.path.basename(kept_name(str(tmp_path / ("x" * length)), ending)) + ".new") <= 255

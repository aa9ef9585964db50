"""The peak resident memory of the whole process stays at or under --memory, as the kernel measures it."""

from __future__ import annotations

import gzip
import lzma

import pytest
import zstandard
from harness import MIB, Folder, needs_speed

pytestmark = [needs_speed]
SIZE = 160 * MIB


def lines(length: int, size: int = SIZE) -> bytes:
    """Lines of so many bytes, newline included."""
    block = b"".join(b"%d" % i * (length // 4 + 1) for i in range(4096))
    unit = b"".join(block[i * 3 : i * 3 + length - 1] + b"\n" for i in range(2000))
    return unit * (size // len(unit))


CASES = {
    "121-byte lines": ("-j 2", 121, None),
    "121-byte lines, one worker, zstd spill": ("-j 1 --spill zstd", 121, None),
    "121-byte lines, many workers": ("-j 8", 121, None),
    "121-byte lines, lz4 spill": ("-j 2 --spill lz4", 121, None),
    "121-byte lines, direct": ("-j 2 --direct yes --spill raw", 121, None),
    "121-byte lines, no temp": ("-j 2 --no-temp", 121, None),
    "121-byte lines, a large head": ("-j 2 -n 700000", 121, None),
    "5-byte lines": ("-j 2", 5, None),
    "5-byte lines, fewer": ("-j 2", 5, None),
    "1-byte lines": ("-j 2", 1, None),
    "gz": ("-j 2", 121, lambda data: gzip.compress(data, 1)),
    "zst": ("-j 2", 121, lambda data: zstandard.compress(data, 1)),
    "xz": ("-j 2", 121, lambda data: lzma.compress(data[: SIZE // 2], preset=0)),
    "zst to zst": ("-j 2 -o out.zst", 121, lambda data: zstandard.compress(data, 1)),
    "zst output": ("-j 2 -o out.zst", 121, None),
    "gz output": ("-j 2 -o out.gz", 1000, None),
    "zst shards": ("-j 2 --shards 3 -o out{shard}.zst", 1000, None),
}


# The ways through the engine that differ most; the others and more memory take minutes.
LIGHT = {"121-byte lines", "121-byte lines, direct", "5-byte lines, fewer", "zst to zst"}


@pytest.mark.parametrize(
    ("case", "memory"),
    [
        pytest.param(case, memory, marks=[] if case in LIGHT and memory == 64 else pytest.mark.heavy)
        for case in CASES
        for memory in (64, 128)
    ],
)
def test_the_peak_is_within_the_memory(folder: Folder, case: str, memory: int):
    """Lines of 121, 5 and 1 bytes, decoders and encoders, at the least memory and at twice that."""
    options, length, pack = CASES[case]
    data = lines(length, SIZE // 4 if length == 1 or "fewer" in case else SIZE)
    folder.write("in", pack(data) if pack else data)
    output = [] if "-o" in options else ["-o", "out"]
    outcome = folder.measured("shuffle", "in", "-m", f"{memory}MiB", *options.split(), *output).ok()
    assert 20 * MIB < outcome.peak <= memory * MIB, str(outcome)


@pytest.mark.parametrize("packed", [False, pytest.param(True, marks=pytest.mark.heavy)])
def test_one_long_line_stays_outside(folder: Folder, packed: bool):
    """A line of 200 MB at 64 MiB, plain (read from the file again) and from gz (through the overflow file)."""
    data = b"short\n" + b"x" * (200 * MIB) + b"\nshort\n"
    folder.write("in", gzip.compress(data, 1) if packed else data)
    outcome = folder.measured("shuffle", "in", "-o", "out", "-m", "64MiB", "-j", "2").ok()
    assert 20 * MIB < outcome.peak <= 64 * MIB, str(outcome)


def test_the_plan_adds_up_to_the_memory(folder: Folder):
    """Who gets what is laid out before the first byte, and is no more than there is."""
    folder.write("in", lines(121, 4 * MIB))
    for memory in (64, 100, 1024):
        text = folder.corpus("shuffle", "--plan", "in", "-m", f"{memory}MiB").ok().stdout.decode()
        shares = [int(line.rpartition(": ")[2]) for line in text.splitlines() if line.startswith("  ")]
        assert len(shares) >= 5
        assert sum(shares) <= memory * MIB

"""The output is a function of the seed and the input: not of memory, workers, spilling, or how the input arrives."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import struct
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard
from harness import COMPILED, MIB, PLENTY, Folder, is_plain, needs_speed
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from reference import order, records, shuffled

from corpustools.stages.shuffle import shuffle

LINES = 1_300_000 if COMPILED else 8_000
SEED = "invariance"


class Large:
    """A generated file of about 150 MB, which spills at 64 MiB, and its shuffle in memory."""

    def __init__(self, path: Path) -> None:
        self.folder = Folder(path)
        line = b"".join(b"%c" % (33 + i * 7 % 90) for i in range(230))
        lengths = (i * 2654435761 % 4294967296 >> 24 for i in range(LINES))
        self.whole = [b"%d %s\n" % (i, line[: length * 7 // 8]) for i, length in enumerate(lengths)]
        self.path = path / "large.txt"
        self.path.write_bytes(b"".join(self.whole))
        self.expected = shuffled(self.whole, SEED)

    def run(self, *arguments: object) -> bytes:
        """Shuffle it with these options and return the output."""
        self.folder.corpus("shuffle", "large.txt", "-s", SEED, "-o", "out", "-q", *arguments).ok()
        return self.folder.read("out")


@pytest.fixture(scope="module")
def large(tmp_path_factory) -> Large:
    return Large(tmp_path_factory.mktemp("large"))


@pytest.mark.parametrize(
    "options",
    [
        "-m 8G -j 2",
        "-m 64MiB -j 1",
        "-m 64MiB -j 2 --spill raw",
        "-m 64MiB -j 3 --spill zstd",
        "-m 100MB -j 2 --spill auto",
        "-m 64MiB -j 2 --spill lz4",
        "-m 64MiB -j 2 --no-temp",
        "-m 64MiB -j 1 --no-temp",
        "-m 64MiB -j 1 --no-temp -n 1000000000",
        "-m 200MiB -j 3",
        "-m 64MiB -j 2 --direct yes --spill raw",
        "-m 110MiB -j 2 --direct no",
        "-m 70MiB -j 3 --direct yes --spill zstd",
        "-m 66MiB -j 3 --direct yes --spill lz4",
        "-m 8G -j 2 --direct yes",
    ],
)
def test_the_resources_change_nothing(large: Large, options: str):
    """The whole output equals the reference's, whatever memory, threads, spill codec, or no temporary space."""
    assert large.run(*options.split()) == large.expected


@needs_speed
def test_small_memory_really_spills(large: Large):
    """The large file is no help to the other tests if it fits: temporary bytes above 0 and below N, passes above 1."""
    facts = []
    for how in ("--spill=raw", "--no-temp"):
        outcome = large.folder.corpus(
            "shuffle", "large.txt", "-m", "64MiB", how, "--progress", "json", "-o", "out"
        ).ok()
        facts.append(json.loads(outcome.stderr.splitlines()[-1]))
    assert 0 < facts[0]["temporary_bytes"] < large.path.stat().st_size
    assert facts[1]["passes"] > 1
    assert facts[1]["temporary_bytes"] == 0


MASKED = """
import sys
from dataclasses import replace
from corpustools.stages.shuffle import run_shuffle, shuffle_request
source, out, seed, workers, spill, mask = sys.argv[1:]
request = shuffle_request(source, out, seed=seed, memory=64 << 20, workers=int(workers), spill=spill)
assert run_shuffle(replace(request, keys=request.keys._replace(mask=int(mask)))).passes == 1
"""


@pytest.mark.parametrize(("workers", "spill"), [(1, "raw"), (2, "zstd"), (2, "lz4")])
def test_a_bucket_larger_than_memory_is_split(large: Large, spill: str, workers: int):
    """Keys that leave out their upper bits crowd into one bucket, which is split again and again by the next bits."""
    mask = (1 << 44) - 1
    words = [sys.executable, "-c", MASKED, "large.txt", "out", SEED, str(workers), spill, str(mask)]
    process = subprocess.run(words, cwd=large.folder.path, env=large.folder.variables, capture_output=True, check=False)
    assert process.returncode == 0, process.stderr.decode()
    assert large.folder.read("out") == b"".join(large.whole[i] for i in order(LINES, SEED, mask))


@pytest.mark.parametrize("source", ["pipe", "stdin file", "gz pipe", "zst", "bz2 members", "xz"])
def test_how_the_input_arrives_changes_nothing(large: Large, source: str):
    """A pipe, a file on standard input, a compressed file or a compressed pipe: the same bytes."""
    folder, data = large.folder, large.path.read_bytes()
    options = ("-s", SEED, "-m", "80MiB", "-j", "2", "-o", "out", "-q")
    if source == "stdin file":
        with large.path.open("rb") as file:
            folder.corpus("shuffle", *options, stdin=file).ok()
    elif source == "pipe":
        folder.corpus("shuffle", *options, stdin=data).ok()
    elif source == "gz pipe":
        folder.corpus("shuffle", "-", *options, stdin=gzip.compress(data, 1)).ok()
    elif source == "zst":
        folder.write("in.bin", zstandard.compress(data, 1))
        folder.corpus("shuffle", "in.bin", *options).ok()
    elif source == "bz2 members":
        # Slow to make: members are cut from the first part only, the rest comes plain.
        cut = sum(map(len, large.whole[: LINES // 50]))
        packed = b"".join(bz2.compress(data[at : min(at + MIB // 2 + 7, cut)], 1) for at in range(0, cut, MIB // 2 + 7))
        folder.write("in.bin", packed)
        folder.write("rest", data[cut:])
        folder.corpus("shuffle", "in.bin", "rest", *options).ok()
    else:
        cut = sum(map(len, large.whole[: LINES // 20]))
        folder.write("in.bin", lzma.compress(data[:cut], preset=0))
        folder.write("rest", data[cut:])
        folder.corpus("shuffle", "in.bin", "rest", *options).ok()
    assert folder.read("out") == large.expected


def test_parts_concatenate_to_the_whole(large: Large):
    """--part 1/3 … 3/3, each with its own memory."""
    parts = [large.run("--part", f"{i}/3", "-m", m) for i, m in ((1, "64MiB"), (2, "8G"), (3, "100MiB"))]
    assert b"".join(parts) == large.expected
    assert b"".join(large.run("--part", f"{i}/2", "-m", "64MiB", "--no-temp") for i in (1, 2)) == large.expected


@pytest.mark.parametrize("options", ["-m 64MiB", "-m 8G", "-m 64MiB --no-temp"])
def test_shards_concatenate_to_the_whole(large: Large, options: str):
    """--shards 7: counts differ by at most one."""
    large.folder.corpus(
        "shuffle", "large.txt", "-s", SEED, "-q", "-o", "shard-{shard}", "--shards", "7", *options.split()
    ).ok()
    pieces = [large.folder.read(f"shard-{i}") for i in range(7)]
    assert b"".join(pieces) == large.expected
    counts = [piece.count(b"\n") for piece in pieces]
    assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize("options", ["-m 64MiB", "-m 8G -j 2", "-m 64MiB --no-temp"])
@pytest.mark.parametrize("share", [0.0, 0.00001, 0.01, 0.9, 1.5])
def test_a_head_is_the_head(large: Large, options: str, share: float):
    """-n K is the first K records of the whole: none, a few, more than the memory holds, more than there are."""
    count = int(share * LINES) + (share == 0.00001)
    kept = large.expected.split(b"\n", count)
    wanted = large.expected if len(kept) <= count else large.expected[: len(large.expected) - len(kept[-1])]
    assert large.run("-n", count, *options.split()) == wanted


COMPRESSORS = {
    "plain": lambda data: data if is_plain(data) else gzip.compress(data),
    "gz": lambda data: gzip.compress(data, 1),
    "padded gz": lambda data: gzip.compress(data, 1) + bytes(100),
    "bz2": lambda data: bz2.compress(data, 1),
    "xz": lambda data: lzma.compress(data, preset=0),
    "padded xz": lambda data: lzma.compress(data, preset=0) + bytes(8),
    "zst": lambda data: zstandard.compress(data, 1),
    "zst, checked, no size": lambda data: zstandard.ZstdCompressor(
        level=1, write_checksum=True, write_content_size=False
    ).compress(data),
    "skippable": lambda data: struct.pack("<II", 0x184D2A5B, 9) + b"whatever\n" + zstandard.compress(data),
    "skippable behind": lambda data: zstandard.compress(data) + struct.pack("<II", 0x184D2A50, 0),
}
TEXTS = st.lists(st.binary(max_size=12) | st.just(b"\n" * 9), max_size=60).map(b"\n".join)


@settings(max_examples=60)
@given(st.data(), TEXTS)
def test_cut_into_pieces_and_members(tmp_path_factory, data, text):
    """Inputs cut between records, members and frames cut anywhere, of any mix of formats: as one plain file."""
    path = tmp_path_factory.mktemp("pieces")
    whole = records(text)
    text = b"".join(whole)
    inputs, at = [], 0
    for number in range(data.draw(st.integers(1, 4))):
        size = data.draw(st.integers(0, len(whole) - at)) if number < 3 else len(whole) - at
        piece, at = b"".join(whole[at : at + size]), at + size
        members = data.draw(st.integers(1, 3))
        name = data.draw(st.sampled_from(sorted(COMPRESSORS)))
        cuts = sorted(data.draw(st.integers(0, len(piece))) for _ in range(members - 1))
        pieces = [piece[a:b] for a, b in zip([0, *cuts], [*cuts, len(piece)], strict=True)]
        inputs.append(path / f"in{number}")
        assume(is_plain(piece))
        inputs[-1].write_bytes(b"".join(map(COMPRESSORS[name], pieces)))
    rest = b"".join(whole[at:])
    inputs.append(path / "rest")
    inputs[-1].write_bytes(rest)
    assume(is_plain(rest))
    result = shuffle(inputs, path / "out", seed="pieces", memory=PLENTY, workers=data.draw(st.integers(1, 3)))
    assert (path / "out").read_bytes() == shuffled(whole, "pieces")
    assert result.records == len(whole)


@settings(max_examples=40)
@given(st.data(), st.integers(0, 40), st.integers(1, 60), st.booleans())
def test_more_shards_parts_and_heads_than_records(tmp_path_factory, data, count, pieces, no_temp):
    """Shards without records are empty files, parts too; a head of a part is the part's head."""
    path = tmp_path_factory.mktemp("shards")
    whole = [b"%d\n" % i for i in range(count)]
    (path / "in").write_bytes(b"".join(whole))
    expected = shuffled(whole, "few")
    options = {"seed": "few", "memory": PLENTY, "workers": data.draw(st.integers(1, 2)), "no_temp": no_temp}
    shuffle(path / "in", path / "s-{shard}", shards=pieces, **options)
    shards = [one.read_bytes() for one in sorted(path.glob("s-*"))]
    assert len(shards) == pieces
    assert b"".join(shards) == expected
    assert [one.count(b"\n") for one in shards] == [
        (i + 1) * count // pieces - i * count // pieces for i in range(pieces)
    ]
    parts = min(pieces, 6)
    keep = data.draw(st.integers(0, count))
    out = b""
    for number in range(1, parts + 1):
        shuffle(path / "in", path / "p", part=(number, parts), **options)
        part = (path / "p").read_bytes()
        shuffle(path / "in", path / "h", part=(number, parts), head_count=keep, **options)
        assert (path / "h").read_bytes() == b"".join(part.splitlines(keepends=True)[:keep])
        out += part
    assert out == expected
    shuffle(path / "in", path / "k-{shard}", shards=3, head_count=keep, **options)
    assert b"".join((path / f"k-{i}").read_bytes() for i in range(3)) == b"".join(
        expected.splitlines(keepends=True)[:keep]
    )


def test_aligned_files_are_shuffled_alike(tmp_path: Path):
    """Two files of equally many records keep their records side by side, whatever their sizes."""
    count = 20_000 if COMPILED else 2000
    (tmp_path / "en").write_bytes(b"".join(b"%d %s\n" % (i, b"x" * (i % 500)) for i in range(count)))
    (tmp_path / "de").write_bytes(b"".join(b"%d\n" % i for i in range(count)))
    for name in ("en", "de"):
        shuffle(tmp_path / name, tmp_path / f"{name}.out", seed="aligned", memory=PLENTY)
    en, de = ((tmp_path / f"{name}.out").read_bytes().splitlines() for name in ("en", "de"))
    assert [line.split()[0] for line in en] == de


def test_appended_records_leave_the_others_in_order(tmp_path: Path):
    """The old records keep their relative order when the input grows."""
    lines = [b"%d\n" % i for i in range(3000)]
    outs = []
    for count in (2000, 3000):
        (tmp_path / "in").write_bytes(b"".join(lines[:count]))
        shuffle(tmp_path / "in", tmp_path / "out", seed="grow", memory=PLENTY)
        outs.append([int(line) for line in (tmp_path / "out").read_bytes().split()])
    assert outs[0] == [number for number in outs[1] if number < 2000]

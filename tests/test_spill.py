"""What is spilled comes back whole, whatever codecs it got in turn; what was damaged is named."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpustools.errors import CorpusError
from corpustools.files.temporary import TemporaryFiles
from corpustools.stages.shuffle.choice import Choice, Surroundings
from corpustools.stages.shuffle.codecs import CODECS, LZ4, RAW, ZSTD, BlockCodec
from corpustools.stages.shuffle.pool import Pool
from corpustools.stages.shuffle.spill import Spill, SpillRun

BLOCK, BLOCKS = 4096, 24
# What is appended at a time: blocks, and the codec.
appends = st.lists(st.tuples(st.integers(1, 9), st.sampled_from(range(len(CODECS)))), min_size=1, max_size=12)


class Disk:
    """A spill over a few blocks of 4 KiB, with parcels and extents so small that blocks cross the ends of both."""

    def __init__(self, folder: Path, direct: bool, parcel: int = 3 * BLOCK, extent: int = 4 * BLOCK) -> None:
        self.pool = Pool(BLOCKS, BLOCK, 2)
        self.files = TemporaryFiles([str(folder)], extent, direct=direct)
        self.choice = Choice("raw", self.files, Surroundings(1, 0))
        self.spill = Spill(self.files, self.pool, self.choice, 1, parcel, direct)

    def append(self, run: SpillRun, blocks: list[bytes], codec: int) -> None:
        """Spill blocks from anywhere in the pool."""
        numbers = random.Random(len(blocks)).sample(range(BLOCKS), len(blocks))
        for number, block in zip(numbers, blocks, strict=True):
            self.pool.block(number)[:] = block
        self.choice.codec = codec
        self.spill.append(run, numbers)

    def read(self, run: SpillRun, sizes: list[int]) -> list[bytes]:
        """Read a run back, so many blocks at a time in turn."""
        out: list[bytes] = []
        at, turn = 0, 0
        while len(out) < run.blocks:
            numbers = list(range(min(sizes[turn % len(sizes)], run.blocks - len(out))))
            at, turn = self.spill.read(run, len(out), numbers, at), turn + 1
            out += [bytes(self.pool.block(number)) for number in numbers]
        return out


def block_of(number: int) -> bytes:
    """A block of words, of noise, or of both; every third does not get smaller by packing."""
    chance = random.Random(number)
    words = b"".join(b"%d words of a line\n" % chance.randrange(100_000) for _ in range(300))
    return (words[:BLOCK], chance.randbytes(BLOCK), words[: BLOCK // 2] + chance.randbytes(BLOCK // 2))[number % 3]


@settings(max_examples=40)
@given(rows=st.lists(appends, min_size=1, max_size=3), sizes=st.lists(st.integers(1, 20), min_size=1, max_size=4))
@pytest.mark.parametrize("direct", [False, True])
def test_runs_come_back_whole(tmp_path_factory: pytest.TempPathFactory, direct: bool, rows: list, sizes: list[int]):
    """Of several runs that grow in turn, with codecs that change, read in groups of any size."""
    disk = Disk(tmp_path_factory.mktemp("spill"), direct)
    runs, wanted, number = [SpillRun() for _ in rows], [[] for _ in rows], 0
    for step in range(max(map(len, rows))):
        for row, run, blocks in zip(rows, runs, wanted, strict=True):
            if step < len(row):
                count, codec = row[step]
                some = [block_of(number + i) for i in range(count)]
                disk.append(run, some, codec)
                blocks += some
                number += count
    for run, blocks in zip(runs, wanted, strict=True):
        assert disk.read(run, sizes) == blocks
        disk.spill.release(run)
    disk.files.close()


@pytest.mark.parametrize("codec", [LZ4, ZSTD])
def test_words_take_less_room(tmp_path: Path, codec: int):
    """What is packed is much smaller on disk, and parcels are as long as direct writing wants them."""
    disk, run = Disk(tmp_path, True, parcel=64 << 10, extent=1 << 20), SpillRun()
    disk.append(run, [block_of(3 * i) for i in range(20)], codec)
    assert run.length % 4096 == 0
    assert run.length < 20 * BLOCK * 7 // 10
    disk.files.close()


@settings(max_examples=150)
@given(
    rows=appends,
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=6),
    front=st.booleans(),
)
def test_damage_is_named(tmp_path_factory: pytest.TempPathFactory, rows: list, changes: list, front: bool):
    """Bytes that change on disk, in heads of frames or anywhere: other records never come back."""
    disk, run, blocks = Disk(tmp_path_factory.mktemp("spill"), False), SpillRun(), []
    for number, (count, codec) in enumerate(rows):
        blocks += (some := [block_of(100 * number + i) for i in range(count)])
        disk.append(run, some, codec)
    for place, change in changes:
        at = int(place * (64 if front else run.length))
        byte = bytearray(1)
        disk.files.read(run.extents[at // disk.files.extent_bytes], at % disk.files.extent_bytes, [memoryview(byte)])
        disk.files.write(
            run.extents[at // disk.files.extent_bytes], at % disk.files.extent_bytes, [bytes([byte[0] ^ change])]
        )
    said = "whole"
    try:
        assert disk.read(run, [5]) == blocks
    except CorpusError as error:
        said = f"{type(error).__name__} {error}"
    disk.files.close()
    assert said == "whole" or said.startswith("DataError temporary data"), said


@given(data=st.binary(max_size=80), size=st.sampled_from([0, 1, 4096, 1 << 40]))
def test_random_bytes_unpack_to_nothing_of_another_size(data: bytes, size: int):
    """Whatever the bytes say, no more than the wanted size is allocated or written."""
    out = bytearray(4096)
    for codec in (LZ4, ZSTD):
        for head in (b"", b"\x28\xb5\x2f\xfd", b"\x28\xb5\x2f\xfd\xe0" + size.to_bytes(8, "little")):
            packed = head + data
            assert BlockCodec().unpack(codec, packed, 0, len(packed), out, 0, 4096) in (True, False)
    assert len(out) == 4096


def test_raw_needs_no_memory_for_packing(tmp_path: Path):
    """Where nothing is ever packed, there are no parcels."""
    disk, run = Disk(tmp_path, True, parcel=0), SpillRun()
    disk.append(run, [block_of(1)], RAW)
    assert disk.read(run, [1]) == [block_of(1)]
    disk.files.close()

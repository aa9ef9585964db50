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
from corpustools.stages.shuffle.pieces import Share, SpillGroup, SpillRun, extent_bytes
from corpustools.stages.shuffle.pool import Pool
from corpustools.stages.shuffle.spill import Spill

BLOCK, BLOCKS, WIDTH = 4096, 24, 3
# What is written at a time: the blocks of each of three buckets, no more than the pool has, and the codec.
pieces = st.lists(
    st.tuples(
        st.lists(st.integers(0, 8), min_size=WIDTH, max_size=WIDTH).filter(any), st.sampled_from(range(len(CODECS)))
    ),
    min_size=1,
    max_size=8,
)


class Disk:
    """A spill over a few blocks of 4 KiB, with parcels so small that a piece needs several."""

    def __init__(self, folder: Path, direct: bool, parcel: int = 3 * BLOCK, directories: int = 1) -> None:
        self.pool = Pool(BLOCKS, BLOCK, 2)
        extent = extent_bytes(BLOCKS * BLOCK, WIDTH) + BLOCKS * BLOCK
        self.files = TemporaryFiles([str(folder)] * directories, extent, direct=direct)
        self.choice = Choice("raw", self.files, Surroundings(1, 0))
        self.spill = Spill(self.files, self.pool, self.choice, 1, parcel, BLOCKS * BLOCK, WIDTH)

    def write(self, blocks: list[tuple[SpillRun, list[bytes]]], codec: int) -> None:
        """Spill blocks of some buckets from anywhere in the pool."""
        numbers, shares = random.Random(len(blocks)).sample(range(BLOCKS), BLOCKS), []
        for run, some in blocks:
            mine, numbers = numbers[: len(some)], numbers[len(some) :]
            for number, block in zip(mine, some, strict=True):
                self.pool.block(number)[:] = block
            if some:
                shares.append(Share(run, run.blocks, mine))
                run.blocks += len(some)
        self.choice.codec = codec
        self.spill.write(shares)

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


def runs_of(rows: list[tuple[list[int], int]], disk: Disk) -> tuple[list[SpillRun], list[list[bytes]]]:
    """Spill pieces; return the runs of the buckets, and the blocks of each."""
    group, number = SpillGroup(WIDTH), 0
    runs, wanted = [SpillRun(group, slot) for slot in range(WIDTH)], [[] for _ in range(WIDTH)]
    for counts, codec in rows:
        piece = []
        for run, blocks, count in zip(runs, wanted, counts, strict=True):
            piece.append((run, [block_of(number + i) for i in range(count)]))
            blocks += piece[-1][1]
            number += count
        disk.write(piece, codec)
    return runs, wanted


@settings(max_examples=60, deadline=None)
@given(rows=pieces, sizes=st.lists(st.integers(1, 20), min_size=1, max_size=4))
@pytest.mark.parametrize("direct", [False, True])
def test_runs_come_back_whole(tmp_path_factory: pytest.TempPathFactory, direct: bool, rows: list, sizes: list[int]):
    """Of several buckets in the same pieces, with codecs that change, read in groups of any size."""
    disk = Disk(tmp_path_factory.mktemp("spill"), direct, directories=2)
    runs, wanted = runs_of(rows, disk)
    for run, blocks in zip(runs, wanted, strict=True):
        assert disk.read(run, sizes) == blocks
        disk.spill.release(run)
    assert not runs[0].group.extents
    disk.files.close()


@pytest.mark.parametrize("codec", [LZ4, ZSTD])
def test_words_take_less_room(tmp_path: Path, codec: int):
    """What is packed is much smaller on disk."""
    disk = Disk(tmp_path, True, parcel=64 << 10)
    run = SpillRun(SpillGroup(WIDTH), 1)
    disk.write([(run, [block_of(3 * i) for i in range(20)])], codec)
    ((_, start, size),) = run.group.shares(1)
    assert start == 0
    assert size < 20 * BLOCK * 7 // 10
    disk.files.close()


def test_noise_fits_its_extent(tmp_path: Path):
    """Where nothing becomes smaller by packing, the heads and the whole pages still have their room."""
    for block, width, parcel in ((4096, 1, 128 << 10), (4096, 32, 128 << 10), (65536, 7, 128 << 10)):
        pool, size = Pool((1 << 20) // block, block, 2), 1 << 20
        files = TemporaryFiles([str(tmp_path)], extent_bytes(size, width), direct=True)
        choice = Choice("lz4", files, Surroundings(1, 0))
        spill, group = Spill(files, pool, choice, 1, parcel, size, width), SpillGroup(width)
        for number in range(pool.blocks):
            pool.block(number)[:] = random.Random(number).randbytes(block)
        runs = [SpillRun(group, slot) for slot in range(width)]
        shares = [Share(run, 0, list(range(slot, pool.blocks, width))) for slot, run in enumerate(runs)]
        spill.write([share for share in shares if share.numbers])
        assert sum(sum(size for _, _, size in group.shares(slot)) for slot in range(width)) <= files.extent_bytes
        files.close()


@settings(max_examples=150, deadline=None)
@given(
    rows=pieces,
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=6),
    front=st.booleans(),
)
def test_damage_is_named(tmp_path_factory: pytest.TempPathFactory, rows: list, changes: list, front: bool):
    """Bytes that change on disk, in heads of frames or anywhere: other records never come back."""
    disk = Disk(tmp_path_factory.mktemp("spill"), False)
    runs, wanted = runs_of(rows, disk)
    for place, change in changes:
        extent, start, size = random.Random(place).choice(
            [share for slot in range(WIDTH) for share in runs[0].group.shares(slot)]
        )
        at, byte = start + int(place * (64 if front else size)), bytearray(1)
        disk.files.read(extent, at, [memoryview(byte)])
        disk.files.write(extent, at, [bytes([byte[0] ^ change])])
    for run, blocks in zip(runs, wanted, strict=True):
        said = "whole"
        try:
            assert disk.read(run, [5]) == blocks
        except CorpusError as error:
            said = f"{type(error).__name__} {error}"
        assert said == "whole" or said.startswith("DataError temporary data"), said
    disk.files.close()


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
    disk, run = Disk(tmp_path, True, parcel=0), SpillRun(SpillGroup(WIDTH), 0)
    disk.write([(run, [block_of(1)])], RAW)
    assert disk.read(run, [1]) == [block_of(1)]
    disk.files.close()

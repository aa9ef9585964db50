"""Inputs that stay mapped: the same bytes as copied ones, and no crash when a file shrinks."""

from __future__ import annotations

import mmap
import os
import random
from array import array
from typing import Any

import pytest
from harness import COMPILED, needs_speed

from corpustools.errors import DataError
from corpustools.kernels.records import plain as records_plain
from corpustools.kernels.records.layout import ROW_BYTES, BucketTable
from corpustools.kernels.records.status import Status, Torn
from corpustools.stages.shuffle import pool, scatter, shuffle, shuffle_request
from corpustools.stages.shuffle.plan import plan_shuffle
from corpustools.stages.shuffle.pool import Pool

if COMPILED:
    from corpustools.kernels.records import compiled as records

U64 = (1 << 64) - 1


def lines(size: int, mean: int, seed: int = 1) -> bytes:
    source = random.Random(seed)
    out = bytearray()
    while len(out) < size:
        out += source.randbytes(source.randrange(2 * mean)).replace(b"\n", b"\0") + b"\n"
    return bytes(out)


@needs_speed
@pytest.mark.parametrize("ending", ["newline", "none"])
@pytest.mark.parametrize("size", [1, 300, 262_143, 262_144, 262_208, 3_000_000])
def test_files_of_all_sizes_are_the_same_mapped_and_copied(folder, size, ending):
    """Small files, page-sized ends and missing newlines: mapping shows in nothing."""
    texts = [lines(size, 90, number) for number in range(3)]
    names = [folder.write(f"{number}", text if ending == "newline" else text[:-1]) for number, text in enumerate(texts)]
    paths = [str(folder.path / name) for name in names]
    assert plan_shuffle(shuffle_request(paths, "-", memory="1G")).mapped == (sum(map(os.path.getsize, paths)))
    mapped = folder.corpus("shuffle", *names, "-s", "x", "-m", "1G").ok().stdout
    copied = folder.corpus("shuffle", "-s", "x", "-m", "1G", stdin=b"".join(texts)).ok().stdout
    assert mapped == copied


@needs_speed
def test_giant_records_among_mapped_ones(folder):
    """A record larger than a buffer is read from its place, its neighbours stay mapped, and the cuts are right."""
    text = lines(2_000_000, 90) + b"g" * 9_000_000 + b"\n" + lines(2_000_000, 90, 2) + b"h" * 5_000_000
    name = folder.write("in", text)
    whole = folder.corpus("shuffle", name, "-s", "x", "-m", "1G").ok().stdout
    assert whole == folder.corpus("shuffle", "-s", "x", "-m", "1G", stdin=text + b"\n").ok().stdout
    folder.corpus("shuffle", name, "-s", "x", "-m", "1G", "-o", "out-{shard}", "--shards", "7").ok()
    assert b"".join(folder.read(f"out-{number}") for number in range(7)) == whole


@needs_speed
def test_an_input_that_shrinks_is_an_error_and_no_crash(folder):
    """A truncated mapped file raises SIGBUS: it ends in one line and status 1, and the old output stays."""
    name = folder.write("in", lines(60_000_000, 100))
    process = folder.start("shuffle", name, "-m", "1G", "-q")
    assert process.stdout is not None
    # The pipe is full now, the gather has only begun.
    first = process.stdout.read(1000)
    os.truncate(folder.path / name, 4096)
    folder.outcome(process).failed(1, "became shorter", "leave inputs alone")
    assert len(first) == 1000


class Bucket:
    """One bucket of a pool of small blocks, filled by the compiled kernel."""

    BLOCK, BLOCKS = 1024, 400

    def __init__(self) -> None:
        self.pool = mmap.mmap(-1, self.BLOCK * self.BLOCKS + records.SLACK)
        self.links, self.table = mmap.mmap(-1, 4 * self.BLOCKS), mmap.mmap(-1, ROW_BYTES)
        free = mmap.mmap(-1, 4 * self.BLOCKS)
        self.scatter = records.Scatter(self.pool, self.links, self.table, free, self.BLOCK, 1, 2, U64)
        self.scatter.cover(0, U64 >> 1, 63)
        self.scatter.give(array("I", range(self.BLOCKS)))

    def listed(self, kernel: Any) -> list[array[int]]:
        """Return the words, numbers and spots of all records."""
        rows = BucketTable(self.table)
        count = rows.count(0)
        lists = [array("Q", bytes(8 * size)) for size in (count, count, 2 * count)]
        walk = (rows.head(0), 0, rows.stream_bytes(0), 0)
        found = kernel.index_stream(self.pool, self.links, self.BLOCK, walk, count, 0, U64 >> 32, *lists, 0)
        assert found == (Status.DONE, count)
        return lists

    def gathered(self, kernel: Any, words: array[int], spots: array[int], capacity: int) -> tuple[list[Any], int]:
        """Return what the kernel copies in the order of the words, references among it, and the checksum."""
        out, at, got, checksum = mmap.mmap(-1, capacity + records.SLACK), 0, [], 0
        while at < len(words):
            at, used, check, place, length = kernel.gather(
                self.pool, self.links, self.BLOCK, words, spots, at, len(words), out, capacity, 0
            )
            checksum += check
            got += [out[:used], (place, length)]
        return got, checksum & U64


@needs_speed
@pytest.mark.parametrize("record_bytes", [0, 48])
def test_mapped_records_are_gathered_like_copied_ones(record_bytes):
    """Records of a stream may be addresses, bytes, or both in turn: the output and the checksum are the same."""
    text = lines(40_000, 40) if not record_bytes else random.Random(3).randbytes(48 * 700)
    data = mmap.mmap(-1, len(text) + records.SLACK)
    data[: len(text)] = text
    middle = text.index(b"\n", len(text) // 2) + 1 if not record_bytes else 48 * 350
    outputs = []
    for first, second in [(False, False), (True, True), (True, False), (False, True)]:
        bucket = Bucket()
        at, number = bucket.scatter.run(data, 0, middle, 0, 10, record_bytes, first)
        assert (at, bucket.scatter.run(data, middle, len(text), number, 10, record_bytes, second)[0]) == (
            middle,
            len(text),
        )
        words, _, spots = bucket.listed(records)
        order = array("Q", sorted(words))
        got, checksum = bucket.gathered(records, order, spots, len(text))
        assert checksum == bucket.scatter.checksum
        outputs.append(got)
        out = mmap.mmap(-1, 1000 + records.SLACK)
        with pytest.raises(ValueError, match="not all in the list"):
            records.gather(bucket.pool, bucket.links, 1024, order, spots, 0, len(order) + 1, out, 1000, 0)
        with pytest.raises(Torn, match="outside"):
            records.gather(bucket.pool, bucket.links, 1024, array("Q", [len(order)]), spots, 0, 1, out, 1000, 0)
    assert all(one == outputs[0] for one in outputs)


@needs_speed
def test_kernel_and_twin_find_records_of_all_kinds_alike():
    """Bytes in a block and across blocks, addresses, references: the lists and the copies are equal."""
    text = lines(60_000, 120)
    data = mmap.mmap(-1, len(text) + records.SLACK)
    data[: len(text)] = text
    bucket, at, number, source = Bucket(), 0, 0, random.Random(5)
    while at < len(text):
        stop = text.index(b"\n", min(at + source.randrange(3000), len(text) - 1)) + 1
        at, number = bucket.scatter.run(data, at, stop, number, 10, 0, source.random() < 0.5)
        assert at == stop
        bucket.scatter.refer(number, source.getrandbits(60), source.getrandbits(40))
        number += 1
    lists = bucket.listed(records)
    assert lists == bucket.listed(records_plain)
    words, _, spots = lists
    assert {size & 3 for size in spots[1::2]} == {0, 1, 2}
    assert 0 in [size >> 2 for size in spots[1::2]]
    order = array("Q", sorted(words))
    for capacity in (300, len(text)):
        assert bucket.gathered(records, order, spots, capacity) == bucket.gathered(
            records_plain, order, spots, capacity
        )


@needs_speed
@pytest.mark.parametrize("dear", [False, True])
def test_mapped_records_are_copied_where_memory_is_fast(folder, monkeypatch, dear):
    """Records of mapped inputs are copied while new memory comes fast, and the output is the same either way."""
    name = folder.write("in", lines(50_000_000, 60))
    taken = []

    def prepare(pool: Pool, first: int, stop: int) -> None:
        taken.append((stop - first) * pool.block_bytes)
        # The second half of the records comes when memory has turned dear.
        pool.dear = dear and sum(taken) > 30_000_000

    monkeypatch.setattr(Pool, "prepare", prepare)
    shuffle(str(folder.path / name), str(folder.path / "out"), seed="x", memory="1G")
    # Through a pipe nothing is mapped.
    copied = folder.corpus("shuffle", "-s", "x", "-m", "1G", stdin=folder.read(name)).ok().stdout
    assert folder.read("out") == copied
    assert sum(taken) > (30_000_000 if dear else 40_000_000)


def test_slow_memory_stays_slow(monkeypatch):
    """A stretch that came fast does not hide what another thread found out while it was touched."""
    one = Pool(3 * 1024, 4096, 1, holds_all=True)
    monkeypatch.setattr(pool, "populate", lambda memory, start, length: setattr(one, "dear", True))
    assert one.copies
    one.prepare(0, 2 * 1024)
    assert one.dear
    assert not one.copies


@needs_speed
@pytest.mark.parametrize(("wrong", "head"), [(-1, None), (1, None), (1, 5)])
def test_records_that_come_or_go_after_they_were_counted(folder, monkeypatch, wrong, head):
    """Who writes to a mapped input can change the records of a stretch that was counted; numbers would be wrong."""
    name = folder.write("in", lines(1_000_000, 60))
    counts = scatter.count_records
    monkeypatch.setattr(scatter, "count_records", lambda *of: counts(*of) + wrong)
    with pytest.raises(DataError, match="was changed while it was read"):
        shuffle(str(folder.path / name), str(folder.path / "out"), seed="x", memory="1G", head_count=head)


@needs_speed
@pytest.mark.parametrize("where", [0, 1, 31, 32, 33, 63, 64, 100])
def test_the_last_delimiter_is_found(where):
    """last_end agrees with its twin wherever the delimiter stands, and where there is none."""
    for size in (where, where + 1, 130):
        data = bytearray(130 + records.SLACK)
        data[where] = 10
        for start in (0, where, where + 1):
            if start <= size:
                assert records.last_end(data, start, size, 10) == records_plain.last_end(data, start, size, 10)

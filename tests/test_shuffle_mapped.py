"""Inputs that stay mapped: the same bytes as copied ones, and no crash when a file shrinks."""

from __future__ import annotations

import mmap
import os
import random
from array import array

import pytest
from harness import COMPILED, needs_speed

from corpustools.kernels.records import plain as records_plain
from corpustools.kernels.records.layout import ROW_BYTES, BucketTable
from corpustools.kernels.records.status import Status, Torn
from corpustools.stages.shuffle import shuffle_request
from corpustools.stages.shuffle.plan import plan_shuffle

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


@needs_speed
@pytest.mark.parametrize("record_bytes", [0, 48])
def test_mapped_records_are_gathered_like_copied_ones(record_bytes):
    """Scatter with addresses, index_mapped and gather_mapped give what scatter, index_stream and gather give."""
    text = lines(40_000, 40) if not record_bytes else random.Random(3).randbytes(48 * 700)
    data = mmap.mmap(-1, len(text) + records.SLACK)
    data[: len(text)] = text
    outputs = []
    for mapped in (False, True):
        block, blocks = 1024, 400
        pool, links = mmap.mmap(-1, block * blocks + records.SLACK), mmap.mmap(-1, 4 * blocks)
        table = mmap.mmap(-1, ROW_BYTES)
        one = records.Scatter(pool, links, table, mmap.mmap(-1, 4 * blocks), block, 1, 2, U64)
        one.cover(0, U64 >> 1, 63)
        one.give(array("I", range(blocks)))
        at, _ = one.run(data, 0, len(text), 0, 10, record_bytes, mapped)
        assert at == len(text)
        rows = BucketTable(table)
        lists = [mmap.mmap(-1, 8 * 4096) for _ in range(4)]
        walk, count = (rows.head(0), 0, rows.stream_bytes(0), 0), rows.count(0)
        if mapped:
            status, n = records.index_mapped(pool, links, block, walk, count, 0, U64 >> 32, *lists, 0)
        else:
            status, n = records.index_stream(pool, links, block, walk, count, 0, U64 >> 32, *lists[:3], 0)
        assert (status, n) == (Status.DONE, count)
        order = array("Q", sorted(memoryview(lists[0]).cast("Q")[:n]))
        out = mmap.mmap(-1, len(text) + records.SLACK)
        if mapped:
            done, used, check = records.gather_mapped(order, lists[2], lists[3], 0, n, out, len(text), 0)
        else:
            done, used, check, _, _ = records.gather(pool, links, block, order, lists[2], 0, n, out, len(text), 0)
        assert (done, check) == (n, one.checksum)
        outputs.append(out[:used])
        with pytest.raises(ValueError, match="not all in the list"):
            records.gather_mapped(order, lists[2], lists[3], 0, n + 1, out, len(text), 0)
        with pytest.raises(Torn, match="outside"):
            records.gather_mapped(array("Q", [5000]), lists[2], lists[3], 0, 1, out, len(text), 0)
    assert outputs[0] == outputs[1]


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

"""The head of the order: threads that each keep few records, and sets of unequally fine buckets that become alike."""

from __future__ import annotations

import gzip
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard
from harness import MIB, PLENTY, Folder, needs_speed
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import order, records

from corpustools.files.chunks import Chunk, RecordFormat
from corpustools.files.fileset import FileSet
from corpustools.files.outputs import open_output
from corpustools.stages.shuffle import shuffle, shuffle_request
from corpustools.stages.shuffle.order import KEYS, KeyRange, SortKeys
from corpustools.stages.shuffle.plan import plan_shuffle
from corpustools.stages.shuffle.refine import alike, made_finer
from corpustools.stages.shuffle.scatter import empty_sets
from corpustools.stages.shuffle.store import BucketStore
from corpustools.stages.shuffle.tasks import GatherTask, gather

TEXT = b"".join(b"line %d %s\n" % (number, b"x" * (number % 90)) for number in range(60_000))
LINES = records(TEXT)
KEYS_OF_SEED = SortKeys.of_seed("h")


def head(count: int, lines: list[bytes] = LINES) -> bytes:
    """The first records of the order under the seed h."""
    return b"".join(lines[i] for i in order(len(lines), "h")[:count])


@needs_speed
@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("wanted", [0, 1, 10, 3_000, 70_000])
def test_a_head_is_the_first_records_of_the_whole(tmp_path: Path, workers: int, wanted: int):
    """None, one, few, many and all: equal to the order drawn by hand."""
    (tmp_path / "in").write_bytes(TEXT)
    result = shuffle(tmp_path / "in", tmp_path / "out", seed="h", memory=PLENTY, workers=workers, head_count=wanted)
    assert (tmp_path / "out").read_bytes() == head(wanted)
    assert (result.records, result.records_read) == (min(wanted, len(LINES)), len(LINES))


WAYS: dict[str, list[str]] = {
    "a file": ["in"],
    "no last delimiter": ["torn"],
    "two files": ["in", "torn"],
    "a pipe": [],
    "gz": ["in.gz"],
    "frames": ["in.zst"],
    "zero-terminated": ["zeros", "-z"],
    "fixed size": ["in", "--record-bytes", "7"],
    "a header": ["in", "in.gz", "--header", "3"],
    "a part": ["in", "--part", "2/5"],
    "a small part": ["in", "--part", "39/40"],
    "no temporary space": ["in", "--no-temp"],
    "little memory": ["in", "-m", "64MiB", "--no-temp"],
    "page cache spared": ["in", "--direct", "yes"],
    "held out": ["in", "--val", "30", "--val-output", "val"],
    "shards": ["in", "--shards", "2"],
}


@needs_speed
@pytest.mark.parametrize("way", WAYS)
def test_a_head_is_a_head_for_inputs_and_options_of_any_kind(tmp_path: Path, way: str):
    """Equal to the first records of the same command without the option, for a few and for the first two thirds."""
    folder = Folder(tmp_path)
    text = TEXT[: len(TEXT) // 7 * 7]
    folder.write("in", text)
    folder.write("torn", text[:-3])
    folder.write("in.gz", gzip.compress(text, 1))
    folder.write("in.zst", b"".join(zstandard.compress(text[at : at + MIB]) for at in range(0, len(text), MIB)))
    folder.write("zeros", text.replace(b"\n", b"\0"))
    output = "out{shard}" if way == "shards" else "out"
    command, stdin = ["shuffle", "-s", "h", "-j", "2", "-o", output, *WAYS[way]], text if way == "a pipe" else b""

    def run(*more: str) -> bytes:
        folder.corpus(*command, *more, stdin=stdin).ok()
        out = b"".join(path.read_bytes() for path in sorted(tmp_path.glob("out*")))
        return out + (folder.read("val") if way == "held out" else b"")

    whole = run()
    top = 3 if way == "a header" else 0
    lines = records(whole, b"\0" if way == "zero-terminated" else b"\n")
    if way == "fixed size":
        lines = [whole[at : at + 7] for at in range(0, len(whole), 7)]
    for count in (40, 40_000):
        assert run("-n", str(count)) == b"".join(lines[: top + count])


@needs_speed
@given(st.data())
@settings(max_examples=20, deadline=None)
def test_unequally_fine_sets_become_alike(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject):
    """Threads that got different shares of the input, and made their buckets finer or not: the head is the same."""
    folder, sets_of = tmp_path_factory.mktemp("alike"), data.draw(st.integers(2, 3))
    wanted, count = data.draw(st.integers(1, 300)), data.draw(st.integers(1, 20_000))
    (folder / "in").write_bytes(TEXT)
    request = shuffle_request(folder / "in", folder / "out", seed="h", memory=PLENTY, workers=sets_of)
    plan = plan_shuffle(replace(request, head_count=wanted))._replace(buckets=16)
    files = FileSet()
    sink = open_output(request.output, None, plan.workers, files)
    with closing(BucketStore(plan, 10, [str(folder)], "raw")) as store:
        sets = empty_sets(store, KEYS_OF_SEED, KeyRange(0, KEYS - 1), wanted, False)
        number = 0
        while number < count:
            some = LINES[number : min(count, number + data.draw(st.integers(1, 5_000)))]
            mine = data.draw(st.integers(0, sets_of - 1))
            text = b"".join(some)
            sets[mine].distribute(Chunk(text + bytes(64), 0, len(text), 0, 0), number, len(some), RecordFormat())
            sets[mine] = made_finer(sets[mine]) if data.draw(st.booleans()) else sets[mine]
            number += len(some)
        store.buckets = alike(sets)
        assert len({one.shift for one in store.buckets}) == 1
        gather(GatherTask(KEYS_OF_SEED, 0, 0, [], wanted), store, sink)
    sink.finish()
    files.publish()
    assert (folder / "out").read_bytes() == head(wanted, LINES[:count])


@needs_speed
def test_a_head_of_a_large_input_takes_little_memory(tmp_path: Path):
    """What is not wanted any more is let go of while the input is read, not only once the memory is full."""
    folder = Folder(tmp_path)
    folder.write("in", TEXT * 60)
    outcome = folder.measured("shuffle", "-m", "2G", "-j", 2, "-s", 1, "-n", 1000, "in").ok()
    assert outcome.peak < 100 * MIB < len(TEXT) * 60

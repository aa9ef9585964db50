"""The head of the order: threads that each keep few records, and sets of unequally fine buckets that become alike."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from harness import MIB, PLENTY, Folder, needs_speed
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import order, records

from corpustools.files.chunks import Chunk
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


@needs_speed
@given(st.data())
@settings(max_examples=20, deadline=None)
def test_unequally_fine_sets_become_alike(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject):
    """Threads that got different shares of the input, and made their buckets finer or not: the head is the same."""
    folder, sets_of = tmp_path_factory.mktemp("alike"), data.draw(st.integers(2, 3))
    wanted, count = data.draw(st.integers(1, 300)), data.draw(st.integers(1, 20_000))
    (folder / "in").write_bytes(TEXT)
    request = shuffle_request(folder / "in", folder / "out", seed="h", memory=PLENTY, workers=sets_of)
    plan = replace(plan_shuffle(replace(request, head_count=wanted)), buckets=16)
    files = FileSet()
    sink = open_output(request.output, None, plan.workers, files)
    with closing(BucketStore(plan, 10, [str(folder)], "raw")) as store:
        sets = empty_sets(store, KEYS_OF_SEED, KeyRange(0, KEYS - 1), wanted, False)
        number = 0
        while number < count:
            some = LINES[number : min(count, number + data.draw(st.integers(1, 5_000)))]
            mine = data.draw(st.integers(0, sets_of - 1))
            text = b"".join(some)
            sets[mine].distribute(Chunk(text + bytes(64), 0, len(text), 0, 0), number, 10, 0)
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

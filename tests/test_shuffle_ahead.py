"""Reading temporary data while others work: one thread more, and no more work at a time than was asked for."""

from __future__ import annotations

import os
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from reference import records, shuffled

from corpustools.errors import SystemFailure
from corpustools.files.chunks import RecordFormat
from corpustools.files.descriptors import Descriptor, StreamSink
from corpustools.files.fileset import FileSet
from corpustools.files.inputs import inspect
from corpustools.files.outputs import open_output
from corpustools.stages.shuffle.buckets import BucketSet
from corpustools.stages.shuffle.loader import Loader
from corpustools.stages.shuffle.order import KEYS, KeyRange, SortKeys
from corpustools.stages.shuffle.pieces import Share
from corpustools.stages.shuffle.plan import Plan, make_plan
from corpustools.stages.shuffle.spill import Spill
from corpustools.stages.shuffle.store import BucketStore
from corpustools.stages.shuffle.tasks import GatherTask, ScatterTask, gather, scatter
from corpustools.stages.shuffle.writer import RecordWriter

MIB = 1 << 20
TEXT = b"".join(b"%d is the number of this line\n" % number for number in range(120_000))
SEED = SortKeys.of_seed("x")


def small_plan(workers: int, blocks: int, buckets: int) -> Plan:
    """A plan for much less memory than any process has, in which the text does not fit the pool."""
    plan = make_plan(256 * MIB, workers, None, False, 0, 0, direct="yes")
    assert plan.ahead == 1
    return plan._replace(workers=workers, blocks=blocks, block=4096, buckets=buckets, buffer=16384, chunk=4096)


def run(plan: Plan, folder: Path, sink: object = None) -> int:
    """Scatter and gather the text under a plan; return the bytes that were spilled."""
    (folder / "in").write_bytes(TEXT)
    files = FileSet()
    target = sink or open_output(str(folder / "out"), None, plan.workers, files)
    with closing(BucketStore(plan, 10, [str(folder)], "raw")) as store:
        task = ScatterTask(inspect([str(folder / "in")]), RecordFormat(), 0, SEED, KeyRange(0, KEYS - 1), None, False)
        done = scatter(task, store)
        gather(GatherTask(SEED, 0, 0, [], None), store, target)
        spilled = store.spilled_bytes
    target.finish()
    files.publish()
    assert done.records == 120_000
    return spilled


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_no_more_threads_work_than_there_are_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int):
    """One more thread reads the next bucket meanwhile; beside one worker it can be told that it does."""
    lock, writing, most, overlaps = threading.Lock(), 0, 0, 0
    real_write, real_read = RecordWriter.write, Loader._read

    def write(self: RecordWriter, *arguments: object) -> None:
        nonlocal writing, most
        with lock:
            writing += 1
            most = max(most, writing)
        time.sleep(0.002)
        real_write(self, *arguments)
        with lock:
            writing -= 1

    def read(self: Loader, *arguments: object) -> int:
        nonlocal overlaps
        time.sleep(0.001)  # a disk takes its time
        overlaps += writing
        return real_read(self, *arguments)

    monkeypatch.setattr(RecordWriter, "write", write)
    monkeypatch.setattr(Loader, "_read", read)
    spilled = run(small_plan(workers, 800, 32), tmp_path)
    assert spilled > len(TEXT) // 4
    assert most <= workers
    assert overlaps or workers > 1
    assert (tmp_path / "out").read_bytes() == shuffled(records(TEXT), "x")


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_a_stream_is_written_in_turn(tmp_path: Path, workers: int):
    """The lowest bucket may always go on, so that nobody waits for ever."""
    with open(tmp_path / "out", "wb") as file:
        run(small_plan(workers, 400 * workers, 32), tmp_path, StreamSink(file.fileno(), "out", close=False))
    assert (tmp_path / "out").read_bytes() == shuffled(records(TEXT), "x")


@pytest.mark.parametrize(("blocks", "buckets"), [(512, 2), (512, 4), (600, 16), (900, 64), (1100, 8)])
@pytest.mark.parametrize("workers", [1, 2])
def test_pools_of_all_sizes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blocks: int, buckets: int, workers: int):
    """Buckets larger than the pool, pools that open blocks nearly fill, and some that almost suffice.

    When the inputs end, what waits to be spilled is never more than what is free or becomes free before it.
    """
    real = BucketSet.settle

    def settle(self: BucketSet) -> None:
        real(self)
        waiting = sum(count for count, _ in self._waiting())
        assert waiting <= self._resident_blocks() + self.kernel.free_count

    monkeypatch.setattr(BucketSet, "settle", settle)
    run(small_plan(workers, blocks * workers, buckets), tmp_path)
    assert (tmp_path / "out").read_bytes() == shuffled(records(TEXT), "x")


def test_pieces_are_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What is spilled goes in pieces of many blocks, not one by one."""
    pieces = []
    real = Spill.write

    def write(self: Spill, shares: list[Share]) -> None:
        pieces.append(sum(len(share.numbers) for share in shares))
        real(self, shares)

    monkeypatch.setattr(Spill, "write", write)
    spilled = run(small_plan(1, 640, 8), tmp_path)
    assert sum(pieces) * 4096 == spilled
    assert sum(pieces) / len(pieces) > 10


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("fails_at", [0, 3])
def test_a_full_disk_ends_the_threads_that_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers, fails_at):
    """In the middle of an output that a thread behind the worker writes: one error, and no thread is left."""
    before, writes = threading.active_count(), 0

    def fails(self: Descriptor, offset: int, view: memoryview) -> None:
        nonlocal writes
        writes += 1
        if writes > fails_at:
            raise SystemFailure("out: writing failed at byte 5: no space left", "free some space")

    monkeypatch.setattr(Descriptor, "write_at", fails)
    sink = open_output(str(tmp_path / "out"), None, workers, FileSet())
    sink.spare_cache()
    with pytest.raises(SystemFailure, match="no space left"):
        run(small_plan(workers, 400 * workers, 32), tmp_path, sink)
    sink.abort()
    assert threading.active_count() == before
    assert os.listdir(tmp_path) == ["in"]


@pytest.mark.parametrize("length", [1, 7, 1000, 4095, 4096, 16300])
def test_records_of_any_length_pass_by_pages(tmp_path: Path, length: int):
    """Their ends fall anywhere in the pages of a file that is written past the page cache, buffers full or not."""
    text = b"".join(b"%0*d\n" % (length, number) for number in range(max(40, 3_000_000 // (length + 1))))
    (tmp_path / "in").write_bytes(text)
    files, plan = FileSet(), small_plan(2, 900, 32)
    sink = open_output(str(tmp_path / "out"), None, 2, files)
    sink.spare_cache()
    with closing(BucketStore(plan, 10, [str(tmp_path)], "raw")) as store:
        task = ScatterTask(inspect([str(tmp_path / "in")]), RecordFormat(), 0, SEED, KeyRange(0, KEYS - 1), None, False)
        scatter(task, store)
        gather(GatherTask(SEED, 0, 0, [], None), store, sink)
    sink.finish()
    files.publish()
    assert (tmp_path / "out").read_bytes() == shuffled(records(text), "x")

"""The tasks of a shuffle: plain data in and out, called by hand in a loop of their own."""

from __future__ import annotations

import doctest
import pickle
from contextlib import closing
from dataclasses import replace
from mmap import mmap
from pathlib import Path

import pytest
from harness import PLENTY
from reference import order, records, shuffled

import corpustools
from corpustools.files.chunks import SLACK, RecordFormat
from corpustools.files.fileset import FileSet
from corpustools.files.inputs import inspect
from corpustools.files.outputs import open_output
from corpustools.stages.shuffle import run, shuffle, shuffle_request
from corpustools.stages.shuffle.order import KEYS, KeyRange, SortKeys
from corpustools.stages.shuffle.plan import plan_shuffle
from corpustools.stages.shuffle.store import BucketStore
from corpustools.stages.shuffle.tasks import CountTask, GatherTask, ScatterTask, count, gather, scatter

TEXT = b"".join(b"line %d\n" % number for number in range(3000))
ALL = KeyRange(0, KEYS - 1)


@pytest.fixture
def text(tmp_path: Path) -> str:
    path = tmp_path / "in"
    path.write_bytes(TEXT)
    return str(path)


def scatter_task(path: str, **changes: object) -> ScatterTask:
    """The whole of one input, under the seed x."""
    task = ScatterTask(inspect([path]), RecordFormat(), 0, SortKeys.of_seed("x"), ALL, None, False)
    return task._replace(**changes)


def test_scatter_and_gather_are_the_shuffle(text: str, tmp_path: Path):
    """Key range by key range, each a scatter and a gather: what a loop of one's own writes is the whole output."""
    request = shuffle_request(text, tmp_path / "out", seed="x", memory=PLENTY)
    plan = plan_shuffle(request)
    files = FileSet()
    sink = open_output(request.output, None, plan.workers, files)
    with closing(BucketStore(plan, 10, [str(tmp_path)], "raw")) as store:
        position = offset = 0
        for low in range(0, KEYS, KEYS // 4):
            done = scatter(scatter_task(text, wanted=KeyRange(low, KEYS // 4 - 1)), store)
            assert (done.records, done.keys_done, done.checksum_known) == (3000, KEYS // 4, True)
            task = GatherTask(SortKeys.of_seed("x"), position, offset, [], None)
            receipt = gather(task, store, sink)
            assert receipt.written == done.held
            position, offset = position + receipt.written.records, offset + receipt.written.size
    sink.finish()
    files.publish()
    assert Path(tmp_path / "out").read_bytes() == shuffled(records(TEXT), "x")


def test_tasks_and_receipts_are_plain_data(text: str, tmp_path: Path):
    """They go through a pickle and come out equal, which a journal and a cluster rely on."""
    plan = plan_shuffle(shuffle_request(text, tmp_path / "out", memory=PLENTY))
    with closing(BucketStore(plan, 10, [str(tmp_path)], None)) as store:
        receipt = scatter(scatter_task(text, check_all=True), store)
    assert receipt.checksum_all == receipt.held.checksum
    for one in (scatter_task(text), receipt, GatherTask(SortKeys.of_seed("x"), 0, 0, [1], None)):
        assert pickle.loads(pickle.dumps(one)) == one


def test_counted_inputs_are_scattered_one_by_one(text: str, tmp_path: Path):
    """A count of the first input gives the number at which the second begins: same keys as in one go."""
    second = tmp_path / "second"
    second.write_bytes(b"more\n" * 100)
    first = count(CountTask(inspect([text]), RecordFormat(), 1 << 20), mmap(-1, 4096 + SLACK))
    assert first == 3000
    plan = plan_shuffle(shuffle_request([text, second], tmp_path / "out", memory=PLENTY))
    low = KeyRange(0, KEYS // 2 - 1)
    with closing(BucketStore(plan, 10, [str(tmp_path)], "raw")) as store:
        whole = scatter(scatter_task(text, inputs=inspect([text, str(second)]), wanted=low), store).held
        parts = [scatter(scatter_task(text, wanted=low), store).held]
        parts.append(scatter(scatter_task(str(second), wanted=low, first=first), store).held)
    assert whole.records == sum(part.records for part in parts)
    assert whole.checksum == sum(part.checksum for part in parts) % KEYS


@pytest.mark.parametrize("size", [100, 5000])
def test_records_are_counted(tmp_path: Path, size: int):
    """Also those that are longer than the buffer."""
    (tmp_path / "in").write_bytes((b"x" * size + b"\n") * 50 + b"end")
    assert count(CountTask(inspect([str(tmp_path / "in")]), RecordFormat(), 1 << 20), mmap(-1, 4096 + SLACK)) == 51


def test_the_mask_of_the_keys_changes_the_order_alone(text: str, tmp_path: Path):
    """What tests crowd records into few keys with: given in the request, not in an option."""
    request = shuffle_request(text, tmp_path / "out", seed="x", memory=PLENTY)
    run.run_shuffle(replace(request, keys=request.keys._replace(mask=0xFF)))
    whole = records(TEXT)
    assert (tmp_path / "out").read_bytes() == b"".join(whole[i] for i in order(len(whole), "x", 0xFF))


def test_the_session_in_the_docstring_is_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """`shuffle` as its documentation shows it."""
    monkeypatch.chdir(tmp_path)
    Path("letters.txt").write_bytes(b"a\nb\n")
    found = doctest.DocTestFinder().find(shuffle, "shuffle", globs={"shuffle": corpustools.shuffle})
    runner = doctest.DocTestRunner()
    assert [runner.run(one).failed for one in found] == [0]
    assert sorted(Path("shuffled.txt").read_bytes().split()) == [b"a", b"b"]

"""Work on a thread behind the one that asks for it: order, failures, and an end in all cases."""

from __future__ import annotations

import threading
from queue import SimpleQueue

import pytest

from corpustools.files.behind import WorkBehind
from corpustools.files.ordered import Stopped


def threads() -> int:
    """Return how many threads there are."""
    return threading.active_count()


def test_items_come_back_in_order():
    """The owner goes on meanwhile, and takes back what is done, waiting or not."""
    gate: SimpleQueue[None] = SimpleQueue()
    done, before = [], threads()

    def work(item: int) -> None:
        gate.get()
        done.append((item, threading.current_thread() is not threading.main_thread()))

    behind = WorkBehind(work)
    assert behind.take(wait=True) is None
    for item in range(5):
        behind.submit(item)
    assert behind.pending == 5
    assert behind.take(wait=False) is None
    for item in range(5):
        gate.put(None)
        assert behind.take(wait=True) == item
    assert behind.take(wait=True) is None
    assert done == [(item, True) for item in range(5)]
    behind.close()
    assert threads() == before


def test_a_failure_comes_in_the_place_of_its_item():
    """Items before it come back; those behind it are not worked on, and fail as well."""
    worked = []

    def work(item: int) -> None:
        worked.append(item)
        if item == 2:
            raise OSError("full")

    behind = WorkBehind(work)
    for item in range(5):
        behind.submit(item)
    assert [behind.take(wait=True), behind.take(wait=True)] == [0, 1]
    for _ in range(3):
        with pytest.raises(OSError, match="full"):
            behind.take(wait=True)
    assert worked == [0, 1, 2]
    behind.close()


def test_closing_gives_up_what_has_not_begun():
    """The item in work is done, nobody waits for ever for the others, and no thread is left."""
    begun, gate, worked, before = threading.Event(), threading.Event(), [], threads()

    def work(item: int) -> None:
        begun.set()
        gate.wait()
        worked.append(item)

    behind = WorkBehind(work)
    for item in range(3):
        behind.submit(item)
    begun.wait()
    threading.Timer(0.05, gate.set).start()
    behind.close()
    behind.close()
    assert worked == [0]
    outcomes = []
    for _ in range(3):
        try:
            outcomes.append(behind.take(wait=True))
        except Stopped:
            outcomes.append("stopped")
    assert sorted(map(str, outcomes)) == ["0", "stopped", "stopped"]
    assert threads() <= before + 1  # the timer


def test_without_threads_the_owner_does_the_work(monkeypatch: pytest.MonkeyPatch):
    """Where the system gives none."""

    def fails(_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fails)
    worked: list[int] = []
    behind = WorkBehind(worked.append)
    behind.submit(7)
    assert worked == [7]
    assert behind.take(wait=False) == 7
    behind.close()

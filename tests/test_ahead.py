"""Items from another thread: in order, no more bytes ahead than allowed, failures in their places, nothing left."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from corpustools.files import ahead
from corpustools.files.ahead import read_ahead


def one(item: int) -> int:
    """The size of an item."""
    return 1


@pytest.mark.parametrize("most", [0, 1, 3, 100])
def test_all_items_come_in_order(most: int):
    """Whatever may wait; the generator runs on one other thread."""
    threads = set()

    def items():
        for i in range(200):
            threads.add(threading.current_thread())
            yield i

    assert list(read_ahead(items(), one, most)) == list(range(200))
    assert len(threads) == 1
    assert threading.current_thread() not in threads
    assert list(read_ahead((i for i in ()), one, most)) == []


@pytest.mark.parametrize("most", [0, 2, 5])
def test_no_more_bytes_wait_than_allowed(most: int):
    """What was given last counts too: a large item is never made while another one is in use."""
    made = 0

    def items():
        nonlocal made
        for i in range(50):
            made = i + 1
            yield i

    for i in read_ahead(items(), one, most):
        time.sleep(0.002)
        # One more is made as soon as what is there is no more than allowed.
        assert made <= i + most + 1


def test_a_failure_comes_where_its_item_would():
    """All items before it are given."""

    def items():
        yield from range(3)
        raise ValueError("the fourth")

    given = read_ahead(items(), one, 100)
    assert [next(given) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="the fourth"):
        next(given)


def test_an_early_end_closes_the_generator():
    """On its own thread, which has ended then."""
    closed: list[threading.Thread] = []
    before = threading.active_count()

    def items():
        try:
            yield from range(1000)
        finally:
            closed.append(threading.current_thread())

    given: Iterator[int] = read_ahead(items(), one, 2)
    assert next(given) == 0
    given.close()  # type: ignore[attr-defined]
    assert closed
    assert closed[0] is not threading.current_thread()
    assert threading.active_count() == before


def test_without_a_thread_the_items_come_all_the_same(monkeypatch: pytest.MonkeyPatch):
    """Where the system gives none."""

    class NoThread(threading.Thread):
        def start(self) -> None:
            raise RuntimeError("can't start new thread")

    monkeypatch.setattr(ahead.threading, "Thread", NoThread)
    assert list(read_ahead((i for i in range(5)), one, 1)) == list(range(5))

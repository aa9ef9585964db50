"""Order among threads: results come out as their tasks went in, and turns are taken one after another."""

from __future__ import annotations

import random
import threading
import time
import weakref
from collections.abc import Callable

import pytest

from corpustools.files.ordered import OrderedTasks, Pool, Stopped, Turns


def slow_square(number: int) -> int:
    """Take a time that has nothing to do with the order."""
    time.sleep(random.Random(number).random() / 500)
    return number * number


def run_all(workers: int, deliver: Callable[[int], None], task: Callable[[int], int], count: int) -> None:
    """Submit a task for each of the first numbers."""
    with OrderedTasks(workers, deliver) as tasks:
        for number in range(count):
            tasks.submit(task, number)


@pytest.mark.parametrize("workers", [1, 2, 3, 8])
def test_results_come_in_the_order_of_their_tasks(workers: int):
    """Serial and parallel runs deliver the same, on the owner's thread."""
    results, threads = [], set()

    def deliver(result: int) -> None:
        results.append(result)
        threads.add(threading.current_thread())

    run_all(workers, deliver, slow_square, 60)
    assert results == [number * number for number in range(60)]
    assert threads == {threading.current_thread()}


def test_one_worker_runs_on_the_owners_thread():
    """Each result is delivered before submit returns."""
    threads, results = [], []
    tasks: OrderedTasks[None] = OrderedTasks(1, results.append)
    for number in range(3):
        tasks.submit(lambda: threads.append(threading.current_thread()))
        assert len(results) == number + 1
    assert set(threads) == {threading.current_thread()}


@pytest.mark.parametrize("workers", [2, 3])
def test_no_more_are_in_flight_than_said(workers: int):
    """While the oldest task is stuck, submit takes workers + 1 tasks and then waits."""
    go, submitted, results = threading.Event(), [], []

    def own() -> None:
        with OrderedTasks(workers, results.append) as tasks:
            for number in range(20):
                tasks.submit(lambda number=number: number or go.wait())
                submitted.append(number)

    owner = threading.Thread(target=own)
    owner.start()
    time.sleep(0.1)
    assert submitted == list(range(workers + 1))
    assert results == []
    go.set()
    owner.join()
    assert results == [True, *range(1, 20)]


def failing(number: int) -> int:
    """Fail at 5."""
    if number == 5:
        raise ValueError("five")
    return slow_square(number)


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_a_failure_comes_at_the_place_of_its_result(workers: int):
    """What was submitted before it is delivered, nothing behind it."""
    results: list[int] = []
    with pytest.raises(ValueError, match="five"):
        run_all(workers, results.append, failing, 20)
    assert results == [0, 1, 4, 9, 16]


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_a_failure_of_deliver_ends_it_too(workers: int):
    """Nothing is delivered behind it."""
    results: list[int] = []

    def deliver(number: int) -> None:
        results.append(number)
        failing(number)

    with pytest.raises(ValueError, match="five"):
        run_all(workers, deliver, int, 20)
    assert results == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failure_of_the_owner_drops_what_is_pending(workers: int):
    """Tasks that have not begun never run, those that run are waited for, nothing is delivered."""
    begun, ended, results = [], [], []

    def task(number: int) -> int:
        begun.append(number)
        time.sleep(0.05)
        ended.append(number)
        return number

    tasks = OrderedTasks(workers, results.append)

    def own() -> None:
        with tasks:
            for number in range(workers + 1):
                tasks.submit(task, number)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        own()
    assert sorted(begun) == sorted(ended)
    assert results == ([0, 1] if workers == 1 else [])
    tasks.close()


def on_threads(jobs: list[Callable[[], None]]) -> None:
    """Run the jobs on threads of their own, to their end."""
    threads = [threading.Thread(target=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_turns_are_taken_in_the_order_of_the_numbers():
    """Whatever the threads' order; inside a turn a thread is alone."""
    turns, order = Turns(lambda: False), []
    numbers = random.Random(1).sample(range(24), 24)

    def job(number: int) -> None:
        with turns.turn(number):
            order.append(number)
            time.sleep(0.001)
            assert order[-1] == number

    on_threads([lambda number=number: job(number) for number in numbers])
    assert order == list(range(24))
    assert turns.current == 24


def test_a_turn_can_be_awaited_before_it_is_taken():
    """wait_for keeps the turn; wait_until returns when something is ready, with or without the condition held."""
    turns, order, stock = Turns(lambda: False), [], []

    def second() -> None:
        turns.wait_for(1)
        order.append("second")
        with turns.condition:
            turns.wait_until(lambda: bool(stock))
        with turns.turn(1):
            order.append("more of it")

    def third() -> None:
        with turns.turn(2):
            order.append("third")

    def first() -> None:
        with turns.turn(0):
            order.append("first")
        with turns.condition:
            stock.append(1)
            turns.condition.notify_all()

    on_threads([third, second, first])
    assert order == ["first", "second", "more of it", "third"]


def test_a_failed_turn_ends_those_who_wait():
    """It is not passed on, and after wake nobody sleeps on."""
    stop, ends = threading.Event(), []
    turns = Turns(stop.is_set)

    def failing_turn() -> None:
        with pytest.raises(ValueError, match="first"), turns.turn(0):
            raise ValueError("first")
        stop.set()
        turns.wake()

    def waiting() -> None:
        with pytest.raises(Stopped), turns.turn(1):
            ends.append("never")
        ends.append("stopped")

    begin = time.monotonic()
    on_threads([waiting, failing_turn])
    assert ends == ["stopped"]
    assert time.monotonic() - begin < 0.9


def test_what_a_task_was_given_goes_when_it_is_done():
    """A thread that waits for the next task holds nothing of the last one."""

    class Large:
        pass

    pool, large = Pool(1), Large()
    gone = weakref.ref(large)
    pool.submit(lambda _: None, (large,)).result()
    del large
    until = time.monotonic() + 10
    while gone() is not None and time.monotonic() < until:
        time.sleep(0.001)
    assert gone() is None
    pool.close()

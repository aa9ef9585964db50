"""Order among threads: results in the order of their tasks, and turns that threads take one after another."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

Result = TypeVar("Result")

# A thread that waits for others looks this often, in seconds, whether the work has stopped meanwhile.
_LOOK = 1.0


class OrderedTasks(Generic[Result]):
    """Runs tasks on several threads and hands their results over in the order in which the tasks were submitted.

    Who does what: one thread, the owner, calls every method. The tasks run on `workers` other threads, several at a
    time. `deliver` takes one result after another; it runs on the owner's thread only, inside `submit` and `drain`, and
    so it needs no lock. While it takes its time, no new tasks come.

    In flight: at most `workers + 1` tasks are submitted and not delivered. When there are as many, `submit` first waits
    for the oldest and delivers it. So the memory that tasks and results take is bounded.

    Failure: an exception of a task comes out of `submit` or `drain`, where its result would have been delivered. All
    results before it are delivered, none behind it is. The same holds for an exception of `deliver`. The owner then
    calls `close`.

    Close: tasks that have not begun are dropped, those that run are waited for, and nothing more is delivered. As a
    context manager, the object drains when its block ends well, and closes in any case.

    With one worker there are no threads: `submit` runs the task and delivers its result before it returns. Where the
    system gives fewer threads than asked for, those do the work; where it gives none, the owner's thread does.

    Args:
        workers: tasks that run at a time, at least 1.
        deliver: takes each result.
    """

    def __init__(self, workers: int, deliver: Callable[[Result], None]) -> None:
        self._deliver = deliver
        self._most = workers + 1
        self._pool = Pool(workers) if workers > 1 else None
        self._pending: deque[Future[Result]] = deque()

    def submit(self, task: Callable[..., Result], *arguments: object) -> None:
        """Begin `task(*arguments)`; deliver the oldest result if enough are in flight."""
        if self._pool is None:
            self._deliver(task(*arguments))
            return
        if len(self._pending) == self._most:
            self._deliver_oldest()
        self._pending.append(self._pool.submit(task, arguments))

    def drain(self) -> None:
        """Wait for all tasks and deliver their results."""
        while self._pending:
            self._deliver_oldest()

    def close(self) -> None:
        """End the threads; results that were not delivered are lost. More calls of `close` do nothing."""
        if self._pool is not None:
            self._pool.close()
        self._pending.clear()

    def __enter__(self) -> OrderedTasks[Result]:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self.drain()
        finally:
            self.close()

    def _deliver_oldest(self) -> None:
        self._deliver(self._pending.popleft().result())


class Pool:
    """Threads that run tasks in the order in which they came.

    The standard library's pool loses a task whose thread cannot be started.

    Args:
        most: how many threads there are at most; one more is started with each task until there are so many.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._threads: list[threading.Thread] = []
        self._tasks: SimpleQueue[Callable[[], None] | None] = SimpleQueue()

    def submit(self, task: Callable[..., Result], arguments: tuple[object, ...]) -> Future[Result]:
        """Return what will hold the result; where there are no threads at all, the task is done by then."""
        from concurrent.futures import Future

        future: Future[Result] = Future()

        def perform() -> None:
            try:
                future.set_result(task(*arguments))
            except BaseException as error:  # noqa: BLE001 (it is raised again where the result is asked for)
                future.set_exception(error)

        if len(self._threads) < self._most:
            self._start()
        if self._threads:
            self._tasks.put(perform)
        else:
            perform()
        return future

    def close(self) -> None:
        """Drop what has not begun, and wait for what has."""
        while True:
            try:
                self._tasks.get_nowait()
            except Empty:
                break
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def _start(self) -> None:
        thread = threading.Thread(target=self._work, daemon=True)
        try:
            thread.start()
        except RuntimeError:  # a limit on processes, or no memory for a stack
            self._most = len(self._threads)
        else:
            self._threads.append(thread)

    def _work(self) -> None:
        while (perform := self._tasks.get()) is not None:
            perform()
            # Held on to, its arguments would stay in memory until another one comes.
            del perform


class Stopped(Exception):
    """Another thread failed; this one ends too."""


class Turns:
    """Lets threads act one after another in the order of their numbers: 0, 1, 2, each once.

    Who waits for whom: the thread with number n sleeps in `turn(n)` until the threads with lower numbers have left
    theirs. Inside it the thread is alone, so that it needs no other lock. Leaving passes the turn on to n + 1.

    `wait_until` sleeps until something else is ready that the same threads wait for. Who makes it ready holds
    `condition` while doing so and calls `condition.notify_all()`.

    Failure: once `stopped()` is true, threads that wait raise Stopped. They look once a second, and at once after
    `wake()`. A thread that fails inside its turn does not pass it on.

    Args:
        stopped: whether another thread has failed.

    Attributes:
        current: the number whose turn it is.
        condition: guards `current` and whatever `wait_until` is asked about. It is reentrant.
    """

    def __init__(self, stopped: Callable[[], bool]) -> None:
        self._stopped = stopped
        self.condition = threading.Condition()
        self.current = 0

    @contextmanager
    def turn(self, number: int) -> Iterator[None]:
        """Sleep until it is the turn of `number`, and pass it on at the end of the block.

        Raises:
            Stopped: another thread has failed.
        """
        self.wait_for(number)
        yield
        with self.condition:
            self.current += 1
            self.condition.notify_all()

    def wait_for(self, number: int) -> None:
        """Sleep until it is the turn of `number`, and keep it.

        Raises:
            Stopped: another thread has failed.
        """
        self.wait_until(lambda: self.current == number)

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Sleep until something is ready.

        Raises:
            Stopped: another thread has failed.
        """
        with self.condition:
            while not ready():
                if self._stopped():
                    raise Stopped
                self.condition.wait(_LOOK)

    def wake(self) -> None:
        """Let waiting threads see at once that the work has stopped."""
        with self.condition:
            self.condition.notify_all()

"""Threads that do one job together: the first failure stops all, and the caller stays free for signals."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

Result = TypeVar("Result")

# Seconds: between two looks at the threads, and that each thread gets to end after a failure of the caller's.
_TICK = 0.1
_PATIENCE = 2.0


class ThreadGroup:
    """Runs functions on threads of their own until all have returned or one has failed.

    Who does what: the caller's thread sits in `run`, watches, and takes the signals. A thread that fails makes
    `stopped()` true. The others look there, before each step and whenever `wake` rouses them, and end too. A group runs
    once.

    Jobs share their work, so that any of them can do all of it. Where the system gives fewer threads than there are
    jobs, the others run on the caller's thread afterwards and find nothing left to do; where it gives none, the first
    one does everything.
    """

    def __init__(self) -> None:
        self._failure: BaseException | None = None
        self._stop = threading.Event()

    def stopped(self) -> bool:
        """Whether threads should end early."""
        return self._stop.is_set()

    def run(self, jobs: list[Callable[[], Result]], tick: Callable[[], None], wake: Callable[[], None]) -> list[Result]:
        """Run the jobs and return their results in order; raise the first failure once the others have ended.

        Args:
            jobs: one a thread.
            tick: called from the caller's thread about ten times a second.
            wake: rouses threads that sleep, so that they see that the work has stopped.
        """
        results: list[Any] = [None] * len(jobs)

        def work(slot: int) -> None:
            try:
                results[slot] = jobs[slot]()
            except BaseException as error:  # noqa: BLE001 (it is raised again in the caller's thread)
                if not self._stop.is_set():
                    self._failure = error
                    self._stop.set()
                wake()

        # Daemons: a thread that is stuck reading a silent pipe must not hold up the end of the process.
        threads = [threading.Thread(target=work, args=(slot,), daemon=True) for slot in range(len(jobs))]
        try:
            started = _start(threads)
            for thread in threads[:started]:
                while thread.is_alive():
                    thread.join(_TICK)
                    tick()
                    if self.stopped():
                        wake()
            for slot in range(started, len(jobs)):
                if not self.stopped():
                    work(slot)
        except BaseException:
            self._stop.set()
            wake()
            for thread in threads:
                if thread.ident is not None:
                    thread.join(_PATIENCE)
            raise
        if self._failure is not None:
            raise self._failure
        return results


def _start(threads: list[threading.Thread]) -> int:
    """Start threads in order; return how many the system gave."""
    for started, thread in enumerate(threads):
        try:
            thread.start()
        except RuntimeError:  # a limit on processes, or no memory for a stack
            return started
    return len(threads)

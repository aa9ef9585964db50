"""Threads that do one job together: the first failure stops all, and the caller stays free for signals."""

from __future__ import annotations

import threading
from collections.abc import Callable

_TICK = 0.1
_PATIENCE = 2.0


class Crew:
    """Runs functions on threads of their own until all have returned or one has failed.

    Args:
        tick: called from the caller's thread about ten times a second.
        wake: called when the work has to stop, to rouse sleeping threads.
    """

    def __init__(self, tick: Callable[[], None]) -> None:
        self._tick = tick
        self._failure: BaseException | None = None
        self._stop = threading.Event()
        self.wake: Callable[[], None] = lambda: None

    def stopped(self) -> bool:
        """Whether threads should end early."""
        return self._stop.is_set()

    def run(self, jobs: list[Callable[[], None]]) -> None:
        """Run the jobs; raise the first failure once the others have ended."""
        # Daemons: a thread that is stuck reading a silent pipe must not hold up the end of the process.
        threads = [threading.Thread(target=self._guard, args=(job,), daemon=True) for job in jobs]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                while thread.is_alive():
                    thread.join(_TICK)
                    self._tick()
                    if self.stopped():
                        self.wake()
        except BaseException:
            self._stop.set()
            self.wake()
            for thread in threads:
                if thread.ident is not None:
                    thread.join(_PATIENCE)
            raise
        if self._failure is not None:
            raise self._failure

    def _guard(self, job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException as error:  # noqa: BLE001 (it is raised again in the caller's thread)
            if not self._stop.is_set():
                self._failure = error
                self._stop.set()
            self.wake()

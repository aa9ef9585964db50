"""Work that a thread hands to another one and goes on: writing, mostly."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from corpustools.files.ordered import Stopped

Item = TypeVar("Item")


class WorkBehind(Generic[Item]):
    """Does something with items, in order, on a thread of its own.

    Who does what: one thread, the owner, calls every method. It hands items over, and takes them back when they are
    done. The thread starts with the first item; where the system gives none, `submit` does the work itself.

    Failure: the first exception of the work comes out of `take`, in the place of its item, and in the place of all
    items behind it, which are not worked on.

    Args:
        work: what is done with an item.

    Attributes:
        pending: items that were submitted and not taken back.
    """

    def __init__(self, work: Callable[[Item], None]) -> None:
        self._work = work
        self._todo: SimpleQueue[Item | None] = SimpleQueue()
        self._done: SimpleQueue[Item | _Failure] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._threads = True
        self._failure: _Failure | None = None
        self.pending = 0

    def submit(self, item: Item) -> None:
        """Hand an item over."""
        if self._thread is None and self._threads:
            self._start()
        self.pending += 1
        if self._thread is None:
            self._perform(item)
        else:
            self._todo.put(item)

    def take(self, wait: bool) -> Item | None:
        """Return the oldest item, when it is done; None where it is not, and need not be waited for.

        Raises:
            BaseException: what the work raised.
        """
        if not self.pending:
            return None
        try:
            done = self._done.get(block=wait)
        except Empty:
            return None
        self.pending -= 1
        if isinstance(done, _Failure):
            raise done.error
        return done

    def close(self) -> None:
        """End the thread once the item that it works on is done; those behind it are given up."""
        thread, self._thread, self._threads = self._thread, None, False
        if thread is None:
            return
        given_up = _Failure(Stopped())
        while True:
            try:
                self._todo.get_nowait()
            except Empty:
                break
            self._done.put(given_up)
        self._todo.put(None)
        thread.join()

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, daemon=True)
        try:
            thread.start()
        except RuntimeError:  # a limit on processes, or no memory for a stack
            self._threads = False
        else:
            self._thread = thread

    def _run(self) -> None:
        while (item := self._todo.get()) is not None:
            self._perform(item)
            # Held on to, it would live until the next one comes.
            del item

    def _perform(self, item: Item) -> None:
        if self._failure is None:
            try:
                self._work(item)
            except BaseException as error:  # noqa: BLE001 (it is raised again where the item is taken back)
                self._failure = _Failure(error)
        self._done.put(self._failure or item)


class _Failure:
    """Stands for an item whose work failed."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

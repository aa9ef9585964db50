"""Items that are made on another thread while earlier ones are worked on, a bounded number of bytes ahead."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")

# A thread that waits looks this often, in seconds: on the main thread a signal is seen then at the latest.
_LOOK = 1.0


def read_ahead(items: Generator[Item], size: Callable[[Item], int], most: int) -> Iterator[Item]:
    """Give the items of a generator, which runs on a thread of its own.

    It goes on as long as what is waiting, and what was given last, have no more than `most` bytes together. So while
    one large item is worked on, no other is made. An exception of the generator comes where its next item would. The
    generator is closed on its own thread, also where this iterator is closed early.

    Args:
        items: the generator, not begun.
        size: returns the bytes of an item.
        most: bytes.
    """
    ahead = Ahead(items, size, most)
    if not ahead.start():
        # The system gives no thread.
        yield from items
        return
    try:
        yield from ahead
    finally:
        ahead.close()


class Ahead(Generic[Item]):
    """Items between two threads: what `read_ahead` holds, whose arguments these are.

    The thread runs from `start` on, also while nobody asks for an item yet. Whoever starts it closes it.
    """

    def __init__(self, items: Generator[Item], size: Callable[[Item], int], most: int) -> None:
        self._items, self._size, self._most = items, size, most
        self._condition = threading.Condition()
        self._waiting: deque[Item] = deque()
        self._bytes = self._given = 0
        self._ended = self._stopped = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> bool:
        """Start the thread; return False where there is none."""
        try:
            self._thread.start()
        except RuntimeError:
            return False
        return True

    def __iter__(self) -> Iterator[Item]:
        return self

    def __next__(self) -> Item:
        with self._condition:
            self._bytes -= self._given
            self._given = 0
            self._condition.notify_all()
            while not self._waiting and not self._ended:
                self._condition.wait(_LOOK)
            if self._waiting:
                item = self._waiting.popleft()
                self._given = self._size(item)
                return item
            if self._error is not None:
                raise self._error
            raise StopIteration

    def close(self) -> None:
        """Stop the thread, and wait for it."""
        with self._condition:
            self._stopped = True
            self._condition.notify_all()
        self._thread.join()

    def _run(self) -> None:
        try:
            for item in self._items:
                with self._condition:
                    self._waiting.append(item)
                    self._bytes += self._size(item)
                    # Held on to, it would stay in memory while the next one is made.
                    del item
                    self._condition.notify_all()
                    while self._bytes > self._most and not self._stopped:
                        self._condition.wait()
                    if self._stopped:
                        break
            self._items.close()
        except BaseException as error:  # noqa: BLE001 (it is raised again where the next item would come)
            self._error = error
        with self._condition:
            self._ended = True
            self._condition.notify_all()

"""Keeping out of the page cache what is read or written only once, so that what others use stays in it.

All of this is advice to the system: it changes how long things take and what is cached, and never a byte of a file.
"""

from __future__ import annotations

import contextlib
import enum
import os
import threading
from collections import deque

from corpustools.files.linux import cached_bytes, write_out

_MIB = 1 << 20
# The reader's place is looked at so often; a stretch that was cached before is known in segments of this size.
_STEP, _SEGMENT = 8 * _MIB, 32 * _MIB
# So far the system reads ahead of who reads in order.
_READ_AHEAD = 16 * _MIB
# So much may be on its way to disk before the writer waits for the oldest half.
_WINDOW = 16 * _MIB
# The cache holds bytes in folios, which leave it only whole: what is dropped begins before the last boundary.
_FOLIO = 4 * _MIB


class Passing(enum.Enum):
    """What becomes of the pages of a file that was read in order."""

    STAYS = "stays"
    """The system decides."""
    AS_FOUND = "as found"
    """What was in the page cache before stays, and the rest leaves."""
    LEAVES = "leaves"
    """All of it leaves."""


def drop(descriptor: int, start: int, length: int) -> None:
    """Let clean pages of a stretch of a file leave the page cache; length 0: to its end."""
    with contextlib.suppress(OSError, ValueError):
        os.posix_fadvise(descriptor, start, length, os.POSIX_FADV_DONTNEED)


class ReadBehind:
    """Drops what was read of a file in order, but for what was in the page cache before.

    Args:
        descriptor: a regular file, open for reading.
        size: its bytes.
        everything: also drop what was there before, or may have been where the system does not tell.
    """

    def __init__(self, descriptor: int, size: int, everything: bool = False) -> None:
        segments = range(-(-size // _SEGMENT))
        self._kept = set() if everything else {one for one in segments if _is_cached(descriptor, one, size)}
        self._begin(descriptor, 0, size)

    def again(self, descriptor: int, start: int, stop: int) -> ReadBehind:
        """Return the same for a stretch that is read once more, which may be long after."""
        other = object.__new__(ReadBehind)
        other._kept = self._kept
        other._begin(descriptor, start, stop)
        return other

    def _begin(self, descriptor: int, start: int, stop: int) -> None:
        self._descriptor, self._stop, self._next = descriptor, stop, start
        self._first = self._segment = start // _SEGMENT

    def passed(self, position: int) -> None:
        """Take note that all bytes of the stretch before a position were read."""
        if position < self._next and position < self._stop:
            return
        self._next = position + _STEP
        # At the end the system has read on.
        reach = position if position < self._stop else position + _READ_AHEAD
        for segment in range(self._segment, reach // _SEGMENT + 1):
            if segment in self._kept:
                continue
            # Far back, since pieces as small as a step often share their folios with what is read next.
            first = segment if segment == self._first or segment - 1 in self._kept else segment - 1
            length = min(reach, (segment + 1) * _SEGMENT) - first * _SEGMENT
            if length > 0:
                drop(self._descriptor, first * _SEGMENT, length)
        self._segment = position // _SEGMENT


def _is_cached(descriptor: int, segment: int, size: int) -> bool:
    """Whether most of a segment is in the page cache, or may be."""
    start = segment * _SEGMENT
    length = min(_SEGMENT, size - start)
    cached = cached_bytes(descriptor, start, length)
    # Whoever looked at the front of a file has left some pages of it, and the system reads ahead of readers.
    return cached is None or cached * 2 > length


class WriteBehind:
    """Writes to disk what was handed to the system, soon after, and drops it; any threads may take part.

    Args:
        descriptor: a regular file, open for writing.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self._on_their_way: deque[tuple[int, int]] = deque()
        self._bytes = 0

    def wrote(self, start: int, length: int) -> None:
        """Take note that a stretch was written; this waits where the disk falls behind.

        Raises:
            OSError: the disk is full or fails.
        """
        if not write_out(self._descriptor, start, length, wait=False):
            return
        for oldest, size in self._take(start, length):
            write_out(self._descriptor, oldest, size, wait=True)
            begin = max(0, oldest - _FOLIO)
            drop(self._descriptor, begin, oldest + size - begin)

    def finish(self) -> None:
        """Drop all of a file that is durable."""
        drop(self._descriptor, 0, 0)

    def _take(self, start: int, length: int) -> list[tuple[int, int]]:
        """Add a stretch to those on their way; return the oldest ones where there are too many."""
        taken = []
        with self._lock:
            self._on_their_way.append((start, length))
            self._bytes += length
            if self._bytes > _WINDOW:
                while self._bytes > _WINDOW // 2 and len(self._on_their_way) > 1:
                    taken.append(self._on_their_way.popleft())
                    self._bytes -= taken[-1][1]
        return taken

"""Files that are written and read at any place, past the page cache where the file system can."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
from collections.abc import Callable, Sequence

from corpustools.files.linux import direct_alignment, do_not_copy_on_write
from corpustools.files.page_cache import WriteBehind

Parts = Sequence[memoryview | bytes]

# What a file system says that has taken the flag, but not this call.
_NOT_DIRECT = (errno.EINVAL, errno.EOPNOTSUPP)
# How many parts a call may have (IOV_MAX).
_MOST_PARTS = 1024


class DirectFile:
    """A new file for temporary data; any threads may write and read it at once.

    A call is direct where all of it is aligned: the memory, each part's length, and the position. Every other one goes
    through the page cache, and so do all from the first one on that the file system refuses.

    Args:
        descriptor: an empty regular file, open for reading and writing. It belongs to this object.
        direct: whether direct I/O is tried.
        spares: whether what went through the page cache is dropped from it.

    Attributes:
        descriptor: goes through the page cache.
        alignment: what positions and lengths of direct calls are multiples of; 0: no call is direct.
    """

    def __init__(self, descriptor: int, direct: bool, spares: bool) -> None:
        self.descriptor = descriptor
        self._behind = WriteBehind(descriptor) if spares else None
        if direct:
            do_not_copy_on_write(descriptor)
        self.alignment = direct_alignment(descriptor) if direct else 0
        self._direct = _second_descriptor(descriptor) if self.alignment else None
        if self._direct is None:
            self.alignment = 0

    def write(self, parts: Parts, position: int) -> None:
        """Write the parts one after another.

        Raises:
            OSError: the disk is full or fails.
        """
        left = [memoryview(part) for part in parts]
        while left:
            n, cached = self._call(os.pwritev, left, position)
            if cached and self._behind is not None:
                self._behind.wrote(position, n)
            position += n
            left = _behind(left, n)

    def read(self, parts: Sequence[memoryview], position: int) -> int:
        """Fill the parts one after another; return how many bytes came, fewer only at the end of the file.

        Raises:
            OSError: the disk fails.
        """
        left, begin = list(parts), position
        while left:
            n, _ = self._call(os.preadv, left, position)
            if not n:
                break
            position += n
            left = _behind(left, n)
        return position - begin

    def close(self) -> None:
        """Close the file."""
        os.close(self.descriptor)
        if self._direct is not None:
            os.close(self._direct)

    def _call(
        self, call: Callable[[int, list[memoryview], int], int], parts: list[memoryview], position: int
    ) -> tuple[int, bool]:
        """Return how many bytes were written or read, and whether that was through the page cache."""
        parts, alignment = parts[:_MOST_PARTS], self.alignment
        if alignment and self._direct is not None and _is_aligned(parts, position, alignment):
            try:
                return call(self._direct, parts, position), False
            except OSError as error:
                if error.errno not in _NOT_DIRECT:
                    raise
                # The descriptor stays open: another thread may be inside a call.
                self.alignment = 0
        return call(self.descriptor, parts, position), True


class DirectOutput:
    """A second way to a file that is written at any places: past the page cache, for what stands on whole pages.

    Args:
        descriptor: a regular file, open for writing.

    Attributes:
        alignment: what positions are multiples of where direct calls begin and end; 0: no call is direct. Only what has
            the same place in its page in memory is written directly.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        # btrfs says nothing, and copies through the page cache after all.
        self.alignment = direct_alignment(descriptor, untold=0)
        self._direct = _second_descriptor(descriptor, os.O_WRONLY) if self.alignment else None
        if self._direct is None:
            self.alignment = 0

    def write(self, view: memoryview, position: int) -> tuple[int, bool]:
        """Write some bytes of the front; return how many, and whether that was through the page cache.

        Raises:
            OSError: the disk is full or fails.
        """
        unit, part = self.alignment, view
        if unit and self._direct is not None and len(view) >= unit and (_address(view) - position) % unit == 0:
            front = -position % unit
            whole = (len(view) - front) // unit * unit
            if front:
                part = view[:front]
            elif whole:
                try:
                    return os.pwrite(self._direct, view[:whole], position), False
                except OSError as error:
                    if error.errno not in _NOT_DIRECT:
                        raise
                    self.alignment = 0
        return os.pwrite(self._descriptor, part, position), True

    def close(self) -> None:
        """Close the second way; the descriptor stays open."""
        self.alignment = 0
        if self._direct is not None:
            os.close(self._direct)
            self._direct = None


def _address(view: memoryview) -> int:
    """Return where some bytes are in memory; those that cannot be written are nowhere near a page."""
    return 1 if view.readonly else ctypes.addressof(ctypes.c_char.from_buffer(view))


def _is_aligned(parts: list[memoryview], position: int, alignment: int) -> bool:
    return not (position % alignment or any(len(part) % alignment for part in parts))


def _behind(parts: list[memoryview], size: int) -> list[memoryview]:
    """Return what is left of parts behind so many bytes."""
    for number, part in enumerate(parts):
        if size < len(part):
            return [part[size:], *parts[number + 1 :]]
        size -= len(part)
    return []


def _second_descriptor(descriptor: int, way: int = os.O_RDWR) -> int | None:
    """Open a file once more, past the page cache; None where the system cannot."""
    flag = getattr(os, "O_DIRECT", None)
    if flag is None:
        return None
    with contextlib.suppress(OSError):
        return os.open(f"/proc/self/fd/{descriptor}", way | os.O_CLOEXEC | flag)
    return None

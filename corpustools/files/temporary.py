"""Temporary space: one file without a name per directory, filled by extents and freed as it is read back."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator

from corpustools.errors import SystemFailure, from_os
from corpustools.files.direct import DirectFile, Parts
from corpustools.files.linux import punch_hole
from corpustools.files.page_cache import ReadBehind, WriteBehind
from corpustools.machine import thread_waited


class Meter:
    """How fast calls pass bytes, while there are any: some on the way at once count once.

    A thread whose call is done may wait for a processor. That is not the disk's time, and does not count.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way, self._since = 0, 0.0
        self._bytes, self._seconds = 0, 0.0

    @contextlib.contextmanager
    def passing(self, size: int) -> Iterator[None]:
        """Count bytes that a call passes meanwhile."""
        waited = thread_waited()
        with self._lock:
            if not self._under_way:
                self._since = time.perf_counter()
            self._under_way += 1
        try:
            yield
        finally:
            waited = thread_waited() - waited
            with self._lock:
                # Beside others on the way, the disk may have been busy with those.
                self._seconds -= waited / self._under_way
                self._under_way -= 1
                self._bytes += size
                if not self._under_way:
                    self._seconds += time.perf_counter() - self._since

    def take(self) -> tuple[int, float]:
        """Return the bytes, and the seconds in which some were on the way, since the last time."""
        with self._lock:
            if self._under_way:
                now = time.perf_counter()
                self._seconds, self._since = self._seconds + now - self._since, now
            taken = self._bytes, max(0.0, self._seconds)
            self._bytes, self._seconds = 0, 0.0
            return taken


class TemporaryFiles:
    """Extents of equal size, handed out over the directories in turn.

    Args:
        directories: where to put the files; each file is made when its first extent is used.
        extent_bytes: the size of an extent. A file is sparse: an extent takes disk space only where it was written.
        direct: whether direct I/O is tried, see DirectFile.
        spares: whether what went through the page cache is dropped from it.

    Attributes:
        direct: as given.
        bytes_written: in all extents.
        written: how fast.
    """

    def __init__(
        self, directories: list[str], extent_bytes: int, *, direct: bool = False, spares: bool = False
    ) -> None:
        self.directories, self.extent_bytes = directories, extent_bytes
        self.direct, self._spares = direct, spares
        self._files: list[DirectFile | None] = [None] * len(directories)
        self._lock = threading.Lock()
        self._extents = 0
        self._punch = True
        self.bytes_written, self.written = 0, Meter()

    def allocate(self) -> int:
        """Return the number of a fresh extent.

        Raises:
            SystemFailure: no temporary file can be made.
        """
        with self._lock:
            number = self._extents
            self._extents += 1
            slot = number % len(self.directories)
            if self._files[slot] is None:
                self._files[slot] = DirectFile(_open_unnamed(self.directories[slot]), self.direct, self._spares)
            return number

    def write(self, extent: int, offset: int, parts: Parts) -> None:
        """Write the parts one after another at an offset of an extent.

        Raises:
            SystemFailure: the disk is full or fails.
        """
        file, start = self._where(extent)
        size = sum(map(len, parts))
        try:
            with self.written.passing(size):
                file.write(parts, start + offset)
        except OSError as error:
            raise from_os(
                error,
                f"{self._directory(extent)}: writing temporary data failed after {self.bytes_written} bytes",
                "free some space, name another temporary directory, compress temporary data, or do without it",
            ) from error
        with self._lock:
            self.bytes_written += size

    def read(self, extent: int, offset: int, parts: list[memoryview]) -> None:
        """Fill the parts one after another from an offset of an extent.

        Raises:
            SystemFailure: reading failed, or the data ended early.
        """
        file, start = self._where(extent)
        try:
            n = file.read(parts, start + offset)
        except OSError as error:
            raise from_os(error, f"{self._directory(extent)}: reading temporary data failed") from error
        if n < sum(map(len, parts)):
            raise SystemFailure(f"{self._directory(extent)}: the temporary file is shorter than what was written")

    def expect(self, extent: int, offset: int, length: int) -> None:
        """Tell the system that some bytes of an extent will be read soon; it reads ahead only into the page cache."""
        file, start = self._where(extent)
        if not file.alignment:
            with contextlib.suppress(OSError):
                os.posix_fadvise(file.descriptor, start + offset, length, os.POSIX_FADV_WILLNEED)

    def release(self, extent: int) -> None:
        """Give an extent's disk space back, where the file system can."""
        if self._punch:
            file, start = self._where(extent)
            self._punch = punch_hole(file.descriptor, start, self.extent_bytes)

    def close(self) -> None:
        """Close the files, which ends them."""
        with self._lock:
            for file in self._files:
                if file is not None:
                    file.close()
            self._files = [None] * len(self.directories)

    def _where(self, extent: int) -> tuple[DirectFile, int]:
        turn, slot = divmod(extent, len(self.directories))
        file = self._files[slot]
        assert file is not None
        return file, turn * self.extent_bytes

    def _directory(self, extent: int) -> str:
        return self.directories[extent % len(self.directories)]


def _open_unnamed(directory: str) -> int:
    """Return a descriptor of a file that only this process can reach, mode 0600."""
    # Most runs need none, and it brings half a dozen modules with it.
    from tempfile import TemporaryFile

    try:
        # O_TMPFILE where it is offered; else a file that is unlinked at once.
        with TemporaryFile(dir=directory, prefix="corpus-") as file:
            return os.dup(file.fileno())
    except OSError as error:
        raise from_os(
            error, f"{directory}: no temporary file can be made", "name another temporary directory"
        ) from error


class OverflowFile:
    """Records too long for any buffer, one after another in a file without a name.

    Args:
        directory: where the file is made when the first bytes come.
        spares: whether what was written is dropped from the page cache.

    Attributes:
        descriptor: the file, None before the first bytes come.
        read_behind: drops what was read from the page cache, or None.
    """

    def __init__(self, directory: str, spares: bool = False) -> None:
        self._directory, self._spares = directory, spares
        self.descriptor: int | None = None
        self.read_behind: ReadBehind | None = None
        self._behind: WriteBehind | None = None
        self._end = 0

    def append(self, piece: memoryview) -> int:
        """Write bytes at the end, and return the offset of the first.

        Raises:
            SystemFailure: the disk is full or fails.
        """
        if self.descriptor is None:
            self.descriptor = _open_unnamed(self._directory)
            if self._spares:
                self._behind = WriteBehind(self.descriptor)
                self.read_behind = ReadBehind(self.descriptor, 0, everything=True)
        start = self._end
        try:
            while piece:
                n = os.pwrite(self.descriptor, piece, self._end)
                if self._behind is not None:
                    self._behind.wrote(self._end, n)
                self._end += n
                piece = piece[n:]
        except OSError as error:
            where = f"{self._directory}: writing a long record to a temporary file failed after {self._end} bytes"
            raise from_os(error, where, "free some space or name another directory for it") from error
        return start

    def close(self) -> None:
        """Close the file, which ends it."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None

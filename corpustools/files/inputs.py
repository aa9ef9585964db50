"""Inputs: named files and standard input, opened in order, decoded by content."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from typing import NamedTuple

from corpustools.errors import CorpusError, DataError, UsageError, from_os
from corpustools.files.compression import decoder, detect
from corpustools.files.foreign import HEAD_BYTES, refuse_foreign, table_format
from corpustools.files.page_cache import Passing, ReadBehind
from corpustools.files.pipes import require_finished, widen
from corpustools.files.streams import CLOSED, Reader, ReaderOf
from corpustools.files.zstd import first_window

Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]

STDIN = "-"
# A magic number, or all of a zstd frame's header.
_LONGEST_MAGIC = 18


class Input(NamedTuple):
    """One input as it was found before the work began.

    Attributes:
        path: the path, or '-' for standard input.
        size: bytes on disk, None for a pipe or device.
        codec: gz, zst, bz2, xz, or None; for a pipe it is known only when it is opened.
        identity: device and inode.
        modified: when it was last written to, in nanoseconds (st_mtime_ns).
        window: what a zstd input asks for to be decoded, in bytes, by its first frame; else 0.
        table: one of `foreign.TABLES` where the input holds rows, else None.
    """

    path: str
    size: int | None
    codec: str | None
    identity: tuple[int, int]
    modified: int = 0
    window: int = 0
    table: str | None = None

    @property
    def name(self) -> str:
        """What messages call it."""
        return "standard input" if self.path == STDIN else self.path

    @property
    def seekable(self) -> bool:
        """Whether it is a regular file."""
        return self.size is not None


def as_paths(inputs: Paths) -> list[str]:
    """Return one path or several as a list.

    Raises:
        UsageError: there is none: a pattern that no file fits must not become standard input.
    """
    paths = [inputs] if isinstance(inputs, (str, os.PathLike)) else list(inputs)
    if not paths:
        raise UsageError("no inputs", "name files, or '-' for standard input")
    return [os.fspath(path) for path in paths]


def inspect(paths: list[str], tables: bool = False) -> list[Input]:
    """Return what is known of each input, having checked that each can be read.

    Args:
        paths: in order; '-' is standard input.
        tables: whether files of rows are taken too.

    Raises:
        SystemFailure: an input is missing or may not be read.
        DataError: it is a directory, or of a format that is not taken, or standard input is closed.
        UsageError: standard input is named twice.
    """
    if paths.count(STDIN) > 1:
        raise UsageError("standard input is given twice", "name '-' once")
    return [_inspect(path, tables) for path in paths]


def _inspect(path: str, tables: bool) -> Input:
    name = "standard input" if path == STDIN else path
    try:
        status = os.fstat(0) if path == STDIN else os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            raise DataError(f"{name}: is a directory", "name the files in it")
        if not stat.S_ISREG(status.st_mode):
            # Opening a named pipe just to look would end its writer.
            if path != STDIN and not os.access(path, os.R_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            return Input(path, None, None, (status.st_dev, status.st_ino))
        descriptor = 0 if path == STDIN else os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            start = os.lseek(descriptor, 0, os.SEEK_CUR)
            head = os.pread(descriptor, HEAD_BYTES, start)
            tail = os.pread(descriptor, 4, max(status.st_size - 4, start))
        finally:
            if path != STDIN:
                os.close(descriptor)
    except OSError as error:
        raise from_os(error, f"{name}: cannot be read", "check the path and its permissions") from error
    identity = (status.st_dev, status.st_ino)
    if head and not status.st_size:
        # Files that the system makes up as they are read (/proc) have no size before that: they are read as pipes are.
        return Input(path, None, None, identity)
    size = max(status.st_size - start, 0)
    table = table_format(head, tail) if tables else None
    if table is None:
        refuse_foreign(name, head, tail)
    return Input(path, size, detect(head), identity, status.st_mtime_ns, first_window(head), table)


class OpenInput:
    """An input being read: decoded bytes in order, with a place to put bytes back.

    Args:
        source: what is read.
        memory: what a decoder may allocate, in bytes.
        passing: how a file that is read once treats the page cache.

    Attributes:
        descriptor: the open file.
        plain: whether decoded bytes stand in a regular file as they are, the first at `origin`.
        delivered: decoded bytes handed out, less those put back.
        raw_bytes: bytes read from the file.
        behind: drops from the page cache what was read, or None.
        reader: gives the decoded bytes.

    Raises:
        SystemFailure: the file cannot be opened or read.
        DataError: it is another file than was found, or of a format that is not read.
    """

    def __init__(self, source: Input, memory: int, passing: Passing = Passing.STAYS) -> None:
        self.source = source
        self.raw_bytes = self.delivered = self.origin = 0
        try:
            self.descriptor = 0 if source.path == STDIN else os.open(source.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise from_os(error, f"{source.name}: cannot be opened") from error
        self._back = b""
        try:
            if source.seekable:
                require_same_file(source, self.descriptor)
                self.origin = os.lseek(self.descriptor, 0, os.SEEK_CUR)
                os.posix_fadvise(self.descriptor, 0, 0, os.POSIX_FADV_SEQUENTIAL)
            else:
                widen(self.descriptor)
        except OSError as error:
            raise from_os(error, f"{source.name}: cannot be read") from error
        self.behind: ReadBehind | None = None
        if source.size is not None and passing is not Passing.STAYS:
            self.behind = ReadBehind(self.descriptor, self.origin + source.size, passing is Passing.LEAVES)
        head = bytearray(HEAD_BYTES)
        filled = 0
        # No more is waited for than the longest magic: a pipe may be slow.
        while filled < _LONGEST_MAGIC and (n := self._read_raw(memoryview(head)[filled:])):
            filled += n
        self._head = bytes(head[:filled])
        codec = detect(self._head)
        if not source.seekable:
            refuse_foreign(source.name, self._head)
        self.codec = codec
        self.plain = codec is None and source.seekable
        raw = ReaderOf(self.next_raw)
        self.reader: Reader = decoder(codec, raw, source.name, memory) if codec else raw

    def readinto(self, view: memoryview) -> int:
        """Fill the front of the view with decoded bytes; 0 at the end.

        Raises:
            SystemFailure: reading failed.
            DataError: the compressed data is torn or damaged.
        """
        if self._back:
            n = min(len(self._back), len(view))
            view[:n], self._back = self._back[:n], self._back[n:]
        else:
            n = self.reader.readinto(view)
            if not self.delivered and self.codec:
                # Members may be short.
                while 0 < n < min(HEAD_BYTES, len(view)) and (more := self.reader.readinto(view[n:])):
                    n += more
                # A tar in a gzip file, say.
                refuse_foreign(self.source.name, bytes(view[: min(n, HEAD_BYTES)]))
        self.delivered += n
        return n

    def put_back(self, data: bytes) -> None:
        """Make `data` the next bytes to be read."""
        self._back = data + self._back
        self.delivered -= len(data)

    def seek(self, position: int) -> None:
        """Make the byte at a position of a plain file the next to be read."""
        os.lseek(self.descriptor, position, os.SEEK_SET)
        self._head = self._back = b""
        self.delivered = position - self.origin
        self.raw_bytes = self.delivered

    def close(self) -> None:
        """Close the file."""
        # It leads back here, by way of a zstd stream that no garbage collector looks through.
        self.reader = CLOSED
        if self.source.path != STDIN:
            os.close(self.descriptor)

    def next_raw(self, view: memoryview) -> int:
        """Fill the front of the view with the file's own bytes."""
        if self._head:
            n = min(len(self._head), len(view))
            view[:n], self._head = self._head[:n], self._head[n:]
            return n
        return self._read_raw(view)

    def read_at(self, place: int, view: memoryview) -> int:
        """Fill the front of the view with a regular file's bytes from a place on; its first byte has place 0.

        Raises:
            SystemFailure: reading failed.
            DataError: the end is reached, and the file is not what it was when the work began.
        """
        try:
            n = os.preadv(self.descriptor, [view], self.origin + place)
        except OSError as error:
            raise self._failed(error, place) from error
        return self._has_read(place, n, len(view))

    def verify(self) -> None:
        """Hold a regular file against what it was when the work began.

        Raises:
            DataError: it was written to meanwhile.
        """
        if self.source.seekable:
            require_unchanged(self.source, self.descriptor, self.origin)

    def _at_end(self) -> None:
        """Compare what was read with what was there, or with what the writer of a pipe says."""
        self.verify()
        require_finished(self.descriptor, self.source.name)
        source = self.source
        if source.seekable and self.raw_bytes != source.size:
            raise DataError(
                f"{source.name}: {source.size} bytes were there at the start, and {self.raw_bytes} could be read",
                "leave inputs alone while they are read",
            )

    def _read_raw(self, view: memoryview) -> int:
        try:
            n = os.readv(self.descriptor, [view])
        except OSError as error:
            raise self._failed(error, self.raw_bytes) from error
        return self._has_read(self.raw_bytes, n, len(view))

    def _has_read(self, position: int, n: int, wanted: int) -> int:
        self.raw_bytes = max(self.raw_bytes, position + n)
        if self.behind is not None:
            self.behind.passed(self.origin + position + n)
        if not n and wanted:
            self._at_end()
        return n

    def _failed(self, error: OSError, position: int) -> CorpusError:
        return from_os(error, f"{self.source.name}: reading failed after byte {position}")


def require_same_file(source: Input, descriptor: int) -> None:
    """Hold an opened file against the one that was found before the work began.

    Raises:
        DataError: it is another file.
    """
    status = os.fstat(descriptor)
    if (status.st_dev, status.st_ino) != source.identity:
        raise DataError(
            f"{source.name}: was replaced by another file after the run began",
            "leave inputs alone while they are read",
        )


def require_unchanged(source: Input, descriptor: int, origin: int) -> None:
    """Hold a regular file, read from byte `origin` on, against what it was when the work began.

    Raises:
        DataError: it was written to meanwhile.
    """
    status = os.fstat(descriptor)
    size = status.st_size - origin
    if size != source.size or status.st_mtime_ns != source.modified:
        raise DataError(
            f"{source.name}: was changed while it was read: {source.size} bytes at the start, {size} now",
            "leave inputs alone while they are read",
        )

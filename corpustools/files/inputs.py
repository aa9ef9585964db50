"""Inputs: named files and standard input, opened in order, decoded by content."""

from __future__ import annotations

import errno
import os
import stat
import sys
from dataclasses import dataclass

from corpustools.errors import DataError, UsageError, from_os
from corpustools.files.compression import Reader, decoder, detect

STDIN = "-"
_PIPE_BYTES = 1 << 20
_F_SETPIPE_SZ = 1031


@dataclass(frozen=True)
class Input:
    """One input as it was found before the work began.

    Attributes:
        path: the path, or '-' for standard input.
        size: bytes on disk, None for a pipe or device.
        codec: gz, zst, bz2, xz, or None; for a pipe it is known only when it is opened.
    """

    path: str
    size: int | None
    codec: str | None
    identity: tuple[int, int]

    @property
    def name(self) -> str:
        """What messages call it."""
        return "standard input" if self.path == STDIN else self.path

    @property
    def seekable(self) -> bool:
        """Whether it is a regular file."""
        return self.size is not None


def inspect(paths: list[str]) -> list[Input]:
    """Return what is known of each input, having checked that each can be read.

    Raises:
        SystemFailure: an input is missing or may not be read.
        DataError: it is a directory, or standard input is closed.
        UsageError: standard input is named twice.
    """
    if paths.count(STDIN) > 1:
        raise UsageError("standard input is given twice", "name '-' once")
    return [_inspect(path) for path in paths]


def _inspect(path: str) -> Input:
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
            head = os.pread(descriptor, 6, start)
        finally:
            if path != STDIN:
                os.close(descriptor)
    except OSError as error:
        raise from_os(error, f"{name}: cannot be read", "check the path and its permissions") from error
    return Input(path, max(status.st_size - start, 0), detect(head), (status.st_dev, status.st_ino))


class OpenInput:
    """An input being read: decoded bytes in order, with a place to put bytes back.

    Attributes:
        descriptor: the open file.
        plain: whether decoded bytes stand in a regular file as they are, the first at `origin`.
        delivered: decoded bytes handed out, less those put back.
        raw_bytes: bytes read from the file.
    """

    def __init__(self, source: Input, memory: int) -> None:
        self.source = source
        self.raw_bytes = self.delivered = self.origin = 0
        try:
            self.descriptor = 0 if source.path == STDIN else os.open(source.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise from_os(error, f"{source.name}: cannot be opened") from error
        self._back = b""
        try:
            if source.seekable:
                self.origin = os.lseek(self.descriptor, 0, os.SEEK_CUR)
                os.posix_fadvise(self.descriptor, 0, 0, os.POSIX_FADV_SEQUENTIAL)
            elif sys.platform == "linux":
                _widen_pipe(self.descriptor)
        except OSError as error:
            raise from_os(error, f"{source.name}: cannot be read") from error
        head = bytearray(6)
        filled = 0
        while filled < 6 and (n := self._read_raw(memoryview(head)[filled:])):
            filled += n
        self._head = bytes(head[:filled])
        codec = detect(self._head)
        self.codec = codec
        self.plain = codec is None and source.seekable
        self._reader: Reader = decoder(codec, _Raw(self), source.name, memory) if codec else _Raw(self)

    def readinto(self, view: memoryview) -> int:
        """Fill the front of the view with decoded bytes; 0 at the end."""
        if self._back:
            n = min(len(self._back), len(view))
            view[:n], self._back = self._back[:n], self._back[n:]
        else:
            n = self._reader.readinto(view)
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
        if self.source.path != STDIN:
            os.close(self.descriptor)

    def next_raw(self, view: memoryview) -> int:
        """Fill the front of the view with the file's own bytes."""
        if self._head:
            n = min(len(self._head), len(view))
            view[:n], self._head = self._head[:n], self._head[n:]
            return n
        return self._read_raw(view)

    def _read_raw(self, view: memoryview) -> int:
        try:
            n = os.readv(self.descriptor, [view])
        except OSError as error:
            where = f"{self.source.name}: reading failed after byte {self.raw_bytes}"
            raise from_os(error, where) from error
        self.raw_bytes += n
        return n


class _Raw:
    """The undecoded bytes of an open input, as a reader."""

    def __init__(self, owner: OpenInput) -> None:
        self._owner = owner

    def readinto(self, view: memoryview) -> int:
        return self._owner.next_raw(view)


def _widen_pipe(descriptor: int) -> None:
    from fcntl import fcntl

    try:
        fcntl(descriptor, _F_SETPIPE_SZ, _PIPE_BYTES)
    except OSError:
        return  # not a pipe, or the user's quota of pipe pages is used up: slower, not wrong

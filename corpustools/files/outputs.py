"""Outputs: standard output, a file that appears whole or not at all, or shards of it.

A file is written without a name where the file system allows it (so that not even kill -9 leaves anything), fsynced,
and given its name at the end. Existing files stay until then.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from corpustools.errors import SystemFailure, UsageError, from_os
from corpustools.files.compression import PIECE, encoder, output_codec

STDOUT = "-"
SHARD = "{shard}"
_SMALL = 1 << 16


class Sink(Protocol):
    """Where bytes go, in order."""

    def write(self, data: memoryview | bytes) -> None:
        """Take bytes; they may be reused by the caller afterwards."""

    def finish(self) -> None:
        """Make everything durable and, for a file, give it its name."""

    def abort(self) -> None:
        """Leave no trace of what was written."""


class Descriptor:
    """Writes to an open descriptor, small pieces gathered into larger calls."""

    def __init__(self, descriptor: int, name: str) -> None:
        self.descriptor, self.name = descriptor, name
        self.written = 0
        self._small = bytearray()

    def write(self, data: memoryview | bytes) -> None:
        """Write all of the data.

        Raises:
            BrokenPipeError: the reader has gone.
            SystemFailure: the disk is full or fails.
        """
        if len(data) < _SMALL:
            self._small += data
            if len(self._small) >= _SMALL:
                self.flush()
            return
        self.flush()
        self._write(memoryview(data))

    def flush(self) -> None:
        """Hand over what was gathered."""
        if self._small:
            small, self._small = self._small, bytearray()
            self._write(memoryview(small))

    def write_at(self, offset: int, view: memoryview) -> None:
        """Write all of the data at an offset."""
        try:
            while view:
                n = os.pwrite(self.descriptor, view, offset)
                offset += n
                view = view[n:]
        except OSError as error:
            raise self._failure(error, offset) from error

    def _write(self, view: memoryview) -> None:
        try:
            while view:
                n = os.write(self.descriptor, view)
                self.written += n
                view = view[n:]
        except BrokenPipeError:
            raise
        except OSError as error:
            raise self._failure(error, self.written) from error

    def _failure(self, error: OSError, offset: int) -> SystemFailure:
        remedy = "free some space or write elsewhere; nothing was replaced"
        return from_os(error, f"{self.name}: writing failed at byte {offset}", remedy)


class StreamSink:
    """Standard output, a named pipe or a device: written as it comes."""

    def __init__(self, descriptor: int, name: str, close: bool) -> None:
        self._out = Descriptor(descriptor, name)
        self._close = close

    def write(self, data: memoryview | bytes) -> None:
        """Write all of the data."""
        self._out.write(data)

    def finish(self) -> None:
        """Write what is left; close what was opened here."""
        self._out.flush()
        if self._close:
            _close(self._out.descriptor, self._out.name)

    def abort(self) -> None:
        """Stop; what was written cannot be taken back."""


class FileSink:
    """A regular file that replaces `path` when it is finished.

    Args:
        path: the final name; a symbolic link is followed, so that the link stays a link.
        named: give it a temporary name at once (`finish` in two steps: close, then rename).
    """

    def __init__(self, path: str, named: bool = False) -> None:
        self.path = os.path.realpath(path)
        self._folder = os.path.dirname(self.path)
        self._temporary: str | None = None
        mode = _mode_of(self.path)
        try:
            descriptor = None if named else _open_unnamed(self._folder, mode)
            if descriptor is None:
                self._temporary = self._fresh_name()
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                descriptor = os.open(self._temporary, flags, mode)
            if os.path.exists(self.path):
                os.fchmod(descriptor, mode)
        except OSError as error:
            raise from_os(error, f"{path}: cannot be written", "check the folder and its permissions") from error
        self._out = Descriptor(descriptor, path)
        self._closed = False

    def write(self, data: memoryview | bytes) -> None:
        """Write all of the data."""
        self._out.write(data)

    def write_at(self, offset: int, data: memoryview) -> None:
        """Write the data at an offset; threads may do so at once, besides `write` at the front."""
        self._out.write_at(offset, data)

    def flush(self) -> None:
        """Hand over what `write` gathered, so that `write_at` may go over it."""
        self._out.flush()

    def close(self) -> None:
        """Make the bytes durable under the temporary name."""
        if self._closed:
            return
        self._out.flush()
        try:
            os.fsync(self._out.descriptor)
            if self._temporary is None:
                self._temporary = self._fresh_name()
                _give_name(self._out.descriptor, self._folder, self._temporary)
        except OSError as error:
            raise from_os(error, f"{self._out.name}: cannot be made durable", "the old file stays") from error
        self._closed = True
        _close(self._out.descriptor, self._out.name)

    def finish(self) -> None:
        """Close the file and give it its name."""
        self.close()
        assert self._temporary is not None
        try:
            os.replace(self._temporary, self.path)
            self._temporary = None
            folder = os.open(self._folder, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise from_os(error, f"{self._out.name}: cannot be renamed into place", "the old file stays") from error

    def abort(self) -> None:
        """Remove the temporary file."""
        if not self._closed:
            self._closed = True
            with contextlib.suppress(OSError):
                os.close(self._out.descriptor)
        if self._temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(self._temporary)

    def _fresh_name(self) -> str:
        return os.path.join(self._folder, f".{os.path.basename(self.path)}.{secrets.token_hex(6)}.part")


class CompressedSink:
    """Cuts the stream into pieces of fixed size, compresses them on threads, and writes them in order."""

    def __init__(self, inner: Sink, codec: str, workers: int) -> None:
        self._inner, self._codec = inner, codec
        self._piece = bytearray()
        self._pool = ThreadPoolExecutor(workers)
        self._most = workers + 1
        self._pending: deque[Future[bytes]] = deque()
        self._encoders = threading.local()
        self._empty = True

    def write(self, data: memoryview | bytes) -> None:
        """Take bytes; compress as soon as a piece is full."""
        view = memoryview(data)
        while view:
            room = PIECE - len(self._piece)
            self._piece += view[:room]
            view = view[room:]
            if len(self._piece) == PIECE:
                self._submit()

    def finish(self) -> None:
        """Compress the rest and finish the inner sink; no data at all makes one empty member."""
        if self._piece or self._empty:
            self._submit()
        while self._pending:
            self._inner.write(self._pending.popleft().result())
        self._pool.shutdown()
        self._inner.finish()

    def abort(self) -> None:
        """Drop what is pending and abort the inner sink."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._inner.abort()

    def _submit(self) -> None:
        # Pieces in flight are memory: no more of them than the threads can have in hand.
        if len(self._pending) == self._most:
            self._inner.write(self._pending.popleft().result())
        data, self._piece, self._empty = bytes(self._piece), bytearray(), False
        self._pending.append(self._pool.submit(self._encode, data))

    def _encode(self, data: bytes) -> bytes:
        if not hasattr(self._encoders, "encode"):
            self._encoders.encode = encoder(self._codec)
        encoded: bytes = self._encoders.encode(data)
        return encoded


class ShardSink:
    """Slices of the stream in files of their own, all renamed together at the end."""

    def __init__(self, pattern: str, shards: int, make: Callable[[str], tuple[Sink, FileSink]]) -> None:
        width = len(str(shards - 1))
        self.paths = [pattern.replace(SHARD, f"{number:0{width}}") for number in range(shards)]
        for path in self.paths:
            if os.path.isdir(path):
                raise UsageError(f"output '{path}' is a directory", "name files")
        self._make = make
        self._done: list[FileSink] = []
        self._file: FileSink | None = None
        self._sink: Sink | None = None
        self._open_next()

    def write(self, data: memoryview | bytes) -> None:
        """Write to the current shard."""
        assert self._sink is not None
        self._sink.write(data)

    def cut(self) -> None:
        """Close the current shard and begin the next."""
        self._close_current()
        self._open_next()

    def finish(self) -> None:
        """Close the last shard and give all of them their names."""
        self._close_current()
        while len(self._done) < len(self.paths):
            self._open_next()
            self._close_current()
        while self._done:
            # Kept in the list until it has its name, so that abort() finds it.
            self._done[0].finish()
            del self._done[0]

    def abort(self) -> None:
        """Remove every shard written so far."""
        if self._sink is not None:
            self._sink.abort()
        for file in self._done:
            file.abort()

    def _open_next(self) -> None:
        self._sink, self._file = self._make(self.paths[len(self._done)])

    def _close_current(self) -> None:
        assert self._sink is not None
        assert self._file is not None
        if self._sink is self._file:
            self._file.close()
        else:
            # The compressor writes its rest into the file, which keeps its temporary name.
            self._sink.finish()
        self._done.append(self._file)
        self._sink = self._file = None


class _Held:
    """Lets a compressor finish into a file without renaming it."""

    def __init__(self, file: FileSink) -> None:
        self._file = file
        self.write = file.write
        self.finish = file.close
        self.abort = file.abort


def open_output(path: str, shards: int | None, workers: int) -> Sink:
    """Return the sink for an output option: '-', a path, or a pattern with '{shard}'.

    Raises:
        UsageError: the pattern and --shards do not fit, or the suffix cannot be written.
        SystemFailure: the folder is missing or not writable.
    """
    if (SHARD in path) != (shards is not None):
        raise UsageError(
            f"output '{path}': --shards and a pattern with '{SHARD}' go together",
            f"write -o part-{SHARD}.txt --shards N",
        )
    codec = output_codec(path)
    if shards is not None:

        def make(name: str) -> tuple[Sink, FileSink]:
            file = FileSink(name, named=True)
            return (CompressedSink(_Held(file), codec, workers) if codec else file), file

        return ShardSink(path, shards, make)
    sink = _open_single(path)
    return CompressedSink(sink, codec, workers) if codec else sink


def _open_single(path: str) -> Sink:
    if path == STDOUT:
        return StreamSink(1, "standard output", close=False)
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return FileSink(path)
    except OSError as error:
        raise from_os(error, f"{path}: cannot be written") from error
    if stat.S_ISDIR(status.st_mode):
        raise UsageError(f"output '{path}' is a directory", "name a file in it")
    if stat.S_ISREG(status.st_mode):
        return FileSink(path)
    try:
        return StreamSink(os.open(path, os.O_WRONLY | os.O_CLOEXEC), path, close=True)
    except OSError as error:
        raise from_os(error, f"{path}: cannot be written") from error


def free_space(folder: str) -> int:
    """Return the bytes that may still be written to the file system of a folder."""
    try:
        status = os.statvfs(folder)
    except OSError as error:
        raise from_os(error, f"{folder}: cannot be written", "check the folder") from error
    return status.f_bavail * status.f_frsize


def require_space(folder: str, needed: int, purpose: str, remedy: str) -> None:
    """Refuse to begin when a folder's file system has not the bytes that the work will need."""
    free = free_space(folder)
    if free < needed:
        raise SystemFailure(f"{folder}: {purpose} needs {needed} bytes, {free} are free", remedy)


def _open_unnamed(folder: str, mode: int) -> int | None:
    """Return a descriptor of a file without a name that can be given one later, or None where that is not offered."""
    if not hasattr(os, "O_TMPFILE") or not os.path.isdir("/proc/self/fd"):
        return None
    try:
        return os.open(folder, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, mode)
    except (IsADirectoryError, NotImplementedError):
        return None
    except OSError as error:
        import errno

        if error.errno in (errno.EOPNOTSUPP, errno.EINVAL):
            return None
        raise


def _give_name(descriptor: int, folder: str, path: str) -> None:
    """Link a file without a name to a path (linkat(2), AT_SYMLINK_FOLLOW)."""
    # Only with a directory descriptor does os.link() ask the kernel to follow the link under /proc.
    directory = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.link(f"/proc/self/fd/{descriptor}", path, src_dir_fd=directory, follow_symlinks=True)
    finally:
        os.close(directory)


def _mode_of(path: str) -> int:
    """Return the permissions a new file at `path` gets: those of the file it replaces, else the usual ones."""
    try:
        return stat.S_IMODE(os.stat(path).st_mode)
    except OSError:
        return 0o666


def _close(descriptor: int, name: str) -> None:
    try:
        os.close(descriptor)
    except OSError as error:
        raise from_os(error, f"{name}: closing failed", "the data may not have reached the disk") from error

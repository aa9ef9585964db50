"""Outputs: standard output, a file, or shards of it, compressed or not."""

from __future__ import annotations

import os
import stat

from corpustools.errors import SystemFailure, UsageError, from_os
from corpustools.files.compression import output_codec
from corpustools.files.compressors import compressed
from corpustools.files.descriptors import Sink, StreamSink
from corpustools.files.fileset import FileSet
from corpustools.files.targets import STDOUT as STDOUT
from corpustools.files.targets import descriptor_of, require_replaceable

SHARD = "{shard}"


class ShardSink:
    """Slices of the stream, one output after another.

    Args:
        paths: the outputs, in order.
        workers: threads that compress, where a suffix asks for it.
        files: the set that names those that are files at the end.
        begun: how many outputs are done with already.

    Attributes:
        paths: as given.
        last_front: what the last output begins with.

    Raises:
        UsageError: an output would replace a folder, or its suffix cannot be written.
        SystemFailure: the folder is missing or not writable.
    """

    def __init__(self, paths: list[str], workers: int, files: FileSet, begun: int = 0) -> None:
        self.paths, self.last_front = paths, b""
        for path in paths:
            output_codec(path)
            if descriptor_of(path) is None:
                require_replaceable(path)
        self._workers, self._files = workers, files
        self._begun = begun
        self._sink = self._next()

    def write(self, data: memoryview | bytes) -> None:
        """Write to the current output."""
        self._sink.write(data)

    def cut(self) -> None:
        """Close the current output and begin the next."""
        self._sink.finish()
        self._sink = self._next()
        if self._begun == len(self.paths) and self.last_front:
            self._sink.write(self.last_front)

    def finish(self) -> None:
        """Make the last output durable, and those behind it, which are empty."""
        while self._begun < len(self.paths):
            self.cut()
        self._sink.finish()

    def abort(self) -> None:
        """Drop the current output; files belong to the set."""
        self._sink.abort()

    def _next(self) -> Sink:
        path = self.paths[self._begun]
        self._begun += 1
        return self._open(path)

    def _open(self, path: str) -> Sink:
        sink, codec = _open_single(path, self._files, False), output_codec(path)
        return compressed(sink, codec, self._workers) if codec else sink


def shard_paths(pattern: str, shards: int) -> list[str]:
    """Return the paths of the shards: the pattern with numbers of equal width for '{shard}'."""
    width = len(str(shards - 1))
    return [pattern.replace(SHARD, f"{number:0{width}}") for number in range(shards)]


def open_output(
    path: str, shards: int | None, workers: int, files: FileSet, last: bool = False, behind: str | None = None
) -> Sink:
    """Return the sink for an output option: '-', a path, or a pattern with '{shard}'.

    Args:
        path: where to. A stream is written as the work goes on; a file waits for the set to name it.
        shards: how many, where the path is a pattern.
        workers: threads that compress, where the suffix asks for it.
        files: the set that files belong to.
        last: a file describes the others of the set, see `FileSet`.
        behind: one more output, for the slice behind those of `path`; None: there is none.

    Raises:
        UsageError: the pattern and the shards do not fit, or the suffix cannot be written.
        SystemFailure: the folder is missing or not writable.
    """
    require_pattern(path, shards)
    if shards is not None or behind is not None:
        paths = [path] if shards is None else shard_paths(path, shards)
        return ShardSink(paths if behind is None else [*paths, behind], workers, files)
    codec = output_codec(path)
    sink = _open_single(path, files, last)
    return compressed(sink, codec, workers) if codec else sink


def require_pattern(path: str, shards: int | None) -> None:
    """Refuse a pattern without a number of shards, and the other way round.

    Raises:
        UsageError: the pattern and the shards do not fit.
    """
    if (SHARD in path) != (shards is not None):
        raise UsageError(
            f"output '{path}': a number of shards and a pattern with '{SHARD}' go together",
            f"name the output as in part-{SHARD}.txt and say how many shards",
        )


def _open_single(path: str, files: FileSet, last: bool) -> Sink:
    descriptor = descriptor_of(path)
    if descriptor is not None:
        return StreamSink(descriptor, "standard output" if descriptor == 1 else path, close=False)
    require_replaceable(path)
    try:
        if not os.path.lexists(path) or stat.S_ISREG(os.stat(path).st_mode):
            return files.open(path, last)
    except FileNotFoundError:  # a link to a file that does not exist yet
        return files.open(path, last)
    except OSError as error:
        raise from_os(error, f"{path}: cannot be written") from error
    try:
        return StreamSink(os.open(path, os.O_WRONLY | os.O_CLOEXEC), path, close=True)
    except OSError as error:
        raise from_os(error, f"{path}: cannot be written") from error


def free_space(folder: str) -> int:
    """Return the bytes that may still be written to the file system of a folder.

    Raises:
        SystemFailure: the folder cannot be looked at.
    """
    try:
        status = os.statvfs(folder)
    except OSError as error:
        raise from_os(error, f"{folder}: cannot be written", "check the folder") from error
    return status.f_bavail * status.f_frsize


def require_space(folder: str, needed: int, purpose: str, remedy: str) -> None:
    """Refuse to begin when a folder's file system has not the bytes that the work will need.

    Raises:
        SystemFailure: there is not enough space, or the folder cannot be looked at.
    """
    free = free_space(folder)
    if free < needed:
        raise SystemFailure(f"{folder}: {purpose} needs {needed} bytes, {free} are free", remedy)

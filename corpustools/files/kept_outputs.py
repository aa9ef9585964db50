"""Sinks of kept files: each can say where it stands, and a later run begins another one there."""

from __future__ import annotations

from typing import Any, Protocol

from corpustools.files.compression import output_codec
from corpustools.files.compressors import ZSTD_JOB, GzipSink, ZstdSink
from corpustools.files.descriptors import Sink
from corpustools.files.fileset import FileSet
from corpustools.files.kept import KeptFile, KeptSet
from corpustools.files.kept_text import FrameChecksum, Front
from corpustools.files.outputs import ShardSink


class KeptSink(Sink, Protocol):
    """A sink that writes to a kept file, or to one after another."""

    def settle(self) -> bytes:
        """Write what can be written by now; return what waits for more to come, a part of a piece.

        Another sink on what the file holds then goes on alike, once it was given these bytes.
        """


class KeptGzipSink(GzipSink):
    """Makes one gzip member, or the rest of one.

    Args:
        file: takes the compressed bytes.
        workers: threads that compress.
        front: what the file holds; None: nothing.
    """

    def __init__(self, file: KeptFile, workers: int, front: Front | None) -> None:
        super().__init__(file, workers)
        self._file = file
        if front is not None and file.written:
            self._begun = True
            self._size, self._checksum, self._before = front.size, front.checksum, front.last

    def settle(self) -> bytes:
        """Compress and write all whole pieces; return the rest."""
        self._tasks.drain()
        self._file.flush()
        return bytes(self._piece)


class KeptZstdSink(ZstdSink):
    """Makes one zstd frame, or the rest of one.

    zstd's threads compress pieces alone, each with the end of the one before as its dictionary. So a new frame that
    begins with that piece goes on like the old one. What it makes of that piece is dropped, and the frame's checksum is
    put in the place of its own.

    Args:
        file: takes the compressed bytes.
        workers: threads that compress.
        front: what the file holds; None: nothing.

    Raises:
        SystemFailure: the system gives no thread.
    """

    def __init__(self, file: KeptFile, workers: int, front: Front | None) -> None:
        self._file, self._frame_bytes = file, _FrameBytes(file)
        super().__init__(self._frame_bytes, workers)
        import zstandard

        self._flush_block = zstandard.FLUSH_BLOCK
        self._piece = bytearray()
        self._frame: FrameChecksum | None = None
        self._begun = False
        if front is not None and front.size:
            self._frame_bytes.drops = self._begun = True
            self._do(self._compressor.write, front.last)
            self._do(self._compressor.flush, self._flush_block)
            self._frame_bytes.drops = False
            self._frame = front.frame

    def write(self, data: memoryview | bytes) -> None:
        """Take bytes; compress as soon as a piece is full."""
        view = memoryview(data)
        while view:
            room = ZSTD_JOB - len(self._piece)
            self._piece += view[:room]
            view = view[room:]
            if len(self._piece) == ZSTD_JOB:
                self._submit()

    def settle(self) -> bytes:
        """Compress and write all whole pieces; return the rest."""
        # Behind a whole piece this ends no block early; before the first one it would begin the frame otherwise.
        if self._begun:
            self._do(self._compressor.flush, self._flush_block)
        self._file.flush()
        return bytes(self._piece)

    def finish(self) -> None:
        """Compress the rest, end the frame and finish the file."""
        self._submit()
        self._frame_bytes.holds = True
        self._do(self._compressor.flush, self._end)
        self._compressor = None
        self._frame_bytes.close(self._frame.digest() if self._frame is not None else None)
        self._inner.finish()

    def _submit(self) -> None:
        piece, self._piece = bytes(self._piece), bytearray()
        self._begun = True
        if self._frame is not None:
            self._frame.update(piece)
        self._do(self._compressor.write, piece)


class _FrameBytes:
    """Passes on what is compressed, and lets the last four bytes be others.

    Attributes:
        drops: whether nothing is passed on just now.
        holds: whether the last bytes are held back.
    """

    def __init__(self, file: KeptFile) -> None:
        self._file = file
        self._held = b""
        self.drops = self.holds = False

    def write(self, data: memoryview | bytes) -> None:
        """Take compressed bytes."""
        if self.drops:
            return
        if not self.holds:
            self._file.write(data)
            return
        data = self._held + bytes(data)
        self._held = data[-4:]
        self._file.write(data[:-4])

    def close(self, checksum: bytes | None) -> None:
        """Pass on what was held back, or the checksum in its place."""
        self._file.write(self._held if checksum is None else checksum)

    def finish(self) -> None:
        """Finish the file."""
        self._file.finish()

    def abort(self) -> None:
        """Abort the file."""
        self._file.abort()


class KeptShardSink(ShardSink):
    """Slices of the stream, one kept file after another.

    Args:
        paths: the outputs, in order.
        workers: threads that compress, where a suffix asks for it.
        files: the set that names them at the end.
        finished: how many outputs an earlier run has finished.
        front: what the file behind them holds; None: nothing, or it is not compressed.
    """

    def __init__(self, paths: list[str], workers: int, files: KeptSet, finished: int, front: Front | None) -> None:
        self._front = front
        for path in paths[:finished]:
            files.open(path).finish()
        super().__init__(paths, workers, files, finished)

    @property
    def begun(self) -> int:
        """How many outputs were begun."""
        return self._begun

    def settle(self) -> bytes:
        """Write what can be written of the current output; return what waits for more."""
        sink: Any = self._sink
        waiting: bytes = sink.settle()
        return waiting

    def _open(self, path: str) -> Sink:
        front, self._front = self._front, None
        return _open_kept(path, self._workers, self._files, front)


def open_kept(
    paths: list[str], workers: int, files: KeptSet, finished: int = 0, front: Front | None = None
) -> KeptSink:
    """Return the sink for kept outputs, one or several; see KeptShardSink for the arguments.

    Raises:
        UsageError: an output would replace a folder, or its suffix cannot be written.
        SystemFailure: the folder is missing or not writable.
    """
    if len(paths) == 1:
        return _open_kept(paths[0], workers, files, front)
    return KeptShardSink(paths, workers, files, finished, front)


def _open_kept(path: str, workers: int, files: FileSet, front: Front | None) -> KeptSink:
    codec, file = output_codec(path), files.open(path)
    assert isinstance(file, KeptFile)
    if codec == "gz":
        return KeptGzipSink(file, workers, front)
    return KeptZstdSink(file, workers, front) if codec == "zst" else file

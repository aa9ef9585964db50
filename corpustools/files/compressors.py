"""Compressed outputs: one gzip member or one zstd frame, made by several threads.

Several members or frames behind each other are one stream by both formats. But some readers stop behind the first one,
and do not say so.
"""

from __future__ import annotations

import zlib
from typing import Any

from corpustools.errors import SystemFailure
from corpustools.files.descriptors import Sink
from corpustools.files.ordered import OrderedTasks

# Lines in random order hold few long matches: level 3 takes half as long again and saves 7 %.
ZSTD_LEVEL = 2
# Text that one thread takes at a time. It is fixed, because the compressed bytes depend on it.
ZSTD_JOB = 1 << 20
GZIP_LEVEL = 6
GZIP_PIECE = 1 << 20
# What reading back and going on with a kept file takes besides: two pieces, a window, and a piece that waits.
KEPT_BYTES = 4 << 20
# How far back deflate looks.
GZIP_WINDOW = 32 << 10
# RFC 1952: deflate, no name, no time, no hint on the level, made on Unix.
_GZIP_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"
# The empty last block of a deflate stream.
_LAST_BLOCK = b"\x03\x00"


def compressed(inner: Sink, codec: str, workers: int) -> Sink:
    """Return a sink that compresses into another one: 'gz' or 'zst', on so many threads."""
    return GzipSink(inner, workers) if codec == "gz" else ZstdSink(inner, workers)


def compressor_bytes(codec: str, workers: int) -> int:
    """Return about how much memory such a sink takes."""
    piece, fixed = (GZIP_PIECE, 0) if codec == "gz" else (ZSTD_JOB, 4 * ZSTD_JOB)
    return fixed + workers * 3 * piece


class ZstdSink:
    """Makes one zstd frame with a checksum; its bytes do not depend on the number of threads, as long as there is one.

    Raises:
        SystemFailure: the system gives no thread.
    """

    def __init__(self, inner: Sink, workers: int) -> None:
        import zstandard

        self._inner, self._end = inner, zstandard.FLUSH_FRAME
        self._error: type[Exception] = zstandard.ZstdError
        settings = zstandard.ZstdCompressionParameters.from_level(
            ZSTD_LEVEL, threads=workers, job_size=ZSTD_JOB, write_checksum=1
        )
        # It passes on what is compressed in small pieces; `compressobj` would join all that the threads have done.
        target: Any = inner
        compressor = zstandard.ZstdCompressor(compression_params=settings)
        self._compressor: Any = compressor.stream_writer(target, closefd=False)

    def write(self, data: memoryview | bytes) -> None:
        """Take bytes; write what is compressed by now."""
        self._do(self._compressor.write, data)

    def finish(self) -> None:
        """Compress the rest and finish the inner sink; no data at all makes an empty frame."""
        self._do(self._compressor.flush, self._end)
        self._compressor = None
        self._inner.finish()

    def abort(self) -> None:
        """Drop what is pending and abort the inner sink."""
        self._compressor = None
        self._inner.abort()

    def _do(self, step: Any, argument: object) -> None:
        try:
            step(argument)
        except self._error as error:
            raise SystemFailure(
                f"the zstd library cannot go on ({error})",
                "it needs a thread and some memory: raise the limits on both",
            ) from error


class GzipSink:
    """Makes one gzip member of pieces that threads compress, each with the end of the one before as its dictionary."""

    def __init__(self, inner: Sink, workers: int) -> None:
        self._inner = inner
        self._tasks: OrderedTasks[bytes] = OrderedTasks(workers, inner.write)
        self._piece, self._before = bytearray(), b""
        self._size = self._checksum = 0
        self._begun = False

    def write(self, data: memoryview | bytes) -> None:
        """Take bytes; compress as soon as a piece is full."""
        view = memoryview(data)
        while view:
            room = GZIP_PIECE - len(self._piece)
            self._piece += view[:room]
            view = view[room:]
            if len(self._piece) == GZIP_PIECE:
                self._submit()

    def finish(self) -> None:
        """Compress the rest, end the member and finish the inner sink."""
        self._submit()
        self._tasks.drain()
        self._tasks.close()
        ends = (self._checksum, self._size & 0xFFFFFFFF)
        self._inner.write(_LAST_BLOCK + b"".join(number.to_bytes(4, "little") for number in ends))
        self._inner.finish()

    def abort(self) -> None:
        """Drop what is pending and abort the inner sink."""
        self._tasks.close()
        self._inner.abort()

    def _submit(self) -> None:
        if not self._begun:
            self._inner.write(_GZIP_HEAD)
            self._begun = True
        data, self._piece = bytes(self._piece), bytearray()
        self._size += len(data)
        self._checksum = zlib.crc32(data, self._checksum)
        if data:
            self._tasks.submit(_deflated, data, self._before)
        self._before = data[-GZIP_WINDOW:]


def _deflated(data: bytes, before: bytes) -> bytes:
    """Return whole deflate blocks, none of them the last."""
    deflate = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, -15, zdict=before)
    return deflate.compress(data) + deflate.flush(zlib.Z_SYNC_FLUSH)

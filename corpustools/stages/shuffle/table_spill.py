"""Messages on disk: rows of one bucket in Arrow's format between processes, one message behind another.

A frame stands before each: u64 stored bytes, u64 bytes of the message, u64 checksum (CRC-32) of the message. It is
compressed where that is asked for and makes it smaller.
"""

from __future__ import annotations

import struct
import time
import zlib
from array import array
from collections.abc import Iterator
from typing import Any

from corpustools.errors import DataError
from corpustools.files.temporary import TemporaryFiles
from corpustools.stages.shuffle.spill import BlockCodec, SlowDisk

_FRAME = struct.Struct("<QQQ")
_EXTENT = 1 << 20


class Messages:
    """What was spilled of one bucket.

    Attributes:
        extents: numbers of the extents, in order.
        length: bytes on disk.
    """

    __slots__ = ("extents", "length")

    def __init__(self) -> None:
        self.extents = array("I")
        self.length = 0


class TableSpill:
    """Writes and reads messages.

    Args:
        directories: where to.
        codec: raw, zstd, or auto: raw until the disk proves slow.
        spares_cache: whether what was written is kept out of the page cache.
    """

    def __init__(self, directories: list[str], codec: str, spares_cache: bool = False) -> None:
        self._files = TemporaryFiles(directories, _EXTENT, spares=spares_cache)
        self._codec = BlockCodec()
        self._disk = SlowDisk(codec)

    @property
    def bytes_written(self) -> int:
        """Bytes that went to temporary files so far."""
        return self._files.bytes_written

    def append(self, run: Messages, message: memoryview) -> None:
        """Put a message at the end of a run; one thread at a time may do so.

        Raises:
            SystemFailure: the disk is full or fails.
        """
        packed: memoryview | bytes = message
        if self._disk.compress:
            packed = self._codec.compress(message)
            packed = packed if len(packed) < len(message) else message
        begin = time.perf_counter()
        self._write(run, memoryview(_FRAME.pack(len(packed), len(message), zlib.crc32(message))))
        self._write(run, memoryview(packed))
        seconds = time.perf_counter() - begin
        self._disk.judge(len(message), seconds, lambda: len(self._codec.compress(message)))

    def read(self, run: Messages) -> Iterator[bytearray | bytes]:
        """Give the messages of a run in order; any thread may do so.

        Raises:
            DataError: the bytes are not those that were written.
            SystemFailure: the temporary file cannot be read.
        """
        codec, at = BlockCodec(), 0
        while at < run.length:
            if run.length - at < _FRAME.size:
                raise self._damaged()
            stored, size, checksum = _FRAME.unpack(self._read(run, at, _FRAME.size))
            at += _FRAME.size
            if not stored <= min(size, run.length - at):
                raise self._damaged()
            message: bytearray | bytes = self._read(run, at, stored)
            at += stored
            if stored < size:
                message = self._unpacked(codec, memoryview(message), size)
            if len(message) != size or zlib.crc32(message) != checksum:
                raise self._damaged()
            yield message

    def release(self, run: Messages) -> None:
        """Free the disk space of a run that has been read."""
        for extent in run.extents:
            self._files.release(extent)

    def close(self) -> None:
        """Close the temporary files, which ends them."""
        self._files.close()

    def _unpacked(self, codec: BlockCodec, data: memoryview, size: int) -> bytes:
        try:
            return codec.decompress(data, size)
        except codec.errors as error:
            raise self._damaged() from error

    def _damaged(self) -> DataError:
        return DataError(
            f"temporary data in {', '.join(self._files.directories)} are not what was written",
            "keep others from that folder; else its disk or the memory fails",
        )

    def _write(self, run: Messages, data: memoryview) -> None:
        while data:
            within = run.length % _EXTENT
            if not within:
                run.extents.append(self._files.allocate())
            part = data[: _EXTENT - within]
            self._files.write(run.extents[-1], within, [part])
            run.length += len(part)
            data = data[len(part) :]

    def _read(self, run: Messages, at: int, length: int) -> bytearray:
        data = bytearray(length)
        view = memoryview(data)
        while view:
            extent, within = divmod(at, _EXTENT)
            part = view[: _EXTENT - within]
            self._files.read(run.extents[extent], within, [part])
            at += len(part)
            view = view[len(part) :]
        return data


def message_rows(pyarrow: Any, message: Any, schema: Any) -> Any:
    """Return the rows of a message, which stays in use."""
    return pyarrow.ipc.read_record_batch(pyarrow.py_buffer(message), schema)

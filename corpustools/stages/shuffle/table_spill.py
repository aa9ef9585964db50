"""Messages on disk: rows of one bucket in Arrow's format between processes, one message behind another.

A frame stands before each: u64 mark of the codec (0: the message as it is), u64 stored bytes, u64 bytes of the message,
u64 checksum (CRC-32) of the message.
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
from corpustools.stages.shuffle.choice import Choice, CodecCost, Surroundings, Trial
from corpustools.stages.shuffle.codecs import CODECS, LZ4, RAW, ZSTD, BlockCodec

_FRAME = struct.Struct("<QQQQ")
_EXTENT = 1 << 20
_TRIED = 256 << 10


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
        spill: raw, lz4, zstd or auto.
        around: what the choice of a codec depends on.
        spares_cache: whether what was written is kept out of the page cache.

    Attributes:
        choice: which codec messages get.
    """

    def __init__(self, directories: list[str], spill: str, around: Surroundings, spares_cache: bool = False) -> None:
        self._files = TemporaryFiles(directories, _EXTENT, spares=spares_cache)
        self._codec = BlockCodec()
        self.choice = Choice(spill, self._files, around)
        # What a damaged frame says of its size would be allocated.
        self._largest = 0

    @property
    def bytes_written(self) -> int:
        """Bytes that went to temporary files so far."""
        return self._files.bytes_written

    def append(self, run: Messages, message: memoryview) -> None:
        """Put a message at the end of a run; one thread at a time may do so.

        Raises:
            SystemFailure: the disk is full or fails.
        """
        codec, size, packed = self.choice.codec, len(message), message
        self._largest = max(self._largest, size)
        mark = RAW
        if codec != RAW:
            out = memoryview(bytearray(size))
            stored = self._codec.pack(codec, message, 0, size, out, 0)
            if stored:
                mark, packed = codec, out[:stored]
        self._write(run, memoryview(_FRAME.pack(mark, len(packed), size, zlib.crc32(message))))
        self._write(run, packed)
        self.choice.spent(codec, size, lambda: self._try(message))

    def read(self, run: Messages) -> Iterator[bytearray]:
        """Give the messages of a run in order; any thread may do so.

        Raises:
            DataError: the bytes are not those that were written.
            SystemFailure: the temporary file cannot be read.
        """
        codec, at = BlockCodec(), 0
        while at < run.length:
            if run.length - at < _FRAME.size:
                raise self._damaged()
            mark, stored, size, checksum = _FRAME.unpack(self._read(run, at, _FRAME.size))
            at += _FRAME.size
            if mark >= len(CODECS) or not stored <= min(size, run.length - at) or size > self._largest:
                raise self._damaged()
            message = self._read(run, at, stored)
            at += stored
            if mark != RAW:
                packed, message = message, bytearray(size)
                if not codec.unpack(mark, packed, 0, stored, message, 0, size):
                    raise self._damaged()
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

    def _try(self, message: memoryview) -> Trial:
        """Try each codec on the front of a message."""
        costs, size = {}, min(len(message), _TRIED)
        packed, out = bytearray(size), bytearray(size)
        for codec in (LZ4, ZSTD):
            begin = time.thread_time()
            kept = self._codec.pack(codec, message, 0, size, packed, 0)
            if kept:
                self._codec.unpack(codec, packed, 0, kept, out, 0, size)
            costs[codec] = CodecCost((kept or size) / size, (time.thread_time() - begin) / size)
        return Trial(costs, None)

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

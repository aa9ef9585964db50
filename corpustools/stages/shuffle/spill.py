"""Runs of blocks on disk: one a bucket and worker, in extents of the temporary files, raw or compressed.

A run begins with raw blocks, one after another; from the moment that compression is switched on, frames follow:
u32 stored bytes, u32 block bytes, data (stored as it is where compression does not make it smaller).
"""

from __future__ import annotations

import struct
import time
from array import array
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from corpustools.errors import DataError
from corpustools.files.temporary import TemporaryFiles
from corpustools.stages.shuffle.pool import Pool

_FRAME = struct.Struct("<II")
# A disk that takes less than this (bytes a second, a worker) is slower than compressing.
_SLOW_DISK = 100e6
_TRIAL = 256 << 20


class SlowDisk:
    """Whether temporary data is compressed: as it is asked for, or once the disk has been slow for a while.

    Args:
        codec: raw, zstd or auto.

    Attributes:
        compress: whether it is.
    """

    def __init__(self, codec: str) -> None:
        self.compress = codec == "zstd"
        self._auto = codec == "auto"
        self._bytes, self._seconds = 0, 0.0

    def judge(self, size: int, seconds: float, packed: Callable[[], int]) -> None:
        """Take the time that some bytes took to be written, as they are; at first the page cache hides the disk.

        Where writing is slow because the processors are busy, compressing is slow too: so that is timed first.

        Args:
            size: bytes that were written.
            seconds: how long it took.
            packed: compresses them, and returns the bytes that are left.
        """
        if not self._auto:
            return
        self._bytes += size
        self._seconds += seconds
        if self._bytes >= _TRIAL:
            if self._bytes < _SLOW_DISK * self._seconds:
                begin = time.perf_counter()
                saved = 1 - packed() / size
                # Both ways over the disk, and unpacking takes a third of packing.
                self.compress = (time.perf_counter() - begin) * 4 / 3 < 2 * saved * size * self._seconds / self._bytes
            self._auto = not self.compress
            self._bytes, self._seconds = 0, 0.0


class SpillRun:
    """What one worker has spilled of one bucket.

    Attributes:
        extents: numbers of the extents, in order.
        length: bytes on disk.
        raw: whole blocks at the front that are not framed.
        blocks: blocks in all.
        written: checksum of the blocks that were written, modulo 2^64.
        read: checksum of those that were read back so far.
    """

    __slots__ = ("blocks", "extents", "length", "raw", "read", "written")

    def __init__(self) -> None:
        self.extents = array("I")
        self.length = self.raw = self.blocks = self.written = self.read = 0


class Spill:
    """Writes and reads runs.

    Args:
        files: where to.
        pool: where blocks come from and go to.
        codec: raw, zstd, or auto: raw until the disk proves slow.
    """

    def __init__(self, files: TemporaryFiles, pool: Pool, codec: str) -> None:
        self.files, self._pool, self.block_bytes = files, pool, pool.block_bytes
        self.disk = SlowDisk(codec)

    def append(self, run: SpillRun, numbers: list[int], codec: Any) -> None:
        """Put full blocks of the pool at the end of a run, in order; `codec` is the worker's BlockCodec.

        Raises:
            SystemFailure: the disk is full or fails.
        """
        blocks = [self._pool.block(number) for number in numbers]
        for position, number in enumerate(numbers, run.blocks):
            run.written += self._pool.checksum(number, position * self.block_bytes)
        if self.disk.compress:
            self._write(run, [b"".join(part for block in blocks for part in _framed(block, codec))])
        else:
            start = time.perf_counter()
            self._write(run, blocks)
            run.raw += len(blocks)
            seconds = time.perf_counter() - start
            self.disk.judge(
                len(blocks) * self.block_bytes, seconds, lambda: sum(len(codec.compress(block)) for block in blocks)
            )
        run.blocks += len(blocks)

    def _write(self, run: SpillRun, parts: Sequence[memoryview | bytes]) -> None:
        """Write the parts one after another, extent by extent."""
        left = deque(memoryview(part) for part in parts)
        while left:
            within = run.length % self.files.extent_bytes
            if not within:
                run.extents.append(self.files.allocate())
            room, batch = self.files.extent_bytes - within, []
            while left and room:
                part = left.popleft()
                if len(part) > room:
                    left.appendleft(part[room:])
                    part = part[:room]
                batch.append(part)
                room -= len(part)
            self.files.write(run.extents[-1], within, batch)
            run.length += self.files.extent_bytes - within - room

    def read(self, run: SpillRun, first: int, numbers: list[int], codec: Any, at: int) -> int:
        """Fill blocks of the pool with a run's blocks from number `first`, in order; return the next byte.

        Args:
            run: what is read.
            first: the number of the first block in the run.
            numbers: blocks of the pool.
            codec: the thread's BlockCodec.
            at: the byte of the run at which block `first` stands.

        Raises:
            DataError: the bytes are not those that were written.
            SystemFailure: the temporary file cannot be read.
        """
        blocks = [self._pool.block(number) for number in numbers]
        raw = max(0, min(run.raw - first, len(blocks)))
        self._read_raw(run, at, blocks[:raw])
        at += raw * self.block_bytes
        for block in blocks[raw:]:
            stored, size = _FRAME.unpack(self._read(run, at, _FRAME.size))
            if size != self.block_bytes or stored > size:
                raise self._damaged()
            data = self._read(run, at + _FRAME.size, stored)
            block[:] = data if stored == size else self._decompressed(data, codec)
            at += _FRAME.size + stored
        for i, number in enumerate(numbers, first):
            run.read += self._pool.checksum(number, i * self.block_bytes)
        if first + len(numbers) == run.blocks and (run.read - run.written) % (1 << 64):
            raise self._damaged()
        return at

    def _decompressed(self, data: memoryview, codec: Any) -> bytes:
        try:
            block: bytes = codec.decompress(data, self.block_bytes)
        except codec.errors as error:
            raise self._damaged() from error
        if len(block) != self.block_bytes:
            raise self._damaged()
        return block

    def _damaged(self) -> DataError:
        return DataError(
            f"temporary data in {', '.join(self.files.directories)} are not what was written",
            "keep others from that folder; else its disk or the memory fails",
        )

    def _read_raw(self, run: SpillRun, at: int, blocks: list[memoryview]) -> None:
        size = self.files.extent_bytes
        while blocks:
            extent, within = divmod(at, size)
            n = min(len(blocks), (size - within) // self.block_bytes, 512)
            self.files.read(run.extents[extent], within, blocks[:n])
            blocks = blocks[n:]
            at += n * self.block_bytes

    def _read(self, run: SpillRun, at: int, length: int) -> memoryview:
        """Return bytes of a run, which may cross from one extent to the next."""
        data = memoryview(bytearray(length))
        filled = 0
        while filled < length:
            extent, within = divmod(at + filled, self.files.extent_bytes)
            n = min(length - filled, self.files.extent_bytes - within)
            self.files.read(run.extents[extent], within, [data[filled : filled + n]])
            filled += n
        return data

    def expect(self, run: SpillRun) -> None:
        """Tell the system that a run will be read soon."""
        for extent in run.extents:
            self.files.expect(extent)

    def release(self, run: SpillRun) -> None:
        """Free the disk space of a run that has been read."""
        for extent in run.extents:
            self.files.release(extent)


def _framed(block: memoryview, codec: BlockCodec) -> tuple[bytes, memoryview | bytes]:
    """Return the header of a block's frame and what follows it."""
    packed: memoryview | bytes = codec.compress(block)
    packed = packed if len(packed) < len(block) else block
    return _FRAME.pack(len(packed), len(block)), packed


class BlockCodec:
    """zstd contexts of one thread, made when they are first needed."""

    def __init__(self) -> None:
        self._compressor: Any = None
        self._decompressor: Any = None

    def compress(self, block: memoryview) -> bytes:
        """Return a block as a zstd frame, level 1."""
        if self._compressor is None:
            import zstandard

            self._compressor = zstandard.ZstdCompressor(level=1)
        packed: bytes = self._compressor.compress(block)
        return packed

    def decompress(self, data: memoryview, size: int) -> bytes:
        """Return the `size` bytes of a frame."""
        if self._decompressor is None:
            import zstandard

            self._decompressor = zstandard.ZstdDecompressor()
        block: bytes = self._decompressor.decompress(data, max_output_size=size)
        return block

    @property
    def errors(self) -> type[Exception]:
        """What decompressing raises for data that are no frame."""
        import zstandard

        error: type[Exception] = zstandard.ZstdError
        return error

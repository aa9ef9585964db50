"""Packed blocks as they lie on disk: frames, gathered into parcels that are written at once.

    u32 mark of the codec (0: the block as it is), u32 stored bytes, data, zeroes up to a multiple of 8

A parcel is as long as direct writing wants it. A frame of no bytes says that the next one begins at the next unit.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator

from corpustools.stages.shuffle.choice import CodecCost
from corpustools.stages.shuffle.codecs import CODECS, LZ4, RAW, ZSTD, BlockCodec
from corpustools.stages.shuffle.pool import Pool, allocate

_FRAME = struct.Struct("<II")
ALIGNED = 8
_TRIED_BLOCKS = 4


class Damaged(Exception):
    """Bytes that are no frames."""


class Packer:
    """What one thread at a time packs blocks of the pool into, and unpacks them from.

    Args:
        pool: where the blocks are.
        size: bytes of a parcel: at least those of a block, of a frame's head and of a unit.
        unit: what lengths of parcels are multiples of, a multiple of ALIGNED.

    Attributes:
        view: the memory of a parcel.
    """

    def __init__(self, pool: Pool, size: int, unit: int) -> None:
        self._pool, self._unit = pool, unit
        self._codec, self._memory = BlockCodec(), allocate(size)
        self.view = memoryview(self._memory)
        # While frames are read: which bytes of the run the memory holds.
        self._low = self._high = 0

    def pack(self, shares: list[list[int]], codec: int, sizes: list[int]) -> Iterator[memoryview]:
        """Give blocks as parcels; each has to be used before the next is asked for.

        Args:
            shares: the blocks, in shares that each begin on a unit.
            codec: LZ4 or ZSTD.
            sizes: gets the bytes of each share.
        """
        memory, size, at = self._memory, self._pool.block_bytes, 0
        for numbers in shares:
            begin, given = at, 0
            for number in numbers:
                if at + _FRAME.size + size > len(memory):
                    parcel = self._parcel(at)
                    given += len(parcel) - begin
                    yield parcel
                    begin = at = 0
                data = at + _FRAME.size
                stored = self._codec.pack(codec, self._pool.memory, number * size, size, memory, data)
                if not stored:
                    self.view[data : data + size] = self._pool.block(number)
                _FRAME.pack_into(memory, at, codec if stored else RAW, stored or size)
                at = up(data + (stored or size), ALIGNED)
            at = len(self._parcel(at))
            sizes.append(given + at - begin)
        if at:
            yield self.view[:at]

    def _parcel(self, size: int) -> memoryview:
        """Return the front of the memory, filled up to a whole unit."""
        whole = up(size, self._unit)
        self.view[size:whole] = bytes(whole - size)
        return self.view[:whole]

    def unpack(self, numbers: list[int], at: int, length: int, read: Callable[[int, memoryview], None]) -> int:
        """Fill blocks with frames; return the byte behind the last.

        Args:
            numbers: the blocks.
            at: the byte of the run at which the first frame begins.
            length: bytes of the run.
            read: fills memory with the bytes of the run from one on.

        Raises:
            Damaged: there are no such frames.
        """
        self._low = self._high = at - at % self._unit
        for number in numbers:
            stored = 0
            while not stored:
                mark, stored = _FRAME.unpack_from(self._memory, self._find(at, _FRAME.size, length, read))
                at = at if stored else up(at + 1, self._unit)
            if mark >= len(CODECS) or stored > self._pool.block_bytes:
                raise Damaged
            data = self._find(at, _FRAME.size + stored, length, read) + _FRAME.size
            self._unpack_one(number, mark, data, stored)
            at = up(at + _FRAME.size + stored, ALIGNED)
        return at

    def _unpack_one(self, number: int, mark: int, data: int, stored: int) -> None:
        size = self._pool.block_bytes
        if mark != RAW:
            whole = self._codec.unpack(mark, self._memory, data, stored, self._pool.memory, number * size, size)
        elif whole := stored == size:
            self._pool.block(number)[:] = self.view[data : data + size]
        if not whole:
            raise Damaged

    def _find(self, at: int, size: int, length: int, read: Callable[[int, memoryview], None]) -> int:
        """Return where in memory a byte of the run is, and `size` bytes from it on."""
        if at + size > length:
            raise Damaged
        if at + size > self._high:
            low = at - at % self._unit
            kept = self._high - low
            self._memory.move(0, low - self._low, kept)
            more = min(len(self._memory) - kept, length - self._high)
            read(self._high, self.view[kept : kept + more])
            self._low, self._high = low, self._high + more
        return at - self._low

    def costs(self, numbers: list[int]) -> dict[int, CodecCost]:
        """Return what each codec does to some blocks, both ways."""
        costs, size = {}, self._pool.block_bytes
        tried, out = numbers[:_TRIED_BLOCKS], bytearray(size)
        for codec in (LZ4, ZSTD):
            begin, stored = time.thread_time(), 0
            for number in tried:
                kept = self._codec.pack(codec, self._pool.memory, number * size, size, self._memory, 0)
                if kept:
                    self._codec.unpack(codec, self._memory, 0, kept, out, 0, size)
                stored += kept or size
            costs[codec] = CodecCost(stored / (len(tried) * size), (time.thread_time() - begin) / (len(tried) * size))
        return costs


def up(value: int, unit: int) -> int:
    """Return the next multiple of a unit."""
    return -(-value // unit) * unit

"""Runs of blocks on disk: one a bucket and worker, in extents of the temporary files, raw or packed.

A run is a row of stretches, in turn raw and packed. Raw blocks stand one behind another; frames.py says how packed ones
do.
"""

from __future__ import annotations

import time
from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from queue import LifoQueue

from corpustools.errors import DataError
from corpustools.files.temporary import TemporaryFiles
from corpustools.stages.shuffle.choice import Choice, Trial
from corpustools.stages.shuffle.codecs import RAW
from corpustools.stages.shuffle.frames import ALIGNED, Damaged, Packer, up
from corpustools.stages.shuffle.pool import Pool

# Direct calls want lengths that are multiples of this; on no disk of today of more.
_DIRECT_UNIT = 4096

Parts = Sequence[memoryview]


class SpillRun:
    """What one worker has spilled of one bucket.

    Attributes:
        extents: numbers of the extents, in order.
        length: bytes on disk.
        turns: numbers of the blocks at which packed ones follow raw ones, and raw ones packed ones, in turn.
        blocks: blocks in all.
        written: checksum of the blocks that were written, modulo 2^64.
        read: checksum of those that were read back so far.
    """

    __slots__ = ("blocks", "extents", "length", "read", "turns", "written")

    def __init__(self) -> None:
        self.extents, self.turns = array("I"), array("Q")
        self.length = self.blocks = self.written = self.read = 0

    def stretch(self, block: int) -> tuple[bool, int]:
        """Return whether a block is packed, and behind which block that ends."""
        place = bisect_right(self.turns, block)
        return bool(place % 2), self.turns[place] if place < len(self.turns) else self.blocks


class Spill:
    """Writes and reads runs; any threads may do so, each another run.

    Args:
        files: where to.
        pool: where blocks come from and go to.
        choice: which codec blocks get.
        packers: how many threads pack or unpack at a time; others wait.
        parcel: bytes of memory for each of them: at least those of a block and 8,192; 0: nothing is packed.
        direct: whether what is written is as long as direct calls want it.
    """

    def __init__(
        self, files: TemporaryFiles, pool: Pool, choice: Choice, packers: int, parcel: int, direct: bool
    ) -> None:
        self.files, self.choice, self._pool, self.block_bytes = files, choice, pool, pool.block_bytes
        self._unit = _DIRECT_UNIT if direct else ALIGNED
        self._packers: LifoQueue[Packer] = LifoQueue()
        for _ in range(packers if parcel else 0):
            self._packers.put(Packer(pool, parcel, self._unit))

    def append(self, run: SpillRun, numbers: list[int]) -> None:
        """Put full blocks of the pool at the end of a run, in order.

        Raises:
            SystemFailure: the disk is full or fails.
        """
        for position, number in enumerate(numbers, run.blocks):
            run.written += self._pool.checksum(number, position * self.block_bytes)
        codec = self.choice.codec
        if (codec != RAW) != len(run.turns) % 2:
            run.turns.append(run.blocks)
        if codec == RAW:
            self._write(run, [self._pool.block(number) for number in numbers])
        else:
            with self._packer() as packer:
                for parcel in packer.pack(numbers, codec):
                    self._write(run, [parcel])
        run.blocks += len(numbers)
        self.choice.spent(codec, len(numbers) * self.block_bytes, lambda: self._try(run, numbers))

    def read(self, run: SpillRun, first: int, numbers: list[int], at: int) -> int:
        """Fill blocks of the pool with a run's blocks from number `first`, in order; return the next byte.

        Args:
            run: what is read.
            first: the number of the first block in the run.
            numbers: blocks of the pool.
            at: the byte of the run at which block `first` stands.

        Raises:
            DataError: the bytes are not those that were written.
            SystemFailure: the temporary file cannot be read.
        """
        done = 0
        while done < len(numbers):
            packed, end = run.stretch(first + done)
            some = numbers[done : done + end - first - done]
            if packed:
                at = self._read_packed(run, some, at)
            else:
                at = up(at, self._unit)
                self._pass(self.files.read, run, at, [self._pool.block(number) for number in some])
                at += len(some) * self.block_bytes
            done += len(some)
        for position, number in enumerate(numbers, first):
            run.read += self._pool.checksum(number, position * self.block_bytes)
        if first + len(numbers) == run.blocks and (run.read - run.written) % (1 << 64):
            raise self._damaged()
        return at

    def expect(self, run: SpillRun) -> None:
        """Tell the system that a run will be read soon."""
        for extent in run.extents:
            self.files.expect(extent)

    def release(self, run: SpillRun) -> None:
        """Free the disk space of a run that has been read."""
        for extent in run.extents:
            self.files.release(extent)

    @contextmanager
    def _packer(self) -> Iterator[Packer]:
        packer = self._packers.get()
        try:
            yield packer
        finally:
            self._packers.put(packer)

    def _write(self, run: SpillRun, parts: Parts) -> None:
        """Write the parts behind what a run has, one after another."""
        begin = run.length
        run.length += sum(map(len, parts))
        while len(run.extents) * self.files.extent_bytes < run.length:
            run.extents.append(self.files.allocate())
        self._pass(self.files.write, run, begin, parts)

    def _read_packed(self, run: SpillRun, numbers: list[int], at: int) -> int:
        def read(begin: int, memory: memoryview) -> None:
            self._pass(self.files.read, run, begin, [memory])

        with self._packer() as packer:
            try:
                return packer.unpack(numbers, at, run.length, read)
            except Damaged:
                raise self._damaged() from None

    def _pass(self, call: Callable[[int, int, list[memoryview]], None], run: SpillRun, at: int, parts: Parts) -> None:
        """Write or read the parts one after another from a byte of a run, extent by extent."""
        left = deque(parts)
        while left:
            extent, within = divmod(at, self.files.extent_bytes)
            room, batch = self.files.extent_bytes - within, []
            while left and room:
                part = left.popleft()
                if len(part) > room:
                    left.appendleft(part[room:])
                    part = part[:room]
                batch.append(part)
                room -= len(part)
            call(run.extents[extent], within, batch)
            at += self.files.extent_bytes - within - room

    def _try(self, run: SpillRun, numbers: list[int]) -> Trial:
        """Try codecs on blocks, and read back the front of a run; the page cache would say nothing of the disk."""
        with self._packer() as packer:
            costs = packer.costs(numbers)
            if self._unit != _DIRECT_UNIT:
                return Trial(costs, None)
            length, begin = min(len(packer.view), run.length, self.files.extent_bytes), time.perf_counter()
            self.files.read(run.extents[0], 0, [packer.view[:length]])
            return Trial(costs, (time.perf_counter() - begin) / length)

    def _damaged(self) -> DataError:
        return DataError(
            f"temporary data in {', '.join(self.files.directories)} are not what was written",
            "keep others from that folder; else its disk or the memory fails",
        )

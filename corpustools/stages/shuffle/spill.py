"""Temporary data of the buckets: written a piece at a time, and read back bucket by bucket.

The bytes of a run are its shares, one behind another; pieces.py says where they are. They are stretches of blocks, in
turn raw and packed. Raw blocks stand one behind another; frames.py says how packed ones do.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from queue import LifoQueue

from corpustools.errors import DataError
from corpustools.files.behind import WorkBehind
from corpustools.files.temporary import Meter, TemporaryFiles
from corpustools.stages.shuffle.choice import Choice, Trial
from corpustools.stages.shuffle.codecs import RAW
from corpustools.stages.shuffle.frames import Damaged, Packer, up
from corpustools.stages.shuffle.pieces import PAGE, Share, SpillRun
from corpustools.stages.shuffle.pool import Pool

# Of a bucket, in order: an extent, the first byte in it, and how many there are.
Shares = list[tuple[int, int, int]]


class Spill:
    """Writes and reads; any threads may do so, each another group, or once all is written another run.

    Args:
        files: where to; an extent holds a piece, see `extent_bytes`.
        pool: where blocks come from and go to.
        choice: which codec blocks get.
        packers: how many threads pack or unpack at a time; others wait.
        parcel: bytes of memory for each of them: at least those of a block and 8,192; 0: nothing is packed.
        piece: bytes of blocks that are written at once.
        width: how many buckets have shares of a piece.

    Attributes:
        piece_blocks: how many blocks are written at once.
        width: as given.
    """

    def __init__(
        self, files: TemporaryFiles, pool: Pool, choice: Choice, packers: int, parcel: int, piece: int, width: int
    ) -> None:
        self.files, self.choice, self._pool, self.block_bytes = files, choice, pool, pool.block_bytes
        self.piece_blocks, self.width = max(1, piece // pool.block_bytes), width
        self._lock = threading.Lock()
        self._writings: list[WorkBehind[list[Share]]] = []
        self._packers: LifoQueue[Packer] = LifoQueue()
        for _ in range(packers if parcel else 0):
            self._packers.put(Packer(pool, parcel, PAGE))

    def writing(self) -> WorkBehind[list[Share]]:
        """Return what writes pieces on a thread of its own, see `write`."""
        writing = WorkBehind(self.write)
        self._writings.append(writing)
        return writing

    def stop_writing(self) -> None:
        """End the threads that write; what they have not begun is given up."""
        for writing in self._writings:
            writing.close()
        self._writings.clear()

    def write(self, shares: list[Share]) -> None:
        """Write a piece: shares of the buckets of one group, in order, of at most `piece_blocks` together.

        Raises:
            SystemFailure: the disk is full or fails.
        """
        codec, group = self.choice.codec, shares[0].run.group
        for run, first, numbers in shares:
            if (codec != RAW) != len(run.turns) % 2:
                run.turns.append(first)
            for position, number in enumerate(numbers, first):
                run.written += self._pool.checksum(number, position * self.block_bytes)
        extent, sizes = self.files.allocate(), [0] * group.width
        for share, size in zip(shares, self._write(extent, shares, codec), strict=True):
            sizes[share.run.slot] = size
        group.add(extent, sizes)
        every = [number for share in shares for number in share.numbers]
        self.choice.spent(codec, len(every) * self.block_bytes, lambda: self._try(extent, sum(sizes), every))

    def _write(self, extent: int, shares: list[Share], codec: int) -> list[int]:
        """Write a piece to an extent; return the bytes of each share."""
        if codec == RAW:
            self.files.write(extent, 0, [self._pool.block(number) for share in shares for number in share.numbers])
            return [len(share.numbers) * self.block_bytes for share in shares]
        sizes: list[int] = []
        end = 0
        with self._packer() as packer:
            for parcel in packer.pack([share.numbers for share in shares], codec, sizes):
                self.files.write(extent, end, [parcel])
                end += len(parcel)
        return sizes

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
        done, shares = 0, run.group.shares(run.slot)
        while done < len(numbers):
            packed, end = run.stretch(first + done)
            some = numbers[done : done + end - first - done]
            if packed:
                at = self._read_packed(shares, some, at)
            else:
                at = up(at, PAGE)
                self._read(shares, at, [self._pool.block(number) for number in some])
                at += len(some) * self.block_bytes
            done += len(some)
        for position, number in enumerate(numbers, first):
            run.read += self._pool.checksum(number, position * self.block_bytes)
        if first + len(numbers) == run.blocks and (run.read - run.written) % (1 << 64):
            raise self._damaged()
        return at

    def expect(self, run: SpillRun) -> None:
        """Tell the system that a run will be read soon."""
        for extent, start, size in run.group.shares(run.slot):
            self.files.expect(extent, start, size)

    def release(self, run: SpillRun) -> None:
        """Let go of a run that has been read; the last one of a group frees the disk space of all."""
        group = run.group
        with self._lock:
            group.live -= 1
            if group.live:
                return
        for extent in group.extents:
            self.files.release(extent)
        group.clear()

    @contextmanager
    def _packer(self) -> Iterator[Packer]:
        packer = self._packers.get()
        try:
            yield packer
        finally:
            self._packers.put(packer)

    def _read_packed(self, shares: Shares, numbers: list[int], at: int) -> int:
        def read(begin: int, memory: memoryview) -> None:
            self._read(shares, begin, [memory])

        with self._packer() as packer:
            try:
                return packer.unpack(numbers, at, sum(size for _, _, size in shares), read)
            except Damaged:
                raise self._damaged() from None

    def _read(self, shares: Shares, at: int, parts: list[memoryview]) -> None:
        """Fill the parts one after another from a byte of a run on, share by share."""
        left = deque(parts)
        for extent, start, size in shares:
            if at >= size:
                at -= size
                continue
            room, batch = size - at, []
            while left and room:
                part = left.popleft()
                if len(part) > room:
                    left.appendleft(part[room:])
                    part = part[:room]
                batch.append(part)
                room -= len(part)
            self.files.read(extent, start + at, batch)
            if not left:
                return
            at = 0
        raise self._damaged()

    def _try(self, extent: int, size: int, numbers: list[int]) -> Trial:
        """Try codecs on blocks, and read back the front of a piece; the page cache would say nothing of the disk."""
        with self._packer() as packer:
            costs = packer.costs(numbers)
            if not self.files.direct:
                return Trial(costs, None)
            length, meter = min(len(packer.view), size), Meter()
            with meter.passing(length):
                self.files.read(extent, 0, [packer.view[:length]])
            return Trial(costs, meter.take()[1] / length)

    def _damaged(self) -> DataError:
        return DataError(
            f"temporary data in {', '.join(self.files.directories)} are not what was written",
            "keep others from that folder; else its disk or the memory fails",
        )

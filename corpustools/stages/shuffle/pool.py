"""The memory that records lie in: one stretch of equal blocks, linked to chains."""

from __future__ import annotations

import mmap
import time
from array import array

from corpustools import kernels
from corpustools.files.linux import populate

# Blocks that are touched together: few at first, for small inputs.
_FIRST_STRETCH, _LAST_STRETCH = 1 << 20, 8 << 20
# A stretch says what memory costs if it is so long.
_TELLING = 4 << 20
# Seconds of a processor for a GiB of new memory, from which copying into it costs more than it saves. Clearing alone
# takes 0.12 to 0.16; a virtual machine whose host has to find the memory first takes one to three.
_DEAR = 0.25


def allocate(size: int, huge: bool = False) -> mmap.mmap:
    """Return zeroed memory that takes room only where it is touched."""
    # A shared map, which Python's default is, gets no huge pages.
    memory = mmap.mmap(-1, max(size, 1), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if huge and hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)
    return memory


class Pool:
    """Blocks of equal size in one stretch of memory, with a link each.

    Args:
        blocks: how many.
        block_bytes: a power of two.
        record_blocks: blocks that the longest record may touch.
        holds_all: whether the records of mapped inputs fit too.

    Attributes:
        kernel: the loops over records (`kernels.records`).
        memory: the blocks, and SLACK bytes behind them.
        link_memory: one u32 a block, the next block of its chain.
        links: the same as numbers.
        dear: whether new memory has turned out to be slow.
    """

    def __init__(self, blocks: int, block_bytes: int, record_blocks: int, holds_all: bool = False) -> None:
        self.kernel = kernels.load("records")
        self.blocks, self.block_bytes, self.record_blocks = blocks, block_bytes, record_blocks
        self.memory = allocate(blocks * block_bytes + self.kernel.SLACK)
        self.link_memory = allocate(4 * blocks)
        self.links = memoryview(self.link_memory).cast("I")
        self._view = memoryview(self.memory)
        self._holds_all, self.dear = holds_all, False

    @property
    def copies(self) -> bool:
        """Whether the records of mapped inputs are copied here: they are fetched faster than from all over the inputs.

        It does not pay where new memory is slow.
        """
        return self._holds_all and not self.dear

    def prepare(self, first: int, stop: int) -> None:
        """Touch blocks for the first time, in huge pages, and note what it costs."""
        start, size = first * self.block_bytes, (stop - first) * self.block_bytes
        # Small pages come from memory that was used before.
        if self.dear or not size:
            return
        if hasattr(mmap, "MADV_HUGEPAGE"):
            self.memory.madvise(mmap.MADV_HUGEPAGE, start, size)
        begin = time.thread_time()
        populate(self.memory, start, size)
        # Another thread may have found out meanwhile: what is slow stays slow.
        if size >= _TELLING and (time.thread_time() - begin) * (1 << 30) > _DEAR * size:
            self.dear = True

    def block(self, number: int) -> memoryview:
        """Return the bytes of a block."""
        return self._view[number * self.block_bytes : (number + 1) * self.block_bytes]

    def checksum(self, number: int, offset: int) -> int:
        """Return what a block adds to the checksum of a run in which it stands at an offset, a multiple of 32."""
        start = number * self.block_bytes
        checksum: int = self.kernel.checksum(self.memory, start, start + self.block_bytes, offset)
        return checksum

    def chain(self, block: int) -> list[int]:
        """Return the blocks of a chain, from one of them to its end."""
        blocks = []
        while block < self.blocks:
            blocks.append(block)
            block = self.links[block]
        return blocks


class NewBlocks:
    """Blocks of a pool that nobody has touched, from `first` to before `stop`, for one thread.

    Blocks are given with the lowest at the end, where they are taken from: what is used lies together.

    Args:
        pool: their pool.
        first, stop: their numbers.
        open_blocks: how many are open at a time. The first ones stay as they are: most of them hold little when the
            input is small.
    """

    def __init__(self, pool: Pool, first: int, stop: int, open_blocks: int) -> None:
        self._pool, self._next, self._stop = pool, first, stop
        self._open_until = first + open_blocks
        self._stretch = max(_FIRST_STRETCH, pool.record_blocks * pool.block_bytes)

    def take(self) -> array[int]:
        """Return some more of them, ready for use; none at the end."""
        first = self._next
        if first < self._open_until:
            return self._take(max(self._open_until - first, self._pool.record_blocks))
        blocks = self._take(-(-self._stretch // self._pool.block_bytes))
        self._pool.prepare(first, self._next)
        self._stretch = max(self._stretch, min(2 * self._stretch, _LAST_STRETCH))
        return blocks

    def take_all(self) -> array[int]:
        """Return all that are left, as they are."""
        return self._take(self._stop - self._next)

    def _take(self, count: int) -> array[int]:
        first, self._next = self._next, min(self._stop, self._next + count)
        return array("I", range(self._next - 1, first - 1, -1))

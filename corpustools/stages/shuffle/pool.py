"""The memory that records lie in: one stretch of equal blocks, linked to chains."""

from __future__ import annotations

import mmap

from corpustools import kernels


def allocate(size: int, huge: bool = False) -> mmap.mmap:
    """Return zeroed memory that takes room only where it is touched."""
    memory = mmap.mmap(-1, max(size, 1))
    if huge and hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)
    return memory


class Pool:
    """Blocks of equal size in one stretch of memory, with a link each.

    Args:
        blocks: how many.
        block_bytes: a power of two.
        record_blocks: blocks that the longest record may touch.

    Attributes:
        kernel: the loops over records (`kernels.records`).
        memory: the blocks, and SLACK bytes behind them.
        link_memory: one u32 a block, the next block of its chain.
        links: the same as numbers.
    """

    def __init__(self, blocks: int, block_bytes: int, record_blocks: int) -> None:
        self.kernel = kernels.load("records")
        self.blocks, self.block_bytes, self.record_blocks = blocks, block_bytes, record_blocks
        self.memory = allocate(blocks * block_bytes + self.kernel.SLACK, huge=True)
        self.link_memory = allocate(4 * blocks)
        self.links = memoryview(self.link_memory).cast("I")
        self._view = memoryview(self.memory)

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

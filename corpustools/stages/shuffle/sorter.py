"""Records in memory to records in order: they are listed by their key bits, sorted, and copied in that order."""

from __future__ import annotations

from collections.abc import Iterator
from mmap import mmap
from typing import NamedTuple

from corpustools import kernels
from corpustools.kernels.records.status import Status
from corpustools.stages.shuffle.loader import Chain
from corpustools.stages.shuffle.order import SortKeys
from corpustools.stages.shuffle.pool import Pool, allocate

# Key bits that stand beside each record in the pool: those below its bucket's prefix.
_KEY_BITS = 1 << 32


class Copied(NamedTuple):
    """What a copy of records did.

    Attributes:
        next: the first entry that was not done.
        used: bytes of the buffer that are used now.
        checksum: of the records copied.
        place: where the last record done is kept, if it is a long one.
        length: its bytes; 0 where there is none. It was not copied.
    """

    next: int
    used: int
    checksum: int
    place: int
    length: int


class Sorter:
    """Puts records in order for one thread, as many at a time as its lists take.

    Args:
        pool: where the records are, or their addresses.
        keys: what gives the records their sort keys.
        most: records that are listed at a time.
    """

    def __init__(self, pool: Pool, keys: SortKeys, most: int) -> None:
        self._pool, self._keys, self._most = pool, keys, most
        self._where = (pool.memory, pool.link_memory, pool.block_bytes)
        self._sort = kernels.load("order").sort
        self._words, self._ordered, self._numbers = (allocate(8 * most) for _ in range(3))
        self._spots = allocate(16 * most)

    def batches(self, chains: list[Chain], count: int, wanted: int) -> Iterator[int]:
        """Put the records of some chains in order, batch by batch, and give the size of each.

        A batch is what `copy` takes; it is gone when the next one is asked for.

        Args:
            chains: the records.
            count: how many there are.
            wanted: how many are needed; batches end with the one that has the last of them.
        """
        ranges = [(0, _KEY_BITS - 1)]
        if count > self._most:
            parts = -(-count * 5 // (self._most * 4))
            ranges = [(i * _KEY_BITS // parts, (i + 1) * _KEY_BITS // parts - 1) for i in reversed(range(parts))]
        done = 0
        while ranges and done < wanted:
            least, greatest = ranges.pop()
            status, n = self._list(chains, least, greatest)
            if status == Status.LISTS_FULL:
                middle = (least + greatest) // 2
                ranges += [(middle + 1, greatest), (least, middle)]
            else:
                self._sort(self._words, self._ordered, self._numbers, n, *self._keys)
                yield n
                done += n

    def copy(self, first: int, stop: int, out: mmap, capacity: int, used: int) -> Copied:
        """Copy records of the batch to a buffer, in order, until it is full or a long record comes.

        Args:
            first: the first record's place in the batch.
            stop: behind the last.
            out: the buffer, with SLACK bytes behind `capacity`.
            capacity: bytes of it that may be used.
            used: bytes of it that are used already.
        """
        gather = self._pool.kernel.gather
        return Copied(*gather(*self._where, self._ordered, self._spots, first, stop, out, capacity, used))

    def _list(self, chains: list[Chain], least: int, greatest: int) -> tuple[int, int]:
        """List the records whose key bits are in a range; return the kernel's status, and how many there are."""
        status, listed = Status.DONE, 0
        for chain in chains:
            wanted = (*self._where, chain.walk, chain.records, least, greatest)
            status, listed = self._pool.kernel.index_stream(*wanted, self._words, self._numbers, self._spots, listed)
            if status != Status.DONE:
                break
        return status, listed

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
    place: int = 0
    length: int = 0


class Sorter:
    """Puts records in order for one thread, as many at a time as its lists take.

    Args:
        pool: where the records are, or their addresses.
        keys: what gives the records their sort keys.
        most: records that are listed at a time.
        mapped: whether records stay in mapped inputs.
    """

    def __init__(self, pool: Pool, keys: SortKeys, most: int, mapped: bool) -> None:
        self._pool, self._keys, self._most = pool, keys, most
        self._where = (pool.memory, pool.link_memory, pool.block_bytes)
        self._sort = kernels.load("order").sort
        self._words, self._ordered, self._numbers, self._places = (allocate(8 * most) for _ in range(4))
        self._all_lengths = allocate(8 * most) if mapped else None
        # None while the records are found through the pool.
        self._lengths: mmap | None = None

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
        self._lengths = self._all_lengths
        done = 0
        while ranges and done < wanted:
            least, greatest = ranges.pop()
            status, n = self._list(chains, least, greatest)
            if status == Status.LISTS_FULL:
                middle = (least + greatest) // 2
                ranges += [(middle + 1, greatest), (least, middle)]
            elif status == Status.NOT_MAPPED:
                # A long record is among them: all of these records are found through the pool.
                self._lengths = None
                ranges.append((least, greatest))
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
        room = (first, stop, out, capacity, used)
        kernel = self._pool.kernel
        if self._lengths is not None:
            return Copied(*kernel.gather_mapped(self._ordered, self._places, self._lengths, *room))
        return Copied(*kernel.gather(*self._where, self._ordered, self._places, *room))

    def _list(self, chains: list[Chain], least: int, greatest: int) -> tuple[int, int]:
        """List the records whose key bits are in a range; return the kernel's status, and how many there are."""
        kernel, lists, listed = self._pool.kernel, (self._words, self._numbers, self._places), 0
        for chain in chains:
            wanted = (*self._where, chain.walk, chain.records, least, greatest)
            if self._lengths is not None:
                status, listed = kernel.index_mapped(*wanted, *lists, self._lengths, listed)
            else:
                status, listed = kernel.index_stream(*wanted, *lists, listed)
            if status != Status.DONE:
                return status, listed
        return Status.DONE, listed

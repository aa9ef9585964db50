"""Where spilled blocks are: the pieces of neighbouring buckets, and each bucket's run through them."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import NamedTuple

# What direct reads and writes begin and end on; on no disk of today more.
PAGE = 4096
# Longer pieces are written no faster, and shorter ones by far slower.
_SHORTEST, _LONGEST = 64 << 10, 4 << 20
# So many buckets at most have shares of a piece.
WIDEST = 32
# Of each piece: its extent, and the pages of each share.
_PIECE_BYTES, _SHARE_BYTES = 4, 2
# Packed, a block has a head before it. Parcels hold at least so much, and end on a page.
_HEAD, _LEAST_PARCEL = 8, 64 << 10


def piece_bytes(pool: int, workers: int) -> int:
    """Return the bytes of blocks that are spilled at once, a power of two."""
    most = max(_SHORTEST, min(_LONGEST, pool // (16 * workers)))
    return int(1 << (most.bit_length() - 1))


def table_bytes(pool: int, workers: int, expected: int | None) -> int:
    """Return the most that is noted of the pieces of an input; of an unknown one, if it is several pools large."""
    pieces = (4 * pool if expected is None else expected) // piece_bytes(pool, workers)
    return min(pieces * (_PIECE_BYTES + WIDEST * _SHARE_BYTES), pool // 2)


def extent_bytes(piece: int, width: int) -> int:
    """Return the bytes of an extent that holds a piece even where no block becomes smaller by packing."""
    pages = -(-piece // PAGE) + piece // PAGE * _HEAD // PAGE + 1
    return (pages + width + piece // _LEAST_PARCEL + 1) * PAGE


class SpillGroup:
    """Some buckets of one worker, next to each other, whose blocks go to disk in the same pieces.

    A piece is an extent of the temporary files. In it stand the shares of the buckets, in the buckets' order.

    Args:
        width: how many buckets.

    Attributes:
        width: as given.
        extents: where the pieces are, in order.
        live: runs that were not released.
    """

    __slots__ = ("_pages", "extents", "live", "width")

    def __init__(self, width: int) -> None:
        self.width, self.live = width, 0
        self.clear()

    def clear(self) -> None:
        """Forget all pieces."""
        self.extents, self._pages = array("I"), array("H")

    def add(self, extent: int, sizes: list[int]) -> None:
        """Note a piece: its extent, and the bytes of each bucket's share, whole pages."""
        self._pages.extend([size // PAGE for size in sizes])
        self.extents.append(extent)

    def shares(self, slot: int) -> list[tuple[int, int, int]]:
        """Return the shares of a bucket, in order: the extent, the first byte in it, and how many there are."""
        shares = []
        for piece, extent in enumerate(self.extents):
            row = piece * self.width
            if pages := self._pages[row + slot]:
                shares.append((extent, sum(self._pages[row : row + slot]) * PAGE, pages * PAGE))
        return shares


class SpillRun:
    """What one worker has spilled of one bucket: its shares of the pieces of its group, one behind another.

    Args:
        group: the group of the bucket.
        slot: the bucket's place in it.

    Attributes:
        group, slot: as given.
        turns: numbers of the blocks at which packed ones follow raw ones, and raw ones packed ones, in turn.
        blocks: blocks in all, those included that are on their way to disk.
        written: checksum of the blocks that were written, modulo 2^64.
        read: checksum of those that were read back so far.
    """

    __slots__ = ("blocks", "group", "read", "slot", "turns", "written")

    def __init__(self, group: SpillGroup, slot: int) -> None:
        self.group, self.slot, self.turns = group, slot, array("Q")
        self.blocks = self.written = self.read = 0
        group.live += 1

    def stretch(self, block: int) -> tuple[bool, int]:
        """Return whether a block is packed, and behind which block that ends."""
        place = bisect_right(self.turns, block)
        return bool(place % 2), self.turns[place] if place < len(self.turns) else self.blocks


class Share(NamedTuple):
    """Full blocks of a bucket that are to be spilled.

    Attributes:
        run: what they are added to.
        first: the number of the first one in the run.
        numbers: the blocks of the pool.
    """

    run: SpillRun
    first: int
    numbers: list[int]

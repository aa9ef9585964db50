"""The buckets that a scatter has filled, and where each begins in the output."""

from __future__ import annotations

from itertools import accumulate
from typing import NamedTuple

from corpustools.stages.shuffle.buckets import BucketSet


class BucketRange(NamedTuple):
    """Buckets of one key range, one set a worker, and where each bucket begins in the output.

    Attributes:
        sets: of equal ranges and shifts.
        buckets: how many are complete; records of higher ones were dropped.
        starts: the output position of each bucket's first record, and of what follows the last.
        offsets: the same as bytes of the output.
    """

    sets: list[BucketSet]
    buckets: int
    starts: list[int]
    offsets: list[int]

    @classmethod
    def of(cls, sets: list[BucketSet], start: int, offset: int) -> BucketRange:
        """Return the range of some sets, given its first record's number and byte in the output."""
        buckets = min(one.dropped_from for one in sets)
        counts = map(sum, zip(*(one.table.counts(buckets) for one in sets), strict=True))
        sizes = map(sum, zip(*(one.table.sizes(buckets) for one in sets), strict=True))
        return cls(sets, buckets, list(accumulate(counts, initial=start)), list(accumulate(sizes, initial=offset)))

    @property
    def records(self) -> int:
        """Records in the buckets."""
        return self.starts[-1] - self.starts[0]

    @property
    def size(self) -> int:
        """Their bytes, delimiters included."""
        return self.offsets[-1] - self.offsets[0]

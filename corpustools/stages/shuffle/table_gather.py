"""Buckets of rows to the output: each is put in order, and one that is larger than the memory is shared out again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from corpustools.files.ordered import OrderedTasks
from corpustools.files.table_writer import RowSink
from corpustools.files.tables import arrow
from corpustools.stages.shuffle.order import KEYS
from corpustools.stages.shuffle.table_buckets import Buckets, BucketTable, messages_of, words_of
from corpustools.stages.shuffle.table_chunks import joined
from corpustools.stages.shuffle.table_plan import TablePlan
from corpustools.stages.shuffle.table_spill import TableSpill

_MOST_PARTS = 1 << 8


class Ordered(NamedTuple):
    """The rows of a bucket in order, the sort key of each, and the bytes that the bucket took."""

    rows: Any
    keys: Any
    size: int


class RowGather:
    """Writes the rows of buckets in order, up to a limit.

    Args:
        plan: the layout of the memory.
        spill: where the parts of a bucket go that is shared out again, or None.
        sink: takes the rows.
        limit: rows to write in all, or None.
        tick: called with the bytes that were written of the buckets and what these take in all.

    Attributes:
        rows, checksum: rows written so far, and the sum of their sort keys modulo 2^64.
    """

    def __init__(
        self,
        plan: TablePlan,
        spill: TableSpill | None,
        sink: RowSink,
        limit: int | None,
        tick: Callable[[int, int], None],
    ) -> None:
        self._plan, self._spill, self._sink, self._limit, self._tick = plan, spill, sink, limit, tick
        self.rows = self.checksum = 0

    def write(self, table: BucketTable) -> None:
        """Write all buckets that were kept.

        Raises:
            DataError: temporary data are not what was written, or a row group is larger than it may be.
            SystemFailure: a file or the disk failed.
        """
        done, total = 0, sum(table.sizes[: table.kept])

        def deliver(bucket: Ordered) -> None:
            nonlocal done
            self._write(bucket)
            done += bucket.size
            self._tick(done, total)

        ahead = self.rows
        with OrderedTasks(self._plan.tasks, deliver) as tasks:
            for one, bucket in self._small(table):
                if self._limit is not None and ahead >= self._limit:
                    break
                ahead += one.rows[bucket]
                tasks.submit(_ordered, one, bucket)

    def _write(self, bucket: Ordered) -> None:
        count = len(bucket.keys) if self._limit is None else min(len(bucket.keys), self._limit - self.rows)
        self._sink.write(bucket.rows.slice(0, count))
        self.rows += count
        self.checksum = (self.checksum + int(bucket.keys[:count].sum(dtype=np.uint64))) % KEYS

    def _small(self, table: BucketTable) -> Iterator[tuple[BucketTable, int]]:
        """Give the buckets that have rows, in order, those that are too large in parts."""
        for bucket in range(table.kept):
            if not table.rows[bucket]:
                continue
            if table.sizes[bucket] <= self._plan.chunk or table.rows[bucket] == 1 or not table.buckets.shift:
                yield table, bucket
            else:
                yield from self._small(self._shared_out(table, bucket))

    def _shared_out(self, table: BucketTable, bucket: int) -> BucketTable:
        """Return the rows of a bucket in buckets of their own."""
        size, chunk = table.sizes[bucket], self._plan.chunk
        parts = 2
        while parts < _MOST_PARTS and parts * chunk < 2 * size:
            parts *= 2
        buckets = Buckets.of(table.buckets.range_of(bucket), parts)
        # Without temporary space the bucket is in memory already, and empties as this one fills.
        part = BucketTable(buckets, table.schema, size + chunk if self._spill is None else chunk, self._spill)
        waiting: list[Any] = []
        filled = 0
        for batch in table.take(bucket):
            waiting.append(batch)
            filled += batch.nbytes
            if filled >= chunk // 2:
                part.add(messages_of(joined(waiting), buckets))
                waiting, filled = [], 0
        if waiting:
            part.add(messages_of(joined(waiting), buckets))
        return part


def _ordered(table: BucketTable, bucket: int) -> Ordered:
    whole = joined(list(table.take(bucket)))
    first, second = words_of(whole)
    # The sort is stable and the rows come in the order of their numbers, which decides at last.
    order = np.lexsort((second, first))
    rows = whole.select(list(range(whole.num_columns - 2))).take(arrow().array(order))
    return Ordered(rows, first[order], table.sizes[bucket])

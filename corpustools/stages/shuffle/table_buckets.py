"""Buckets of rows: by ranges of sort keys, in memory as long as there is room, the highest ones on disk.

A bucket is a list of messages, each the rows of one chunk in Arrow's format between processes. Made at once and into
memory of their own, they hold no more than their rows; slices of a chunk would keep the whole of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from corpustools import kernels
from corpustools.files.tables import arrow
from corpustools.stages.shuffle.order import KeyRange, SortKeys
from corpustools.stages.shuffle.table_spill import Messages, TableSpill, message_rows

Words = np.ndarray[Any, np.dtype[np.uint64]]


class Message(NamedTuple):
    """The rows of a chunk that belong to one bucket: how many they are, and the bytes that hold them."""

    bucket: int
    rows: int
    data: Any


@dataclass(frozen=True)
class Buckets:
    """Which keys go to which bucket: the leading bits of what is left above `wanted.low`.

    Attributes:
        wanted: the range of keys; rows of other keys are passed over.
        shift: bits of a key that are the same bucket.
        count: how many buckets there are.
    """

    wanted: KeyRange
    shift: int
    count: int

    @classmethod
    def of(cls, wanted: KeyRange, most: int) -> Buckets:
        """Return at most `most` buckets, a power of two, for a range of keys; more would share a key."""
        shift = 0
        while wanted.span >> shift >= most:
            shift += 1
        return cls(wanted, shift, (wanted.span >> shift) + 1)

    def range_of(self, bucket: int) -> KeyRange:
        """Return the keys of a bucket."""
        low = bucket << self.shift
        return KeyRange(self.wanted.low + low, min((1 << self.shift) - 1, self.wanted.span - low))


def with_words(batch: Any, first: int, keys: SortKeys) -> Any:
    """Return rows with two more columns, the words of their numbers, by which they are sorted.

    Args:
        batch: rows as they are shuffled.
        first: the number of the first row.
        keys: what gives rows their sort keys.
    """
    out = np.empty((batch.num_rows, 4), np.uint64)
    if batch.num_rows:
        kernels.load("order").words(first, batch.num_rows, keys.word0, keys.word1, out)
    pyarrow = arrow()
    for words in (out[:, 0] & np.uint64(keys.mask), out[:, 1]):
        batch = batch.append_column("", pyarrow.array(np.ascontiguousarray(words)))
    return batch


def words_of(batch: Any) -> tuple[Words, Words]:
    """Return the sort keys of rows, and the words that decide where those are equal."""
    first, second = (batch.column(batch.num_columns - back).to_numpy(zero_copy_only=False) for back in (2, 1))
    return first, second


def messages_of(batch: Any, buckets: Buckets) -> list[Message]:
    """Return rows, which have their words, by bucket; in each they keep their order."""
    above = words_of(batch)[0] - np.uint64(buckets.wanted.low)
    places = np.flatnonzero(above <= np.uint64(buckets.wanted.span))
    numbers = (above[places] >> np.uint64(buckets.shift)).astype(np.uint16)
    order = np.argsort(numbers, kind="stable")
    taken = batch.take(arrow().array(places[order]))
    counts = np.bincount(numbers, minlength=1)
    messages, at = [], 0
    for bucket in np.flatnonzero(counts).tolist():
        rows = int(counts[bucket])
        messages.append(Message(bucket, rows, taken.slice(at, rows).serialize()))
        at += rows
    return messages


class BucketTable:
    """The buckets of one range of keys.

    One thread at a time adds messages. Later any thread may take a bucket, each bucket once.

    Args:
        buckets: which keys they hold.
        schema: of the rows with their words.
        held: bytes that may stay in memory.
        spill: where the others go; None: the highest buckets are dropped, for a later pass over the inputs.

    Attributes:
        buckets, schema: as given.
        kept: buckets that were not dropped, from the low end.
        rows, sizes: of each bucket, rows and bytes of messages.
    """

    def __init__(self, buckets: Buckets, schema: Any, held: int, spill: TableSpill | None) -> None:
        self.buckets, self.schema, self._room, self._spill = buckets, schema, held, spill
        self.kept = buckets.count
        self._resident = buckets.count
        self._held: list[list[Any]] = [[] for _ in range(buckets.count)]
        self._runs = [Messages() for _ in range(buckets.count)] if spill is not None else []
        self.rows, self.sizes = [0] * buckets.count, [0] * buckets.count
        self._used = 0

    def add(self, messages: list[Message]) -> None:
        """Take the messages of the next chunk; spill or drop the highest buckets where there is no room.

        Raises:
            SystemFailure: the disk is full or fails.
        """
        for bucket, rows, data in messages:
            if bucket >= self.kept:
                continue
            self.rows[bucket] += rows
            self.sizes[bucket] += data.size
            if bucket < self._resident:
                self._held[bucket].append(data)
                self._used += data.size
            else:
                self._append(bucket, data)
        # Without temporary space the lowest bucket has to stay, whatever it takes.
        while self._used > self._room and self._resident > (0 if self._spill is not None else 1):
            self._give_up_highest()

    def _give_up_highest(self) -> None:
        self._resident -= 1
        bucket = self._resident
        held, self._held[bucket] = self._held[bucket], []
        self._used -= sum(data.size for data in held)
        if self._spill is None:
            self.kept = bucket
            return
        for data in held:
            self._append(bucket, data)

    def _append(self, bucket: int, data: Any) -> None:
        assert self._spill is not None
        self._spill.append(self._runs[bucket], memoryview(data))

    @property
    def end(self) -> int:
        """The first key above those of the buckets that were kept."""
        if self.kept == self.buckets.count:
            return self.buckets.wanted.low + self.buckets.wanted.span + 1
        return self.buckets.range_of(self.kept).low

    @property
    def overfull(self) -> bool:
        """Whether what has to stay takes more memory than it may."""
        return self._used > self._room

    def take(self, bucket: int) -> Iterator[Any]:
        """Give the rows of a bucket in the order in which they came, in batches; the bucket is empty afterwards.

        Raises:
            DataError: temporary data are not what was written.
            SystemFailure: the temporary file cannot be read.
        """
        pyarrow = arrow()
        held, self._held[bucket] = self._held[bucket][::-1], []
        while held:
            yield message_rows(pyarrow, held.pop(), self.schema)
        if self._spill is not None:
            run, self._runs[bucket] = self._runs[bucket], Messages()
            for data in self._spill.read(run):
                yield message_rows(pyarrow, data, self.schema)
            self._spill.release(run)

"""Several outputs as one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import numpy as np

from corpustools.errors import DataError
from corpustools.formats.batch import Counts
from corpustools.formats.readers.reader import TokenBatch, TokenReader


class ChainReader(TokenReader):
    """Shards, one after another. A document lies in one shard, unless no shard says where documents end.

    Args:
        readers: in order.

    Raises:
        DataError: they are of different formats.
    """

    def __init__(self, readers: list[TokenReader]) -> None:
        first = readers[0]
        super().__init__(first.name)
        self._readers = readers
        for one in readers:
            if (one.form, one.bounded, one.width) != (first.form, first.bounded, first.width):
                raise DataError(
                    f"{one.name}: is {_kind(one)}, and {first.name} is {_kind(first)}",
                    "shards of one output are alike",
                )
        self.form, self.bounded, self.width = first.form, first.bounded, first.width
        self.lacks_empty, self.bounds_pieces = first.lacks_empty, first.bounds_pieces
        self.documents = _sum([one.documents for one in readers])
        self.tokens = _sum([one.tokens for one in readers])

    def batches(self) -> Iterator[TokenBatch]:
        """Give all ids in order."""
        for reader in self._readers:
            left = 0
            for batch in reader.batches():
                left = len(batch.ids) - int(batch.ends[-1]) if len(batch.ends) else left + len(batch.ids)
                yield batch
            reader.close()
            if left and self.bounded:
                raise DataError(f"{reader.name}: {left} ids behind the last document", "write it again")
        yield TokenBatch(np.zeros(0, np.int32), np.zeros(0, np.int64))

    def piece_lengths(self) -> Iterator[Counts] | None:
        """Give the length of every piece of all context windows, where every shard says it."""
        parts = [reader.piece_lengths() for reader in self._readers]
        known = [part for part in parts if part is not None]
        return chain.from_iterable(known) if len(known) == len(parts) else None

    def count(self) -> int:
        """Return how many documents there are."""
        return sum(one.count() for one in self._readers)

    def close(self) -> None:
        """Close what is open."""
        for reader in self._readers:
            reader.close()


def _sum(counts: list[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _kind(reader: TokenReader) -> str:
    bounds = "with" if reader.bounded else "without"
    return f"{reader.form} of {reader.width} bytes an id, {bounds} documents"

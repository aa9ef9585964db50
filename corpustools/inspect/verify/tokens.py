"""The ids of an output, a window of them at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from corpustools.formats.batch import Counts, Ids
from corpustools.formats.readers.reader import TokenBatch


class TokenWindow:
    """The ids that are looked at, and where documents end among them.

    Args:
        batches: all ids, in order.
        bounded: whether the ends of documents mean anything.

    Attributes:
        ids: int32, the window.
        ends: int64, where documents end in it; None where nothing says so.
        first: how many ids came before the window.
    """

    def __init__(self, batches: Iterator[TokenBatch], bounded: bool) -> None:
        self._batches = batches
        self.ids: Ids = np.zeros(0, np.int32)
        self.ends: Counts | None = np.zeros(0, np.int64) if bounded else None
        self.first = 0

    def drop(self, ids: int, documents: int) -> None:
        """Let the window begin later."""
        self.ids = self.ids[ids:]
        self.first += ids
        if self.ends is not None:
            self.ends = self.ends[documents:] - ids

    def extend(self) -> bool:
        """Take in the next ids; return False where there are none."""
        for batch in self._batches:
            if self.ends is not None:
                self.ends = np.concatenate([self.ends, batch.ends + len(self.ids)])
            if len(batch.ids):
                self.ids = np.concatenate([self.ids, batch.ids]) if len(self.ids) else np.ascontiguousarray(batch.ids)
            if len(batch.ids) or len(batch.ends):
                return True
        return False

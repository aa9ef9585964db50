"""Rows cut into portions of bounded size: pages, groups, batches and files."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from corpustools.formats.batch import Counts
from corpustools.formats.rows import Rows


class Portions:
    """Cuts rows, as they come, into portions. Where the cuts lie depends on the rows alone, never on how they came.

    A portion is as large as it may be. A row that is larger than a portion has one to itself.

    Args:
        most_bytes: what the rows of a portion may have in all, by the sizes that `cut` is given.
        most_rows: how many they may be; None where that does not matter.
    """

    def __init__(self, most_bytes: int, most_rows: int | None = None) -> None:
        self._most_bytes, self._most_rows = most_bytes, most_rows
        self._bytes = self._rows = 0

    def begin(self) -> None:
        """Let the next row begin a portion."""
        self._bytes = self._rows = 0

    def cut(self, rows: Rows, sizes: Counts) -> Iterator[tuple[Rows, bool]]:
        """Yield the rows in pieces that lie in one portion each, and whether the portion before has ended.

        Args:
            rows: the next rows.
            sizes: the bytes of each, int64.
        """
        ends = np.cumsum(sizes)
        start, count, ended = 0, len(sizes), False
        while start < count:
            before = int(ends[start - 1]) if start else 0
            stop = int(np.searchsorted(ends, before + self._most_bytes - self._bytes, "right"))
            if self._most_rows is not None:
                stop = min(stop, start + self._most_rows - self._rows)
            if stop <= start and self._rows:
                self.begin()
                ended = True
                continue
            stop = max(stop, start + 1)
            self._bytes += int(ends[stop - 1]) - before
            self._rows += stop - start
            yield rows.cut(start, stop), ended
            start, ended = stop, False

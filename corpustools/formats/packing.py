"""Documents into context windows of equal length, by concatenation."""

from __future__ import annotations

import numpy as np

from corpustools.formats.batch import Counts
from corpustools.formats.rows import Rows, WideIds


class ConcatPacker:
    """Cuts the stream of ids into windows, whatever the boundaries of documents. Less than one window is held.

    Args:
        size: ids of a window.
        dtype: of an id.
    """

    def __init__(self, size: int, dtype: str) -> None:
        self._size, self._dtype = size, np.dtype(dtype)
        self._held: list[WideIds] = []
        self._ends: list[Counts] = []  # where documents end, counted from the first id that is held
        self.dropped = 0  # ids that are held and fill no window
        self.padding = 0
        self._written = 0

    def documents(self, ids: WideIds, lengths: Counts) -> list[Rows]:
        """Take whole documents; return the windows that are full now."""
        self._ends.append(self.dropped + np.cumsum(lengths))
        return self.part(ids)

    def part(self, ids: WideIds) -> list[Rows]:
        """Take the next ids of a long document; return the windows that are full now."""
        size, held = self._size, self.dropped
        windows = (held + len(ids)) // size
        if not windows:
            self._held.append(ids.copy())
            self.dropped += len(ids)
            return []
        cut = windows * size
        self._written += cut
        whole = np.concatenate([*self._held, ids[: cut - held]])
        self._held = [ids[cut - held :].copy()]
        self.dropped = len(self._held[0])
        ends = np.concatenate([np.zeros(0, np.int64), *self._ends])
        self._ends = [ends[ends > cut] - cut]
        # Every piece ends with its document or with its window; a document without ids has no piece.
        window_ends = np.arange(size, cut + 1, size)
        piece_ends = np.union1d(ends[(ends <= cut) & (ends > 0)], window_ends)
        counts = np.diff(np.searchsorted(piece_ends, window_ends, "right"), prepend=0)
        return [Rows(whole, np.full(windows, size, np.int64), np.diff(piece_ends, prepend=0), counts)]

    def end_document(self) -> list[Rows]:
        """End the long document whose parts came."""
        self._ends.append(np.array([self.dropped], np.int64))
        return self.part(np.empty(0, self._dtype))

    def finish(self) -> list[Rows]:
        """Return the windows that are left: none, since an incomplete one is dropped."""
        return self.part(np.empty(0, self._dtype))

    def places(self, firsts: Counts, lengths: Counts) -> Counts:
        """Return where documents begin in the windows, one after another; -1 where they do not.

        Args:
            firsts: int64, where each begins in the stream of all ids.
            lengths: int64, ids of each.
        """
        return np.where((firsts < self._written) & (lengths > 0), firsts, -1)

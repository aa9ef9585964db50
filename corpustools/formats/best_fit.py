"""Documents into context windows of equal length: whole documents, where they fit best."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np

from corpustools.formats.batch import Counts
from corpustools.formats.rows import Rows, WideIds
from corpustools.kernels import load

# Best fit decides about so many ids at once, or so many windows if that is more: 16 MiB of ids at four bytes each.
LOT_IDS = 1 << 22
LOT_WINDOWS = 64
# What of a lot may wait for the next, because its windows are the emptiest: a quarter.
WAITING = 4

Flags = np.ndarray[Any, np.dtype[np.bool_]]


class _Lot:
    """Pieces that wait for a window, each shorter than one.

    Args:
        room: how many ids it can hold.
        dtype: of an id.

    Attributes:
        ids: of all pieces, one after another, in the first `used` places.
    """

    def __init__(self, room: int, dtype: np.dtype[Any]) -> None:
        # Memory that nothing was written to yet costs nothing.
        self.ids: WideIds = np.empty(room, dtype)
        self.used = 0
        self._lengths: list[Counts] = []
        self._documents: list[Counts] = []

    def add(self, ids: WideIds, starts: Counts, lengths: Counts, documents: Counts) -> None:
        """Take pieces.

        Args:
            ids: among which they lie.
            starts: int64, where each begins there.
            lengths: int64, ids of each.
            documents: int64, the number of each piece's document if the piece is its first, else -1.
        """
        ends = self.used + np.cumsum(lengths)
        _copy(ids, starts, lengths, ends - lengths, self.ids)
        self._lengths.append(lengths)
        self._documents.append(documents)
        self.used += int(lengths.sum())

    def pieces(self) -> tuple[Counts, Counts]:
        """Return the lengths and the documents of the pieces, in the order in which they came."""
        none = np.zeros(0, np.int64)
        return np.concatenate([none, *self._lengths]), np.concatenate([none, *self._documents])

    def keep(self, which: Flags) -> None:
        """Drop all other pieces."""
        lengths, documents = self.pieces()
        starts = (np.cumsum(lengths) - lengths)[which]
        ids: WideIds = np.empty(int(lengths[which].sum()), self.ids.dtype)
        _copy(self.ids, starts, lengths[which], np.cumsum(lengths[which]) - lengths[which], ids)
        self.ids[: len(ids)] = ids
        self.used, self._lengths, self._documents = len(ids), [lengths[which]], [documents[which]]


class BestFitPacker:
    """Puts whole documents together, and cuts only those that are longer than a window.

    Documents wait in a lot. When it is large enough, they are placed from the longest to the shortest, each into the
    window that it leaves least room in (best fit decreasing). The emptiest windows are taken apart again and wait for
    the next lot. What a lot holds depends on the documents alone, never on how they came. The windows of a lot follow
    each other by their first documents, so that neighbours in the input stay near each other and lengths stay mixed.

    Args:
        size: ids of a window.
        dtype: of an id.
        pad: fills windows up to their size; None leaves them shorter.

    Attributes:
        padding: ids of padding so far, or, where windows are left shorter, what they lack.
    """

    def __init__(self, size: int, dtype: str, pad: int | None) -> None:
        self._size, self._pad = size, pad
        self._dtype = np.dtype(dtype)
        self._lot_ids = max(LOT_IDS, LOT_WINDOWS * size)
        self._lot = _Lot(self._lot_ids + size, self._dtype)
        self._parts: list[WideIds] = []
        self._written = 0
        self._places = array("q")  # where each document begins in the windows, one after another; -1: nowhere yet
        self._asked = 0  # for how many documents `places` has answered
        self.padding = self.dropped = 0

    def documents(self, ids: WideIds, lengths: Counts) -> list[Rows]:
        """Take whole documents; return the windows that are decided now."""
        out: list[Rows] = []
        firsts, whole = np.cumsum(lengths) - lengths, lengths // self._size * self._size
        waiting, start, before = np.cumsum(lengths - whole), 0, 0
        while start < len(lengths):
            # The lot is placed behind the document that fills it.
            full = before + self._lot_ids - self._lot.used
            stop = min(int(np.searchsorted(waiting, full)) + 1, len(lengths))
            some = slice(start, stop)
            out.append(self._take(ids, firsts[some], lengths[some], whole[some]))
            if self._lot.used >= self._lot_ids:
                out.append(self._place(last=False))
            start, before = stop, int(waiting[stop - 1])
        return out

    def part(self, ids: WideIds) -> list[Rows]:
        """Take the next ids of a long document."""
        self._parts.append(ids)
        return []

    def end_document(self) -> list[Rows]:
        """End the long document whose parts came; return the windows that are decided now."""
        ids = np.concatenate([np.empty(0, self._dtype), *self._parts])
        self._parts = []
        return self.documents(ids, np.array([len(ids)], np.int64))

    def finish(self) -> list[Rows]:
        """Return the windows that are left."""
        return [self._place(last=True)]

    def places(self, firsts: Counts, lengths: Counts) -> Counts:
        """Return where the next documents begin in the windows, one after another; -1 for one without ids."""
        places = np.frombuffer(self._places, np.int64)[self._asked : self._asked + len(lengths)]
        self._asked += len(lengths)
        return places

    def _take(self, ids: WideIds, firsts: Counts, lengths: Counts, whole: Counts) -> Rows:
        """Let documents wait, but for the windows that long ones fill alone; return those.

        Args:
            ids: among which the documents lie.
            firsts: int64, where each begins there.
            lengths: int64, ids of each.
            whole: int64, how many of them fill windows.
        """
        numbers = np.arange(len(self._places), len(self._places) + len(lengths))
        targets, total = np.cumsum(whole) - whole, int(whole.sum())
        self._places.frombytes(np.where(whole > 0, self._written + targets, -1).tobytes())
        windows: WideIds = np.empty(total, self._dtype)
        _copy(ids, firsts, whole, targets, windows)
        self._written += total
        waits = whole < lengths
        first_pieces = np.where(whole > 0, -1, numbers)
        self._lot.add(ids, (firsts + whole)[waits], (lengths - whole)[waits], first_pieces[waits])
        sizes = np.full(total // self._size, self._size, np.int64)
        # A copy, because rows whose pieces are their very lengths are documents.
        return Rows(windows, sizes, sizes.copy(), np.ones(len(sizes), np.int64))

    def _place(self, last: bool) -> Rows:
        """Place the pieces of the lot and return their windows; the emptiest wait unless it is the last lot."""
        lengths, documents = self._lot.pieces()
        window_of, room = best_fit(lengths, self._size)
        waits = np.zeros(len(room), bool) if last else _emptiest(room, self._size, self._lot_ids // WAITING)
        stays = waits[window_of]
        order, counts = by_windows(window_of[~stays], len(room))
        order = np.flatnonzero(~stays)[order]
        rows, places = self._windows(order, lengths, counts)
        documents = documents[order]
        begins = documents >= 0
        np.frombuffer(self._places, np.int64)[documents[begins]] = self._written + places[begins]
        self._written += len(rows.ids)
        self._lot.keep(stays)
        return rows

    def _windows(self, order: Counts, lengths: Counts, counts: Counts) -> tuple[Rows, Counts]:
        """Return windows of the lot's pieces, padded if there is something to pad them with, and the pieces' places.

        Args:
            order: int64, the numbers of the pieces in the lot, window by window.
            lengths: int64, ids of each of the lot's pieces.
            counts: int64, pieces of each window.
        """
        firsts, pieces = (np.cumsum(lengths) - lengths)[order], lengths[order]
        ends = np.cumsum(pieces)
        filled = np.diff(ends[np.cumsum(counts) - 1], prepend=0)
        lack = self._size - filled
        self.padding += int(lack.sum())
        places, sizes = ends - pieces, filled
        if self._pad is not None:
            places += np.repeat(np.cumsum(lack) - lack, counts)
            sizes = np.full(len(counts), self._size, np.int64)
        ids: WideIds = np.empty(int(sizes.sum()), self._dtype)
        _copy(self._lot.ids, firsts, pieces, places, ids)
        if self._pad is not None:
            padding = np.full(self._size, self._pad, self._dtype)
            _copy(padding, np.zeros_like(lack), lack, np.cumsum(sizes) - lack, ids)
            padded = lack > 0
            pieces, counts = np.insert(pieces, np.cumsum(counts)[padded], lack[padded]), counts + padded
        return Rows(ids, sizes, pieces, counts), places


def best_fit(lengths: Counts, size: int) -> tuple[Counts, Counts]:
    """Place pieces from the longest to the shortest, each into the window that it leaves least room in.

    Args:
        lengths: int64, ids of each piece, 1 to `size`.
        size: ids of a window.

    Returns:
        The window of each piece, and what is left in each window.
    """
    kernel = load("packing")
    order = _sorted(size - lengths, size)
    placed, room = np.empty(len(lengths), np.int64), np.empty(len(lengths), np.int64)
    workspace = np.empty(kernel.workspace_size(len(lengths), size), np.int64)
    windows = kernel.best_fit(lengths[order], size, placed, room, workspace)
    window_of = np.empty(len(lengths), np.int64)
    window_of[order] = placed
    return window_of, room[:windows]


def by_windows(window_of: Counts, windows: int) -> tuple[Counts, Counts]:
    """Return the order of pieces in which their windows follow each other, those first whose first pieces come first.

    Args:
        window_of: int64, the window of each piece.
        windows: how many windows there are; some may have no piece.

    Returns:
        The numbers of the pieces, window by window, and how many pieces each window has that has any.
    """
    count = len(window_of)
    first = np.full(windows, count, np.int64)
    # Of several numbers that are assigned to one place, the last one stays.
    first[window_of[::-1]] = np.arange(count - 1, -1, -1)
    rank = np.empty(windows, np.int64)
    rank[np.argsort(first)] = np.arange(windows)
    ranks = rank[window_of]
    return _sorted(ranks, windows), np.bincount(ranks)


def _sorted(numbers: Counts, most: int) -> Counts:
    """Return the order that sorts numbers below `most`, equal ones as they come."""
    # numpy sorts numbers of 16 bits by their digits, which is many times faster.
    return np.argsort(numbers.astype(np.uint16) if most <= 1 << 16 else numbers, kind="stable")


def _emptiest(room: Counts, size: int, most: int) -> Flags:
    """Return which windows are taken apart again: from the emptiest on, until they hold `most` ids; no full one."""
    order = np.argsort(-room, kind="stable")
    held = np.cumsum(size - room[order])
    waits = np.zeros(len(room), bool)
    waits[order[(held <= most) & (room[order] > 0)]] = True
    return waits


def _copy(ids: WideIds, starts: Counts, lengths: Counts, targets: Counts, out: WideIds) -> None:
    load("packing").copy_pieces(ids, starts, lengths, targets, out.itemsize, out)

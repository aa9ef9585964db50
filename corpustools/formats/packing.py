"""Documents into context windows of equal length: by concatenation, or whole documents where they fit best."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

import numpy as np

from corpustools.formats.batch import Counts
from corpustools.formats.rows import Rows, WideIds
from corpustools.kernels import load

# Best fit decides about so many ids at once, or so many windows if that is more: 16 MiB of ids at four bytes each.
LOT_IDS = 1 << 22
LOT_WINDOWS = 64
# What of a lot may wait for the next, because its windows are the emptiest: a quarter.
WAITING = 4


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

    def documents(self, ids: WideIds, lengths: Counts) -> Rows:
        """Take whole documents; return the windows that are full now."""
        self._ends.append(self.dropped + np.cumsum(lengths))
        return self.part(ids)

    def part(self, ids: WideIds) -> Rows:
        """Take the next ids of a long document; return the windows that are full now."""
        size, held = self._size, self.dropped
        windows = (held + len(ids)) // size
        if not windows:
            self._held.append(ids.copy())
            self.dropped += len(ids)
            return Rows(np.empty(0, self._dtype), *(np.zeros(0, np.int64),) * 3)
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
        return Rows(whole, np.full(windows, size, np.int64), np.diff(piece_ends, prepend=0), counts)

    def end_document(self) -> Rows:
        """End the long document whose parts came."""
        self._ends.append(np.array([self.dropped], np.int64))
        return self.part(np.empty(0, self._dtype))

    def finish(self) -> Rows:
        """Return the windows that are left: none, since an incomplete one is dropped."""
        return self.part(np.empty(0, self._dtype))

    def places(self, firsts: Counts, lengths: Counts) -> Counts:
        """Return where documents begin in the windows, one after another; -1 where they do not.

        Args:
            firsts: int64, where each begins in the stream of all ids.
            lengths: int64, ids of each.
        """
        return np.where((firsts < self._written) & (lengths > 0), firsts, -1)


@dataclass
class _Piece:
    """A piece of a document; `document` is the document's number if the piece is its first, else -1."""

    ids: WideIds
    document: int


@dataclass
class _Lot:
    """Pieces that wait for a window, each shorter than one."""

    pieces: list[_Piece] = field(default_factory=list)
    ids: int = 0

    def add(self, piece: _Piece) -> None:
        self.pieces.append(piece)
        self.ids += len(piece.ids)


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
        self._lot = _Lot()
        self._lot_ids = max(LOT_IDS, LOT_WINDOWS * size)
        self._parts: list[WideIds] = []
        self._written = 0
        self._places = array("q")  # where each document begins in the windows, one after another; -1: nowhere yet
        self._asked = 0  # for how many documents `places` has answered
        self.padding = self.dropped = 0

    def documents(self, ids: WideIds, lengths: Counts) -> Rows:
        """Take whole documents; return the windows that are decided now."""
        out: list[list[_Piece]] = []
        start = 0
        for end in np.cumsum(lengths).tolist():
            self._document(ids[start:end], out)
            start = end
        return self._rows(out)

    def part(self, ids: WideIds) -> Rows:
        """Take the next ids of a long document."""
        self._parts.append(ids)
        return self._rows([])

    def end_document(self) -> Rows:
        """End the long document whose parts came; return the windows that are decided now."""
        out: list[list[_Piece]] = []
        self._document(np.concatenate(self._parts), out)
        self._parts = []
        return self._rows(out)

    def finish(self) -> Rows:
        """Return the windows that are left."""
        out: list[list[_Piece]] = []
        self._place(out, last=True)
        return self._rows(out)

    def places(self, firsts: Counts, lengths: Counts) -> Counts:
        """Return where the next documents begin in the windows, one after another; -1 for one without ids."""
        places = np.frombuffer(self._places, np.int64)[self._asked : self._asked + len(lengths)]
        self._asked += len(lengths)
        return places

    def _document(self, ids: WideIds, out: list[list[_Piece]]) -> None:
        number, whole = len(self._places), len(ids) // self._size * self._size
        self._places.append(-1)
        for at in range(0, whole, self._size):
            out.append([_Piece(ids[at : at + self._size], -1 if at else number)])
        if whole < len(ids):
            # A copy: what waits must not hold on to the whole batch.
            self._lot.add(_Piece(ids[whole:].copy(), -1 if whole else number))
            if self._lot.ids >= self._lot_ids:
                self._place(out, last=False)

    def _place(self, out: list[list[_Piece]], last: bool) -> None:
        """Place the pieces of the lot; the emptiest windows wait unless it is the last lot."""
        pieces, self._lot = self._lot.pieces, _Lot()
        lengths = np.array([len(piece.ids) for piece in pieces], np.int64)
        order = np.argsort(-lengths, kind="stable")
        placed, room = np.empty(len(pieces), np.int64), np.empty(len(pieces), np.int64)
        kernel = load("packing")
        workspace = np.empty(kernel.workspace_size(len(pieces), self._size), np.int64)
        windows = kernel.best_fit(lengths[order], self._size, placed, room, workspace)
        window_of = np.empty(len(pieces), np.int64)
        window_of[order] = placed
        waits = np.zeros(windows, bool) if last else _emptiest(room[:windows], self._size, self._lot_ids // WAITING)
        members: list[list[_Piece]] = [[] for _ in range(windows)]
        opened: list[int] = []
        for piece, window in zip(pieces, window_of.tolist(), strict=True):
            if waits[window]:
                self._lot.add(piece)
                continue
            if not members[window]:
                opened.append(window)
            members[window].append(piece)
        out += [members[window] for window in opened]

    def _rows(self, windows: list[list[_Piece]]) -> Rows:
        """Return windows, given by their pieces, as rows; padded if there is something to pad them with."""
        parts: list[WideIds] = [np.empty(0, self._dtype)]
        counts, lengths = [], []
        for window in windows:
            length = 0
            for piece in window:
                if piece.document >= 0:
                    self._places[piece.document] = self._written + length
                parts.append(piece.ids)
                length += len(piece.ids)
            lack = self._size - length
            self.padding += lack
            padded = lack > 0 and self._pad is not None
            if padded:
                parts.append(np.full(lack, self._pad, self._dtype))
                length = self._size
            counts.append(len(window) + padded)
            lengths.append(length)
            self._written += length
        sizes = np.array([len(part) for part in parts[1:]], np.int64)
        return Rows(np.concatenate(parts), np.array(lengths, np.int64), sizes, np.array(counts, np.int64))


def _emptiest(room: Counts, size: int, most: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return which windows are taken apart again: from the emptiest on, until they hold `most` ids; no full one."""
    order = np.argsort(-room, kind="stable")
    held = np.cumsum(size - room[order])
    waits = np.zeros(len(room), bool)
    waits[order[(held <= most) & (room[order] > 0)]] = True
    return waits

"""Windows that a source makes and those of an output, side by side, and the documents in both."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from corpustools.formats.batch import Counts, Ids
from corpustools.formats.rows import Rows
from corpustools.inspect.verify.fingerprints import Sum, rows_of
from corpustools.inspect.verify.windows import Marks, WrittenWindows, prints_of

# Ids that are shown from the first one on that differs, and before it.
SHOWN, BEFORE = 12, 4
# Documents that are remembered while one that differs is looked for.
_REMEMBERED = 10_000


@dataclass
class Meeting:
    """Where the two sides stopped agreeing.

    kind: 'ids', 'windows' or 'pieces'.
    window: the number of the window, from 1.
    place: of the first id that differs, among all ids.
    begin: where its document begins among all ids, on the source's side; -1 behind its end.
    wanted, written: ids from a little before that place on.
    """

    kind: str
    window: int
    place: int
    begin: int
    wanted: Ids
    written: Ids


@dataclass
class Piece:
    """A document in the windows of one side, or a part of one.

    count: how often it is there.
    other: how often it is on the other side.
    window: the first window that it is in, from 1.
    place: where it begins among all ids.
    ids: int32.
    record: the name of its record, where the side is the source's.
    """

    count: int
    window: int
    place: int
    ids: Ids
    record: str = ""
    other: int = 0


@dataclass
class Remembered:
    """The documents of one side whose fingerprints are counted in chosen rows of the table."""

    marks: Marks
    key: bytes
    chosen: Any
    pieces: dict[bytes, Piece] = field(default_factory=dict)
    ids: int = 0
    windows: int = 0

    def add(self, ids: Ids, ends: Counts) -> None:
        """Take the next windows."""
        starts, stops = self.marks.documents(ids, ends)
        prints = prints_of(ids, starts, stops, self.key)
        for i in np.flatnonzero(self.chosen[rows_of(prints)]).tolist():
            value, start = prints[i].tobytes(), int(starts[i])
            if value in self.pieces:
                self.pieces[value].count += 1
            elif len(self.pieces) < _REMEMBERED:
                window = self.windows + int(np.searchsorted(ends, start, "right")) + 1
                self.pieces[value] = Piece(1, window, self.ids + start, ids[start : stops[i]].copy())
        self.ids += len(ids)
        self.windows += len(ends)

    def beyond(self, other: Remembered) -> list[Piece]:
        """Return the documents that are here more often than on the other side, in their order here."""
        for value, piece in self.pieces.items():
            piece.other = other.pieces[value].count if value in other.pieces else 0
        return [piece for piece in self.pieces.values() if piece.count > piece.other]


class Sides:
    """The windows that the source makes and those of the output, side by side.

    Args:
        written: the windows of the output.
        marks: what tells documents apart.
        key: of the fingerprints, 32 bytes.

    Attributes:
        marks, key: as given.
        meeting: where the sides stopped agreeing; None: they agree so far.
        wanted, found: the documents of both from the windows on in which they stopped.
    """

    def __init__(self, written: WrittenWindows, marks: Marks, key: bytes) -> None:
        self._written, self.marks, self.key = written, marks, key
        self.meeting: Meeting | None = None
        self.wanted, self.found = Sum(), Sum()
        self._windows = 0

    def take(self, rows: Rows) -> None:
        """Take the next windows that the source makes."""
        if self.meeting is None:
            kind = self._written.disagreement(rows)
            if kind is None:
                self._windows += len(rows.lengths)
                return
            self.meeting = self._meeting(kind, rows)
        self._add(self.wanted, rows.ids, np.cumsum(rows.lengths))

    def finish(self) -> None:
        """End the comparison: the source makes no more windows."""
        if self.meeting is None and not self._written.is_at_end():
            nothing = np.zeros(0, np.int64)
            self.meeting = self._meeting("ids", Rows(np.zeros(0, np.int32), nothing, nothing, nothing))
        if self.meeting is not None and self.marks.tell_documents:
            for ids, ends in self._written.rest():
                self._add(self.found, ids, ends)

    def remembered(self, chosen: Any) -> Remembered:
        """Return what takes the windows of one side once more."""
        return Remembered(self.marks, self.key, chosen)

    def _add(self, total: Sum, ids: Ids, ends: Counts) -> None:
        if self.marks.tell_documents:
            total.add(prints_of(ids, *self.marks.documents(ids, ends), self.key))

    def _meeting(self, kind: str, rows: Rows) -> Meeting:
        written = self._written.ids[: len(rows.ids) + SHOWN]
        common = min(len(written), len(rows.ids))
        unequal = np.flatnonzero(written[:common] != rows.ids[:common])
        at = int(unequal[0]) if len(unequal) else common
        window = self._windows + int(np.searchsorted(np.cumsum(rows.lengths), at, "right")) + 1
        ends = np.cumsum(rows.pieces)
        i = int(np.searchsorted(ends, at, "right"))
        begin = self._written.tokens + (int(ends[i - 1]) if i else 0) if i < len(ends) else -1
        low = max(0, at - BEFORE)
        shown = slice(low, at + SHOWN)
        return Meeting(kind, window, self._written.tokens + at, begin, rows.ids[shown].copy(), written[shown].copy())

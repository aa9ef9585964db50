"""Documents packed into context windows once more, and the windows of an output that they are held against."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from corpustools.formats import writer_class
from corpustools.formats.batch import Counts, FormattedBatch, Ids
from corpustools.formats.layout import Layout
from corpustools.formats.readers.reader import TokenReader
from corpustools.formats.row_writer import RowWriter
from corpustools.formats.rows import Rows
from corpustools.formats.vocabulary import Vocabulary
from corpustools.inspect.verify.duplicates import DuplicateCount
from corpustools.inspect.verify.fingerprints import Words
from corpustools.inspect.verify.tokens import TokenWindow
from corpustools.kernels import load

_NOTHING = np.zeros(0, np.int64)


class WindowWriter(RowWriter):
    """Packs documents as a format does, and gives the windows to a function instead of a file.

    Args:
        form: the format.
        vocabulary: what is known of the ids.
        layout: the windows.
        take: takes them as they are decided.

    Attributes:
        duplicates: documents equal to an earlier one.
    """

    def __init__(self, form: str, vocabulary: Vocabulary, layout: Layout, take: Callable[[Rows], None]) -> None:
        self.name, self._give = form, take
        found = writer_class(form)
        # Formats of lines, which stand on no rows, leave windows shorter.
        self.pads = issubclass(found, RowWriter) and found.pads
        super().__init__(vocabulary, (), layout)
        self.duplicates = DuplicateCount()
        self._key = os.urandom(32)
        self._long = blake2b(key=self._key, digest_size=8)

    @property
    def pad(self) -> int:
        """The id that fills windows; -1 where they are left shorter."""
        special = self.vocabulary.special
        return special.get("pad", special.get("eos", -1)) if self.pads else -1

    def dtype_for(self, vocabulary: Vocabulary) -> str:
        """Return the numpy type of an id, as readers give it."""
        return "<i4"

    def open_shard(self, path: str, number: int) -> None:
        """Open nothing."""

    def close_shard(self) -> None:
        """Close nothing."""

    def write_rows(self, rows: Rows) -> None:
        """Take windows."""
        self._give(rows)

    def write(self, formatted: FormattedBatch) -> None:
        """Take documents."""
        ids = np.frombuffer(formatted.data, np.int32)
        ends = np.cumsum(formatted.lengths)
        self.duplicates.add(prints_of(ids, ends - formatted.lengths, ends, self._key)[:, 0])
        super().write(formatted)

    def write_part(self, ids: Ids) -> None:
        """Take further ids of a long document."""
        self._long.update(ids.data)
        super().write_part(ids)

    def end_document(self) -> int:
        """End the long document whose parts came."""
        self.duplicates.add(np.frombuffer(self._long.digest(), np.uint64))
        self._long = blake2b(key=self._key, digest_size=8)
        return super().end_document()

    def first_places(self) -> Counts:
        """Return where each document begins in the windows, one after another; -1 for one without ids."""
        assert self._packer is not None
        nothing = np.zeros(self.documents, np.int64)
        return np.array(self._packer.places(nothing, nothing))


def prints_of(ids: Ids, starts: Counts, stops: Counts, key: bytes) -> Words:
    """Return the fingerprints of stretches of ids.

    Args:
        ids: int32.
        starts: int64, where each begins.
        stops: int64, where each ends.
        key: 32 bytes.
    """
    prints = np.empty((len(starts), 2), np.uint64)
    data = np.ascontiguousarray(ids).view(np.uint8).data
    begins, ends = (np.ascontiguousarray(4 * side, np.int64) for side in (starts, stops))
    load("verify").fingerprints(data, begins, ends, np.frombuffer(key, np.uint64), prints)
    return prints


@dataclass(frozen=True)
class Marks:
    """The ids by which documents are told apart in windows: around each, and behind the last of a window; -1: none."""

    bos: int
    eos: int
    pad: int

    @property
    def tell_documents(self) -> bool:
        """Whether there are marks around documents."""
        return self.bos >= 0 or self.eos >= 0

    def documents(self, ids: Ids, ends: Counts) -> tuple[Counts, Counts]:
        """Return where documents, or the parts of cut ones, begin and end in windows; without those that are empty.

        Args:
            ids: int32, of whole windows.
            ends: int64, where each window ends.
        """
        bounds = [ends, np.flatnonzero(ids == self.bos), np.flatnonzero(ids == self.eos) + 1]
        stops = np.unique(np.concatenate(bounds))
        stops = stops[stops > 0]
        starts = np.concatenate([_NOTHING, [0], stops[:-1]]).astype(np.int64)[: len(stops)]
        text = np.flatnonzero(ids != self.pad)
        if not len(text):
            return _NOTHING, _NOTHING
        before = np.searchsorted(text, stops) - 1
        last = np.where(before >= 0, text[before] + 1, 0)
        kept = last > starts
        # Where the eos id is padding too, the first one is the document's own.
        stops = np.where(last < stops, last + (self.pad == self.eos), stops)
        return starts[kept], stops[kept]


class WrittenWindows:
    """The windows of an output, front to back.

    Args:
        reader: the output.
        size: ids of a window.
        pads: whether windows that are not full are padded.

    Attributes:
        ids: int32, what was read and not passed over.
        tokens: ids that were passed over.
    """

    def __init__(self, reader: TokenReader, size: int, pads: bool) -> None:
        self._size, self._pads, self._bounded = size, pads, reader.bounded
        self._bounds_pieces = reader.bounds_pieces
        self._window = TokenWindow(reader.batches(), reader.bounded)
        self._further = reader.piece_lengths()
        self._lengths: Counts = _NOTHING

    @property
    def ids(self) -> Ids:
        """The ids that were read and not passed over."""
        return self._window.ids

    @property
    def tokens(self) -> int:
        """How many ids were passed over."""
        return self._window.first

    def disagreement(self, rows: Rows) -> str | None:
        """Pass over the next windows if they are these; else return what differs: 'ids', 'windows' or 'pieces'."""
        window, count = self._window, len(rows.ids)
        while len(window.ids) < count and window.extend():
            pass
        if len(window.ids) < count or not np.array_equal(window.ids[:count], rows.ids):
            return "ids"
        documents = 0
        if window.ends is not None:
            wanted = np.cumsum(rows.pieces if self._bounds_pieces else rows.lengths)
            documents = int(np.searchsorted(window.ends, count, "right"))
            if not np.array_equal(window.ends[:documents], wanted):
                return "pieces" if self._bounds_pieces else "windows"
        if self._further is not None and not np.array_equal(self._next_lengths(len(rows.pieces)), rows.pieces):
            return "pieces"
        window.drop(count, documents)
        return None

    def is_at_end(self) -> bool:
        """Say whether nothing is left."""
        window = self._window
        while not len(window.ids) and not (window.ends is not None and len(window.ends)):
            if not window.extend():
                return self._further is None or not len(self._next_lengths(1))
        return False

    def rest(self) -> Iterator[tuple[Ids, Counts]]:
        """Give the ids of what is left, and where windows end in them."""
        window = self._window
        while True:
            more = window.extend()
            if window.ends is not None and not self._bounds_pieces:
                ends, documents = window.ends, len(window.ends)
            else:
                ends, documents = np.arange(self._size, len(window.ids) + 1, self._size), 0
                if window.ends is not None and len(ends):
                    documents = int(np.searchsorted(window.ends, ends[-1], "right"))
            if not more and len(window.ids) > (ends[-1] if len(ends) else 0):
                ends = np.append(ends, len(window.ids))
            count = int(ends[-1]) if len(ends) else 0
            if count:
                yield window.ids[:count], ends
                window.drop(count, documents)
            if not more:
                return

    def _next_lengths(self, count: int) -> Counts:
        assert self._further is not None
        while len(self._lengths) < count:
            more = next(self._further, None)
            if more is None:
                break
            self._lengths = np.concatenate([self._lengths, more])
        taken, self._lengths = self._lengths[:count], self._lengths[count:]
        return taken

"""The ground of the formats that keep ids in one file and the boundaries of documents in another."""

from __future__ import annotations

from array import array

import numpy as np

from corpustools.formats.batch import Counts
from corpustools.formats.raw_writer import RawWriter


class BoundedWriter(RawWriter):
    """Ids in one file, and their boundaries in memory until the shard ends: eight bytes a document.

    Boundaries are those of pieces: with context windows, a document that was cut has several.
    """

    prefix = True

    def open_shard(self, path: str, number: int) -> None:
        """Begin the file of ids."""
        super().open_shard(path, number)
        self._pieces, self._counts = array("q"), array("q")

    def end_rows(self, lengths: Counts, pieces: Counts, counts: Counts) -> None:
        """Remember the pieces of rows."""
        self._pieces.frombytes(pieces.tobytes())
        if self.layout.context:
            self._counts.frombytes(counts.tobytes())

    @property
    def pieces(self) -> Counts:
        """int64, ids of each piece of the shard."""
        return np.frombuffer(self._pieces, np.int64)

    @property
    def row_starts(self) -> Counts:
        """int64, the number of each row's first piece, and at the end how many pieces there are."""
        if not self.layout.context:
            return np.arange(len(self._pieces) + 1)
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(np.frombuffer(self._counts, np.int64))])

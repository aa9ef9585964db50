"""Windows and shards of the formats of lines."""

from __future__ import annotations

import numpy as np

from corpustools.formats.batch import IdBatch
from corpustools.formats.layout import Layout
from corpustools.formats.row_writer import RowWriter
from corpustools.formats.rows import Rows
from corpustools.formats.vocabulary import Vocabulary
from corpustools.formats.writer import Writer


class TextRows(RowWriter):
    """A line a row, as another format writes lines. Windows may be shorter than the context there.

    Args:
        inner: the format of lines.
        vocabulary: what is known of the ids.
        layout: windows and shards.
    """

    streams = False
    pads = False

    def __init__(self, inner: Writer, vocabulary: Vocabulary, layout: Layout) -> None:
        self.name, self._inner = inner.name, inner
        super().__init__(vocabulary, (), layout)

    def dtype_for(self, vocabulary: Vocabulary) -> str:
        """Return the numpy type of an id, as formats of lines take them."""
        return "<i4"

    def open_shard(self, path: str, number: int) -> None:
        """Begin a file of lines."""
        self._file = self.open_data(path, compress=True)

    def write_rows(self, rows: Rows) -> None:
        """Write a line for each row."""
        pieces = (rows.pieces, np.cumsum(rows.counts)) if self.layout.context else None
        data = self._inner.format_documents(IdBatch(rows.ids, np.cumsum(rows.lengths), pieces=pieces))
        self._file.write(data)
        self.bytes += len(data)

    def close_shard(self) -> None:
        """End the file."""
        self._file.finish()

"""`parquet`: a column `input_ids`, list<int32>; with context windows also `seq_lengths`, those of their pieces."""

from __future__ import annotations

import numpy as np

from corpustools.formats.batch import Counts
from corpustools.formats.lists import ListWriter
from corpustools.formats.parquet_dictionary import Dictionary
from corpustools.formats.parquet_file import ParquetFile
from corpustools.formats.parquet_layout import MOST_PAGE_IDS
from corpustools.formats.portions import Portions
from corpustools.formats.rows import Rows

# Ranks share out row groups, and a reader loads one at a time: few rows, and no more than its memory bears.
GROUP_ROWS = 1024
GROUP_BYTES = 100 << 20
PAGE_BYTES = 1 << 20


class ParquetWriter(ListWriter):
    """Parquet with zstd pages. What is held is a page, what threads compress, and a row group's compressed pages."""

    name = "parquet"
    longest = MOST_PAGE_IDS

    def open_shard(self, path: str, number: int) -> None:
        """Begin a file."""
        self._sink = self.open_data(path)
        names = ["input_ids", "seq_lengths"] if self.layout.context else ["input_ids"]
        self._file = ParquetFile(self._sink, names, self.layout.workers)
        self._group_portions, self._page_portions = Portions(GROUP_BYTES, GROUP_ROWS), Portions(PAGE_BYTES)
        self._dictionary = Dictionary(self.vocabulary.size)
        self._uses_dictionary = False
        self._page: list[Rows] = []
        self._group: list[tuple[Counts, Counts]] = []  # pieces, and how many each row has

    def write_lists(self, rows: Rows) -> None:
        """Take whole rows."""
        for group, ended in self._group_portions.cut(rows, 4 * rows.lengths):
            if ended:
                self._end_group()
            for part, page_ended in self._page_portions.cut(group, 4 * group.lengths):
                if page_ended:
                    self._end_page()
                self._page.append(part)
            self._group.append((group.pieces, group.counts))

    def close_shard(self) -> None:
        """Write what is left, and the footer."""
        self._end_group()
        self._file.finish()
        self._sink.finish()

    def abort(self) -> None:
        """Leave no trace of what was written."""
        if hasattr(self, "_file"):
            self._file.close()
        super().abort()

    def _end_page(self) -> None:
        if self._page:
            held, self._page = self._page, []
            ids = np.concatenate([rows.ids for rows in held])
            places = self._dictionary.places(ids) if len(ids) else None
            self._uses_dictionary |= places is not None
            numbers = ids if places is None else places
            self._file.page(0, numbers, np.concatenate([rows.lengths for rows in held]))

    def _end_group(self) -> None:
        self._end_page()
        self._page_portions.begin()
        if self._group:
            if self._uses_dictionary:
                self._file.dictionary(0, self._dictionary.ids)
            self._dictionary.begin()
            self._uses_dictionary = False
            pieces, counts = (np.concatenate(arrays) for arrays in zip(*self._group, strict=True))
            if self.layout.context:
                self._file.page(1, pieces.astype("<i4"), counts)
            self._file.end_group(len(counts))
            self._group = []

"""`arrow`: an IPC stream with a column `input_ids`, list<int32>; with context windows also `seq_lengths`."""

from __future__ import annotations

from typing import Any

import numpy as np

from corpustools.files.extras import load_extra
from corpustools.files.sink_file import SinkFile
from corpustools.formats.batch import Counts
from corpustools.formats.layout import Layout
from corpustools.formats.lists import ListWriter
from corpustools.formats.portions import Portions
from corpustools.formats.rows import Rows, WideIds
from corpustools.formats.vocabulary import Vocabulary

# As large as the row groups of `parquet` in rows; bytes are fewer, because a batch is held until it is complete.
BATCH_ROWS = 1024
BATCH_BYTES = 16 << 20


class ArrowWriter(ListWriter):
    """A stream of record batches without compression, so that readers map it into memory."""

    name = "arrow"

    def __init__(self, vocabulary: Vocabulary, columns: tuple[str, ...] = (), layout: Layout | None = None) -> None:
        super().__init__(vocabulary, columns, layout)
        self._arrow = load_extra("pyarrow", "format arrow needs pyarrow", "parquet")
        names = ["input_ids", "seq_lengths"] if self.layout.context else ["input_ids"]
        self._list = self._arrow.list_(self._arrow.int32())
        self._schema = self._arrow.schema([(name, self._list) for name in names])

    def open_shard(self, path: str, number: int) -> None:
        """Begin a file."""
        self._sink = self.open_data(path)
        self._batches = self._arrow.ipc.new_stream(SinkFile(self._sink), self._schema)
        self._portions = Portions(BATCH_BYTES, BATCH_ROWS)
        self._held: list[Rows] = []

    def write_lists(self, rows: Rows) -> None:
        """Take whole rows."""
        for part, ended in self._portions.cut(rows, 4 * rows.lengths):
            if ended:
                self._write_batch()
            self._held.append(part)

    def close_shard(self) -> None:
        """Write what is left, and the end of the stream."""
        if self._held:
            self._write_batch()
        self._batches.close()
        self._sink.finish()

    def _write_batch(self) -> None:
        held, self._held = self._held, []
        lists = [self._lists([rows.ids for rows in held], [rows.lengths for rows in held])]
        if self.layout.context:
            lists.append(self._lists([rows.pieces for rows in held], [rows.counts for rows in held]))
        self._batches.write_batch(self._arrow.record_batch(lists, schema=self._schema))

    def _lists(self, numbers: list[WideIds], lengths: list[Counts]) -> Any:
        """Return lists as pyarrow has them, over the memory of the numbers."""
        ends = np.cumsum(np.concatenate([np.zeros(1, np.int64), *lengths])).astype("<i4")
        values = np.concatenate(numbers).astype("<i4", copy=False)
        buffers = [None, self._arrow.py_buffer(values)]
        items = self._arrow.Array.from_buffers(self._arrow.int32(), len(values), buffers, null_count=0)
        buffers = [None, self._arrow.py_buffer(ends)]
        return self._arrow.Array.from_buffers(self._list, len(ends) - 1, buffers, null_count=0, children=[items])

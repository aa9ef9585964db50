"""A Parquet file as it is written: pages compressed on threads, row groups, and the footer that describes them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial

import zstandard

from corpustools.files.descriptors import Sink
from corpustools.files.ordered import OrderedTasks
from corpustools.formats.batch import Counts
from corpustools.formats.parquet_layout import MAGIC, Chunk, Page, data_page, footer, row_group
from corpustools.formats.rows import WideIds
from corpustools.formats.thrift import Value

# Higher levels take longer than tokenizing does.
_LEVEL = 1


class ParquetFile:
    """Columns of lists of int32, written page by page.

    The pages of a row group come column by column: those of the first column, then those of the second one.

    Args:
        out: takes the bytes.
        names: of the columns.
        workers: threads that compress.
    """

    def __init__(self, out: Sink, names: Sequence[str], workers: int) -> None:
        self._out, self._names = out, names
        self._groups: list[Value] = []
        self._chunks: list[Chunk] = []
        self._at = self._rows = 0
        self._compressors = threading.local()
        # Every task returns what is to be done with its result on the writing thread, in the order of the calls.
        self._tasks: OrderedTasks[Callable[[], None]] = OrderedTasks(workers, lambda act: act())
        self._write(MAGIC)

    def page(self, column: int, ids: WideIds, lengths: Counts) -> None:
        """Write a page of lists.

        Args:
            column: the number of the column.
            ids: int32, of all lists, one after another.
            lengths: int64, how many each list has.
        """
        self._tasks.submit(self._encode, column, ids, lengths)

    def end_group(self, rows: int) -> None:
        """End the row group whose pages were written."""
        self._tasks.submit(lambda: partial(self._end_group, rows))

    def finish(self) -> None:
        """Write the footer; the last group has ended."""
        self._tasks.drain()
        self._tasks.close()
        self._write(footer(self._names, self._groups, self._rows))

    def close(self) -> None:
        """End the threads."""
        self._tasks.close()

    def _encode(self, column: int, ids: WideIds, lengths: Counts) -> Callable[[], None]:
        if not hasattr(self._compressors, "compress"):
            self._compressors.compress = zstandard.ZstdCompressor(level=_LEVEL).compress
        return partial(self._take, column, data_page(ids, lengths, self._compressors.compress))

    def _take(self, column: int, page: Page) -> None:
        if column == len(self._chunks):
            self._chunks.append(Chunk(self._at))
        self._chunks[column].add(page)
        self._write(page.data)

    def _end_group(self, rows: int) -> None:
        self._groups.append(row_group(self._names, self._chunks, rows))
        self._chunks = []
        self._rows += rows

    def _write(self, data: bytes) -> None:
        self._out.write(data)
        self._at += len(data)

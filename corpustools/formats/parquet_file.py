"""A Parquet file as it is written: pages compressed on threads, row groups, and the footer that describes them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial

import zstandard

from corpustools.files.descriptors import Sink
from corpustools.files.ordered import OrderedTasks
from corpustools.formats.batch import Counts, Ids
from corpustools.formats.parquet_layout import MAGIC, Chunk, Page, data_page, dictionary_page, footer, row_group
from corpustools.formats.rows import WideIds
from corpustools.formats.thrift import Value

# Higher levels take longer than tokenizing does.
_LEVEL = 1


class ParquetFile:
    """Columns of lists of int32, written page by page.

    The pages of a row group come column by column: those of the first column, then those of the second one. They are
    held until the group ends, compressed, because a dictionary stands before them.

    Args:
        out: takes the bytes.
        names: of the columns.
        workers: threads that compress.
    """

    def __init__(self, out: Sink, names: Sequence[str], workers: int) -> None:
        self._out, self._names = out, names
        self._groups: list[Value] = []
        self._chunks = [Chunk([]) for _ in names]
        self._at = self._rows = 0
        self._compressors = threading.local()
        # Every task returns what is to be done with its result on the writing thread, in the order of the calls.
        self._tasks: OrderedTasks[Callable[[], None]] = OrderedTasks(workers, lambda act: act())
        self._write(MAGIC)

    def page(self, column: int, numbers: WideIds, lengths: Counts) -> None:
        """Write a page of lists.

        Args:
            column: the number of the column.
            numbers: of all lists, one after another: int32, or uint16, their places in the column's dictionary.
            lengths: int64, how many each list has.
        """
        self._tasks.submit(self._encode, column, numbers, lengths)

    def dictionary(self, column: int, ids: Ids) -> None:
        """Write the dictionary of a column of this row group.

        Args:
            column: the number of the column.
            ids: int32, each once.
        """
        self._tasks.submit(self._encode_dictionary, column, ids)

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

    def _encode(self, column: int, numbers: WideIds, lengths: Counts) -> Callable[[], None]:
        return partial(self._take, column, data_page(numbers, lengths, self._compress))

    def _encode_dictionary(self, column: int, ids: Ids) -> Callable[[], None]:
        return partial(self._take_dictionary, column, dictionary_page(ids, self._compress))

    def _compress(self, data: bytes) -> bytes:
        if not hasattr(self._compressors, "compress"):
            self._compressors.compress = zstandard.ZstdCompressor(level=_LEVEL).compress
        packed: bytes = self._compressors.compress(data)
        return packed

    def _take(self, column: int, page: Page) -> None:
        self._chunks[column].pages.append(page)

    def _take_dictionary(self, column: int, page: Page) -> None:
        self._chunks[column].dictionary = page

    def _end_group(self, rows: int) -> None:
        self._groups.append(row_group(self._names, self._chunks, rows, self._at))
        self._rows += rows
        for chunk in self._chunks:
            for page in chunk.all_pages:
                self._write(page.data)
        self._chunks = [Chunk([]) for _ in self._names]

    def _write(self, data: bytes) -> None:
        self._out.write(data)
        self._at += len(data)

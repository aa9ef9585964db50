"""Rows to Parquet files: row groups of equal size, cut into several files where that is asked for."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from corpustools.errors import DataError, UsageError
from corpustools.files.fileset import FileSet
from corpustools.files.sink_file import SinkFile
from corpustools.files.tables import arrow


class RowSink:
    """Parquet files that a set of files names together at the end.

    The bytes are a function of the rows, their order and pyarrow's version alone: however the rows come, each row
    group is written from memory that is laid out anew.

    Args:
        paths: the files, in order.
        schema: pyarrow's schema of what is written.
        group_rows: rows in a row group; the last one of a file may have fewer.
        group_bytes: the most memory that the rows of a group may take.
        restore: makes a batch of the schema from what `write` takes.
        files: the set.

    Attributes:
        rows, size: rows and bytes written so far.

    Raises:
        UsageError: a file would replace something that is no file.
        SystemFailure: a folder is missing or not writable.
    """

    def __init__(
        self,
        paths: list[str],
        schema: Any,
        group_rows: int,
        group_bytes: int,
        restore: Callable[[Any], Any],
        files: FileSet,
    ) -> None:
        for path in paths:
            if os.path.exists(path) and not os.path.isfile(path):
                raise UsageError(f"output '{path}' is no plain file", "rows are written to files")
        self._paths, self._schema, self._restore = paths, schema, restore
        self._group_rows, self._group_bytes = group_rows, group_bytes
        self._files = files
        self._pending: list[Any] = []
        self._pending_rows = self._pending_bytes = 0
        self._cuts: list[int] = []
        self.rows = self.size = 0
        self._begun = 0
        self._begin_file()

    def cut_at(self, cuts: list[int]) -> None:
        """Say at which rows the next files begin, ascending, before the first row comes."""
        assert len(cuts) == len(self._paths) - 1
        self._cuts = list(cuts)
        self._cut()

    def write(self, batch: Any) -> None:
        """Take rows.

        Raises:
            DataError: a row group is larger than it may be, or a column is too long for its type.
            SystemFailure: the disk is full or fails.
        """
        at = 0
        while at < batch.num_rows:
            count = min(self._wanted() - self._pending_rows, batch.num_rows - at)
            self._keep(batch.slice(at, count), at + count == batch.num_rows)
            at += count
            if self._pending_rows == self._wanted():
                self._write_group()
                self._cut()

    def finish(self) -> None:
        """Write what is left, and make all files durable."""
        self._write_group()
        self._cut()
        assert not self._cuts
        self._end_file()

    def _wanted(self) -> int:
        """Return how many rows the current row group will have."""
        return min(self._group_rows, self._cuts[0] - self.rows) if self._cuts else self._group_rows

    def _keep(self, rows: Any, last: bool) -> None:
        if last and self._pending_rows + rows.num_rows < self._wanted():
            # What waits for the next batch must not hold all of this one.
            rows = rows.take(arrow().array(range(rows.num_rows)))
        self._pending.append(rows)
        self._pending_rows += rows.num_rows
        self._pending_bytes += rows.nbytes
        if self._pending_bytes > self._group_bytes:
            raise DataError(
                f"a row group of {self._wanted()} rows takes more than the {self._group_bytes} bytes that it may",
                "ask for fewer rows a group, or give more memory",
            )

    def _write_group(self) -> None:
        if self._pending_rows:
            pyarrow = arrow()
            try:
                whole = pyarrow.concat_batches(self._pending)
            except pyarrow.lib.ArrowException as error:
                raise DataError(
                    f"a row group of {self._pending_rows} rows has more than 2 GiB in a column",
                    "ask for fewer rows a group",
                ) from error
            restored = self._restore(whole)
            try:
                self._writer.write_batch(restored)
            except pyarrow.lib.ArrowException as error:
                raise DataError(
                    f"rows {self.rows} to {self.rows + self._pending_rows} cannot be written as Parquet ({error})",
                    "give their columns plainer types",
                ) from error
            self.rows += self._pending_rows
            self._pending, self._pending_rows, self._pending_bytes = [], 0, 0

    def _cut(self) -> None:
        while self._cuts and self._cuts[0] == self.rows:
            del self._cuts[0]
            self._end_file()
            self._begin_file()

    def _begin_file(self) -> None:
        parquet = arrow("parquet")
        self._sink = self._files.open(self._paths[self._begun])
        self._file = SinkFile(self._sink)
        self._begun += 1
        # The names of list items are kept; pyarrow would call each 'element'.
        self._writer = parquet.ParquetWriter(
            self._file, self._schema, compression="zstd", use_compliant_nested_type=False
        )

    def _end_file(self) -> None:
        self._writer.close()
        self._sink.finish()
        self.size += self._file.tell()

"""Where every document of an output came from, in a file beside it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np

from corpustools.errors import SystemFailure, from_os
from corpustools.files.extras import load_extra
from corpustools.files.fileset import FileSet
from corpustools.files.outputs import open_output
from corpustools.files.sink_file import SinkFile
from corpustools.files.targets import is_stream
from corpustools.formats.batch import Counts
from corpustools.formats.writer import Writer

COLUMNS = ("source", "record", "tokens", "shard", "first")
_ROWS = 1 << 16


class Provenance:
    """A table with a row a document, in the order of the documents.

    Its columns: the input; the record's number in it, from 1; how many ids the document has; the shard that its first
    id is in, from 0; and which of the shard's ids that is, from 0. The last two are empty for a document that is not
    in the output: one that a dropped window would hold, or one without ids among windows.

    Rows wait in a temporary file, because shards, and windows packed by best fit, are known only at the end.

    Args:
        path: a name that ends with .parquet, or else lines with tabs between the columns; .zst and .gz compress those.
        files: the set that the file belongs to.

    Raises:
        UsageError: the path is a folder, or another file of the set.
        SystemFailure: the folder is missing or not writable.
    """

    def __init__(self, path: str, files: FileSet) -> None:
        self._parquet: Any = None
        if path.endswith(".parquet"):
            needs = "a Parquet file of documents needs pyarrow"
            self._parquet = [load_extra(name, needs, "parquet") for name in ("pyarrow", "pyarrow.parquet")]
        self._sink = open_output(path, None, 1, files)
        self._sources: dict[str, int] = {}
        folder = os.getcwd() if is_stream(path) else os.path.dirname(os.path.realpath(path))
        self._folder = folder
        try:
            self._rows = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  closed by `close`
        except OSError as error:
            raise self._failure(error) from error

    def add(self, source: str, numbers: Counts, lengths: Counts) -> None:
        """Take the documents that were written last.

        Args:
            source: the input.
            numbers: int64, the number of each document's record in it.
            lengths: int64, how many ids each document has.
        """
        number = self._sources.setdefault(source, len(self._sources))
        rows = np.stack([np.full(len(numbers), number), numbers, lengths], axis=1)
        try:
            self._rows.write(rows.data)
        except OSError as error:
            raise self._failure(error) from error

    def write(self, writer: Writer) -> None:
        """Write the table, now that the writer is complete."""
        if self._parquet:
            self._write_parquet(writer)
        else:
            self._write_lines(writer)
        self._sink.finish()

    def close(self) -> None:
        """Remove the temporary file."""
        self._rows.close()

    def _write_lines(self, writer: Writer) -> None:
        sources = [_cell(name) for name in self._sources]
        self._sink.write("\t".join(COLUMNS).encode() + b"\n")
        for rows, (shards, firsts) in self._placed(writer):
            lines = [
                f"{sources[source]}\t{record}\t{tokens}\t" + (f"{shard}\t{first}\n" if first >= 0 else "\t\n")
                for (source, record, tokens), shard, first in zip(
                    rows.tolist(), shards.tolist(), firsts.tolist(), strict=True
                )
            ]
            self._sink.write("".join(lines).encode())

    def _write_parquet(self, writer: Writer) -> None:
        arrow, parquet = self._parquet
        number = arrow.int64()
        types = [arrow.string(), number, number, arrow.int32(), number]
        schema = arrow.schema(list(zip(COLUMNS, types, strict=True)))
        names = arrow.array(list(self._sources), arrow.string())
        with parquet.ParquetWriter(SinkFile(self._sink), schema, compression="zstd") as file:
            for rows, (shards, firsts) in self._placed(writer):
                nowhere = firsts < 0
                columns = [
                    names.take(arrow.array(rows[:, 0])),
                    arrow.array(rows[:, 1]),
                    arrow.array(rows[:, 2]),
                    arrow.array(shards.astype(np.int32), mask=nowhere),
                    arrow.array(firsts, mask=nowhere),
                ]
                file.write_batch(arrow.record_batch(columns, schema=schema))

    def _placed(self, writer: Writer) -> Iterator[tuple[Counts, tuple[Counts, Counts]]]:
        """Give rows of (source, record, tokens) in batches, with the places of their first ids."""
        try:
            self._rows.seek(0)
            while data := self._rows.read(24 * _ROWS):
                rows = np.frombuffer(data, np.int64).reshape(-1, 3)
                yield rows, writer.places(rows[:, 2])
        except OSError as error:
            raise self._failure(error) from error

    def _failure(self, error: OSError) -> SystemFailure:
        return from_os(error, f"the temporary file in {self._folder} failed", "free some space")


def _cell(text: str) -> str:
    """Return a text without what would end a cell or a line."""
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")

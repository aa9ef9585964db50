"""Tables: the rows of Parquet and Arrow files, read in batches of bounded size.

A Parquet file is read through a small window. pyarrow's other ways hold a whole row group's column, and a file may be
one row group (`iter_batches` without `pre_buffer`). An Arrow file is read one of its own batches at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from corpustools.errors import DataError
from corpustools.files.extras import load_extra
from corpustools.files.foreign import ARROW, PARQUET, STREAM
from corpustools.files.inputs import Input
from corpustools.files.table_bytes import TableBytes

# What a batch of a Parquet file holds, about, in bytes of its columns as they are stored.
_BATCH_BYTES = 1 << 20
# Values that are stored once and stand in many rows may make rows much larger than they look.
_MOST_ROWS = 512
# Bytes of a value, by the physical types of Parquet that have a size (Types, in parquet.thrift).
_WIDTHS = {"BOOLEAN": 1, "INT32": 4, "INT64": 8, "INT96": 12, "FLOAT": 4, "DOUBLE": 8}
_WINDOW = 1 << 20
# The rows after which writers (parquet-mr, arrow) look at the size of a page.
_PAGE_ROWS = 1024
# How an Arrow stream ends: a message without metadata.
_END = b"\xff\xff\xff\xff\0\0\0\0"


def arrow(part: str = "") -> Any:
    """Return pyarrow, or a part of it such as 'parquet'.

    Raises:
        SystemFailure: it is not installed; the text names the extra.
    """
    return load_extra(f"pyarrow.{part}" if part else "pyarrow", "Parquet and Arrow need pyarrow", "parquet")


class Table:
    """The rows of one input.

    Args:
        source: a file of rows, as it was found.

    Attributes:
        name: what messages call it.
        schema: pyarrow's schema of the columns.
        rows: how many there are, None where only reading tells.

    Raises:
        SystemFailure: the file cannot be opened, or pyarrow is not installed.
        DataError: the file is torn or damaged, or another than was found.
    """

    def __init__(self, source: Input) -> None:
        assert source.table is not None
        pyarrow = arrow()
        self.name, self._what = source.name, source.table
        self._bytes = TableBytes(source)
        self.rows: int | None = None
        try:
            with self._bytes.reading(self._what):
                self._open(pyarrow, pyarrow.PythonFile(self._bytes, "r"))
        except BaseException:
            self._bytes.close()
            raise

    def _open(self, pyarrow: Any, file: Any) -> None:
        if self._what == PARQUET:
            parquet = arrow("parquet")

            self._file = parquet.ParquetFile(
                file, pre_buffer=False, buffer_size=_WINDOW, page_checksum_verification=True
            )
            self.schema, self.rows = self._file.schema_arrow, self._file.metadata.num_rows
            return
        opened = pyarrow.ipc.open_file if self._what == ARROW else pyarrow.ipc.open_stream
        self._file = opened(file)
        self.schema = self._file.schema

    @property
    def raw_bytes(self) -> int:
        """Bytes read from the file so far."""
        return self._bytes.raw_bytes

    @property
    def stored_bytes(self) -> int:
        """What all columns take decompressed, values that repeat counted once; of an Arrow file its size."""
        if self._what != PARQUET:
            return self._bytes.source.size or 0
        data = self._file.metadata
        return sum(int(data.row_group(group).total_byte_size) for group in range(data.num_row_groups))

    @property
    def page_bytes(self) -> int:
        """What the reader has to hold at once, about: a page of every column, as it is in Parquet files.

        Most writers end a page after 1 MiB, but look at its size only after every so many rows.
        """
        if self._what != PARQUET:
            return 0
        data = self._file.metadata
        pages = 0
        for group in map(data.row_group, range(data.num_row_groups)):
            full = max(group.total_byte_size, 0) * min(group.num_rows, _PAGE_ROWS) // max(group.num_rows, 1)
            pages = max(pages, int(full))
        return pages

    def batches(self, column: str | None = None, threads: bool = False) -> Iterator[Any]:
        """Give the rows in order, as record batches whose places in memory are checked.

        Args:
            column: the name of the only top-level column to read; None: all of them.
            threads: whether several columns may be decoded at once.

        Raises:
            DataError: the file is torn or damaged, or was changed meanwhile.
            SystemFailure: the disk failed.
        """
        rows = 0
        if self._what == STREAM and self._bytes.tell():
            with self._bytes.reading(self._what):
                self._bytes.seek(0)
                self._open(arrow(), arrow().PythonFile(self._bytes, "r"))
        found = self._parquet_batches(column, threads) if self._what == PARQUET else self._arrow_batches(column)
        while True:
            with self._bytes.reading(self._what):
                batch = next(found, None)
            if batch is None:
                break
            rows += batch.num_rows
            yield batch
        self._bytes.verify()
        self._require_whole(rows)
        self.rows = rows

    def _require_whole(self, rows: int) -> None:
        """Refuse what pyarrow passes over: rows that a footer promises, and a stream's missing or early end."""
        torn = "the file is torn or damaged: fetch or write it again"
        if self.rows not in (None, rows):
            raise DataError(f"{self.name}: has {rows} rows, and its footer says {self.rows}", torn)
        if self._what != STREAM:
            return
        end = self._bytes.tell()
        self._bytes.seek(max(0, end - len(_END)))
        # The mark is optional in the format. Without it nobody can tell a whole stream from a torn one.
        if self._bytes.read(len(_END)) != _END:
            raise DataError(f"{self.name}: the Arrow stream has no end mark after {rows} rows", torn)
        behind = (self._bytes.source.size or 0) - end
        if behind:
            raise DataError(
                f"{self.name}: {behind} bytes stand behind the end of the Arrow stream", "give each stream as a file"
            )

    def close(self) -> None:
        """Close the file."""
        self._bytes.close()

    def _parquet_batches(self, column: str | None, threads: bool) -> Iterator[Any]:
        columns = None if column is None else [column]
        rows = _rows_at_once(self._file.metadata, column)
        # pyarrow refuses a batch over the end of a row group where a dictionary stands inside another column.
        groups: list[list[int] | None] = [None]
        if any(_dictionary_inside(arrow(), kind) for kind in self.schema.types):
            groups = [[group] for group in range(self._file.num_row_groups)]
        for some in groups:
            for batch in self._file.iter_batches(rows, row_groups=some, columns=columns, use_threads=threads):
                # The name `a.b` finds b inside a, too.
                yield batch if column is None else batch.select([column])

    def _arrow_batches(self, column: str | None) -> Iterator[Any]:
        pyarrow = arrow()
        if self._what == ARROW:
            batches = (self._file.get_batch(number) for number in range(self._file.num_record_batches))
        else:
            batches = iter(self._file)
        for batch in batches:
            wanted = batch if column is None else batch.select([column])
            for array in wanted.columns:
                _as_bytes(pyarrow, array).validate(full=True)
            yield wanted


def _rows_at_once(data: Any, column: str | None) -> int:
    """Return how many rows of a Parquet file make a batch."""
    width, stored, sized = 0, 0, True
    wanted = [
        place
        for place in range(data.num_columns)
        if column is None or f"{data.schema.column(place).path}.".startswith(f"{column}.")
    ]
    for place in wanted:
        leaf = data.schema.column(place)
        sized = sized and leaf.physical_type in _WIDTHS and not leaf.max_repetition_level
        width += _WIDTHS.get(leaf.physical_type, 0) + 1
    if sized:
        return max(1, _BATCH_BYTES // max(width, 1))
    for group in range(data.num_row_groups):
        stored += sum(data.row_group(group).column(place).total_uncompressed_size for place in wanted)
    mean = max(1, stored // max(data.num_rows, 1))
    return int(max(1, min(_MOST_ROWS, _BATCH_BYTES // mean)))


def _dictionary_inside(pyarrow: Any, kind: Any) -> bool:
    inner = [kind.field(place).type for place in range(kind.num_fields)]
    return any(pyarrow.types.is_dictionary(one) or _dictionary_inside(pyarrow, one) for one in inner)


def _as_bytes(pyarrow: Any, array: Any) -> Any:
    """Return an array with its texts as bytes: whether they are UTF-8 is no matter of places in memory."""
    plain = _bytes_type(pyarrow, array.type)
    if plain == array.type:
        return array
    return array.view(plain)


def _bytes_type(pyarrow: Any, kind: Any) -> Any:
    types = pyarrow.types
    if types.is_string(kind):
        return pyarrow.binary()
    if types.is_large_string(kind):
        return pyarrow.large_binary()
    if types.is_struct(kind):
        return pyarrow.struct([field.with_type(_bytes_type(pyarrow, field.type)) for field in kind])
    if types.is_list(kind):
        return pyarrow.list_(kind.value_field.with_type(_bytes_type(pyarrow, kind.value_type)))
    if types.is_large_list(kind):
        return pyarrow.large_list(kind.value_field.with_type(_bytes_type(pyarrow, kind.value_type)))
    return kind

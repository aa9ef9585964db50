"""`parquet` and `arrow`: a row a document, its ids in a column of lists. pyarrow reads them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from corpustools.errors import DataError
from corpustools.files.extras import load_extra
from corpustools.formats.batch import Counts
from corpustools.formats.readers.reader import RawFile, TokenBatch, TokenReader, as_ids

# Names that a column of ids has, here and elsewhere.
NAMES = ("input_ids", "tokens", "ids")
# The column with the lengths of the pieces of each context window.
_PIECES = "seq_lengths"
_ROWS = 256


class TableReader(TokenReader):
    """Lists of integers, without nulls."""

    def __init__(self, path: str, vocabulary: int = 0) -> None:
        super().__init__(path, vocabulary)
        self._arrow = load_extra("pyarrow", f"format {self.form} needs pyarrow", "parquet")
        file = RawFile(path)
        file.close()
        with _Damaged(path, self._arrow):
            schema = self.open()
        lists = [one for one in schema if self._is_list(one.type)]
        columns = [one for name in NAMES for one in lists if one.name == name] or lists
        if not columns or (columns[0].name not in NAMES and len(columns) > 1):
            raise DataError(f"{path}: has no column 'input_ids' with lists of integers", "name the column so")
        self._column = columns[0].name
        self._has_pieces = any(one.name == _PIECES for one in lists)
        self.width = columns[0].type.value_type.bit_width // 8

    def open(self) -> Any:
        """Open the file; return its schema."""
        raise NotImplementedError

    def rows(self, column: str) -> Iterator[Any]:
        """Give record batches that have the column."""
        raise NotImplementedError

    def batches(self) -> Iterator[TokenBatch]:
        """Give all ids in order."""
        for numbers, lengths in self._lists(self._column):
            yield TokenBatch(as_ids(numbers), np.cumsum(lengths, dtype=np.int64))

    def piece_lengths(self) -> Iterator[Counts] | None:
        """Give what `seq_lengths` holds, where there is such a column."""
        return self._pieces() if self._has_pieces else None

    def _pieces(self) -> Iterator[Counts]:
        # An Arrow stream is read once from end to end.
        again = type(self)(self.name)
        try:
            for numbers, _ in again._lists(_PIECES):
                yield numbers.astype(np.int64)
        finally:
            again.close()

    def _lists(self, name: str) -> Iterator[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
        """Give the numbers of a column of lists, and how many each list has."""
        with _Damaged(self.name, self._arrow):
            for batch in self.rows(name):
                column = batch.column(batch.schema.get_field_index(name))
                lengths = self._lengths(column)
                numbers = column.flatten()
                if column.null_count or numbers.null_count:
                    raise DataError(f"{self.name}: a row or a number of '{name}' is null", "write it again")
                yield numbers.to_numpy(zero_copy_only=False), lengths

    def _lengths(self, column: Any) -> np.ndarray[Any, Any]:
        found: np.ndarray[Any, Any] = self._arrow.compute.list_value_length(column).to_numpy(zero_copy_only=False)
        return found

    def _is_list(self, kind: Any) -> bool:
        types = load_extra("pyarrow.types", f"format {self.form} needs pyarrow", "parquet")
        load_extra("pyarrow.compute", f"format {self.form} needs pyarrow", "parquet")
        lists = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
        return bool(lists and types.is_integer(kind.value_type))


class ParquetReader(TableReader):
    """Parquet, read in pages: a row group need not fit into memory."""

    form = "parquet"

    def open(self) -> Any:
        """Open the file; return its schema."""
        parquet = load_extra("pyarrow.parquet", "format parquet needs pyarrow", "parquet")
        self._file = parquet.ParquetFile(self.name, pre_buffer=False, buffer_size=1 << 20)
        self.documents = self._file.metadata.num_rows
        return self._file.schema_arrow

    def rows(self, column: str) -> Iterator[Any]:
        """Give record batches that have the column."""
        return self._file.iter_batches(_ROWS, columns=[column])  # type: ignore[no-any-return]

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class ArrowReader(TableReader):
    """An IPC stream, or an IPC file."""

    form = "arrow"

    def open(self) -> Any:
        """Open the file; return its schema."""
        self._source = self._arrow.OSFile(self.name)
        self._is_file = self._source.read(6) == b"ARROW1"
        self._source.seek(0)
        open_one = self._arrow.ipc.open_file if self._is_file else self._arrow.ipc.open_stream
        self._batches = open_one(self._source)
        return self._batches.schema

    def count(self) -> int:
        """Return how many rows there are."""
        if self.documents is None:
            again = type(self)(self.name)
            self.documents = sum(batch.num_rows for batch in again.rows(""))
            again.close()
        return self.documents

    def rows(self, column: str) -> Iterator[Any]:
        """Give record batches."""
        if not self._is_file:
            yield from self._batches
            return
        for number in range(self._batches.num_record_batches):
            yield self._batches.get_batch(number)

    def close(self) -> None:
        """Close the file."""
        self._source.close()


class _Damaged:
    """Turns the library's exceptions into one that names the file."""

    def __init__(self, name: str, arrow: Any) -> None:
        self._name, self._kinds = (
            name,
            (
                *(arrow.ArrowException, OSError, EOFError, MemoryError),
                *(ValueError, TypeError, LookupError, ArithmeticError, RuntimeError),
            ),
        )

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if isinstance(error, self._kinds):
            reason = " ".join(str(error).split())[:200]
            raise DataError(
                f"{self._name}: cannot be read ({reason})", "it is torn or damaged: write it again"
            ) from error

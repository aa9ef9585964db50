"""The rows of all inputs, one after another, in chunks that are distributed to the buckets at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from corpustools.errors import DataError
from corpustools.files.tables import Table, arrow
from corpustools.stages.shuffle.table_schema import Columns

# Values of a dictionary or a run stand once in memory. So many rows get a value each at a time.
_ROWS = 512
# Of each row: the generator's four words, two of them in columns.
_WORDS = 48


def chunks(tables: list[Table], columns: Columns, size: int, threads: bool) -> Iterator[list[Any]]:
    """Give the rows of the inputs in order, as lists of batches that hold about `size` bytes together.

    Args:
        tables: the inputs.
        columns: what the rows become.
        size: bytes.
        threads: whether several columns may be decoded at once.

    Raises:
        DataError: an input is torn or damaged, or was changed meanwhile.
        SystemFailure: an input cannot be read.
    """
    chunk: list[Any] = []
    filled = 0
    for table in tables:
        for batch in table.batches(threads=threads):
            for piece in _pieces(batch, columns, size):
                if chunk and filled + _cost(piece) > size:
                    yield chunk
                    chunk, filled = [], 0
                chunk.append(piece)
                filled += _cost(piece)
    if chunk:
        yield chunk


def _pieces(batch: Any, columns: Columns, size: int) -> Iterator[Any]:
    """Give a batch as it is shuffled, in pieces of at most `size` bytes or one row."""
    most = batch.num_rows
    if columns.unfold:
        most = min(most, _ROWS)
    elif _cost(batch) > size:
        most = max(1, batch.num_rows * size // (2 * _cost(batch)))
    for at in range(0, batch.num_rows, max(most, 1)):
        yield from _halves(columns.to_worked(batch.slice(at, most)), size)


def _cost(rows: Any) -> int:
    """Return the bytes that rows take, those of their words and places included."""
    return int(rows.nbytes) + _WORDS * int(rows.num_rows)


def _halves(piece: Any, size: int) -> Iterator[Any]:
    if _cost(piece) <= size or piece.num_rows < 2:
        yield piece
        return
    half = piece.num_rows // 2
    yield from _halves(piece.slice(0, half), size)
    yield from _halves(piece.slice(half), size)


def joined(batches: list[Any]) -> Any:
    """Return batches as one, in memory of its own where there are several.

    Raises:
        DataError: a column of theirs is too long for its type.
    """
    if len(batches) == 1:
        return batches[0]
    pyarrow = arrow()
    try:
        return pyarrow.concat_batches(batches)
    except pyarrow.lib.ArrowException as error:
        raise DataError(
            "rows that are put in order together have more than 2 GiB in a column",
            "give the column a large type (large_string), or less memory",
        ) from error

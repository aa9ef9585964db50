"""Shuffled tables against their inputs: the columns are the same, and so are the rows, each as often."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

from corpustools.errors import DataError
from corpustools.files.inputs import Input
from corpustools.files.table_bytes import message_of
from corpustools.files.tables import Table, arrow
from corpustools.inspect.verify.difference import Difference
from corpustools.inspect.verify.fingerprints import Words
from corpustools.inspect.verify.multiset import Found
from corpustools.inspect.verify.row_prints import RowPrints
from corpustools.progress import Progress
from corpustools.stages.shuffle.table_chunks import chunks
from corpustools.stages.shuffle.table_schema import Columns, common_columns

# Rows that are looked at together, in bytes.
_AT_ONCE = 8 << 20
_SHOWN = 60


class Rows:
    """The rows of tables, as a side of a comparison.

    Args:
        name: what messages call the side.
        inputs: the tables, as they were found.
        columns: how their rows become plain.
        kinds: the types that both sides are compared in, as a schema.
        key: of the fingerprints, 32 bytes.
        progress: takes (phase, bytes done, bytes in all or None).
    """

    noun = "rows"
    seekable = True

    def __init__(
        self, name: str, inputs: list[Input], columns: Columns, kinds: Any, key: bytes, progress: Progress | None
    ) -> None:
        self.name, self._inputs, self._columns, self._kinds = name, inputs, columns, kinds
        self._prints, self._progress = RowPrints(key), progress

    def prints(self, phase: str) -> Iterator[tuple[Words, Callable[[int], Found]]]:
        """Give the fingerprints of all rows; see `Side`."""
        total, before = sum(one.size or 0 for one in self._inputs), 0
        for source in self._inputs:
            with closing(Table(source)) as table:
                number = 0
                for batches in chunks([table], self._columns, _AT_ONCE, False):
                    for batch in batches:
                        yield (
                            self._prints.of_rows(self._compared(batch, source.name)),
                            _Tell(batch, source.name, number),
                        )
                        number += batch.num_rows
                    if self._progress is not None:
                        self._progress(phase, before + table.raw_bytes, total)
                before += table.raw_bytes

    def _compared(self, batch: Any, name: str) -> Any:
        """Return rows in the types that both sides are compared in."""
        if batch.schema.equals(self._kinds):
            return batch
        pyarrow = arrow()
        try:
            columns = [column.cast(field.type) for column, field in zip(batch.columns, self._kinds, strict=True)]
        except pyarrow.lib.ArrowException as error:
            raise DataError(
                f"{name}: has values that its type in the output cannot hold ({message_of(error)})"
            ) from error
        return pyarrow.RecordBatch.from_arrays(columns, schema=self._kinds)


class _Tell:
    """Tells of the rows of a batch."""

    def __init__(self, batch: Any, name: str, first: int) -> None:
        self._batch, self._name, self._first = batch, name, first

    def __call__(self, i: int) -> Found:
        row = self._batch.slice(i, 1)
        try:
            text = str(row.to_pylist()[0])
        except (ValueError, ArithmeticError, UnicodeDecodeError):
            # Some values have no form in Python: nanoseconds, text that is no UTF-8.
            text = ", ".join(f"{field.name}: {field.type}" for field in row.schema)
        return Found(f"{self._name}: row {self._first + i + 1}", text[:_SHOWN] + "…" * (len(text) > _SHOWN))


def sides_of(
    output: str, sources: list[Input], made: list[Input], key: bytes, progress: Progress | None
) -> tuple[Rows, Rows]:
    """Return the rows of a source and of an output, having compared their columns.

    Args:
        output: what messages call the output.
        sources: the source, as it was found.
        made: the files of the output.
        key: of the fingerprints, 32 bytes.
        progress: takes (phase, bytes done, bytes in all or None).

    Raises:
        Difference: the output has other columns.
        UsageError: files of one side have different columns.
        DataError: a file is damaged, or has columns of types that are not taken.
    """
    with ExitStack() as stack:
        before, after = ([stack.enter_context(closing(Table(one))) for one in side] for side in (sources, made))
        columns, written = common_columns(before), common_columns(after)
        for table in after:
            _require_columns(table, columns.written)
    kinds = written.worked
    return (
        Rows("the source", sources, columns, kinds, key, progress),
        Rows(output, made, written, kinds, key, progress),
    )


def _require_columns(table: Table, written: Any) -> None:
    """Hold the columns of a file of the output against those that it should have.

    Raises:
        Difference: a column has another name or type.
    """
    pyarrow, parquet = arrow(), arrow("parquet")
    names = table.schema.names
    if names != written.names:
        what = f"has the columns {', '.join(names)}, and the source has {', '.join(written.names)}"
        raise Difference("schema", f"{table.name}: {what}", "shuffle the source again")
    # Parquet has no place for some types and gives others back; which, it says itself.
    empty = io.BytesIO()
    parquet.ParquetWriter(empty, written, use_compliant_nested_type=False).close()
    back = parquet.read_schema(pyarrow.BufferReader(empty.getvalue()))
    for field, one, other in zip(table.schema, written, back, strict=True):
        if field.type not in (one.type, other.type):
            what = f"column '{field.name}' is of type {field.type}, and in the source of type {other.type}"
            raise Difference("schema", f"{table.name}: {what}", "shuffle the source again")

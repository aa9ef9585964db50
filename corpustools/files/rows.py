"""The texts of a column of tables as records, in the batches that lines come in; lines and tables may be mixed."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np

from corpustools.errors import DataError, UsageError
from corpustools.files.ahead import read_ahead
from corpustools.files.batches import (
    BATCH_BYTES,
    LONGEST_WHOLE,
    BatchReader,
    RecordBatch,
    RecordFragment,
    TooLong,
)
from corpustools.files.chunks import RecordFormat
from corpustools.files.inputs import Input
from corpustools.files.tables import Table, arrow

# Values of a dictionary or a view stand once in memory. So many rows get a value each at a time.
_ROWS = 512
# Bytes of texts that are decoded ahead of their use.
_AHEAD = 4 * BATCH_BYTES
Item = RecordBatch | RecordFragment | TooLong


@dataclass(frozen=True)
class RowBatch(RecordBatch):
    """The texts of a column, one a row, which nobody has looked at.

    Attributes:
        null: bool, whether a row has no text.
    """

    null: np.ndarray[Any, np.dtype[np.bool_]] | None = None


class InputReader:
    """The records of several inputs, one input after another: lines as `BatchReader` gives them, and rows.

    Args:
        inputs: in order.
        form: what a record is among lines.
        part: see `BatchReader`.
        whole: see `BatchReader`.
        column: the names of the column that holds the texts of rows, from the outermost one inwards.
        workers: threads that work on the records; with more than one, what is compressed is decoded beside them.

    Raises:
        UsageError: a part is asked of inputs that are no plain files of lines.
        DataError: a table has no such column, or one that is no text.
        SystemFailure: a table cannot be opened, or pyarrow is not installed.
    """

    def __init__(
        self,
        inputs: list[Input],
        form: RecordFormat,
        part: tuple[int, int] | None = None,
        whole: bool = False,
        column: tuple[str, ...] | None = None,
        workers: int = 1,
    ) -> None:
        self._column = column or ()
        self._readers: list[BatchReader | _RowReader] = []
        for is_table, group in groupby(inputs, key=lambda one: one.table is not None):
            if not is_table:
                self._readers.append(BatchReader(list(group), form, part, whole, workers))
                continue
            for one in group:
                if part is not None:
                    raise UsageError(f"{one.name}: a part needs plain files of lines", "take all of it")
                self._readers.append(_RowReader(one, self._column, workers > 1))

    @property
    def raw_bytes(self) -> int:
        """Bytes read from the files so far."""
        return sum(reader.raw_bytes for reader in self._readers)

    def __iter__(self) -> Iterator[RecordBatch | RecordFragment]:
        """Give batches and fragments in order.

        Raises:
            DataError: an input is malformed, or a record is too long to be given whole.
        """
        for item in self.with_too_long():
            if isinstance(item, TooLong):
                raise DataError(f"{item.place} {item.what}", "split it")
            yield item

    def with_too_long(self) -> Iterator[Item]:
        """Give batches and fragments in order, and TooLong in the place of a record that cannot be given whole."""
        begun = 0
        for reader in self._readers:
            seen = 0
            for item in reader.with_too_long():
                if isinstance(item, RecordBatch):
                    seen = item.first + len(item.starts)
                    yield replace(item, first=item.first + begun, before=item.before + begun) if begun else item
                else:
                    seen = item.record + 1
                    yield replace(item, record=item.record + begun, before=item.before + begun) if begun else item
            begun += seen


class _RowReader:
    """The texts of a column of one table.

    Args:
        source: the table.
        column: the names of the column.
        ahead: whether they are decoded on a thread of their own.

    Raises:
        DataError: there is no such column, or it holds no text.
    """

    def __init__(self, source: Input, column: tuple[str, ...], ahead: bool) -> None:
        self._source, self._column, self._ahead, self.raw_bytes = source, column, ahead, 0
        table = Table(source)
        table.close()
        self._unfold = _require_text(source.name, table.schema, column)

    def with_too_long(self) -> Iterator[Item]:
        """Give the rows in order, in batches of about BATCH_BYTES or one longer text."""
        return read_ahead(self._items(), _size, _AHEAD) if self._ahead else self._items()

    def _items(self) -> Generator[Item]:
        table, number = Table(self._source), 0
        try:
            waiting: list[Any] = []
            filled = 0
            for texts in self._texts(table):
                self.raw_bytes = table.raw_bytes
                if waiting and filled + texts.nbytes > BATCH_BYTES:
                    yield from self._batches(waiting, number)
                    number += sum(map(len, waiting))
                    waiting, filled = [], 0
                waiting.append(texts)
                filled += texts.nbytes
            self.raw_bytes = table.raw_bytes
            if waiting:
                yield from self._batches(waiting, number)
        finally:
            table.close()

    def _texts(self, table: Table) -> Iterator[Any]:
        """Give the texts as arrays of strings of at most BATCH_BYTES or one text."""
        pyarrow = arrow()
        for batch in table.batches(self._column[0]):
            texts = batch.column(0)
            for name in self._column[1:]:
                # Loaded where it is needed: that takes as long as some files do.
                texts = arrow("compute").struct_field(texts, [name])
            step = _ROWS if self._unfold else max(1, len(texts))
            for at in range(0, len(texts), step):
                some = texts.slice(at, step)
                if self._unfold:
                    large = pyarrow.types.is_large_string(_value_type(pyarrow, some.type))
                    some = some.cast(pyarrow.large_string() if large else pyarrow.string())
                yield from _halves(some)

    def _batches(self, waiting: list[Any], first: int) -> Iterator[Item]:
        """Give arrays of texts as one batch."""
        pyarrow = arrow()
        texts = pyarrow.concat_arrays(waiting) if len(waiting) > 1 else waiting[0]
        _, places, values = texts.buffers()
        width = np.int64 if pyarrow.types.is_large_string(texts.type) else np.int32
        if places is None or not len(places):
            ends = np.zeros(len(texts) + 1, np.int64)
        else:
            found = np.frombuffer(places, width)[texts.offset : texts.offset + len(texts) + 1]
            ends = found.astype(np.int64)
        low, high = int(ends[0]), int(ends[-1])
        data = memoryview(values)[low:high] if values is not None else memoryview(b"")
        name = self._source.name
        if len(texts) == 1 and high - low > LONGEST_WHOLE:
            yield TooLong(first, name)
            return
        null = np.asarray(texts.is_null().to_numpy(zero_copy_only=False), bool)
        yield RowBatch(data, ends[:-1] - low, ends[1:] - low, first, name, null=null)


def _size(item: Item) -> int:
    return 0 if isinstance(item, TooLong) else len(item.data)


def _halves(texts: Any) -> Iterator[Any]:
    if texts.nbytes <= BATCH_BYTES or len(texts) < 2:
        yield texts
        return
    half = len(texts) // 2
    yield from _halves(texts.slice(0, half))
    yield from _halves(texts.slice(half))


def _require_text(name: str, schema: Any, column: tuple[str, ...]) -> bool:
    """Refuse a column that is not there or holds no text; return whether its type has to be changed.

    Raises:
        DataError: it is so. The text names what is there.
    """
    pyarrow = arrow()
    called, fields = ".".join(column), schema
    for depth, part in enumerate(column):
        names = [field.name for field in fields]
        if names.count(part) != 1:
            shown = ", ".join(names[:8]) + (" and others" if len(names) > 8 else "")
            count = "no" if part not in names else f"{names.count(part)} times the"
            raise DataError(f"{name}: has {count} column '{called}'", f"there are {shown or 'none'}")
        field = fields[names.index(part)] if depth else fields.field(part)
        inside = depth + 1 < len(column)
        if inside and not pyarrow.types.is_struct(field.type):
            raise DataError(
                f"{name}: column '{field.name}' is of type {field.type}", "only a struct has columns inside"
            )
        fields = list(field.type) if inside else fields
    value = _value_type(pyarrow, field.type)
    types = pyarrow.types
    if not (types.is_string(value) or types.is_large_string(value) or types.is_string_view(value)):
        raise DataError(f"{name}: column '{called}' is of type {field.type}", "text is taken: name a column of strings")
    return not (types.is_string(field.type) or types.is_large_string(field.type))


def _value_type(pyarrow: Any, kind: Any) -> Any:
    return kind.value_type if pyarrow.types.is_dictionary(kind) else kind

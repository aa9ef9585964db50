"""The columns of tables: as the inputs have them, as they are shuffled, and as they are written.

Some types of Arrow cannot be picked by row or cut into slices cheaply: views, dictionaries, runs. Their columns become
plain ones while they are shuffled, and get their own type back before they are written.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from corpustools.errors import DataError, UsageError
from corpustools.files.table_bytes import message_of
from corpustools.files.tables import Table, arrow


@dataclass(frozen=True)
class Columns:
    """The columns of a shuffle of tables.

    Attributes:
        written: the schema of the output: the first input's, with what Parquet cannot hold as its plain type.
        worked: the schema while rows are shuffled.
        unfold: whether a column of an input changes its type on the way. It may grow: values of a dictionary, a run or
            a view stand once in memory for many rows.
    """

    written: Any
    worked: Any
    unfold: bool

    def to_worked(self, batch: Any) -> Any:
        """Return a batch of any of the inputs as it is shuffled.

        Raises:
            DataError: a column cannot be changed.
        """
        return self._with(batch, self.worked, _changed)

    def to_written(self, batch: Any) -> Any:
        """Return a shuffled batch as it is written.

        Raises:
            DataError: a column is too long for its own type.
        """
        return self._with(batch, self.written, _restored)

    def _with(self, batch: Any, schema: Any, change: Callable[[Any, Any, Any], Any]) -> Any:
        pyarrow = arrow()
        arrays = []
        for array, field in zip(batch.columns, schema, strict=True):
            try:
                changed = change(pyarrow, array, field.type)
                # Some casts of pyarrow's leave lists whose offsets lead nowhere.
                changed.validate()
                arrays.append(changed)
            except pyarrow.lib.ArrowException as error:
                raise DataError(
                    f"column '{field.name}' of type {array.type} cannot be made {field.type} ({message_of(error)})",
                    "give the column a plain type first, or ask for fewer rows a group",
                ) from error
        return pyarrow.RecordBatch.from_arrays(arrays, schema=schema)


def common_columns(tables: list[Table]) -> Columns:
    """Return the columns of several inputs, which have to be the same as far as Parquet can tell them apart.

    Raises:
        UsageError: the inputs have different columns.
        DataError: a column has a type that Parquet cannot hold.
    """
    pyarrow = arrow()
    first = tables[0].schema
    for table in tables:
        for field in table.schema:
            _require_type(pyarrow, field, table.name)
    for table in tables[1:]:
        _require_same(pyarrow, tables[0], table)
    # A column may lack values where that is so in any of the inputs.
    fields = [
        field.with_nullable(any(table.schema.field(place).nullable for table in tables))
        for place, field in enumerate(first)
    ]
    written = pyarrow.schema(
        [field.with_type(_writable(pyarrow, field.type)) for field in fields], metadata=first.metadata
    )
    worked = pyarrow.schema([pyarrow.field(field.name, _plain(pyarrow, field.type)) for field in fields])
    unfold = any(
        field.type != plain.type for table in tables for field, plain in zip(table.schema, worked, strict=True)
    )
    return Columns(written, worked, unfold)


def _require_type(pyarrow: Any, field: Any, name: str) -> None:
    """Refuse a column whose values would not come back from a Parquet file."""
    parquet = arrow("parquet")

    remedy = "leave the column out, or give it another type"
    try:
        plain = _plain(pyarrow, field.type)
        one = pyarrow.schema([field.with_type(_writable(pyarrow, field.type))])
        parquet.ParquetWriter(io.BytesIO(), one).close()
        _restored(pyarrow, _changed(pyarrow, pyarrow.nulls(0, field.type), plain), one.field(0).type)
        pyarrow.nulls(0, plain).take(pyarrow.array([], pyarrow.int64()))
    except (pyarrow.lib.ArrowException, TypeError) as error:
        raise DataError(f"{name}: column '{field.name}' of type {field.type} cannot be shuffled", remedy) from error


def _require_same(pyarrow: Any, first: Table, other: Table) -> None:
    names, others = first.schema.names, other.schema.names
    remedy = "shuffle tables of equal columns together"
    if names != others:
        raise UsageError(
            f"{other.name}: has the columns {_listed(others)}, and {first.name} has {_listed(names)}", remedy
        )
    for field, found in zip(first.schema, other.schema, strict=True):
        if _stored(pyarrow, field.type) != _stored(pyarrow, found.type):
            raise UsageError(
                f"{other.name}: column '{field.name}' is of type {found.type}, and in {first.name} of type "
                f"{field.type}",
                remedy,
            )


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:8])
    return f"{shown} and {len(names) - 8} more" if len(names) > 8 else shown or "(none)"


def _children(pyarrow: Any, kind: Any, change: Any) -> Any:
    """Return a nested type with `change` done to the types inside; another type as it is."""
    types = pyarrow.types
    if types.is_struct(kind):
        return pyarrow.struct([field.with_type(change(pyarrow, field.type)) for field in kind])
    if types.is_map(kind):
        key, item = kind.key_field, kind.item_field
        return pyarrow.map_(
            key.with_type(change(pyarrow, key.type)),
            item.with_type(change(pyarrow, item.type)),
            keys_sorted=kind.keys_sorted,
        )
    if types.is_fixed_size_list(kind):
        return pyarrow.list_(kind.value_field.with_type(change(pyarrow, kind.value_type)), kind.list_size)
    for test, make in (
        (types.is_list, pyarrow.list_),
        (types.is_large_list, pyarrow.large_list),
        (types.is_list_view, pyarrow.list_view),
        (types.is_large_list_view, pyarrow.large_list_view),
    ):
        if test(kind):
            return make(kind.value_field.with_type(change(pyarrow, kind.value_type)))
    return kind


def _plain(pyarrow: Any, kind: Any) -> Any:
    """Return the type that a column has while it is shuffled.

    Raises:
        TypeError: there is none.
    """
    types = pyarrow.types
    if types.is_run_end_encoded(kind) or types.is_dictionary(kind):
        return _plain(pyarrow, kind.value_type)
    if types.is_string_view(kind):
        return pyarrow.string()
    if types.is_binary_view(kind):
        return pyarrow.binary()
    if types.is_list_view(kind):
        return pyarrow.list_(kind.value_field.with_type(_plain_inside(pyarrow, kind.value_type)))
    if types.is_large_list_view(kind):
        return pyarrow.large_list(kind.value_field.with_type(_plain_inside(pyarrow, kind.value_type)))
    if types.is_union(kind) or types.is_interval(kind):
        raise TypeError(kind)
    if isinstance(kind, pyarrow.BaseExtensionType):
        if _plain(pyarrow, kind.storage_type) != kind.storage_type:
            raise TypeError(kind)
        return kind
    return _children(pyarrow, kind, _plain_inside)


def _plain_inside(pyarrow: Any, kind: Any) -> Any:
    """Return what `_plain` does for a type inside another, where views of lists and runs cannot be changed."""
    types = pyarrow.types
    if types.is_list_view(kind) or types.is_large_list_view(kind) or types.is_run_end_encoded(kind):
        raise TypeError(kind)
    return _plain(pyarrow, kind)


def _writable(pyarrow: Any, kind: Any) -> Any:
    """Return a type as it can be written: runs have no place in Parquet, and pyarrow writes no views inside others."""
    if pyarrow.types.is_run_end_encoded(kind):
        return _writable(pyarrow, kind.value_type)
    return _children(pyarrow, kind, _writable_inside)


def _writable_inside(pyarrow: Any, kind: Any) -> Any:
    types = pyarrow.types
    if types.is_string_view(kind):
        return pyarrow.string()
    if types.is_binary_view(kind):
        return pyarrow.binary()
    return _children(pyarrow, kind, _writable_inside)


def _stored(pyarrow: Any, kind: Any) -> Any:
    """Return what two types have in common that only Arrow tells apart: large, view or dictionary of the same."""
    types = pyarrow.types
    if types.is_run_end_encoded(kind) or types.is_dictionary(kind):
        return _stored(pyarrow, kind.value_type)
    if types.is_large_string(kind) or types.is_string_view(kind):
        return pyarrow.string()
    if types.is_large_binary(kind) or types.is_binary_view(kind):
        return pyarrow.binary()
    if types.is_list(kind) or types.is_large_list(kind) or types.is_list_view(kind) or types.is_large_list_view(kind):
        return pyarrow.list_(pyarrow.field("item", _stored(pyarrow, kind.value_type)))
    if types.is_struct(kind):
        return pyarrow.struct([pyarrow.field(field.name, _stored(pyarrow, field.type)) for field in kind])
    return _children(pyarrow, kind, _stored)


def _changed(pyarrow: Any, array: Any, kind: Any) -> Any:
    if array.type == kind:
        return array
    if pyarrow.types.is_run_end_encoded(array.type):
        array = arrow("compute").run_end_decode(array)
    for view, plain in (
        (pyarrow.ListViewArray, pyarrow.ListArray),
        (pyarrow.LargeListViewArray, pyarrow.LargeListArray),
    ):
        if isinstance(array, view):
            return _list_of_views(pyarrow, array, plain, kind)
    return array if array.type == kind else array.cast(kind)


def _list_of_views(pyarrow: Any, array: Any, plain: Any, kind: Any) -> Any:
    """Return a column of list views as one of lists: pyarrow's own cast leaves the last offset out."""
    import numpy as np

    sizes = array.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    offsets = np.zeros(len(array) + 1, np.int64)
    np.cumsum(sizes, out=offsets[1:])
    places = pyarrow.array(offsets, pyarrow.int32() if plain is pyarrow.ListArray else pyarrow.int64())
    values = _changed(pyarrow, array.flatten(), kind.value_type)
    return plain.from_arrays(places, values, type=kind, mask=array.is_null())


def _restored(pyarrow: Any, array: Any, kind: Any) -> Any:
    types = pyarrow.types
    if array.type == kind:
        return array
    for test, view in (
        (types.is_list_view, pyarrow.ListViewArray),
        (types.is_large_list_view, pyarrow.LargeListViewArray),
    ):
        if test(kind):
            values = _restored(pyarrow, array.values, kind.value_type)
            sizes = array.value_lengths().fill_null(0).cast(array.offsets.type)
            return view.from_arrays(array.offsets[:-1], sizes, values, type=kind, mask=array.is_null())
    return array.cast(kind)

"""How Parquet lays out columns of lists of int32: pages, row groups and the footer, as pure functions.

A library that takes any table spends more time on the levels of such lists than on everything else, because it looks
at each number. Here a document costs a few bytes of levels, however many ids it has.

Source: https://github.com/apache/parquet-format (README.md, Encodings.md, LogicalTypes.md, parquet.thrift). Numbers of
fields and of enumerations are those of parquet.thrift.
"""

from __future__ import annotations

import struct as binary
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from corpustools.formats.batch import Counts
from corpustools.formats.thrift import Value, i32, i64, sequence, string, struct
from corpustools.kernels import load

MAGIC = b"PAR1"
CREATED_BY = "corpustools"
# The size of a page is a signed number of 32 bits, and its levels need some of that.
MOST_PAGE_IDS = (1 << 29) - (1 << 20)

_INT32, _OPTIONAL, _REPEATED, _LIST, _PLAIN, _RLE, _ZSTD = 1, 1, 2, 3, 0, 3, 6
# Definition levels: how much of list, element and number is there.
_EMPTY, _PRESENT = 1, 3


@dataclass(frozen=True)
class Page:
    """A page: its bytes in the file, how many levels it has, and its bytes before compression, head included."""

    data: bytes
    values: int
    raw: int


@dataclass
class Chunk:
    """A column's pages in one row group.

    offset: where the first page begins in the file.
    values: how many levels the pages have.
    raw: bytes of the pages before compression, heads included.
    size: their bytes in the file.
    """

    offset: int
    values: int = 0
    raw: int = 0
    size: int = 0

    def add(self, page: Page) -> None:
        """Count a page in."""
        self.values += page.values
        self.raw += page.raw
        self.size += len(page.data)


def data_page(ids: np.ndarray[Any, Any], lengths: Counts, compress: Callable[[bytes], bytes]) -> Page:
    """Return a page of lists.

    Args:
        ids: int32, of all lists, one after another; at most MOST_PAGE_IDS.
        lengths: int64, how many each list has.
        compress: returns data as one zstd frame.
    """
    body = b"".join([*map(_with_length, levels(lengths)), ids.astype("<i4", copy=False).tobytes()])
    packed = compress(body)
    values = len(ids) + int((lengths == 0).sum())
    checksum = zlib.crc32(packed)
    kind = {1: i32(values), 2: i32(_PLAIN), 3: i32(_RLE), 4: i32(_RLE)}
    fields = {1: i32(0), 2: i32(len(body)), 3: i32(len(packed)), 4: i32(checksum - (checksum >> 31 << 32))}
    head = struct({**fields, 5: struct(kind)}).data
    return Page(head + packed, values, len(head) + len(body))


def levels(lengths: Counts) -> tuple[bytes, bytes]:
    """Return the repetition and the definition levels of lists, in runs.

    Args:
        lengths: int64, how many numbers each list has.
    """
    # The first number of a list has repetition level 0, the others have 1; an empty list has one level all the same.
    full = np.maximum(lengths, 1)
    repetition = np.stack([np.ones_like(full), full - 1], axis=1).ravel()
    definition = np.where(lengths > 0, _PRESENT, _EMPTY)
    # Lists of one kind are one run.
    starts = np.flatnonzero(np.diff(definition, prepend=0))
    sums = np.add.reduceat(full, starts) if len(starts) else full
    return _runs(repetition, np.tile([0, 1], len(full))), _runs(sums, definition[starts])


def _runs(counts: Counts, values: Counts) -> bytes:
    """Return runs of equal levels (Encodings.md, run length encoding): twice the count as a varint, then the level."""
    kernel = load("rows")
    values, heads = values[counts > 0].astype(np.uint8), (counts[counts > 0] << 1).astype(np.int32)
    ones = np.arange(1, len(heads) + 1)
    packed, ends = np.empty(5 * len(heads), np.uint8), np.empty(len(heads), np.int64)
    size = kernel.varints(heads, ones, packed, ends)
    out = np.empty(size + len(heads), np.uint8)
    kernel.interleave(packed, ends, values, ones, out)
    return out.tobytes()


def _with_length(data: bytes) -> bytes:
    return binary.pack("<I", len(data)) + data


def row_group(names: Sequence[str], chunks: Sequence[Chunk], rows: int) -> Value:
    """Return the description of a row group.

    Args:
        names: of the columns.
        chunks: one for each column.
        rows: how many rows the group has.
    """
    columns = []
    for name, chunk in zip(names, chunks, strict=True):
        sizes = {5: i64(chunk.values), 6: i64(chunk.raw), 7: i64(chunk.size), 9: i64(chunk.offset)}
        columns.append(struct({2: i64(0), 3: struct({**_column(name), **sizes})}))
    raw, size = sum(chunk.raw for chunk in chunks), sum(chunk.size for chunk in chunks)
    fields = {1: sequence(columns, struct({})), 2: i64(raw), 3: i64(rows)}
    return struct({**fields, 5: i64(chunks[0].offset), 6: i64(size)})


@cache
def _column(name: str) -> dict[int, Value]:
    """Return what is the same in every row group: type, encodings, path, compression."""
    path = [string(one) for one in (name, "list", "element")]
    encodings = [i32(_PLAIN), i32(_RLE)]
    return {1: i32(_INT32), 2: sequence(encodings, i32(0)), 3: sequence(path, string("")), 4: i32(_ZSTD)}


def footer(names: Sequence[str], groups: Sequence[Value], rows: int) -> bytes:
    """Return what stands behind the last page.

    Args:
        names: of the columns.
        groups: the descriptions of the row groups.
        rows: of the whole file.
    """
    schema = [struct({4: string("schema"), 5: i32(len(names))})]
    for name in names:
        is_list = struct({3: struct({})})
        schema.append(struct({3: i32(_OPTIONAL), 4: string(name), 5: i32(1), 6: i32(_LIST), 10: is_list}))
        schema.append(struct({3: i32(_REPEATED), 4: string("list"), 5: i32(1)}))
        schema.append(struct({1: i32(_INT32), 3: i32(_OPTIONAL), 4: string("element")}))
    fields = {1: i32(1), 2: sequence(schema, struct({})), 3: i64(rows), 4: sequence(groups, struct({}))}
    data = struct({**fields, 6: string(CREATED_BY)}).data
    return data + binary.pack("<I", len(data)) + MAGIC

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
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from corpustools.formats.batch import Counts
from corpustools.formats.thrift import Value, i32, i64, sequence, string, struct, varint
from corpustools.kernels import load

MAGIC = b"PAR1"
CREATED_BY = "corpustools"
# The size of a page is a signed number of 32 bits, and its levels need some of that.
MOST_PAGE_IDS = (1 << 29) - (1 << 20)

_INT32, _OPTIONAL, _REPEATED, _LIST, _PLAIN, _RLE, _RLE_DICTIONARY, _ZSTD = 1, 1, 2, 3, 0, 3, 8, 6
_DATA_PAGE, _DICTIONARY_PAGE = 0, 2
# Bits of a place in a dictionary.
_PLACE_BITS = 16
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

    pages: of the lists.
    dictionary: what stands before them; None where no page needs it.
    """

    pages: list[Page]
    dictionary: Page | None = None

    @property
    def all_pages(self) -> list[Page]:
        """The pages in the order in which they stand in the file."""
        return [*([self.dictionary] if self.dictionary else []), *self.pages]


def data_page(numbers: np.ndarray[Any, Any], lengths: Counts, compress: Callable[[bytes], bytes]) -> Page:
    """Return a page of lists.

    Args:
        numbers: of all lists, one after another; at most MOST_PAGE_IDS. int32, or uint16: their places in a dictionary.
        lengths: int64, how many each list has.
        compress: returns data as one zstd frame.
    """
    in_dictionary = numbers.dtype == np.uint16
    values = _places(numbers) if in_dictionary else [numbers.astype("<i4", copy=False).data]
    body = b"".join([*map(_with_length, levels(lengths)), *values])
    count = len(numbers) + int((lengths == 0).sum())
    kind = {1: i32(count), 2: i32(_RLE_DICTIONARY if in_dictionary else _PLAIN), 3: i32(_RLE), 4: i32(_RLE)}
    return replace(_page(_DATA_PAGE, body, {5: struct(kind)}, compress), values=count)


def dictionary_page(ids: np.ndarray[Any, Any], compress: Callable[[bytes], bytes]) -> Page:
    """Return the page of a dictionary.

    Args:
        ids: int32, each once.
        compress: returns data as one zstd frame.
    """
    kind = {1: i32(len(ids)), 2: i32(_PLAIN)}
    return _page(_DICTIONARY_PAGE, ids.astype("<i4", copy=False).tobytes(), {7: struct(kind)}, compress)


def _page(kind: int, body: bytes, more: dict[int, Value], compress: Callable[[bytes], bytes]) -> Page:
    packed = compress(body)
    checksum = zlib.crc32(packed)
    fields = {1: i32(kind), 2: i32(len(body)), 3: i32(len(packed)), 4: i32(checksum - (checksum >> 31 << 32))}
    head = struct({**fields, **more}).data
    return Page(head + packed, 0, len(head) + len(body))


def _places(places: np.ndarray[Any, Any]) -> list[bytes | memoryview]:
    """Return places in a dictionary as one bit-packed run (Encodings.md): whole bytes, so that zstd finds repetitions.

    Args:
        places: uint16.
    """
    groups = (len(places) + 7) // 8
    head = bytes([_PLACE_BITS]) + varint(groups << 1 | 1)
    return [head, places.astype("<u2", copy=False).data, bytes(2 * (8 * groups - len(places)))]


def levels(lengths: Counts) -> tuple[bytes, bytes]:
    """Return the repetition and the definition levels of lists, in runs.

    Args:
        lengths: int64, how many numbers each list has.
    """
    repetition, definition = np.empty(8 * len(lengths), np.uint8), np.empty(11 * len(lengths), np.uint8)
    sizes = load("rows").list_levels(np.ascontiguousarray(lengths), _EMPTY, _PRESENT, repetition, definition)
    return repetition[: sizes[0]].tobytes(), definition[: sizes[1]].tobytes()


def _with_length(data: bytes) -> bytes:
    return binary.pack("<I", len(data)) + data


def row_group(names: Sequence[str], chunks: Sequence[Chunk], rows: int, offset: int) -> Value:
    """Return the description of a row group.

    Args:
        names: of the columns.
        chunks: one for each column.
        rows: how many rows the group has.
        offset: where its first page begins in the file.
    """
    columns, all_raw, at = [], 0, offset
    for name, chunk in zip(names, chunks, strict=True):
        pages = chunk.all_pages
        raw, size = sum(page.raw for page in pages), sum(len(page.data) for page in pages)
        sizes = {5: i64(sum(page.values for page in pages)), 6: i64(raw), 7: i64(size)}
        places = {9: i64(at)}
        if chunk.dictionary is not None:
            places = {9: i64(at + len(chunk.dictionary.data)), 11: i64(at)}
        column = {**_column(name, chunk.dictionary is not None), **sizes, **places}
        columns.append(struct({2: i64(0), 3: struct(column)}))
        all_raw += raw
        at += size
    fields = {1: sequence(columns, struct({})), 2: i64(all_raw), 3: i64(rows)}
    return struct({**fields, 5: i64(offset), 6: i64(at - offset)})


@cache
def _column(name: str, has_dictionary: bool) -> dict[int, Value]:
    """Return what is the same in every row group: type, encodings, path, compression."""
    path = [string(one) for one in (name, "list", "element")]
    encodings = [i32(_PLAIN), i32(_RLE), *([i32(_RLE_DICTIONARY)] if has_dictionary else [])]
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

"""Decoders of what trainers read row by row, written from the formats' own descriptions, and outputs to try them on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from corpustools.formats import make_writer
from corpustools.formats.batch import IdBatch
from corpustools.formats.layout import Layout
from corpustools.formats.vocabulary import Vocabulary
from corpustools.formats.writer import Writer

Documents = list[list[int]]

SMALL = Vocabulary(300, {"bos": 1, "eos": 2, "pad": 0}, list)
LARGE = Vocabulary((1 << 16) + 1, {"eos": 2}, list)
# Lengths at which the heads of rows change their width, and no ids at all.
DOCUMENTS: Documents = [[5, 6, 7], [], [299], [], [], list(range(255)), list(range(256)), [8] * 65536, [9]]


def write(
    name: str,
    output: Path,
    documents: Documents,
    layout: Layout | None = None,
    vocabulary: Vocabulary = SMALL,
    cuts: tuple[int, ...] = (),
) -> Writer:
    """Write documents to an output, in batches that are cut before the documents named by `cuts`."""
    writer = make_writer(name, vocabulary, (), layout)
    writer.open(str(output), 1)
    try:
        for start, stop in zip((0, *cuts), (*cuts, len(documents)), strict=True):
            some = documents[start:stop]
            ids = np.array([i for one in some for i in one], np.int32)
            writer.write(writer.format(IdBatch(ids, np.cumsum([len(one) for one in some], dtype=np.int64))))
        writer.finish()
    except BaseException:
        writer.abort()
        raise
    return writer


def pack(documents: Documents, context: int) -> Documents:
    """The windows of documents one after another; what fills none is dropped."""
    ids = [i for one in documents for i in one]
    return [ids[at : at + context] for at in range(0, len(ids) - context + 1, context)]


def rows_of(file: bytes, preface: bytes = b"") -> list[bytes]:
    """The rows of a file that begins with a table of places."""
    count = int(np.frombuffer(file, "<u4", 1)[0])
    places = np.frombuffer(file, "<u4", count + 1, 4).tolist()
    assert file[4 * (count + 2) : places[0]] == preface
    assert places[-1] == len(file)
    return [file[start:stop] for start, stop in pairwise(places)]


def read_mds(folder: Path) -> Documents:
    """The samples of a folder (streaming/base/format/mds)."""
    found: Documents = []
    index = json.loads((folder / "index.json").read_bytes())
    assert index["version"] == 2
    for shard in index["shards"]:
        data = (folder / shard["raw_data"]["basename"]).read_bytes()
        assert shard["raw_data"] == {"basename": shard["raw_data"]["basename"], "bytes": len(data), "hashes": {}}
        named = {key: shard[key] for key in shard if key not in ("raw_data", "zip_data", "samples")}
        rows = rows_of(data, json.dumps(named, sort_keys=True).encode())
        assert len(rows) == shard["samples"]
        found += [_array(row, shard["column_encodings"][0], shard["column_sizes"][0]) for row in rows]
    return found


def _array(row: bytes, encoding: str, size: int | None) -> list[int]:
    kind, dtype, *shape = encoding.split(":")
    assert kind == "ndarray"
    if size is not None:
        assert len(row) == size == int(shape[0]) * np.dtype(dtype).itemsize
        return list(np.frombuffer(row, dtype).tolist())
    assert not shape
    assert int.from_bytes(row[:4], "little") == len(row) - 4
    width = 1 << (row[4] & 3)
    assert row[4] >> 2 == 1
    ids = list(np.frombuffer(row[5 + width :], dtype).tolist())
    length = int.from_bytes(row[5 : 5 + width], "little")
    assert length == len(ids)
    # The library takes the narrowest width.
    assert width == (1 if length < 1 << 8 else 2 if length < 1 << 16 else 4)
    return ids


def read_litdata(folder: Path) -> Documents:
    """The items of a folder (litdata/streaming/writer.py)."""
    index = json.loads((folder / "index.json").read_bytes())
    dtype = {"no_header_tensor:20": "<u2", "no_header_tensor:16": "<i4"}[index["config"]["data_format"][0]]
    found: Documents = []
    for chunk in index["chunks"]:
        data = (folder / chunk["filename"]).read_bytes()
        rows = [list(np.frombuffer(row, dtype).tolist()) for row in rows_of(data)]
        assert (len(data), len(rows), sum(map(len, rows))) == (chunk["chunk_bytes"], chunk["chunk_size"], chunk["dim"])
        found += rows
    return found


def litdata_blocks(folder: Path, size: int) -> Documents:
    """What TokensLoader(block_size) gives: blocks of each chunk, without regard to its items."""
    index = json.loads((folder / "index.json").read_bytes())
    dtype = {"no_header_tensor:20": "<u2", "no_header_tensor:16": "<i4"}[index["config"]["data_format"][0]]
    blocks: Documents = []
    for chunk in index["chunks"]:
        data = (folder / chunk["filename"]).read_bytes()
        ids = np.frombuffer(data, dtype, chunk["dim"], 4 * (chunk["chunk_size"] + 2)).tolist()
        blocks += [ids[at : at + size] for at in range(0, chunk["dim"] // size * size, size)]
    return blocks


def read_table(path: Path, name: str) -> Any:
    """A file of format parquet or arrow as pyarrow reads it, looked through from end to end."""
    pyarrow = pytest.importorskip("pyarrow")
    if name == "parquet":
        table = pytest.importorskip("pyarrow.parquet").read_table(path, page_checksum_verification=True)
    else:
        with pyarrow.ipc.open_stream(path) as stream:
            table = stream.read_all()
    table.validate(full=True)
    return table


def read_arrayrecord(path: Path) -> Documents:
    """The messages of a file, decoded by hand (tensorflow/core/example)."""
    library = pytest.importorskip("array_record.python.array_record_module")
    reader = library.ArrayRecordReader(str(path))
    try:
        messages = reader.read_all() if reader.num_records() else []
    finally:
        reader.close()
    return [list(_ids_of(message)) for message in messages]


def _ids_of(message: bytes) -> Iterator[int]:
    entry = _inside(_inside(message, 0x0A), 0x0A)
    assert entry[:11] == b"\x0a\x09input_ids"
    ids = _inside(_inside(_inside(entry[11:], 0x12), 0x1A), 0x0A)
    at = 0
    while at < len(ids):
        number, at = _varint(ids, at)
        yield number


def _inside(message: bytes, tag: int) -> bytes:
    """The one field of a message."""
    size, at = _varint(message, 1)
    assert (message[0], len(message)) == (tag, at + size)
    return message[at:]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while data[at] & 0x80:
        number |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
    return number | data[at] << shift, at + 1


def read(name: str, output: Path) -> Documents:
    """The rows of an output of any of these formats."""
    if name in ("parquet", "arrow"):
        return list(read_table(output, name)["input_ids"].to_pylist())
    return {"mds": read_mds, "litdata": read_litdata, "arrayrecord": read_arrayrecord}[name](output)


def bytes_of(output: Path) -> dict[str, bytes]:
    """All files of an output, hidden ones too."""
    if output.is_dir():
        return {name: (output / name).read_bytes() for name in sorted(os.listdir(output))}
    return {"": output.read_bytes()}

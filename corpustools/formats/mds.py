"""`mds`: the shards of MosaicML Streaming, with one column, `tokens`."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np

from corpustools.formats.batch import Counts
from corpustools.formats.folders import FILE_BYTES, FolderWriter
from corpustools.formats.layout import Layout
from corpustools.formats.rows import Rows
from corpustools.formats.vocabulary import Vocabulary
from corpustools.kernels import load

# Of the head of an array of one dimension: its size, and a byte for the number and the type of its dimensions. Its
# length follows, in one, two or four bytes (NDArray in streaming/base/format/mds/encodings.py).
_HEAD_BYTES = 5


class MdsWriter(FolderWriter):
    """A folder of shard.00000.mds and so on, and index.json.

    An array is `ndarray:uint16`, for larger vocabularies `ndarray:int32`. Context windows of one length have it in the
    encoding, as in `ndarray:uint16:2048`. A document without ids is an array of length 0.
    """

    name = "mds"
    # An array says how long it is.
    pads = False
    names = re.compile(r"shard\.[0-9]+\.mds(\.[a-z0-9]+)?")

    def __init__(self, vocabulary: Vocabulary, columns: tuple[str, ...] = (), layout: Layout | None = None) -> None:
        super().__init__(vocabulary, columns, layout)
        # Best-fit leaves windows shorter.
        self._length = self.layout.context if self.layout.pack == "concat" else 0
        self._config = _config(self.dtype, self._length)
        self.preface = json.dumps(self._config, sort_keys=True).encode()

    def file_name(self, number: int) -> str:
        """Return the name of a file, by number."""
        return f"shard.{number:05}.mds"

    def entry(self, name: str, size: int, rows: int, ids: int) -> dict[str, Any]:
        """Return what the index says of a file."""
        data = {"basename": name, "bytes": size, "hashes": {}}
        return {**self._config, "raw_data": data, "samples": rows, "zip_data": None}

    def index(self) -> dict[str, Any]:
        """Return the index."""
        return {"version": 2, "shards": self.entries}

    @staticmethod
    def is_index(index: Any) -> bool:
        """Return whether a JSON value is an index of this format."""
        return all(shard["format"] == "mds" for shard in index["shards"])

    def row_sizes(self, rows: Rows) -> Counts:
        """Return the bytes of each row."""
        sizes = super().row_sizes(rows)
        return sizes if self._length else sizes + _head_sizes(rows.lengths)

    def row_bytes(self, rows: Rows) -> memoryview:
        """Return the bytes of all rows."""
        if self._length:
            return super().row_bytes(rows)
        ids, lengths = np.ascontiguousarray(rows.ids), np.ascontiguousarray(rows.lengths)
        out = np.empty(ids.nbytes + int(_head_sizes(lengths).sum()), np.uint8)
        load("rows").headed_arrays(ids, lengths, ids.itemsize, out)
        return out.data


def _head_sizes(lengths: Counts) -> Counts:
    """Return the bytes of the heads of arrays of such lengths."""
    # 1, 2 or 4 bytes for the length.
    return _HEAD_BYTES + 1 + (lengths >= 1 << 8) + 2 * (lengths >= 1 << 16)


def _config(dtype: str, length: int) -> dict[str, Any]:
    """Return how the samples of a file are encoded.

    Args:
        dtype: the numpy type of an id.
        length: ids of every sample, 0 if they differ.
    """
    encoding = f"ndarray:{np.dtype(dtype).name}"
    return {
        "column_encodings": [f"{encoding}:{length}" if length else encoding],
        "column_names": ["tokens"],
        "column_sizes": [length * np.dtype(dtype).itemsize if length else None],
        "compression": None,
        "format": "mds",
        # A hash that is asked for but missing empties the reader's epoch in silence; `verify` looks at everything.
        "hashes": [],
        "size_limit": FILE_BYTES,
        "version": 2,
    }

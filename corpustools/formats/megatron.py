"""`megatron`: the indexed data sets of Megatron-LM, NeMo and what is built on them."""

from __future__ import annotations

import json
import os
import struct

import numpy as np

from corpustools.errors import DataError, UsageError
from corpustools.files.outputs import SHARD
from corpustools.formats.bounded import BoundedWriter
from corpustools.formats.row_writer import SHORT
from corpustools.formats.training import require_ids
from corpustools.formats.vocabulary import Vocabulary

_MAGIC = b"MMIDIDX\x00\x00"
_UINT16, _INT32 = 8, 4
# Lengths are int32.
_LONGEST = (1 << 31) - 1
# The index is written so many entries at a time.
_ENTRIES = 1 << 16


class MegatronWriter(BoundedWriter):
    """PREFIX.bin holds the ids: uint16 up to 65,536 of them in the vocabulary, else int32. PREFIX.idx says where.

    PREFIX.sequences.json is for the option --per-dataset-sequences-path of Megatron-LM.

    A document is a sequence of its own. With context windows a window is a document, and each piece in it a sequence.
    """

    name = "megatron"
    data_suffix = ".bin"

    def dtype_for(self, vocabulary: Vocabulary) -> str:
        """Return the numpy type of an id."""
        return "<u2" if vocabulary.size <= SHORT else "<i4"

    def check_target(self, output: str) -> None:
        """Refuse a name under which Megatron keeps the sample index of other data.

        Raises:
            UsageError: there is one.
        """
        self._output = output
        self._counted: dict[str, list[int]] = {}
        cache = os.path.join(output, "cache", "GPTDataset_indices")
        if os.path.isdir(cache):
            raise UsageError(
                f"{cache} is the index of other data, and Megatron would use it for the new",
                "remove it, or give the output another name",
            )

    def close_shard(self) -> None:
        """Write the index.

        Raises:
            DataError: the shard has no ids, or a document is longer than the index can say.
        """
        require_ids(self)
        super().close_shard()
        pieces, rows = self.pieces, self.row_starts
        if int(pieces.max()) > _LONGEST:
            raise DataError(f"{self.path}: a document of {int(pieces.max())} ids; Megatron reads at most {_LONGEST}")
        file = self.files.open(self.path + ".idx", last=True)
        code = _UINT16 if self.dtype == "<u2" else _INT32
        file.write(_MAGIC + struct.pack("<QBQQ", 1, code, len(pieces), len(rows)))
        for at in range(0, len(pieces), _ENTRIES):
            file.write(pieces[at : at + _ENTRIES].astype("<i4").tobytes())
        offset = 0
        for at in range(0, len(pieces), _ENTRIES):
            sizes = pieces[at : at + _ENTRIES] * np.dtype(self.dtype).itemsize
            ends = offset + np.cumsum(sizes)
            file.write((ends - sizes).astype("<i8").tobytes())
            offset = int(ends[-1])
        file.write(rows.astype("<i8").tobytes())
        file.finish()
        self._counted[self.path] = [len(pieces), len(rows)]

    def end(self) -> None:
        """Write what Megatron's fast loading asks for: how many sequences and index entries each data set has."""
        sharded = self._output.replace(SHARD, "sequences") + ".json"
        file = self.files.open(sharded if self.layout.sharded else self._output + ".sequences.json")
        file.write(json.dumps(self._counted).encode() + b"\n")
        file.finish()

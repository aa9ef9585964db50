"""`olmo`: the token files of OLMo-core, with a table of the documents in them."""

from __future__ import annotations

import os
import zlib

import numpy as np

from corpustools.errors import UsageError
from corpustools.files.ordered import OrderedTasks
from corpustools.formats.batch import Counts
from corpustools.formats.bounded import BoundedWriter
from corpustools.formats.decimals import decimal_rows
from corpustools.formats.training import require_ids

# Rows that are compressed together, as a gzip member of their own. So threads compress, and a reader sees one file.
_ROWS = 1 << 15
_GZIP = 16 + zlib.MAX_WBITS


class OlmoWriter(BoundedWriter):
    """PREFIX.npy holds bare ids, without a header in spite of its name; PREFIX.csv.gz a row a document.

    A row is: first id, end, number of the document in the file, and two columns for a source, which stay empty.
    """

    name = "olmo"
    found_by = "eos"
    data_suffix = ".npy"

    def check_target(self, output: str) -> None:
        """Refuse the name of an older file.

        Raises:
            UsageError: there is one. OLMo-core knows its index of a file again by path and size, and two shuffles of
                one corpus have the same size.
        """
        if os.path.exists(output + ".npy"):
            raise UsageError(
                f"{output}.npy exists, and OLMo-core would use its index of the old file for the new",
                "give the output another name, for example with the seed in it",
            )

    def close_shard(self) -> None:
        """Write the table of documents.

        Raises:
            DataError: the shard has no ids.
        """
        require_ids(self)
        super().close_shard()
        file = self.files.open(self.path + ".csv.gz", last=True)
        ends = np.cumsum(self.pieces)
        with OrderedTasks(self.layout.workers, file.write) as tasks:
            for at in range(0, max(1, len(ends)), _ROWS):
                stops = ends[at : at + _ROWS]
                starts = stops - self.pieces[at : at + _ROWS]
                tasks.submit(_member, starts, stops, np.arange(at, at + len(stops)))
        file.finish()


def _member(starts: Counts, stops: Counts, numbers: Counts) -> bytes:
    """Return the rows of documents as a gzip member."""
    # The table is read once; its fastest level takes a fifth of the usual one's time for a tenth more bytes.
    packer = zlib.compressobj(1, wbits=_GZIP)
    return packer.compress(_table(starts, stops, numbers)) + packer.flush()


def _table(starts: Counts, stops: Counts, numbers: Counts) -> memoryview:
    """Return the rows of documents."""
    rows = np.stack([starts, stops, numbers], axis=1)
    return decimal_rows(rows.ravel(), np.arange(3, 3 * len(rows) + 1, 3), b"", b",", b",,\n")[0]

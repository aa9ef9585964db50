"""`olmo`: PREFIX.npy with ids and no header, PREFIX.csv.gz with a row `start,end,id,src,loc` for each document."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np

from corpustools.errors import DataError
from corpustools.files.batches import BatchReader, RecordBatch
from corpustools.files.chunks import RecordFormat
from corpustools.files.inputs import inspect
from corpustools.formats.batch import Counts
from corpustools.formats.readers.bare import narrow
from corpustools.formats.readers.reader import BATCH_IDS, DTYPES, RawFile, TokenBatch, TokenReader, as_ids, cut


class OlmoReader(TokenReader):
    """Ids of two or four bytes, as the rows or else the vocabulary say."""

    form = "olmo"
    bounds_pieces = True

    def __init__(self, path: str, vocabulary: int = 0) -> None:
        super().__init__(path, vocabulary)
        self._data = RawFile(path + ".npy")
        self._rows = path + ".csv.gz"
        self.bounded = os.path.exists(self._rows)
        size = self._data.size
        if self.bounded:
            self.documents, self.tokens = 0, 0
            for ends in self._ends():
                self.documents += len(ends)
                self.tokens = int(ends[-1])
            self.width = size // self.tokens if self.tokens else narrow(vocabulary)
        else:
            self.width = narrow(vocabulary)
            self.tokens = size // self.width
        if self.width not in (2, 4) or (self.tokens or 0) * self.width != size:
            raise DataError(
                f"{self._data.name}: has {size} bytes, and its documents have {self.tokens} ids",
                "one is torn or of another run: write both again",
            )

    def _ends(self) -> Iterator[Counts]:
        """Give where documents end, having checked that each begins where the one before ends."""
        last = row = 0
        for batch in BatchReader(inspect([self._rows]), RecordFormat(), whole=True):
            assert isinstance(batch, RecordBatch)
            ends = []
            for start, stop in zip(batch.starts.tolist(), batch.ends.tolist(), strict=True):
                row += 1
                fields = bytes(batch.data[start:stop]).split(b",", 2)
                if len(fields) < 2 or not fields[0].isdigit() or not fields[1].isdigit():
                    raise DataError(f"{self._rows}: row {row} is not start,end,id,src,loc", "write it again")
                begin, end = int(fields[0]), int(fields[1])
                if begin != last or end < begin or end >= 1 << 62:
                    raise DataError(
                        f"{self._rows}: row {row} goes from id {begin} to {end}, behind {last}", "it is damaged"
                    )
                last = end
                ends.append(end)
            if ends:
                yield np.array(ends, np.int64)

    def batches(self) -> Iterator[TokenBatch]:
        """Give all ids in order."""
        assert self.tokens is not None
        ids = map(as_ids, self._data.arrays(DTYPES[self.width], 0, self.tokens, BATCH_IDS))
        return cut(ids, self._ends() if self.bounded else ())

    def close(self) -> None:
        """Close the file."""
        self._data.close()

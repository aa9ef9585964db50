"""Rows: what trainers read one by one, or cut for themselves: documents, or windows of pieces of documents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from corpustools.formats.batch import Counts

# Ids of the width that a format has: uint16, uint32 or int32.
WideIds = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Rows:
    """Consecutive rows of an output.

    Without windows a row is a document and has one piece, itself. A window's pieces are the documents, or parts of
    documents, that lie in it; where it is padded, the padding is a piece of its own.

    ids: of all rows, one after another.
    lengths: int64, ids of each row.
    pieces: int64, ids of each piece of all rows, one after another.
    counts: int64, pieces of each row.
    """

    ids: WideIds
    lengths: Counts
    pieces: Counts
    counts: Counts

    def cut(self, start: int, stop: int) -> Rows:
        """Return the rows from `start` to before `stop`."""
        if start == 0 and stop == len(self.lengths):
            return self
        ids, pieces = int(self.lengths[:start].sum()), int(self.counts[:start].sum())
        lengths, counts = self.lengths[start:stop], self.counts[start:stop]
        return Rows(
            self.ids[ids : ids + int(lengths.sum())], lengths, self.pieces[pieces : pieces + int(counts.sum())], counts
        )


def documents_as_rows(ids: WideIds, lengths: Counts) -> Rows:
    """Return documents as rows, each its own piece."""
    return Rows(ids, lengths, lengths, np.ones(len(lengths), np.int64))

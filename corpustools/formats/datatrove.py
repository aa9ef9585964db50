"""`datatrove`: the .ds files of datatrove and nanotron, with the ends of documents and a few words about them."""

from __future__ import annotations

import numpy as np

from corpustools.formats.bounded import BoundedWriter


class DatatroveWriter(BoundedWriter):
    """PREFIX.ds holds the ids; .ds.index where documents end, uint64, in ids; .ds.metadata what people read.

    A document without ids is not in the index: its readers take two equal ends for damage.
    """

    name = "datatrove"
    data_suffix = ".ds"

    def close_shard(self) -> None:
        """Write the index and the metadata."""
        super().close_shard()
        pieces = self.pieces
        ends = np.cumsum(pieces[pieces > 0]).astype("<u8")
        metadata = self.files.open(self.path + ".ds.metadata")
        text = f"{self.vocabulary.name}|{np.dtype(self.dtype).itemsize}\n{self.ids}\n{metric(self.ids)}"
        metadata.write(text.encode())
        metadata.finish()
        index = self.files.open(self.path + ".ds.index", last=True)
        index.write(ends.data.cast("B") if len(ends) else b"")
        index.finish()


def metric(count: int) -> str:
    """Return a number of tokens for people: three digits, a prefix of a thousand, and T."""
    power = (len(str(count)) - 1) // 3
    digits = 2 - (len(str(count)) - 1) % 3
    prefix = " " if not power else " " + "kMGTPEZY"[power - 1]
    return f"{count / 1000**power:.{digits}f}{prefix}T"

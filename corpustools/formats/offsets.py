"""`offsets`: bare ids, and where each document begins among them as a NumPy array."""

from __future__ import annotations

import numpy as np

from corpustools.formats.bounded import BoundedWriter
from corpustools.formats.npy import HEADER_BYTES, write_header


class OffsetsWriter(BoundedWriter):
    """PREFIX.bin holds the ids; PREFIX.offsets.npy n + 1 offsets, int64, counted in ids."""

    name = "offsets"
    data_suffix = ".bin"

    def close_shard(self) -> None:
        """Write the offsets."""
        super().close_shard()
        file = self.files.open(self.path + ".offsets.npy", last=True)
        file.write(bytes(HEADER_BYTES + 8))
        file.write(np.cumsum(self.pieces).astype("<i8").data.cast("B") if len(self.pieces) else b"")
        write_header(file, "<i8", (len(self.pieces) + 1,))
        file.finish()

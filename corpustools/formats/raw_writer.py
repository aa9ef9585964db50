"""The ground of formats whose ids stand one behind another in one file."""

from __future__ import annotations

import numpy as np

from corpustools.errors import UsageError
from corpustools.files.fileset import SetFile
from corpustools.formats.row_writer import RowWriter
from corpustools.formats.rows import WideIds


class RawWriter(RowWriter):
    """Ids in one file, whatever else a format has.

    Attributes:
        path: the name of the shard. data: its file of ids. ids: how many ids it has.
    """

    # What the file of ids is called: the name of the shard and this.
    data_suffix = ""
    # A suffix such as .zst compresses it.
    compresses = False

    def open_shard(self, path: str, number: int) -> None:
        """Begin the file of ids."""
        self.path = path
        self.ids = 0
        self.data = self.open_data(path + self.data_suffix, self.compresses)
        if self.needs_file and not isinstance(self.data, SetFile):
            remedy = "its header is written last; name an uncompressed file as the output"
            raise UsageError(f"format {self.name} needs a plain file", remedy)
        self.begin()

    def write_ids(self, ids: WideIds) -> None:
        """Write the next ids."""
        self.data.write(np.ascontiguousarray(ids).data.cast("B") if len(ids) else b"")
        self.ids += len(ids)
        self.bytes += ids.nbytes

    def close_shard(self) -> None:
        """End the file of ids."""
        self.data.finish()

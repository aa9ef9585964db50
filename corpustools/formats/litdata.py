"""`litdata`: the chunks that litdata's TokensLoader reads."""

from __future__ import annotations

import re
from typing import Any

from corpustools.formats.folders import FILE_BYTES, FolderWriter

# Types of ids in the library's table of tensor types (litdata/constants.py).
_CODES = {"<u2": 20, "<i4": 16}


class LitdataWriter(FolderWriter):
    """A folder of chunk-0-0.bin and so on, and index.json.

    The reader cuts each chunk into blocks of its own and leaves out what fills none at the chunk's end. Chunks of
    context windows hold whole windows, so that blocks of the same length lose nothing. A document is an item of its
    chunk, so that its boundaries are there although this reader passes over them.
    """

    name = "litdata"
    names = re.compile(r"chunk-[0-9]+-[0-9]+(\.[a-z0-9]+)?\.bin")

    def file_name(self, number: int) -> str:
        """Return the name of a file, by number."""
        return f"chunk-0-{number}.bin"

    def entry(self, name: str, size: int, rows: int, ids: int) -> dict[str, Any]:
        """Return what the index says of a file."""
        return {"chunk_bytes": size, "chunk_size": rows, "dim": ids, "filename": name}

    def index(self) -> dict[str, Any]:
        """Return the index."""
        config = {
            "chunk_bytes": FILE_BYTES,
            "chunk_size": None,
            "compression": None,
            "data_format": [f"no_header_tensor:{_CODES[self.dtype]}"],
            "data_spec": None,
            "encryption": None,
            "item_loader": "TokensLoader",
        }
        return {"chunks": self.entries, "config": config}

    @staticmethod
    def is_index(index: Any) -> bool:
        """Return whether a JSON value is an index of this format."""
        return isinstance(index["chunks"], list) and "data_format" in index["config"]

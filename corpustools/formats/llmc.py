"""`llmc`: the shards of llm.c and modded-nanogpt: a header of 256 integers, then bare ids."""

from __future__ import annotations

import struct

from corpustools.errors import DataError
from corpustools.files.fileset import SetFile
from corpustools.formats.raw_writer import RawWriter
from corpustools.formats.row_writer import SHORT

_HEADER_BYTES = 1024
# (magic, version) by the width of an id: train_gpt2 and modded-nanogpt read two bytes, train_llama3 four.
_KINDS = {2: (20240520, 1), 4: (20240801, 7)}
# llm.c holds the size of a file in 31 bits, and dies in the middle of a larger one.
_LARGEST_FILE = (1 << 31) - 1


class LlmcWriter(RawWriter):
    """256 little-endian int32 (magic, version, number of ids), then ids of two or four bytes."""

    name = "llmc"
    found_by = "bos"
    needs_file = True

    def begin(self) -> None:
        """Leave room for the header."""
        self.data.write(bytes(_HEADER_BYTES))

    def close_shard(self) -> None:
        """Write the header, now that the number of ids is known.

        Raises:
            DataError: the shard is larger than its readers can read.
        """
        width = 2 if self.vocabulary.size <= SHORT else 4
        most = (_LARGEST_FILE - _HEADER_BYTES) // width
        if self.ids > most:
            raise DataError(
                f"{self.path}: a shard of {self.ids} ids; llm.c reads at most {most}",
                "write shards of 100 million ids each",
            )
        assert isinstance(self.data, SetFile)
        self.data.flush()
        self.data.write_at(0, memoryview(struct.pack("<3i", *_KINDS[width], self.ids)))
        super().close_shard()

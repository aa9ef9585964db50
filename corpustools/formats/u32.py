"""`u32`: bare little-endian ids of four bytes."""

from __future__ import annotations

from corpustools.formats.bare import BareWriter
from corpustools.formats.vocabulary import Vocabulary


class U32Writer(BareWriter):
    """Four bytes an id, for vocabularies of any size."""

    name = "u32"

    def dtype_for(self, vocabulary: Vocabulary) -> str:
        """Return the numpy type of an id."""
        return "<u4"

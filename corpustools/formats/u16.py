"""`u16`: bare little-endian ids of two bytes."""

from __future__ import annotations

from corpustools.formats.bare import BareWriter
from corpustools.formats.vocabulary import Vocabulary


class U16Writer(BareWriter):
    """Two bytes an id; a vocabulary that is too large is refused."""

    name = "u16"

    def dtype_for(self, vocabulary: Vocabulary) -> str:
        """Return the numpy type of an id."""
        return "<u2"

"""How a call of Spelling.run ends, and the place that it keeps between calls."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from enum import IntEnum
from typing import Any

import numpy as np

# The stages of a place: before a document, inside one that is compared, inside one that is not.
BEFORE, INSIDE, PASSING = range(3)
# Text that fits behind an unknown id for so many bytes settles what that id stands for.
SETTLED = 1024
_U64 = (1 << 64) - 1


class Status(IntEnum):
    """Why a call returned; spell.h has the same names and numbers."""

    MORE_TEXT = 0
    MORE_IDS = 1
    WRONG_TEXT = 2
    ENDS_EARLY = 3
    ENDS_LATE = 4
    NO_BOS = 5
    NO_EOS = 6
    NO_SUCH_ID = 7


@dataclass
class Place:
    """A place in a window of ids and a window of text; `where` of spell.h has the same fields.

    id, text: what comes next. begin_id: where the document begins. document, record: how many have ended in the
    windows. stage: BEFORE, INSIDE or PASSING.
    held_id: the id behind the last unknown one, -1 if there is none; held_text: where that one's text ends.
    far_id, far_text: the farthest place at which ids and text agreed. hash, held_hash: of the document's ids so far.
    """

    id: int = 0
    text: int = 0
    document: int = 0
    record: int = 0
    stage: int = BEFORE
    held_id: int = -1
    held_text: int = 0
    far_id: int = 0
    far_text: int = 0
    begin_id: int = 0
    hash: int = 0
    held_hash: int = 0

    @classmethod
    def of(cls, where: Any) -> Place:
        """Return the place that stands in an array of 12 int64."""
        values = np.frombuffer(where, np.int64).tolist()
        return cls(*values[:10], *(value & _U64 for value in values[10:]))

    def store(self, where: Any) -> None:
        """Write the place to an array of 12 int64."""
        np.frombuffer(where, np.uint64)[:] = [value & _U64 for value in astuple(self)]

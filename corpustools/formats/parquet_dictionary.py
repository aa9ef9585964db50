"""The dictionary of a row group of Parquet: each different id once, so that pages hold its place instead."""

from __future__ import annotations

from typing import Any

import numpy as np

from corpustools.formats.batch import Ids
from corpustools.kernels import load

# Places are numbers of 16 bits.
ROOM = 1 << 16

Places = np.ndarray[Any, np.dtype[np.uint16]]


class Dictionary:
    """The ids of a row group, each once, in the order in which they come.

    Args:
        size: how many ids there may be.
    """

    def __init__(self, size: int) -> None:
        self._place_of = np.zeros(size, np.uint16)
        self._ids = np.empty(min(size, ROOM), np.int32)
        self._known = 0

    def begin(self) -> None:
        """Forget all ids."""
        self._known = 0

    def places(self, ids: Ids) -> Places | None:
        """Return the places of ids, to which new ones are added; None where there is no room for all new ones."""
        places = np.empty(len(ids), np.uint16)
        known = load("rows").dictionary_places(ids, self._place_of, self._ids, self._known, places)
        if known < 0:
            return None
        self._known = known
        return places

    @property
    def ids(self) -> Ids:
        """A copy of the ids."""
        return self._ids[: self._known].copy()

"""How many documents are equal to an earlier one, in bounded memory."""

from __future__ import annotations

from typing import Any

import numpy as np

# Hashes that are kept.
MOST = 1 << 20


class DuplicateCount:
    """Counts documents whose ids came before.

    All copies of a document have one hash. Where there are too many hashes, only those below a limit are kept, so that
    a document counts with all its copies or not at all, and the share of copies is that of all documents.

    Attributes:
        exact: whether every document was looked at.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._kept: np.ndarray[Any, Any] = np.zeros(0, np.uint64)
        self._new: list[np.ndarray[Any, Any]] = []
        self._waiting = 0
        # Hashes of which the lowest bits are zero are kept.
        self._bits = 0
        self._copies = 0

    @property
    def exact(self) -> bool:
        """Whether every document was looked at."""
        return self._bits == 0

    def add(self, hashes: np.ndarray[Any, Any]) -> None:
        """Take the hashes of further documents, uint64."""
        chosen = hashes[hashes & np.uint64((1 << self._bits) - 1) == 0] if self._bits else hashes
        self._new.append(chosen.copy())
        self._waiting += len(chosen)
        if self._waiting > self._most // 4:
            self._settle()

    def count(self) -> int:
        """Return how many documents are equal to an earlier one, by estimate where not all were looked at."""
        self._settle()
        return self._copies << self._bits

    def _settle(self) -> None:
        found = np.concatenate([self._kept, *self._new])
        self._new, self._waiting = [], 0
        distinct = np.unique(found)
        self._copies += len(found) - len(distinct)
        while len(distinct) > self._most:
            self._bits += 1
            distinct = distinct[distinct & np.uint64((1 << self._bits) - 1) == 0]
            # Copies are spread as evenly as hashes.
            self._copies = (self._copies + 1) // 2
        self._kept = distinct

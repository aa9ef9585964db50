"""Arrays that a thread fills again and again."""

from __future__ import annotations

from typing import Any

import numpy as np


class Rooms:
    """The arrays of one thread, by name: memory touched for the first time is dear, so that batches share it."""

    def __init__(self) -> None:
        self._arrays: dict[str, np.ndarray[Any, Any]] = {}

    def get(self, name: str, size: int, kind: type[np.generic]) -> np.ndarray[Any, Any]:
        """Return an array of so many elements; what it holds is what the last one of that name was left with."""
        found = self._arrays.get(name)
        if found is None or len(found) < size:
            found = self._arrays[name] = np.empty(size + size // 8, kind)
        return found[:size]

"""Properties of all code points as tables of two stages, and classes of code points that none of some sets divides."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from corpustools.stages.tokenize.text.unicode import Run

Table = tuple[np.ndarray[Any, np.dtype[np.uint16]], np.ndarray[Any, np.dtype[np.uint8]]]

_CODES = sys.maxunicode + 1
# More sets than this are no table of small numbers.
MOST_SETS = 63


def two_stages(firsts: Any, values: Any) -> Table:
    """Return a table of two stages: the value of the code point c is values[256 * blocks[c >> 8] + (c & 255)].

    Args:
        firsts: the first code point of each run of one value, ascending from 0; int64, shape (n,).
        values: the value of each run, uint8, shape (n,).

    Returns:
        The blocks, uint16, shape (4352,), and the values of the blocks that differ, uint8.
    """
    lengths = np.diff(np.append(firsts, _CODES))
    whole = np.repeat(np.asarray(values, np.uint8), lengths).tobytes()
    places: dict[bytes, int] = {}
    blocks = [places.setdefault(whole[at : at + 256], len(places)) for at in range(0, _CODES, 256)]
    return np.array(blocks, np.uint16), np.frombuffer(b"".join(places), np.uint8)


class Partition:
    """The classes that sets of code points make: two code points are in one class if they are in the same sets.

    Args:
        sets: the sets as ascending runs with gaps between them; at most MOST_SETS.

    count: how many classes there are.
    members: of each set, which classes lie in it, bool, shape (count,).
    """

    def __init__(self, sets: Sequence[tuple[Run, ...]]) -> None:
        edges = [np.array([edge for first, last in runs for edge in (first, last + 1)], np.int64) for runs in sets]
        firsts = np.unique(np.concatenate([np.zeros(1, np.int64), *edges]))
        self._firsts = firsts[firsts < _CODES]
        signatures = np.zeros(len(self._firsts), np.uint64)
        for i, own in enumerate(edges):
            inside = np.searchsorted(own, self._firsts, "right") & 1
            signatures |= inside.astype(np.uint64) << np.uint64(i)
        found, self._classes = np.unique(signatures, return_inverse=True)
        self.count = len(found)
        self.members: list[list[bool]] = [
            (found >> np.uint64(i) & np.uint64(1)).astype(bool).tolist() for i in range(len(sets))
        ]

    def table(self, first_value: int) -> Table:
        """Return the class of each code point, with `first_value` added, as a table of two stages."""
        return two_stages(self._firsts, self._classes + first_value)

    def of_ascii(self) -> list[int]:
        """Return the classes of the 128 characters of ASCII."""
        return [int(self._classes[i]) for i in np.searchsorted(self._firsts, np.arange(128), "right") - 1]

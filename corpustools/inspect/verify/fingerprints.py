"""Fingerprints of records, added up: two sides have the same ones, each as often, where the sums are equal.

A fingerprint has 128 bits under a key that is drawn for the run, so nobody can make records that add up to others.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from corpustools.formats.batch import Counts

# Of fingerprints: uint64, shape (n, 2).
Words = np.ndarray[Any, np.dtype[np.uint64]]

# Rows of the table of differences; records that differ are told apart while there are far fewer.
ROWS = 1 << 16


def rows_of(prints: Words) -> Counts:
    """Return the row of the table that each fingerprint is counted in."""
    found: Counts = (prints[:, 0] & np.uint64(ROWS - 1)).astype(np.int64)
    return found


@dataclass
class Sum:
    """Number and fingerprints of records.

    Attributes:
        records: how many there are.
        words: the sums of their fingerprints.
        table: records by the lowest bits of their fingerprints; it wraps, and the difference of two is right all the
            same.
    """

    records: int = 0
    words: list[int] = field(default_factory=lambda: [0, 0])
    table: Any = field(default_factory=lambda: np.zeros(ROWS, np.int64))

    def add(self, prints: Words) -> None:
        """Take the fingerprints of further records."""
        self.records += len(prints)
        for side in range(2):
            # In halves, so that nothing is lost beyond 64 bits.
            low = int((prints[:, side] & np.uint64(0xFFFFFFFF)).sum())
            high = int((prints[:, side] >> np.uint64(32)).sum())
            self.words[side] += low + (high << 32)
        self.table += np.bincount(rows_of(prints), minlength=ROWS)

    def equals(self, other: Sum) -> bool:
        """Say whether the other side has the same records, each as often."""
        return (self.records, self.words) == (other.records, other.words)

    def differing_rows(self, other: Sum, most: int) -> Any:
        """Return which rows of the table differ, bool: the first `most`. They are enough to name a record."""
        chosen = np.zeros(ROWS, bool)
        chosen[np.flatnonzero(self.table != other.table)[:most]] = True
        return chosen

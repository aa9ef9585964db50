"""The order of the output: what each record's number is sorted by, as a function of the seed alone.

key(i) is the first word of Philox4x64-10 at counter (i, 0, 0, 0), keyed by BLAKE2b-128 of the seed's UTF-8 bytes read
as two little-endian words. Records stand in ascending order of (key, second word of the same counter, i).
"""

from __future__ import annotations

from typing import NamedTuple

from corpustools.seeds import seed_words

KEYS = 1 << 64
# Where one record in so many is wanted, it costs less to look only for these.
_FEW_WANTED = 4


class SortKeys(NamedTuple):
    """What gives every record its sort key.

    Attributes:
        word0, word1: the key of the generator, from the seed.
        mask: the bits of a sort key that count. All of them do, except in tests that crowd many records into few keys.
    """

    word0: int
    word1: int
    mask: int = KEYS - 1

    @classmethod
    def of_seed(cls, seed: str) -> SortKeys:
        """Return the sort keys that belong to a seed's text."""
        return cls(*seed_words(seed))


class KeyRange(NamedTuple):
    """The keys from `low` to `low + span`, both included."""

    low: int
    span: int

    @property
    def few(self) -> bool:
        """Whether most records are outside, so that it pays to look only for those inside."""
        return self.span < KEYS // _FEW_WANTED


def part_range(part: tuple[int, int] | None) -> KeyRange:
    """Return the keys of the I-th of N parts (I from 1); the parts follow one another and leave nothing out."""
    number, parts = part or (1, 1)
    low, stop = (number - 1) * KEYS // parts, number * KEYS // parts
    return KeyRange(low, stop - low - 1)

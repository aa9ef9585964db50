"""What byte-pair encoding joins: pairs of pieces, their order, and the letters that a word begins as."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from corpustools.errors import DataError
from corpustools.kernels import load
from corpustools.stages.tokenize.lattice.trie import LONGEST_PIECE, join

Codes = np.ndarray[Any, np.dtype[np.int32]]
Columns = tuple[Codes, Codes, Codes, Codes]
Pairs = dict[tuple[int, int], tuple[int, int]]

# Stands in `Merges.apart` for a letter that the vocabulary cannot write.
UNKNOWN = -1
SPACE_MARK = b"\xe2\x96\x81"  # U+2581


@dataclass(frozen=True)
class Merges:
    """The merges of a model.

    A word begins as its letters. Of all neighbouring pairs that are here, the one with the least (priority, place) is
    joined, again and again until there is none. Codes are indices of `Model.pieces`; codes behind the last piece are
    letters that stand in pieces and are no piece alone.

    left, right: the pairs, codes, int32, shape (n,); no pair stands twice.
    made: what each pair becomes, codes, int32, shape (n,).
    priority: which pair is joined first, int32 of 0 or more, shape (n,).
    letters: the code of each letter by its bytes: a character of UTF-8, or a byte where positions are bytes; besides
        these the characters beyond Unicode that stand for added tokens and for bytes that are no text.
    wholes: words that become a code at once, whatever their letters would become, by their bytes.
    symbols: text that is found before words are cut and is never joined with its neighbours, by its bytes.
    begins: the last bytes of characters behind which a mark ▁ begins a word, as no pair is ever joined across there.
    apart: the codes that are written in the place of a code: UNKNOWN, or codes that are not apart themselves.
    """

    left: Codes
    right: Codes
    made: Codes
    priority: Codes
    letters: Mapping[bytes, int]
    wholes: Mapping[bytes, int] = field(default_factory=dict)
    symbols: Mapping[bytes, int] = field(default_factory=dict)
    apart: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    begins: frozenset[int] = frozenset()

    @cached_property
    def pairs(self) -> Pairs:
        """(priority, made) of every (left, right)."""
        keys = zip(self.left.tolist(), self.right.tolist(), strict=True)
        return dict(zip(keys, zip(self.priority.tolist(), self.made.tolist(), strict=True), strict=True))

    def __reduce__(self) -> tuple[Any, ...]:
        # Without what is computed from them.
        fields = (self.left, self.right, self.made, self.priority, self.letters, self.wholes, self.symbols, self.apart)
        return type(self), (*fields, self.begins)


def of_splits(pieces: list[bytes], codes: Codes, priorities: Codes, *, characters: bool) -> Columns:
    """Return left, right, made and priority of all ways to divide pieces into two pieces.

    Args:
        pieces: different texts: first the pieces that are divided, then others that they can be divided into.
        codes: the code of each, int32.
        priorities: the priority of making each of those that are divided, int32.
        characters: pieces are divided between characters only, else between bytes.

    Raises:
        DataError: a piece is too long.
    """
    text, starts = join(pieces)
    longest = int(np.diff(starts).max(initial=0))
    if longest > LONGEST_PIECE:
        raise DataError(f"the vocabulary has a piece of {longest} bytes", f"{LONGEST_PIECE} are accepted")
    count, room = len(pieces), 4 * len(pieces)
    while True:
        left, right, made = (np.empty(room, np.int32) for _ in range(3))
        found = load("merges").find_splits(
            text, starts, count, slots_for(count), len(priorities), characters, left, right, made
        )
        if found <= room:
            break
        room = found
    made = made[:found]
    return codes[left[:found]], codes[right[:found]], codes[made], priorities[made]


def slots_for(count: int) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """Return the room of a table that finds so many pieces."""
    return np.zeros(1 << (2 * count).bit_length(), np.uint64)


def columns(rows: Sequence[tuple[int, int, int, int]]) -> Columns:
    """Return rows of left, right, made and priority as arrays."""
    table = np.array(rows, np.int32).reshape(-1, 4)
    left, right, made, priority = (np.ascontiguousarray(column) for column in table.T)
    return left, right, made, priority


def bytes_before_words(pieces: Iterable[bytes]) -> frozenset[int]:
    """Return the last bytes of characters behind which a mark ▁ begins a word, where these pieces are made.

    No piece has such a mark behind such a character, so nothing is ever joined across there.
    """
    joined: set[int] = set()
    for piece in pieces:
        # Most have a mark at their beginning or none.
        if piece.find(SPACE_MARK, 1) > 0:
            places = _without_first_marks(piece).split(SPACE_MARK)[:-1]
            joined.update(part[-1] for part in places if part)
    return frozenset(range(256)) - joined


def _without_first_marks(piece: bytes) -> bytes:
    while piece.startswith(SPACE_MARK):
        piece = piece[len(SPACE_MARK) :]
    return piece

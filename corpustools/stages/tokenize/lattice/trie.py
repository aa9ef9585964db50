"""The vocabulary as one flat table: a double array over the bytes of its pieces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from corpustools.errors import DataError
from corpustools.kernels import load
from corpustools.stages.tokenize.lattice.automaton import Automaton, link

Units = np.ndarray[Any, np.dtype[np.uint64]]
Bytes = np.ndarray[Any, np.dtype[np.uint8]]
Offsets = np.ndarray[Any, np.dtype[np.int64]]
Values = np.ndarray[Any, np.dtype[np.int32]]

# A window of the lattice holds a few times the longest piece; nothing sensible comes near.
LONGEST_PIECE = 4096


@dataclass(frozen=True)
class Trie:
    """A double array and what the lattice has to know about the pieces in it.

    units: the table, uint64; kernels/lattice/trie.h has its layout.
    heads: where a walk stands behind a first character by its code point below 65,536 (positions that are
        characters), or behind two first bytes (positions that are bytes); uint64, shape (65536,).
    longest: bytes of the longest piece, at least 4, the longest character.
    longest_units: the same in positions of the lattice.
    arcs_per_start: no position starts more arcs than this.
    character: positions are characters, else bytes.
    joins: bits, by a hash of two code points, of the neighbours that some piece holds (positions that are
        characters): where two characters are none, no arc spans the boundary; uint8, 2^12 bits or more.
    automaton: the same pieces for the faster engine, where positions are bytes and it fits; else None.
    """

    units: Units
    heads: Units
    longest: int
    longest_units: int
    arcs_per_start: int
    character: bool
    joins: Bytes
    automaton: Automaton | None = None


def join(pieces: list[bytes]) -> tuple[bytes, Offsets]:
    """Return the bytes of all pieces in one buffer and their offsets, int64, shape (n + 1,)."""
    offsets = np.zeros(len(pieces) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, pieces), np.int64, len(pieces)), out=offsets[1:])
    return b"".join(pieces), offsets


def build(pieces: list[bytes], ids: list[int], unit: str) -> Trie:
    """Return the trie of pieces[i] for i in ids; unit: what a position is (see Model).

    Raises:
        DataError: a piece is empty, too long, there twice, or (positions that are characters) no UTF-8.
    """
    kernel, character = load("vocabulary"), unit == "character"
    all_text, bounds = join(pieces)
    values = np.array(ids, np.int32)
    text = np.empty(int((bounds[values + 1] - bounds[values]).sum()), np.uint8)
    offsets = np.empty(len(values) + 1, np.int64)
    kernel.arrange_entries(
        all_text, bounds, len(pieces), values, len(values), text, offsets, np.empty(20 * len(values), np.uint8)
    )
    lengths = np.diff(offsets)
    _check(text, offsets, lengths, values, character)
    stack = np.empty(4 * (len(text) + 1), np.int64)
    # Most vocabularies share so many prefixes that half their bytes suffice; the others go round again.
    capacity = (len(text) // 2 + 4096 + 255) // 256 * 256
    while True:
        units, links = np.zeros(capacity, np.uint64), np.zeros(2 * capacity, np.int32)
        used = np.zeros(capacity, np.uint8)
        size = kernel.build_trie(text, offsets, values, len(values), units, capacity, links, used, stack)
        if size >= 0:
            break
        if capacity >= 1 << 27:
            raise DataError("the vocabulary is larger than a trie of 134,217,728 units holds")
        capacity = min(2 * capacity, 1 << 27)
    units = units[:size].copy()
    heads = np.zeros(65536, np.uint64)
    kernel.fill_heads(units, character, heads)
    return Trie(
        units,
        heads,
        longest=max(4, int(lengths.max(initial=1))),
        longest_units=_longest_units(text, offsets, character),
        arcs_per_start=max(1, int(np.count_nonzero(np.bincount(lengths)))),
        character=character,
        joins=_joins(text, offsets) if character else np.zeros(512, np.uint8),
        automaton=None if unit != "byte" else link(units, lengths, len(pieces)),
    )


def check(pieces: list[bytes], arc: np.ndarray[Any, np.dtype[np.bool_]], unit: str) -> None:
    """Refuse pieces that have no trie, in a fraction of the time that it takes; none may stand twice.

    Args:
        pieces: the vocabulary.
        arc: which of them the trie would have.
        unit: what a position is (see Model).

    Raises:
        DataError: a piece is empty, too long, or (positions that are characters) no UTF-8.
    """
    ids = np.flatnonzero(arc).astype(np.int32)
    text, offsets = join([pieces[i] for i in ids.tolist()])
    _check(np.frombuffer(text, np.uint8), offsets, np.diff(offsets), ids, unit == "character")


def _check(text: Bytes, offsets: Offsets, lengths: Offsets, ids: Values, character: bool) -> None:
    longest = int(lengths.max(initial=0))
    if longest > LONGEST_PIECE:
        raise DataError(f"the vocabulary has a piece of {longest} bytes", f"{LONGEST_PIECE} are accepted")
    wrong, at = load("vocabulary").check_entries(text, offsets, len(ids), character)
    if wrong == 1:
        raise DataError(f"piece {ids[at]} of the vocabulary is empty")
    if wrong == 2:
        piece = text[offsets[at] : offsets[at + 1]].tobytes()
        raise DataError(f"the vocabulary has {piece!r} twice, as {ids[at]} and {ids[at + 1]}")
    if wrong == 3:
        raise DataError(f"piece {ids[at]} of the vocabulary is not UTF-8")


def _joins(text: Bytes, offsets: Offsets) -> Bytes:
    """Return the table of neighbours: up to 512 KiB, 1 boundary in 16 or fewer is lost by the hash."""
    kernel, count = load("vocabulary"), len(offsets) - 1
    bits = min(max(12, int(16 * len(text)).bit_length()), 22)
    joins = np.zeros(1 << (bits - 3), np.uint8)
    enough = max(12, int(16 * kernel.join_entries(text, offsets, count, joins)).bit_length())
    if enough < bits:
        joins = np.zeros(1 << (enough - 3), np.uint8)
        kernel.join_entries(text, offsets, count, joins)
    return joins


def _longest_units(text: Bytes, offsets: Offsets, character: bool) -> int:
    if len(offsets) == 1:
        return 1
    if not character:
        return int(np.diff(offsets).max())
    characters = np.zeros(len(text) + 1, np.int32)
    np.cumsum((text & 0xC0) != 0x80, out=characters[1:])
    return int(np.diff(characters[offsets]).max())

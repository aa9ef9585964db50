"""The vocabulary as one flat table: a double array over the bytes of its pieces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from corpustools.errors import DataError
from corpustools.kernels import load
from corpustools.tokenize.automaton import Automaton, link

Units = np.ndarray[Any, np.dtype[np.uint64]]
Bytes = np.ndarray[Any, np.dtype[np.uint8]]
Offsets = np.ndarray[Any, np.dtype[np.int64]]

# A window of the lattice holds a few times the longest piece; nothing sensible comes near.
LONGEST_PIECE = 4096
# Of a pair of neighbouring characters, as in kernels/chunks.h.
_HASH_BEFORE, _HASH_BOTH = np.uint32(0x9E3779B1), np.uint32(0x85EBCA6B)


@dataclass(frozen=True)
class Trie:
    """A double array and what the lattice has to know about the pieces in it.

    units: the table, uint64; kernels/trie.h has its layout.
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


def build(pieces: list[bytes], ids: list[int], character: bool) -> Trie:
    """Return the trie of pieces[i] for i in ids.

    Raises:
        DataError: a piece is empty, too long, there twice, or (positions that are characters) no UTF-8.
    """
    kernel = load("lattice")
    ordered = sorted(ids, key=pieces.__getitem__)
    keys = [pieces[i] for i in ordered]
    text, offsets = join(keys)
    _check(keys, ordered, text, offsets, character)
    lengths = np.diff(offsets)
    values = np.array(ordered, np.int32)
    stack = np.empty(4 * (len(text) + 1), np.int64)
    # Most vocabularies share so many prefixes that half their bytes suffice; the others go round again.
    capacity = (len(text) // 2 + 4096 + 255) // 256 * 256
    while True:
        units, links = np.zeros(capacity, np.uint64), np.zeros(2 * capacity, np.int32)
        used = np.zeros(capacity, np.uint8)
        size = kernel.build_trie(text, offsets, values, len(keys), units, capacity, links, used, stack)
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
        arcs_per_start=max(1, len(np.unique(lengths))),
        character=character,
        joins=_joins(text, offsets) if character else np.zeros(512, np.uint8),
        automaton=None if character else link(units, lengths, len(pieces)),
    )


def _check(keys: list[bytes], ordered: list[int], text: bytes, offsets: Offsets, character: bool) -> None:
    if keys and not keys[0]:
        raise DataError(f"piece {ordered[0]} of the vocabulary is empty")
    longest = max(map(len, keys), default=0)
    if longest > LONGEST_PIECE:
        raise DataError(f"the vocabulary has a piece of {longest} bytes", f"{LONGEST_PIECE} are accepted")
    for k in range(len(keys) - 1):
        if keys[k] == keys[k + 1]:
            raise DataError(f"the vocabulary has {keys[k]!r} twice, as {ordered[k]} and {ordered[k + 1]}")
    if character:
        starts = np.frombuffer(text, np.uint8)[offsets[:-1]]
        try:
            text.decode("utf-8")
            torn = bool(((starts & 0xC0) == 0x80).any())
        except UnicodeDecodeError:
            torn = True
        if torn:
            raise DataError("the vocabulary has a piece that is not UTF-8")


def _joins(text: bytes, offsets: Offsets) -> Bytes:
    """Return the table of neighbours; kernels/chunks.h has its hash. Of true boundaries, 1 in 16 or fewer is lost."""
    data = np.frombuffer(text + bytes(3), np.uint8).astype(np.uint32)
    starts = np.flatnonzero((data[:-3] & 0xC0) != 0x80)
    first, tail = data[starts], [data[starts + i] & 0x3F for i in (1, 2, 3)]
    two = (first & 0x1F) << 6 | tail[0]
    three = (first & 0x0F) << 12 | tail[0] << 6 | tail[1]
    four = (first & 0x07) << 18 | tail[0] << 12 | tail[1] << 6 | tail[2]
    codes = np.select([first < 0x80, first < 0xE0, first < 0xF0], [first, two, three], four)
    inside = ~np.isin(starts[1:], offsets)
    pairs = np.unique(codes[:-1][inside].astype(np.uint64) << 32 | codes[1:][inside])
    bits = min(max(12, int(16 * len(pairs)).bit_length()), 22)
    before, code = (pairs >> 32).astype(np.uint32), pairs.astype(np.uint32)
    with np.errstate(over="ignore"):
        hashes = (before * _HASH_BEFORE ^ code) * _HASH_BOTH >> np.uint32(32 - bits)
    joins = np.zeros(1 << (bits - 3), np.uint8)
    np.bitwise_or.at(joins, hashes >> 3, (1 << (hashes & 7)).astype(np.uint8))
    return joins


def _longest_units(text: bytes, offsets: Offsets, character: bool) -> int:
    if len(offsets) == 1:
        return 1
    starts = (np.frombuffer(text, np.uint8) & 0xC0) != 0x80 if character else np.ones(len(text), np.bool_)
    return int(np.add.reduceat(starts.astype(np.int32), offsets[:-1]).max(initial=1))

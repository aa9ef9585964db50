"""Byte vocabularies as an Aho-Corasick automaton, which tells at each byte the pieces that end there."""

from __future__ import annotations

import contextlib
import mmap
from dataclasses import dataclass
from typing import Any

import numpy as np

from corpustools.kernels import load

Array = np.ndarray[Any, Any]

_NO_CODE = 0xFFFFFF  # of arcs that only fill a line
_ARCS, _LINE = 5, 64
_PAGE = 1 << 21


@dataclass(frozen=True)
class Automaton:
    """The tables of kernels/lattice/automaton.h.

    units: the double array, uint64; fails: where a walk goes on that has no child, by base, uint32.
    arcs: the pieces of two bytes and more that end in a state, longest first, in lines of five, each
        code << 8 | 256 - bytes; uint32, shape (lines, 5).
    singles: the same of the arc over each byte, uint32, shape (256,).
    complete: each byte is a piece.
    """

    units: Array
    fails: Array
    arcs: Array
    singles: Array
    complete: bool

    def lines(self, by_code: Array) -> tuple[Array, Array]:
        """Return the arcs with what is known by code, and that of the single bytes.

        by_code: what an arc has that is none, then each code's; float64.
        """
        lines = aligned(len(self.arcs) * _LINE).view(np.float64).reshape(-1, _LINE // 8)
        lines[:, :_ARCS] = by_code[(self.arcs >> 8) + 1 & _NO_CODE]
        lines.view(np.uint32)[:, 2 * _ARCS : 3 * _ARCS] = self.arcs
        return lines, by_code[(self.singles >> 8) + 1]


def aligned(size: int) -> Array:
    """Return so many zero bytes, aligned, in large pages where there are any: a walk hops about in them."""
    room = mmap.mmap(-1, size + _PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):
            room.madvise(mmap.MADV_HUGEPAGE)
    whole = np.frombuffer(room, np.uint8)
    start = -whole.ctypes.data % _PAGE
    return whole[start : start + size]


def link(units: Array, lengths: Array, unknown: int) -> Automaton | None:
    """Return the automaton of a trie over pieces of these lengths, or None where it is too large for the layout.

    unknown: the code of a byte that is no piece.
    """
    if unknown >= _NO_CODE:
        return None
    size = len(units)
    # A piece of n bytes has at most n - 2 others of two bytes and more behind it.
    lines = int((lengths // _ARCS + 1).sum()) + 1
    linked, fails = np.empty(size + 256, np.uint64), np.empty(size + 256, np.uint32)
    arcs, singles = np.empty((lines, _ARCS), np.uint32), np.empty(256, np.uint32)
    scratch = np.empty(4 * (size + 256), np.uint32)
    used = load("vocabulary").build_automaton(units, size, unknown, linked, fails, arcs, lines, singles, scratch)
    if used < 0:
        return None
    # Steps go from unit to unit and to where their fails are: both in large pages.
    room = aligned(12 * (size + 256))
    room[: linked.nbytes] = linked.view(np.uint8)
    room[linked.nbytes :] = fails.view(np.uint8)
    return Automaton(
        room[: linked.nbytes].view(np.uint64),
        room[linked.nbytes :].view(np.uint32),
        arcs[:used].copy(),
        singles,
        bool((singles >> 8 != unknown).all()),
    )

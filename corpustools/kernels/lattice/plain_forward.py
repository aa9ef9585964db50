"""One forward pass over one lattice, and the way back: walk.h, path.h, segments.h and moments.h in plain Python.

Numbers that may leave a double's range are pairs: a mantissa in [0.5, 1) and an exponent of two. Every sum and
product is rounded as the kernel rounds it, so ids and measures are the same, bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from corpustools.kernels.lattice.modes import ARRIVAL, SAMPLE, SAMPLE_WIDE, VITERBI, VITERBI_F32
from corpustools.kernels.order.plain import block as philox

_NARROW = 2.0**-10
_MASK = (1 << 64) - 1
_LN2 = float.fromhex("0x1.62e42fefa39efp-1")
_F32_RESET = 100000.0  # kScoreResetThreshold of SentencePiece 0.2.3

Pair = tuple[float, int]
Arc = tuple[int, int]  # bytes, code


class Vocabulary(Protocol):
    """What a pass asks of plain.Lattice."""

    scores: list[float]
    weights: Any
    exponents: Any
    carry: bool

    def weight(self, code: int, mode: int) -> Pair:
        """Return an arc's weight."""

    def starting(self, text: bytes, at: int) -> tuple[int, list[Arc]]:
        """Return the bytes to the next position, and the arcs that start at one, shortest first."""


def record_draw_state(record: int, sample: int, seed: Any) -> tuple[int, int]:
    """Return the two words that a record's draws are made from: Philox4x64-10 of (record, sample, 0, 0)."""
    words = philox(np.array([record], np.uint64), int(seed[0]), int(seed[1]), sample)
    return int(words[0, 0]), int(words[0, 1])


def draw_bits(key0: int, key1: int, position: int, lane: int) -> int:
    """Return the 64 bits drawn at a position: SplitMix64 from the record's own start, under a second word."""
    x = (key0 + position * 0x9E3779B97F4A7C15 + lane * 0xD1342543DE82EF95) & _MASK
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    x = (x ^ x >> 27) * 0x94D049BB133111EB & _MASK
    return (x ^ x >> 31) ^ key1


def draw(key0: int, key1: int, position: int, lane: int = 0) -> float:
    """Return the draw as a number in [0, 1)."""
    return (draw_bits(key0, key1, position, lane) >> 11) * 2.0**-53


def add(a: Pair, b: Pair) -> Pair:
    """Return a + b, rounded once."""
    if a[0] == 0.0 or b[0] == 0.0:
        return a if b[0] == 0.0 else b
    if a[1] < b[1]:
        a, b = b, a
    shift = b[1] - a[1]
    mantissa, exponent = math.frexp(a[0] + (math.ldexp(b[0], shift) if shift >= -1100 else 0.0))
    return mantissa, exponent + a[1]


def times(a: Pair, b: Pair) -> Pair:
    """Return a · b, rounded once."""
    mantissa, exponent = math.frexp(a[0] * b[0])
    return mantissa, exponent + a[1] + b[1]


def less(a: Pair, b: Pair) -> bool:
    """Say whether a < b; both are normalised or zero."""
    if a[0] == 0.0 or b[0] == 0.0:
        return a[0] < b[0]
    return (a[1], a[0]) < (b[1], b[0])


class Forward:
    """One pass over one lattice or span, which goes from cut to cut; `one_draw`: one number draws the whole path."""

    def __init__(
        self,
        lattice: Vocabulary,
        text: bytes,
        mode: int,
        draw_state: tuple[int, int],
        origin: int,
        one_draw: bool = False,
        carried: float = 0.0,
    ) -> None:
        self.lattice, self.text, self.mode, self.draw_state, self.origin = lattice, text, mode, draw_state, origin
        self.sampling = mode in (SAMPLE, SAMPLE_WIDE)
        self.one_draw = one_draw and self.sampling
        # The sum of scores where it does not start again at a cut.
        self.carried = carried
        # By position: the arcs into it as (weight of those before it, bytes, code), and what the cell holds.
        self.into: dict[int, list[tuple[Pair, int, int]]] = {}
        self.cells: dict[int, Any] = {}
        self.whole: dict[int, Pair] = {}
        self.codes: list[int] = []
        self.segments: list[Pair] = []

    def run(self) -> tuple[list[int], list[Pair]]:
        """Return the path's codes and the weights of its segments."""
        start = here = reach = 0
        while True:
            if here == reach:
                if here > start:
                    if not self.one_draw:
                        self.codes += self._back(start, here)
                        self.into.clear()
                    self.carried = self.cells[here]
                    if self.sampling:
                        self.segments.append(self.cells[here])
                    del self.cells[start]
                    self.whole.update(self.cells)
                start = here
                self.cells = {here: (0.5, 1) if self.mode >= SAMPLE else 0.0}
                if self.mode == VITERBI_F32 or (self.mode == VITERBI and self.lattice.carry):
                    self.cells[here] = self.carried
            if here == len(self.text):
                if self.one_draw:
                    self.codes = self._back_by_one_draw(here)
                return self.codes, self.segments
            if self.mode == VITERBI_F32 and abs(self.cells[here]) > _F32_RESET:
                offset = self.cells[here]
                for at in self.cells:
                    if at >= here:
                        self.cells[at] = float(np.float32(self.cells[at] - offset))
            step, arcs = self.lattice.starting(self.text, here)
            for length, code in arcs:
                reach = max(reach, here + length)
                self._add(here, length, code)
            here += step

    def _add(self, here: int, length: int, code: int) -> None:
        to = here + length
        arcs = self.into.setdefault(to, [])
        if self.mode in (VITERBI, VITERBI_F32):
            score = self.cells[here] + self.lattice.scores[code]
            if self.mode == VITERBI_F32:
                score = float(np.float32(score))
            if not arcs or score > self.cells[to]:
                self.cells[to] = score
                arcs[:] = [((0.0, 0), length, code)]
            return
        weight = times(self.cells[here], self.lattice.weight(code, self.mode))
        before = self.cells.get(to, (0.0, 0))
        if self.mode == ARRIVAL:
            if arcs:
                both = add(before, weight)
                u = draw(*self.draw_state, self.origin + to, length)
                if not less(times((u, 0), both), weight):
                    return
            self.cells[to] = weight
            arcs[:] = [((0.0, 0), length, code)]
            return
        arcs.append((before, length, code))
        self.cells[to] = add(before, weight)

    def _back(self, start: int, end: int) -> list[int]:
        codes = []
        while end > start:
            arcs = self.into[end]
            pick = 0
            if len(arcs) > 1:
                point = times((draw(*self.draw_state, self.origin + end), 0), self.cells[end])
                pick = max(i for i, arc in enumerate(arcs) if not less(point, arc[0]))
            codes.append(arcs[pick][2])
            end -= arcs[pick][1]
        return codes[::-1]

    def _back_by_one_draw(self, end: int) -> list[int]:
        """Follow the path that one draw selects: every arc takes its share of the interval that is left."""
        codes = []
        point, low, high = draw(*self.draw_state, self.origin + end), 0.0, 1.0
        while end > 0:
            if high - low < _NARROW:
                point, low, high = draw(*self.draw_state, self.origin + end), 0.0, 1.0
            arcs = self.into[end]
            mantissa, exponent = self.whole[end]
            shares = [math.ldexp(m * (1.0 / mantissa), max(-2000, e - exponent)) for (m, e), _, _ in arcs[1:]]
            bounds = [low, *(min(low + share * (high - low), high) for share in shares), high]
            pick = max(i for i in range(len(arcs)) if i == 0 or not point < bounds[i])
            if len(arcs) > 1:
                low, high = bounds[pick], bounds[pick + 1]
            codes.append(arcs[pick][2])
            end -= arcs[pick][1]
        return codes[::-1]


def moments(lattice: Vocabulary, text: bytes, log_weights: Any) -> Iterator[tuple[float, float, float]]:
    """Give log Z and the means of log weight and of tokens, segment by segment."""
    sums: dict[int, list[float]] = {}
    here = reach = 0
    while True:
        m, surprise, tokens, exponent = sums.pop(here, [0.5, 0.0, 0.0, 1])
        if here:
            surprise, tokens = surprise / m, tokens / m
            m, more = math.frexp(m)
            exponent += more
        if here == reach:
            if here:
                yield math.log(m) + _LN2 * exponent, surprise, tokens
            m, surprise, tokens, exponent = 0.5, 0.0, 0.0, 1
        if here == len(text):
            return
        step, arcs = lattice.starting(text, here)
        for size, code in arcs:
            reach = max(reach, here + size)
            product = m * float(lattice.weights[code])
            scale = exponent + int(lattice.exponents[code])
            cell = sums.setdefault(here + size, [0.0, 0.0, 0.0, scale])
            if scale > cell[3]:
                cell[:3] = [math.ldexp(x, max(-2000, int(cell[3] - scale))) for x in cell[:3]]
                cell[3] = scale
            else:
                product = math.ldexp(product, max(-2000, int(scale - cell[3])))
            cell[0] += product
            cell[1] += product * (surprise + float(log_weights[code]))
            cell[2] += product * (tokens + 1.0)
        here += step

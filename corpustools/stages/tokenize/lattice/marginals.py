"""The probability of every arc of one text's lattice, its entropy, and how many paths it has."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from corpustools.stages.tokenize.lattice.paths import Lattice
from corpustools.stages.tokenize.lattice.weights import Weights, exponential

# Counts below this are given exactly.
COUNTED = 10**18

_LN2 = math.log(2)
# A positive number as mantissa in [0.5, 1) and exponent of two: products over a text leave every float's range.
Scaled = tuple[float, int]


class Marginals:
    """The distribution as a walk from the text's end: at each position a share for every arc that ends there.

    The weights of all paths to a position are summed forwards, as mantissa and exponent. An arc's share of that
    sum is the probability that a path through the position takes it; P of a path is the product of its shares, and the
    probability of passing a position flows backwards through them. Nothing is subtracted anywhere, so relative errors
    are a few roundings a token.

    Attributes:
        log_z: log Z. entropy: in nats. length: the expected number of arcs.
        arcs: (start, end, code, P) of every arc.
    """

    def __init__(self, weights: Weights, lattice: Lattice) -> None:
        self.lattice = lattice
        codes = sorted({code for arcs in lattice.into.values() for _, code in arcs})
        mantissas, exponents = exponential(weights.log_weights[np.array(codes, np.int64)])
        self._weights: dict[int, Scaled] = dict(
            zip(codes, zip(mantissas.tolist(), exponents.tolist(), strict=True), strict=True)
        )
        self._cells: dict[int, Scaled] = {0: (0.5, 1)}
        for end in lattice.ends:
            self._cells[end] = self._sum(end)
        mantissa, exponent = self._cells[len(lattice.text)]
        self.log_z = math.log(mantissa) + exponent * _LN2
        self.entropy = self.length = 0.0
        self.arcs: list[tuple[int, int, int, float]] = list(self._backward())
        self._sizes = {code: end - start for start, end, code, _ in self.arcs}

    def logprob(self, codes: Sequence[int]) -> float:
        """Return log P of a path."""
        logs, at = [], 0
        for code in codes:
            mantissa, exponent = self._share(at, at + self._sizes[code], code)
            at += self._sizes[code]
            logs.append(math.log(mantissa) + exponent * _LN2)
        return min(math.fsum(logs), 0.0)

    def _sum(self, end: int) -> Scaled:
        cells, weights = self._cells, self._weights
        terms = [
            (cells[start][0] * weights[code][0], cells[start][1] + weights[code][1])
            for start, code in self.lattice.into[end]
        ]
        top = max(exponent for _, exponent in terms)
        mantissa, shift = math.frexp(math.fsum(math.ldexp(mantissa, exponent - top) for mantissa, exponent in terms))
        return mantissa, top + shift

    def _share(self, start: int, end: int, code: int) -> Scaled:
        before, weight, all_ = self._cells[start], self._weights[code], self._cells[end]
        return before[0] * weight[0] / all_[0], before[1] + weight[1] - all_[1]

    def _backward(self) -> Iterator[tuple[int, int, int, float]]:
        passing = {len(self.lattice.text): 1.0}
        for end in reversed(self.lattice.ends):
            here = passing.pop(end, 0.0)
            for start, code in self.lattice.into[end]:
                share = math.ldexp(*self._share(start, end, code))
                p = here * share
                passing[start] = passing.get(start, 0.0) + p
                self.length += p
                self.entropy -= p * math.log(share) if p else 0.0
                yield start, end, code, min(p, 1.0)
        self.entropy = max(self.entropy, 0.0)


def count_paths(lattice: Lattice) -> int | None:
    """Return the number of paths where it is below COUNTED; sums stop there, so that they stay small."""
    counts = {0: 1}
    for end in lattice.ends:
        counts[end] = min(COUNTED, sum(counts[start] for start, _ in lattice.into[end]))
    found = counts[len(lattice.text)]
    return found if found < COUNTED else None

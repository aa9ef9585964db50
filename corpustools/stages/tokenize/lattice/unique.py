"""Samples without replacement: distinct segmentations, each drawn from the distribution of what is left."""

from __future__ import annotations

import heapq
import math

from corpustools.seeds import draw_bits
from corpustools.stages.tokenize.lattice.paths import Lattice
from corpustools.stages.tokenize.lattice.weights import Weights

# A path as a chain of codes, the first first.
Chain = tuple["Chain", int] | None


def unique(weights: Weights, lattice: Lattice, k: int, key0: int, key1: int) -> list[list[int]]:
    """Return up to k distinct paths, in the order of drawing; fewer only where there are fewer.

    Gumbel-top-k, top-down from the text's end (Kool, van Hoof, Welling 2019): the set of all paths is split
    along its last tokens, and the largest of its perturbed log-probabilities handed down, so that only what
    is drawn is ever looked at and nothing is drawn twice.
    """
    log_z = forward(weights, lattice)
    # (-perturbed, serial, log-probability of the suffix, position, chain of codes)
    serial = 0
    heap: list[tuple[float, int, float, int, Chain]] = [(0.0, 0, 0.0, len(lattice.text), None)]
    found: list[list[int]] = []
    while heap and len(found) < k:
        negative, _, log_p, at, chain = heapq.heappop(heap)
        if at == 0:
            found.append(_codes(chain))
            continue
        shares = [
            (start, code, log_p + weights.log_weights[code] + log_z[start] - log_z[at])
            for start, code in lattice.into[at]
            if start in log_z
        ]
        perturbed = []
        for _start, _code, share in shares:
            serial += 1
            perturbed.append(share + _gumbel(draw_bits(key0, key1, at, serial)))
        largest = max(perturbed)
        for (start, code, share), value in zip(shares, perturbed, strict=True):
            serial += 1
            heapq.heappush(heap, (-_below(value, largest, -negative), serial, share, start, (chain, code)))
    return found


def forward(weights: Weights, lattice: Lattice) -> dict[int, float]:
    """Return the logarithm of the weight of all paths to each position."""
    log_z = {0: 0.0}
    for end in lattice.ends:
        terms = [float(weights.log_weights[code]) + log_z[start] for start, code in lattice.into[end] if start in log_z]
        if terms:
            largest = max(terms)
            log_z[end] = largest + math.log(math.fsum(math.exp(term - largest) for term in terms))
    return log_z


def _gumbel(bits: int) -> float:
    return -math.log(-math.log(((bits >> 11) + 0.5) * 2.0**-53))


def _below(value: float, largest: float, bound: float) -> float:
    """Return `value` moved so that the largest of its siblings stands at `bound` (Kool et al., appendix B.3)."""
    if value >= largest:
        return bound
    v = bound - value + math.log1p(-math.exp(value - largest))
    return bound - max(0.0, v) - math.log1p(math.exp(-abs(v)))


def _codes(chain: Chain) -> list[int]:
    codes = []
    while chain is not None:
        chain, code = chain
        codes.append(code)
    return codes

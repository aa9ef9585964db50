"""The n best segmentations, exactly, of a text of any length."""

from __future__ import annotations

import heapq
from bisect import bisect_right

from corpustools.stages.tokenize.lattice.paths import Lattice
from corpustools.stages.tokenize.lattice.weights import Weights

# A path as a chain of codes, the last first, and its score.
Chain = tuple["Chain", int] | None
Scored = tuple[float, Chain]


def nbest(weights: Weights, lattice: Lattice, n: int) -> list[tuple[float, list[int]]]:
    """Return up to n pairs of score and path, the best first; equal scores in the order of the modes' ties.

    The n best of every segment between cuts, then the n best sums over segments: time grows with the length
    times n, and no agenda has to be cut short.
    """
    bounds = zip(lattice.cuts, lattice.cuts[1:], strict=False)
    segments = [_segment(weights, lattice, low, high, n) for low, high in bounds]
    choices = _smallest_losses([[segment[0][0] - score for score, _ in segment] for segment in segments], n)
    results = []
    for ranks in choices:
        codes: list[int] = []
        score = 0.0
        for segment, rank in zip(segments, ranks, strict=True):
            part, path = segment[rank]
            score += part
            codes.extend(path)
        results.append((score, codes))
    return results


def _segment(weights: Weights, lattice: Lattice, low: int, high: int, n: int) -> list[tuple[float, list[int]]]:
    """Return the n best paths between two neighbouring cuts."""
    scores = weights.scores
    best: dict[int, list[Scored]] = {low: [(0.0, None)]}
    for end in lattice.ends[bisect_right(lattice.ends, low) : bisect_right(lattice.ends, high)]:
        found: list[Scored] = []
        for start, code in lattice.into[end]:
            step = float(scores[code])
            found.extend((score + step, (chain, code)) for score, chain in best.get(start, ()))
        # A stable sort keeps the longest last token first among equals.
        found.sort(key=lambda scored: -scored[0])
        best[end] = found[:n]
    return [(score, _codes(chain)) for score, chain in best[high]]


def _codes(chain: Chain) -> list[int]:
    codes: list[int] = []
    while chain is not None:
        chain, code = chain
        codes.append(code)
    return codes[::-1]


def _smallest_losses(losses: list[list[float]], n: int) -> list[list[int]]:
    """Return the ranks, one a list, of the n smallest sums; every list ascends from 0.

    Lists in the order of their first step up; a state raises the rank of the last list it changed, changes
    the next list as well, or moves the last change on to the next list (where that list was raised once):
    every combination is reached once, and none before a smaller one.
    """
    order = sorted((i for i in range(len(losses)) if len(losses[i]) > 1), key=lambda i: losses[i][1])
    plain = [0] * len(losses)
    results = [plain]
    if not order:
        return results
    # (sum, serial for ties, index in order of the last change, its rank, changes before it)
    serial = 0
    heap: list[tuple[float, int, int, int, tuple[tuple[int, int], ...]]] = [(losses[order[0]][1], serial, 0, 1, ())]
    while heap and len(results) < n:
        total, _, at, rank, before = heapq.heappop(heap)
        ranks = plain.copy()
        for i, changed in (*before, (at, rank)):
            ranks[order[i]] = changed
        results.append(ranks)
        here = losses[order[at]]
        following = []
        if rank + 1 < len(here):
            following.append((total - here[rank] + here[rank + 1], at, rank + 1, before))
        if at + 1 < len(order):
            first = losses[order[at + 1]][1]
            following.append((total + first, at + 1, 1, (*before, (at, rank))))
            if rank == 1:
                following.append((total - here[1] + first, at + 1, 1, before))
        for value, i, changed, earlier in following:
            serial += 1
            heapq.heappush(heap, (value, serial, i, changed, earlier))
    return results

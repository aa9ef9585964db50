"""The lattice on a page: all paths summed in one pass forward, one path drawn on the way back.

A vocabulary is a dict from pieces to weights, say {"a": 1/2, "b": 1/4, "ab": 1/8}. A segmentation of a text is a path:
pieces that join to the text. Its weight is the product of its pieces' weights, and it is drawn with the probability

    weight of the path / weight of all paths.

There are exponentially many paths, but sums of them are easy. Let cells[e] be the weight of all paths of text[:e].
Each of them ends with some piece text[s:e], and what stands before it is any path of text[:s]. So

    cells[0] = 1,    cells[e] = sum of cells[s] * weight(text[s:e]) over all s.

A path is drawn from its end: its last piece is text[s:e] with probability cells[s] * weight(text[s:e]) / cells[e], and
so on from s. The cells cancel along the way, and the product of these probabilities is the path's weight
divided by cells[n].

With weights that are Fractions every number here is exact. The best path is the same pass with a maximum for the sum.
"""

from bisect import bisect_right
from itertools import accumulate


def arcs_into(vocabulary, text, end):
    """Return (start, weight) of every piece that ends at `end`, by start."""
    pieces = ((start, text[start:end]) for start in range(end))
    return [(start, vocabulary[piece]) for start, piece in pieces if piece in vocabulary]


def forward(vocabulary, text, add=sum):
    """Return, for each position, the weight of all paths up to it; with add=max, that of the best one."""
    cells = [1]
    for end in range(1, len(text) + 1):
        cells.append(add([cells[start] * weight for start, weight in arcs_into(vocabulary, text, end)] or [0]))
    return cells


def best_path(vocabulary, text):
    """Return the path of the largest weight, and that weight; of equal ones, that with the longest last piece."""
    cells, path, end = forward(vocabulary, text, max), [], len(text)
    while end:
        arcs = arcs_into(vocabulary, text, end)
        start = next(start for start, weight in arcs if cells[start] * weight == cells[end])
        path.append(text[start:end])
        end = start
    return path[::-1], cells[-1]


def sample(vocabulary, text, random):
    """Return a path, drawn with probability weight / cells[-1]; random() gives numbers in [0, 1)."""
    cells, path, end = forward(vocabulary, text), [], len(text)
    while end:
        arcs = arcs_into(vocabulary, text, end)
        sums = list(accumulate(cells[start] * weight for start, weight in arcs))
        start = arcs[bisect_right(sums, random() * sums[-1])][0]
        path.append(text[start:end])
        end = start
    return path[::-1]


def probability(vocabulary, text, path):
    """Return the probability that `sample` draws this path."""
    weight = 1
    for piece in path:
        weight *= vocabulary[piece]
    return weight / forward(vocabulary, text)[-1]

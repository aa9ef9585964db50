"""Small models for the lattice's tests, and their laws by brute force."""

from fractions import Fraction
from functools import lru_cache

import numpy as np

from corpustools.stages.tokenize.models.model import Model
from corpustools.stages.tokenize.text.normalize import Normalizer
from corpustools.stages.tokenize.tokenizer import Tokenizer


def make_model(scores, unit="character", unknown=True, byte_ids=False, fuse=True, cuts="none", **changes):
    """Return a model: id 0 is unknown, then with `byte_ids` 256 byte pieces, then the keys of `scores`."""
    pieces = [b"<unk>"] + [bytes([b]) for b in range(256)] * byte_ids + list(scores)
    values = [0.0] * (len(pieces) - len(scores)) + list(scores.values())
    arc = [False] * (len(pieces) - len(scores)) + [True] * len(scores)
    fields = {
        "kind": "vocabulary",
        "pieces": pieces,
        "scores": np.array(values, np.float64),
        "arc": np.array(arc),
        "weighted": True,
        "unit": unit,
        "unknown_id": 0 if unknown else None,
        "unknown_score": min(scores.values(), default=0.0) - 10.0,
        "fuse_unknown": fuse,
        "byte_ids": np.arange(1, 257, dtype=np.int32) if byte_ids else None,
        "user_defined": np.zeros(len(pieces), np.bool_),
        "control": {"unk": 0},
        "normalizer": Normalizer(),
        "cuts": cuts,
        "unknown_surface": b"?",
    }
    return Model(**(fields | changes))


def make_tokenizer(scores, **options):
    return Tokenizer(make_model(scores, **options))


def characters(text):
    """Return the lengths of the characters of UTF-8 text."""
    return [len(c.encode()) for c in text.decode()]


def segmentations(scores, text, unit="character", unknown_score=None):
    """Return every segmentation as a tuple of pieces with its score, by recursion over the definition."""
    steps = characters(text) if unit == "character" else [1] * len(text)
    bounds = np.cumsum([0, *steps]).tolist()
    worst = min(scores.values(), default=0.0) - 10.0 if unknown_score is None else unknown_score

    @lru_cache(None)
    def rest(i):
        if i == len(bounds) - 1:
            return [((), 0.0)]
        found = []
        at = bounds[i]
        for j in range(len(bounds) - 1, i, -1):
            piece = text[at : bounds[j]]
            if piece in scores:
                score = scores[piece]
            elif j == i + 1:
                score = worst
            else:
                continue
            found += [((piece, *tail), score + more) for tail, more in rest(j)]
        return found

    return rest(0)


def law(paths, weight):
    """Return exact probabilities of (path, score) pairs, where weight(path) is a Fraction."""
    weights = {path: weight(path) for path, _ in paths}
    total = sum(weights.values(), Fraction(0))
    return {path: w / total for path, w in weights.items()}, total


def pieces_of(model, ids):
    return tuple(model.pieces[i] for i in ids)


def chi_square_limit(degrees):
    """Return a bound that a true law passes but once in ten million (Wilson and Hilferty 1931)."""
    z = 5.2
    return degrees * (1 - 2 / (9 * degrees) + z * (2 / (9 * degrees)) ** 0.5) ** 3


def chi_square(counts, probabilities):
    """Return (statistic, degrees), with outcomes expected less than five times put together."""
    total = sum(counts.values())
    assert set(counts) <= set(probabilities), "an outcome that is impossible"
    rare_count = rare_share = statistic = 0.0
    cells = 0
    for outcome, share in probabilities.items():
        if share * total < 5:
            rare_count += counts.get(outcome, 0)
            rare_share += share
            continue
        statistic += (counts.get(outcome, 0) - share * total) ** 2 / (share * total)
        cells += 1
    if rare_share * total >= 5:
        statistic += (rare_count - rare_share * total) ** 2 / (rare_share * total)
        cells += 1
    return statistic, cells - 1

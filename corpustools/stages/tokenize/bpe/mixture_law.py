"""What is known of the mixture, word by word: the probability of what was drawn, entropy, expected tokens."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from corpustools.stages.tokenize.lattice.segmenter import Measures
from corpustools.stages.tokenize.lattice.trie import Offsets
from corpustools.stages.tokenize.models.model import Floats, Mask


@dataclass(frozen=True)
class Growth:
    """How many tokens more than canonical ones are expected of some text.

    expected: the expected number of tokens more. canonical: the canonical tokens of the same text.
    """

    expected: float = 0.0
    canonical: int = 0

    def __add__(self, other: Growth) -> Growth:
        """Return both together."""
        return Growth(self.expected + other.expected, self.canonical + other.canonical)

    @property
    def share(self) -> float | None:
        """The expected number of tokens more for each canonical one; None where there is no token."""
        return self.expected / self.canonical if self.canonical else None


@dataclass(frozen=True)
class WordLaws:
    """The words of a batch that may be drawn, and the distribution that each is drawn from.

    chance: the probability that a word is drawn.
    measures: log Z, entropy and expected tokens of each word where it is drawn, float64, shape (n, 3).
    weights: the logarithm of the weight of its canonical segmentation, float64, shape (n,).
    lengths: the canonical tokens, int64, shape (n,).
    places: which word of the batch it is, int64, ascending, shape (n,).
    record_ends: how many of these words there are up to the end of each record, int64.
    fixed: how many tokens the other words of each record have, float64.
    """

    chance: float
    measures: Measures
    weights: Floats
    lengths: Offsets
    places: Offsets
    record_ends: Offsets
    fixed: Floats

    def growth(self, tokens: int) -> Growth:
        """Return how many tokens more are expected than these canonical ones of all words."""
        return Growth(self.chance * float((self.measures[:, 2] - self.lengths).sum()), tokens)

    def columns(
        self, names: Collection[str], samples: int, places: Offsets, last: Offsets, weights: Floats, same: Mask
    ) -> dict[str, Floats]:
        """Return measures of segmentations, float64, shape (records * samples,), by name.

        Args:
            names: of 'logprob', 'entropy' and 'length'.
            samples: how many segmentations of each record.
            places: which words were drawn, int64, segmentation after segmentation.
            last: how many of them there are up to the end of each segmentation, int64.
            weights: the logarithm of the weight of what was drawn, float64.
            same: whether that is the canonical segmentation.
        """
        known = {}
        if "logprob" in names:
            known["logprob"] = self._logprob(samples, places, last, weights, same)
        if "entropy" in names:
            known["entropy"] = np.repeat(sums(self._entropies(), self.record_ends), samples)
        if "length" in names:
            means = (1 - self.chance) * self.lengths + self.chance * self.measures[:, 2]
            known["length"] = np.repeat(sums(means, self.record_ends) + self.fixed, samples)
        return known

    def _canonical(self) -> Floats:
        """Return log P of the canonical segmentation of each word."""
        with np.errstate(divide="ignore"):
            among_drawn = np.log(self.chance) + self.weights - self.measures[:, 0]
            canonical: Floats = np.minimum(np.logaddexp(np.log1p(-self.chance), among_drawn), 0.0)
        return canonical

    def _logprob(self, samples: int, places: Offsets, last: Offsets, weights: Floats, same: Mask) -> Floats:
        """Return log P of each segmentation: that of canonical words, put right where others were drawn."""
        canonical = self._canonical()
        other = ~same
        word = np.searchsorted(self.places, places[other])
        changes = np.zeros(len(places))
        if len(word):
            changes[other] = np.log(self.chance) + weights[other] - self.measures[word, 0] - canonical[word]
        return np.repeat(sums(canonical, self.record_ends), samples) + sums(changes, last)

    def _entropies(self) -> Floats:
        """Return the entropy of each word under the mixture.

        With c the probability of the canonical segmentation among the drawn ones, m = 1 - chance + chance · c is that
        under the mixture, and every other one has chance times its own.
        """
        if self.chance == 0:
            return np.zeros(len(self.lengths))
        log_c = np.minimum(self.weights - self.measures[:, 0], 0.0)
        c, log_m = np.exp(log_c), self._canonical()
        others = self.measures[:, 1] + c * log_c - (1 - c) * np.log(self.chance)
        entropies: Floats = np.maximum(self.chance * others - np.exp(log_m) * log_m, 0.0)
        return entropies


def sums(values: Floats, ends: Offsets) -> Floats:
    """Return the sums of consecutive values, up to each end; a record without any has 0."""
    sums = np.zeros(len(ends))
    starts = np.append(0, ends[:-1])
    full = np.flatnonzero(starts < ends)
    if len(full):
        sums[full] = np.add.reduceat(values, starts[full])
    return sums

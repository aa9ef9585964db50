"""The parts behind `Tokenizer`: the vocabulary's tables, weights by mode, and what segments and measures with them."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from corpustools.errors import UsageError
from corpustools.kernels import load
from corpustools.kernels.lattice.modes import ARRIVAL, SAMPLE, SAMPLE_WIDE, VITERBI, VITERBI_F32
from corpustools.stages.tokenize.bpe.canonical import Canonical
from corpustools.stages.tokenize.bpe.mixture import Mixture, counted_model
from corpustools.stages.tokenize.bpe.token_counts import Counts
from corpustools.stages.tokenize.lattice import trie as tries
from corpustools.stages.tokenize.lattice.nbest import nbest
from corpustools.stages.tokenize.lattice.paths import Lattice, lattice_of, path_of, score_of, written
from corpustools.stages.tokenize.lattice.segmenter import Measurer, SampleKey, Segmenter, seed_key
from corpustools.stages.tokenize.lattice.trie import Trie
from corpustools.stages.tokenize.lattice.unique import unique
from corpustools.stages.tokenize.lattice.weights import SUMS_IN_FLOAT32, Weights, make_weights
from corpustools.stages.tokenize.lattice.workspace import WorkspacePool
from corpustools.stages.tokenize.models.model import Model

MODES = {"viterbi": VITERBI, "sample": SAMPLE, "viterbi-sampling": ARRIVAL, "measure": SAMPLE_WIDE}
SCORES = ("auto", "f64", "f32")


class Engine:
    """A model with the tables that are built from it once. Any number of threads may use it.

    All methods take text that is normalised already.

    Attributes:
        model: the model.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self._prepared = lru_cache(maxsize=8)(self._prepare)
        if model.merges is None:
            _ = self.trie
        else:
            # Merges need no trie; only a vocabulary that has none is refused at once.
            tries.check(model.pieces, model.arc, model.unit)

    @cached_property
    def trie(self) -> Trie:
        """The tables of the vocabulary.

        Raises:
            DataError: it has none.
        """
        return tries.build(self.model.pieces, np.flatnonzero(self.model.arc).tolist(), self.model.unit)

    @cached_property
    def _lengths(self) -> np.ndarray[Any, np.dtype[np.uint32]]:
        """Bytes of each piece, and of the bytes of an unknown character."""
        sizes = np.fromiter(map(len, self.model.pieces), np.uint32, len(self.model.pieces))
        return np.append(sizes, np.array([1, 2, 3, 4], np.uint32))

    def weights(self, mode: str, alpha: float = 1.0, length_weight: float = 1.0, scores: str = "auto") -> Weights:
        """Return the weights of a mode ('viterbi', 'sample', 'viterbi-sampling', or 'measure'), made once.

        Raises:
            UsageError: there is no such mode or rounding, or the model has no such distribution.
        """
        return self._prepared(self._mode(mode, scores), float(alpha), float(length_weight))[0]

    def weights_by_number(self, mode: int, alpha: float, length_weight: float = 1.0) -> Weights:
        """Return the weights of a mode by the number that the kernels know it by; nothing is remembered."""
        return make_weights(self.model, self.trie, self._lengths, mode, alpha, length_weight)

    def segmenter(
        self,
        mode: str,
        alpha: float = 1.0,
        length_weight: float = 1.0,
        key: SampleKey | None = None,
        *,
        scores: str = "auto",
        bos: int = -1,
        eos: int = -1,
    ) -> Segmenter:
        """Return what segments records in a mode; segmenters of the same weights share each thread's memory.

        Raises:
            UsageError: see `weights`.
        """
        weights, workspaces = self._prepared(self._mode(mode, scores), float(alpha), float(length_weight))
        return Segmenter(self.model, self.trie, weights, key, bos, eos, workspaces)

    @cached_property
    def canonical(self) -> Canonical:
        """What segments records as the model's merges do.

        Raises:
            UsageError: the model has no merges.
        """
        return Canonical(self.model)

    def mixture(
        self,
        chance: float,
        key: SampleKey,
        *,
        alpha: float = 0.0,
        length_weight: float = 1.0,
        counts: Counts | None = None,
        bos: int = -1,
        eos: int = -1,
    ) -> Mixture:
        """Return what draws each word with this chance, and leaves it as the model's merges make it else.

        Args:
            chance: the probability that a word is drawn.
            key: what draws are keyed by.
            alpha: the power of the probabilities, 0 where there are no counts.
            length_weight: a factor for every token.
            counts: how often each id was written, int64, from which probabilities are made.
            bos: an id put before every segmentation, or -1.
            eos: an id put behind every segmentation, or -1.

        Raises:
            UsageError: the model has no merges, or no such distribution.
        """
        if counts is None:
            sampler = self.segmenter("sample", alpha, length_weight, key, bos=bos, eos=eos)
            return Mixture(self.model, self.canonical, sampler, self.weights("measure", alpha, length_weight), chance)
        model = counted_model(self.model, counts)
        narrow, wide = (
            make_weights(model, self.trie, self._lengths, mode, alpha, length_weight) for mode in (SAMPLE, SAMPLE_WIDE)
        )
        sampler = Segmenter(self.model, self.trie, narrow, key, bos, eos)
        return Mixture(self.model, self.canonical, sampler, wide, chance)

    def measurer(self, alpha: float = 1.0, length_weight: float = 1.0) -> Measurer:
        """Return what measures records under a distribution.

        Raises:
            UsageError: the model has no such distribution.
        """
        return Measurer(self.model, self.trie, self.weights("measure", alpha, length_weight))

    def lattice(self, text: bytes, weights: Weights) -> Lattice:
        """Return the lattice of one record; memory grows with the text."""
        return lattice_of(self.model, weights, text)

    def best(self, text: bytes, segmenter: Segmenter) -> list[int]:
        """Return the ids of one record's best segmentation, without bos and eos.

        Raises:
            DataError: a character that the vocabulary cannot write.
        """
        found = segmenter.batch(text, np.array([0, len(text)], np.int64), 0, measured=False)
        ids: list[int] = found.ids.tolist()
        return ids

    def canonical_ids(self, text: bytes) -> list[int]:
        """Return the ids that the model's merges make of one record, without bos and eos.

        Raises:
            UsageError: the model has no merges.
            DataError: a character that the vocabulary cannot write.
        """
        ids: list[int] = self.canonical.batch(text, np.array([0, len(text)], np.int64), 0).ids.tolist()
        return ids

    def nbest(self, text: bytes, segmenter: Segmenter, n: int) -> list[tuple[list[int], float]]:
        """Return the n best segmentations of one record, in pieces (see `Model.ids_of`), and their scores.

        The first one is the best path of `segmenter`, whose rounding decides among scores that are equal or nearly so.
        The others follow by their scores in doubles.

        Raises:
            UsageError: n is below 1.
            DataError: a character that the vocabulary cannot write.
        """
        if n < 1:
            raise UsageError(f"the {n} best", "give 1 or more")
        lattice = self.lattice(text, segmenter.weights)
        by_score = nbest(segmenter.weights, lattice, n)
        found = [(written(self.model, lattice.text, codes), score) for score, codes in by_score]
        best = self.best(text, segmenter)
        place = next((i for i, (pieces, _) in enumerate(found) if self.model.ids_of(pieces) == best), None)
        if place is None:
            codes = path_of(self.model, lattice, best)
            found[-1] = written(self.model, lattice.text, codes), score_of(segmenter.weights, codes)
        return [found.pop(-1 if place is None else place), *found]

    def unique(self, text: bytes, weights: Weights, key: SampleKey, record: int) -> list[list[int]]:
        """Return samples of one record without replacement, in pieces (see `Model.ids_of`).

        Raises:
            DataError: a character that the vocabulary cannot write.
        """
        lattice = self.lattice(text, weights)
        state = np.zeros(load("lattice").STATE_SIZE, np.uint8)
        weights.lattice.begin(state, record, key.first_sample, seed_key(key.seed))
        key0, key1 = weights.lattice.draw_state(state)
        paths = unique(weights, lattice, key.samples, key0, key1)
        return [written(self.model, lattice.text, codes) for codes in paths]

    def require_probabilities(self, what: str) -> None:
        """Check that the model has probabilities, which `what` is about.

        Raises:
            UsageError: it has merge ranks only.
        """
        if not self.model.weighted:
            canonical = "take its canonical segmentation, or " if self.model.merges is not None else ""
            raise UsageError(
                f"this {self.model.kind} model has merge ranks and no probabilities, so {what} is not defined",
                f"{canonical}sample uniformly with alpha = 0",
            )

    def _mode(self, mode: str, scores: str) -> int:
        if scores not in SCORES:
            raise UsageError(f"scores '{scores}'", "accepted are auto, f64 and f32")
        if mode not in MODES:
            raise UsageError(f"mode '{mode}'", "accepted are viterbi, canonical, sample and viterbi-sampling")
        if mode == "viterbi":
            self.require_probabilities("the best segmentation")
        single = scores == "f32" or (scores == "auto" and self.model.kind in SUMS_IN_FLOAT32)
        return VITERBI_F32 if mode == "viterbi" and single else MODES[mode]

    def _prepare(self, mode: int, alpha: float, length_weight: float) -> tuple[Weights, WorkspacePool]:
        weights = self.weights_by_number(mode, alpha, length_weight)
        return weights, WorkspacePool(self.trie, weights.mode)

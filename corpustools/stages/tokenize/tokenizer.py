"""The public face of tokenization: a loaded model that segments, samples, measures and decodes."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from functools import cached_property, lru_cache, partial

import numpy as np

from corpustools.errors import UsageError
from corpustools.formats.vocabulary import Vocabulary
from corpustools.kernels import load
from corpustools.kernels.lattice.modes import ARRIVAL, SAMPLE, SAMPLE_WIDE, VITERBI, VITERBI_F32
from corpustools.stages.tokenize.decode import decode
from corpustools.stages.tokenize.lattice import trie as tries
from corpustools.stages.tokenize.lattice.nbest import nbest
from corpustools.stages.tokenize.lattice.paths import Lattice, lattice_of, log_weight_of, path_of, score_of, tokens
from corpustools.stages.tokenize.lattice.segmenter import Draws, Ids, Measurer, Segmenter, seed_key
from corpustools.stages.tokenize.lattice.trie import Offsets, Trie
from corpustools.stages.tokenize.lattice.unique import unique
from corpustools.stages.tokenize.lattice.weights import (
    Law,
    check_law,
    make_law,
)
from corpustools.stages.tokenize.models import load_model
from corpustools.stages.tokenize.models.model import Model, piece_names

Text = str | bytes


class Tokenizer:
    """A model, ready to use from any number of threads.

    P(segmentation | text) = Π p(token)^alpha · length_weight^tokens / Z. Texts are `str` or `bytes`; bytes need not be
    UTF-8. Logarithms are natural.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        arcs = np.flatnonzero(model.arc).tolist()
        self.trie: Trie = tries.build(model.pieces, arcs, model.unit)
        sizes = np.fromiter(map(len, model.pieces), np.uint32, len(model.pieces))
        self._lengths = np.append(sizes, np.array([1, 2, 3, 4], np.uint32))
        self._law = lru_cache(maxsize=8)(self._make_law)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Tokenizer:
        """Read a model file, whose format is recognised by its content.

        Raises:
            DataError: the file is damaged or of no known format.
            UnsupportedModel: the model needs something that is not done here.
            SystemFailure: the file cannot be read.
        """
        return cls(load_model(path))

    def __len__(self) -> int:
        """Return the number of ids."""
        return len(self.model.pieces)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """What output formats know of the model: the number of ids, the special ones, and how each is printed."""
        return Vocabulary(len(self), self.model.control, partial(piece_names, self.model))

    def encode(self, text: Text, *, scores: str = "f64") -> list[int]:
        """Return the ids of the best segmentation; of equal ones the one whose last token is longest.

        Args:
            text: the text.
            scores: 'f64' adds in double precision; 'f32' rounds every sum as SentencePiece does.
        """
        ids: list[int] = self.encode_batch([text], scores=scores)[0].tolist()
        return ids

    def encode_batch(self, texts: Sequence[Text], *, scores: str = "f64") -> tuple[Ids, Offsets]:
        """Return the best segmentations: ids, int32, and offsets, int64, shape (n + 1,), where each begins."""
        segmenter = self.segmenter("viterbi", scores=scores)
        return self._batch(segmenter, texts, 0)

    def sample(
        self,
        text: Text,
        alpha: float = 1.0,
        seed: str | int = 0,
        k: int = 1,
        *,
        unique: bool = False,
        record: int = 0,
        epoch: int = 0,
        length_weight: float = 1.0,
    ) -> list[list[int]]:
        """Return k segmentations drawn from P; alpha = 0 is uniform over all.

        Args:
            text: the text.
            alpha: the exponent of the probabilities, from 0 on.
            seed: any text or number; the samples are a function of it, the text, `record` and `epoch`.
            k: how many.
            unique: without replacement; fewer than k only where there are fewer.
            record: the record number that the draws are keyed by.
            epoch: the epoch that they are keyed by.
            length_weight: a factor for every token: below 1 prefers fewer, longer ones.

        Raises:
            UsageError: alpha is negative or no number, or above 0 for a model without probabilities.
        """
        draws = Draws(str(seed), epoch, k)
        if unique:
            law = self.law("sample", alpha, length_weight)
            return self.unique_of(self.normalize(text), law, draws, record)
        ids, offsets = self._batch(self.segmenter("sample", alpha, length_weight, draws), [text], record)
        return [ids[a:b].tolist() for a, b in itertools.pairwise(offsets)]

    def sample_batch(
        self,
        texts: Sequence[Text],
        alpha: float = 1.0,
        seed: str | int = 0,
        *,
        first_record: int = 0,
        epoch: int = 0,
        length_weight: float = 1.0,
    ) -> tuple[Ids, Offsets]:
        """Return one sample of each text: ids, int32, and offsets, int64, shape (n + 1,).

        Text i is drawn as record first_record + i, so a corpus may be cut into batches anywhere.
        """
        segmenter = self.segmenter("sample", alpha, length_weight, Draws(str(seed), epoch))
        return self._batch(segmenter, texts, first_record)

    def nbest(self, text: Text, n: int) -> list[tuple[list[int], float]]:
        """Return the n best segmentations and their scores (Σ log p), the best first; exact for any length."""
        self._need_probabilities("the best segmentations")
        return self.nbest_of(self.normalize(text), self.law("viterbi"), n)

    def score(self, text: Text, ids: Sequence[int]) -> float:
        """Return Σ log p of a segmentation.

        Raises:
            DataError: the ids are no segmentation of the text.
        """
        law = self.law("sample", 0.0)
        return score_of(law, path_of(self.model, self._lattice(text, law), ids))

    def logprob(self, text: Text, ids: Sequence[int], alpha: float = 1.0, length_weight: float = 1.0) -> float:
        """Return log P of a segmentation.

        Raises:
            DataError: the ids are no segmentation of the text.
        """
        law = self.law("sample", alpha, length_weight)
        codes = path_of(self.model, self._lattice(text, law), ids)
        return log_weight_of(law, codes) - self.log_partition(text, alpha, length_weight)

    def log_partition(self, text: Text, alpha: float = 1.0, length_weight: float = 1.0) -> float:
        """Return log Z; with alpha = 0 and length_weight = 1 the logarithm of the number of segmentations."""
        return self.measurer(alpha, length_weight).measure(self.normalize(text))[0]

    def entropy(self, text: Text, alpha: float = 1.0, length_weight: float = 1.0) -> float:
        """Return the entropy of P in nats."""
        return self.measurer(alpha, length_weight).measure(self.normalize(text))[1]

    def expected_length(self, text: Text, alpha: float = 1.0, length_weight: float = 1.0) -> float:
        """Return the expected number of tokens under P (arcs of the lattice, before unknown ones are fused)."""
        return self.measurer(alpha, length_weight).measure(self.normalize(text))[2]

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ids; bytes that are no UTF-8 become U+FFFD (see `decode_bytes`)."""
        return self.decode_bytes(ids).decode("utf-8", "replace")

    def decode_bytes(self, ids: Sequence[int]) -> bytes:
        """Return the text of ids as bytes, losslessly where the model is.

        Raises:
            DataError: an id that the model does not have.
        """
        return decode(self.model, ids)

    def normalize(self, text: Text) -> bytes:
        """Return the bytes that are segmented for a text."""
        return self.model.normalizer.normalize(_bytes(text))

    def law(self, mode: str, alpha: float = 1.0, length_weight: float = 1.0, scores: str = "f64") -> Law:
        """Return the tables of a mode ('viterbi', 'sample', 'viterbi-sampling', or 'measure'), made once."""
        if scores not in ("f64", "f32"):
            raise UsageError(f"scores '{scores}'", "accepted are f64 and f32")
        modes = {
            "viterbi": VITERBI if scores == "f64" else VITERBI_F32,
            "sample": SAMPLE,
            "viterbi-sampling": ARRIVAL,
            "measure": SAMPLE_WIDE,
        }
        if mode not in modes:
            raise UsageError(f"mode '{mode}'", "accepted are viterbi, sample and viterbi-sampling")
        if mode == "viterbi":
            self._need_probabilities("the best segmentation")
        return self._law(modes[mode], float(alpha), float(length_weight))

    def segmenter(
        self,
        mode: str,
        alpha: float = 1.0,
        length_weight: float = 1.0,
        draws: Draws | None = None,
        *,
        scores: str = "f64",
        bos: int = -1,
        eos: int = -1,
    ) -> Segmenter:
        """Return what segments streams of normalised records in a mode."""
        return Segmenter(self.model, self.trie, self.law(mode, alpha, length_weight, scores), draws, bos, eos)

    def measurer(self, alpha: float = 1.0, length_weight: float = 1.0) -> Measurer:
        """Return what measures normalised records under a law."""
        return Measurer(self.model, self.trie, self.law("measure", alpha, length_weight))

    def nbest_of(self, normalized: bytes, law: Law, n: int) -> list[tuple[list[int], float]]:
        """Return `nbest` of normalised text."""
        if n < 1:
            raise UsageError(f"the {n} best", "give 1 or more")
        lattice = lattice_of(self.model, law, normalized)
        return [(tokens(self.model, lattice.text, codes), score) for score, codes in nbest(law, lattice, n)]

    def unique_of(self, normalized: bytes, law: Law, draws: Draws, record: int) -> list[list[int]]:
        """Return samples without replacement of normalised text."""
        lattice = lattice_of(self.model, law, normalized)
        key = seed_key(draws.seed)
        state = np.zeros(load("lattice").STATE_SIZE, np.uint8)
        law.lattice.begin(state, record, draws.first_sample, key)
        key0, key1 = law.lattice.draw_state(state)
        paths = unique(law, lattice, draws.samples, key0, key1)
        return [tokens(self.model, lattice.text, codes) for codes in paths]

    def _make_law(self, mode: int, alpha: float, length_weight: float) -> Law:
        return make_law(self.model, self.trie, self._lengths, mode, alpha, length_weight)

    def _need_probabilities(self, what: str) -> None:
        if not self.model.weighted:
            check_law(self.model, 0.0, 1.0)
            raise UsageError(
                f"this {self.model.kind} model has merge ranks and no probabilities, so {what} is not defined",
                "sample uniformly with alpha = 0",
            )

    def _batch(self, segmenter: Segmenter, texts: Sequence[Text], first_record: int) -> tuple[Ids, Offsets]:
        data, bounds = tries.join([_bytes(text) for text in texts])
        normalized, offsets = self.model.normalizer.normalize_batch(data, bounds[:-1], bounds[1:])
        batch = segmenter.batch(normalized, offsets, first_record, measured=False)
        starts = np.zeros(len(batch.ends) + 1, np.int64)
        starts[1:] = batch.ends
        return batch.ids.copy(), starts

    def lattice_of(self, normalized: bytes, law: Law) -> Lattice:
        """Return the lattice of normalised text."""
        return lattice_of(self.model, law, normalized)

    def _lattice(self, text: Text, law: Law) -> Lattice:
        return self.lattice_of(self.normalize(text), law)


def _bytes(text: Text) -> bytes:
    return text.encode("utf-8", "surrogateescape") if isinstance(text, str) else bytes(text)

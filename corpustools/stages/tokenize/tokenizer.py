"""The public face of tokenization: a loaded model that segments, samples, measures and decodes.

Longer than other files because it is one class, all of it public, and four lines of five are its documentation.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np

from corpustools.errors import DataError, UsageError
from corpustools.formats.vocabulary import Vocabulary
from corpustools.stages.tokenize.bpe.canonical import Canonical
from corpustools.stages.tokenize.decode import decode
from corpustools.stages.tokenize.engine import Engine
from corpustools.stages.tokenize.explain import Explanation, explain
from corpustools.stages.tokenize.lattice import trie as tries
from corpustools.stages.tokenize.lattice.paths import log_weight_of, path_of, score_of
from corpustools.stages.tokenize.lattice.segmenter import Ids, SampleKey, Segmenter
from corpustools.stages.tokenize.lattice.trie import Offsets
from corpustools.stages.tokenize.models import load_model
from corpustools.stages.tokenize.models.model import Model, piece_names
from corpustools.stages.tokenize.models.special import without_special

Text = str | bytes


class Tokenizer:
    """A model, ready to use from any number of threads and processes.

    P(segmentation | text) = Π p(token)^alpha · length_weight^tokens / Z. Texts are `str` or `bytes`; bytes need not be
    UTF-8. Logarithms are natural. The sessions below use this tokenizer:

    >>> tokenizer = Tokenizer.from_scores({"a": -1.5, "b": -2.0, "ab": -2.5})
    >>> tokenizer
    Tokenizer(kind='vocabulary', vocab_size=4)

    Attributes:
        model: the model as it was read; its fields are no part of the promise.
        path: the file it was read from, or None.
        special: what text of special tokens becomes: 'library' or 'text', see `load`.
    """

    def __init__(self, model: Model, path: str | None = None, special: str = "library") -> None:
        if special not in ("library", "text"):
            raise UsageError(f"special tokens as '{special}'", "accepted are library and text")
        self._loaded = model
        self.model = without_special(model) if special == "text" else model
        self.path = path
        self.special = special
        self._engine = Engine(self.model)

    # ------------------------------------------------------------------------------------------------- where from

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, special: str = "library") -> Tokenizer:
        """Read a model file, whose format is recognised by its content.

        >>> Tokenizer.load("letters.vocab")
        Tokenizer(kind='vocabulary', vocab_size=4, path='letters.vocab')

        Args:
            path: the file.
            special: 'library' treats the text of a special token, such as '</s>', as the model's own library does;
                'text' never makes a special id out of text.

        Raises:
            UsageError: another way with special tokens.
            DataError: the file is damaged or of no known format.
            UnsupportedModel: the model needs something that is not done here.
            SystemFailure: the file cannot be read.
        """
        return cls(load_model(path), os.fspath(path), special)

    @classmethod
    def from_scores(cls, scores: Mapping[str, float]) -> Tokenizer:
        """Make a tokenizer of pieces and their scores; ids count from 0 in the order of the pieces.

        >>> Tokenizer.from_scores({"▁the": -2.0, "▁": -3.0, "t": -4.0, "h": -4.0, "e": -4.0}).encode("the")
        [0]

        Args:
            scores: natural logarithms of probabilities by piece. '<s>', '</s>', '<pad>', '<unk>' and the 256 names
                '<0x00>' … '<0xFF>' have the meaning they have in SentencePiece; without '<unk>' the id after the last
                one is unknown. Where a piece holds '▁', spaces are treated as in SentencePiece, else text stays as is.

        Raises:
            UsageError: there are no pieces, or a score is no finite number, or above 0.
        """
        from corpustools.stages.tokenize.models.plain_text import from_scores

        return cls(from_scores(scores))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._loaded, self.path, self.special)

    def __repr__(self) -> str:
        path = f", path={self.path!r}" if self.path is not None else ""
        special = f", special={self.special!r}" if self.special != "library" else ""
        return f"Tokenizer(kind={self.kind!r}, vocab_size={self.vocab_size}{path}{special})"

    def with_special(self, special: str) -> Tokenizer:
        """Return the same model with another way to treat the text of special tokens; see `load`.

        >>> tokenizer.with_special("text").special
        'text'

        Raises:
            UsageError: there is no such way.
            UnsupportedModel: a byte can be written as a special token only.
        """
        return self if special == self.special else type(self)(self._loaded, self.path, special)

    # --------------------------------------------------------------------------------------------- the vocabulary

    @property
    def kind(self) -> str:
        """The kind of model, such as 'sentencepiece-unigram', 'bytepiece', 'hf-bpe' or 'vocabulary'."""
        return self.model.kind

    @property
    def vocab_size(self) -> int:
        """The number of ids: 0 … vocab_size - 1."""
        return self.model.vocab_size

    def __len__(self) -> int:
        return self.vocab_size

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """What formats know of the model: number of ids, special ids, and how each id is printed."""
        name = self.kind if self.path is None else os.path.basename(self.path)
        return Vocabulary(self.vocab_size, self.model.control, partial(piece_names, self.model), name)

    @property
    def bos_id(self) -> int | None:
        """The id that begins a text, None where the model has none."""
        return self.model.control.get("bos")

    @property
    def eos_id(self) -> int | None:
        """The id that ends a text, None where the model has none."""
        return self.model.control.get("eos")

    @property
    def pad_id(self) -> int | None:
        """The id that fills up, None where the model has none."""
        return self.model.control.get("pad")

    @property
    def unk_id(self) -> int | None:
        """The id of what the vocabulary cannot write, None where the model has none."""
        return self.model.control.get("unk")

    @property
    def special_ids(self) -> frozenset[int]:
        """The ids of special tokens: bos, eos, pad, unk, control pieces, added tokens that the file calls special.

        >>> sorted(tokenizer.special_ids)
        [3]
        """
        return self.model.special_ids

    def id_to_piece(self, i: int) -> str:
        """Return how an id is written in pieces: spaces and what is not printable as <0x20>.

        >>> tokenizer.id_to_piece(2)
        'ab'

        Raises:
            DataError: the model has no such id.
        """
        if not 0 <= i < self.vocab_size:
            raise DataError(f"the id {i} is outside the vocabulary of {self.vocab_size} pieces")
        return self.vocabulary.names[i]

    def piece_to_id(self, piece: str) -> int:
        """Return the id of a piece, written as `id_to_piece` writes it or as the text itself.

        >>> tokenizer.piece_to_id("ab")
        2

        Raises:
            DataError: the vocabulary has no such piece.
        """
        i = self._ids.get(piece)
        if i is None:
            raise DataError(f"the vocabulary has no piece {piece!r}")
        return i

    # ----------------------------------------------------------------------------------- the model's own segmentation

    def encode(self, text: Text, *, scores: str = "auto") -> list[int]:
        """Return the ids of the best segmentation, by default those of the model's own library.

        A byte-pair model has merges and no best segmentation: the ids are what its merges make, as in its own library.

        >>> tokenizer.encode("abba")
        [2, 1, 0]

        Args:
            text: the text.
            scores: how scores are added up, which decides between segmentations that are equally good or nearly so.
                'auto' is as the model's own library does: 'f32' for SentencePiece, else 'f64'. 'f64' adds doubles.
                'f32' rounds every sum to single precision. Of equal sums the one with the longest last token wins.
                Merges add nothing up, so that a byte-pair model has 'auto' only.

        Raises:
            UsageError: another rounding, or a model that has neither probabilities nor merges.
            DataError: a character that the vocabulary cannot write.
        """
        ids: list[int] = self.encode_batch([text], scores=scores)[0].tolist()
        return ids

    def encode_batch(self, texts: Sequence[Text], *, scores: str = "auto") -> tuple[Ids, Offsets]:
        """Return the best segmentations: ids, int32, and offsets, int64, shape (n + 1,), where each begins.

        >>> [array.tolist() for array in tokenizer.encode_batch(["abba", "b"])]
        [[2, 1, 0, 1], [0, 3, 4]]

        Raises:
            UsageError: see `encode`.
            DataError: see `encode`.
        """
        if self.model.merges is None:
            return self._segment(self._engine.segmenter("viterbi", scores=scores), texts, 0)
        if scores != "auto":
            raise UsageError(f"scores '{scores}' of merges, which add nothing up", "leave it away")
        return self._segment(self._engine.canonical, texts, 0)

    def nbest(self, text: Text, n: int, *, scores: str = "auto") -> list[tuple[list[int], float]]:
        """Return the n best segmentations and their scores (Σ log p), the best first; exact for any length.

        The first is the one that `encode` returns with the same `scores`, the others follow by their score in doubles.

        >>> tokenizer.nbest("aba", 2)
        [([2, 0], -4.0), ([0, 1, 0], -5.0)]

        Raises:
            UsageError: n is below 1, or the model has no probabilities.
            DataError: a character that the vocabulary cannot write.
        """
        self._engine.require_probabilities("the best segmentations")
        found = self._engine.nbest(self.normalize(text), self._engine.segmenter("viterbi", scores=scores), n)
        return [(self.model.ids_of(pieces), score) for pieces, score in found]

    # --------------------------------------------------------------------------------------------------- sampling

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

        >>> sorted(tokenizer.sample("ab", alpha=0.5, seed="any text", k=2, unique=True))
        [[0, 1], [2]]

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
            UsageError: alpha is negative or no number, or above 0 for a model without probabilities; k, record or epoch
                is out of range.
            DataError: a character that the vocabulary cannot write.
        """
        key = SampleKey(_seed(seed), epoch, k)
        _check_record(record)
        if unique:
            weights = self._engine.weights("sample", alpha, length_weight)
            found = self._engine.unique(self.normalize(text), weights, key, record)
            return [self.model.ids_of(pieces) for pieces in found]
        ids, offsets = self._segment(self._engine.segmenter("sample", alpha, length_weight, key), [text], record)
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

        >>> ids, offsets = tokenizer.sample_batch(["abba", "b"], alpha=0.5, seed=7)
        >>> tokenizer.decode_batch(ids, offsets)
        ['abba', 'b']

        Raises:
            UsageError: see `sample`.
            DataError: see `sample`.
        """
        segmenter = self._engine.segmenter("sample", alpha, length_weight, SampleKey(_seed(seed), epoch))
        return self._segment(segmenter, texts, first_record)

    # ---------------------------------------------------------------------------------------------- probabilities

    def explain(
        self,
        text: Text,
        alpha: float | None = None,
        *,
        length_weight: float = 1.0,
        nbest: int = 5,
        marginals: int | None = None,
    ) -> Explanation:
        """Return the lattice of a text: its segmentations and tokens with their exact probabilities.

        Time and memory grow with the length of the text, about two kilobytes a byte.

        >>> [(token.piece, round(token.probability, 3)) for token in tokenizer.explain("ab").tokens]
        [('a', 0.269), ('ab', 0.731), ('b', 0.269)]

        Args:
            text: the text.
            alpha: the exponent of the probabilities; None is 1, or 0 for a model without probabilities.
            length_weight: a factor for every token.
            nbest: how many of the most probable segmentations; where all weigh the same, these are any.
            marginals: how many of the most probable tokens; None: all with P >= 0.01.

        Raises:
            UsageError: a number is out of range, or alpha is above 0 for a model without probabilities.
            DataError: a character that the vocabulary cannot write.
        """
        return explain(self._engine, self.normalize(text), alpha, length_weight, nbest, marginals)

    def score(self, text: Text, ids: Sequence[int]) -> float:
        """Return Σ log p of a segmentation.

        >>> tokenizer.score("ab", [0, 1])
        -3.5

        Raises:
            DataError: the ids are no segmentation of the text.
        """
        return self._path_sum(text, ids, 0.0, 1.0)[0]

    def logprob(self, text: Text, ids: Sequence[int], alpha: float = 1.0, length_weight: float = 1.0) -> float:
        """Return log P of a segmentation.

        >>> round(tokenizer.logprob("ab", [2]), 6)
        -0.313262

        Raises:
            UsageError: see `sample`.
            DataError: the ids are no segmentation of the text.
        """
        return self._path_sum(text, ids, alpha, length_weight)[1] - self.log_partition(text, alpha, length_weight)

    def log_partition(self, text: Text, alpha: float = 1.0, length_weight: float = 1.0) -> float:
        """Return log Z; with alpha = 0 and length_weight = 1 the logarithm of the number of segmentations.

        >>> round(np.exp(tokenizer.log_partition("ababab", alpha=0)))
        8

        Raises:
            UsageError: see `sample`.
        """
        return self._engine.measurer(alpha, length_weight).measure(self.normalize(text))[0]

    def entropy(self, text: Text, alpha: float = 1.0, length_weight: float = 1.0) -> float:
        """Return the entropy of P in nats.

        >>> round(tokenizer.entropy("ab", alpha=0), 6)
        0.693147

        Raises:
            UsageError: see `sample`.
        """
        return self._engine.measurer(alpha, length_weight).measure(self.normalize(text))[1]

    def expected_length(self, text: Text, alpha: float = 1.0, length_weight: float = 1.0) -> float:
        """Return the expected number of tokens under P (arcs of the lattice, before unknown ones are fused).

        >>> tokenizer.expected_length("ab", alpha=0)
        1.5

        Raises:
            UsageError: see `sample`.
        """
        return self._engine.measurer(alpha, length_weight).measure(self.normalize(text))[2]

    # ------------------------------------------------------------------------------------------------ text to text

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ids; bytes that are no UTF-8 become U+FFFD (see `decode_bytes`).

        >>> tokenizer.decode([2, 1, 0])
        'abba'

        Raises:
            DataError: an id that the model does not have.
        """
        return self.decode_bytes(ids).decode("utf-8", "replace")

    def decode_batch(self, ids: Sequence[Sequence[int]] | Ids, offsets: Offsets | None = None) -> list[str]:
        """Return the text of each of several lists of ids, or of what `encode_batch` returned.

        >>> tokenizer.decode_batch([[2, 1], [0]])
        ['abb', 'a']

        Args:
            ids: lists of ids; with `offsets` one array of all ids.
            offsets: where each text begins in that array, and its end; int64, shape (n + 1,).

        Raises:
            DataError: an id that the model does not have.
        """
        lists: Any = ids
        if offsets is None and isinstance(ids, np.ndarray):
            raise UsageError("one array of ids without offsets", "give both arrays that encode_batch returned")
        if offsets is not None:
            flat = np.asarray(ids).tolist()
            lists = [flat[a:b] for a, b in itertools.pairwise(np.asarray(offsets).tolist())]
        return [self.decode(one) for one in lists]

    def decode_bytes(self, ids: Sequence[int]) -> bytes:
        """Return the text of ids as bytes, losslessly where the model is.

        >>> tokenizer.decode_bytes([2, 1, 0])
        b'abba'

        Raises:
            DataError: an id that the model does not have.
        """
        return decode(self.model, ids)

    def normalize(self, text: Text) -> bytes:
        """Return the bytes that are segmented for a text.

        >>> Tokenizer.from_scores({"▁": -1.0, "a": -1.0}).normalize("a  a").decode()
        '▁a▁a'
        """
        return self.model.normalizer.normalize(_bytes(text))

    # --------------------------------------------------------------------------------------------------- internals

    @cached_property
    def _ids(self) -> dict[str, int]:
        """Ids by the text of their pieces and, which counts first, by their names."""
        last_first = range(self.vocab_size - 1, -1, -1)
        texts = {self.model.pieces[i].decode("utf-8", "surrogateescape"): i for i in last_first if self.model.pieces[i]}
        return texts | {self.vocabulary.names[i]: i for i in last_first}

    def _segment(
        self, segmenter: Segmenter | Canonical, texts: Sequence[Text], first_record: int
    ) -> tuple[Ids, Offsets]:
        if isinstance(texts, (str, bytes)):
            raise UsageError("one text where several are wanted", "give a list of texts")
        _check_record(first_record)
        data, bounds = tries.join([_bytes(text) for text in texts])
        normalized, offsets = self.model.normalizer.normalize_batch(data, bounds[:-1], bounds[1:])
        batch = segmenter.batch(normalized, offsets, first_record, measured=False)
        starts = np.zeros(len(batch.ends) + 1, np.int64)
        starts[1:] = batch.ends
        return batch.ids.copy(), starts

    def _path_sum(self, text: Text, ids: Sequence[int], alpha: float, length_weight: float) -> tuple[float, float]:
        """Return Σ log p of a segmentation, and the logarithm of its weight."""
        weights = self._engine.weights("sample", alpha, length_weight)
        codes = path_of(self.model, self._engine.lattice(self.normalize(text), weights), ids)
        return score_of(weights, codes), log_weight_of(weights, codes)


def _bytes(text: Text) -> bytes:
    if isinstance(text, str):
        return text.encode("utf-8", "surrogateescape")
    if not isinstance(text, (bytes, bytearray, memoryview)):
        raise UsageError(f"a text is {type(text).__name__}", "give str or bytes")
    return bytes(text)


def _seed(seed: str | int) -> str:
    if not isinstance(seed, (str, int)):
        raise UsageError(f"the seed is {seed!r}", "give any text or a number")
    return str(seed)


def _check_record(number: int) -> None:
    if not 0 <= number < 1 << 64:
        raise UsageError(f"record {number}", "records count from 0, below 2^64")

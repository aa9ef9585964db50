"""What a law says of one text: its segmentations with their probabilities, and the probability of every token."""

from __future__ import annotations

import heapq
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from corpustools.errors import UsageError
from corpustools.formats.vocabulary import piece_name
from corpustools.stages.tokenize.lattice.nbest import nbest
from corpustools.stages.tokenize.lattice.paths import Lattice, score_of, tokens
from corpustools.stages.tokenize.lattice.weights import Law, exponential
from corpustools.stages.tokenize.tokenizer import Text, Tokenizer

# Counts below this are given exactly.
COUNTED = 10**18
# Tokens less probable than this are shown only on request.
LIKELY = 0.01

_LN2 = math.log(2)
# A positive number as mantissa in [0.5, 1) and exponent of two: products over a text leave every float's range.
Scaled = tuple[float, int]


@dataclass(frozen=True)
class Segmentation:
    """One path.

    ids: as `corpus tokenize` writes them. pieces: the text of each arc, what is not printable, and spaces, as <0x20>.
    score: Σ log p, None where the model has no probabilities. logprob: log P. Both in nats.
    """

    ids: list[int]
    pieces: list[str]
    score: float | None
    logprob: float

    @property
    def probability(self) -> float:
        """P; 0 where it is below the least float."""
        return math.exp(self.logprob)


@dataclass(frozen=True)
class Token:
    """One arc: text[start:end] in bytes of the normalised text is one token with this probability.

    kind: 'piece', 'unknown' (the unknown token stands for it) or 'bytes' (byte pieces do).
    """

    start: int
    end: int
    ids: list[int]
    piece: str
    kind: str
    probability: float


@dataclass(frozen=True)
class Explanation:
    """The lattice of one text under a law; logarithms are natural.

    normalized: the text that is segmented, readable: what is not printable as <0x0A>.
    segmentations: how many there are, None from 10^18 on; log10_segmentations: the logarithm of their number.
    best: the best segmentation, or None where the model has no probabilities. The score of user-defined pieces is
        the one that best paths count, as in SentencePiece.
    nbest: the most probable segmentations, the most probable first.
    tokens: arcs with their marginal probabilities, by position.
    length: the expected number of arcs.
    """

    normalized: str
    alpha: float
    length_weight: float
    segmentations: int | None
    log10_segmentations: float
    log_z: float
    entropy: float
    length: float
    best: Segmentation | None
    nbest: list[Segmentation]
    tokens: list[Token]


def explain(
    tokenizer: Tokenizer,
    text: Text,
    alpha: float | None = None,
    length_weight: float = 1.0,
    n: int = 5,
    marginals: int | None = None,
) -> Explanation:
    """Return what P(segmentation | text) = Π p(token)^alpha · length_weight^tokens / Z says of a text.

    Time and memory grow with the length of the text, about two kilobytes a byte.

    Args:
        tokenizer: the model.
        text: the text.
        alpha: the exponent of the probabilities; None is 1, or 0 for a model without probabilities.
        length_weight: a factor for every token.
        n: how many of the most probable segmentations; where all weigh the same, these are any.
        marginals: how many of the most probable tokens; None: all with P >= 0.01.

    Raises:
        UsageError: alpha or length_weight is out of range, or alpha is above 0 for a model without probabilities.
        DataError: a character that the vocabulary cannot write.
    """
    if n < 0 or (marginals is not None and marginals < 0):
        raise UsageError("negative numbers of segmentations or tokens", "give 0 or more")
    weighted = tokenizer.model.weighted
    alpha = float(weighted) if alpha is None else alpha
    law = tokenizer.law("sample", alpha, length_weight)
    normalized = tokenizer.normalize(text)
    lattice = tokenizer.lattice_of(normalized, law)
    names = _Names(tokenizer, lattice)
    flow = Flow(law, lattice)

    def segmentation(codes: list[int], score: float | None) -> Segmentation:
        ids = tokens(tokenizer.model, lattice.text, codes)
        return Segmentation(ids, names.of_path(codes), score, flow.logprob(codes))

    best = None
    if weighted:
        score, codes = nbest(tokenizer.law("viterbi"), lattice, 1)[0]
        best = segmentation(codes, score)
    # By scores where that is the order of the law too, so that equal scores are ties as they are in `nbest`.
    ordered = law if alpha > 0 and length_weight == 1 else replace(law, scores=law.log_weights)
    by_weight = nbest(ordered, lattice, n) if n else []
    likely = (arc for arc in flow.arcs if arc[3] >= LIKELY)
    kept = likely if marginals is None else heapq.nlargest(marginals, flow.arcs, key=lambda arc: arc[3])
    return Explanation(
        normalized=names.of_text(),
        alpha=alpha,
        length_weight=length_weight,
        segmentations=_count(lattice),
        log10_segmentations=tokenizer.measurer(0.0).measure(normalized)[0] / math.log(10),
        log_z=flow.log_z,
        entropy=flow.entropy,
        length=flow.length,
        best=best,
        nbest=[segmentation(codes, score_of(law, codes) if weighted else None) for _, codes in by_weight],
        tokens=[names.token(start, end, code, p) for start, end, code, p in sorted(kept)],
    )


class Flow:
    """The law as a walk from the text's end: at each position a share for every arc that ends there.

    The weights of all paths to a position are summed forwards, as mantissa and exponent. An arc's share of that
    sum is the probability that a path through the position takes it; P of a path is the product of its shares, and the
    probability of passing a position flows backwards through them. Nothing is subtracted anywhere, so relative errors
    are a few roundings a token.

    Attributes:
        log_z: log Z. entropy: in nats. length: the expected number of arcs.
        arcs: (start, end, code, P) of every arc.
    """

    def __init__(self, law: Law, lattice: Lattice) -> None:
        self.lattice = lattice
        codes = sorted({code for arcs in lattice.into.values() for _, code in arcs})
        mantissas, exponents = exponential(law.log_weights[np.array(codes, np.int64)])
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


def _count(lattice: Lattice) -> int | None:
    """Return the number of paths where it is below COUNTED; sums stop there, so that they stay small."""
    counts = {0: 1}
    for end in lattice.ends:
        counts[end] = min(COUNTED, sum(counts[start] for start, _ in lattice.into[end]))
    found = counts[len(lattice.text)]
    return found if found < COUNTED else None


class _Names:
    """How the arcs of a lattice are shown."""

    def __init__(self, tokenizer: Tokenizer, lattice: Lattice) -> None:
        self._model, self._text = tokenizer.model, lattice.text

    def readable(self, text: bytes) -> str:
        """Return text with what stands for an added token as that token's own text."""
        surfaces = self._model.normalizer.surfaces
        return piece_name(surfaces.get(text, text))

    def of_text(self) -> str:
        """Return the whole text; its spaces stay."""
        text, surfaces = self._text, self._model.normalizer.surfaces
        if surfaces:
            text = re.sub(b"|".join(map(re.escape, surfaces)), lambda match: surfaces[match.group()], text)
        return " ".join(map(piece_name, text.split(b" ")))

    def of_path(self, codes: list[int]) -> list[str]:
        """Return the text of every arc of a path."""
        names, at = [], 0
        for code in codes:
            size = (
                len(self._model.pieces[code]) if code < len(self._model.pieces) else code - len(self._model.pieces) + 1
            )
            names.append(self.readable(self._text[at : at + size]))
            at += size
        return names

    def token(self, start: int, end: int, code: int, probability: float) -> Token:
        """Return an arc as it is shown."""
        model, text = self._model, self._text[start:end]
        kind = "piece" if code < len(model.pieces) else "unknown" if model.byte_ids is None else "bytes"
        return Token(start, end, tokens(model, text, [code]), self.readable(text), kind, probability)

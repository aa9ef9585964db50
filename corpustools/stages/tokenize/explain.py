"""What a model sees in one text: its segmentations with their probabilities, and the probability of every token."""

from __future__ import annotations

import heapq
import math
import re
from dataclasses import dataclass, replace

from corpustools.errors import DataError, UsageError
from corpustools.formats.vocabulary import piece_name
from corpustools.stages.tokenize.engine import Engine
from corpustools.stages.tokenize.lattice.marginals import Marginals, count_paths
from corpustools.stages.tokenize.lattice.nbest import nbest as best_paths
from corpustools.stages.tokenize.lattice.paths import Lattice, path_of, score_of, tokens
from corpustools.stages.tokenize.models.model import Model, piece_names

# Tokens less probable than this are shown only on request.
LIKELY = 0.01


@dataclass(frozen=True)
class Segmentation:
    """One path.

    ids: as `tokenize` writes them. pieces: the text of each arc, what is not printable, and spaces, as <0x20>.
    score: Σ log p, None where the model has no probabilities. logprob: log P, -inf where it is none of the lattice's.
        Both in nats.
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
    """The lattice of one text and its distribution; logarithms are natural.

    normalized: the text that is segmented, readable: what is not printable as <0x0A>.
    segmentations: how many there are, None from 10^18 on; log10_segmentations: the logarithm of their number.
    best: the best segmentation, as `encode` returns it, or None where the model has no probabilities. The score of
        user-defined pieces is the one that best paths count, as in SentencePiece.
    canonical: what the merges of a byte-pair model make, as `encode` returns it, with its probability among all
        segmentations; None for other models. The lattice may not have it, as where bytes or special tokens are made of
        text by merges: its probability is 0 then.
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
    canonical: Segmentation | None
    nbest: list[Segmentation]
    tokens: list[Token]


def explain(
    engine: Engine,
    normalized: bytes,
    alpha: float | None,
    length_weight: float,
    nbest: int,
    marginals: int | None,
) -> Explanation:
    """Return what P(segmentation | text) = Π p(token)^alpha · length_weight^tokens / Z says of normalised text.

    Args:
        engine: the model with its tables.
        normalized: the text, as the model's normaliser makes it.
        alpha: the exponent of the probabilities; None is 1, or 0 for a model without probabilities.
        length_weight: a factor for every token.
        nbest: how many of the most probable segmentations.
        marginals: how many of the most probable tokens; None: all that are likely.

    Raises:
        UsageError: alpha or length_weight is out of range, or alpha is above 0 for a model without probabilities.
        DataError: a character that the vocabulary cannot write.
    """
    if nbest < 0 or (marginals is not None and marginals < 0):
        raise UsageError("negative numbers of segmentations or tokens", "give 0 or more")
    weighted = engine.model.weighted
    alpha = float(weighted) if alpha is None else alpha
    weights = engine.weights("sample", alpha, length_weight)
    lattice = engine.lattice(normalized, weights)
    flow = Marginals(weights, lattice)
    shown = _Shown(engine.model, lattice, flow)
    best = None
    if weighted:
        segmenter = engine.segmenter("viterbi")
        codes = path_of(engine.model, lattice, engine.best(normalized, segmenter))
        best = shown.segmentation(codes, score_of(segmenter.weights, codes))
    # By scores where that is the order of the probabilities too, so that equal scores are ties as they are in `nbest`.
    ordered = weights if alpha > 0 and length_weight == 1 else replace(weights, scores=weights.log_weights)
    by_weight = [codes for _, codes in best_paths(ordered, lattice, nbest)] if nbest else []
    return Explanation(
        normalized=shown.text(),
        alpha=alpha,
        length_weight=length_weight,
        segmentations=count_paths(lattice),
        log10_segmentations=engine.measurer(0.0).measure(normalized)[0] / math.log(10),
        log_z=flow.log_z,
        entropy=flow.entropy,
        length=flow.length,
        best=best,
        canonical=shown.canonical(engine.canonical_ids(normalized)) if engine.model.merges is not None else None,
        nbest=[shown.segmentation(codes, score_of(weights, codes) if weighted else None) for codes in by_weight],
        tokens=shown.tokens(marginals),
    )


class _Shown:
    """A lattice's text, paths and arcs as people read them."""

    def __init__(self, model: Model, lattice: Lattice, flow: Marginals) -> None:
        self._model, self._lattice, self._text, self._flow = model, lattice, lattice.text, flow

    def text(self) -> str:
        """Return the whole text; its spaces stay."""
        text, surfaces = self._text, self._model.normalizer.surfaces
        if surfaces:
            text = re.sub(b"|".join(map(re.escape, surfaces)), lambda match: surfaces[match.group()], text)
        return " ".join(map(piece_name, text.split(b" ")))

    def segmentation(self, codes: list[int], score: float | None) -> Segmentation:
        """Return a path."""
        ids = tokens(self._model, self._text, codes)
        return Segmentation(ids, self._pieces(codes), score, self._flow.logprob(codes))

    def canonical(self, ids: list[int]) -> Segmentation:
        """Return a segmentation by its ids, whether it is a path or not."""
        try:
            return self.segmentation(path_of(self._model, self._lattice, ids), None)
        except DataError:
            names = piece_names(self._model)
            return Segmentation(ids, [names[i] for i in ids], None, -math.inf)

    def tokens(self, most: int | None) -> list[Token]:
        """Return the most probable arcs, or all likely ones, by position."""
        arcs = self._flow.arcs
        likely = (arc for arc in arcs if arc[3] >= LIKELY)
        kept = likely if most is None else heapq.nlargest(most, arcs, key=lambda arc: arc[3])
        return [self._token(*arc) for arc in sorted(kept)]

    def _token(self, start: int, end: int, code: int, probability: float) -> Token:
        model, text = self._model, self._text[start:end]
        kind = "piece" if code < len(model.pieces) else "unknown" if model.byte_ids is None else "bytes"
        return Token(start, end, tokens(model, text, [code]), self._readable(text), kind, probability)

    def _pieces(self, codes: list[int]) -> list[str]:
        pieces, names, at = self._model.pieces, [], 0
        for code in codes:
            size = len(pieces[code]) if code < len(pieces) else code - len(pieces) + 1
            names.append(self._readable(self._text[at : at + size]))
            at += size
        return names

    def _readable(self, text: bytes) -> str:
        """Return text with what stands for an added token as that token's own text."""
        return piece_name(self._model.normalizer.surfaces.get(text, text))

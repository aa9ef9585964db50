"""From scores to weights: the tables a lattice runs on, for one mode and one alpha."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from corpustools.errors import DataError, UsageError
from corpustools.kernels import load
from corpustools.kernels.lattice.modes import SAMPLE, SAMPLE_WIDE, VITERBI, VITERBI_F32
from corpustools.stages.tokenize.lattice.trie import Trie
from corpustools.stages.tokenize.models.model import Floats, Integers, Model

CUTS = {"none": 0, "newline-runs": 1, "marks": 2}

# Kinds of models whose own libraries add float64 scores from the start of the text. When two paths tie, the rounding of
# that sum picks the winner, so the best path of these models is added up the same way.
SUMS_FROM_TEXT_START = ("bytepiece", "hf-unigram")
# Kinds whose own library adds float32 scores from the start of the text, as VITERBI_F32 does.
SUMS_IN_FLOAT32 = ("sentencepiece-unigram",)

_LN2_HIGH = float.fromhex("0x1.62e42fee00000p-1")  # 21 trailing zero bits: exact times any exponent here
_LN2_LOW = float.fromhex("0x1.a39ef35793c76p-33")
# |alpha * score| beyond this leaves the 32-bit exponents of the wide lattice within a few characters.
_LARGEST_LOG = 1e7


@dataclass(frozen=True)
class Weights:
    """The weights of all arcs in one mode, for one alpha and one length weight, and the kernel's lattice over them.

    lattice: the kernel's object; its mode is `mode`.
    scores: log p by code, float64: of every id, then four times the unknown score.
    log_weights: alpha * score + log length_weight by code: an arc's weight, as a logarithm.
    """

    lattice: Any
    mode: int
    scores: Floats
    log_weights: Floats

    @cached_property
    def rounded(self) -> bool:
        """Whether the lattice adds scores that are not these, but the nearest in single precision."""
        return self.mode == VITERBI_F32 and not np.array_equal(self.scores, _single(self.scores))


def make_weights(
    model: Model,
    trie: Trie,
    lengths: np.ndarray[Any, np.dtype[np.uint32]],
    mode: int,
    alpha: float,
    length_weight: float = 1.0,
) -> Weights:
    """Return the tables for a mode (see kernels/lattice/modes.py) and P ∝ Π p^alpha · length_weight^tokens.

    SAMPLE becomes SAMPLE_WIDE where the weights could leave a double's range within one piece.

    Raises:
        UsageError: alpha or length_weight is out of range, or the model has no probabilities for alpha > 0.
        DataError: the scores are no finite numbers, or too large.
    """
    check_distribution(model, alpha, length_weight)
    scores = scores_by_code(model, lengths, best_path=mode in (VITERBI, VITERBI_F32))
    # A model without probabilities has 0 · score = 0, whatever stands in its file.
    log_weights = (alpha * scores if alpha else np.zeros_like(scores)) + math.log(length_weight)
    if not np.isfinite(log_weights).all() or np.abs(log_weights).max() > _LARGEST_LOG:
        raise DataError("the model has scores that are not finite, or too large for this alpha")
    mantissas, exponents = exponential(log_weights)
    if mode == SAMPLE and not fits_doubles(model, trie, lengths, log_weights):
        mode = SAMPLE_WIDE
    lattice = _kernel_lattice(model, trie, lengths, mode, scores, mantissas, exponents)
    return Weights(lattice, mode, scores, log_weights)


def _kernel_lattice(
    model: Model,
    trie: Trie,
    lengths: np.ndarray[Any, np.dtype[np.uint32]],
    mode: int,
    scores: Floats,
    mantissas: Floats,
    exponents: Integers,
) -> Any:
    """Return the kernel's lattice, with the tables beside the trie and the automaton that its mode reads."""
    weights = np.ldexp(mantissas, exponents) if mode == SAMPLE else mantissas
    shown = _single(scores) if mode == VITERBI_F32 else scores
    nodes = starts = None
    linked: tuple[Any, Any, Any] | None = None
    automaton = trie.automaton if mode == SAMPLE or (mode == VITERBI and np.isfinite(scores).all()) else None
    if mode <= SAMPLE:
        values = np.append(0.0, weights) if mode == SAMPLE else np.append(-np.inf, shown)
        nodes, starts = beside(trie.units, values), beside(trie.heads, values)
        if automaton is not None:
            linked = automaton, *automaton.lines(values)
    return load("lattice").Lattice(
        (trie.units, trie.heads, nodes, starts),
        (lengths, shown, weights, exponents),
        model.byte_ids,
        trie.joins,
        longest=trie.longest,
        arcs_per_start=trie.arcs_per_start,
        character=model.unit == "character",
        unknown_id=-1 if model.unknown_id is None else model.unknown_id,
        fuse=model.fuse_unknown,
        escaped=model.unit == "byte-level",
        carry=mode == VITERBI and model.kind in SUMS_FROM_TEXT_START,
        automaton=linked,
    )


def _single(scores: Floats) -> Floats:
    return scores.astype(np.float32).astype(np.float64)


def beside(units: np.ndarray[Any, np.dtype[np.uint64]], values: Floats) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """Return units of a trie, each with the value of the piece that ends there: uint64, shape (n, 2)."""
    pairs = np.empty((len(units), 2), np.uint64)
    pairs[:, 0] = units
    pairs[:, 1] = values[units >> 36].view(np.uint64)
    return pairs


def check_numbers(alpha: float, length_weight: float) -> None:
    """Check what can be said of alpha and length weight without a model.

    Raises:
        UsageError: one of them is out of range.
    """
    if not (0 <= alpha < math.inf):
        raise UsageError(f"alpha is {alpha}", "accepted are numbers from 0 on")
    if not (0 < length_weight < math.inf):
        raise UsageError(f"the weight of a token is {length_weight}", "accepted are numbers above 0")


def check_distribution(model: Model, alpha: float, length_weight: float) -> None:
    """Check that the model has a distribution with this alpha and length weight.

    Raises:
        UsageError: one of them is out of range, or the model has no probabilities for alpha > 0.
    """
    check_numbers(alpha, length_weight)
    if alpha > 0 and not model.weighted:
        raise UsageError(
            f"this {model.kind} model has merge ranks and no probabilities, so alpha = {alpha} means nothing",
            "only alpha = 0 is possible: uniform over all segmentations",
        )


def scores_by_code(model: Model, lengths: np.ndarray[Any, np.dtype[np.uint32]], best_path: bool) -> Floats:
    """Return log p of every id and of an unknown character of 1 … 4 bytes, float64, shape (n + 4,).

    A user-defined piece has 0.1 · (length - 1): SentencePiece 0.2.3 counts its bytes for the best path
    (EncodeOptimized) and its characters in the lattice that it samples from.
    """
    unknown = model.unknown_score if model.unknown_id is not None else float(model.scores.min(initial=0.0))
    scores = np.append(model.scores, [unknown] * 4)
    for i in np.flatnonzero(model.user_defined):
        length = len(model.pieces[i]) if best_path else _characters(model.pieces[i])
        # The library computes it in float32 from a double constant.
        scores[i] = float(np.float32(0.1 * (length - 1)))
    return scores


def _characters(piece: bytes) -> int:
    return sum((byte & 0xC0) != 0x80 for byte in piece)


def exponential(logs: Floats) -> tuple[Floats, Integers]:
    """Return e^x as mantissas in [0.5, 1) and exponents of two, float64 and int32.

    Only sums, products and exact scaling are used, so that every IEEE machine makes the same table;
    libraries' exp differ in the last bit. The error is below one unit of the last place for |x| < 2^20.
    """
    k = np.rint(logs * (1 / math.log(2)))
    r = (logs - k * _LN2_HIGH) - k * _LN2_LOW
    series = np.full_like(r, 1 / math.factorial(14))
    for i in range(13, 0, -1):
        series = series * r + 1 / math.factorial(i)
    mantissas, exponents = np.frexp(1.0 + series * r)
    return mantissas, (exponents + k.astype(np.int64)).astype(np.int32)


def fits_doubles(model: Model, trie: Trie, lengths: np.ndarray[Any, np.dtype[np.uint32]], log_weights: Floats) -> bool:
    """Say whether no cell can leave a double's range while a cell within one piece of it is in 2^384 … 2^768.

    A cell is at least the product of the single steps from any cell before it, and at most the number of
    paths from there times their largest weight.
    """
    usable = np.append(model.arc, [True] * 4)
    units = np.ones(len(usable), np.int64)
    units[: len(model.pieces)] = lengths[: len(model.pieces)]
    # One character is at most four bytes; counting longer pieces of few bytes in only widens the bound.
    single = usable & (units <= (1 if model.unit == "byte" else 4))
    bits = log_weights / math.log(2)
    least = min(0.0, float(bits[single].min(initial=0.0)))
    most = max(0.0, float(bits[usable].max(initial=0.0)))
    reach = trie.longest_units
    return reach * -least < 1300 and reach * (1 + most) < 240

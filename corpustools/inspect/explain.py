"""What a model sees in a text, and how that is shown: lines for people, plain data for JSON."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from typing import Any

from corpustools.stages.tokenize.explain import Explanation, Segmentation
from corpustools.stages.tokenize.tokenizer import Text, Tokenizer


def explain(
    model: Tokenizer | str | os.PathLike[str],
    text: Text,
    alpha: float | None = None,
    *,
    length_weight: float = 1.0,
    nbest: int = 5,
    marginals: int | None = None,
) -> Explanation:
    """Return the lattice of a text: its segmentations and tokens with their exact probabilities.

    >>> [(one.pieces, round(one.probability, 3)) for one in explain("letters.vocab", "ab").nbest]
    [(['ab'], 0.731), (['a', 'b'], 0.269)]

    Args:
        model: a tokenizer, or the path of a model file.
        text: the text.
        alpha: the exponent of the probabilities; None is 1, or 0 for a model without probabilities.
        length_weight: a factor for every token.
        nbest: how many of the most probable segmentations; where all weigh the same, these are any.
        marginals: how many of the most probable tokens; None: all with P >= 0.01.

    Raises:
        UsageError: a number is out of range, or alpha is above 0 for a model without probabilities.
        DataError: the model file is damaged, or the vocabulary cannot write a character of the text.
        UnsupportedModel: the model needs something that is not done here.
        SystemFailure: the model file cannot be read.
    """
    tokenizer = model if isinstance(model, Tokenizer) else Tokenizer.load(model)
    return tokenizer.explain(text, alpha, length_weight=length_weight, nbest=nbest, marginals=marginals)


def as_fields(found: Explanation) -> dict[str, Any]:
    """Return an explanation as plain data, for JSON."""
    return {
        "normalized": found.normalized,
        "alpha": found.alpha,
        "length_weight": found.length_weight,
        "segmentations": found.segmentations,
        "log10_segmentations": found.log10_segmentations,
        "logz": found.log_z,
        "entropy": found.entropy,
        "length": found.length,
        "best": _path(found.best) if found.best else None,
        "canonical": _path(found.canonical) if found.canonical else None,
        "nbest": [_path(one) for one in found.nbest],
        "marginals": [
            {"start": t.start, "end": t.end, "ids": t.ids, "piece": t.piece, "kind": t.kind, "p": t.probability}
            for t in found.tokens
        ],
    }


def _path(one: Segmentation) -> dict[str, Any]:
    return {
        "ids": one.ids,
        "pieces": one.pieces,
        "score": one.score,
        # JSON has no infinity.
        "logprob": None if one.logprob == -math.inf else one.logprob,
        "p": one.probability,
    }


def report(found: Explanation, marginals: int | None = None) -> Iterator[str]:
    """Give an explanation as lines for people.

    Args:
        found: the explanation.
        marginals: how many tokens were asked for; None: those with P >= 0.01.
    """
    power = math.floor(found.log10_segmentations)
    many = f"{10 ** (found.log10_segmentations - power):.3f}e{power}"
    shape = f"alpha {found.alpha:g}" + (f", length weight {found.length_weight:g}" if found.length_weight != 1 else "")
    yield f"normalized     {found.normalized}"
    yield f"segmentations  {many if found.segmentations is None else f'{found.segmentations:,}'}"
    yield f"distribution   {shape}"
    yield f"log Z          {found.log_z:.6f}"
    yield f"entropy        {found.entropy:.6f} nats"
    yield f"tokens         {found.length:.6f} expected"
    if found.best is not None:
        yield "best segmentation"
        yield _row(found.best)
    if found.canonical is not None:
        yield "canonical segmentation"
        yield f"{_row(found.canonical)}  ids {' '.join(map(str, found.canonical.ids))}".rstrip()
    if found.nbest:
        yield "most probable segmentations"
        yield from map(_row, found.nbest)
    if found.tokens:
        yield "tokens with P >= 0.01" if marginals is None else "most probable tokens"
    for token in found.tokens:
        note = "" if token.kind == "piece" else f" ({token.kind})"
        place, ids = f"{token.start}-{token.end}", " ".join(map(str, token.ids))
        yield f"  P {token.probability:<11.6g} {place:>9}  {token.piece}{note}  id {ids}"


def _row(one: Segmentation) -> str:
    score = "" if one.score is None else f"  score {one.score:<12.6f}"
    return f"  P {_probability(one.logprob):<11}{score}  {' '.join(one.pieces)}".rstrip()


def _probability(logprob: float) -> str:
    """Return P, also where no float is so small."""
    if logprob == -math.inf:
        return "0"
    return f"{math.exp(logprob):.6g}" if logprob > -690 else f"10^{logprob / math.log(10):.3f}"

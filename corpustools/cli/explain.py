"""`corpus explain`: what a model sees in a text."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from corpustools.inspect.explain import Explanation, Segmentation

HELP = """Show how a model sees each TEXT, or each line of standard input.

The report holds the normalised text, the number of its segmentations, log Z, the entropy in nats, and the expected
number of tokens. It lists the best segmentation, the most probable ones, and the most probable tokens with their places
in bytes of the normalised text. All numbers are exact, for text of any length.

A segmentation has probability P = product of p(token)^alpha / Z. Characters that cannot be printed, and spaces within
tokens, are written as <0x20>.

\b
Examples:
  corpus explain -m t.model 'Hello world'
  corpus explain -m t.model --alpha 0.2 --nbest 20 -f json < a.txt | jq .entropy
"""


@click.command(help=HELP, no_args_is_help=False)
@click.argument("texts", metavar="[TEXT]...", nargs=-1)
@click.option("-m", "--model", required=True, metavar="MODEL", help="Model file.")
@click.option(
    "--alpha",
    type=float,
    metavar="A",
    help="Raise the probabilities to this power, 0 or more.  [default: 1; for BPE vocabularies 0]",
)
@click.option(
    "--length-weight",
    type=float,
    default=1.0,
    metavar="L",
    help="Multiply the weight of a segmentation by L for every token. Below 1, fewer and longer tokens are likelier.  "
    "[default: 1]",
)
@click.option(
    "--nbest",
    type=click.IntRange(min=0),
    default=5,
    metavar="N",
    show_default=True,
    help="Show the N most probable segmentations.",
)
@click.option(
    "--marginals",
    type=click.IntRange(min=0),
    metavar="N",
    help="Show the N most probable tokens.  [default: all with P >= 0.01]",
)
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="text is for people. json writes one object for each text.",
)
@click.option("--debug", is_flag=True, expose_value=False, help="Show a traceback when something fails.")
def command(
    texts: tuple[str, ...],
    model: str,
    alpha: float | None,
    length_weight: float,
    nbest: int,
    marginals: int | None,
    form: str,
) -> None:
    """Run `corpus explain`."""
    from corpustools.errors import DataError
    from corpustools.inspect.explain import explain
    from corpustools.stages.tokenize.tokenizer import Tokenizer

    tokenizer = Tokenizer.load(model)
    for number, text in enumerate(map(os.fsencode, texts) if texts else _lines()):
        try:
            found = explain(tokenizer, text, alpha, length_weight, nbest, marginals)
        except DataError as error:
            raise DataError(f"text {number}: {error.what}", error.remedy) from error
        if form == "json":
            shown = json.dumps(_fields(found), ensure_ascii=False)
        else:
            shown = "\n" * (number > 0) + "\n".join(_report(found, marginals))
        # Not click's echo: what is UTF-8 stays UTF-8 in any locale.
        sys.stdout.buffer.write(shown.encode() + b"\n")
        sys.stdout.buffer.flush()


def _lines() -> Iterator[bytes]:
    for line in sys.stdin.buffer:
        yield line.removesuffix(b"\n")


def _fields(found: Explanation) -> dict[str, Any]:
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
        "logprob": one.logprob,
        "p": one.probability,
    }


def _report(found: Explanation, marginals: int | None) -> Iterator[str]:
    """Give the lines for people."""
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
    return f"{math.exp(logprob):.6g}" if logprob > -690 else f"10^{logprob / math.log(10):.3f}"

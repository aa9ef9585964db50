"""`corpus explain`: what a model sees in a text."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator

import click

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
    "--special",
    type=click.Choice(["library", "text"]),
    default="library",
    show_default=True,
    help="What to do with text that looks like a special token, such as </s>. library does as the model's own library. "
    "text treats it like any other text.",
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
    special: str,
    form: str,
) -> None:
    """Run `corpus explain`."""
    from corpustools.cli.report import EMPTY, say
    from corpustools.errors import DataError
    from corpustools.inspect.explain import as_fields, report
    from corpustools.stages.tokenize.lattice.weights import check_numbers
    from corpustools.stages.tokenize.tokenizer import Tokenizer

    check_numbers(0.0 if alpha is None else alpha, length_weight)
    tokenizer = Tokenizer.load(model, special=special)
    number = -1
    for number, text in enumerate(map(os.fsencode, texts) if texts else _lines()):
        try:
            found = tokenizer.explain(text, alpha, length_weight=length_weight, nbest=nbest, marginals=marginals)
        except DataError as error:
            raise DataError(f"text {number}: {error.what}", error.remedy) from error
        if form == "json":
            shown = json.dumps(as_fields(found), ensure_ascii=False)
        else:
            shown = "\n" * (number > 0) + "\n".join(report(found, marginals))
        # Not click's echo: what is UTF-8 stays UTF-8 in any locale.
        sys.stdout.buffer.write(shown.encode() + b"\n")
        sys.stdout.buffer.flush()
    if number < 0:
        say(f"warning: {EMPTY}")


def _lines() -> Iterator[bytes]:
    from corpustools.files.pipes import require_finished

    for line in sys.stdin.buffer:
        yield line.removesuffix(b"\n")
    require_finished(0, "standard input")

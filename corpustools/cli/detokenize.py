"""`corpus detokenize`: ids back to text."""

from __future__ import annotations

import click

from corpustools.cli.options import common_options
from corpustools.cli.report import EMPTY, Reporter, human
from corpustools.formats import READABLE, TEXT_FORMS

HELP = """Turn lines of token ids back into text, a record each.

Ids are separated by spaces. With -f jsonl each line is an object with a list "ids". The text comes back whole if the
model keeps all of it. Texts with line breaks come back as objects with a string "text".

\b
Example:
  corpus tokenize -m t.model a.txt | corpus detokenize -m t.model
"""


@click.command(help=HELP, no_args_is_help=False)
@click.argument("inputs", metavar="[INPUT]...", nargs=-1)
@click.option("-m", "--model", required=True, metavar="MODEL", help="Model file.")
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(list(READABLE)),
    default="ids",
    show_default=True,
    help="Format of the input.",
)
@click.option(
    "--to",
    type=click.Choice(TEXT_FORMS),
    default="auto",
    show_default=True,
    help="Format of the output. lines: a line each; a text with a line break is refused. jsonl: an object each. auto: "
    "jsonl if one of the first thousand texts, or of those in the first MiB, holds a line break, else lines.",
)
@click.option(
    "-o",
    "--output",
    default="-",
    metavar="PATH",
    help="Output file. The suffixes .zst and .gz compress.  [default: standard output]",
)
@common_options
def command(
    inputs: tuple[str, ...],
    model: str,
    form: str,
    to: str,
    output: str,
    manifest: str | None,
    progress: str,
    quiet: bool,
) -> None:
    """Run `corpus detokenize`."""
    from corpustools.files.inputs import as_paths, inspect
    from corpustools.stages.tokenize.detokenize import carry_out
    from corpustools.stages.tokenize.request import check_files
    from corpustools.stages.tokenize.tokenizer import Tokenizer

    found = inspect(as_paths(inputs or ("-",)))
    check_files(found, output, model, None)
    record = None
    if manifest is not None:
        from corpustools.files.manifest import Manifest

        others = [("the model", model), ("the output", output), *(("the input", one) for one in inputs)]
        record = Manifest(manifest, others, "detokenize", model=model, output=output)
    tokenizer = Tokenizer.load(model)
    with Reporter(progress, quiet) as report:
        result = carry_out(tokenizer, found, output, form, to, report, record)
        if not result.records:
            report.warn(EMPTY)
        if to == "auto" and result.form == "jsonl":
            report.note("texts hold line breaks, so each is an object with 'text'")
        report.summary(
            f"{result.records} records, {result.tokens} tokens, {human(result.bytes)} in {result.seconds:.1f} s",
            records=result.records,
            tokens=result.tokens,
            bytes=result.bytes,
            seconds=round(result.seconds, 3),
            form=result.form,
        )

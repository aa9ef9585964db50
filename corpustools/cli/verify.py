"""`corpus verify`: what was written against what went in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from corpustools.cli.options import common_options
from corpustools.cli.report import Reporter
from corpustools.cli.verify_options import VerifyCommand, drawn_options
from corpustools.formats.layout import PACKINGS
from corpustools.formats.readers import READERS

if TYPE_CHECKING:
    from corpustools.inspect.verify.request import VerifyRequest
    from corpustools.inspect.verify.results import VerifyResult

HELP = """Hold an OUTPUT against its source: nothing is missing, nothing is there twice, nothing was changed.

With -m, OUTPUT holds token ids, in any format that corpus tokenize writes or that another tool has written so. Every
document has to spell the text that the model segments for its record. So samples can be verified as well as best
segmentations. The files of OUTPUT are held against each other too.

Without -m, OUTPUT is a shuffled file: it has to have the records of the source, each as often. Rows of Parquet and
Arrow files are records too.

The first document that differs ends the run with status 1, and both versions of it are shown.

\b
Examples:
  corpus verify train -m t.model --field text --eos --source raw/*.jsonl.zst
  corpus verify train --made-by train.json
  corpus verify 'train-{shard}' -m t.model --eos --sample 10000 --source a.txt
  corpus verify shuffled.txt --source a.txt b.txt
"""


@click.command(cls=VerifyCommand, help=HELP, no_args_is_help=False)
@click.argument("outputs", metavar="OUTPUT...", nargs=-1)
@click.option(
    "--source",
    "sources",
    metavar="INPUT...",
    multiple=True,
    help="What went in, in the same order; every name up to the next option. - is standard input.  [default: what the "
    "manifest says]",
)
@click.option("-m", "--model", metavar="MODEL", help="Model file that made the ids.")
@click.option(
    "--made-by",
    metavar="MANIFEST",
    help="The manifest of the run that made the output. What it says need not be given again, and may not be "
    "contradicted.  [default: one beside OUTPUT that names it]",
)
@click.option(
    "-f",
    "--format",
    type=click.Choice(list(READERS)),
    help="Format of the output.  [default: recognised by the files]",
)
@click.option(
    "--field",
    metavar="NAME",
    help="Records of the source are JSON objects, or rows of tables, with the text in this field.",
)
@click.option("--skip-bad", is_flag=True, help="Records that cannot be taken were skipped.")
@click.option("--bos", is_flag=True, help="Every document begins with the model's begin (bos) id.")
@click.option("--eos", is_flag=True, help="Every document ends with the model's end (eos) id.")
@click.option(
    "--samples",
    type=click.IntRange(min=1),
    default=1,
    metavar="K",
    help="There are K documents for each record.  [default: 1]",
)
@click.option(
    "--context",
    type=click.IntRange(min=1),
    metavar="L",
    help="The ids were cut into windows of L, and an incomplete last one was dropped.",
)
@click.option(
    "--pack",
    type=click.Choice(PACKINGS),
    default="concat",
    show_default=True,
    help="How documents were laid out over windows. For best-fit the source is tokenized and packed again.",
)
@drawn_options
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    metavar="N",
    help="Compare the text of about N documents, evenly spread. Numbers, marks and ids are looked at in all of them.",
)
@click.option(
    "--special",
    type=click.Choice(["library", "text"]),
    help="What text that looks like a special token, such as </s>, became.  [default: library]",
)
@click.option("-z", "--zero-terminated", is_flag=True, help="Records of a shuffled file end in a NUL byte.")
@click.option(
    "--record-bytes",
    type=click.IntRange(min=1),
    metavar="B",
    help="Records of a shuffled file are B bytes each and have no delimiter.",
)
@click.option(
    "--header",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="The first N records of every input are its header, which a shuffled file has once.",
)
@click.option(
    "-n",
    "--head-count",
    type=click.IntRange(min=0),
    metavar="K",
    help="A shuffled file has the first K records of the shuffle: each has to be in the source, at least as often.",
)
@click.option(
    "-j",
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Number of threads.  [default: one for each processor]",
)
@common_options
def command(
    outputs: tuple[str, ...],
    sources: tuple[str, ...],
    model: str | None,
    made_by: str | None,
    manifest: str | None,
    progress: str,
    quiet: bool,
    **options: Any,
) -> None:
    """Run `corpus verify`."""
    if not outputs:
        raise click.UsageError("no OUTPUT; name it before --source, which takes all names behind it")
    from corpustools.files.inputs import inspect
    from corpustools.inspect.verify.made_by import find_manifest, read_manifest
    from corpustools.inspect.verify.run import carry_out

    request = request_of(**options)
    made = read_manifest(made_by) if made_by is not None else find_manifest(outputs[0])
    if made is not None:
        request, model = made.completed(request), model or made.model
        sources = sources or tuple(made.sources())
    if not sources:
        raise click.UsageError("no --source; name what went in")
    record = None
    if manifest is not None:
        from corpustools.files.manifest import Manifest

        named = [("the model", model)] if model is not None else []
        data = [*named, *(("the output", one) for one in outputs), *(("the source", one) for one in sources)]
        record = Manifest(manifest, data, "verify", outputs=list(outputs), model=model)
    found = inspect(list(sources), tables=model is None or request.field is not None)
    with Reporter(progress, quiet) as report:
        if made is not None:
            report.note(f"the output was made as {made.path} tells")
        result = carry_out(model, list(outputs), found, request, report, record)
        report.summary(
            line_of(result),
            documents=result.documents,
            records=result.records,
            tokens=result.tokens,
            seconds=round(result.seconds, 3),
        )


def request_of(
    context: int | None,
    sample: int | None,
    mode: str | None,
    alpha: float | None,
    nbest: int | None,
    workers: int | None,
    zero_terminated: bool,
    record_bytes: int | None,
    header: int,
    **options: Any,
) -> VerifyRequest:
    """Return what the options ask for."""
    from corpustools.inspect.verify.request import VerifyRequest, record_format
    from corpustools.machine import default_workers
    from corpustools.stages.tokenize.request import mode_of

    return VerifyRequest(
        form=record_format(b"\0" if zero_terminated else b"\n", record_bytes or 0, header),
        context=context or 0,
        sample=sample or 0,
        mode=mode_of(mode, alpha),
        nbest=nbest or 0,
        alpha=1.0 if alpha is None else alpha,
        workers=workers or default_workers(),
        **options,
    )


def line_of(result: VerifyResult) -> str:
    """Return what was found, in one line for people."""
    if result.tokens is None:
        of = "" if result.documents == result.records else f" with some of the source's {result.records}"
        return f"{result.documents} records agree{of} in {result.seconds:.1f} s"
    copies = f"{'' if result.exact else 'about '}{result.duplicates} equal to an earlier one"
    text = "" if result.compared == result.documents else f" (text of {result.compared})"
    lost = f"; the last {result.unwritten} records are in no window" if result.unwritten else ""
    packed = ""
    if result.windows is not None:
        fill = result.tokens / max(result.tokens + (result.padding or 0), 1)
        packed = f" in {result.windows} windows ({fill:.2%} full)"
    width = f"{result.width} bytes an id" if result.width else "ids of no fixed width"
    return (
        f"{result.documents} documents agree{text}, {result.tokens} tokens{packed}, {result.format}, {width}, "
        f"{copies}{lost}, in {result.seconds:.1f} s"
    )

"""`corpus tokenize`: text to ids, the best segmentation or exact samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from corpustools.cli.options import PART, common_options
from corpustools.cli.report import Reporter
from corpustools.cli.tokenize_options import layout_options, segmentation_options
from corpustools.cli.tokenize_summary import facts_of, note_marks, note_unused, options_of, summarize
from corpustools.formats import FORMATS

if TYPE_CHECKING:
    from corpustools.stages.tokenize.request import TokenizeRequest

HELP = """Write the token ids of the records (lines) of the inputs, in order.

Without --alpha, that is the best segmentation of each record; of a byte-pair model (BPE) it is the canonical one, which
its merges make. Both are the ids of the model's own library. With --alpha it is a random segmentation, drawn with
probability P = product of p(token)^alpha / Z. Samples depend on the seed, the epoch, the record's number and its text
alone, so threads, parts and pipes do not change them.

MODEL is a SentencePiece .model, a bytepiece .model, a tokenizer.json, a tiktoken rank file, a tekken.json, a list of
piece<TAB>score lines, or a list of word counts. It is recognised by its content, and so are compressed inputs (gz, zst,
bz2, xz).

\b
Examples:
  corpus tokenize -m t.model a.txt.zst -f u16 -o a.bin
  corpus tokenize -m t.model a.jsonl.zst --field text --eos -f megatron -o train/a
  corpus tokenize -m t.model a.txt --eos --context 2048 --pack best-fit -f npy -o a.npy
  corpus shuffle a.txt | corpus tokenize -m t.model --alpha 0.2 -s 7
  corpus tokenize -m t.model --alpha 0.1 --samples 4 -f jsonl --with logprob,entropy a.txt
  corpus tokenize -m tokenizer.json --stochastic 0.1 -s 7 --epoch 2 a.txt -f u32 -o a.bin
"""


@click.command(help=HELP, no_args_is_help=False)
@click.argument("inputs", metavar="[INPUT]...", nargs=-1)
@click.option("-m", "--model", required=True, metavar="MODEL", help="Model file.")
@segmentation_options
@click.option(
    "-f",
    "--format",
    type=click.Choice(list(FORMATS)),
    default="ids",
    show_default=True,
    help="ids or pieces: a line for each segmentation. jsonl: an object for each. u16, u32: bare little-endian ids. "
    "npy: one NumPy array. The others are what trainers read; docs/formats.md tells of each.",
)
@click.option(
    "-o",
    "--output",
    default="-",
    metavar="PATH",
    help="Output file; for formats of several files what their names begin with, or their folder. With shards the "
    "name holds {shard} where the number stands. The suffixes .zst and .gz compress lines and bare ids.  [default: "
    "standard output]",
)
@click.option(
    "--with",
    "columns",
    metavar="NAMES",
    help="What jsonl objects hold besides ids, separated by commas: score, logprob, logz, entropy, length (expected "
    "number of tokens), pieces.",
)
@click.option(
    "--field",
    metavar="NAME",
    help="Records are JSON objects, or rows of Parquet and Arrow files. Segment the text under this key, or in this "
    "column. a.b is the key b of the object under a.",
)
@click.option(
    "--skip-bad",
    is_flag=True,
    help="Pass over records that cannot be taken, such as broken JSON or a null in the field. Summary and manifest "
    "count them by cause, and the status is 3.",
)
@layout_options
@click.option(
    "--special",
    type=click.Choice(["library", "text", "error"]),
    default="library",
    show_default=True,
    help="What to do with text that looks like a special token, such as </s>. library does as the model's own library, "
    "and counts the documents in which text became a special id. text never makes a special id out of text, which is "
    "right for crawls. error stops at the first one.",
)
@click.option(
    "--scores",
    type=click.Choice(["auto", "f64", "f32"]),
    default="auto",
    show_default=True,
    help="How scores are added up to find the best segmentation. auto gives the ids of the model's own library: it is "
    "f32 for SentencePiece, else f64. f64 adds doubles. f32 rounds every sum to single precision, as SentencePiece "
    "does. They differ only where segmentations are equally good, or nearly so.",
)
@click.option(
    "--engine",
    type=click.Choice(["auto", "reference", "fast"]),
    default="auto",
    show_default=True,
    help="What makes the canonical ids of byte-pair models. fast is our engine. reference is the model's own library, "
    "about twenty times slower. auto is our engine, and the library encodes some documents too where it is installed; "
    "a difference ends the run. With --stochastic this is about the ids that words are drawn among, and reference is "
    "refused.",
)
@click.option(
    "-j",
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Number of threads.  [default: one for each processor]",
)
@click.option(
    "--part",
    type=PART,
    metavar="I/N",
    help="Write only part I of N, counted from 1; samples need the same --seed for every part. One after another the "
    "parts are the whole output.",
)
@common_options
def command(
    inputs: tuple[str, ...],
    model: str,
    output: str,
    manifest: str | None,
    progress: str,
    quiet: bool,
    **options: Any,
) -> int:
    """Run `corpus tokenize`; return the exit status."""
    from corpustools.errors import Incomplete
    from corpustools.files.inputs import as_paths, inspect
    from corpustools.stages.tokenize.request import check_files
    from corpustools.stages.tokenize.run import carry_out
    from corpustools.stages.tokenize.tokenizer import Tokenizer

    request = request_of(**options)
    found = inspect(as_paths(inputs or ("-",)), tables=request.field is not None)
    check_files(found, output, model, request.format)
    record = None
    if manifest is not None:
        from corpustools.files.manifest import Manifest

        others = [("the model", model), ("the output", output), *(("the input", one) for one in inputs)]
        tables = (request.counts, request.count_tokens)
        others += [("the token counts", one) for one in tables if one is not None]
        record = Manifest(manifest, others, "tokenize")
    tokenizer = Tokenizer.load(model)
    request = request.for_model(tokenizer)
    if record is not None:
        record.add(**facts_of(request), model=model, format=request.format, output=output)
        record.add(request=options_of(request))
        record.add(vocabulary=len(tokenizer), control=tokenizer.model.control)
    with Reporter(progress, quiet) as report:
        for note in tokenizer.model.notes:
            report.note(note)
        note_unused(report, request, options)
        note_marks(report, request)
        result = carry_out(tokenizer, found, output, request, report, record)
        if quiet and request.drawn and options["seed"] is None and manifest is None:
            report.seed(request.seed)
        summarize(report, request, result)
    return Incomplete.exit_code if result.skipped else 0


def request_of(
    mode: str | None,
    alpha: float | None,
    stochastic: float | None,
    dropout: float | None,
    counts: str | None,
    seed: str | None,
    columns: str | None,
    nbest: int | None,
    context: int | None,
    shards: int | None,
    shard_tokens: int | None,
    workers: int | None,
    **options: Any,
) -> TokenizeRequest:
    """Return what the options ask for.

    Raises:
        UsageError: a part of samples has no seed.
    """
    from corpustools.machine import default_workers
    from corpustools.stages.tokenize.request import TokenizeRequest, alpha_of, mode_of, seed_of

    mode = mode_of(mode, alpha, stochastic, dropout)
    return TokenizeRequest(
        mode=mode,
        alpha=alpha_of(alpha, mode, counts),
        stochastic=stochastic,
        dropout=dropout,
        counts=counts,
        seed=seed_of(seed, mode, options["part"]),
        columns=tuple(columns.split(",")) if columns else (),
        nbest=nbest or 0,
        context=context or 0,
        shards=shards or 0,
        shard_tokens=shard_tokens or 0,
        workers=workers or default_workers(),
        **options,
    )

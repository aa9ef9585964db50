"""`corpus tokenize`: text to ids, the best segmentation or exact samples."""

from __future__ import annotations

from typing import Any

import click

from corpustools.cli.options import PART, common_options
from corpustools.cli.report import Reporter, human
from corpustools.formats import FORMATS

HELP = """Write the token ids of the records (lines) of the inputs, in order.

A segmentation has probability P = product of p(token)^alpha / Z. The best one is written, or with --alpha an exact
sample; alpha 0 is uniform over all segmentations, for any vocabulary. Samples are a function of the seed, the epoch,
the record number and the text alone: not of workers, parts or pipes.

MODEL is a SentencePiece .model, a bytepiece .model, a tokenizer.json, piece<TAB>score lines or word counts; it is
recognised by its content. Inputs may be gz, zst, bz2 or xz.

\b
  corpus tokenize -m t.model a.txt.zst -f u16 -o a.bin
  corpus tokenize -m t.model a.txt -f npy --eos --context 2048 -o a.npy
  corpus shuffle a.txt | corpus tokenize -m t.model --alpha 0.2 -s 7
  corpus tokenize -m t.model --alpha 0.1 --samples 4 -f jsonl --with logprob,entropy a.txt
"""


@click.command(help=HELP, no_args_is_help=False)
@click.argument("inputs", metavar="[INPUT]...", nargs=-1)
@click.option("-m", "--model", required=True, metavar="MODEL", help="The model file.")
@click.option(
    "--mode",
    type=click.Choice(["viterbi", "sample", "viterbi-sampling"]),
    help="viterbi-sampling is Su's first algorithm; it is biased and kept for comparison.  "
    "[default: viterbi; with --alpha sample]",
)
@click.option("--alpha", type=float, metavar="A", help="The exponent of the probabilities, from 0 on.  [default: 1]")
@click.option(
    "--length-weight",
    type=float,
    default=1.0,
    metavar="L",
    help="A factor for every token in the law of the sample: below 1 prefers fewer, longer ones.  [default: 1]",
)
@click.option("-s", "--seed", metavar="TEXT", help="Any text.  [default: random, printed at the end]")
@click.option("--epoch", type=int, default=0, metavar="N", help="Another epoch, other samples.  [default: 0]")
@click.option("--samples", type=int, default=1, metavar="K", help="Segmentations of each record, one after another.")
@click.option("--unique", is_flag=True, help="Samples without replacement; fewer than K where there are fewer.")
@click.option("--nbest", type=click.IntRange(min=1), metavar="K", help="The K best segmentations, the best first.")
@click.option(
    "-f",
    "--format",
    type=click.Choice(list(FORMATS)),
    default="ids",
    show_default=True,
    help="Lines of ids or pieces, objects, bare little-endian ids, or one NumPy array.",
)
@click.option("-o", "--output", default="-", metavar="PATH", help="Where to write.  [default: standard output]")
@click.option(
    "--with",
    "columns",
    metavar="NAMES",
    help="For jsonl, with commas: score, logprob, logz, entropy, length (expected), pieces.",
)
@click.option("--field", metavar="NAME", help="Records are JSON objects; segment the text under this key.")
@click.option("--bos", is_flag=True, help="Begin every segmentation with the model's bos id.")
@click.option("--eos", is_flag=True, help="End every segmentation with the model's eos id.")
@click.option(
    "--context",
    type=click.IntRange(min=1),
    metavar="L",
    help="Cut the ids of all segmentations, one after another (usually with --eos), into windows of exactly L ids; "
    "what fills no last window is dropped and counted. For u16, u32 and npy, whose shape is then (n, L). With --part "
    "each part makes its own windows.",
)
@click.option(
    "--scores",
    type=click.Choice(["f64", "f32"]),
    default="f64",
    show_default=True,
    help="f32 rounds as SentencePiece does, bit for bit (viterbi).",
)
@click.option("-j", "--workers", type=click.IntRange(min=1), metavar="N", help="Threads.  [default: one a processor]")
@click.option("--part", type=PART, metavar="I/N", help="Only the I-th of N parts; the parts concatenate to the whole.")
@common_options
def command(
    inputs: tuple[str, ...],
    model: str,
    mode: str | None,
    alpha: float | None,
    seed: str | None,
    columns: str | None,
    nbest: int | None,
    context: int | None,
    workers: int | None,
    output: str,
    manifest: str | None,
    progress: str,
    quiet: bool,
    **options: Any,
) -> None:
    """Run `corpus tokenize`."""
    from corpustools.machine import default_workers
    from corpustools.seeds import fresh_seed
    from corpustools.stages.tokenize.request import Request
    from corpustools.stages.tokenize.run import WindowsResult, tokenize
    from corpustools.stages.tokenize.tokenizer import Tokenizer

    mode = mode or ("viterbi" if alpha is None else "sample")
    request = Request(
        mode=mode,
        alpha=1.0 if alpha is None else alpha,
        seed=fresh_seed() if seed is None else seed,
        columns=tuple(columns.split(",")) if columns else (),
        nbest=nbest or 0,
        context=context or 0,
        workers=workers or default_workers(),
        **options,
    )
    if manifest is not None:
        from corpustools.files.manifest import Manifest

        record = Manifest(manifest, [model, output, *inputs])
    tokenizer = Tokenizer.load(model)
    with Reporter(progress, quiet) as report:
        result, found = tokenize(tokenizer, inputs, output, request, report)
        facts: dict[str, Any] = {"mode": mode}
        if mode != "viterbi":
            facts |= {"alpha": request.alpha, "seed": request.seed, "epoch": request.epoch}
        if request.context:
            facts["context"] = request.context
        if manifest is not None:
            facts |= {"model": model, "vocabulary": len(tokenizer), "format": request.format, "output": output}
            record.write("tokenize", found, result, **facts, control=tokenizer.model.control)
        rate = report_rate(result.tokens, result.seconds)
        packed = ""
        if isinstance(result, WindowsResult):
            packed = f" in {result.windows} windows of {request.context} ({result.dropped} dropped)"
            facts |= {"windows": result.windows, "dropped": result.dropped}
        drawn = "" if mode == "viterbi" else f", --seed {request.seed}"
        report.summary(
            f"{result.records} records, {result.tokens} tokens{packed}, {human(result.bytes)} "
            f"in {result.seconds:.1f} s ({rate}){drawn}",
            records=result.records,
            tokens=result.tokens,
            bytes=result.bytes,
            seconds=round(result.seconds, 3),
            **facts,
        )


def report_rate(tokens: int, seconds: float) -> str:
    """Return tokens a second as people write them."""
    return f"{tokens / max(seconds, 1e-9) / 1e6:.1f} M tokens/s"

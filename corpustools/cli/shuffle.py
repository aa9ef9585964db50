"""`corpus shuffle`: the records of the inputs in a uniformly random order."""

from __future__ import annotations

from typing import Any

import click

from corpustools.cli.options import PART, SIZE, common_options
from corpustools.cli.report import EMPTY, Reporter
from corpustools.cli.shuffle_report import tell_result, telling_what_is_kept

HELP = """Put the records (lines) of the inputs in a uniformly random order.

Every order is equally likely. The same seed and input give the same output, for any memory, threads or temporary space.
Files with the same number of records get the same permutation under the same seed.

Standard input is read when no INPUT is given. Compressed inputs (gz, zst, bz2, xz) are recognised by their content.
Temporary files hold only what does not fit the memory.

Rows of Parquet and Arrow files are records too. They go to a .parquet file with the same columns.

\b
Examples:
  corpus shuffle big.txt -o out.txt -m 8G -s 42
  zcat a.gz | corpus shuffle -s 42 | head
  corpus shuffle a.jsonl.zst b.jsonl.zst -o 'part-{shard}.jsonl.zst' --shards 64
  corpus shuffle --part 3/16 -s 42 big.txt -o p3.txt
  corpus shuffle -s 42 a.parquet b.parquet -o 'train-{shard}.parquet' --shards 8 --val 1000 --val-output val.parquet
"""


@click.command(help=HELP, no_args_is_help=False)
@click.argument("inputs", metavar="[INPUT]...", nargs=-1)
@click.option(
    "-o",
    "--output",
    default="-",
    metavar="PATH",
    help="Output file. The suffixes .zst and .gz compress, and rows need .parquet. With --shards the name holds "
    "'{shard}'.  "
    "[default: standard output]",
)
@click.option(
    "-s",
    "--seed",
    metavar="TEXT",
    help="Any text. The same seed and input give the same order.  [default: random, printed at the end]",
)
@click.option(
    "-m",
    "--memory",
    type=SIZE,
    metavar="SIZE",
    help="The most memory that the whole process may take, such as 8G; at least 64MiB.  "
    "[default: half of what is available]",
)
@click.option(
    "-T",
    "--tmp-dir",
    "tmp_dir",
    multiple=True,
    metavar="DIR",
    help="Directory for temporary files. Give it more than once to use several in turn.  "
    "[default: $TMPDIR, else beside the output]",
)
@click.option(
    "-j",
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Number of threads.  [default: one for each processor]",
)
@click.option(
    "-n",
    "--head-count",
    type=click.IntRange(min=0),
    metavar="K",
    help="Write only the first K records of the shuffled output.",
)
@click.option("-z", "--zero-terminated", is_flag=True, help="Records end in a NUL byte instead of a newline.")
@click.option(
    "--record-bytes",
    type=click.IntRange(min=1),
    metavar="B",
    help="Records are B bytes each and have no delimiter.",
)
@click.option(
    "--header",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Keep the first N records of the first input that is not empty at the top; skip those of every other input.",
)
@click.option(
    "--shards",
    type=click.IntRange(min=1),
    metavar="N",
    help="Write N files with equal numbers of records. One after another they are the whole output.",
)
@click.option(
    "--val",
    type=click.IntRange(min=1),
    metavar="N",
    help="Hold out the last N records of the shuffled output for validation. They go to --val-output instead.",
)
@click.option("--val-output", metavar="PATH", help="Output file of the records that --val holds out.")
@click.option(
    "--row-group-rows",
    "group_rows",
    type=click.IntRange(min=1),
    metavar="N",
    help="Rows in a row group of a Parquet output.  [default: 1024]",
)
@click.option(
    "--part",
    type=PART,
    metavar="I/N",
    help="Write only part I of N, counted from 1; give every part the same --seed. One after another the parts are "
    "the whole output.",
)
@click.option(
    "--spill",
    type=click.Choice(["auto", "raw", "lz4", "zstd"]),
    default="auto",
    show_default=True,
    help="How to store temporary data. auto compresses it where that ends the run sooner on this disk.",
)
@click.option(
    "--direct",
    type=click.Choice(["auto", "yes", "no"]),
    default="auto",
    show_default=True,
    help="Keep what is read or written once out of the system's page cache. auto does so for inputs and temporary data "
    "that do not fit the memory, and their outputs.",
)
@click.option(
    "--no-temp",
    is_flag=True,
    help="Write no temporary files. Read the inputs as often as the memory requires instead.",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Keep what is written when the run is stopped, killed or fails. The same command goes on there.",
)
@click.option(
    "--plan",
    is_flag=True,
    help="Print how memory and temporary space would be used, and do nothing else.",
)
@common_options
def command(
    inputs: tuple[str, ...],
    zero_terminated: bool,
    record_bytes: int | None,
    plan: bool,
    tmp_dir: tuple[str, ...],
    manifest: str | None,
    progress: str,
    quiet: bool,
    **options: Any,
) -> None:
    """Run `corpus shuffle`."""
    from corpustools.errors import UsageError
    from corpustools.stages.shuffle import describe_plan, run_shuffle, shuffle_request

    if zero_terminated and record_bytes:
        raise UsageError("--zero-terminated and --record-bytes exclude each other", "give one of them")
    options |= {"delimiter": b"\0" if zero_terminated else b"\n", "record_bytes": record_bytes or 0}
    request = shuffle_request(inputs or ("-",), tmp_dirs=tmp_dir, **options)
    if plan:
        click.echo(describe_plan(request))
        return
    record = None
    if manifest is not None:
        from corpustools.files.manifest import Manifest

        outputs = [("the output", path) for path in request.output_paths]
        others = [("the input", one.path) for one in request.inputs if one.seekable]
        facts = {} if request.val is None else {"held_out": request.val, "held_out_output": request.val_output}
        record = Manifest(manifest, outputs + others, "shuffle", output=request.output, **facts)
    with Reporter(progress, quiet) as report:
        with telling_what_is_kept(request, report):
            result = run_shuffle(request, report, record)
        if not result.records_read:
            report.warn(EMPTY)
        if quiet and options["seed"] is None and manifest is None:
            report.seed(result.seed)
        tell_result(result, report)

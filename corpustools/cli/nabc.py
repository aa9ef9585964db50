"""`corpus nabc`: the least a + b + c with N = a b + c, for numbers, streams of numbers and ranges."""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Callable, Iterator
from typing import Any

import click

from corpustools.cli.options import Command, report_options
from corpustools.errors import DataError, Incomplete, from_os
from corpustools.files.pipes import require_finished
from corpustools.stages.nabc.problem import Problem
from corpustools.stages.nabc.shape import Bounds, Shape
from corpustools.stages.nabc.text import FORMATS, Rows, Text, parse

HELP = """Find the least a + b + c with N = ab + c, for every N given. a, b and c are integers from 0 on.

Without N, integers are read from standard input, one a line. Each is answered as soon as its line is read; blank lines
are skipped. Of several minimisers, the one with the least c is written, with a <= b.

The time grows with N^(1/6).

\b
Examples:
  corpus nabc 1000003                 answers 1000003  1000  1000  3  2003
  corpus nabc --max-a 64 1000003      at most 64 rows
  corpus nabc --weights 5,1,20 --pad 1000003
  corpus nabc --range 0:100000000 > table.tsv
"""

_READ_BYTES = 1 << 18


class _Command(click.Command):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Answer a negative number as such, and not as an option that does not exist."""
        # N may have more digits than Python converts by default.
        sys.set_int_max_str_digits(0)
        for argument in args:
            if argument == "--":
                break
            if re.fullmatch(r"-[0-9]+", argument):
                raise click.UsageError(f"'{argument}' is negative; every number here is at least 0", ctx)
        return super().parse_args(ctx, args)


class _Numbers(click.ParamType[tuple[int, ...]]):
    """Integers >= 0 of any length, a fixed number of them, with a separator between."""

    def __init__(self, name: str, separator: str = "", count: int = 1) -> None:
        self.name = name
        self.separator = separator
        self.count = count

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """Return the integers, or fail with the accepted form."""
        if isinstance(value, tuple):
            return value
        parts = str(value).split(self.separator) if self.separator else [str(value)]
        if len(parts) != self.count:
            self.fail(f"'{value}' is not of the form {self.name.upper()}", param, ctx)
        try:
            return tuple(parse(os.fsencode(part)) for part in parts)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _bound(name: str, help_text: str) -> Callable[[Command], Command]:
    return click.option(f"--{name}", type=_Numbers("integer"), metavar="K", help=help_text)


@click.command(cls=_Command, help=HELP)
@click.argument("numbers", nargs=-1, type=_Numbers("n"), metavar="[N]...")
@click.option(
    "-f",
    "--format",
    "style",
    type=click.Choice(FORMATS),
    default="tsv",
    show_default=True,
    help="tsv: N a b c a+b+c, without a header. csv: with one. jsonl: an object for each row.",
)
@click.option(
    "--range", "span", type=_Numbers("lo:hi", ":", 2), metavar="LO:HI", help="Answer every N with LO <= N < HI."
)
@click.option(
    "--breakpoints",
    is_flag=True,
    help="With --range: write only LO and each N at which a and b change. In between, c and a+b+c grow by one.",
)
@click.option("--all", "every", is_flag=True, help="Write every minimiser, not only the one with the least c.")
@click.option(
    "--weights",
    type=_Numbers("wa,wb,wc", ",", 3),
    metavar="WA,WB,WC",
    help="Minimise WA a + WB b + WC c.",
)
@_bound("min-a", "The least a.")
@_bound("max-a", "The largest a. --max-a 64 means at most 64 rows.")
@_bound("min-b", "The least b.")
@_bound("max-b", "The largest b.")
@_bound("min-c", "The least c.")
@_bound("max-c", "The largest c. --max-c 0 means nothing left over.")
@click.option("--pad", is_flag=True, help="Solve N = ab - c: c places stay empty instead of c items left over.")
@click.option(
    "--max-steps",
    type=_Numbers("integer"),
    metavar="K",
    help="Stop after K steps for an N. Write the best found, report a proved lower bound, and end with status 3.",
)
@report_options
def command(
    numbers: tuple[tuple[int], ...],
    style: str,
    span: tuple[int, int] | None,
    breakpoints: bool,
    every: bool,
    weights: tuple[int, int, int] | None,
    pad: bool,
    max_steps: tuple[int] | None,
    progress: str,
    quiet: bool,
    **bounds: tuple[int] | None,
) -> None:
    """Run `corpus nabc`."""
    if span and numbers:
        raise click.UsageError("give numbers or --range, not both")
    if breakpoints and not span:
        raise click.UsageError("--breakpoints belongs to --range")
    limits = [Bounds((bounds[f"min_{name}"] or (0,))[0], (bounds[f"max_{name}"] or (None,))[0]) for name in "abc"]
    shape = Shape(weights or (1, 1, 1), limits[0], limits[1], limits[2], pad)
    problem = Problem(shape.checked(), every, max_steps[0] if max_steps else None)
    rows = Rows(problem, style, lambda text: None if quiet else click.echo(text, err=True))
    _write(rows.header)
    if numbers:
        for place, (n,) in enumerate(numbers, start=1):
            _write(rows.answer(n, f"argument {place}: " if len(numbers) > 1 else ""))
    else:
        from corpustools.cli.report import EMPTY, Reporter

        with Reporter(progress, quiet, unit="B" if span is None else "numbers") as report:
            if span is None:
                for text in rows.of_lines(_standard_input(report), "standard input"):
                    _write(text)
                if not rows.answered:
                    report.warn(EMPTY)
            else:
                for text, done in rows.of_range(*span, breakpoints=breakpoints):
                    _write(text)
                    report("nabc", done, span[1] - span[0])
    if rows.given_up:
        raise Incomplete(
            f"{rows.given_up} of {rows.answered} answers are not proved minimal", "give a larger --max-steps"
        )


def _standard_input(report: Any) -> Iterator[bytes]:
    """Yield what there is to read, as soon as it is there; progress only where the size is known.

    Raises:
        DataError: it is a file that was written to meanwhile.
    """
    done = 0
    try:
        status = os.fstat(0)
        while block := os.read(0, _READ_BYTES):
            yield block
            done += len(block)
            if stat.S_ISREG(status.st_mode):
                report("nabc", done, status.st_size)
        now = os.fstat(0)
    except OSError as error:
        raise from_os(error, "standard input") from error
    require_finished(0, "standard input")
    if stat.S_ISREG(status.st_mode) and (now.st_size, now.st_mtime_ns) != (status.st_size, status.st_mtime_ns):
        what = f"was changed while it was read: {status.st_size} bytes at the start, {now.st_size} now"
        raise DataError(f"standard input: {what}", "leave inputs alone while they are read")


def _write(text: Text) -> None:
    """Write to standard output at once and past Python's buffer, so that a failure surfaces here."""
    view = memoryview(text)
    try:
        while view:
            view = view[os.write(1, view) :]
    except BrokenPipeError:
        raise
    except OSError as error:
        raise from_os(error, "standard output") from error

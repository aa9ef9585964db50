"""Option types shared by the commands: sizes, parts, and the options every command has."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

import click

from corpustools.sizes import parse_size

Command = TypeVar("Command", bound=Callable[..., Any])


class Size(click.ParamType[int]):
    """A number of bytes written as `8G` or `512MiB`."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the bytes, or fail with the accepted forms."""
        if isinstance(value, int):
            return value
        try:
            return parse_size(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Part(click.ParamType[tuple[int, int]]):
    """`I/N`, the I-th of N parts, counted from 1."""

    name = "i/n"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Return (I, N), or fail with the accepted form."""
        if isinstance(value, tuple):
            return value
        value = str(value)
        match = re.fullmatch(r"([0-9]+)/([0-9]+)", value)
        if not match or not 1 <= int(match[1]) <= int(match[2]):
            self.fail(f"'{value}' is not a part; accepted is I/N with 1 <= I <= N, as in 2/3", param, ctx)
        return int(match[1]), int(match[2])


SIZE = Size()
PART = Part()


def common_options(command: Command) -> Command:
    """Add the options that every streaming command shares: --manifest, --progress, -q, --debug."""
    manifest = click.option("--manifest", metavar="PATH", help="Write a JSON file that says what was read and written.")
    return manifest(report_options(command))


def report_options(command: Command) -> Command:
    """Add what says how much is told on standard error: --progress, -q, --debug."""
    options = [
        click.option(
            "--progress",
            type=click.Choice(["auto", "bar", "lines", "json", "none"]),
            default="auto",
            show_default=True,
            help="How to show progress on standard error. auto is a bar on a terminal, else a line every minute.",
        ),
        click.option(
            "-q",
            "--quiet",
            is_flag=True,
            help="Print errors only, and the seed where a random one is used and no manifest holds it.",
        ),
        click.option("--debug", is_flag=True, expose_value=False, help="Show a traceback when something fails."),
    ]
    for option in reversed(options):
        command = option(command)
    return command

"""Option types shared by the commands: sizes, parts, and the options every command has."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

_UNITS = {"": 1, "B": 1} | {
    letter + suffix: base**power
    for power, letter in enumerate("KMGTP", start=1)
    for suffix, base in (("", 1024), ("iB", 1024), ("B", 1000))
}


def parse_size(text: str) -> int:
    """Return the bytes in `8G`, `512MiB`, `1.5GB`: K…P and KiB…PiB are powers of 1024, KB…PB of 1000.

    Raises:
        ValueError: the text is none of these.
    """
    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*", text)
    unit = match and re.sub(r"(?i)^([kmgtp]?)(i?)(b?)$", _canonical_unit, match[2])
    if match is None or unit not in _UNITS:
        raise ValueError(f"'{text}' is not a size; accepted are forms like 512MiB, 8G or 1.5GB")
    return int(float(match[1]) * _UNITS[unit]) if "." in match[1] else int(match[1]) * _UNITS[unit]


def _canonical_unit(match: re.Match[str]) -> str:
    return match[1].upper() + match[2].lower() + match[3].upper()


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
        match = re.fullmatch(r"([0-9]+)/([0-9]+)", value)
        if not match or not 1 <= int(match[1]) <= int(match[2]):
            self.fail(f"'{value}' is not a part; accepted is I/N with 1 <= I <= N, as in 2/3", param, ctx)
        return int(match[1]), int(match[2])


SIZE = Size()
PART = Part()


def common_options(command: Command) -> Command:
    """Add the options that every streaming command shares: --manifest, --progress, -q, --debug."""
    manifest = click.option("--manifest", metavar="PATH", help="Write what was read and made, as JSON, to PATH.")
    return manifest(report_options(command))


def report_options(command: Command) -> Command:
    """Add what says how much is told on standard error: --progress, -q, --debug."""
    options = [
        click.option(
            "--progress",
            type=click.Choice(["auto", "bar", "lines", "json", "none"]),
            default="auto",
            show_default=True,
            help="How to show progress on standard error; auto is a bar on a terminal, else a line a minute.",
        ),
        click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors."),
        click.option("--debug", is_flag=True, expose_value=False, help="Show a traceback when something fails."),
    ]
    for option in reversed(options):
        command = option(command)
    return command

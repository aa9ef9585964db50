"""Tables of Unicode as the tokenizers library has them, the same under every Python.

The tables stand in unicode.txt, which bin/unicode-tables made by asking the library; each is read when it is needed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

CATEGORIES = "Cc Cf Co Cn Ll Lm Lo Lt Lu Mc Me Mn Nd Nl No Pc Pd Pe Pf Pi Po Ps Sc Sk Sm So Zl Zp Zs".split()  # noqa: SIM905

# First and last code point of a run.
Run = tuple[int, int]


@cache
def table(name: str) -> str:
    """Return the text of a table."""
    return _tables()[name]


@cache
def _tables() -> dict[str, str]:
    lines = Path(__file__).with_name("unicode.txt").read_text("ascii").splitlines()[1:]
    return {name: text.lstrip() for name, _, text in (line.partition(":") for line in lines)}


def _runs(text: str) -> list[Run]:
    """Return what a table of distances says: to a first member, to the first that is none, and so on."""
    edges, at = [], 0
    for word in text.split():
        at += int(word, 36)
        edges.append(at)
    return [(start, stop - 1) for start, stop in zip(edges[::2], edges[1::2], strict=True)]


@cache
def runs(*names: str) -> tuple[Run, ...]:
    """Return the runs of code points in any of some tables, ascending, with gaps between them."""
    return merged([run for name in names for run in _runs(table(name))])


def merged(ranges: Iterable[Run]) -> tuple[Run, ...]:
    """Return any runs as ascending ones with gaps between them."""
    out: list[Run] = []
    for first, last in sorted(ranges):
        if out and first <= out[-1][1] + 1:
            out[-1] = (out[-1][0], max(last, out[-1][1]))
        else:
            out.append((first, min(last, sys.maxunicode)))
    return tuple(out)


@cache
def members(*names: str) -> frozenset[int]:
    """Return the code points in any of some tables."""
    return frozenset(code for first, last in runs(*names) for code in range(first, last + 1))


@cache
def in_class(*names: str) -> str:
    """Return the code points in any of some tables as the inside of `[...]`."""
    return written(runs(*names))


def written(ranges: tuple[Run, ...]) -> str:
    """Return runs as the inside of `[...]`."""
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges)


def complement(ranges: tuple[Run, ...]) -> tuple[Run, ...]:
    """Return the runs between some runs."""
    out, start = [], 0
    for first, last in ranges:
        if first > start:
            out.append((start, first - 1))
        start = last + 1
    return (*out, (start, sys.maxunicode)) if start <= sys.maxunicode else tuple(out)


@cache
def mapping(name: str) -> dict[int, str]:
    """Return the text that each code point of a table becomes."""
    made, code = {}, 0
    for word in table(name).split():
        distance, _, codes = word.partition(":")
        code += int(distance, 36)
        made[code] = "".join(chr(int(one, 36)) for one in codes.split("."))
    return made


@cache
def category_names(name: str) -> tuple[str, ...]:
    """Return the general categories that a name of one or two letters stands for; none if there is no such."""
    return tuple(category for category in CATEGORIES if category.startswith(name)) if len(name) <= 2 else ()


@cache
def combining_classes() -> dict[str, int]:
    """Return the marks with a combining class; the numbers are not Unicode's, their order is."""
    groups = table("classes").split(" | ")
    return {
        chr(code): number
        for number, group in enumerate(groups, 1)
        for first, last in _runs(group)
        for code in range(first, last + 1)
    }

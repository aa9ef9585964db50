"""The program of a regular expression: small steps that a backtracking engine would try in order."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from corpustools.stages.tokenize.text.unicode import Run, complement, merged

# Repetitions are written out; a program that becomes longer than this is not made.
MOST_STEPS = 2000

_CODES: Any = re._constants  # type: ignore[attr-defined]
_ENDLESS = _CODES.MAXREPEAT
_NEWLINE = ((10, 10),)


@dataclass(frozen=True)
class Take:
    """Takes one character that is in a set."""

    of: int


@dataclass
class Split:
    """Goes on at one place, and where that fails at another."""

    first: int
    second: int


@dataclass(frozen=True)
class Look:
    """Goes on if the next character is in a set, or is not; at_end: what the end of the text counts as."""

    of: int
    negated: bool
    at_end: bool


@dataclass(frozen=True)
class Match:
    """The whole expression has matched."""


# The runs of code points that a character stands for.
StandIns = Mapping[int, tuple[Run, ...]]

Step = Take | Split | Look | Match


@dataclass(frozen=True)
class Program:
    """The steps of an expression, and the sets of code points that they ask about, as runs."""

    code: list[Step]
    sets: list[tuple[Run, ...]]


class NotDone(Exception):
    """The expression has something that is not done here."""


def compile_tree(tree: Any, stand_ins: StandIns) -> Program | None:
    """Return the program of an expression, or None where it has something that is not done here.

    Args:
        tree: the expression as Python's parser of regular expressions returns it.
        stand_ins: the runs that some of its characters stand for.
    """
    compiler = _Compiler(stand_ins)
    try:
        compiler.sequence(tree)
    except NotDone:
        return None
    return Program([*compiler.code, Match()], list(compiler.sets))


class _Compiler:
    def __init__(self, stand_ins: StandIns) -> None:
        self._stand_ins = stand_ins
        self.code: list[Step] = []
        self.sets: dict[tuple[Run, ...], int] = {}

    def sequence(self, items: Any) -> None:
        """Add the steps of items one behind another."""
        for kind, value in items:
            self._item(kind, value)
            if len(self.code) > MOST_STEPS:
                raise NotDone

    def _item(self, kind: Any, value: Any) -> None:
        runs = _runs(kind, value, self._stand_ins)
        if runs is not None:
            self.code.append(Take(self._set(runs)))
        elif kind is _CODES.BRANCH:
            self._branches(value[1])
        elif kind is _CODES.SUBPATTERN and not value[1] and not value[2]:
            self.sequence(value[3])
        elif kind is _CODES.MAX_REPEAT or kind is _CODES.MIN_REPEAT:
            self._repeat(value, kind is _CODES.MAX_REPEAT)
        elif kind in (_CODES.ASSERT, _CODES.ASSERT_NOT):
            self._look(value, kind is _CODES.ASSERT_NOT)
        elif kind is _CODES.AT and value is _CODES.AT_END:
            # Under re.MULTILINE.
            self.code.append(Look(self._set(_NEWLINE), False, True))
        else:
            raise NotDone

    def _set(self, runs: tuple[Run, ...]) -> int:
        return self.sets.setdefault(runs, len(self.sets))

    def _branches(self, branches: Any) -> None:
        ends = []
        for branch in branches[:-1]:
            split = Split(len(self.code) + 1, 0)
            self.code.append(split)
            self.sequence(branch)
            jump = Split(0, 0)
            ends.append(jump)
            self.code.append(jump)
            split.second = len(self.code)
        self.sequence(branches[-1])
        for jump in ends:
            jump.first = jump.second = len(self.code)

    def _repeat(self, value: Any, greedy: bool) -> None:
        least, most, item = value
        if item.getwidth()[0] == 0:
            # Engines differ in how often they go round without taking a character.
            raise NotDone
        if most is not _ENDLESS and most > MOST_STEPS:
            raise NotDone
        for _ in range(least):
            self.sequence(item)
        if most is _ENDLESS:
            start = len(self.code)
            split = self._option(greedy)
            self.sequence(item)
            self.code.append(Split(start, start))
            _leave(split, len(self.code), greedy)
            return
        options = []
        for _ in range(most - least):
            options.append(self._option(greedy))
            self.sequence(item)
        for split in options:
            _leave(split, len(self.code), greedy)

    def _option(self, greedy: bool) -> Split:
        inside = len(self.code) + 1
        split = Split(inside, 0) if greedy else Split(0, inside)
        self.code.append(split)
        return split

    def _look(self, value: Any, negated: bool) -> None:
        direction, items = value
        runs = _runs(items[0][0], items[0][1], self._stand_ins) if direction == 1 and len(items) == 1 else None
        if runs is None:
            raise NotDone
        self.code.append(Look(self._set(runs), negated, False))


def _leave(split: Split, place: int, greedy: bool) -> None:
    if greedy:
        split.second = place
    else:
        split.first = place


def _runs(kind: Any, value: Any, stand_ins: StandIns) -> tuple[Run, ...] | None:
    """Return the characters that an item takes one of, as ascending runs with gaps between them; None: another item."""
    if kind is _CODES.LITERAL or kind is _CODES.NOT_LITERAL:
        one_set = stand_ins.get(value, ((value, value),))
        return one_set if kind is _CODES.LITERAL else complement(one_set)
    if kind is _CODES.ANY:
        return complement(_NEWLINE)
    if kind is not _CODES.IN:
        return None
    negated = False
    runs: list[Run] = []
    for one, what in value:
        if one is _CODES.NEGATE:
            negated = True
        elif one is _CODES.LITERAL:
            runs += stand_ins.get(what, ((what, what),))
        elif one is _CODES.RANGE:
            runs.append(what)
        else:
            raise NotDone
    made = merged(runs)
    return complement(made) if negated else made

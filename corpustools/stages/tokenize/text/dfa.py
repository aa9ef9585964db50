"""A regular expression as a deterministic automaton with the matches of a backtracking engine.

The expression becomes a program of small steps, which backtracking would try in a certain order. A state of the
automaton is the list of the places in the program that are tried at once, in this order: what stands behind a match is
no longer looked at, because a match that comes earlier in the order is the one that is taken (Cox, "Regular Expression
Matching: the Virtual Machine Approach", 2009). A look ahead at one character is a condition on the character that is
taken next, so that what is known of a match stands at the entry of that character. What the tables say, and how they
are read, stands in kernels/split/program.h.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from corpustools.stages.tokenize.text.program import Look, Match, Program, Split, StandIns, Take, compile_tree
from corpustools.stages.tokenize.text.tables import MOST_SETS, Partition, Table

GO_ON, ENDED, MAY_END, FAILED, ENDED_BEFORE = range(5)
_ROW, _END_COLUMN, _FIRST_CLASS = 256, 255, 128
# An entry of the table is a row's beginning in 16 bits.
MOST_STATES = 255

State = tuple[int, ...]


@dataclass(frozen=True)
class Automaton:
    """The tables of one expression.

    columns: the column of each code point that is no ASCII, as a table of two stages.
    next: where the row of the next state begins, uint16, shape (256 * states,).
    verdicts: what is known of the match before a character is taken, uint8, the same shape.
    total: a match begins at every character, and an end of it is known before a second one is taken.
    bytewise: the text is taken byte by byte, and `columns` has a second stage alone: the column of each byte.
    """

    columns: Table
    next: np.ndarray[Any, np.dtype[np.uint16]]
    verdicts: np.ndarray[Any, np.dtype[np.uint8]]
    total: bool
    bytewise: bool = False

    def of_bytes(self, letters: str) -> Automaton:
        """Return the automaton that meets a letter for each byte; letters: those of the 256 bytes."""
        blocks, classes = self.columns
        columns = [
            code if code < _FIRST_CLASS else int(classes[256 * int(blocks[code >> 8]) + (code & 255)])
            for code in map(ord, letters)
        ]
        table = np.zeros_like(blocks), np.array(columns, np.uint8)
        return replace(self, columns=table, total=False, bytewise=True)


def automaton(tree: Any, stand_ins: StandIns) -> Automaton | None:
    """Return the automaton of an expression, or None where it has something that is not done here.

    Args:
        tree: the expression as Python's parser of regular expressions returns it.
        stand_ins: the runs that some of its characters stand for.
    """
    program = compile_tree(tree, stand_ins)
    if program is None or len(program.sets) > MOST_SETS:
        return None
    partition = Partition(program.sets)
    if partition.count >= _END_COLUMN - _FIRST_CLASS:
        return None
    states = _States(program, partition)
    return states.automaton() if states.complete() else None


class _States:
    """The states that can be reached, and where each goes on."""

    def __init__(self, program: Program, partition: Partition) -> None:
        self._code = program.code
        self._members: list[list[bool]] = partition.members
        self._partition = partition
        self._numbers: dict[State, int] = {(0,): 0}
        # Of each state, for each class and for the end: the next state (None: there is none), and whether a match ends.
        self._rows: list[list[tuple[int | None, bool]]] = []

    def complete(self) -> bool:
        """Follow all states; say whether they are few enough."""
        waiting: list[State] = [(0,)]
        while waiting:
            state = waiting.pop(0)
            row: list[tuple[int | None, bool]] = []
            ahead: tuple[list[int], bool] | None = None
            for one in (*range(self._partition.count), None):
                if ahead is None or self._looks:
                    ahead = self._ahead(state, one)
                takes, matched = ahead
                following = tuple(place + 1 for place in takes if one is not None and self._takes(place, one))
                if following and following not in self._numbers:
                    if len(self._numbers) == MOST_STATES:
                        return False
                    self._numbers[following] = len(self._numbers)
                    waiting.append(following)
                row.append((self._numbers[following] if following else None, matched))
            self._rows.append(row)
        return True

    def _takes(self, place: int, one: int) -> bool:
        step = self._code[place]
        assert isinstance(step, Take)
        return self._members[step.of][one]

    def _ahead(self, state: State, one: int | None) -> tuple[list[int], bool]:
        """Return the places that take a character, up to a match, and whether there is one.

        one: the class of the next character; None: the end. It matters where a place looks ahead, which
        self._looks says afterwards.
        """
        takes: list[int] = []
        seen: set[int] = set()
        stack = list(reversed(state))
        self._looks = False
        while stack:
            place = stack.pop()
            if place in seen:
                continue
            seen.add(place)
            step = self._code[place]
            if isinstance(step, Take):
                takes.append(place)
            elif isinstance(step, Split):
                stack += [step.second, step.first]
            elif isinstance(step, Look):
                self._looks = True
                if (step.at_end if one is None else self._members[step.of][one]) != step.negated:
                    stack.append(place + 1)
            else:
                assert isinstance(step, Match)
                return takes, True
        return takes, False

    def _one_too_far(self, sure: list[bool]) -> set[int]:
        """Return the states that are entered only where a match may end, and left only so or by failing.

        Such a state holds a run of spaces, whose last one belongs to the word behind it.
        """
        entered = {state: True for state in range(1, len(self._rows)) if not sure[state]}
        for row in self._rows:
            for state, matched in row:
                if state in entered and not matched:
                    entered[state] = False
        return {
            number
            for number, always in entered.items()
            if always and all(matched for state, matched in self._rows[number] if state is not None)
        }

    def automaton(self) -> Automaton:
        """Return the tables."""
        sure = [all(matched for _, matched in row) for row in self._rows]
        short = self._one_too_far(sure)
        start = self._rows[0]
        total = all(state is not None and sure[state] for state, _ in start[:-1])
        columns = [*self._partition.of_ascii(), *range(self._partition.count)]
        following = np.zeros((len(self._rows), _ROW), np.uint16)
        verdicts = np.full((len(self._rows), _ROW), FAILED, np.uint8)
        for number, row in enumerate(self._rows):
            failed = ENDED_BEFORE if number in short else FAILED
            entries = [_entry(one, first, sure, short, failed) for one, first in zip(row, start, strict=True)]
            for column, one in enumerate(columns):
                verdicts[number, column], following[number, column] = entries[one]
            verdicts[number, _END_COLUMN] = entries[-1][0]
        return Automaton(self._partition.table(_FIRST_CLASS), following.reshape(-1), verdicts.reshape(-1), total)


def _entry(
    one: tuple[int | None, bool], first: tuple[int | None, bool], sure: list[bool], short: set[int], failed: int
) -> tuple[int, int]:
    """Return verdict and next row.

    one: where the state goes on, and whether a match ends before that.
    first: the same of the start state.
    sure: of each state, whether a match ends before whatever comes next: then no earlier end needs to be remembered.
    short: the states for which none needs to be remembered because their match ended before the last character.
    failed: what is said where the state cannot go on.
    """
    state, matched = one
    if state is None:
        return (ENDED, _ROW * (first[0] or 0)) if matched else (failed, 0)
    return (MAY_END if matched and not sure[state] and state not in short else GO_ON), _ROW * state

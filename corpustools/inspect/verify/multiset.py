"""Two sides with the same records, each as often, whatever their order; or one with some of the other's.

Every record has a fingerprint of 128 bits under a key that is drawn for the run. The sums of all fingerprints are
compared, so memory does not grow with the records. Where they differ, the records are counted once more in a table,
which tells which fingerprints are missing or too many; the records that have them are then looked for.

The head of a shuffle has some records of its source, so sums say nothing. There 64 bits of each of its fingerprints
are held, and looked up as the source is read; a long head is taken in parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np

from corpustools.errors import DataError
from corpustools.inspect.verify.difference import Difference
from corpustools.inspect.verify.fingerprints import Sum, Words, rows_of

# Records that are remembered while one that differs is looked for.
_REMEMBERED = 10_000
_MOST_ROWS = 64
# Fingerprints of a head that are held at once: 24 bytes each, and twice as many while they are sorted.
HELD = 1 << 22
_AGAIN = "shuffle the source again"


class Found(NamedTuple):
    """A record: what messages call it, and what of it they show."""

    place: str
    text: str


class Side(Protocol):
    """Records of files.

    name: what messages call it.
    noun: what they call its records.
    seekable: whether it can be read again.
    """

    name: str
    noun: str
    seekable: bool

    def prints(self, phase: str) -> Iterator[tuple[Words, Callable[[int], Found]]]:
        """Give the fingerprints of all records, some at a time, and what tells of each of these records."""


def total(side: Side, phase: str) -> Sum:
    """Return the sum of a side."""
    done = Sum()
    for words, _ in side.prints(phase):
        done.add(words)
    return done


def require_equal(source: Side, output: Side, wanted: Sum, found: Sum) -> None:
    """Hold the sums of two sides against each other.

    Raises:
        Difference: a record is missing, or there too often.
    """
    if found.equals(wanted):
        return
    counts = f"{output.name}: has {found.records} {output.noun}, and the source has {wanted.records}"
    if source.seekable and output.seekable:
        chosen = found.differing_rows(wanted, _MOST_ROWS)
        there, here = _remembered(source, chosen), _remembered(output, chosen)
        for value, (often, (place, text)) in there.items():
            now = here[value][0] if value in here else 0
            if now < often:
                times = f"is there {now} times instead of {often}" if now else "is missing"
                what = f"{counts}; {place} {times}: '{text}'"
                raise Difference("missing", what, _AGAIN, record=place, expected=text)
        for value, (often, (place, text)) in here.items():
            before = there[value][0] if value in there else 0
            if before < often:
                times = f"is there {often} times instead of {before}" if before else "is not in the source"
                raise Difference("added", f"{counts}; {place} {times}: '{text}'", _AGAIN, written=text)
    raise Difference("missing", f"{counts}; they are not the same ones", _AGAIN)


def _remembered(side: Side, chosen: Any) -> dict[bytes, tuple[int, Found]]:
    """Return the records of chosen rows of the table: how often, and the first of them."""
    found: dict[bytes, tuple[int, Found]] = {}
    for words, tell in side.prints("looking for the difference"):
        for i in np.flatnonzero(chosen[rows_of(words)]).tolist():
            value = words[i].tobytes()
            if value in found:
                count, first = found[value]
                found[value] = count + 1, first
            elif len(found) < _REMEMBERED:
                found[value] = 1, tell(i)
    return found


def require_head(source: Side, output: Side, count: int) -> tuple[int, int]:
    """Hold an output against the source of which it is the first `count` records in some order.

    Returns:
        The number of records of the source, and of the output.

    Raises:
        Difference: a record is not in the source, or not as often, or there are more or fewer than there should be.
        DataError: the source is read once, and the output is too long for that.
    """
    written = sum(len(words) for words, _ in output.prints("counting"))
    parts = -(-written // HELD) or 1
    if parts > 1 and not source.seekable:
        raise DataError(
            f"{output.name}: has {written} {output.noun}, and of a source that is read once {HELD} can be compared",
            "name the source as files",
        )
    for part in range(parts):
        records = _require_part(source, output, part, parts)
    if written != min(count, records):
        raise Difference(
            "length",
            f"{output.name}: has {written} {output.noun}; the first {count} of {records} are {min(count, records)}",
            _AGAIN,
        )
    return records, written


def _require_part(source: Side, output: Side, part: int, parts: int) -> int:
    """Look up some of the output's records, chosen by their fingerprints; return how many the source has in all."""

    def chosen(words: Words) -> Any:
        return words[:, 1] % np.uint64(parts) == part

    mine = [words[chosen(words), 0] for words, _ in output.prints("verifying")]
    held, counts = np.unique(np.concatenate([np.zeros(0, np.uint64), *mine]), return_counts=True)
    del mine
    seen = np.zeros(len(held), np.int64)
    records = 0
    for words, _ in source.prints("reading the source"):
        records += len(words)
        if len(held):
            values = words[chosen(words), 0]
            places = np.minimum(np.searchsorted(held, values), len(held) - 1)
            np.add.at(seen, places[held[places] == values], 1)
    lacking = held[seen < counts]
    if len(lacking):
        raise _lacking(output, lacking, counts[seen < counts], seen[seen < counts])
    return records


def _lacking(output: Side, lacking: Any, here: Any, there: Any) -> Difference:
    """Return which record of the output the source has not, or not as often.

    Args:
        output: the output.
        lacking: uint64, half of the fingerprint of each such record, ascending.
        here: how often the output has it.
        there: how often the source has it.
    """
    for words, tell in output.prints("looking for the difference"):
        for i in np.flatnonzero(np.isin(words[:, 0], lacking)).tolist():
            place, text = tell(i)
            at = int(np.searchsorted(lacking, words[i, 0]))
            times = f"is there {here[at]} times instead of {there[at]}" if there[at] else "is not in the source"
            return Difference("added", f"{output.name}: {place} {times}: '{text}'", _AGAIN, written=text)
    return Difference("added", f"{output.name}: has {output.noun} that the source has not", _AGAIN)

"""Rows are cut into portions at the same places however they come."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpustools.formats.portions import Portions
from corpustools.formats.rows import Rows, documents_as_rows


def rows_of(lengths: list[int]) -> Rows:
    """Documents of such lengths, whose ids are numbered."""
    return documents_as_rows(np.arange(sum(lengths), dtype="<u2"), np.array(lengths, np.int64))


def portions_of(lengths: list[int], batches: list[int], most_bytes: int, most_rows: int | None) -> list[list[int]]:
    """The lengths of the rows of each portion, when the rows come in batches."""
    portions, found = Portions(most_bytes, most_rows), [[]]
    for start, stop in zip([0, *batches], [*batches, len(lengths)], strict=True):
        rows = rows_of(lengths[start:stop])
        for part, ended in portions.cut(rows, 2 * rows.lengths):
            assert len(part.lengths)
            if ended:
                found.append([])
            found[-1] += part.lengths.tolist()
    return found


@given(
    lengths=st.lists(st.integers(0, 9), max_size=40),
    batches=st.lists(st.integers(0, 40), max_size=4),
    most_bytes=st.integers(1, 40),
    most_rows=st.none() | st.integers(1, 9),
)
def test_a_lot_takes_what_fits(lengths: list[int], batches: list[int], most_bytes: int, most_rows: int | None):
    """One row after another goes into the open portion if it fits, else into the next; and batches do not show."""
    wanted: list[list[int]] = [[]]
    for length in lengths:
        full = len(wanted[-1]) == most_rows or 2 * (sum(wanted[-1]) + length) > most_bytes
        if wanted[-1] and full:
            wanted.append([])
        wanted[-1].append(length)
    places = sorted(min(place, len(lengths)) for place in batches)
    assert portions_of(lengths, places, most_bytes, most_rows) == wanted


@pytest.mark.parametrize("most_rows", [None, 2])
def test_a_lot_can_be_begun_early(most_rows: int | None):
    """What came before does not count any more, and no end is told of a portion that was ended by the caller."""
    portions = Portions(8, most_rows)
    first = rows_of([2, 1])
    assert [ended for _, ended in portions.cut(first, 2 * first.lengths)] == [False]
    portions.begin()
    assert [(part.lengths.tolist(), ended) for part, ended in portions.cut(first, 2 * first.lengths)] == [
        ([2, 1], False)
    ]

"""The journal of a shuffle: what is saved is found again, and nothing else is taken for one."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpustools.errors import DataError, SystemFailure
from corpustools.stages.shuffle import journal
from corpustools.stages.shuffle.journal import FileState, Journal, load_journal
from corpustools.stages.shuffle.tally import Tally

SOME = Journal(
    {"seed": "a \udcff name", "inputs": [["x", 1, 2]]}, 1 << 63, Tally(1, 2, (1 << 64) - 1), 7, Tally(3, 4, 5),
    9, (6, "00"), [FileState(8, (9, 10)), FileState(0, (1, 2))], b"waits\nand \x00", False,
)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
)


def test_what_is_saved_is_found(tmp_path: Path):
    """All of it, in place of an older one, and nothing else is left."""
    path = str(tmp_path / "j")
    assert load_journal(path) is None
    for one in (SOME, replace(SOME, total=None, finished=True)):
        one.save(path)
        assert load_journal(path) == one
    assert os.listdir(tmp_path) == ["j"]


@given(name=st.sampled_from(["job", "low", "written", "read", "total", "header", "files", "finished"]), value=VALUES)
def test_values_that_cannot_be(tmp_path_factory: pytest.TempPathFactory, name: str, value: Any):
    """Under a hash that fits: a journal of checked values, or an error of its data."""
    path = tmp_path_factory.getbasetemp() / "journal"
    SOME.save(str(path))
    _, body, waiting = path.read_bytes().split(b"\n", 2)
    body = json.dumps(json.loads(body) | {name: value}).encode() + b"\n"
    path.write_bytes(f"{journal._FORMAT} {journal._hash(body, waiting)}\n".encode() + body + waiting)
    try:
        found = load_journal(str(path))
    except DataError:
        return
    assert found is not None
    assert isinstance(found.job["seed"], str)
    assert 0 <= found.low <= 1 << 64
    assert all(state.size >= 0 for state in found.files)
    assert found.written.records >= 0


def test_a_journal_that_cannot_be_saved_keeps_the_older_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """And leaves no file of its own."""
    path = str(tmp_path / "j")
    SOME.save(path)

    def fails(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(SystemFailure, match="no space left"):
        replace(SOME, read=8).save(path)
    assert os.listdir(tmp_path) == ["j"]
    assert load_journal(path) == SOME

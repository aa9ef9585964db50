"""A folder that is one output: no file of another output is left in it, and none that is somebody else's is touched."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from corpustools.errors import CorpusError, SystemFailure, UsageError
from corpustools.files.folder import OutputFolder


def names_in(data: bytes) -> list[str] | None:
    """An index here is a JSON list."""
    try:
        return list(json.loads(data))
    except ValueError:
        return None


def folder(path: Path) -> OutputFolder:
    """The folder as a format would have it."""
    return OutputFolder(str(path), "index", names_in)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A folder with an older output of two files."""
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"old")
    (tmp_path / "index").write_text('["a", "b"]')
    return tmp_path


def test_a_folder_is_made_and_taken_away_again(tmp_path: Path):
    """A run that fails leaves no folder; one that did not make it leaves it, and so does one that wrote into it."""
    one = folder(tmp_path / "new")
    one.prepare()
    assert (tmp_path / "new").is_dir()
    one.abandon()
    assert os.listdir(tmp_path) == []
    (tmp_path / "there").mkdir()
    there = folder(tmp_path / "there")
    there.prepare()
    there.abandon()
    one.prepare()
    (tmp_path / "new" / "file").write_bytes(b"")
    one.abandon()
    assert sorted(os.listdir(tmp_path)) == ["new", "there"]


@pytest.mark.parametrize("thinned", [False, True])
def test_an_older_output(old: Path, thinned: bool):
    """Its files are told; hidden files are nobody's business, and a file that somebody took away is not missed."""
    (old / ".hidden").write_bytes(b"")
    if thinned:
        (old / "b").unlink()
    assert folder(old).prepare() == [str(old / "a"), str(old / "b")]


FOREIGN = {
    "a file that no index lists": ("notes.txt", b"", "holds 'notes.txt', which is no file of an older output"),
    "another format's index": ("index", b"{", "holds 'a', which is no file of an older output of this format"),
    "an index that points elsewhere": ("index", b'["../b"]', "holds 'a', which is no file"),
    "an index that points to a folder": ("index", b'["a", "b", ".."]', "is no plain file"),
}


@pytest.mark.parametrize("case", FOREIGN)
def test_other_files_are_refused(old: Path, case: str):
    """Nothing is touched."""
    name, data, said = FOREIGN[case]
    (old / name).write_bytes(data)
    before = {one: (old / one).read_bytes() for one in os.listdir(old)}
    with pytest.raises(CorpusError, match=said):
        folder(old).prepare()
    assert {one: (old / one).read_bytes() for one in os.listdir(old)} == before


def test_what_an_index_lists_must_be_a_file(old: Path):
    """A link or a folder under a listed name is somebody's own."""
    (old / "b").unlink()
    (old / "b").symlink_to(old / "a")
    with pytest.raises(SystemFailure, match="b: is no plain file; name a new folder"):
        folder(old).prepare()


def test_a_file_in_the_folders_place(tmp_path: Path):
    """Before any work, as is a folder whose own folder is missing."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UsageError, match="file: is no folder; name a folder, which may be new"):
        folder(tmp_path / "file").prepare()
    with pytest.raises(SystemFailure, match="cannot be made: no such file or directory"):
        folder(tmp_path / "no" / "folder").prepare()

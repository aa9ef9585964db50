"""A folder that is one output: no file of another output is left in it, and none that is somebody else's is touched."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from corpustools.errors import CorpusError, SystemFailure, UsageError
from corpustools.files.folder import OutputFolder


def folder(path: Path) -> OutputFolder:
    """The folder as a format would have it whose index is the word "index"."""
    return OutputFolder(str(path), "index", lambda data: data == b"index", re.compile("[a-c]"))


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A folder with an older output of two files."""
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"old")
    (tmp_path / "index").write_bytes(b"index")
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


@pytest.mark.parametrize("gone", ["", "b", "index"])
def test_an_older_output(old: Path, gone: str):
    """Its files are told, also where some are missing; hidden files are nobody's business."""
    (old / ".hidden").write_bytes(b"")
    if gone:
        (old / gone).unlink()
    assert folder(old).prepare() == [str(old / name) for name in ("a", "b") if name != gone]


FOREIGN = {
    "a file of another name": ("notes.txt", b"", "holds 'notes.txt', which is no file of an older output"),
    "another name that begins well": ("a.txt", b"", "holds 'a.txt', which is no file of an older output"),
    "another format's index": ("index", b"{", "holds 'index', which is no file of an older output of this format"),
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


@pytest.mark.parametrize("name", ["b", "index"])
def test_an_old_file_must_be_a_file(old: Path, name: str):
    """A link under such a name is somebody's own."""
    (old / name).rename(old.parent / "elsewhere")
    (old / name).symlink_to(old.parent / "elsewhere")
    with pytest.raises(SystemFailure, match=f"{name}: is no plain file; name a new folder"):
        folder(old).prepare()


def test_a_file_in_the_folders_place(tmp_path: Path):
    """Before any work, as is a folder whose own folder is missing."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UsageError, match="file: is no folder; name a folder, which may be new"):
        folder(tmp_path / "file").prepare()
    with pytest.raises(SystemFailure, match="cannot be made: no such file or directory"):
        folder(tmp_path / "no" / "folder").prepare()

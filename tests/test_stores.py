"""What all formats promise that trainers read row by row: every document, in order, whatever the batches and limits."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stores import DOCUMENTS, LARGE, SMALL, Documents, bytes_of, pack, read, read_table, write

from corpustools.errors import SystemFailure
from corpustools.files import extras
from corpustools.formats import folders, parquet
from corpustools.formats.layout import Layout

NEEDS = {"parquet": "pyarrow", "arrow": "pyarrow", "mds": "json", "litdata": "json", "arrayrecord": "array_record"}
NAMES = [
    pytest.param(name, id=name, marks=pytest.mark.skipif(find_spec(needed) is None, reason=f"no {needed}"))
    for name, needed in NEEDS.items()
]
each_format = pytest.mark.parametrize("name", NAMES)


@each_format
@pytest.mark.parametrize("vocabulary", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("documents", [DOCUMENTS, [], [[]], [[], []], [[1]]], ids=len)
def test_every_document_comes_back(tmp_path: Path, name: str, vocabulary: object, documents: Documents):
    """Those without ids too, and an output without documents is whole."""
    if vocabulary is LARGE:
        documents = [*documents, [1 << 16, 0]]
    writer = write(name, tmp_path / "x", documents, vocabulary=vocabulary)
    assert read(name, tmp_path / "x") == documents
    assert (writer.documents, writer.tokens) == (len(documents), sum(map(len, documents)))
    assert os.listdir(tmp_path) == ["x"]


@each_format
@pytest.mark.parametrize("width", [65535, 65536, 65537])
def test_the_largest_ids_come_back(tmp_path: Path, name: str, width: int):
    """Around the end of what two bytes hold."""
    vocabulary = type(SMALL)(width, {}, list)
    write(name, tmp_path / "x", [[width - 1, 0], [1]], vocabulary=vocabulary)
    assert read(name, tmp_path / "x") == [[width - 1, 0], [1]]


@each_format
@settings(max_examples=30)
@given(data=st.data())
def test_batches_do_not_show(tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject):
    """The bytes depend on the documents alone, also where files, groups and pages end."""
    folder = tmp_path_factory.mktemp("x")
    documents = data.draw(st.lists(st.lists(st.integers(0, 299), max_size=30), max_size=30))
    cuts = tuple(sorted(data.draw(st.lists(st.integers(0, len(documents)), max_size=3))))
    context = data.draw(st.sampled_from([0, 3]))
    with pytest.MonkeyPatch.context() as patch:
        limited(patch)
        write(name, folder / "whole", documents, Layout(context))
        write(name, folder / "cut", documents, Layout(context, workers=2), cuts=cuts)
    assert bytes_of(folder / "cut") == bytes_of(folder / "whole")
    assert read(name, folder / "whole") == (pack(documents, context) if context else documents)


def limited(patch: pytest.MonkeyPatch) -> None:
    """Let files, groups, batches and pages be small."""
    from corpustools.formats import arrow

    patch.setattr(folders, "FILE_BYTES", 500)
    for module in (parquet, arrow):
        for limit, value in (("GROUP_ROWS", 5), ("GROUP_BYTES", 200), ("PAGE_BYTES", 64)):
            patch.setattr(module, limit.replace("GROUP", "BATCH") if module is arrow else limit, value, raising=False)


@each_format
@pytest.mark.parametrize("pack_by", ["concat", "best-fit"])
def test_windows(tmp_path: Path, name: str, pack_by: str):
    """All ids are there, cut or put together; a table says where documents begin."""
    documents = [[*range(10, 10 + n)] for n in (3, 9, 0, 2, 2, 1, 4, 5)]
    writer = write(name, tmp_path / "x", documents, Layout(4, pack_by))
    rows = read(name, tmp_path / "x")
    if pack_by == "concat":
        assert rows == pack(documents, 4)
    else:
        padding = writer.laid_out.padding if name == "litdata" else 0
        assert sum(len(row) for row in rows) == writer.tokens + padding
        assert sorted(i for row in rows for i in row if i) == sorted(i for one in documents for i in one)
    if name in ("parquet", "arrow"):
        pieces = read_table(tmp_path / "x", name)["seq_lengths"].to_pylist()
        assert [sum(one) for one in pieces] == [len(row) for row in rows]
        assert all(length > 0 for one in pieces for length in one)
        starts = [row[sum(one[:i])] for row, one in zip(rows, pieces, strict=True) for i in range(len(one))]
        # Every piece begins with a document's first id, or goes on where the window before was full.
        assert {start for start in starts if start == 10} == {10}
        if pack_by == "concat":
            assert pieces == [[3, 1], [4], [4], [2, 2], [1, 3], [1, 3]]


@each_format
def test_an_output_without_a_whole_window(tmp_path: Path, name: str):
    """It has no rows, and it is whole."""
    write(name, tmp_path / "x", [[1, 2]], Layout(4))
    assert read(name, tmp_path / "x") == []


@each_format
def test_an_older_output_is_replaced(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch):
    """Nothing of it is left, and it stays where a run fails."""
    monkeypatch.setattr(folders, "FILE_BYTES", 400)
    write(name, tmp_path / "x", DOCUMENTS)
    old = bytes_of(tmp_path / "x")
    with monkeypatch.context() as patch:
        patch.setattr("corpustools.files.fileset.FileSet.publish", interrupted)
        with pytest.raises(KeyboardInterrupt):
            write(name, tmp_path / "x", [[1]])
    assert bytes_of(tmp_path / "x") == old
    write(name, tmp_path / "x", [[1]])
    write(name, tmp_path / "y", [[1]])
    assert bytes_of(tmp_path / "x") == bytes_of(tmp_path / "y")
    assert sorted(os.listdir(tmp_path)) == ["x", "y"]


def interrupted(*_: object) -> None:
    """Stand in for the last step of a run."""
    raise KeyboardInterrupt


@each_format
def test_a_run_that_fails_leaves_nothing(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch):
    """No file, no folder."""
    monkeypatch.setattr("corpustools.files.fileset.FileSet.publish", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(name, tmp_path / "x", DOCUMENTS)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["arrow", "arrayrecord"])
def test_a_missing_library_is_named(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch):
    """In one line, with the extra that brings it, before any file is made."""

    def missing(module: str) -> None:
        raise ModuleNotFoundError(f"No module named {module!r}")

    monkeypatch.setattr(extras, "import_module", missing)
    extra = {"arrow": "parquet", "arrayrecord": "arrayrecord"}[name]
    with pytest.raises(SystemFailure, match=rf"^format {name} needs [a-z-]+; pip install 'corpustools\[{extra}\]'$"):
        write(name, tmp_path / "x", [])
    assert os.listdir(tmp_path) == []

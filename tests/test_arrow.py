"""`arrow`: an IPC stream, as Hugging Face datasets keep them."""

from __future__ import annotations

from pathlib import Path

import pytest
from stores import DOCUMENTS, Documents, pack, read_table, write

from corpustools.errors import DataError
from corpustools.formats.layout import Layout

pyarrow = pytest.importorskip("pyarrow")

from corpustools.formats import arrow  # noqa: E402  it needs pyarrow


def batches(path: Path) -> list[int]:
    """How many rows each batch has."""
    with pyarrow.ipc.open_stream(path) as stream:
        return [batch.num_rows for batch in stream]


@pytest.mark.parametrize("documents", [[], DOCUMENTS])
def test_the_schema_is_there_without_rows_too(tmp_path: Path, documents: Documents):
    """A stream of none says of what there are none."""
    lists = pyarrow.list_(pyarrow.int32())
    write("arrow", tmp_path / "x", documents)
    assert read_table(tmp_path / "x", "arrow").schema.equals(pyarrow.schema([("input_ids", lists)]), True)
    write("arrow", tmp_path / "x", documents, Layout(100))
    both = pyarrow.schema([("input_ids", lists), ("seq_lengths", lists)])
    assert read_table(tmp_path / "x", "arrow").schema.equals(both, True)


def test_the_file_can_be_mapped(tmp_path: Path):
    """Reading copies nothing: numbers are where the file is."""
    write("arrow", tmp_path / "x", DOCUMENTS)
    with pyarrow.memory_map(str(tmp_path / "x")) as mapped:
        before = pyarrow.total_allocated_bytes()
        table = pyarrow.ipc.open_stream(mapped).read_all()
        assert pyarrow.total_allocated_bytes() - before < 1000
        assert table["input_ids"].to_pylist() == DOCUMENTS
        del table


def test_batches_are_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """1,024 rows at most, and less where they would be large; they are held until they are complete."""
    write("arrow", tmp_path / "x", [[1]] * 2500)
    assert batches(tmp_path / "x") == [1024, 1024, 452]
    monkeypatch.setattr(arrow, "BATCH_BYTES", 4000)
    documents = [[1] * 300] * 10 + [[2] * 5000] + [[3]]
    write("arrow", tmp_path / "x", documents)
    assert batches(tmp_path / "x") == [3, 3, 3, 1, 1, 1]
    assert read_table(tmp_path / "x", "arrow")["input_ids"].to_pylist() == documents
    write("arrow", tmp_path / "x", documents, Layout(7))
    assert read_table(tmp_path / "x", "arrow")["input_ids"].to_pylist() == pack(documents, 7)


def test_a_row_that_no_list_can_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The error says how long it is, and nothing is left."""
    monkeypatch.setattr(arrow.ArrowWriter, "longest", 99)
    with pytest.raises(DataError, match=r"document [12] has 100 ids; a row of format arrow has room for 99"):
        write("arrow", tmp_path / "x", [[1], [1] * 100])
    assert list(tmp_path.iterdir()) == []

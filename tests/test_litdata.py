"""`litdata`: chunks of tokens."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from stores import DOCUMENTS, LARGE, bytes_of, litdata_blocks, pack, read_litdata, write

from corpustools.formats import folders
from corpustools.formats.layout import Layout


def chunks(folder: Path) -> list[dict[str, object]]:
    """What the index says."""
    return list(json.loads((folder / "index.json").read_bytes())["chunks"])


def test_chunks_of_windows_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Blocks of a window's length are the windows, however many chunks there are."""
    monkeypatch.setattr(folders, "FILE_BYTES", 300)
    documents = [list(range(n)) for n in (100, 0, 33, 7, 250)]
    write("litdata", tmp_path / "x", documents, Layout(16))
    assert len(chunks(tmp_path / "x")) > 2
    assert litdata_blocks(tmp_path / "x", 16) == pack(documents, 16)


def test_padded_windows_are_blocks_too(tmp_path: Path):
    """Best fit fills windows up, because a block does not say how long it is."""
    write("litdata", tmp_path / "x", [[5] * 3, [6] * 3, [7] * 4, [8]], Layout(4, "best-fit"))
    blocks = litdata_blocks(tmp_path / "x", 4)
    assert sorted(blocks) in (
        [[5, 5, 5, 0], [6, 6, 6, 8], [7, 7, 7, 7]],
        [[5, 5, 5, 8], [6, 6, 6, 0], [7, 7, 7, 7]],
    )


def test_blocks_of_documents_leave_out_each_chunks_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """As the reader does it; the documents themselves are all there."""
    monkeypatch.setattr(folders, "FILE_BYTES", 40)
    documents = [[1, 2, 3, 4, 5], [6, 7, 8], [9] * 30]
    write("litdata", tmp_path / "x", documents)
    assert [chunk["dim"] for chunk in chunks(tmp_path / "x")] == [8, 30]
    assert litdata_blocks(tmp_path / "x", 4) == [[1, 2, 3, 4], [5, 6, 7, 8], *[[9] * 4] * 7]
    assert read_litdata(tmp_path / "x") == documents


@pytest.mark.parametrize("documents", [[], [[]]])
def test_a_set_without_ids_has_a_chunk_whose_size_is_a_number(tmp_path: Path, documents: list[list[int]]):
    """The reader fails where no chunk has a size, and where one has null."""
    write("litdata", tmp_path / "x", documents)
    assert [(chunk["dim"], chunk["chunk_size"]) for chunk in chunks(tmp_path / "x")] == [(0, len(documents))]


def test_ids_above_65535_are_int32(tmp_path: Path):
    """The library's table of tensor types has no uint32."""
    write("litdata", tmp_path / "x", [[1 << 16]], vocabulary=LARGE)
    index = json.loads((tmp_path / "x" / "index.json").read_bytes())
    assert index["config"]["data_format"] == ["no_header_tensor:16"]


def test_the_bytes_are_pinned(tmp_path: Path):
    """A change of a byte is a change of what users get."""
    write("litdata", tmp_path / "x", DOCUMENTS)
    write("litdata", tmp_path / "y", DOCUMENTS, Layout(100), LARGE)
    data = [*bytes_of(tmp_path / "x").values(), *bytes_of(tmp_path / "y").values()]
    assert (
        hashlib.sha256(b"".join(data)).hexdigest() == "1e8ef28565993c992f5a4ac6061a46b6afb276e246cc5f226b8611d9d8cf7cb5"
    )

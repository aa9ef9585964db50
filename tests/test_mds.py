"""`mds`: shards of MosaicML Streaming. Their layout is compared with the library's own writer in tests/readers."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from stores import DOCUMENTS, LARGE, SMALL, bytes_of, pack, read_mds, write

from corpustools.errors import DataError, UsageError
from corpustools.formats import folders
from corpustools.formats.layout import Layout


def encodings(folder: Path) -> list[tuple[str, int | None]]:
    """The encoding of each shard, and the bytes of a sample where all have the same."""
    shards = json.loads((folder / "index.json").read_bytes())["shards"]
    return [(shard["column_encodings"][0], shard["column_sizes"][0]) for shard in shards]


@pytest.mark.parametrize(
    ("layout", "vocabulary", "encoding"),
    [
        (None, SMALL, ("ndarray:uint16", None)),
        (None, LARGE, ("ndarray:int32", None)),
        (Layout(64), SMALL, ("ndarray:uint16:64", 128)),
        (Layout(64), LARGE, ("ndarray:int32:64", 256)),
        (Layout(64, "best-fit"), SMALL, ("ndarray:uint16", None)),
    ],
)
def test_the_encoding_says_what_all_samples_have(tmp_path: Path, layout: Layout, vocabulary, encoding):
    """Windows of one length need no head; PyTorch has no uint32 everywhere."""
    write("mds", tmp_path / "x", DOCUMENTS, layout, vocabulary)
    assert encodings(tmp_path / "x") == [encoding]


def test_a_shard_ends_where_the_librarys_own_writer_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Before the sample with which it would be larger than the limit; a larger sample has a shard to itself."""
    monkeypatch.setattr(folders, "FILE_BYTES", 400)
    documents = [[i] * n for i, n in enumerate([40, 1, 1, 30, 300, 0, 7, 80, 80])]
    write("mds", tmp_path / "x", documents)
    assert read_mds(tmp_path / "x") == documents
    shards = json.loads((tmp_path / "x" / "index.json").read_bytes())["shards"]
    config = len(
        json.dumps({key: shards[0][key] for key in shards[0] if key not in ("raw_data", "zip_data", "samples")})
    )
    # What MDSWriter counts: 8 bytes and the configuration for a shard, for each sample its bytes and 4.
    counts, size = [0], 8 + config
    for document in documents:
        one = 4 + 4 + 1 + (1 if len(document) < 256 else 2) + 2 * len(document)
        if size + one > 400:
            counts.append(0)
            size = 8 + config
        counts[-1] += 1
        size += one
    assert [shard["samples"] for shard in shards] == [count for count in counts if count]
    assert [shard["raw_data"]["basename"] for shard in shards] == [f"shard.{i:05}.mds" for i in range(len(shards))]


def test_a_set_without_documents_has_an_empty_shard(tmp_path: Path):
    """The reader counts on one."""
    write("mds", tmp_path / "x", [])
    shards = json.loads((tmp_path / "x" / "index.json").read_bytes())["shards"]
    assert [(shard["samples"], shard["raw_data"]["basename"]) for shard in shards] == [(0, "shard.00000.mds")]


def test_shards_of_the_layout_begin_new_files(tmp_path: Path):
    """They are numbered through."""
    write("mds", tmp_path / "x", [[1, 2], [3], [4, 5, 6], [7]], Layout(shards=2))
    assert read_mds(tmp_path / "x") == [[1, 2], [3], [4, 5, 6], [7]]
    assert sorted(bytes_of(tmp_path / "x")) == ["index.json", "shard.00000.mds", "shard.00001.mds"]


def test_a_row_that_no_file_can_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Offsets are numbers of 32 bits; the error says how long it is, and nothing is left."""
    monkeypatch.setattr(folders, "LARGEST_FILE", 700)
    with pytest.raises(DataError, match="document 2 has 300 ids; a row of format mds has room for 243; leave"):
        write("mds", tmp_path / "x", [[1], [2] * 300])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["[]", "{}", '{"shards": 1}', '{"shards": [{"format": "json"}]}', "[" * 100_000])
def test_an_index_of_another_format_is_refused(tmp_path: Path, damage: str):
    """Nothing in the folder is touched, and neither is a folder of the other format."""
    write("mds", tmp_path / "x", [[1]])
    (tmp_path / "x" / "index.json").write_text(damage)
    before = bytes_of(tmp_path / "x")
    for name in ("mds", "litdata"):
        with pytest.raises(UsageError, match=r"holds 'index.json', which is no file of an older output of this format"):
            write(name, tmp_path / "x", [[2]])
    assert bytes_of(tmp_path / "x") == before


def test_the_bytes_are_pinned(tmp_path: Path):
    """A change of a byte is a change of what users get."""
    write("mds", tmp_path / "x", DOCUMENTS)
    write("mds", tmp_path / "y", DOCUMENTS, Layout(100), LARGE)
    data = [*bytes_of(tmp_path / "x").values(), *bytes_of(tmp_path / "y").values()]
    assert (
        hashlib.sha256(b"".join(data)).hexdigest() == "513af1ce9970633297d5d16a5c6b1af3394b5edee8387105bededce0f32c161d"
    )


def test_windows_are_samples_of_bare_ids(tmp_path: Path):
    """Four bytes a sample more than the ids have: its place in the table."""
    documents = [np.random.default_rng(n).integers(0, 300, n).tolist() for n in (100, 0, 33, 7)]
    write("mds", tmp_path / "x", documents, Layout(16))
    assert read_mds(tmp_path / "x") == pack(documents, 16)

"""Documents over windows and shards: what is packed where, and that nothing is lost."""

from __future__ import annotations

import gzip
import json
import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpustools.errors import DataError, UsageError
from corpustools.formats import FORMATS, make_writer, olmo, shards, writer_class
from corpustools.formats.batch import IdBatch
from corpustools.formats.layout import Layout
from corpustools.formats.shards import equal_cuts
from corpustools.formats.vocabulary import Vocabulary
from corpustools.kernels.packing import plain

try:
    from corpustools.kernels.packing import compiled
except ImportError:
    compiled = None

KERNELS = [pytest.param(plain, id="plain"), *([pytest.param(compiled, id="compiled")] if compiled else [])]
SMALL = Vocabulary(300, {"bos": 1, "eos": 2}, lambda: [f"piece{i}" for i in range(300)])


def batches(lengths: list[int], cuts: list[int]) -> list[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
    """Documents whose ids count up over all of them, in batches that are cut anywhere."""
    out, at = [], 0
    bounds = sorted({0, len(lengths), *(cut % (len(lengths) + 1) for cut in cuts)})
    for a, b in pairwise(bounds):
        size = sum(lengths[a:b])
        out.append((np.arange(at, at + size, dtype="<u2"), np.array(lengths[a:b], np.int64)))
        at += size
    return out


@given(st.lists(st.integers(0, 50), min_size=1, max_size=80), st.integers(1, 20))
def test_shards_of_equal_numbers_of_ids(lengths: list[int], count: int):
    """Each has a row at least; each end is the row end nearest to its share, as far as the others leave room."""
    count = min(count, len(lengths))
    cuts = equal_cuts(np.array(lengths, np.int64), count)
    assert len(cuts) == count
    assert cuts[-1] == len(lengths)
    assert all(a < b for a, b in pairwise([0, *cuts]))
    ends = np.cumsum(lengths).tolist()
    for k, cut in enumerate(cuts[:-1], 1):
        share = ends[-1] * k // count
        low, high = (cuts[k - 2] if k > 1 else 0) + 1, len(lengths) - (count - k)
        assert abs(ends[cut - 1] - share) == min(abs(ends[i - 1] - share) for i in range(low, high + 1))


def write(name: str, output: str, lengths: list[int], layout: Layout, cuts: list[int]) -> Any:
    """Write documents whose ids count up, modulo 256."""
    writer = make_writer(name, SMALL, (), layout)
    writer.open(output, 1)
    try:
        for ids, sizes in batches(lengths, cuts):
            writer.write(writer.format(IdBatch((ids % 256).astype(np.int32), np.cumsum(sizes))))
        writer.finish()
    except BaseException:
        writer.abort()
        raise
    return writer


LENGTHS = [3, 0, 9, 1, 1, 14, 2, 30, 5, 5, 5, 1, 8]


@pytest.mark.parametrize(
    "layout", [Layout(shards=4), Layout(shard_tokens=20), Layout(8, shards=3), Layout(8, "best-fit", 3)]
)
@pytest.mark.parametrize("name", [name for name in FORMATS if not getattr(writer_class(name), "folder", False)])
def test_shards_hold_what_one_output_holds(tmp_path: Path, name: str, layout: Layout, monkeypatch: pytest.MonkeyPatch):
    """One after another, in the order of their numbers, for any cut of the batches."""
    monkeypatch.chdir(tmp_path)
    for folder in "abc":
        (tmp_path / folder).mkdir()
    writer = write(name, "a/{shard}", LENGTHS, layout, [])
    again = write(name, "b/{shard}", LENGTHS, layout, [2, 5, 6])
    single = write(name, "c/x", LENGTHS, Layout(layout.context, layout.pack), [])
    assert writer.laid_out == again.laid_out
    count = writer.laid_out.shards
    assert count == (layout.shards or count) > 1
    files = {folder: {p.name: p.read_bytes() for p in Path(folder).iterdir()} for folder in "abc"}
    for one in files.values():
        one.pop("sequences.json", None)
        one.pop("x.sequences.json", None)
    assert files["a"] == files["b"]
    suffixes = {one.removeprefix("x") for one in files["c"]}
    width = 1 if layout.shards else 5
    assert set(files["a"]) == {f"{i:0{width}}{suffix}" for i in range(count) for suffix in suffixes}
    data = next((s for s in (".bin", ".ds", ".npy", "") if s in suffixes), "")
    head = {"npy": 128, "llmc": 1024}.get(name, 0)
    joined = b"".join(files["a"][f"{i:0{width}}{data}"][head:] for i in range(count))
    if name not in ("parquet", "arrow", "arrayrecord"):
        assert joined == files["c"][f"x{data}"][head:]
    assert writer.bytes == single.bytes


def test_a_shard_ends_with_the_row_that_brings_it_to_its_ids(tmp_path: Path):
    """The next row begins the next shard, even one without ids."""
    write("offsets", str(tmp_path / "{shard}"), [3, 4, 0, 7, 1], Layout(shard_tokens=7), [2])
    found = [np.load(path).tolist() for path in sorted(tmp_path.glob("*.npy"))]
    assert found == [[0, 3, 7], [0, 0, 7], [0, 1]]


def test_more_shards_than_rows(tmp_path: Path):
    """An empty shard would be refused by its readers; the old files stay."""
    with pytest.raises(DataError, match="2 rows for 3 shards; ask for 2 shards or fewer"):
        write("u16", str(tmp_path / "{shard}"), [1, 1], Layout(shards=3), [])


def test_rows_come_back_from_the_temporary_file_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Also a row that is longer than what is read at once."""
    monkeypatch.setattr(shards, "_BATCH_IDS", 7)
    write("offsets", str(tmp_path / "{shard}"), LENGTHS, Layout(shards=2), [3])
    ids = np.concatenate([np.fromfile(tmp_path / f"{i}.bin", "<u2") for i in range(2)])
    assert ids.tolist() == list(range(sum(LENGTHS)))


def test_a_thousand_shards(tmp_path: Path):
    """With few files open at a time."""
    write("megatron", str(tmp_path / "x{shard}"), [5] * 2000, Layout(shards=1000), [])
    assert len(list(tmp_path.iterdir())) == 2001
    assert (tmp_path / "x000.bin").read_bytes() == np.arange(10, dtype="<u2").tobytes()
    assert json.loads((tmp_path / "xsequences.json").read_text())[str(tmp_path / "x999")] == [2, 3]


def test_windows_in_megatron(tmp_path: Path):
    """A window is a document, and every piece in it a sequence."""
    write("megatron", str(tmp_path / "x"), [3, 0, 9, 1, 4], Layout(8), [])
    index = (tmp_path / "x.idx").read_bytes()
    assert np.frombuffer(index, "<i4", 4, 34).tolist() == [3, 5, 4, 1]
    assert np.frombuffer(index, "<i8", 3, len(index) - 24).tolist() == [0, 2, 5]


def test_windows_of_lines_keep_their_pieces(tmp_path: Path):
    """JSON lines have a place for them."""
    write("jsonl", str(tmp_path / "x"), [3, 6], Layout(4), [])
    lines = [json.loads(line) for line in (tmp_path / "x").read_text().splitlines()]
    assert lines == [{"ids": [0, 1, 2, 3], "seq_lengths": [3, 1]}, {"ids": [4, 5, 6, 7], "seq_lengths": [4]}]


@pytest.mark.parametrize(
    ("layout", "output", "said"),
    [
        (Layout(shards=2), "x", "shards and a name with '{shard}' go together"),
        (Layout(), "x{shard}", "shards and a name with '{shard}' go together"),
        (Layout(shards=2), "-", "shards and a name with '{shard}' go together"),
        (Layout(shards=2, shard_tokens=5), "x{shard}", "a number of shards and ids a shard; give one of the two"),
        (Layout(pack="best-fit"), "x", "packing 'best-fit' without a context"),
        (Layout(5, "best"), "x", "packing 'best'; accepted are concat and best-fit"),
        (Layout((1 << 24) + 1), "x", "accepted are 1 to 16777216"),
        (Layout((1 << 20) + 1, "best-fit"), "x", "accepted are 1 to 1048576"),
    ],
)
def test_layouts_that_are_refused(tmp_path: Path, layout: Layout, output: str, said: str, monkeypatch):
    """Before any file is made."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=said.replace("{", r"\{")):
        make_writer("u16", SMALL, (), layout).open(output, 1)
    assert os.listdir(tmp_path) == []


def test_best_fit_needs_something_to_pad_with():
    """Formats of windows of one length do."""
    bare = Vocabulary(9, {}, list)
    with pytest.raises(UsageError, match="format npy pads windows, and the model has neither a pad nor an eos"):
        make_writer("npy", bare, (), Layout(8, "best-fit"))
    make_writer("jsonl", bare, (), Layout(8, "best-fit"))


@pytest.mark.parametrize("name", ["megatron", "olmo"])
def test_readers_cannot_open_an_empty_file(tmp_path: Path, name: str):
    """So none is written; the old set stays."""
    with pytest.raises(DataError, match=f"no ids to write, and readers of format {name} cannot open an empty file"):
        write(name, str(tmp_path / "x"), [0, 0], Layout(), [])


def test_datatrove_takes_a_shard_without_ids(tmp_path: Path):
    """So the set of it is written like any other."""
    write("datatrove", str(tmp_path / "x"), [0, 0], Layout(), [])
    assert (tmp_path / "x.ds").read_bytes() == (tmp_path / "x.ds.index").read_bytes() == b""
    assert (tmp_path / "x.ds.metadata").read_text().splitlines()[1:] == ["0", "0.00 T"]


def test_names_under_which_trainers_keep_indices_of_other_data(tmp_path: Path):
    """Megatron's cache and OLMo-core's would be used for the new data."""
    (tmp_path / "x" / "cache" / "GPTDataset_indices").mkdir(parents=True)
    with pytest.raises(UsageError, match="is the index of other data, and Megatron"):
        write("megatron", str(tmp_path / "x"), [1], Layout(), [])
    write("olmo", str(tmp_path / "y"), [1], Layout(), [])
    with pytest.raises(UsageError, match="OLMo-core would use its index of the old file"):
        write("olmo", str(tmp_path / "y"), [1], Layout(), [])


def test_a_table_of_documents_is_one_text_however_it_is_compressed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Threads compress parts of OLMo's table; their number does not show, and the parts are one file to gzip."""
    lengths = [n % 7 for n in range(1000)]
    write("olmo", str(tmp_path / "whole"), lengths, Layout(), [])
    monkeypatch.setattr(olmo, "_ROWS", 30)
    for workers in (1, 3):
        write("olmo", str(tmp_path / str(workers)), lengths, Layout(workers=workers), [])
    tables = {name: (tmp_path / f"{name}.csv.gz").read_bytes() for name in ("whole", "1", "3")}
    assert tables["1"] == tables["3"] != tables["whole"]
    ends = np.cumsum(lengths).tolist()
    rows = [f"{end - length},{end},{i},,\n" for i, (length, end) in enumerate(zip(lengths, ends, strict=True))]
    assert gzip.decompress(tables["3"]) == gzip.decompress(tables["whole"]) == "".join(rows).encode()

"""What every output format promises, and what a format of several files can rely on."""

from __future__ import annotations

import gzip
import io
import json
import os
import struct
from pathlib import Path

import numpy as np
import pytest

from corpustools.errors import DataError, SystemFailure, UsageError
from corpustools.formats import FORMATS, READABLE, formats_that, make_reader, make_writer, writer_class
from corpustools.formats.batch import IdBatch
from corpustools.formats.layout import LaidOut, Layout
from corpustools.formats.vocabulary import Vocabulary, piece_name
from corpustools.formats.writer import Writer

SMALL = Vocabulary(300, {"bos": 1, "eos": 2}, lambda: [f"piece{i}" for i in range(300)])
LARGE = Vocabulary((1 << 16) + 1, {}, list)
DOCUMENTS = [[5, 6, 7], [], [299], [], []]


def batch(documents: list[list[int]]) -> IdBatch:
    """Documents as a run hands them over."""
    ids = np.array([i for one in documents for i in one], np.int32)
    return IdBatch(ids, np.cumsum([len(one) for one in documents], dtype=np.int64))


def write(writer: Writer, output: Path, *documents: list[list[int]]) -> None:
    """Write batches to an output."""
    writer.open(str(output), 1)
    for one in documents:
        writer.write(writer.format(batch(one)))
    writer.finish()


SHORT_IDS = np.array([5, 6, 7, 299], "<u2").tobytes()


def npy(array: np.ndarray) -> bytes:
    """An array as NumPy saves it."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def files_of(output: Path) -> dict[str, bytes]:
    """What there is under an output's name, by what follows the name; decompressed."""
    found = {}
    paths = [path for name in ("*", "*/*") for path in output.parent.glob(output.name + name) if path.is_file()]
    for path in sorted(paths):
        data = path.read_bytes()
        found[str(path).removeprefix(str(output))] = gzip.decompress(data) if path.suffix == ".gz" else data
    return found


def json_of(**values: object) -> bytes:
    """An object as the libraries write it, with sorted keys."""
    return json.dumps(values, sort_keys=True).encode()


def table(preface: bytes, *rows: bytes) -> bytes:
    """A file with a table of places: how many rows, where each begins, where the last one ends."""
    places = [4 * (len(rows) + 2) + len(preface) + len(b"".join(rows[:i])) for i in range(len(rows) + 1)]
    return struct.pack(f"<{len(rows) + 2}I", len(rows), *places) + preface + b"".join(rows)


MDS: dict[str, object] = {
    "column_encodings": ["ndarray:uint16"],
    "column_names": ["tokens"],
    "column_sizes": [None],
    "compression": None,
    "format": "mds",
    "hashes": [],
    "size_limit": 67108864,
    "version": 2,
}
# Each array has its size in bytes, the byte 4 for one dimension of a length below 256, the length, and the ids.
MDS_ROWS = [b"\x08\0\0\0\x04\x03" + SHORT_IDS[:6], b"\2\0\0\0\4\0", b"\4\0\0\0\4\1" + SHORT_IDS[6:]]
MDS_FILE = table(json_of(**MDS), *MDS_ROWS, MDS_ROWS[1], MDS_ROWS[1])
MDS_SHARD = {"raw_data": {"basename": "shard.00000.mds", "bytes": len(MDS_FILE), "hashes": {}}, "samples": 5}
LITDATA = {
    "chunk_bytes": 67108864,
    "chunk_size": None,
    "compression": None,
    "data_format": ["no_header_tensor:20"],
    "data_spec": None,
    "encryption": None,
    "item_loader": "TokensLoader",
}
LITDATA_CHUNK = {"chunk_bytes": 36, "chunk_size": 5, "dim": 4, "filename": "chunk-0-0.bin"}
EXPECTED: dict[str, bytes | dict[str, bytes]] = {
    "ids": b"5 6 7\n\n299\n\n\n",
    "pieces": b"piece5 piece6 piece7\n\npiece299\n\n\n",
    "jsonl": b'{"ids": [5, 6, 7]}\n{"ids": []}\n{"ids": [299]}\n{"ids": []}\n{"ids": []}\n',
    "u16": np.array([5, 6, 7, 299], "<u2").tobytes(),
    "u32": np.array([5, 6, 7, 299], "<u4").tobytes(),
    "npy": npy(np.array([5, 6, 7, 299], "<u2")),
    "megatron": {
        ".bin": SHORT_IDS,
        ".idx": b"MMIDIDX\0\0"
        + struct.pack("<QBQQ", 1, 8, 5, 6)
        + struct.pack("<5i", 3, 0, 1, 0, 0)
        + struct.pack("<5q", 0, 6, 6, 8, 8)
        + struct.pack("<6q", *range(6)),
        ".sequences.json": b'{"out": [5, 6]}\n',
    },
    "datatrove": {
        ".ds": SHORT_IDS,
        ".ds.index": struct.pack("<2Q", 3, 4),
        ".ds.metadata": b"unnamed|2\n4\n4.00 T",
    },
    "offsets": {".bin": SHORT_IDS, ".offsets.npy": npy(np.array([0, 3, 3, 4, 4, 4], "<i8"))},
    "llmc": struct.pack("<3i", 20240520, 1, 4) + bytes(1012) + SHORT_IDS,
    "olmo": {
        ".npy": SHORT_IDS,
        ".csv.gz": b"0,3,0,,\n3,3,1,,\n3,4,2,,\n4,4,3,,\n4,4,4,,\n",
    },
    "mds": {
        "/index.json": json_of(version=2, shards=[MDS | MDS_SHARD | {"zip_data": None}]),
        "/shard.00000.mds": MDS_FILE,
    },
    "litdata": {
        "/index.json": json_of(chunks=[LITDATA_CHUNK], config=LITDATA),
        "/chunk-0-0.bin": table(b"", SHORT_IDS[:6], b"", SHORT_IDS[6:], b"", b""),
    },
}
# Their bytes are those of a library's version; tests/test_stores.py decodes them.
DECODED = {"parquet", "arrow", "arrayrecord"}


@pytest.mark.parametrize("cut", range(6))
@pytest.mark.parametrize("name", EXPECTED)
def test_batches_cut_anywhere_give_the_same_bytes(tmp_path: Path, name: str, cut: int, monkeypatch: pytest.MonkeyPatch):
    """Documents without ids are there; so is an output without documents."""
    monkeypatch.chdir(tmp_path)
    writer = make_writer(name, SMALL)
    write(writer, Path("out"), DOCUMENTS[:cut], [], DOCUMENTS[cut:])
    expected = EXPECTED[name]
    assert files_of(tmp_path / "out") == (expected if isinstance(expected, dict) else {"": expected})
    assert (writer.documents, writer.tokens, writer.laid_out) == (5, 4, LaidOut())


def without_names(output: Path) -> dict[str, bytes]:
    """The files of an output but for those that hold its name."""
    return {name: data for name, data in files_of(output).items() if name != ".sequences.json"}


@pytest.mark.parametrize("name", [name for name in FORMATS if writer_class(name).streams])
@pytest.mark.parametrize("parts", [[[]], [[5], [], [6, 7]], [[], [5, 6, 7]]])
def test_a_document_in_parts_is_the_document(tmp_path: Path, name: str, parts: list[list[int]]):
    """Its boundaries do not show, and other documents follow it."""
    whole = [i for part in parts for i in part]
    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    write(make_writer(name, SMALL), tmp_path / "whole" / "x", [[1]], [whole, [2]])
    writer = make_writer(name, SMALL)
    writer.open(str(tmp_path / "parts" / "x"), 1)
    writer.write(writer.format(batch([[1]])))
    for part in parts:
        writer.write_part(np.array(part, np.int32))
    writer.end_document()
    writer.write(writer.format(batch([[2]])))
    writer.finish()
    assert without_names(tmp_path / "parts" / "x") == without_names(tmp_path / "whole" / "x")
    assert (writer.documents, writer.tokens) == (3, 2 + len(whole))


def test_the_table_is_true():
    """A format's key is its name; what can be read back can be written; facts are asked, not listed."""
    assert [writer_class(name).name for name in FORMATS] == list(FORMATS)
    assert set(READABLE) <= set(FORMATS) == EXPECTED.keys() | DECODED
    assert formats_that("holds_columns") == "jsonl"
    with pytest.raises(UsageError, match="format 'u8'; accepted are ids, pieces, jsonl, u16, u32, npy, megatron"):
        make_writer("u8", SMALL)
    with pytest.raises(UsageError, match="format 'npy'; accepted are ids, jsonl"):
        make_reader("npy")
    with pytest.raises(
        UsageError, match="format 'u16' has no place for score, length beside the ids; use format jsonl"
    ):
        make_writer("u16", SMALL, ("score", "length"))
    with pytest.raises(UsageError, match="score beside ids in windows or shards; leave one of the two away"):
        make_writer("jsonl", SMALL, ("score",), Layout(8))


@pytest.mark.parametrize(("name", "dtype"), [("u32", np.uint32), ("npy", np.uint32)])
def test_ids_above_65535(tmp_path: Path, name: str, dtype: type):
    """The vocabulary decides about the width, not the ids that occur."""
    write(make_writer(name, LARGE), tmp_path / "out", [[1 << 16, 0]])
    file = tmp_path / "out"
    array = np.load(file) if name == "npy" else np.fromfile(file, dtype)
    assert (array.dtype, array.tolist()) == (dtype, [1 << 16, 0])
    with pytest.raises(UsageError, match="65537 ids do not fit into 16 bits; use format u32"):
        make_writer("u16", LARGE)
    fits = Vocabulary(1 << 16, {}, list)
    write(make_writer("u16", fits), tmp_path / "most", [[(1 << 16) - 1]])
    assert (tmp_path / "most").read_bytes() == b"\xff\xff"


@pytest.mark.parametrize("output", ["-", "a.npy.gz"])
def test_npy_needs_a_plain_file(tmp_path: Path, output: str, monkeypatch: pytest.MonkeyPatch):
    """Its header is written last; nothing is left behind."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="format npy needs a plain file"):
        make_writer("npy", SMALL).open(output, 1)
    assert os.listdir(tmp_path) == []


def test_a_format_of_two_files(tmp_path: Path):
    """It gets the length of every document, in order, also of empty ones and of those that come in parts."""
    writer = make_writer("offsets", SMALL)
    writer.open(str(tmp_path / "x"), 1)
    writer.write(writer.format(batch(DOCUMENTS)))
    for part in ([8, 9], [], [10]):
        writer.write_part(np.array(part, np.int32))
    writer.end_document()
    writer.write_part(np.array([], np.int32))
    writer.end_document()
    writer.write(writer.format(batch([[11]])))
    assert [name for name in os.listdir(tmp_path) if not name.startswith(".")] == []
    writer.finish()
    assert sorted(os.listdir(tmp_path)) == ["x.bin", "x.offsets.npy"]
    assert np.fromfile(tmp_path / "x.bin", "<u2").tolist() == [5, 6, 7, 299, 8, 9, 10, 11]
    assert np.load(tmp_path / "x.offsets.npy").tolist() == [0, 3, 3, 4, 4, 4, 7, 7, 8]


def test_a_format_of_two_files_that_is_given_up(tmp_path: Path):
    """The old set stays, whether the run fails or a file cannot be opened."""
    write(make_writer("offsets", SMALL), tmp_path / "x", [[1]])
    names = ("x.bin", "x.offsets.npy")
    before = [(tmp_path / name).read_bytes() for name in names]
    writer = make_writer("offsets", SMALL)
    writer.open(str(tmp_path / "x"), 1)
    writer.write(writer.format(batch(DOCUMENTS)))
    writer.abort()
    (tmp_path / "y.bin").mkdir()
    with pytest.raises(UsageError, match="is a directory"):
        make_writer("offsets", SMALL).open(str(tmp_path / "y"), 1)
    with pytest.raises(SystemFailure, match="no such file"):
        make_writer("offsets", SMALL).open(str(tmp_path / "no" / "y"), 1)
    assert sorted(os.listdir(tmp_path)) == ["x.bin", "x.offsets.npy", "y.bin"]
    assert [(tmp_path / name).read_bytes() for name in names] == before


@pytest.mark.parametrize("name", READABLE)
def test_what_is_written_is_read_back(tmp_path: Path, name: str):
    """Line by line."""
    write(make_writer(name, SMALL), tmp_path / "out", DOCUMENTS)
    reader = make_reader(name)
    lines = (tmp_path / "out").read_bytes().splitlines()
    assert [list(reader.ids_of(line, "x")) for line in lines] == DOCUMENTS


@pytest.mark.parametrize(
    ("name", "line", "said"),
    [
        ("ids", b"1 2 x3", r"record 7: b'x3' is no id; ids are decimal numbers, separated by spaces"),
        ("ids", b"1 -2", r"record 7: b'-2' is no id"),
        ("ids", b"1 99999999999999999999", r"record 7: an id is larger than any model has"),
        ("jsonl", b"[1]", r"record 7 is no JSON object with 'ids'"),
        ("jsonl", b'{"id": [1]}', r"record 7 is no JSON object with 'ids'"),
        ("jsonl", b"{", r"record 7 is no JSON object with 'ids'"),
        ("jsonl", b'{"ids": ' + b"[" * 100000, r"record 7 is no JSON object with 'ids'"),
        ("jsonl", b'{"ids": [%s]}' % (b"9" * 5000), r"record 7(: 'ids' is no list of ids| is no JSON object)"),
        ("jsonl", b'{"ids": [1, true]}', r"record 7: 'ids' is no list of ids"),
        ("jsonl", b'{"ids": "1"}', r"record 7: 'ids' is no list of ids"),
    ],
)
def test_lines_that_hold_no_ids(name: str, line: bytes, said: str):
    """The record is named."""
    with pytest.raises(DataError, match=f"^{said}"):
        make_reader(name).ids_of(line, "record 7")


def test_names_are_made_once_and_only_when_asked_for():
    """Naming a large vocabulary takes longer than opening a file."""
    made: list[int] = []

    def names() -> list[str]:
        made.append(1)
        return ["a", "b"]

    vocabulary = Vocabulary(2, {}, names)
    make_writer("pieces", vocabulary)
    assert made == []
    assert vocabulary.names == vocabulary.names == ["a", "b"]
    assert made == [1]


@pytest.mark.parametrize(
    ("piece", "name"),
    [(b"abc", "abc"), ("天".encode(), "天"), (b"a b\n", "a<0x20>b<0x0A>"), (b"\xff", "<0xFF>"), (b"", "")],
)
def test_names_of_pieces(piece: bytes, name: str):
    """Nothing breaks a line or a column."""
    assert piece_name(piece) == name

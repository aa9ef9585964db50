"""Readers of whole token outputs: what our writers and others write, and files that are torn or damaged."""

from __future__ import annotations

import contextlib
import gzip
import json
import random
import shutil
import struct
from importlib.util import find_spec
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stores import DOCUMENTS, LARGE, SMALL, write

from corpustools.errors import CorpusError, DataError
from corpustools.formats.layout import Layout
from corpustools.formats.readers import READERS, open_tokens
from corpustools.formats.readers import reader as reading
from corpustools.formats.readers.arrayrecord import ids_of
from corpustools.formats.readers.reader import cut
from corpustools.formats.readers.recognise import expand, recognise

NEEDS = {"parquet": "pyarrow", "arrow": "pyarrow", "arrayrecord": "array_record"}
BOUNDED = [
    "ids",
    "jsonl",
    "megatron",
    "datatrove",
    "offsets",
    "olmo",
    "parquet",
    "arrow",
    "mds",
    "litdata",
    "arrayrecord",
]
BARE = ["u16", "u32", "npy", "llmc"]


def documents_of(output, form=None, vocabulary=300):
    """The documents that a reader gives, or all ids where the format has no documents."""
    reader = open_tokens([str(output)], form, vocabulary)
    try:
        ids, ends, at = [], [], 0
        for batch in reader.batches():
            assert batch.ids.dtype == np.int32
            assert len(batch.ends) == 0 or 0 <= batch.ends[0] <= batch.ends[-1] <= len(batch.ids)
            ids += batch.ids.tolist()
            ends += (batch.ends + at).tolist()
            at += len(batch.ids)
        if reader.tokens is not None:
            assert reader.tokens == len(ids)
        if not reader.bounded:
            assert ends == []
            return ids
        if reader.documents is not None:
            assert reader.documents == reader.count() == len(ends)
        assert (ends or [0])[-1] == len(ids)
        return [ids[a:b] for a, b in pairwise([0, *ends])]
    finally:
        reader.close()


def needs(form):
    wanted = NEEDS.get(form)
    return pytest.param(form, marks=pytest.mark.skipif(bool(wanted and not find_spec(wanted)), reason=f"no {wanted}"))


@pytest.mark.parametrize("small", [False, True], ids=["at once", "in pieces"])
@pytest.mark.parametrize("form", [needs(form) for form in BOUNDED + BARE])
def test_what_is_written_is_read(tmp_path, monkeypatch, form, small):
    """Every format gives its documents back, however little is read at once; the format is recognised."""
    if small:
        for module in ("reader", "megatron", "datatrove", "offsets", "olmo", "bare", "folders"):
            for name in ("BATCH_IDS", "BATCH_DOCUMENTS"):
                monkeypatch.setattr(f"corpustools.formats.readers.{module}.{name}", 3, raising=False)
    documents = [[i, i + 1] * (i % 4) for i in range(40)] if small else DOCUMENTS
    wanted = [ids for ids in documents if ids] if form == "datatrove" else documents
    for vocabulary in (SMALL, LARGE)[: 1 if form == "u16" else 2]:
        output = tmp_path / f"out{vocabulary.size}"
        write(form, output, documents, vocabulary=vocabulary)
        assert recognise(str(output), vocabulary.size) == form
        found = documents_of(output, vocabulary=vocabulary.size)
        assert found == ([i for ids in wanted for i in ids] if form in BARE else wanted)
        assert found == documents_of(output, form, vocabulary.size)


def megatron(prefix, sequences, marks, dtype="<u2", code=8, modes=False):
    flat = np.array([i for ids in sequences for i in ids], dtype)
    prefix.with_suffix(".bin").write_bytes(flat.tobytes())
    lengths = np.array([len(ids) for ids in sequences], "<i4")
    places = (np.cumsum(lengths, dtype="<i8") - lengths) * np.dtype(dtype).itemsize
    head = b"MMIDIDX\0\0" + struct.pack("<QBQQ", 1, code, len(sequences), len(marks))
    tail = np.array(marks, "<i8").tobytes() + bytes(len(sequences)) * modes
    prefix.with_suffix(".idx").write_bytes(head + lengths.tobytes() + places.astype("<i8").tobytes() + tail)


@pytest.mark.parametrize(("dtype", "code"), [("u1", 1), ("i1", 2), ("<i2", 3), ("<i4", 4), ("<i8", 5), ("<u2", 8)])
def test_megatron_files_of_others(tmp_path, monkeypatch, dtype, code):
    """Every type of id, several sequences a document, documents without any, and a byte of mode a sequence."""
    sequences = [[1, 2], [], [3], [4, 5, 6], [7], []]
    for size in (1, 2, 1 << 16):
        monkeypatch.setattr("corpustools.formats.readers.megatron.BATCH_DOCUMENTS", size)
        megatron(tmp_path / "a", sequences, [0, 1, 4, 4, 6], dtype, code, modes=size == 2)
        assert documents_of(tmp_path / "a") == [[1, 2], [3, 4, 5, 6], [], [7]]
        megatron(tmp_path / "a", sequences, [0, 0, 0, 6, 6], dtype, code)
        assert documents_of(tmp_path / "a") == [[], [], [1, 2, 3, 4, 5, 6, 7], []]
    for marks in ([1, 6], [0, 5], [0, 4, 3, 6], [0, 7]):
        megatron(tmp_path / "a", sequences, marks, dtype, code)
        with pytest.raises(DataError, match="documents"):
            documents_of(tmp_path / "a")


def test_companions_that_others_leave_out(tmp_path):
    """datatrove without metadata or index, OLMo without its table: the vocabulary tells the width, nobody documents."""
    documents = [[5, 6], [7]]
    for form, left_out in (("datatrove", ".ds.metadata"), ("datatrove", ".ds.index"), ("olmo", ".csv.gz")):
        write(form, tmp_path / "out", documents)
        (tmp_path / f"out{left_out}").unlink()
        assert documents_of(tmp_path / "out", form) == (documents if left_out == ".ds.metadata" else [5, 6, 7])
        for path in tmp_path.iterdir():
            path.unlink()


def test_numbers_of_any_width(tmp_path):
    """An array of int64 is read; what no id can be appears as a negative number."""
    np.save(tmp_path / "a.npy", np.array([1, -5, 1 << 40, 7]))
    assert documents_of(tmp_path / "a.npy") == [1, -1, -1, 7]
    np.save(tmp_path / "b.npy", np.array([1, 1 << 31], np.uint32))
    assert documents_of(tmp_path / "b.npy") == [1, -(1 << 31)]
    np.save(tmp_path / "c.npy", np.array([[1, 2], [3, 4]], ">i2"))
    assert documents_of(tmp_path / "c.npy") == [1, 2, 3, 4]
    for array in (np.zeros((2, 2, 2), int), np.zeros(3), np.zeros((2, 3), int, order="F")):
        np.save(tmp_path / "d.npy", array)
        with pytest.raises(DataError, match=r"d\.npy"):
            documents_of(tmp_path / "d.npy")


def test_compressed_ids(tmp_path):
    """Lines and bare ids may be compressed, as they are written."""
    (tmp_path / "a").write_bytes(gzip.compress(b"1 2\n\n3\n"))
    assert documents_of(tmp_path / "a") == [[1, 2], [], [3]]
    (tmp_path / "a.u16.gz").write_bytes(gzip.compress(np.arange(999, dtype="<u2").tobytes()))
    assert documents_of(tmp_path / "a.u16.gz", "u16") == [*range(999)]
    (tmp_path / "b.u16.gz").write_bytes(gzip.compress(b"abc"))
    with pytest.raises(DataError, match="1 bytes are left over"):
        documents_of(tmp_path / "b.u16.gz", "u16")


def test_a_line_longer_than_a_buffer(tmp_path):
    """Ids of a long line come in parts, cut between two numbers."""
    ids = [random.Random(1).randrange(1 << 31) for _ in range(500_000)]
    (tmp_path / "a").write_text("7\n" + " ".join(map(str, ids)) + "\n8")
    assert documents_of(tmp_path / "a", "ids") == [[7], ids, [8]]
    (tmp_path / "a").write_text(" ".join(map(str, ids)) + " x\n")
    with pytest.raises(DataError, match=r"record 1: b'x' is no id"):
        documents_of(tmp_path / "a", "ids")


def test_what_is_no_id_is_named(tmp_path):
    """The error names the line and the word."""
    for text, words in (("1 2\n3 x4\n", "record 2: b'x4'"), ("1 2147483648\n", "record 1: b'2147483648'")):
        (tmp_path / "a").write_text(text)
        with pytest.raises(DataError, match=words):
            documents_of(tmp_path / "a", "ids")
    (tmp_path / "a").write_text('{"ids": [1]}\n{"ids": [true]}\n')
    with pytest.raises(DataError, match="record 2 is no JSON object with a list of 'ids'"):
        documents_of(tmp_path / "a")


def varint(value):
    return bytes([*(value >> 7 * i & 0x7F | 0x80 for i in range((max(value.bit_length(), 1) - 1) // 7)),
                  value >> 7 * ((max(value.bit_length(), 1) - 1) // 7)])  # fmt: skip


def message(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


@given(ids=st.lists(st.integers(0, (1 << 31) - 1), max_size=20), packed=st.booleans(), others=st.booleans())
def test_examples_are_read(ids, packed, others):
    """Packed or not, among other features, as protobuf allows it."""
    numbers = message(1, b"".join(map(varint, ids))) if packed else b"".join(b"\x08" + varint(i) for i in ids)
    entry = message(1, message(1, b"input_ids") + message(2, message(3, numbers)))
    other = message(1, message(1, b"text") + message(2, message(1, message(1, b"abc")))) if others else b""
    assert ids_of(message(1, other + entry)).tolist() == ids
    with pytest.raises(ValueError, match="no input_ids"):
        ids_of(message(1, other))


def test_a_table_of_others(tmp_path):
    """Another name, another width, a list of fixed size, columns beside it; what cannot be meant is refused."""
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = [[1, 2], [], [3]]
    for kind in (arrow.list_(arrow.uint16()), arrow.large_list(arrow.int64())):
        table = arrow.table({"id": [1, 2, 3], "tokens": arrow.array(rows, kind), "mask": rows})
        parquet.write_table(table, tmp_path / "a")
        assert documents_of(tmp_path / "a") == rows
        with arrow.OSFile(str(tmp_path / "b"), "wb") as sink, arrow.ipc.new_file(sink, table.schema) as file:
            file.write_table(table)
        assert documents_of(tmp_path / "b") == rows
    fixed = arrow.array([[1, 2], [3, 4]], arrow.list_(arrow.int32(), 2))
    parquet.write_table(arrow.table({"any": fixed}), tmp_path / "a")
    assert documents_of(tmp_path / "a") == [[1, 2], [3, 4]]
    for table, words in (
        ({"a": [1]}, "no column"),
        ({"a": rows, "b": rows}, "no column"),
        ({"input_ids": [[1], None]}, "null"),
        ({"input_ids": [[1], [None]]}, "null"),
    ):
        parquet.write_table(arrow.table(table), tmp_path / "a")
        with pytest.raises(DataError, match=words):
            documents_of(tmp_path / "a")


def test_a_missing_library_is_named(tmp_path, monkeypatch):
    """Without the extra, one line says how to get it."""
    import builtins

    real = builtins.__import__
    write("parquet", tmp_path / "a", [[1]])
    monkeypatch.setattr("corpustools.files.extras.import_module", lambda name: (_ for _ in ()).throw(ImportError(name)))
    assert builtins.__import__ is real
    with pytest.raises(CorpusError, match=r"pip install 'corpustools\[parquet\]'"):
        open_tokens([str(tmp_path / "a")], None, 300)


def test_hashes_of_an_index_are_held_against_the_files(tmp_path):
    """Readers do so for files that they download only."""
    import hashlib

    write("mds", tmp_path / "a", [[1, 2], [3]])
    index = json.loads((tmp_path / "a/index.json").read_bytes())
    data = (tmp_path / "a/shard.00000.mds").read_bytes()
    index["shards"][0]["raw_data"]["hashes"] = {"sha1": hashlib.sha1(data).hexdigest(), "xxh64": "0"}
    (tmp_path / "a/index.json").write_text(json.dumps(index))
    assert documents_of(tmp_path / "a") == [[1, 2], [3]]
    (tmp_path / "a/shard.00000.mds").write_bytes(data[:-1] + b"\7")
    with pytest.raises(DataError, match="sha1"):
        documents_of(tmp_path / "a")


@pytest.mark.parametrize("form", [needs(form) for form in READERS])
@settings(max_examples=40)
@given(data=st.data())
def test_damage_ends_in_an_error_or_in_other_ids(tmp_path_factory, form, data):
    """Torn files, changed bytes, files of another run: one of the package's errors or some ids, and nothing else."""
    folder = tmp_path_factory.mktemp("damaged")
    documents = [[5, 6, 7], [], [299], [8] * 20, [9]]
    write(form, folder / "out", documents)
    # Nobody here reads Megatron's list of numbers, and the folder's name in it is of any length.
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "out.sequences.json")
    path = data.draw(st.sampled_from(files))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        if content and data.draw(st.booleans()):
            content[data.draw(st.integers(0, min(len(content), 4096) - 1))] = data.draw(st.integers(0, 255))
        else:
            content = content[: data.draw(st.integers(0, len(content)))] + data.draw(st.binary(max_size=9))
    path.write_bytes(content)
    # An AssertionError: the reader promised another number of ids than came, and what compares finds it.
    with contextlib.suppress(CorpusError, AssertionError):
        documents_of(folder / "out", form)
    shutil.rmtree(folder)


def test_shards_by_their_numbers(tmp_path):
    """Numbers decide, not names; files that belong to one shard count once; a gap is named."""
    for number in (10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0):
        write("megatron", tmp_path / f"s-{number}", [[number]])
    (tmp_path / "s-x.bin").write_bytes(b"")
    assert documents_of(tmp_path / "s-{shard}") == [[i] for i in range(11)]
    assert documents_of(tmp_path / "s-{shard}.bin") == [[i] for i in range(11)]
    assert len(expand(str(tmp_path / "s-{shard}"))) == 11
    for suffix in (".bin", ".idx", ".sequences.json"):
        (tmp_path / f"s-4{suffix}").unlink()
    with pytest.raises(DataError, match="shard 4 is missing"):
        documents_of(tmp_path / "s-{shard}")
    write("u16", tmp_path / "s-4.bin", [[1]])
    with pytest.raises(DataError, match="s-4"):
        documents_of(tmp_path / "s-{shard}")


def test_shards_as_they_are_written(tmp_path):
    """A thousand shards of a format of several files."""
    write("offsets", tmp_path / "s-{shard}", [[i] * 3 for i in range(1000)], Layout(shard_tokens=1))
    assert documents_of(tmp_path / "s-{shard}") == [[i] * 3 for i in range(1000)]


def test_two_formats_of_one_name(tmp_path):
    """The files of two formats beside each other are named; the format that is asked for is read."""
    write("megatron", tmp_path / "out", [[1], [2]])
    write("datatrove", tmp_path / "out", [[3]])
    with pytest.raises(DataError, match="megatron and of datatrove"):
        documents_of(tmp_path / "out")
    assert documents_of(tmp_path / "out", "datatrove") == [[3]]
    assert documents_of(tmp_path / "out.bin") == [[1], [2]]


@given(lengths=st.lists(st.integers(0, 5), max_size=12), data=st.data())
def test_documents_are_cut_the_same_from_any_pieces(lengths, data):
    """Ids and ends come in pieces of any size."""
    total, ends = sum(lengths), np.cumsum(lengths, dtype=np.int64)
    ids = np.arange(total, dtype=np.int32)
    pieces = np.split(ids, sorted(data.draw(st.lists(st.integers(0, total), max_size=4))))
    parts = np.split(ends, sorted(data.draw(st.lists(st.integers(0, len(ends)), max_size=4))))
    found, at = [], 0
    for batch in cut(pieces, parts):
        found += (batch.ends + at).tolist()
        at += len(batch.ids)
    assert (at, found) == (total, ends.tolist())
    assert reading.BATCH_IDS > 1

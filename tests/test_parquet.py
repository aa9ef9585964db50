"""`parquet`: files written page by page without a library, read back by one."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from stores import DOCUMENTS, SMALL, bytes_of, pack, read_table, write

from corpustools.errors import DataError, UsageError
from corpustools.formats import make_writer, parquet, parquet_dictionary, thrift
from corpustools.formats.layout import Layout
from corpustools.formats.parquet_layout import data_page, dictionary_page, levels
from corpustools.formats.vocabulary import Vocabulary


def groups_of(path: Path) -> list[Any]:
    """What the footer says of each row group."""
    metadata = pytest.importorskip("pyarrow.parquet").ParquetFile(path).metadata
    return [metadata.row_group(i) for i in range(metadata.num_row_groups)]


def runs(data: bytes) -> list[int]:
    """Levels out of runs, as Encodings.md tells them."""
    found: list[int] = []
    at = 0
    while at < len(data):
        head = shift = 0
        while data[at] & 0x80:
            head, shift, at = head | (data[at] & 0x7F) << shift, shift + 7, at + 1
        head |= data[at] << shift
        assert not head & 1, "no bit-packed run is written"
        found += [data[at + 1]] * (head >> 1)
        at += 2
    return found


@given(st.lists(st.integers(0, 4) | st.integers(60, 70) | st.integers(8190, 8200), max_size=12))
def test_levels_are_those_of_the_definition(lengths: list[int]):
    """Repetition 0 begins a list; definition 3 is a number, 1 an empty list."""
    repetition, definition = levels(np.array(lengths, np.int64))
    assert runs(repetition) == [level for n in lengths for level in [0] + [1] * (n - 1)]
    assert runs(definition) == [level for n in lengths for level in ([3] * n or [1])]


def test_a_page(tmp_path: Path):
    """Levels with their lengths, then bare numbers; the checksum in its head is that of the compressed bytes."""
    compress = zstandard.ZstdCompressor(level=1).compress
    page = data_page(np.array([7, 8, 9], np.int32), np.array([2, 0, 1], np.int64), compress)
    body = b"\x08\0\0\0\2\0\2\1\2\0\2\0" + b"\6\0\0\0\4\3\2\1\2\3" + b"\7\0\0\0\x08\0\0\0\x09\0\0\0"
    packed = compress(body)
    assert page.data.endswith(packed)
    assert (page.values, page.raw) == (4, len(page.data) - len(packed) + len(body))
    checksum = zlib.crc32(packed)
    head = thrift.struct(
        {
            1: thrift.i32(0),
            2: thrift.i32(len(body)),
            3: thrift.i32(len(packed)),
            4: thrift.i32(checksum - (checksum >> 31 << 32)),
            5: thrift.struct({1: thrift.i32(4), 2: thrift.i32(0), 3: thrift.i32(3), 4: thrift.i32(3)}),
        }
    )
    assert page.data == head.data + packed


def test_a_page_of_places(tmp_path: Path):
    """Behind the levels: 16 bits a place, one run of places in groups of eight, and what fills the last group."""
    compress = zstandard.ZstdCompressor(level=1).compress
    page = data_page(np.array([0, 1, 0x1234], np.uint16), np.array([3], np.int64), compress)
    body = b"\4\0\0\0\2\0\4\1" + b"\2\0\0\0\6\3" + b"\x10\3" + b"\0\0\1\0\x34\x12" + bytes(10)
    assert page.data.endswith(compress(body))
    # The type of the values in the head: by their places in a dictionary.
    assert thrift.struct({1: thrift.i32(3), 2: thrift.i32(8), 3: thrift.i32(3), 4: thrift.i32(3)}).data in page.data
    ids = np.array([7, 300000], np.int32)
    page = dictionary_page(ids, compress)
    assert page.data.endswith(compress(ids.tobytes()))
    assert page.values == 0
    head = page.data.removesuffix(compress(ids.tobytes()))
    assert head.startswith(thrift.struct({1: thrift.i32(2), 2: thrift.i32(8)}).data[:-1])
    assert head.endswith(thrift.struct({1: thrift.i32(2), 2: thrift.i32(0)}).data + b"\0")


def test_the_compact_protocol():
    """Values worked out by hand from Thrift's description of it."""
    assert thrift.varint(300) == b"\xac\x02"
    assert [thrift.i32(n).data for n in (0, -1, 1, -2, 2147483647, -2147483648)] == [
        *(b"\0", b"\1", b"\2", b"\3"),
        *(b"\xfe\xff\xff\xff\x0f", b"\xff\xff\xff\xff\x0f"),
    ]
    assert thrift.string("é").data == b"\2\xc3\xa9"
    assert thrift.sequence([thrift.i32(1)] * 2, thrift.i32(0)).data == b"\x25\2\2"
    assert thrift.sequence([thrift.i32(1)] * 15, thrift.i32(0)).data == b"\xf5\x0f" + b"\2" * 15
    assert thrift.sequence([], thrift.i32(0)).data == b"\x05"
    inner = thrift.struct({3: thrift.i64(-1)})
    assert thrift.struct({1: thrift.i32(1), 4: inner}).data == b"\x15\2\x3c\x36\1\0\0"


@settings(max_examples=40)
@given(
    lengths=st.lists(st.integers(0, 3) | st.integers(0, 400), max_size=60),
    limits=st.tuples(st.integers(1, 20), st.integers(1, 2000), st.integers(1, 2000)),
    room=st.integers(1, 400),
)
def test_pyarrow_reads_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], limits: tuple[int, int, int], room: int
):
    """For any lengths and limits, with checksums; each number is a column's; dictionaries may be small."""
    path = tmp_path_factory.mktemp("x") / "x"
    documents = [[(31 * i + j) % 300 for j in range(n)] for i, n in enumerate(lengths)]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in zip(("GROUP_ROWS", "GROUP_BYTES", "PAGE_BYTES"), limits, strict=True):
            patch.setattr(parquet, name, value)
        patch.setattr(parquet_dictionary, "ROOM", room)
        write("parquet", path, documents)
        table = read_table(path, "parquet")
        assert table["input_ids"].to_pylist() == documents
        for group in groups_of(path):
            assert group.num_rows <= limits[0]
        write("parquet", path, documents, Layout(5))
        table = read_table(path, "parquet")
        assert table["input_ids"].to_pylist() == pack(documents, 5)
        assert [sum(one) for one in table["seq_lengths"].to_pylist()] == [5] * table.num_rows


def test_the_schema_is_what_trainers_expect(tmp_path: Path):
    """Nothing else is in the file: no index of a data frame, no metadata that changes from run to run."""
    pyarrow = pytest.importorskip("pyarrow")
    write("parquet", tmp_path / "x", DOCUMENTS)
    write("parquet", tmp_path / "y", DOCUMENTS, Layout(100))
    lists = pyarrow.list_(pyarrow.int32())
    assert read_table(tmp_path / "x", "parquet").schema.equals(pyarrow.schema([("input_ids", lists)]))
    both = pyarrow.schema([("input_ids", lists), ("seq_lengths", lists)])
    schema = read_table(tmp_path / "y", "parquet").schema
    assert schema.equals(both)
    assert schema.metadata is None


def test_row_groups_are_small(tmp_path: Path):
    """1,024 rows at most, and less where they would be large; a group's sizes are those of its bytes."""
    write("parquet", tmp_path / "x", [[1]] * 2500)
    groups = groups_of(tmp_path / "x")
    assert [group.num_rows for group in groups] == [1024, 1024, 452]
    columns = [group.column(0) for group in groups]
    at = 4
    for column in columns:
        assert column.dictionary_page_offset == at
        assert at < column.data_page_offset < at + column.total_compressed_size
        assert column.encodings == ("PLAIN", "RLE", "RLE_DICTIONARY")
        assert column.compression == "ZSTD"
        at += column.total_compressed_size
    # What follows the last page is the footer, and its length, and the magic.
    data = (tmp_path / "x").read_bytes()
    assert at + int.from_bytes(data[-8:-4], "little") + 8 == len(data)


def test_more_ids_than_a_dictionary_has_room_for(tmp_path: Path):
    """The pages that came before it was full hold places, the others ids; the next row group begins another one."""
    vocabulary = Vocabulary(70_000, {}, list)
    documents = [[3] * 300_000, list(range(70_000)), [3] * 200_000, *([[5]] * 1021), [69_999, 69_998]]
    write("parquet", tmp_path / "x", documents, None, vocabulary)
    assert read_table(tmp_path / "x", "parquet")["input_ids"].to_pylist() == documents
    first, second = (group.column(0) for group in groups_of(tmp_path / "x"))
    assert first.has_dictionary_page
    assert second.has_dictionary_page
    # 70,000 ids as they are, and places of the others, nearly all of them alike.
    assert 300_000 < first.total_uncompressed_size - 4 * 70_000 < 600_000 * 2 + 5000


def test_rows_without_ids_need_no_dictionary(tmp_path: Path):
    """There is nothing that it would have."""
    write("parquet", tmp_path / "x", [[]] * 5)
    assert read_table(tmp_path / "x", "parquet")["input_ids"].to_pylist() == [[]] * 5
    [group] = groups_of(tmp_path / "x")
    assert not group.column(0).has_dictionary_page
    assert group.column(0).encodings == ("PLAIN", "RLE")


def test_a_large_row_group_ends_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A reader holds a whole one."""
    monkeypatch.setattr(parquet, "GROUP_BYTES", 4000)
    write("parquet", tmp_path / "x", [[1] * 300] * 10 + [[2] * 5000] + [[3]])
    assert [group.num_rows for group in groups_of(tmp_path / "x")] == [3, 3, 3, 1, 1, 1]


def test_a_damaged_byte_is_found(tmp_path: Path):
    """Pages have checksums, which readers verify when they are asked to."""
    write("parquet", tmp_path / "x", [list(range(200))])
    data = bytearray((tmp_path / "x").read_bytes())
    data[100] ^= 1
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(OSError, match="CRC"):
        read_table(tmp_path / "x", "parquet")


def test_threads_do_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Pages are compressed out of order and written in order."""
    monkeypatch.setattr(parquet, "PAGE_BYTES", 1000)
    documents = [np.random.default_rng(n).integers(0, 300, n % 977).tolist() for n in range(300)]
    for workers in (1, 3):
        write("parquet", tmp_path / str(workers), documents, Layout(workers=workers))
        write("parquet", tmp_path / f"{workers}w", documents, Layout(50, "best-fit", workers=workers))
    assert bytes_of(tmp_path / "1") == bytes_of(tmp_path / "3")
    assert bytes_of(tmp_path / "1w") == bytes_of(tmp_path / "3w")


def test_a_row_that_no_page_can_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The error says how long it is."""
    monkeypatch.setattr(parquet.ParquetWriter, "longest", 99)
    write("parquet", tmp_path / "x", [[1] * 99])
    with pytest.raises(DataError, match=r"document [12] has 100 ids; a row of format parquet has room for 99; leave"):
        write("parquet", tmp_path / "x", [[1] * 100])


@pytest.mark.parametrize("name", ["parquet", "arrow", "arrayrecord"])
@pytest.mark.parametrize("suffix", [".gz", ".zst", ".xz"])
def test_a_name_that_asks_for_compression(tmp_path: Path, name: str, suffix: str):
    """Readers would not find the format behind it."""
    if name == "arrayrecord":
        pytest.importorskip("array_record")
    with pytest.raises(UsageError, match=r"is not compressed as a whole|cannot be written"):
        make_writer(name, SMALL).open(str(tmp_path / f"x{suffix}"), 1)
    assert list(tmp_path.iterdir()) == []

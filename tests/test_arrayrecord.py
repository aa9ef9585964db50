"""`arrayrecord`: records that Grain reads, written by their own library."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stores import DOCUMENTS, read_arrayrecord, write

from corpustools.errors import DataError, SystemFailure, UsageError
from corpustools.formats import make_writer
from corpustools.formats.arrayrecord import ArrayRecordWriter, example_head
from corpustools.formats.vocabulary import Vocabulary

library = pytest.importorskip("array_record.python.array_record_module")


def test_a_message_is_a_tf_example(tmp_path: Path):
    """Byte for byte, worked out from example.proto and feature.proto: features, entry, key, value, list, numbers."""
    write("arrayrecord", tmp_path / "x", [[1, 299]])
    reader = library.ArrayRecordReader(str(tmp_path / "x"))
    try:
        assert reader.read([0]) == [b"\x0a\x16\x0a\x14\x0a\x09input_ids\x12\x07\x1a\x05\x0a\x03\x01\xab\x02"]
    finally:
        reader.close()


@given(st.integers(0, 300) | st.integers(0, 1 << 31))
def test_the_lengths_of_a_head_are_true(size: int):
    """Each message ends where the one around it ends."""
    head = example_head(size)
    at = 0
    for tag, skipped in ((0x0A, 0), (0x0A, 11), (0x12, 0), (0x1A, 0), (0x0A, 0)):
        assert head[at] == tag
        length = shift = 0
        at += 1
        while True:
            length |= (head[at] & 0x7F) << shift
            shift, at = shift + 7, at + 1
            if not head[at - 1] & 0x80:
                break
        assert length == len(head) - at + size
        at += skipped
    assert at == len(head)


def test_a_record_is_a_group_of_its_own(tmp_path: Path):
    """It is read without its neighbours."""
    write("arrayrecord", tmp_path / "x", DOCUMENTS)
    reader = library.ArrayRecordReader(str(tmp_path / "x"))
    try:
        assert reader.writer_options_string().startswith("group_size:1,")
    finally:
        reader.close()


def test_large_ids(tmp_path: Path):
    """Up to the largest that any vocabulary has."""
    vocabulary = Vocabulary((1 << 31) - 1, {}, list)
    write("arrayrecord", tmp_path / "x", [[(1 << 31) - 2, 1 << 28, 1 << 21, 1 << 14, 128, 0]], vocabulary=vocabulary)
    assert read_arrayrecord(tmp_path / "x") == [[(1 << 31) - 2, 1 << 28, 1 << 21, 1 << 14, 128, 0]]


@pytest.mark.parametrize("output", ["-", "/dev/null"])
def test_a_stream_is_refused(output: str):
    """The library opens a path."""
    with pytest.raises(UsageError, match="format arrayrecord needs a plain file; name one as the output"):
        make_writer("arrayrecord", Vocabulary(9, {}, list)).open(output, 1)


@pytest.mark.parametrize("when", ["write", "close"])
def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str):
    """The error names the file, not the library's path, and nothing is left."""

    class Full:
        def __init__(self, path: str, options: str) -> None:
            self.path = path

        def write(self, record: bytes) -> None:
            if when == "write":
                self.close()

        def close(self) -> None:
            raise RuntimeError(f"write() failed: No space left on device; writing {self.path}; at byte 9")

    monkeypatch.setattr(library, "ArrayRecordWriter", Full)
    with pytest.raises(SystemFailure, match=r"x: writing failed: .*No space left on device; free some space"):
        write("arrayrecord", tmp_path / "x", [[1]])
    assert list(tmp_path.iterdir()) == []


def test_a_row_that_no_message_can_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The error says how long it is."""
    monkeypatch.setattr(ArrayRecordWriter, "longest", 99)
    with pytest.raises(DataError, match=r"document [12] has 100 ids; a row of format arrayrecord has room for 99"):
        write("arrayrecord", tmp_path / "x", [[1] * 100])

"""Readers whose buffers are tiny: records, fragments of long ones, batches and parts, mapped and not."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from harness import is_plain
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from reference import records

from corpustools.errors import DataError, UsageError
from corpustools.files import batches, mapped
from corpustools.files.batches import BatchReader, RecordBatch
from corpustools.files.chunks import SLACK, Chunk, RecordFormat
from corpustools.files.inputs import inspect
from corpustools.files.mapped import MappedReader
from corpustools.files.reader import HEADER_LIMIT, RecordReader
from corpustools.stages.shuffle import long_records
from corpustools.stages.shuffle.long_records import LongRecords, Place, pack_place, unpack_place

LINES, NUL = RecordFormat(), RecordFormat(0)


def fixed(size: int, header: int = 0) -> RecordFormat:
    """Records of equal size; the delimiter has to mean nothing."""
    return RecordFormat(10, size, header)


TEXT = st.lists(st.sampled_from([b"\n", b"\n\n", b"a", b"bcdefgh", b"i" * 30, b"\0", b"\r\n"]), max_size=30).map(
    b"".join
)
FORMS = st.sampled_from([LINES, NUL, RecordFormat(10, 0, 2), RecordFormat(0, 0, 1)])


def of_the_input(data: bytes, form: RecordFormat) -> list[bytes]:
    """The records of an input by their definition, header included."""
    size = form.record_bytes
    if size:
        return [data[at : at + size] for at in range(0, len(data), size)]
    return records(data, bytes([form.delimiter]))


def read_all(reader: RecordReader, target: int, capacity: int) -> list[bytes]:
    """What a reader gives, one by one, with all that is promised of chunks and fragments checked."""
    found, buffer = [], bytearray(capacity + SLACK)
    while (got := reader.read(buffer, target, capacity)) is not None:
        assert reader.current is not None
        if isinstance(got, Chunk):
            text = bytes(got.data[got.start : got.stop])
            found += of_the_input(text, reader.form)
            assert len(text) <= capacity
            continue
        assert got.first
        whole = b""
        for fragment in reader.fragments(got, buffer, capacity):
            assert (fragment.input, fragment.offset) == (got.input, got.offset + len(whole))
            assert fragment.first == (not whole)
            assert fragment.last or fragment.size == capacity
            whole += buffer[: fragment.size]
        assert len(whole) > capacity
        found.append(whole)
    reader.close()
    return found


def write_all(folder: Path, inputs: list[bytes]) -> list[str]:
    """Make a file of each input."""
    names = [str(folder / str(number)) for number in range(len(inputs))]
    for name, data in zip(names, inputs, strict=True):
        Path(name).write_bytes(data)
    return names


@settings(max_examples=300)
@given(st.lists(TEXT, min_size=1, max_size=3), FORMS, st.integers(1, 40), st.integers(1, 40), st.integers(0, 2))
def test_readers_give_every_record_once(tmp_path_factory, inputs, form, target, capacity, kind):
    """Buffers of any size, read, decoded or mapped: the records, in order, and the first header."""
    assume(all(is_plain(data) for data in inputs))
    target = min(target, capacity)
    names = write_all(tmp_path_factory.mktemp("in"), [gzip.compress(one) if kind == 1 else one for one in inputs])
    whole = [of_the_input(data, form) for data in inputs]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mapped, "_SMALL", 1)
        reader = (MappedReader if kind == 2 else RecordReader)(inspect(names), form, 1 << 20)
        if len(inputs) > 1 and any(0 < len(mine) < form.header for mine in whole):
            with pytest.raises(DataError, match="ends inside the header"):
                read_all(reader, target, capacity)
            reader.close()
            return
        assert read_all(reader, target, capacity) == [one for mine in whole for one in mine[form.header :]]
    assert reader.header == next((b"".join(mine[: form.header]) for mine in whole if mine), b"")
    assert reader.raw_bytes == sum(Path(name).stat().st_size for name in names)


@settings(max_examples=100)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=3), st.integers(1, 50), st.integers(0, 2), st.integers(1, 40))
def test_readers_give_records_of_fixed_size(tmp_path_factory, counts, size, header, capacity):
    """Shorter and longer than the buffer, mapped and not."""
    inputs = [bytes((i * 7 + size) % 11 for i in range(count * size)) for count in counts]
    names = write_all(tmp_path_factory.mktemp("fixed"), inputs)
    expected = [one for data in inputs for one in of_the_input(data, fixed(size))[header:]]
    assume(len(counts) == 1 or not any(0 < count < header for count in counts))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mapped, "_SMALL", 1)
        for kind in (RecordReader, MappedReader):
            assert read_all(kind(inspect(names), fixed(size, header), 0), capacity, capacity) == expected


def test_bytes_left_over_and_headers_without_end_are_errors(tmp_path: Path):
    """They are named with the input."""
    names = write_all(tmp_path, [b"12345", b"x" * (HEADER_LIMIT + 100000)])
    with pytest.raises(DataError, match="0: 1 bytes are left over after 2 records of 2 bytes"):
        read_all(RecordReader(inspect(names[:1]), fixed(2), 0), 40, 40)
    with pytest.raises(DataError, match="1: the header's 1 records are longer than"):
        read_all(RecordReader(inspect(names[1:]), RecordFormat(header=1), 0), 40, 40)


@settings(max_examples=200)
@given(st.lists(TEXT, min_size=1, max_size=3), st.integers(1, 5), st.booleans(), st.integers(1, 12))
def test_batches_number_the_records_of_every_part(tmp_path_factory, inputs, parts, whole, size):
    """Together the parts have every record once, each where its first byte is, under its own number."""
    assume(all(is_plain(data) for data in inputs))
    names = write_all(tmp_path_factory.mktemp("parts"), inputs)
    lines = [one.removesuffix(b"\n") for data in inputs for one in records(data, b"\n")]
    begins, at = [], 0
    for data in inputs:
        inside = 0
        for one in records(data, b"\n"):
            begins.append(at + inside)
            inside += len(one)
        at += len(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "BATCH_BYTES", size)
        patch.setattr(batches, "LONG_BYTES", 2 * size)
        for part in [None, *[(number, parts) for number in range(1, parts + 1)]]:
            found = numbered(BatchReader(inspect(names), LINES, part, whole), whole)
            low, high = (0, at + 1) if part is None else ((part[0] - 1) * at // parts, part[0] * at // parts)
            assert found == {i: lines[i] for i in range(len(lines)) if low <= begins[i] < high}


def numbered(reader: BatchReader, whole: bool) -> dict[int, bytes]:
    """The records of a reader by their numbers, which rise."""
    found: dict[int, bytes] = {}
    inside = -1
    for item in reader:
        if isinstance(item, RecordBatch):
            assert inside < 0
            for i, (start, end) in enumerate(zip(item.starts.tolist(), item.ends.tolist(), strict=True)):
                found[item.first + i] = item.data[start:end]
        else:
            assert not whole
            assert inside in (-1, item.record)
            found[item.record] = found.get(item.record, b"") + item.data
            inside = -1 if item.last else item.record
    assert list(found) == sorted(found)
    return found


def test_parts_need_plain_files(tmp_path: Path):
    """What is compressed has no bytes to count beforehand."""
    names = write_all(tmp_path, [gzip.compress(b"a\n")])
    with pytest.raises(UsageError, match="0: a part needs plain files"):
        BatchReader(inspect(names), LINES, (1, 2))


@pytest.mark.parametrize("place", [Place(None, 0), Place(None, 5), Place(0, 7), Place(32766, (1 << 48) - 1, True)])
def test_places_fit_in_a_word(place: Place):
    """And come out as they went in."""
    assert pack_place(place) < 1 << 64
    assert unpack_place(pack_place(place)) == place


@pytest.mark.parametrize("size", [65, 96, 97, 300])
@pytest.mark.parametrize("ending", [b"\nb\n", b"\n", b""])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("most_open", [0, 1])
def test_long_records_are_found_again(tmp_path: Path, monkeypatch, size: int, ending: bytes, packed: bool, most_open):
    """In their file, kept open or opened again, or in the overflow file; with the checksum they were read with."""
    monkeypatch.setattr(long_records, "_MOST_OPEN", most_open)
    record = bytes(97 + i % 26 for i in range(size))
    data = b"a\n" + record + ending
    names = write_all(tmp_path, [gzip.compress(data) if packed else data])
    buffer, written = bytearray(64 + SLACK), bytearray()
    reader, store = RecordReader(inspect(names), LINES, 1 << 20), LongRecords(str(tmp_path), 10)
    assert isinstance(reader.read(buffer, 64, 64), Chunk)
    first = reader.read(buffer, 64, 64)
    assert not isinstance(first, Chunk)
    assert first is not None
    found = store.follow(reader, first, buffer, 64)
    assert found.place == (Place(None, 0) if packed else Place(0, 2, not ending))
    assert found.length == size + 1
    rest = reader.read(buffer, 64, 64)
    assert (bytes(rest.data[: rest.stop]) if isinstance(rest, Chunk) else b"") == ending[1:]
    reader.close()
    view = memoryview(bytearray(40 + SLACK))
    assert store.copy(found.place, found.length, view, 40, written.extend) % (1 << 64) == found.checksum % (1 << 64)
    assert written == record + b"\n"
    store.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0"]


def test_a_long_record_needs_a_place(tmp_path: Path):
    """Without temporary space, what cannot be read again is refused."""
    reader = RecordReader(inspect(write_all(tmp_path, [gzip.compress(b"x" * 100)])), LINES, 1 << 20)
    buffer = bytearray(64 + SLACK)
    first = reader.read(buffer, 64, 64)
    assert not isinstance(first, Chunk)
    assert first is not None
    with pytest.raises(DataError, match="a record of more than 64 bytes cannot be kept in memory"):
        LongRecords(None, 10).follow(reader, first, buffer, 64)
    reader.close()

"""Compressed inputs that are decoded on threads of their own: the bytes, the errors and the threads that end."""

from __future__ import annotations

import bz2
import gc
import gzip
import lzma
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from corpustools.errors import CorpusError
from corpustools.files.chunks import SLACK, Chunk, RecordFormat
from corpustools.files.decoded import Decoded
from corpustools.files.decoding import DecodeAhead
from corpustools.files.inputs import OpenInput, inspect
from corpustools.files.members import MemberReader
from corpustools.files.reader import RecordReader
from corpustools.files.zstd import ZstdReader
from corpustools.stages.shuffle import plan
from corpustools.stages.shuffle.request import shuffle_request
from tests.harness import MIB, Folder

ZSTD = zstandard.ZstdCompressor(level=1, write_checksum=True)
PACK: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gz": lambda data: gzip.compress(data, 1),
    "zst": ZSTD.compress,
    "frames": lambda data: b"".join(ZSTD.compress(data[at : at + 70_000]) for at in range(0, len(data), 70_000)),
    "bz2": lambda data: bz2.compress(data, 1),
    "xz": lambda data: lzma.compress(data, preset=0),
}


def read_all(paths: list[Path], ahead: DecodeAhead, header: int = 0) -> tuple[list[bytes], bytes, str]:
    """Return the records of inputs with their input's number, the header, and the error that ended them."""
    reader = RecordReader(inspect([str(path) for path in paths]), RecordFormat(header=header), 1 << 27, ahead=ahead)
    buffer, records, error = bytearray(40_000 + SLACK), list[bytes](), ""
    try:
        while (got := reader.read(buffer, 20_000, 40_000)) is not None:
            start, stop = (got.start, got.stop) if isinstance(got, Chunk) else (0, got.size)
            records.append(b"%d " % got.input + bytes(memoryview(got.data)[start:stop]))
    except CorpusError as failure:
        error = str(failure)
    finally:
        reader.close()
    return records, reader.header, error


def decoders() -> int:
    """Return how many threads there are beside this one."""
    return threading.active_count()


@settings(max_examples=40, deadline=None)
@given(
    inputs=st.lists(st.tuples(st.sampled_from(sorted(PACK)), st.integers(0, 3), st.integers(0, 200_000)), max_size=6),
    threads=st.integers(1, 4),
    most=st.sampled_from([0, 1 << 19, 1 << 22]),
    header=st.integers(0, 1),
)
def test_the_records_are_those_of_one_thread(tmp_path_factory, inputs, threads: int, most: int, header: int):
    """Any kinds of inputs, any number at a time and any bytes ahead give the same chunks, header and error."""
    folder, before = tmp_path_factory.mktemp("decoding"), decoders()
    paths = [folder / str(i) for i in range(len(inputs))]
    for path, (kind, empty, size) in zip(paths, inputs, strict=True):
        text = b"".join(b"%d line of %s\n" % (i * i, kind.encode()) for i in range(size // 20)) if empty else b""
        path.write_bytes(PACK[kind](text))
    if not paths:
        return
    alone = read_all(paths, DecodeAhead(), header)
    assert read_all(paths, DecodeAhead(threads, most), header) == alone
    assert decoders() == before


TEXT = b"".join(b"line %d of text\n" % i for i in range(200_000))


@pytest.mark.parametrize("kind", ["gz", "zst", "frames", "bz2", "xz"])
@pytest.mark.parametrize("harm", ["torn", "garbage", "flipped"])
def test_the_first_error_in_order_is_the_one_that_is_told(tmp_path: Path, kind: str, harm: str):
    """Two of four inputs are damaged, the later one at its front: the error is the same, and what came before is whole.

    How much of the damaged input comes out before the error depends on how much was asked for at once.
    """
    packed, before = PACK[kind](TEXT), decoders()
    paths = [tmp_path / str(i) for i in range(4)]
    for path in paths:
        path.write_bytes(packed)
    middle = len(packed) // 2
    paths[1].write_bytes(
        {
            "torn": packed[:-7],
            "garbage": packed + b"no such data",
            "flipped": packed[:middle] + bytes([packed[middle] ^ 0xFF]) + packed[middle + 1 :],
        }[harm]
    )
    paths[2].write_bytes(packed[:60])
    error = read_all(paths, DecodeAhead())[2]
    assert str(paths[1]) in error
    for ahead in (DecodeAhead(1, 1 << 20), DecodeAhead(4, 1 << 24)):
        records, _, told = read_all(paths, ahead)
        assert told == error
        assert b"".join(record[2:] for record in records if record.startswith(b"0 ")) == TEXT
        assert not any(record.startswith(b"2 ") for record in records)
    assert decoders() == before


def test_an_input_that_goes_away_is_told_at_its_turn(tmp_path: Path):
    """Opened early it is missed early, and the input before it is read all the same."""
    paths = [tmp_path / "a", tmp_path / "b"]
    for path in paths:
        path.write_bytes(PACK["zst"](TEXT))
    found = inspect([str(path) for path in paths])
    paths[1].unlink()
    reader = RecordReader(found, RecordFormat(), 1 << 27, ahead=DecodeAhead(2, 1 << 20))
    buffer = bytearray(len(TEXT) + SLACK)
    first = reader.read(buffer, len(TEXT), len(TEXT))
    assert isinstance(first, Chunk)
    assert first.stop == len(TEXT)
    with pytest.raises(CorpusError, match="cannot be opened"):
        reader.read(buffer, len(TEXT), len(TEXT))
    reader.close()


def test_a_reader_that_is_closed_early_ends_its_threads(tmp_path: Path):
    """Their pieces wait for room that never comes."""
    before = decoders()
    paths = [tmp_path / str(i) for i in range(3)]
    for path in paths:
        path.write_bytes(PACK["zst"](TEXT))
    reader = RecordReader(inspect([str(path) for path in paths]), RecordFormat(), 1 << 27, ahead=DecodeAhead(3, 0))
    assert reader.read(bytearray(1000 + SLACK), 1000, 1000) is not None
    assert decoders() == before + 3
    reader.close()
    assert decoders() == before


def test_without_threads_the_inputs_are_read_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A limit on processes makes decoding slower, not impossible."""
    (tmp_path / "a").write_bytes(PACK["zst"](TEXT))

    def none(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", none)
    records, _, error = read_all([tmp_path / "a"], DecodeAhead(2, 1 << 20))
    assert (b"".join(record[2:] for record in records), error) == (TEXT, "")


def test_decoders_are_in_the_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Each has its memory, all together a quarter at most, and small memories and single threads have none."""
    for i in range(8):
        (tmp_path / f"{i}.zst").write_bytes(PACK["zst"](TEXT))
    names = [str(tmp_path / f"{i}.zst") for i in range(8)]
    monkeypatch.setattr(plan, "resident", lambda: 30 * MIB)

    def planned(memory: int, workers: int, inputs: list[str]) -> DecodeAhead:
        request = shuffle_request(inputs, tmp_path / "out", memory=memory, workers=workers, seed=1)
        layout = plan.plan_shuffle(request)
        assert sum(size for _, size in layout.table()) <= memory
        threads = layout.decode.threads
        assert dict(layout.table())["decoders"] == layout.decoder * max(1, threads) + layout.decode.memory
        assert threads < 2 or dict(layout.table())["decoders"] <= memory * 3 // 10
        return layout.decode

    assert planned(64 * MIB, 4, names).threads == 0
    assert planned(1 << 30, 1, names).threads == 0
    assert planned(1 << 30, 2, names).threads == 1
    assert planned(8 << 30, 4, names).threads == 3
    assert planned(8 << 30, 16, names[:2]).threads == 2
    assert (
        planned(8 << 30, 16, [str(tmp_path / "plain")] if (tmp_path / "plain").write_bytes(TEXT) else []).threads == 0
    )


@pytest.mark.parametrize("kind", ["zst", "gz"])
def test_the_command_shuffles_several_compressed_files_as_one(folder: Folder, kind: str):
    """Threads, memory and the cut into files do not change a byte."""
    lines = TEXT.splitlines(keepends=True)
    for i in range(5):
        folder.write(f"{i}", PACK[kind](b"".join(lines[i * 40_000 : (i + 1) * 40_000])))
    folder.write("whole", TEXT)
    plain = folder.corpus("shuffle", "-q", "-s", "1", "whole").ok().stdout
    for options in (("-j", "4", "-m", "2G"), ("-j", "2", "-m", "256M"), ("-j", "1", "-m", "64M")):
        assert folder.corpus("shuffle", "-q", "-s", "1", *options, *"01234").ok().stdout == plain


@pytest.mark.parametrize("kind", sorted(PACK))
@pytest.mark.parametrize("ahead", [DecodeAhead(), DecodeAhead(2, 1 << 20), DecodeAhead(2, 1 << 20, 2, 1 << 20)])
def test_nothing_stays_of_inputs_that_were_read(tmp_path: Path, kind: str, ahead: DecodeAhead):
    """A zstd stream that led back to its input would stay for ever, with its window."""
    for name in "abc":
        (tmp_path / name).write_bytes(PACK[kind](TEXT[:200_000]))

    def kept() -> int:
        gc.collect()
        return sum(isinstance(one, (OpenInput, ZstdReader, MemberReader, Decoded)) for one in gc.get_objects())

    before = kept()
    assert read_all([tmp_path / name for name in "abc"], ahead)[2] == ""
    assert kept() == before


def test_many_compressed_files_take_the_memory_of_one(folder: Folder):
    """Each has a decoder, which goes when its file is read."""
    packed = PACK["zst"](TEXT[:5000])
    names = [folder.write(f"{i}.zst", packed) for i in range(300)]
    outcome = folder.measured("shuffle", "-q", "-j", "1", "-m", "64M", *names)
    assert outcome.status == 0, str(outcome)
    assert 20 * MIB < outcome.peak <= 64 * MIB, str(outcome)

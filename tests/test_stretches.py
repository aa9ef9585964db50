"""Files of many members that several threads decode: the bytes and errors of one thread, for any layout and damage."""

from __future__ import annotations

import bz2
import contextlib
import errno
import gzip
import os
import random
import shutil
import subprocess
import threading
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from corpustools.errors import CorpusError
from corpustools.files import decoded, members, stretches, zstd
from corpustools.files.batches import BatchReader, RecordBatch
from corpustools.files.chunks import RecordFormat
from corpustools.files.decoding import DecodeAhead, Inputs
from corpustools.files.inputs import OpenInput, inspect
from corpustools.files.page_cache import Passing
from corpustools.files.stretches import Stretches
from corpustools.stages.shuffle import plan
from corpustools.stages.shuffle.request import shuffle_request
from tests.harness import MIB, Folder

WORDS = b"".join(b"%d words of a text, and %d\n" % (i, i * i) for i in range(20_000))
SALT = random.Random(5).randbytes(400_000)
DICTIONARY = zstandard.ZstdCompressionDict(WORDS[:5000])


def text_of(chance: random.Random) -> bytes:
    """Return some text, which repeats itself or cannot be compressed, often short and sometimes of several blocks."""
    size = chance.choice([0, 1, 200, 1000, 5000, 20_000, 300_000])
    source = chance.choice([WORDS, WORDS, SALT, bytes(400_000)])
    at = chance.randrange(1000)
    return source[at : at + size]


def zstd_member(chance: random.Random) -> bytes:
    """Return a frame of one kind or another, or a skippable one."""
    kind, text = chance.randrange(12), text_of(chance)
    if kind == 0:
        body = chance.randbytes(chance.choice([0, 4, 3000]))
        return b"\x50\x2a\x4d\x18" + len(body).to_bytes(4, "little") + body
    compressor = zstandard.ZstdCompressor(
        compression_params=zstandard.ZstdCompressionParameters.from_level(
            chance.choice([1, 3, 19]),
            window_log=chance.choice([10, 14, 17, 21]),
            write_checksum=chance.randrange(2),
            write_content_size=chance.randrange(2),
        )
    )
    if kind < 8:
        return compressor.compress(text)
    stream = compressor.compressobj()
    packed = b""
    for at in range(0, len(text), 7000):
        packed += stream.compress(text[at : at + 7000])
        if kind == 9:
            packed += stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    return packed + stream.flush()


def gzip_member(chance: random.Random) -> bytes:
    """Return a member, some with headers of their own, some that hold what looks like members."""
    kind, text = chance.randrange(8), text_of(chance)[:70_000]
    if kind == 0:
        return gzip.compress(gzip.compress(text[:300]) * 5, 0)
    if kind == 1:
        deflate = zlib.compressobj(1, zlib.DEFLATED, -15)
        body = deflate.compress(text) + deflate.flush()
        extra = b"BC\x02\x00" + (len(body) + 25 & 0xFFFF).to_bytes(2, "little")
        ends = zlib.crc32(text).to_bytes(4, "little") + len(text).to_bytes(4, "little")
        return b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x06\0" + extra + body + ends
    return gzip.compress(text, chance.choice([0, 1, 6, 9])) + bytes(chance.choice([0, 0, 0, 1, 700]))


def bzip2_member(chance: random.Random) -> bytes:
    """Return a stream of any size."""
    return bz2.compress(text_of(chance), chance.choice([1, 9]))


MEMBERS = {"zst": zstd_member, "gz": gzip_member, "bz2": bzip2_member}


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Return data with a flipped bit, a changed byte, a piece less or more, an end too early, or garbage behind."""
    at = chance.randrange(len(data) + 1)
    changed = bytearray(data)
    match chance.randrange(7):
        case 0 if at < len(data):
            changed[at] ^= 1 << chance.randrange(8)
        case 1 if at < len(data):
            changed[at] = chance.randrange(256)
        case 2:
            del changed[at:]
        case 3:
            del changed[at : at + chance.randrange(1, 40)]
        case 4:
            changed[at:at] = chance.randbytes(chance.randrange(1, 40))
        case 5:
            changed += chance.choice(
                [b"g", b"garbage that is long enough", b"\x28\xb5\x2f\xfd", b"\x1f\x8b\x08", bytes(9)]
            )
        case 6:
            changed[at:at] = zstandard.ZstdCompressor(dict_data=DICTIONARY).compress(WORDS[:500])
    return bytes(changed)


def read_all(path: Path, ahead: DecodeAhead, step: int, memory: int = 1 << 20) -> tuple[bytes, str]:
    """Return the decoded bytes of a file up to what is wrong with it, and that."""
    inputs = Inputs(inspect([str(path)]), memory, Passing.STAYS, ahead)
    out, view = bytearray(), memoryview(bytearray(step))
    try:
        opened = inputs.open(0)
        while n := opened.readinto(view):
            out += view[:n]
    except CorpusError as error:
        return bytes(out), str(error)
    finally:
        inputs.close_all()
    return bytes(out), ""


@pytest.mark.parametrize("codec", sorted(MEMBERS))
@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_any_layout_and_damage_reads_as_by_one_thread(tmp_path_factory, codec: str, data: st.DataObject):
    """Members of any kind, harmed or not, and stretches of any length: the same bytes and the same words about errors.

    How much comes out before an error depends on how much is decoded at once.
    """
    seed = data.draw(st.integers(0, 1 << 40), "seed")
    chance, threads = random.Random(seed), threading.active_count()
    packed = b"".join(MEMBERS[codec](chance) for _ in range(chance.randrange(1, 25)))
    for _ in range(chance.choice([0, 0, 1, 1, 3])):
        packed = damaged(packed, chance)
    # Without a front that is known it would be no compressed file.
    front = MEMBERS[codec](chance)
    path = tmp_path_factory.mktemp("stretches") / "file"
    path.write_bytes((front if front.startswith((b"\x28\xb5", b"\x1f\x8b", b"BZh")) else b"") + packed)
    step, size = chance.choice([1 << 9, 1 << 14, 1 << 20]), chance.choice([61, 700, 1 << 14, 1 << 18])
    with pytest.MonkeyPatch.context() as patch:
        for module in (zstd, members, stretches):
            patch.setattr(module, "READ_BYTES", size)
        alone, error = read_all(path, DecodeAhead(1, 1 << 20), step)
        stretch = chance.choice([1 << 10, 1 << 13, 1 << 16, 1 << 20])
        several, told = read_all(path, DecodeAhead(1, 1 << 20, chance.randrange(1, 4), stretch), step)
    assert told == error
    assert several == alone or (error and (several.startswith(alone) or alone.startswith(several)))
    assert threading.active_count() == threads


FRAME = zstandard.ZstdCompressor(level=1, write_checksum=True)
CUT: dict[str, Callable[[bytes], bytes]] = {
    "frames": FRAME.compress,
    "frames that tell no size": zstandard.ZstdCompressor(level=1, write_content_size=False).compress,
    "gzip": lambda text: gzip.compress(text, 1),
    "bzip2": lambda text: bz2.compress(text, 1),
}


@pytest.mark.parametrize("kind", sorted(CUT))
def test_all_of_a_file_of_many_members_is_decoded_by_helpers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
):
    """Nothing of it goes the way of one long member, and more than one thread takes part."""
    by_thread: dict[int, int] = {}
    together = threading.Barrier(2)
    real = decoded.decode_stretch

    def decode(*arguments: object) -> int | None:
        if not by_thread:
            # The first two are at work at the same time.
            with contextlib.suppress(threading.BrokenBarrierError):
                together.wait(10)
        n = real(*arguments)  # type: ignore[arg-type]
        by_thread[threading.get_ident()] = by_thread.get(threading.get_ident(), 0) + (n or 0)
        return n

    monkeypatch.setattr(decoded, "decode_stretch", decode)
    text = WORDS * 40
    (tmp_path / "a").write_bytes(b"".join(CUT[kind](text[at : at + 60_000]) for at in range(0, len(text), 60_000)))
    # Text that is longer than the members make one think would be decoded once more.
    monkeypatch.setattr(decoded, "enough_of", lambda codec, most: most // 40)
    assert read_all(tmp_path / "a", DecodeAhead(1, 1 << 20, 2, 8 << 20), 1 << 16) == (text, "")
    assert sum(by_thread.values()) == len(text)
    assert len(by_thread) == 2
    assert threading.get_ident() not in by_thread


def test_a_wrong_cut_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Members that hold members as they are: most cuts are wrong, and what was decoded in vain is thrown away."""
    results = []
    real = decoded.decode_stretch
    monkeypatch.setattr(decoded, "decode_stretch", lambda *a: results.append(real(*a)) or results[-1])
    inner = b"".join(gzip.compress(WORDS[at : at + 3000]) for at in range(0, 60_000, 3000))
    (tmp_path / "a").write_bytes(gzip.compress(inner, 0) * 30)
    assert read_all(tmp_path / "a", DecodeAhead(1, 1 << 20, 2, 1 << 16), 1 << 16) == (inner * 30, "")
    assert None in results


@pytest.mark.parametrize("says", [0, 100, 699_999, 700_001, 900_000, 1 << 40, (1 << 64) - 1])
def test_sizes_that_frames_claim_are_not_believed(tmp_path: Path, says: int):
    """Too small, too large and absurd: the error of one thread, and no memory for what is claimed."""
    text = WORDS[:350_000] * 2
    stream = zstandard.ZstdCompressor(level=1).compressobj(size=len(text))
    packed = bytearray(stream.compress(text) + stream.flush())
    # A window of its own, and a size of eight bytes.
    assert packed[4] >> 6 == 2
    single = packed[4] >> 5 & 1
    packed[4 : 9 + (not single)] = bytes([3 << 6]) + bytes([10 + 8 << 3]) + says.to_bytes(8, "little")
    path = tmp_path / "a"
    path.write_bytes(FRAME.compress(b"line\n" * 1000) + packed + FRAME.compress(b"end\n" * 1000))
    alone, error = read_all(path, DecodeAhead(1, 1 << 20), 1 << 16)
    assert (error == "") == (says == len(text))
    tracemalloc.start()
    several, told = read_all(path, DecodeAhead(1, 1 << 20, 2, 1 << 20), 1 << 16)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert told == error
    assert several.startswith(alone) or alone.startswith(several)
    assert peak < 24 * MIB


@pytest.mark.parametrize(("says", "alone"), [(40_000, 0), (300, 0), (300, 1), (40_000, 1)])
def test_a_frame_of_more_than_it_says_has_one_message(tmp_path: Path, says: int, alone: int):
    """However much room there is for what it holds: the library has several words for it."""
    frame = FRAME.compress(WORDS[:50_000])
    assert frame[4] >> 5 == 3  # one segment, and a size of two bytes, which is counted from 256
    head = bytes([1 << 6 | alone << 5 | 1 << 2]) + (b"" if alone else bytes([17 - 10 << 3]))
    path = tmp_path / "a"
    # Behind the front of the file, which is read alone, so that the frame comes whole.
    path.write_bytes(FRAME.compress(SALT[:1000]) + frame[:4] + head + (says - 256).to_bytes(2, "little") + frame[7:])
    told = {read_all(path, DecodeAhead(), step)[1] for step in (600, 1000, 42_000, 1 << 20)}
    assert len(told) == 1
    assert "not valid zstd data" in told.pop()


@pytest.mark.parametrize("at", [0, 1, 3])
@pytest.mark.parametrize("kind", sorted(CUT))
def test_a_disk_that_fails_is_told_at_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, at: int):
    """The error is the one of one thread, and no fewer bytes come before it."""
    path, place = tmp_path / "a", at * 300_000 + 600
    packed = b"".join(CUT[kind](SALT[i * 1000 : i * 1000 + 90_000]) for i in range(20))
    path.write_bytes(packed)
    real_readv, real_preadv = os.readv, os.preadv

    def fail(position: int, wanted: int) -> None:
        if position + wanted > place and wanted > 512:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def readv(descriptor: int, views: list[memoryview]) -> int:
        fail(os.lseek(descriptor, 0, os.SEEK_CUR), len(views[0]))
        return real_readv(descriptor, views)

    def preadv(descriptor: int, views: list[memoryview], position: int) -> int:
        fail(position, len(views[0]))
        return real_preadv(descriptor, views, position)

    monkeypatch.setattr(os, "readv", readv)
    monkeypatch.setattr(os, "preadv", preadv)
    alone, error = read_all(path, DecodeAhead(1, 1 << 20), 1 << 16)
    assert "reading failed after byte" in error
    several, told = read_all(path, DecodeAhead(1, 1 << 20, 2, 1 << 18), 1 << 16)
    assert told == error
    assert several.startswith(alone)


@pytest.mark.parametrize("kind", sorted(CUT))
def test_a_file_that_grows_meanwhile_is_refused(tmp_path: Path, kind: str):
    """As by one thread: the members that were added are not taken for a part of it."""
    path = tmp_path / "a"
    path.write_bytes(CUT[kind](WORDS) * 30)
    inputs = Inputs(inspect([str(path)]), 1 << 20, Passing.STAYS, DecodeAhead(1, 0, 2, 1 << 20))
    opened, view = inputs.open(0), memoryview(bytearray(1 << 16))
    assert opened.readinto(view)
    with path.open("ab") as file:
        file.write(CUT[kind](WORDS))

    def read_on() -> None:
        while opened.readinto(view):
            pass

    with pytest.raises(CorpusError, match="was changed while it was read"):
        read_on()
    inputs.close_all()


def test_readers_that_stop_early_end_all_threads(tmp_path: Path):
    """Helpers are at work, and the pieces wait for room that never comes."""
    before = threading.active_count()
    for name in "abc":
        (tmp_path / name).write_bytes(FRAME.compress(WORDS) * 30)
    paths = [str(tmp_path / name) for name in "abc"]
    inputs = Inputs(inspect(paths), 1 << 20, Passing.STAYS, DecodeAhead(3, 0, 3, 1 << 20))
    assert inputs.open(0).readinto(memoryview(bytearray(100))) == 100
    assert threading.active_count() > before + 3
    inputs.close_all()
    assert threading.active_count() == before


def test_without_threads_a_file_of_many_members_is_read_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A limit on processes leaves the file's own thread, or none."""
    (tmp_path / "a").write_bytes(FRAME.compress(WORDS) * 9)
    real, started, allowed = threading.Thread.start, 0, 0

    def few(thread: threading.Thread) -> None:
        nonlocal started
        started += 1
        if started > allowed:
            raise RuntimeError("can't start new thread")
        real(thread)

    monkeypatch.setattr(threading.Thread, "start", few)
    for some in (0, 1, 2):
        started, allowed = 0, some
        assert read_all(tmp_path / "a", DecodeAhead(1, 1 << 20, 3, 1 << 20), 1 << 16) == (WORDS * 9, "")


def test_helpers_are_in_the_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Where a file has several stretches that the memory holds, there are as many helpers as workers, in the budget."""
    monkeypatch.setattr(plan, "resident", lambda: 30 * MIB)
    many, one, dozen = tmp_path / "many.zst", tmp_path / "one.zst", tmp_path / "dozen.gz"
    many.write_bytes(FRAME.compress(WORDS) * 9)
    one.write_bytes(FRAME.compress(WORDS * 40))
    dozen.write_bytes(gzip.compress(SALT, 1) * 12)

    def planned(path: Path, memory: int, workers: int) -> DecodeAhead:
        request = shuffle_request(str(path), tmp_path / "out", memory=memory, workers=workers, seed=1)
        layout = plan.plan_shuffle(request)
        assert sum(size for _, size in layout.table()) <= memory
        assert layout.decode.memory + layout.decoder * layout.decode.threads <= memory * 3 // 10
        return layout.decode

    assert planned(many, 8 << 30, 4).helpers == 4
    assert planned(dozen, 8 << 30, 4).helpers == 4
    assert 2 <= planned(many, 1 << 30, 16).helpers < 16
    assert planned(many, 8 << 30, 1).helpers == 0
    assert planned(many, 128 * MIB, 4).helpers == 0
    assert planned(one, 8 << 30, 4) == DecodeAhead(1, 2 * MIB)


@pytest.mark.skipif(shutil.which("pzstd") is None, reason="needs pzstd")
def test_what_pzstd_makes_is_cut(tmp_path: Path):
    """Its frames tell no size, and a frame that is skipped stands before each."""
    (tmp_path / "a").write_bytes(WORDS * 60)
    subprocess.run(["pzstd", "-q", "-1", "-p", "2", str(tmp_path / "a"), "-o", str(tmp_path / "a.zst")], check=True)
    found = inspect([str(tmp_path / "a.zst")])
    opened = OpenInput(found[0], 1 << 27)
    cuts = [one.stop for one in Stretches(opened, 0, 16 * MIB, 16 * MIB)]
    opened.close()
    assert len(cuts) > 1
    assert cuts[-1] == found[0].size
    assert read_all(tmp_path / "a.zst", DecodeAhead(1, 1 << 20, 2, 16 * MIB), 1 << 16) == (WORDS * 60, "")


@pytest.mark.parametrize("kind", sorted(CUT))
def test_the_command_shuffles_a_file_of_many_members_as_its_text(folder: Folder, kind: str):
    """Helpers, or a memory that has none, do not change a byte; standard input is cut as files are."""
    lines = WORDS.splitlines(keepends=True)
    folder.write("packed", b"".join(CUT[kind](b"".join(lines[at : at + 999])) for at in range(0, len(lines), 999)) * 5)
    folder.write("whole", WORDS * 5)
    plain = folder.corpus("shuffle", "-q", "-s", "1", "whole").ok().stdout
    for options in (("-j", "4", "-m", "2G"), ("-j", "2", "-m", "512M"), ("-j", "1", "-m", "64M")):
        assert folder.corpus("shuffle", "-q", "-s", "1", *options, "packed").ok().stdout == plain
    with (folder.path / "packed").open("rb") as file:
        assert folder.corpus("shuffle", "-q", "-s", "1", "-j", "4", "-m", "2G", stdin=file).ok().stdout == plain


@pytest.mark.parametrize("kind", ["frames", "gzip"])
def test_the_peak_is_within_the_memory(folder: Folder, kind: str):
    """Helpers, compressed and decoded stretches and what waits are all in the plan."""
    folder.write("packed", b"".join(CUT[kind](WORDS * 8) for _ in range(40)))
    outcome = folder.measured("shuffle", "-q", "-s", "1", "-j", "4", "-m", "512M", "packed")
    assert 40 * MIB < outcome.peak <= 512 * MIB, str(outcome)


@pytest.mark.parametrize("kind", sorted(CUT))
def test_batches_are_those_of_one_thread(tmp_path: Path, kind: str):
    """What tokenizes and verifies has compressed files decoded beside it, all threads of which end with the batches."""
    lines = WORDS.splitlines(keepends=True)
    packed = b"".join(CUT[kind](b"".join(lines[at : at + 500])) for at in range(0, len(lines), 500))
    for name in "ab":
        (tmp_path / name).write_bytes(packed * 12)
    inputs, before = inspect([str(tmp_path / name) for name in "ab"]), threading.active_count()

    def batches(workers: int) -> list[tuple[bytes, int, str]]:
        found, threads = [], set()
        for batch in BatchReader(inputs, RecordFormat(), workers=workers):
            assert isinstance(batch, RecordBatch)
            found.append((bytes(batch.data), batch.first, batch.source))
            threads.add(threading.active_count() - before)
        # The first batch comes when all are at work: of the file's own, and the helpers.
        assert max(threads) == (0 if workers == 1 else 1 + workers)
        return found

    alone = batches(1)
    assert b"".join(data for data, _, _ in alone) == WORDS * 24
    assert batches(3) == alone
    assert threading.active_count() == before


@pytest.mark.parametrize("kind", ["frames", "gzip"])
def test_a_shuffle_is_verified_against_a_file_of_many_members(folder: Folder, kind: str):
    """By several threads and by one; a member too many is told."""
    folder.write("packed", CUT[kind](WORDS) * 30)
    folder.corpus("shuffle", "-q", "packed", "-o", "out.zst").ok()
    for workers in ("1", "4"):
        folder.corpus("verify", "out.zst", "--source", "packed", "-j", workers).ok()
    folder.write("packed", CUT[kind](WORDS) * 31)
    assert folder.corpus("verify", "out.zst", "--source", "packed", "-j", "4").status == 1

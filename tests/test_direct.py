"""Files past the page cache: the bytes are those of any other file, failures are told, and the cache stays small."""

from __future__ import annotations

import contextlib
import errno
import gzip
import mmap
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from disks import cached, open_files
from harness import Folder, needs_speed
from hypothesis import given, settings
from hypothesis import strategies as st

from corpustools.errors import SystemFailure
from corpustools.files import direct, linux, page_cache
from corpustools.files.atomic import FileSink
from corpustools.files.direct import DirectFile
from corpustools.files.page_cache import ReadBehind
from corpustools.files.temporary import TemporaryFiles

MIB = 1 << 20
PAGE = 4096
# Memory as the pool has it: on a page, so that whole pages of it may go straight to the disk.
MEMORY = mmap.mmap(-1, 16 * PAGE)
MEMORY[:] = b"".join(bytes([number % 251]) * 64 for number in range(len(MEMORY) // 64))


def new_file(folder: Path, name: str = "file", flags: int = 0) -> int:
    """Return the descriptor of an empty file."""
    return os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_TRUNC | flags, 0o600)


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A folder whose files can leave the page cache: not in memory, and on a system that tells."""
    descriptor = new_file(tmp_path, "probe")
    try:
        os.write(descriptor, bytes(MIB))
        os.fsync(descriptor)
        page_cache.drop(descriptor, 0, 0)
        left = linux.cached_bytes(descriptor, 0, MIB)
    finally:
        os.close(descriptor)
    if left is None or left:
        pytest.skip("files of this folder cannot leave the page cache")
    return tmp_path


pieces = st.lists(
    st.tuples(st.integers(0, 40), st.lists(st.tuples(st.integers(0, 15), st.integers(1, 3)), min_size=1, max_size=5)),
    min_size=1,
    max_size=8,
)


@settings(max_examples=60)
@given(pieces, st.integers(0, 3), st.integers(0, 6), st.sampled_from([PAGE, PAGE, PAGE, 100]), st.booleans())
def test_the_bytes_are_those_of_any_file(tmp_path_factory, pieces, refused: int, short: int, unit: int, spares: bool):
    """Whole pages and odd pieces in any order, calls that are cut short, and a file system that refuses in the middle.

    Read back directly, through the page cache, and by another descriptor: always what was written last.
    """
    folder = tmp_path_factory.mktemp("file")
    real, calls = os.pwritev, 0

    def pwritev(descriptor: int, parts: list[memoryview], position: int) -> int:
        nonlocal calls
        calls += 1
        if refused and calls >= refused and descriptor != file.descriptor:
            raise OSError(errno.EINVAL, "refused")
        if short and calls % short == 0 and len(parts[0]) > 8:
            # Cut in the middle of a page, as the system may.
            return os.pwrite(file.descriptor, parts[0][: len(parts[0]) // 3], position)
        return real(descriptor, parts, position)

    expected = bytearray(60 * PAGE)
    file = DirectFile(new_file(folder), direct=True, spares=spares)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(direct.os, "pwritev", pwritev)
            for page, parts in pieces:
                views = [memoryview(MEMORY)[first * unit : (first + count) * unit] for first, count in parts]
                views = [view for view in views if view]
                file.write(views, page * unit)
                data = b"".join(views)
                expected[page * unit : page * unit + len(data)] = data
        size = os.fstat(file.descriptor).st_size
        assert (folder / "file").read_bytes() == expected[:size]
        memory = mmap.mmap(-1, 64 * PAGE)
        for at in (0, PAGE, 100):
            for length in (PAGE, 3 * PAGE, size):
                wanted = expected[at : min(size, at + length)]
                assert file.read([memoryview(memory)[:length]], at) == len(wanted)
                assert memory[: len(wanted)] == wanted
    finally:
        file.close()


def test_what_is_aligned_is_direct(disk: Path):
    """Whole pages never enter the page cache; odd pieces do, and leave it again."""
    file = DirectFile(new_file(disk), direct=True, spares=True)
    try:
        if not file.alignment:
            pytest.skip("this file system has no direct I/O")
        for page in range(0, 64, 16):
            file.write([memoryview(MEMORY)], page * PAGE)
        assert cached(disk / "file") == 0
        odd = memoryview(MEMORY)[: 15 * PAGE + 7]
        for number in range(4 * 512):
            file.write([odd], 64 * PAGE + number * len(odd))
        assert cached(disk / "file") < 40 * MIB
    finally:
        file.close()


def test_a_system_without_direct_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Refused when it is opened, or said to be none: the page cache is used."""
    for name, answer in (("_second_descriptor", lambda _: None), ("direct_alignment", lambda _: 0)):
        with monkeypatch.context() as patch:
            patch.setattr(direct, name, answer)
            file = DirectFile(new_file(tmp_path), direct=True, spares=False)
            assert file.alignment == 0
            file.write([memoryview(MEMORY)], 0)
            assert (tmp_path / "file").read_bytes() == MEMORY[:]
            file.close()
            os.unlink(tmp_path / "file")


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("direct_io", [True, False])
def test_a_failing_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, direct_io: bool):
    """Temporary data: the folder is named, in writing and in reading, on either way."""

    def fails(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    files = TemporaryFiles([str(tmp_path)], MIB, direct=direct_io)
    try:
        extent = files.allocate()
        files.write(extent, 0, [memoryview(MEMORY)])
        with monkeypatch.context() as patch:
            patch.setattr(direct.os, "pwritev", fails)
            patch.setattr(direct.os, "preadv", fails)
            with pytest.raises(SystemFailure, match=f"{tmp_path}: writing temporary data failed"):
                files.write(extent, len(MEMORY), [memoryview(MEMORY)])
            with pytest.raises(SystemFailure, match=f"{tmp_path}: reading temporary data failed"):
                files.read(extent, 0, [memoryview(bytearray(PAGE))])
        with pytest.raises(SystemFailure, match="shorter than what was written"):
            files.read(extent, 0, [memoryview(bytearray(2 * len(MEMORY)))])
    finally:
        files.close()


@pytest.mark.parametrize("write", [lambda sink: sink.write_at(7, memoryview(MEMORY)), lambda sink: sink.write(MEMORY)])
def test_a_failure_behind_the_writer_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable):
    """The system tells a failed write to the first call that waits, and then no more: the output must not pass."""

    def fails(*_: object, **__: object) -> bool:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    sink = FileSink(str(tmp_path / "out"))
    sink.spare_cache()
    monkeypatch.setattr(page_cache, "write_out", fails)
    with pytest.raises(SystemFailure, match="out: writing failed at byte"):
        write(sink)
    sink.abort()
    assert os.listdir(tmp_path) == []


def test_an_output_leaves_the_page_cache(disk: Path):
    """At any moment little of it is there, and nothing at the end; the bytes arrive."""
    sink = FileSink(str(disk / "out"))
    sink.spare_cache()
    piece, most = bytes(range(256)) * (3 * MIB // 256), 0
    for number in range(30):
        # Odd offsets, as buckets have them.
        sink.write_at(7 + number * len(piece), memoryview(piece))
        most = max(most, cached(Path(sink.path_until_named)))
    sink.finish()
    assert most < 40 * MIB
    assert cached(disk / "out") == 0
    assert (disk / "out").read_bytes() == bytes(7) + piece * 30


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3 * PAGE), st.integers(1, 9 * PAGE)), min_size=1, max_size=12),
    st.integers(0, PAGE),
    st.sampled_from(["", "refused", "short"]),
    st.booleans(),
)
def test_an_output_gets_its_bytes_on_either_way(tmp_path_factory, stretches, shift: int, fault: str, expects: bool):
    """Stretches one behind another, in memory at the place in a page that they have in the file, or at another."""
    folder, real = tmp_path_factory.mktemp("output"), os.pwrite

    def pwrite(descriptor: int, data: memoryview, position: int) -> int:
        if fault == "refused" and position > 5 * PAGE and descriptor != sink._out.descriptor:
            raise OSError(errno.EINVAL, "refused")
        return real(descriptor, data[: -(-len(data) // 3)] if fault == "short" else data, position)

    expected, at = bytearray(), 0
    sink = FileSink(str(folder / "out"))
    sink.spare_cache()
    if expects:
        sink.expect(sum(gap + size for gap, size in stretches))
    memory = mmap.mmap(-1, 20 * PAGE)
    memory[:] = (MEMORY[:] * 2)[: 20 * PAGE]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(direct.os, "pwrite", pwrite)
        for gap, size in stretches:
            at += gap
            begin = (at + shift) % PAGE
            sink.write_at(at, memoryview(memory)[begin : begin + size])
            expected += bytes(at - len(expected)) + memory[begin : begin + size]
            at += size
    sink.finish()
    assert (folder / "out").read_bytes() == expected


def test_whole_pages_of_an_output_are_direct(disk: Path):
    """They never enter the page cache; a full disk is told on either way, and no descriptor stays open."""
    before = len(os.listdir("/proc/self/fd"))
    sink = FileSink(str(disk / "out"))
    sink.spare_cache()
    if not sink.direct_unit:
        sink.abort()
        pytest.skip("this file system does not say that it has direct I/O")
    sink.expect(30 * len(MEMORY))
    for number in range(30):
        sink.write_at(number * len(MEMORY), memoryview(MEMORY))
        assert cached(Path(sink.path_until_named)) == 0
    sink.finish()
    assert (disk / "out").read_bytes() == MEMORY[:] * 30
    assert len(os.listdir("/proc/self/fd")) == before


def read_through(path: Path, everything: bool) -> int:
    """Read a file in order with drop-behind; return the most that was cached on the way."""
    most = 0
    with open(path, "rb", buffering=0) as file:
        behind = ReadBehind(file.fileno(), os.fstat(file.fileno()).st_size, everything)
        while data := file.read(MIB):
            behind.passed(file.tell())
            most = max(most, cached(path)) if len(data) == MIB else most
    return most


def test_an_input_leaves_the_page_cache_as_it_was(disk: Path):
    """What others have in the cache stays; what was read for this leaves, a little at a time."""
    path = disk / "in"
    path.write_bytes(os.urandom(MIB) * 163 + b"odd")
    with open(path, "rb+", buffering=0) as file:
        os.fsync(file.fileno())
        page_cache.drop(file.fileno(), 0, 0)
        assert cached(path) == 0
        assert read_through(path, everything=False) < 80 * MIB
        assert cached(path) < MIB
        # Two stretches of 32 MiB, one of them inside.
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
        for start in (32, 128):
            os.pread(file.fileno(), 32 * MIB, start * MIB)
        before = cached(path)
        assert before >= 64 * MIB
        read_through(path, everything=False)
        assert abs(cached(path) - before) < 10 * MIB
        read_through(path, everything=True)
        assert cached(path) < MIB


def test_both_ways_of_asking_agree(disk: Path):
    """What mincore tells on older systems is what cachestat tells."""
    path = disk / "in"
    path.write_bytes(bytes(5 * MIB + 5))
    with open(path, "rb+", buffering=0) as file:
        os.fsync(file.fileno())
        for dropped in (0, 2 * MIB, 0):
            page_cache.drop(file.fileno(), 0, dropped)
            one, two = (way(file.fileno(), 0, 5 * MIB + 5) for way in (linux._cachestat, linux._mincore))
            if one is None or two is None:
                pytest.skip("one of them is not there")
            assert one == two
    assert linux._mincore(-1, 0, PAGE) is None
    assert linux._cachestat(-1, 0, PAGE) is None


def test_an_unknown_page_cache_is_left_alone(disk: Path, monkeypatch: pytest.MonkeyPatch):
    """Where the system does not tell what was cached, others may use it."""
    path = disk / "in"
    path.write_bytes(bytes(9 * MIB))
    with open(path, "rb+", buffering=0) as file:
        os.fsync(file.fileno())
    before = cached(path)
    assert before >= 9 * MIB
    with monkeypatch.context() as patch:
        patch.setattr(page_cache, "cached_bytes", lambda *_: None)
        descriptor = os.open(path, os.O_RDONLY)
        ReadBehind(descriptor, 9 * MIB).passed(9 * MIB)
        os.close(descriptor)
    assert cached(path) == before


@needs_speed
@pytest.mark.parametrize(
    "options", ["--direct yes --spill raw", "--direct yes --spill zstd", "--direct yes --spill lz4", "--spill raw", ""]
)
def test_a_shuffle_leaves_the_page_cache_as_it_was(disk: Path, options: str):
    """A file twice as large as the memory goes through and is not there afterwards; nor is the output."""
    folder = Folder(disk)
    data = b"".join(b"%d a line of some length, so that there are not too many\n" % i for i in range(20_000))
    folder.write("in", data * (130 * MIB // len(data)))
    descriptor = os.open(disk / "in", os.O_RDONLY)
    os.fsync(descriptor)
    page_cache.drop(descriptor, 0, 0)
    os.close(descriptor)
    process = folder.start("shuffle", "in", "-o", "out", "-m", "64MiB", "-T", folder.temporary, *options.split())
    most: dict[str, int] = {}
    while process.poll() is None:
        for name, path in open_files(process.pid, disk):
            with contextlib.suppress(OSError):
                most[name] = max(cached(path), most.get(name, 0))
        time.sleep(0.01)
    folder.outcome(process).ok()
    assert len(most) >= 3, most
    # The least memory has small blocks; each bucket's last page of an odd size stays until it is read.
    assert max(most.values()) < 56 * MIB, most
    assert cached(disk / "in") < MIB
    assert cached(disk / "out") < MIB


@needs_speed
@pytest.mark.parametrize("packed", [False, True])
def test_long_records_leave_the_page_cache_as_it_was(disk: Path, packed: bool):
    """They are read again when they are written, from the input or the overflow file, which was dropped before."""
    folder = Folder(disk)
    data = b"".join(bytes([65 + number]) * (9 * MIB) + b"\n" for number in range(16))
    folder.write("in", gzip.compress(data, 1) if packed else data)
    with open(disk / "in", "rb") as file:
        os.fsync(file.fileno())
        page_cache.drop(file.fileno(), 0, 0)
    # Packed, the input is small, and its overflow file is not.
    process = folder.start("shuffle", "in", "-o", "out", "-m", "64MiB", "-T", folder.temporary)
    most: dict[str, int] = {}
    while process.poll() is None:
        for name, path in open_files(process.pid, disk):
            with contextlib.suppress(OSError):
                most[name] = max(cached(path), most.get(name, 0))
        time.sleep(0.01)
    folder.outcome(process).ok()
    assert sorted(folder.read("out").splitlines()) == data.splitlines()
    overflow = [size for name, size in most.items() if name.startswith(str(folder.temporary))]
    assert len(overflow) == int(packed)
    assert all(size < 56 * MIB for size in overflow), most
    # What the system was still reading ahead at the last record's end cannot be dropped.
    assert packed or cached(disk / "in") < 40 * MIB


@needs_speed
def test_an_input_in_use_stays_in_the_page_cache(disk: Path):
    """Others have read it before: it is not pushed out, but with `yes`."""
    folder = Folder(disk)
    folder.write("in", b"a line that others read as well, again and again\n" * (2 * MIB))
    os.sync()
    before = cached(disk / "in")
    assert before > 90 * MIB
    for direct_io, kept in (("auto", True), ("no", True), ("yes", False)):
        folder.corpus("shuffle", "in", "-o", "out", "-m", "64MiB", "--direct", direct_io).ok()
        assert (cached(disk / "in") == before) == kept

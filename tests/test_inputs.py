"""Inputs that are not what they seem, or do not stay what they were."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from harness import Folder

from corpustools.errors import DataError
from corpustools.files.batches import BatchReader
from corpustools.files.chunks import RecordFormat
from corpustools.files.foreign import foreign_format
from corpustools.files.inputs import OpenInput, inspect
from corpustools.files.zstd import first_window, frame_needs

LINES = b"".join(b"%d\n" % i for i in range(400_000))


def tar() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.txt"))
    return out.getvalue()


def archive() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        made.writestr("a.txt", "line\n")
    return out.getvalue()


FOREIGN = {
    "a Parquet file": b"PAR1\x15\x04\x15\x10PAR1",
    "an Arrow file": b"ARROW1\0\0",
    "a ZIP archive": archive(),
    "a tar archive": tar(),
    "LZ4 data": b"\x04\x22\x4d\x18\x64\x40\xa7\0\0\0\0",
    ".lzma data": b"\x5d\0\0\x80\0" + b"\xff" * 8,
    "zlib data": b"\x78\x9c\x03\0\0\0\0\x01",
    "a 7z archive": b"7z\xbc\xaf\x27\x1c\0\4",
    "lzip data": b"LZIP\x01\x0c",
    "data of compress (.Z)": b"\x1f\x9d\x90a",
    "an Avro file": b"Obj\x01\4",
    "a NumPy array": b"\x93NUMPY\1\0",
    "an SQLite database": b"SQLite format 3\0",
    "an HDF5 file": b"\x89HDF\r\n\x1a\n",
}


@pytest.mark.parametrize("what", FOREIGN)
@pytest.mark.parametrize("way", ["file", "pipe", "inside gzip"])
def test_formats_that_hold_no_lines_are_refused_by_name(folder: Folder, what: str, way: str):
    """As lines they would be destroyed: the run ends with status 1, the name of the format and what to do."""
    data = gzip.compress(FOREIGN[what]) if way == "inside gzip" else FOREIGN[what]
    folder.write("in", data)
    folder.write("old", b"kept\n")
    outcome = folder.corpus("shuffle", *(["-"] if way == "pipe" else ["in"]), "-o", "old", stdin=data)
    outcome.failed(1, f"is {what}")
    assert folder.read("old") == b"kept\n"


@pytest.mark.parametrize(
    "line", [b"PAR1 is a name\n", b"Obj\n", b"PK\n", b"x\x02\n", b"ustar\n", b"]\n", b"7z\n", b"LZIP\n"]
)
def test_lines_that_begin_as_other_formats_do_are_lines(folder: Folder, line: bytes):
    """Only what cannot be meant as text is refused."""
    folder.write("in", line)
    assert folder.corpus("shuffle", "in", "-q").ok().stdout == line


def test_a_pipe_of_parquet_is_told_by_its_first_page():
    """Its last bytes cannot be had."""
    assert foreign_format(b"PAR1\x15\x04", None) is not None
    assert foreign_format(b"PAR1 and more", None) is None
    assert foreign_format(b"PAR1\x15\x04", b"text") is None
    assert foreign_format(b"PAR1\x15\x04\x15\x10", b"torn") is not None


@pytest.mark.parametrize(
    ("header", "needs"),
    [
        (b"\x00\x00", (1 << 10, 0)),
        (b"\x00\x0f", (1920 * 2, 0)),
        (b"\x00\xa8", (1 << 31, 0)),
        (b"\x20\x05", (5, 0)),
        (b"\x60\x00\x01", (512, 0)),
        (b"\xa0\x00\x00\x10\x00", (1 << 20, 0)),
        (b"\x01\x58\x07", (1 << 21, 7)),
        (b"\x03\x58\x01\x02\x03\x04", (1 << 21, 0x04030201)),
        (b"\x22\x01\x01\x05", (5, 257)),
    ],
)
def test_what_a_zstd_frame_asks_for(header: bytes, needs: tuple[int, int]):
    """Window and dictionary by RFC 8878, section 3.1.1.1, worked out by hand."""
    assert frame_needs(header) == needs
    assert first_window(b"\x28\xb5\x2f\xfd" + header) == needs[0]
    assert first_window(b"\x28\xb5\x2f\xfd" + header[:-1]) == 0


def test_a_zstd_dictionary_is_named(folder: Folder):
    """The remedy is to decompress with it."""
    samples = [b"a line of text number %d\n" % i for i in range(2000)]
    dictionary = zstandard.train_dictionary(2048, samples)
    folder.write("in", zstandard.ZstdCompressor(dict_data=dictionary).compress(samples[0]))
    folder.corpus("shuffle", "in").failed(1, "dictionary", str(dictionary.dict_id()), "zstd -D")


def test_a_file_without_a_size_is_read_as_a_pipe(folder: Folder):
    """What the kernel makes up under /proc is whole in the output, and refused where a size is needed."""
    assert folder.corpus("shuffle", "/proc/version", "-q").ok().stdout == Path("/proc/version").read_bytes()
    folder.corpus("shuffle", "/proc/version", "--no-temp", "-m", "64MiB").failed(2, "/proc/version", "pipe")


def read_all(path: Path, between: Callable[[Path], None]) -> bytes:
    """Read an input in pieces and do something to the file after the first."""
    (found,) = inspect([str(path)])
    opened = OpenInput(found, 1 << 27)
    view, data = memoryview(bytearray(1 << 16)), b""
    try:
        while n := opened.readinto(view):
            data += view[:n]
            if len(data) == n:
                between(path)
    finally:
        opened.close()
    return data


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more\n")


def overwrite(path: Path) -> None:
    status = path.stat()
    with path.open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"X")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))


CHANGES = {"shorter": truncate, "longer": grow, "overwritten": overwrite}


@pytest.mark.parametrize("change", CHANGES)
def test_an_input_that_changes_while_it_is_read_is_an_error(change: str, tmp_path: Path):
    """Both sizes are named; records of two states never pass for those of one."""
    path = tmp_path / "in"
    path.write_bytes(LINES)
    with pytest.raises(DataError, match=f"was changed while it was read: {len(LINES)} bytes at the start"):
        read_all(path, CHANGES[change])
    path.write_bytes(LINES)
    assert read_all(path, lambda path: None) == LINES


@pytest.mark.parametrize("change", ["overwritten", "longer"])
def test_a_part_notices_a_change_behind_it(change: str, tmp_path: Path):
    """The other parts read another state of the file, so the parts would not fit."""
    path = tmp_path / "in"
    path.write_bytes(LINES * 2)
    reader = BatchReader(inspect([str(path)]), RecordFormat(), part=(1, 2))
    batches = iter(reader)
    next(batches)
    CHANGES[change](path)
    with pytest.raises(DataError, match="was changed while it was read"):
        list(batches)


def test_an_input_that_is_replaced_before_it_is_opened_is_an_error(tmp_path: Path):
    """What was planned for one file is not done to another; one that is replaced after that is still read whole."""
    path, other = tmp_path / "in", tmp_path / "other"
    path.write_bytes(LINES)
    other.write_bytes(LINES)
    (found,) = inspect([str(path)])
    os.replace(other, path)
    with pytest.raises(DataError, match="was replaced by another file"):
        OpenInput(found, 0)
    other.write_bytes(b"x\n")
    assert read_all(path, lambda path: os.replace(other, path)) == LINES


def has_open(pid: int, path: Path) -> bool:
    """Whether a process has a file open."""
    folder = f"/proc/{pid}/fd"
    with contextlib.suppress(OSError):  # it may end meanwhile
        return any(os.readlink(f"{folder}/{name}") == str(path) for name in os.listdir(folder))
    return False


@pytest.mark.parametrize("arguments", [("-m", "64MiB"), ("-m", "64MiB", "--no-temp"), ("-m", "1G"), ("-n", "100")])
@pytest.mark.parametrize("change", ["shorter", "longer"])
def test_the_command_notices_a_changed_input(folder: Folder, arguments: tuple[str, ...], change: str):
    """Mapped, spilled, read twice or only the head: status 1 and the old output, or all records of the first state."""
    folder.write("in", b"".join(b"%9d %s\n" % (i, b"x" * 90) for i in range(300_000)))
    folder.write("out", b"old\n")
    process = folder.start("shuffle", "in", "-s", "1", "-j", "1", "-o", "out", "--progress", "json", *arguments)
    assert process.stderr is not None
    while process.poll() is None and not has_open(process.pid, folder.path / "in"):
        pass
    CHANGES[change](folder.path / "in")
    outcome = folder.outcome(process)
    if outcome.status == 0:
        assert folder.read("out").count(b"\n") == (100 if "-n" in arguments else 300_000)
    else:
        outcome.failed(1, "in", "read")
        assert folder.read("out") == b"old\n"

"""The shuffle on every file system that can be mounted here, on each way past the page cache, and on failing ones."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from pathlib import Path

import pytest
from disks import DIRECT, KINDS, SIZE, cached, copies_on_write, failing, mounted, open_files
from harness import MIB, Folder, needs_speed

pytestmark = [pytest.mark.mounts, needs_speed]

SHUFFLE = ["-s", "1", "-m", "64MiB"]


@pytest.fixture(scope="module")
def data() -> bytes:
    """Lines that are larger than the least memory by far."""
    lines = b"".join(b"%d a line of some length, so that there are not too many\n" % i for i in range(20_000))
    return lines * (72 * MIB // len(lines))


@pytest.fixture(scope="module")
def expected(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The shuffled lines, from a run in memory."""
    folder = Folder(tmp_path_factory.mktemp("expected"))
    folder.write("in", data)
    folder.corpus("shuffle", "in", "-o", "out", "-s", "1", "-m", "2G").ok()
    return folder.read("out")


@pytest.fixture
def place(folder: Folder, data: bytes) -> Folder:
    """A folder that holds the lines."""
    folder.write("in", data)
    return folder


def folders_of(root: Path) -> tuple[Path, Path]:
    """Make a folder for the output and one for temporary files."""
    (root / "o").mkdir()
    (root / "t").mkdir()
    return root / "o", root / "t"


@pytest.mark.parametrize("kind", KINDS)
def test_the_bytes_are_those_of_memory(place: Folder, expected: bytes, kind: str):
    """Spilled and written there, on each way; what the page cache holds on the way is what the way says."""
    with mounted(place.path, kind) as root:
        out, temporary = folders_of(root)
        for way, spill in (("yes", "raw"), ("no", "raw"), ("yes", "lz4"), ("auto", "auto")):
            words = ["-o", out / "out", "-T", temporary, *SHUFFLE, "--direct", way, "--spill", spill]
            process = place.start("shuffle", "in", *words)
            most, copied = 0, set()
            while process.poll() is None:
                for _, path in open_files(process.pid, temporary):
                    with contextlib.suppress(OSError):
                        most = max(most, cached(path))
                        copied |= {copies_on_write(path)} if kind == "btrfs" else set()
                time.sleep(0.01)
            place.outcome(process).ok()
            assert (out / "out").read_bytes() == expected
            assert os.listdir(temporary) == []
            if kind in DIRECT and spill == "raw":
                # Odd pieces go through it, whole ones do not.
                assert (most < 24 * MIB) == (way == "yes"), f"{most / MIB:.0f} MiB"
            if kind == "btrfs":
                # Writing in place makes direct I/O direct, and costs the checksums that an output must keep. A file
                # is opened before it gets the flag, so it may have been seen without.
                assert way == "auto" or (False in copied) == (way == "yes")
                assert copies_on_write(out / "out")


@pytest.mark.parametrize("kind", DIRECT)
def test_an_input_that_others_use_stays_in_the_page_cache(folder: Folder, data: bytes, kind: str):
    """Whether it is in use is seen on each file system: through an overlay the system's first answer is wrong."""
    with mounted(folder.path, kind) as root:
        (root / "in").write_bytes(data)
        os.sync()
        drop_cache(root / "in")
        assert cached(root / "in") == 0
        (root / "in").read_bytes()
        assert cached(root / "in") == len(data)
        for way, kept in (("auto", True), ("yes", False)):
            folder.corpus("shuffle", root / "in", "-o", "out", *SHUFFLE, "--direct", way).ok()
            assert (cached(root / "in") > len(data) - MIB) == kept, way


def drop_cache(path: Path) -> None:
    """Let a file leave the page cache."""
    with open(path, "rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "overlay"])
def test_a_full_disk(place: Folder, data: bytes, kind: str):
    """In the output and in temporary data: one line, the old output stays, and nothing is left over."""
    with mounted(place.path, kind) as root:
        out, temporary = folders_of(root)
        (out / "out").write_bytes(b"old\n")
        fill(root / "filler", 40 * MIB)
        for way in ("yes", "no"):
            for output, spill in ((out / "out", "tmp"), ("elsewhere", temporary)):
                words = ["-o", output, "-T", spill, *SHUFFLE, "--spill", "raw", "--direct", way]
                # From a pipe, so that nothing is refused before the disk is really full.
                place.corpus("shuffle", *words, stdin=data).failed(1, str(root), "no space left")
                assert (out / "out").read_bytes() == b"old\n"
                assert os.listdir(out) == ["out"]
                assert os.listdir(temporary) == []
                assert "elsewhere" not in place.names()


def fill(path: Path, left: int) -> None:
    """Make a file that leaves so many bytes of its file system, whatever that says to be free."""
    with open(path, "wb", buffering=0) as file:
        with contextlib.suppress(OSError):
            while file.write(bytes(MIB)):
                pass
        file.truncate(file.tell() - left)
        os.fsync(file.fileno())


FAULTS = {
    "temporary data cannot be written": ("t", "write", errno.EIO, ["t", "input/output error"]),
    "temporary data cannot be read": ("t", "read", errno.EIO, ["t", "input/output error"]),
    "the quota of temporary data is used up": ("t", "write", errno.EDQUOT, ["t", "quota"]),
    "the output cannot be written": ("o", "write", errno.EIO, ["out", "input/output error"]),
    "the output does not reach the disk": ("o", "sync", errno.EIO, ["out", "input/output error"]),
    "the input cannot be read": ("i", "read", errno.EIO, ["in", "input/output error"]),
}


@pytest.mark.parametrize("way", ["yes", "no"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_failing_disk(place: Folder, fault: str, way: str):
    """After some megabytes: one line that names the place, the old output stays, and nothing is left over."""
    under, call, number, words = FAULTS[fault]
    out, temporary = folders_of(place.path)
    (place.path / "i").mkdir()
    os.rename(place.path / "in", place.path / "i" / "in")
    (out / "out").write_bytes(b"old\n")
    after = 0 if call == "sync" else 9 * MIB
    environment = failing(place.path, place.path / under, call, number, after)
    given = ["-o", out / "out", "-T", temporary, *SHUFFLE, "--spill", "raw", "--direct", way]
    place.corpus("shuffle", "i/in", *given, env=environment).failed(1, *words)
    assert (out / "out").read_bytes() == b"old\n"
    assert os.listdir(out) == ["out"]
    assert os.listdir(temporary) == []


@pytest.mark.parametrize("way", ["yes", "auto", "no"])
def test_a_device_that_is_smaller_than_it_says(place: Folder, expected: bytes, way: str):
    """The file system finds room, and the device behind it has none: what is lost on its way there is noticed.

    Past the page cache that is at the call, through it later: at a wait, or when the output is made durable.
    """
    with mounted(place.path, "tmpfs", 50 * MIB) as small, mounted(small, "ext4", SIZE, "-O", "^has_journal") as root:
        out, temporary = folders_of(root)
        (out / "out").write_bytes(b"old\n")
        os.sync()
        given = [*SHUFFLE, "--spill", "raw", "--direct", way]
        place.corpus("shuffle", "in", "-o", out / "out", *given).failed(1, "out", "no space left")
        assert (out / "out").read_bytes() == b"old\n"
        assert os.listdir(out) == ["out"]
        outcome = place.corpus("shuffle", "in", "-o", "elsewhere", "-T", temporary, *given)
        if outcome.status:
            outcome.failed(1, str(temporary), "no space left")
            assert "elsewhere" not in place.names()
        else:
            # What is still in the page cache can be read.
            assert way == "no"
            assert place.read("elsewhere") == expected
        assert os.listdir(temporary) == []


HARMLESS = {
    "writing is refused in the middle": ("yes", "write", errno.EINVAL, 9 * MIB, True),
    "reading is refused in the middle": ("yes", "read", errno.EINVAL, 9 * MIB, True),
    "writing is refused at once": ("yes", "write", errno.EOPNOTSUPP, 0, True),
    "writing past the page cache is cut short": ("yes", "write", 0, 0, False),
    "reading past the page cache is cut short": ("yes", "read", 0, 0, False),
    "writing is cut short": ("no", "write", 0, 0, False),
    "reading is cut short": ("no", "read", 0, 0, False),
    "writing out is not offered": ("yes", "begin", errno.ENOSYS, 0, False),
}


@pytest.mark.parametrize("fault", HARMLESS)
def test_what_a_file_system_may_refuse(place: Folder, expected: bytes, fault: str):
    """It costs the page cache, and no byte."""
    way, call, number, after, direct = HARMLESS[fault]
    out, temporary = folders_of(place.path)
    given = ["-T", temporary, *SHUFFLE, "--spill", "raw", "--direct", way]
    # Shards are written through the page cache, and begun to be written out.
    given += ["-o", out / "out-{shard}", "--shards", 1] if call == "begin" else ["-o", out / "out"]
    environment = failing(place.path, place.path, call, number, after, direct)
    place.corpus("shuffle", "in", *given, env=environment).ok()
    (whole,) = out.iterdir()
    assert whole.read_bytes() == expected
    assert place.read("failed")

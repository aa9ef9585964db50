"""Locks beside kept outputs: two runs that share any output never write at once."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from harness import Folder

from corpustools.errors import SystemFailure
from corpustools.files.kept import KeptSet
from corpustools.files.kept_locks import Locks

TEXT = b"".join(b"%d is a number\n" % i for i in range(20_000))
# Holds the locks of these outputs until it is told to end, and then ends without removing them.
HOLDER = "import os, sys\nfrom corpustools.files.kept_locks import Locks\n"
HOLDER += "Locks({path: path for path in sys.argv[1:]})\nprint('held', flush=True)\nsys.stdin.read()\nos._exit(0)\n"


def holding(*paths: str) -> subprocess.Popen[bytes]:
    """Start a process that holds locks."""
    words = [sys.executable, "-c", HOLDER, *paths]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    return process


def descriptors() -> int:
    """How many descriptors this process has."""
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize(
    ("first", "second", "shared"),
    [
        (["-o", "x", "--val", 5, "--val-output", "v"], ["-o", "y", "--val", 5, "--val-output", "v"], "v"),
        (["-o", "x{shard}", "--shards", 3], ["-o", "x1"], "x1"),
        (["-o", "x1"], ["-o", "x{shard}", "--shards", 3], "x1"),
    ],
)
def test_runs_that_share_an_output(folder: Folder, first: list[object], second: list[object], shared: str):
    """The second one is refused at once and leaves nothing; the first one is not disturbed."""
    folder.write("in", TEXT)
    folder.corpus("shuffle", "in", "-s", 1, *first).ok()
    expected = {name: folder.read(name) for name in set(folder.names()) - {"in", "tmp"}}
    process = folder.start("shuffle", "in", "-s", 1, *first, "--resume")
    lock, deadline = folder.path / f".{min(expected)}.unfinished", time.monotonic() + 60
    while not lock.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.001)
    process.send_signal(signal.SIGSTOP)
    assert process.poll() is None
    before = folder.names()
    folder.corpus("shuffle", "in", "-s", 2, *second, "--resume").failed(1, f"{shared}: another run is writing it")
    assert folder.names() == before
    process.send_signal(signal.SIGCONT)
    folder.outcome(process).ok()
    assert {name: folder.read(name) for name in set(folder.names()) - {"in", "tmp"}} == expected
    folder.corpus("shuffle", "in", "-s", 2, *second, "--resume").ok()


def test_many_locks_take_one_descriptor(tmp_path: Path):
    """Also where a killed run left them all; each of them is held, and all go at the end."""
    paths = [str(tmp_path / f"{i}.lock") for i in range(1500)]
    before = descriptors()
    holder = holding(*paths[700:])
    with pytest.raises(SystemFailure, match=r"1499\.lock: another run is writing it"):
        Locks({path: path for path in [*paths[:9], paths[-1]]})
    assert descriptors() == before + 2
    holder.communicate(b"")
    assert len(os.listdir(tmp_path)) == 800
    locks = Locks({path: path for path in paths})
    assert descriptors() <= before + 2
    for path in (paths[0], paths[700], paths[-1]):
        with open(path) as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    locks.close()
    assert os.listdir(tmp_path) == []
    assert descriptors() == before


def test_a_refusal_leaves_the_locks_of_others(tmp_path: Path):
    """What was taken before goes again, and nothing of the other run."""
    one, two, three = (str(tmp_path / name) for name in "123")
    holder = holding(two)
    for outputs in ([one, two], [two, three], [one, two, three]):
        with pytest.raises(SystemFailure, match="2: another run"):
            Locks({path: path for path in outputs})
        assert os.listdir(tmp_path) == ["2"]
    Locks({one: one, three: three}).close()
    holder.communicate(b"")


def test_file_systems_without_further_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Each lock has a file of its own there."""

    def refuses(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuses)
    locks = Locks({str(tmp_path / name): name for name in "abc"})
    for name in "abc":
        with pytest.raises(SystemFailure, match=f"{name}: another run is writing it"):
            Locks({str(tmp_path / name): name})
    assert len(os.listdir(tmp_path)) == 3
    locks.close()
    assert os.listdir(tmp_path) == []


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A run that could not keep others away does not begin; it says what helps."""

    def fails(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    before = descriptors()
    monkeypatch.setattr(fcntl, "flock", fails)
    with pytest.raises(SystemFailure, match=r"x: .* has no locks: no locks available; .*begin from the front"):
        KeptSet([str(tmp_path / "x")])
    assert descriptors() == before


def test_a_failed_publication_tells_which_files_are_new(tmp_path: Path):
    """A temporary name that somebody removed is no file that has its place."""
    names = [str(tmp_path / name) for name in "ab"]
    files = KeptSet(names)
    for name in names:
        file = files.open(name)
        file.write(b"text")
        file.finish()
    (tmp_path / ".b.unfinished").unlink()
    with pytest.raises(SystemFailure, match=r"1 of 2 files are new \(.*/a\)"):
        files.publish()
    files.abort()
    assert os.listdir(tmp_path) == ["a"]

"""An output is published with its manifest, and what killed runs left beside it is removed by the next run."""

from __future__ import annotations

import fcntl
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from harness import COMPILED, MIB, Folder, variables

from corpustools.errors import SystemFailure
from corpustools.files import fileset, unfinished
from corpustools.files.fileset import FileSet
from corpustools.files.manifest import Manifest
from corpustools.files.unfinished import hidden_name, release, remove_leftovers
from corpustools.stages.shuffle import run_shuffle, shuffle_request

OLD = b"old\n"
MODEL = b"a\t-1.0\nb\t-1.0\n \t-1.0\n"

# Finishes files of a set, so many that some have names, and waits.
HOLDER = """
import sys
from corpustools.files.fileset import FileSet
files = FileSet()
for i in range(20):
    files.open(f"s{i}").finish()
print("ready", flush=True)
sys.stdin.readline()
files.publish()
"""


def hidden(folder: Path) -> list[str]:
    """Names of ours that no listing shows."""
    return sorted(name for name in os.listdir(folder) if name.startswith(".corpus-"))


def holder(folder: Path) -> subprocess.Popen[bytes]:
    """Start a process that has unfinished files with names in a folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER], cwd=folder, env=variables(), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


def test_what_a_killed_run_left_is_removed_by_the_next(folder: Folder):
    """Whatever that run's output is called, and whatever it is."""
    folder.write("in", b"a\nb\n")
    with holder(folder.path) as process:
        process.kill()
    assert len(hidden(folder.path)) == 20 - fileset.UNNAMED + 1
    folder.corpus("shuffle", "in", "-s", "1", "-o", "out").ok()
    assert folder.names() == ["in", "out", "tmp"]


def test_files_of_a_run_that_lives_are_left_alone(folder: Folder):
    """It publishes them later, whole."""
    folder.write("in", b"a\nb\n")
    with holder(folder.path) as process:
        before = hidden(folder.path)
        folder.corpus("shuffle", "in", "-s", "1", "-o", "out").ok()
        remove_leftovers(str(folder.path))
        assert hidden(folder.path) == before != []
        process.communicate(b"\n")
    assert process.returncode == 0
    assert folder.names() == sorted(["in", "out", "tmp", *(f"s{i}" for i in range(20))])


def test_own_files_are_left_alone(tmp_path: Path):
    """Two outputs of one process may be in one folder; with the last of them the lock goes."""
    first, second = hidden_name(str(tmp_path / "x")), hidden_name(str(tmp_path / "y"))
    Path(first).touch()
    Path(second).touch()
    remove_leftovers(str(tmp_path))
    assert len(hidden(tmp_path)) == 3
    for name in (first, second):
        os.unlink(name)
        release(name)
    assert hidden(tmp_path) == []


def test_what_is_not_known_to_be_left_over_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Another system's files, files without a lock, locks that cannot be had, and a link in the place of a lock."""
    monkeypatch.setattr(unfinished, "_system", lambda: "aaaaaaaa")
    names = [
        *[".corpus-bbbbbbbb-00000001.lock", ".corpus-bbbbbbbb-00000001-1.part"],
        *[".corpus-aaaaaaaa-00000002-1.part", ".corpus-aaaaaaaa-00000003-1.old", ".corpus-aaaaaaaa-3-1.part"],
        *[".corpus-aaaaaaaa-00000004.lock", ".corpus-aaaaaaaa-00000004-1.part", ".corpus-aaaaaaaa-00000005-1.part"],
    ]
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / ".corpus-aaaaaaaa-00000005.lock").symlink_to(names[0])
    with open(tmp_path / names[5], "r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        remove_leftovers(str(tmp_path))
    assert hidden(tmp_path) == sorted([*names, ".corpus-aaaaaaaa-00000005.lock"])
    remove_leftovers(str(tmp_path))
    assert hidden(tmp_path) == sorted([*names[:5], names[7], ".corpus-aaaaaaaa-00000005.lock"])
    monkeypatch.setattr(unfinished, "_system", lambda: "0" * 8)
    (tmp_path / ".corpus-00000000-00000001.lock").touch()
    remove_leftovers(str(tmp_path))
    assert ".corpus-00000000-00000001.lock" in hidden(tmp_path)


def test_a_folder_that_is_missing_or_cannot_be_written(tmp_path: Path):
    """No lock can be had there; nothing is noted, so a later try is a fresh one."""
    remove_leftovers(str(tmp_path / "none"))
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            hidden_name(str(tmp_path / "none" / "x"))
    release(str(tmp_path / "none" / "x"))


@pytest.mark.parametrize("output", [["o{shard}", "--shards", "40"], ["out"], ["out.zst"]])
def test_killed_at_random_moments(folder: Folder, output: list[str]):
    """After kill -9 at any moment the next run is right and leaves nothing but its output."""
    chance = random.Random(str(output))
    line = b"some words of a line that is not short %d\n"
    folder.write("in", b"".join(line % i for i in range(12 * MIB // len(line) if COMPILED else 400)))
    arguments = ("shuffle", "in", "-s", "1", "-o", *output, "--manifest", "m", "-m", "64MiB")
    began = time.monotonic()
    folder.corpus(*arguments).ok()
    whole = time.monotonic() - began
    expected = {name: folder.read(name) for name in folder.names() if name not in ("m", "tmp")}
    for _ in range(5):
        process = folder.start(*arguments)
        time.sleep(whole * chance.uniform(0.3, 1.0))
        process.send_signal(signal.SIGKILL)
        folder.outcome(process)
    folder.corpus(*arguments).ok()
    left = [name for name in folder.names() if not name.endswith(".old")]
    assert sorted(left) == sorted([*expected, "m", "tmp"])
    assert {name: folder.read(name) for name in expected} == expected


COMMANDS = {
    "shuffle": ["shuffle", "-s", "1"],
    "tokenize": ["tokenize", "-m", "model", "-f", "u16"],
    "detokenize": ["detokenize", "-m", "model"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_manifest_that_cannot_be_written_keeps_the_old_output(folder: Folder, command: str):
    """Its bytes are durable before the output gets its name."""
    folder.write("model", MODEL)
    folder.write("in", b"0 1\n")
    folder.write("out", OLD)
    outcome = folder.corpus(*COMMANDS[command], "in", "-o", "out", "--manifest", "/dev/full")
    outcome.failed(1, "/dev/full", "no space left")
    assert folder.read("out") == OLD
    assert folder.names() == ["in", "model", "out", "tmp"]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_manifest_that_cannot_be_renamed_keeps_the_old_output(folder: Folder, command: str):
    """A folder that appeared in its place meanwhile is found before the first rename; so it is the other way round."""
    folder.write("model", MODEL)
    for target in ("manifest", "out"):
        folder.write("other" if target == "out" else "out", OLD)
        read, write = os.pipe()
        output = {"manifest": ["-o", "out", "--manifest", "manifest"], "out": ["-o", "out", "--manifest", "other"]}
        process = folder.start(*COMMANDS[command], *output[target], stdin=read)
        os.close(read)
        with os.fdopen(write, "wb") as pipe:
            pipe.write(b"0 1\n")
            pipe.flush()
            while not any("out" in link or folder.path.name in link for link in links(process.pid)):
                time.sleep(0.01)
            if target == "out":
                os.unlink(folder.path / "out")
            time.sleep(0.3)
            (folder.path / target).mkdir()
        folder.outcome(process).failed(1, target, "is a directory", "the old files stay")
        (folder.path / target).rmdir()
        assert folder.read("other" if target == "out" else "out") == OLD
    assert folder.names() == ["model", "other", "tmp"]


def links(pid: int) -> list[str]:
    """What a process has open."""
    found = []
    for descriptor in os.listdir(f"/proc/{pid}/fd"):
        try:
            found.append(os.readlink(f"/proc/{pid}/fd/{descriptor}"))
        except OSError:
            continue
    return found


def test_an_old_manifest_never_stands_beside_a_new_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A rename that fails between the two leaves the new output without a manifest, and the error says so."""
    (tmp_path / "in").write_bytes(b"a\nb\n")
    for name in ("out", "m"):
        (tmp_path / name).write_bytes(OLD)
    request = shuffle_request(tmp_path / "in", tmp_path / "out", seed=1, memory=1 << 31)
    manifest = Manifest(str(tmp_path / "m"), [], "shuffle")
    replace = os.replace

    def fails(source: str, target: str) -> None:
        if target.endswith("/m") and source.endswith(".part"):
            raise PermissionError(1, "Operation not permitted")
        replace(source, target)

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(
        SystemFailure, match=r"m: cannot be renamed .* 1 of 2 files are new \(\S*out\), and \S*m is rem"
    ):
        run_shuffle(request, manifest=manifest)
    assert sorted((tmp_path / "out").read_bytes().split()) == [b"a", b"b"]
    assert sorted(os.listdir(tmp_path)) == ["in", "out"]


def test_a_manifest_alone_beside_a_stream(folder: Folder):
    """Standard output is written as the work goes on; the manifest appears when all of it is."""
    folder.write("in", b"a\nb\n")
    folder.write("m", OLD)
    assert sorted(folder.corpus("shuffle", "in", "-s", "1", "--manifest", "m").ok().stdout.split()) == [b"a", b"b"]
    assert json.loads(folder.read("m"))["records"] == 2
    folder.write("m", OLD)
    folder.shell("$corpus shuffle in -s 1 --manifest m > /dev/full").failed(1, "standard output")
    assert folder.read("m") == OLD


def test_where_no_file_is_without_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Some file systems have no O_TMPFILE: names and their lock are there from the start, and gone at the end."""
    monkeypatch.setattr("corpustools.files.atomic._open_unnamed", lambda folder, mode: None)
    files = FileSet()
    for name in ("x", "y"):
        file = files.open(str(tmp_path / name), last=name == "y")
        file.write(b"data")
        file.finish()
    assert len(hidden(tmp_path)) == 3
    files.publish()
    assert sorted(os.listdir(tmp_path)) == ["x", "y"]
    files = FileSet()
    files.open(str(tmp_path / "z"))
    files.abort()
    assert sorted(os.listdir(tmp_path)) == ["x", "y"]

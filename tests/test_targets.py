"""Outputs that are not plain files, that the run needs, or that nothing could be renamed to."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest
from harness import Folder

from corpustools.errors import SystemFailure, UsageError
from corpustools.files import atomic
from corpustools.files.atomic import FileSink, sync_folder
from corpustools.files.targets import descriptor_of, require_replaceable

MODEL = b"a\t-1.0\nb\t-1.0\n"
ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not ROOT, reason="only root may do this")


@pytest.mark.parametrize("path", ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_standard_output_is_written_where_it_stands(folder: Folder, path: str):
    """What a shell's >> has appended stays, however standard output is called."""
    folder.write("in", b"x\n")
    folder.shell(f"{{ echo head; $corpus shuffle -s 1 -q in -o {path}; echo tail; }} >> out").ok()
    assert folder.read("out") == b"head\nx\ntail\n"


def test_a_manifest_on_standard_error_is_appended(folder: Folder):
    """A log file keeps its lines."""
    folder.write("in", b"x\n")
    folder.shell("echo log > log; $corpus shuffle -s 1 -q in -o out --manifest /dev/stderr 2>> log").ok()
    assert folder.read("log").startswith(b'log\n{\n  "command"')


@pytest.mark.parametrize(
    ("path", "number"),
    [("-", 1), ("/dev/stderr", 2), ("/dev/fd/17", 17), ("/proc/self/fd/3", 3), ("/dev/null", None), ("stdout", None)],
)
def test_paths_of_open_descriptors(path: str, number: int | None):
    """Only these names stand for a descriptor."""
    assert descriptor_of(path) == number


@pytest.mark.parametrize("command", ["shuffle", "tokenize -m m", "detokenize -m m"])
def test_an_input_that_is_appended_to_is_refused(folder: Folder, command: str):
    """Reading one's own output would never end."""
    folder.write("m", MODEL)
    folder.write("in", b"0 1\n" * 100)
    outcome = folder.shell(f"$corpus {command} in >> in")
    outcome.failed(2, "in", "is also the standard output")
    assert folder.read("in") == b"0 1\n" * 100


@pytest.mark.parametrize("name", ["m", "./m", "link", "hard"])
def test_the_model_is_not_replaced(folder: Folder, name: str):
    """However it is called, as output or as manifest."""
    folder.write("m", MODEL)
    folder.write("in", b"ab\n")
    (folder.path / "link").symlink_to("m")
    (folder.path / "hard").hardlink_to(folder.path / "m")
    folder.corpus("tokenize", "-m", "m", "in", "-o", name).failed(2, "would replace the model")
    folder.corpus("tokenize", "-m", "m", "in", "-o", "o", "--manifest", name).failed(2, "would replace the model")
    folder.corpus("detokenize", "-m", "m", "in", "-o", name).failed(2, "would replace the model")
    assert folder.read("m") == MODEL


@pytest.mark.parametrize("name", ["x" * 255, "\u00e9" * 127])
def test_names_as_long_as_the_system_allows(folder: Folder, name: str):
    """No name of ours is longer than that."""
    folder.write("in", b"x\n")
    folder.corpus("shuffle", "in", "-s", "1", "-o", name).ok()
    folder.corpus("shuffle", "in", "-s", "1", "-o", "{shard}" + name[:-2], "--shards", "2").ok()
    assert folder.read(name) == b"x\n"
    folder.corpus("shuffle", "in", "-s", "1", "-o", name + "xx").failed(1, "file name too long")


def test_what_cannot_be_replaced_is_known_before_the_work(tmp_path: Path):
    """Nothing, a folder, and a file in a folder that is not there."""
    with pytest.raises(UsageError, match="empty name"):
        require_replaceable("")
    for path in (str(tmp_path), f"{tmp_path}/new/"):
        with pytest.raises(UsageError, match="is a directory"):
            require_replaceable(path)
    require_replaceable(f"{tmp_path}/new")


@needs_root
def test_an_immutable_file_is_refused_before_the_work(folder: Folder):
    """The system says so when the file is opened, not after hours when it is renamed."""
    folder.write("in", b"x\n")
    folder.write("out", b"old\n")
    if subprocess.run(["chattr", "+i", folder.path / "out"], capture_output=True, check=False).returncode:
        pytest.skip("no immutable files here")
    try:
        folder.corpus("shuffle", "in", "-o", "out").failed(1, "out: cannot be replaced")
    finally:
        subprocess.run(["chattr", "-i", folder.path / "out"], check=True)


@needs_root
def test_another_users_file_in_a_sticky_folder_is_refused():
    """The system would refuse the rename at the end; so does it when the file cannot be written at all."""
    with tempfile.TemporaryDirectory(prefix="corpus-sticky-") as folder:
        os.chmod(folder, 0o1777)
        path = Path(folder, "out")
        path.write_bytes(b"old\n")
        path.chmod(0o666)
        os.chown(path, 1234, 1234)
        os.seteuid(65534)
        try:
            with pytest.raises(SystemFailure, match="another user's file in a sticky folder"):
                require_replaceable(str(path))
        finally:
            os.seteuid(0)
        path.chmod(0o644)
        os.seteuid(65534)
        try:
            with pytest.raises(SystemFailure, match="cannot be replaced: permission denied"):
                require_replaceable(str(path))
        finally:
            os.seteuid(0)
        require_replaceable(str(path))


@needs_root
def test_owner_group_and_mode_are_kept(folder: Folder):
    """As a program keeps them that writes into the old file."""
    folder.write("in", b"x\n")
    old = folder.path / folder.write("out", b"old\n")
    os.chown(old, 1234, 2345)
    old.chmod(0o640)
    folder.corpus("shuffle", "in", "-s", "1", "-o", "out").ok()
    status = old.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (1234, 2345, 0o640)


def test_no_set_user_id_bit_for_another_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A file that could not be given its old owner is no program that runs as somebody else."""
    old = tmp_path / "out"
    old.write_bytes(b"old\n")
    old.chmod(0o4755)

    def refused(descriptor: int, owner: int, group: int) -> None:
        raise PermissionError

    monkeypatch.setattr(atomic.os, "fchown", refused)
    real = os.stat
    monkeypatch.setattr(
        atomic.os,
        "stat",
        lambda path: os.stat_result((*real(path)[:4], 4321, *real(path)[5:])) if path == str(old) else real(path),
    )
    sink = FileSink(str(old))
    monkeypatch.undo()
    sink.finish()
    assert stat.S_IMODE(old.stat().st_mode) == 0o755


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
def test_a_folder_that_cannot_be_synced_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int):
    """As other tools do on file systems without it; a disk that fails is an error still."""

    def fails(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(atomic.os, "fsync", fails)
    sync_folder(str(tmp_path))
    number = errno.EIO
    with pytest.raises(SystemFailure, match="the new files are in place"):
        sync_folder(str(tmp_path))


@needs_root
def test_a_single_file_mounted_into_a_container_is_written(folder: Folder):
    """Nothing can be renamed to it, so the whole output is copied into it at the end."""
    folder.write("in", b"x\ny\n")
    folder.write("host", b"old and longer than the new\n")
    folder.write("out", b"")
    script = "mount --bind host out && $corpus shuffle -s 1 -q in -o out".replace("$corpus", " ".join(folder.command()))
    run = subprocess.run(["unshare", "-m", "sh", "-c", script], cwd=folder.path, capture_output=True, check=False)
    if b"unshare" in run.stderr or b"mount:" in run.stderr:
        pytest.skip("no mount namespace can be made here")
    assert run.returncode == 0, run.stderr
    assert sorted(folder.read("host").splitlines()) == [b"x", b"y"]
    assert [name for name in folder.names() if name.endswith(".part")] == []

"""Several files published as one output: together, the one that a reader opens first last, or not at all."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from corpustools.errors import CorpusError, SystemFailure, UsageError
from corpustools.files import fileset
from corpustools.files.compression import output_codec
from corpustools.files.compressors import compressed
from corpustools.files.fileset import FileSet
from corpustools.files.outputs import ShardSink, shard_paths

NAMES = ["x.bin", "x.idx", "x.txt"]


def contents(folder: Path) -> dict[str, bytes]:
    """Everything in a folder that a listing shows or that was forgotten there."""
    return {name: (folder / name).read_bytes() for name in sorted(os.listdir(folder))}


def written(folder: Path, finish: int = 3) -> FileSet:
    """A set of three files whose index is opened second, `finish` of them finished."""
    files = FileSet()
    for i, name in enumerate(NAMES):
        file = files.open(str(folder / name), last=name == "x.idx")
        file.write(f"new {name}".encode())
        if i < finish:
            file.finish()
    return files


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A folder with an older version of the set."""
    for name in NAMES:
        (tmp_path / name).write_bytes(f"old {name}".encode())
    return tmp_path


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the system is asked for: names taken away and given, and files and folders made durable."""
    asked: list[str] = []
    replace, rename, fsync = os.replace, os.rename, os.fsync

    def logged_replace(source: str, target: str) -> None:
        replace(source, target)
        asked.append(f"replace {os.path.basename(target)}")

    def logged_rename(source: str, target: str) -> None:
        rename(source, target)
        asked.append(f"hide {os.path.basename(source)}")

    def logged_fsync(descriptor: int) -> None:
        fsync(descriptor)
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        asked.append(
            f"sync {kind}" + f" {os.path.basename(os.readlink(f'/proc/self/fd/{descriptor}'))}" * (kind > "file")
        )

    monkeypatch.setattr(os, "replace", logged_replace)
    monkeypatch.setattr(os, "rename", logged_rename)
    monkeypatch.setattr(os, "fsync", logged_fsync)
    return asked


def fails_at(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Let the rename onto a file fail."""
    replace = os.replace

    def refused(source: str, target: str) -> None:
        if os.path.basename(target) == name and ".part" in source and b"new" in Path(source).read_bytes():
            raise OSError(errno.EPERM, "Operation not permitted")
        replace(source, target)

    monkeypatch.setattr(os, "replace", refused)


def test_the_last_file_is_renamed_last_and_the_folder_synced_once(old: Path, calls: list[str]):
    """Nobody finds an index, old or new, beside data that it does not describe."""
    files = written(old)
    assert contents(old) == {name: f"old {name}".encode() for name in NAMES}
    files.publish()
    hide, replace = "hide x.idx", ["replace x.bin", "replace x.txt", "replace x.idx"]
    assert calls == ["sync file"] * 3 + [hide, *replace, f"sync folder {old.name}"]
    assert contents(old) == {name: f"new {name}".encode() for name in NAMES}


def test_other_folders_are_durable_before_the_last_file_is_there(tmp_path: Path, calls: list[str]):
    """Where there is no old index, each folder is synced once."""
    for name in "abc":
        (tmp_path / name).mkdir()
    files = FileSet()
    for name in ["b/index", "a/1", "a/2", "b/3", "c/4"]:
        files.open(str(tmp_path / name), last=name == "b/index").finish()
    files.publish()
    assert calls[5:] == [
        *["replace 1", "replace 2", "replace 3", "replace 4", "sync folder a", "sync folder c"],
        *["replace index", "sync folder b"],
    ]


@pytest.mark.parametrize("finished", range(4))
def test_abort_leaves_nothing_and_the_old_files_stay(old: Path, finished: int):
    """Whatever was finished before."""
    before = contents(old)
    written(old, finished).abort()
    assert contents(old) == before


def test_what_was_not_finished_is_made_durable_by_publish(old: Path, calls: list[str]):
    """An index whose last bytes came at the end needs no call of its own."""
    written(old, 1).publish()
    assert calls.count("sync file") == 3
    assert contents(old) == {name: f"new {name}".encode() for name in NAMES}


def test_a_folder_in_the_place_of_a_file_stops_all(old: Path):
    """Found before the first rename."""
    files = written(old)
    os.unlink(old / "x.txt")
    (old / "x.txt").mkdir()
    with pytest.raises(SystemFailure, match=r"x\.txt: cannot be renamed into place: is a directory; the old files"):
        files.publish()
    files.abort()
    (old / "x.txt").rmdir()
    assert contents(old) == {"x.bin": b"old x.bin", "x.idx": b"old x.idx"}


@pytest.mark.parametrize(
    ("name", "said", "new"),
    [
        ("x.bin", "the old files stay", []),
        ("x.txt", r"1 of 3 files are new \(\S*x.bin\), and \S*x.idx is removed; write the output again", ["x.bin"]),
        ("x.idx", r"2 of 3 files are new \(\S*x.bin, \S*x.txt\), and \S*x.idx is removed", ["x.bin", "x.txt"]),
    ],
)
def test_a_rename_that_fails(old: Path, monkeypatch: pytest.MonkeyPatch, name: str, said: str, new: list[str]):
    """The error says which files are new; a torn set has no index."""
    files = written(old)
    with monkeypatch.context() as patch:
        fails_at(patch, name)
        with pytest.raises(SystemFailure, match=rf"{name}: cannot be renamed into place: operation not .*{said}"):
            files.publish()
    files.abort()
    expected = {one: f"{'new' if one in new else 'old'} {one}".encode() for one in NAMES}
    if new:
        del expected["x.idx"]
    assert contents(old) == expected


def test_one_that_replaces_nothing_fails_without_talk_of_removal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """There was no index that could be removed."""
    files = written(tmp_path)
    with monkeypatch.context() as patch:
        fails_at(patch, "x.idx")
        with pytest.raises(SystemFailure) as caught:
            files.publish()
    assert caught.value.remedy.endswith("x.txt); write the output again")
    files.abort()
    assert sorted(contents(tmp_path)) == ["x.bin", "x.txt"]


@pytest.mark.parametrize("done", [False, True])
def test_an_interrupt_at_the_first_rename(old: Path, monkeypatch: pytest.MonkeyPatch, done: bool):
    """It passes unchanged. The old index comes back only if the file has not been renamed."""
    files = written(old)
    replace = os.replace

    def interrupted(source: str, target: str) -> None:
        if target.endswith("x.bin"):
            if done:
                replace(source, target)
            raise KeyboardInterrupt
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", interrupted)
        with pytest.raises(KeyboardInterrupt):
            files.publish()
    files.abort()
    expected = {name: f"old {name}".encode() for name in NAMES}
    if done:
        del expected["x.idx"]
        expected["x.bin"] = b"new x.bin"
    assert contents(old) == expected


def test_an_old_index_in_another_folder(tmp_path: Path, calls: list[str]):
    """That it is gone has to be durable before the data beside it changes."""
    for name in "ab":
        (tmp_path / name).mkdir()
    (tmp_path / "a" / "index").write_bytes(b"old")
    files = FileSet()
    files.open(str(tmp_path / "a" / "index"), last=True).finish()
    files.open(str(tmp_path / "b" / "data")).finish()
    files.publish()
    assert calls[2:] == [
        "hide index",
        "sync folder a",
        "replace data",
        "sync folder b",
        "replace index",
        "sync folder a",
    ]


def test_a_file_is_in_a_set_once(tmp_path: Path):
    """Two names of one file would lose one of them."""
    os.symlink("x", tmp_path / "link")
    files = FileSet()
    files.open(str(tmp_path / "x"))
    with pytest.raises(UsageError, match="are the same file"):
        files.open(str(tmp_path / "link"))
    with pytest.raises(UsageError, match="is a directory"):
        files.open(str(tmp_path))
    with pytest.raises(SystemFailure, match="no such file"):
        files.open(str(tmp_path / "none" / "x"))
    files.abort()
    assert os.listdir(tmp_path) == ["link"]


def test_a_thousand_files_need_few_descriptors(tmp_path: Path):
    """Some wait without a name, so that SIGKILL leaves nothing of them; the rest is closed."""
    files, before = FileSet(), len(os.listdir("/proc/self/fd"))
    for i in range(1000):
        file = files.open(str(tmp_path / f"{i:03}"))
        file.write(b"%d" % i)
        file.finish()
        assert len(os.listdir("/proc/self/fd")) <= before + fileset.UNNAMED + 1  # the lock
    assert len(os.listdir(tmp_path)) <= 1000
    files.publish()
    assert len(os.listdir("/proc/self/fd")) == before
    assert [(tmp_path / f"{i:03}").read_bytes() for i in range(1000)] == [b"%d" % i for i in range(1000)]
    assert len(os.listdir(tmp_path)) == 1000


@pytest.mark.parametrize("suffix", ["", ".zst"])
def test_shards(tmp_path: Path, suffix: str):
    """Shards that nobody cut are there, and empty; the error of a torn set names the first and the last new one."""
    files = FileSet()
    sink = ShardSink(shard_paths(f"{tmp_path}/s{{shard}}{suffix}", 12), 1, files)
    for _ in range(5):
        sink.write(b"data")
        sink.cut()
    sink.finish()
    assert [name for name in os.listdir(tmp_path) if not name.startswith(".")] == []
    files.publish()
    sizes = [(tmp_path / f"s{i:02}{suffix}").stat().st_size for i in range(12)]
    assert len(os.listdir(tmp_path)) == 12
    assert sizes == ([4] * 5 + [0] * 7 if not suffix else [sizes[0]] * 5 + [sizes[-1]] * 7)


def test_shards_whose_renames_fail_in_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The error names the first and the last new one; the others keep what they held."""
    (tmp_path / "s7").write_bytes(b"old")
    files = FileSet()
    sink = ShardSink(shard_paths(f"{tmp_path}/s{{shard}}", 9), 1, files)
    sink.write(b"new")
    for _ in range(8):
        sink.cut()
        sink.write(b"new")
    with monkeypatch.context() as patch:
        fails_at(patch, "s7")
        sink.finish()
        with pytest.raises(CorpusError, match=r"s7: cannot be renamed.*; 7 of 9 files are new \(\S*s0 to \S*s6\)"):
            files.publish()
    files.abort()
    assert contents(tmp_path) == {f"s{i}": b"new" for i in range(7)} | {"s7": b"old"}


def test_a_compressed_member(tmp_path: Path):
    """A compressor finishes into a file of the set like into any other."""
    files = FileSet()
    sink = compressed(files.open(str(tmp_path / "x.gz")), str(output_codec("x.gz")), 1)
    sink.write(b"data")
    sink.finish()
    assert "x.gz" not in os.listdir(tmp_path)
    files.publish()
    assert os.listdir(tmp_path) == ["x.gz"]


def two_shards(folder: Path) -> FileSet:
    """Two data files, each with an index of its own."""
    files = FileSet()
    for shard in "01":
        for suffix, last in (("bin", False), ("idx", True)):
            file = files.open(str(folder / f"{shard}.{suffix}"), last=last)
            file.write(b"new")
            file.finish()
    return files


def test_every_index_of_a_set_comes_after_all_data(tmp_path: Path, calls: list[str]):
    """The old ones are taken away before any data is replaced."""
    for name in ("0.bin", "0.idx", "1.idx"):
        (tmp_path / name).write_bytes(b"old")
    two_shards(tmp_path).publish()
    assert [call for call in calls if "durable" not in call and not call.startswith("sync")] == [
        "hide 0.idx",
        "hide 1.idx",
        "replace 0.bin",
        "replace 1.bin",
        "replace 0.idx",
        "replace 1.idx",
    ]
    assert set(contents(tmp_path).values()) == {b"new"}


@pytest.mark.parametrize(("fails", "left"), [("0.bin", ["0.bin", "0.idx", "1.idx"]), ("1.bin", ["0.bin"])])
def test_no_index_of_a_torn_set_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str, left: list[str]):
    """All come back while nothing is new, else none; the error names them."""
    for name in ("0.bin", "0.idx", "1.idx"):
        (tmp_path / name).write_bytes(b"old")
    files = two_shards(tmp_path)
    with monkeypatch.context() as patch:
        fails_at(patch, fails)
        with pytest.raises(SystemFailure, match="the old files stay" if len(left) == 3 else "1.idx are removed"):
            files.publish()
    files.abort()
    assert sorted(contents(tmp_path)) == left


def test_old_files_without_a_successor_go(old: Path):
    """When the new ones are in place, and not where the set is given up."""
    (old / "x.more").write_bytes(b"old")
    for publishes in (False, True):
        files = written(old)
        for name in ("x.more", "x.bin", "missing"):
            files.supersede(str(old / name))
        if publishes:
            files.publish()
        else:
            files.abort()
        assert ("x.more" in os.listdir(old)) is not publishes
    assert contents(old) == {name: f"new {name}".encode() for name in NAMES}


def test_an_old_file_that_stays(old: Path):
    """The error says that the new output is whole."""
    (old / "x.more").mkdir()
    files = written(old)
    files.supersede(str(old / "x.more"))
    with pytest.raises(
        SystemFailure, match=r"x.more: this file of the old output cannot be removed: .*; the new files"
    ):
        files.publish()
    assert {name: (old / name).read_bytes() for name in NAMES} == {name: f"new {name}".encode() for name in NAMES}

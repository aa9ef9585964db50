"""File systems that a test makes for itself, and calls that it lets fail; what cannot be had skips the test."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from corpustools.files import linux

MIB = 1 << 20
KINDS = ("ext4", "xfs", "btrfs", "tmpfs", "overlay", "fuse")
# Those whose files are past the page cache when they are opened so.
DIRECT = ("ext4", "xfs", "btrfs", "overlay")
# mkfs.xfs makes none that is smaller; the others follow, so that one test fits all.
SIZE = 320 * MIB
WHERE = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


@contextlib.contextmanager
def mounted(folder: Path, kind: str, size: int = SIZE, *options: str) -> Iterator[Path]:
    """Mount a new file system of a kind on a folder inside this one, and take it away at the end.

    Args:
        folder: where its image and the folder are made.
        kind: one of KINDS.
        size: its bytes, where it has a size of its own; an overlay has none.
        *options: how it is made, for mkfs.
    """
    place, image = folder / kind, folder / f"{kind}.image"
    place.mkdir()
    maker = {"fuse": "ext4"}.get(kind, kind)
    if kind not in ("tmpfs", "overlay"):
        with open(image, "wb") as file:
            file.truncate(size)
        done(f"mkfs.{maker}", "-q", *(["-F"] if maker == "ext4" else []), *options, image)
    if kind == "overlay":
        folders = [folder / f"overlay.{name}" for name in ("lower", "upper", "work")]
        for one in folders:
            one.mkdir()
        options = "lowerdir={},upperdir={},workdir={}".format(*folders)
        done("mount", "-t", "overlay", "overlay", "-o", options, place)
    elif kind == "tmpfs":
        done("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place)
    elif kind == "fuse":
        done("fuse2fs", image, place, "-o", "fakeroot")
    else:
        done("mount", "-o", "loop", image, place)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], capture_output=True, check=False)
        image.unlink(missing_ok=True)


def done(program: str, *words: object) -> None:
    """Run a program of the system; skip the test where it is not there, or may not do this here."""
    found = shutil.which(program, path=WHERE)
    if found is None:
        pytest.skip(f"{program} is not installed")
    took = subprocess.run([found, *map(str, words)], capture_output=True, text=True, check=False)
    if took.returncode:
        pytest.skip(f"{program} fails here: {(took.stderr or took.stdout).strip().splitlines()[-1]}")


def cached(path: Path) -> int:
    """Return how many bytes of a file are in the page cache."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        size = os.fstat(descriptor).st_size
        found = linux.cached_bytes(descriptor, 0, size) if size else 0
    finally:
        os.close(descriptor)
    assert found is not None
    return found


def open_files(pid: int, folder: Path) -> Iterator[tuple[str, Path]]:
    """Give each file that a process has open in a folder: the system's word for it, and a path to it."""
    with contextlib.suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            path = f"/proc/{pid}/fd/{name}"
            target = os.readlink(path)
            if target.startswith(f"{folder}/") and not target.endswith(".lock"):
                yield target, Path(path)


def copies_on_write(path: Path) -> bool:
    """Whether btrfs copies what is written to a file."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        flags = struct.unpack("I", fcntl.ioctl(descriptor, linux._GETFLAGS, bytes(8))[:4])[0]
    finally:
        os.close(descriptor)
    return not flags & linux._NOCOW


def failing(folder: Path, under: Path, call: str, number: int, after: int = 0, direct: bool = False) -> dict[str, str]:
    """Return variables of the environment with which calls on files fail, see failing_calls.c.

    Args:
        folder: where the library is built.
        under: the folder whose files are meant.
        call: which calls.
        number: the errno; 0: they are cut short instead.
        after: how many bytes pass before.
        direct: only descriptors past the page cache.

    Each call that failed or was cut adds a byte to the file `failed` in the folder.
    """
    library = folder / "failing_calls.so"
    if not library.exists():
        done("cc", "-shared", "-fPIC", "-O1", "-o", library, Path(__file__).parent / "failing_calls.c", "-ldl")
    named = {
        "UNDER": str(under),
        "CALL": call,
        "NUMBER": str(number),
        "AFTER": str(after),
        "LOG": str(folder / "failed"),
    }
    if direct:
        named["DIRECT"] = "1"
    return {"LD_PRELOAD": str(library), **{f"FAIL_{name}": value for name, value in named.items()}}

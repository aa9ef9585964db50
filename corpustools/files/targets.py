"""What an output may replace, looked at before the work begins: afterwards it would be too late."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable

from corpustools.errors import SystemFailure, UsageError, from_os
from corpustools.files.inputs import Input

STDOUT = "-"
_DESCRIPTOR = re.compile(r"/dev/(?:std(?P<name>out|err)|fd/(?P<number>[0-9]+))|/proc/self/fd/(?P<own>[0-9]+)")


def descriptor_of(path: str) -> int | None:
    """Return the open descriptor that a path stands for: '-', /dev/stdout, /dev/fd/N; None for a path of a file.

    Such a path is written to where it stands. Opening it anew would begin at its front, over what others appended.
    """
    if path == STDOUT:
        return 1
    match = _DESCRIPTOR.fullmatch(path)
    if match is None:
        return None
    if match["name"]:
        return 1 if match["name"] == "out" else 2
    return int(match["number"] or match["own"])


def is_stream(path: str) -> bool:
    """Return whether an output is written as it comes: an open descriptor, a named pipe or a device."""
    if descriptor_of(path) is not None:
        return True
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def require_replaceable(path: str) -> None:
    """Refuse a path that no file could be renamed to at the end.

    Raises:
        UsageError: it names a folder, or nothing.
        SystemFailure: the system would refuse: a write-protected or immutable file, another user's file in a sticky
            folder, a link that may not be followed.
    """
    if not path:
        raise UsageError("the output has an empty name", "name a file, or '-' for standard output")
    if path.endswith("/") or os.path.isdir(path):
        raise UsageError(f"output '{path}' is a directory", "name a file in it")
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            return
        # The system knows best: this finds missing permission, immutable and append-only files, and programs that run.
        os.close(os.open(path, os.O_WRONLY | os.O_CLOEXEC))
    except FileNotFoundError:
        return
    except OSError as error:
        raise from_os(error, f"{path}: cannot be replaced", "name another output, or remove the file") from error
    real = os.path.realpath(path)
    folder = os.stat(os.path.dirname(real))
    if folder.st_mode & stat.S_ISVTX and os.geteuid() not in (0, status.st_uid, folder.st_uid):
        what = f"{path}: cannot be replaced: it is another user's file in a sticky folder"
        raise SystemFailure(what, "name another output")


def refuse_conflicts(what: str, path: str, others: Iterable[tuple[str, str]]) -> None:
    """Refuse an output that is the same file as something else of the run.

    Args:
        what: what messages call the output.
        path: the output.
        others: (what messages call it, path) of each file that has to stay, or is written too.

    Raises:
        UsageError: two of them are one file, by device and inode where it exists, else by its path.
    """
    own = _identity(path)
    for role, other in others:
        if own is not None and own == _identity(other):
            raise UsageError(f"{what} '{path}' would replace {role} '{other}'", "give it a name of its own")


def refuse_own_output(path: str, inputs: Iterable[Input]) -> None:
    """Refuse to read a file while an open descriptor, such as standard output, appends to it: it would never end.

    Raises:
        UsageError: an input is the file that the output's descriptor writes to.
    """
    descriptor = descriptor_of(path)
    if descriptor is None:
        return
    own = _identity(path)
    for one in inputs:
        if one.seekable and one.identity == own:
            called = "the standard output" if descriptor == 1 else f"the output {path}"
            raise UsageError(
                f"{one.name}: is also {called}", "name it as the output by its path, which is replaced at the end"
            )


def _identity(path: str) -> tuple[int, int] | str | None:
    """Return what tells a file from others; None where it is no plain file, such as a pipe or a terminal."""
    descriptor = descriptor_of(path)
    try:
        status = os.fstat(descriptor) if descriptor is not None else os.stat(path)
    except OSError:
        return os.path.realpath(path) if descriptor is None else None
    return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None


def is_mount_point(path: str) -> bool:
    """Return whether a real path is one that something is mounted on, so that nothing can be renamed to it."""
    return path in _mount_points()


def _mount_points() -> set[str]:
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            # The fifth field; blanks in it stand in octal (proc_pid_mountinfo(5)).
            return {re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), line.split()[4]) for line in file}
    except OSError:
        return set()

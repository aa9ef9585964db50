"""What the stage at one end of a pipe tells the stage at its other end: that it has not finished.

A reader sees the same end of input whether the writer was done or was killed. A pipe has an inode of its own, though,
which lives as long as one end is open, and both ends may change its mode. Nothing reads the sticky bit of a pipe's
mode. A stage sets it when it begins and takes it back when it is done, so that it stays where the stage died.
"""

from __future__ import annotations

import os
import stat
import sys

from corpustools.errors import DataError

UNFINISHED = stat.S_ISVTX
_PIPE_BYTES = 1 << 20
_F_SETPIPE_SZ = 1031


def mark_unfinished(descriptor: int) -> bool:
    """Mark the pipe that a descriptor writes to; say whether there is one and it bore no mark.

    A mark that is there belongs to a stage before, which died, or to one at work beside this one. It stays theirs.
    """
    mode = _mode(descriptor)
    return mode is not None and not mode & UNFINISHED and _change(descriptor, mode | UNFINISHED)


def mark_finished(descriptor: int) -> None:
    """Take the mark back that this process has set."""
    mode = _mode(descriptor)
    if mode is not None:
        _change(descriptor, mode & ~UNFINISHED)


def require_finished(descriptor: int, name: str) -> None:
    """Check, at the end of what a descriptor reads, that the stage that wrote it was done.

    A writer that is no stage of this package leaves no mark, and is trusted.

    Raises:
        DataError: it ended before that.
    """
    mode = _mode(descriptor)
    if mode is not None and mode & UNFINISHED:
        raise DataError(
            f"{name}: the corpus command that writes it failed or was stopped before its end",
            "see what that command says, and run both again",
        )


def widen(descriptor: int) -> None:
    """Let a pipe hold more, where the system allows it."""
    if sys.platform != "linux":
        return
    from fcntl import fcntl

    try:
        fcntl(descriptor, _F_SETPIPE_SZ, _PIPE_BYTES)
    except OSError:
        return  # not a pipe, or the user's quota of pipe pages is used up: slower, not wrong


def _mode(descriptor: int) -> int | None:
    """Return the permission bits of a pipe, or None for anything else.

    A pipe with a name is a file: a mark would stay on the disk when the stages are gone.
    """
    try:
        status = os.fstat(descriptor)
    except OSError:
        return None
    return stat.S_IMODE(status.st_mode) if stat.S_ISFIFO(status.st_mode) and _nameless(descriptor) else None


def _nameless(descriptor: int) -> bool:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}").startswith("pipe:[")
    except OSError:
        return False


def _change(descriptor: int, mode: int) -> bool:
    """Change the mode; say whether that is allowed here (the pipe may be another user's)."""
    try:
        os.fchmod(descriptor, mode)
    except OSError:
        return False
    return True

"""Locks beside outputs that are kept: two runs never write one of them at once, whichever else they write."""

from __future__ import annotations

import contextlib
import fcntl
import os

from corpustools.errors import SystemFailure, from_os

_TRIES = 8


class Locks:
    """A lock for each output, which the system drops when the process ends, however it ends.

    The lock files are names of one file as far as file systems allow, so that a thousand shards need no thousand
    descriptors.

    Args:
        outputs: the output of each lock file.

    Raises:
        SystemFailure: another run has one of them, the folder is missing or not writable, or there are no locks.
    """

    def __init__(self, outputs: dict[str, str]) -> None:
        self._paths: list[str] = []
        self._held: dict[tuple[int, int], int] = {}
        try:
            # In one order, so that of two runs with several outputs in common one gets all.
            for path in sorted(outputs):
                self._take(path, outputs[path])
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Remove the lock files and drop the locks."""
        for path in self._paths:
            with contextlib.suppress(OSError):
                os.unlink(path)
        for descriptor in self._held.values():
            os.close(descriptor)
        self._paths, self._held = [], {}

    def _take(self, path: str, output: str) -> None:
        for _ in range(_TRIES):
            try:
                if self._linked(path) or self._locked(path, output):
                    self._paths.append(path)
                    return
            except OSError as error:
                raise from_os(error, f"{output}: cannot be written", "check the folder and its permissions") from error
        raise SystemFailure(f"{output}: other runs come and go beside it", "run one at a time")

    def _linked(self, path: str) -> bool:
        """Make the path a further name of a lock file that is held; return whether it is one."""
        if self._paths:
            # Where it exists, or the file system is another one or has no such names, it gets a descriptor of its own.
            with contextlib.suppress(OSError):
                os.link(self._paths[-1], path)
        # A run that was killed left many names of one file.
        with contextlib.suppress(OSError):
            return _identity(os.lstat(path)) in self._held
        return False

    def _locked(self, path: str, output: str) -> bool:
        """Lock the file of this path, made where there is none; return whether it still has the path then."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            _lock(descriptor, output)
            # Between the two calls another run may have ended and removed the file.
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), os.lstat(path)):
                    self._held[_identity(os.fstat(descriptor))] = descriptor
                    return True
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        return False


def _lock(descriptor: int, output: str) -> None:
    """Lock a file at once or not at all.

    Raises:
        SystemFailure: another run has it, or the file system has no locks.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SystemFailure(
            f"{output}: another run is writing it", "wait for that one, or name another output"
        ) from None
    except OSError as error:
        what = f"{output}: cannot be kept for a later run, since its file system has no locks"
        raise from_os(error, what, "write elsewhere, or let the run begin from the front") from error


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino

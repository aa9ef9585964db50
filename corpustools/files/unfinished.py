"""Names of unfinished files, and the end of those that killed runs left behind.

An unfinished file stands beside its target as `.corpus-SYSTEM-RUN-NUMBER.part`. A process that has such files in a
folder holds a lock there, on `.corpus-SYSTEM-RUN.lock`. The system drops the lock when the process ends, however it
ends, so files whose lock is free are left over.

All processes of one running system see each other's locks, in containers too. Machines that share a network file system
need not. SYSTEM tells them apart, and what another system left is never touched.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import threading
from dataclasses import dataclass, field
from functools import cache

_OWN = re.compile(r"\.corpus-([0-9a-f]{8})-([0-9a-f]{8})(?:-[0-9a-f]+\.part|\.lock)")
_NO_SYSTEM = "0" * 8
_TRIES = 8


@dataclass
class _Claim:
    """This process's lock in a folder, and the names that it guards."""

    descriptor: int
    stem: str
    names: set[str] = field(default_factory=set)
    given: int = 0


_claims: dict[str, _Claim] = {}
_claiming = threading.Lock()


def hidden_name(path: str, suffix: str = "part") -> str:
    """Return a fresh name beside a path that no listing shows; short, so that the longest names work too.

    Call `release` when nothing has this name any more. A later run removes what a killed run left under such names, but
    for suffixes other than 'part'.

    Raises:
        OSError: the folder is missing or not writable.
    """
    folder = os.path.dirname(path)
    with _claiming:
        claim = _claims.get(folder)
        if claim is None:
            claim = _claims[folder] = _claim(folder)
        claim.given += 1
        name = f"{claim.stem}-{claim.given:x}.{suffix}"
        claim.names.add(name)
        return name


def release(name: str) -> None:
    """Note that a hidden name is used no more; with the last one in a folder the lock goes too."""
    folder = os.path.dirname(name)
    with _claiming:
        claim = _claims.get(folder)
        if claim is None:
            return
        claim.names.discard(name)
        if not claim.names:
            del _claims[folder]
            with contextlib.suppress(OSError):
                os.unlink(f"{claim.stem}.lock")
            os.close(claim.descriptor)


def remove_leftovers(folder: str) -> None:
    """Remove the unfinished files of runs that were killed, as far as the system allows."""
    runs: dict[str, list[str]] = {}
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            match = _OWN.fullmatch(name)
            if match and match[1] == _system() != _NO_SYSTEM:
                runs.setdefault(match[2], []).append(name)
    for run, names in runs.items():
        _remove(folder, f".corpus-{_system()}-{run}.lock", names)


def _remove(folder: str, lock: str, names: list[str]) -> None:
    """Remove the files of a run unless it still has its lock."""
    try:
        descriptor = os.open(os.path.join(folder, lock), os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The lock itself goes last: files without one are never touched.
        for name in [*(name for name in names if name != lock), lock]:
            os.unlink(os.path.join(folder, name))
    except OSError:
        return
    finally:
        os.close(descriptor)


def _claim(folder: str) -> _Claim:
    """Lock a fresh name in a folder."""
    for _ in range(_TRIES):
        stem = os.path.join(folder, f".corpus-{_system()}-{os.urandom(4).hex()}")
        descriptor = os.open(f"{stem}.lock", os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        # Where there are no locks, nobody gets this one, and what is left over stays.
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Between the two calls another process may have taken it for a killed run's.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), os.stat(f"{stem}.lock")):
                break
        os.close(descriptor)
    return _Claim(descriptor, stem)


@cache
def _system() -> str:
    """Return a name of the running system: containers have that of their host, and a restart gives another."""
    try:
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:
            return hashlib.blake2b(file.read(), digest_size=4).hexdigest()
    except OSError:
        return _NO_SYSTEM

"""The journal of a shuffle whose output is kept: what was asked for, and how far the output is.

It is one line of JSON behind a line with its format and a hash, and before the bytes that wait. It is trusted no
further than any input: the hash finds what was torn or edited, each value is checked, and what the files hold is
compared with it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from dataclasses import dataclass
from typing import Any

from corpustools.errors import DataError, from_os
from corpustools.files.atomic import sync_folder
from corpustools.files.reader import HEADER_LIMIT
from corpustools.stages.shuffle.order import KEYS
from corpustools.stages.shuffle.tally import Tally

_FORMAT = "corpus shuffle journal 1"
_LARGEST = 64 << 20
_MOST = (1 << 63) - 1


@dataclass(frozen=True)
class FileState:
    """A kept file: bytes that count, and device and inode."""

    size: int
    identity: tuple[int, int]


@dataclass(frozen=True)
class Journal:
    """How far the output of a shuffle is.

    Attributes:
        job: what the output depends on, by name, see `resume.job_of`.
        low: records of all lower sort keys of the range are written, and no others.
        written: these records.
        read: records of the inputs.
        total: all records of the range of keys, where they are known.
        checksum: of all records of the inputs, where `total` will not show that the inputs are others.
        header: bytes of the header at the front of the output, and their hash.
        files: the outputs that were begun, in order; all but the last are finished.
        waiting: bytes of the last file that are not in it, since they fill no piece to be compressed.
        finished: whether all outputs are whole, and wait for their names.
    """

    job: dict[str, Any]
    low: int
    written: Tally
    read: int
    total: Tally | None
    checksum: int | None
    header: tuple[int, str]
    files: list[FileState]
    waiting: bytes
    finished: bool

    def save(self, path: str) -> None:
        """Write the journal in place of an older one, and make it durable.

        Raises:
            SystemFailure: it cannot be written; the older one stays.
        """
        fresh = f"{path}.new"
        try:
            try:
                flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
                with open(os.open(fresh, flags, 0o600), "wb") as file:
                    file.writelines(self._parts())
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(fresh, path)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(fresh)
                raise
        except OSError as error:
            raise from_os(error, f"{path}: cannot be written", "free some space; nothing was replaced") from error
        sync_folder(os.path.dirname(path))

    def _parts(self) -> list[bytes]:
        facts = {
            "job": self.job,
            "low": self.low,
            "written": _listed(self.written),
            "read": self.read,
            "total": None if self.total is None else _listed(self.total),
            "checksum": self.checksum,
            "header": list(self.header),
            "files": [[one.size, *one.identity] for one in self.files],
            "waiting": len(self.waiting),
            "finished": self.finished,
        }
        body = json.dumps(facts).encode() + b"\n"
        return [f"{_FORMAT} {_hash(body, self.waiting)}\n".encode(), body, self.waiting]


def load_journal(path: str) -> Journal | None:
    """Return the journal at a path, or None where there is none.

    Raises:
        DataError: it is damaged or of another format.
        SystemFailure: it cannot be read.
    """
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            head, body, waiting = file.readline(_LARGEST), file.readline(_LARGEST), file.read(_LARGEST)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise from_os(error, f"{path}: cannot be read", "it tells how far the output is") from error
    remedy = "remove it to begin from the front"
    if not head.startswith(_FORMAT.encode() + b" "):
        raise DataError(f"{path}: is no journal of this version", f"go on with the version that wrote it, or {remedy}")
    try:
        if head.decode("ascii") != f"{_FORMAT} {_hash(body, waiting)}\n":
            raise ValueError
        return _journal(json.loads(body), waiting)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise DataError(f"{path}: the journal is damaged", remedy) from None


def digest_of(header: bytes) -> str:
    """Return the hash by which a header is known again."""
    return _hash(header)


def _hash(*parts: bytes) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def _listed(tally: Tally) -> list[int]:
    return [tally.records, tally.size, tally.checksum]


def _journal(facts: Any, waiting: bytes) -> Journal:
    """Return a journal of what its JSON holds, and the bytes behind that.

    Raises:
        ValueError, KeyError, TypeError: it is something else.
    """
    job, finished = facts["job"], facts["finished"]
    if not isinstance(job, dict) or not isinstance(job["seed"], str) or not isinstance(finished, bool):
        raise ValueError
    size, digest = facts["header"]
    if not isinstance(digest, str) or facts["waiting"] != len(waiting):
        raise ValueError
    total, checksum = facts["total"], facts["checksum"]
    return Journal(
        job,
        _number(facts["low"], KEYS),
        _tally(facts["written"]),
        _number(facts["read"]),
        None if total is None else _tally(total),
        None if checksum is None else _number(checksum, KEYS - 1),
        (_number(size, 2 * HEADER_LIMIT), digest),
        [
            FileState(_number(one), (_number(device, KEYS), _number(inode, KEYS)))
            for one, device, inode in facts["files"]
        ],
        waiting,
        finished,
    )


def _tally(numbers: Any) -> Tally:
    records, size, checksum = numbers
    return Tally(_number(records), _number(size), _number(checksum, KEYS - 1))


def _number(value: Any, most: int = _MOST) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError
    return value

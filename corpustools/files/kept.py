"""Outputs that outlive the run that writes them, so that a later run can go on with them.

An unfinished file stands beside its target as `.NAME.unfinished`. What it holds is said by `.NAME.journal`, which
belongs to the first output of the run, and is written anew now and then. While a run is at work it holds locks on the
`.NAME.lock` of all outputs. All of them are gone when the outputs have their names.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat

from corpustools.errors import DataError, SystemFailure, from_os
from corpustools.files.atomic import sync_folder
from corpustools.files.fileset import FileSet, SetFile
from corpustools.files.kept_locks import Locks
from corpustools.files.targets import descriptor_of

UNFINISHED, JOURNAL, _LOCK = ".unfinished", ".journal", ".lock"
# A journal is written under its name and ".new" first.
_LONGEST_NAME = 255 - len(".new")


def kept_name(path: str, ending: str) -> str:
    """Return the path beside a file, links followed, that is kept with it; no listing and no pattern shows it."""
    folder, name = os.path.split(os.path.realpath(path))
    kept = f".{name}{ending}"
    if len(os.fsencode(kept)) > _LONGEST_NAME:
        kept = f".corpus-{hashlib.blake2b(os.fsencode(name), digest_size=16).hexdigest()}{ending}"
    return os.path.join(folder, kept)


def journal_beside(path: str) -> str | None:
    """Return the journal of the run whose first output this is, or None where there is none."""
    journal = kept_name(path, JOURNAL)
    return journal if descriptor_of(path) is None and os.path.lexists(journal) else None


def kept_space(path: str) -> int:
    """Return the bytes of disk that the unfinished file of an output has already."""
    try:
        # st_blocks counts in 512 bytes everywhere (stat(2)).
        return os.stat(kept_name(path, UNFINISHED)).st_blocks * 512
    except OSError:
        return 0


class KeptFile(SetFile):
    """A file of a set whose bytes stay under a name of their own when the run ends early.

    Args:
        path: the final name.
        files: the set.
        size: bytes that it has already; what stands behind them goes. 0: it begins anew.

    Raises:
        DataError: the unfinished file has fewer bytes.
        SystemFailure: the file cannot be made, or is another user's.
    """

    def __init__(self, path: str, files: KeptSet, size: int) -> None:
        self._size, self._set = size, files
        super().__init__(path, files)
        self._out.written = size

    @property
    def written(self) -> int:
        """Bytes that were written in order, those of earlier runs included; what `write` gathers is not."""
        return self._out.written

    def settle(self) -> bytes:
        """Hand over what `write` gathered. Nothing waits then."""
        self.flush()
        return b""

    def duplicate(self) -> int:
        """Return a second descriptor, which stays open when the file is closed."""
        return os.dup(self._out.descriptor)

    def sync(self) -> None:
        """Make the bytes durable, and the unfinished name; nothing is written afterwards."""
        super().sync()
        sync_folder(self.folder)

    def abort(self) -> None:
        """Close the file. It is removed unless a journal says what it holds."""
        if self._set.noted:
            self._temporary = None
        super().abort()

    def _open(self, mode: int) -> int:
        name = kept_name(self.path, UNFINISHED)
        flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | (0 if self._size else os.O_CREAT)
        descriptor = os.open(name, flags, mode)
        try:
            require_own(descriptor, name, self._size, self.path)
            os.ftruncate(descriptor, self._size)
            os.lseek(descriptor, self._size, os.SEEK_SET)
        except BaseException:
            os.close(descriptor)
            raise
        self._temporary = name
        return descriptor


class KeptSet(FileSet):
    """A set whose files are kept, and a journal beside them that says what they hold.

    Files that describe the others, such as a manifest, are not kept.

    Args:
        outputs: all outputs that are kept, in order.

    Attributes:
        journal: the path of the journal.
        noted: whether there is a journal.

    Raises:
        SystemFailure: another run writes these outputs, or the folder is missing or not writable.
    """

    def __init__(self, outputs: list[str]) -> None:
        super().__init__()
        self.journal = kept_name(outputs[0], JOURNAL)
        self.noted = False
        self._sizes: dict[str, int] = {}
        self._locks = Locks({kept_name(output, _LOCK): output for output in outputs})

    def go_on(self, sizes: dict[str, int]) -> None:
        """Let the files of these paths go on behind so many bytes when they are opened."""
        self._sizes = {os.path.realpath(path): size for path, size in sizes.items()}

    def file(self, path: str) -> KeptFile:
        """Return the file of an output that was begun."""
        file = self._files[os.path.realpath(path)]
        assert isinstance(file, KeptFile)
        return file

    def publish(self) -> None:
        """Give all files their names; the journal goes then, and the locks.

        Raises:
            SystemFailure: as `FileSet.publish` says, or the journal cannot be removed.
        """
        super().publish()
        try:
            if self.noted:
                os.unlink(self.journal)
        except OSError as error:
            raise from_os(error, f"{self.journal}: cannot be removed", "the output is whole; remove it") from error
        self.noted = False
        self._locks.close()

    def abort(self) -> None:
        """Close the files, which stay if a journal says what they hold, and drop the locks."""
        super().abort()
        self._locks.close()

    def _begin(self, path: str, last: bool) -> SetFile:
        return SetFile(path, self) if last else KeptFile(path, self, self._sizes.get(os.path.realpath(path), 0))


def require_own(descriptor: int, name: str, size: int, output: str) -> None:
    """Refuse a file that this run should not go on with.

    Raises:
        DataError: it has fewer than `size` bytes.
        SystemFailure: it is no regular file, or another user's.
    """
    status, owners = os.fstat(descriptor), {os.geteuid()}
    if 0 in owners:
        # What root writes belongs to the owner of the output that it replaces.
        with contextlib.suppress(OSError):
            owners.add(os.stat(output).st_uid)
    if not stat.S_ISREG(status.st_mode) or status.st_uid not in owners:
        raise SystemFailure(f"{name}: is no file of this user", "remove it, or write elsewhere")
    if status.st_size < size:
        raise DataError(
            f"{name}: has {status.st_size} bytes, and its journal says {size}", "remove both to begin from the front"
        )

"""Several files that are published as one output."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable

from corpustools.errors import CorpusError, SystemFailure, UsageError, from_os
from corpustools.files.atomic import FileSink, sync_folder
from corpustools.files.targets import require_replaceable
from corpustools.files.unfinished import hidden_name, release, remove_leftovers

# Finished files that wait for their names with an open descriptor: a process that is killed leaves nothing of them.
# The others are closed under temporary names, so that a thousand shards need no thousand descriptors.
UNNAMED = 16


class SetFile(FileSink):
    """A file of a set: `finish` makes it durable, and the set gives it its name."""

    def __init__(self, path: str, files: FileSet) -> None:
        super().__init__(path)
        self._files = files

    def finish(self) -> None:
        """Make the bytes durable; nothing is written afterwards."""
        self.sync()
        self._files.keep(self)


class FileSet:
    """Files that are renamed into place in one go.

    Call `open` for every file, `finish` of each file when it is written, and `publish` at the end; or `abort`, which
    removes everything that was not published. Until `publish` the old files stay.

    One rename is atomic, several are not. A file that a reader opens first, and finds the others through, is opened
    with `last=True`. The old versions of such files are taken away before the first rename, and the new ones come after
    the others: whatever happens in between, nobody finds an index beside data that it does not describe.
    """

    def __init__(self) -> None:
        self._files: dict[str, SetFile] = {}
        self._last: list[SetFile] = []
        self._unnamed = 0
        self._superseded: list[str] = []
        self._tidied: set[str] = set()
        self._spares_cache = False

    def open(self, path: str, last: bool = False) -> SetFile:
        """Begin a file of the set.

        Args:
            path: its final name.
            last: readers open this file first.

        Raises:
            UsageError: the path is a folder, or the set has this file already.
            SystemFailure: the folder is missing or not writable.
        """
        require_replaceable(path)
        other = self._files.get(os.path.realpath(path))
        if other is not None:
            raise UsageError(f"outputs '{other.name}' and '{path}' are the same file", "give each a name of its own")
        self._tidy(os.path.dirname(os.path.realpath(path)))
        file = self._begin(path, last)
        if self._spares_cache:
            file.spare_cache()
        self._files[file.path] = file
        if last:
            self._last.append(file)
        return file

    def spare_cache(self) -> None:
        """Keep from now on out of the page cache what is written to files of the set."""
        self._spares_cache = True
        for file in self._files.values():
            file.spare_cache()

    def supersede(self, path: str) -> None:
        """Let an old file go when the set is published, unless the set has a file of this name."""
        self._superseded.append(path)

    def keep(self, file: SetFile) -> None:
        """Take a durable file, open while there are few of them, else closed under a temporary name."""
        if file.named or self._unnamed == UNNAMED:
            file.close()
        else:
            self._unnamed += 1

    def publish(self) -> None:
        """Give all files their names, in the order of `open`, but the last ones last.

        Raises:
            SystemFailure: a file cannot be made durable or renamed; the error says which files are new then. Or an old
                file that has no successor cannot be removed.
        """
        files = [file for file in self._files.values() if file not in self._last] + self._last
        for file in files:
            file.close()
        for file in files:
            if os.path.isdir(file.path):
                raise SystemFailure(f"{file.name}: cannot be renamed into place: is a directory", "the old files stay")
        hidden = self._hide_old() if len(files) > 1 else {}
        try:
            self._rename(files, bool(hidden))
        except BaseException as error:
            # Asked of the files themselves: an interrupt may come between a rename and any note of it.
            renamed = [file.name for file in files if file.in_place]
            gone = _restore_old(hidden, not renamed)
            if isinstance(error, CorpusError):
                raise SystemFailure(error.what, _remedy(renamed, len(files), gone)) from error
            raise
        for old in hidden.values():
            _remove(old)
        self._remove_superseded()
        self._files.clear()

    def abort(self) -> None:
        """Remove every file that was not published."""
        for file in self._files.values():
            file.abort()

    def _begin(self, path: str, last: bool) -> SetFile:
        """Return a file of the set; `open` tells the arguments."""
        return SetFile(path, self)

    def _remove_superseded(self) -> None:
        """Remove old files that have no successor."""
        for path in self._superseded:
            if os.path.realpath(path) in self._files:
                continue
            try:
                os.unlink(path)
            except FileNotFoundError:
                continue
            except OSError as error:
                remedy = "the new files are whole; remove it by hand"
                raise from_os(error, f"{path}: this file of the old output cannot be removed", remedy) from error

    def _tidy(self, folder: str) -> None:
        """Remove what killed runs left in a folder, once."""
        if folder not in self._tidied:
            self._tidied.add(folder)
            remove_leftovers(folder)

    def _hide_old(self) -> dict[SetFile, str]:
        """Take the old versions of the last files away; return where each is, so that it can come back."""
        hidden: dict[SetFile, str] = {}
        for file in self._last:
            if not os.path.exists(file.path):
                continue
            try:
                # A later run does not remove it: where this one is killed before the first rename, the data still fit.
                place = hidden_name(file.path, "old")
                os.rename(file.path, place)
            except OSError as error:
                _restore_old(hidden, True)
                raise from_os(error, f"{file.name}: cannot be replaced", "the old files stay") from error
            hidden[file] = place
        return hidden

    def _rename(self, files: list[SetFile], hidden: bool) -> None:
        """Rename the files and sync their folders, those of the last files at the end."""
        folders = dict.fromkeys(file.folder for file in files)
        last_folders = dict.fromkeys(file.folder for file in self._last)
        if hidden and len(folders) > 1:
            _sync(last_folders)
        for file in files:
            if self._last and file is self._last[0]:
                # Within a folder, journalling file systems keep the order of renames; between folders nothing does.
                _sync(folder for folder in folders if folder not in last_folders or len(last_folders) > 1)
                folders = last_folders
            file.rename()
        _sync(folders)


def _sync(folders: Iterable[str]) -> None:
    for folder in folders:
        sync_folder(folder)


def _restore_old(hidden: dict[SetFile, str], fits: bool) -> list[str]:
    """Give old versions their names back if they `fit` the other files, else remove them; return what is gone then."""
    gone = []
    for file, place in hidden.items():
        if fits and not file.in_place:
            with contextlib.suppress(OSError):
                os.replace(place, file.path)
            release(place)
            continue
        if not file.in_place:
            gone.append(file.name)
        _remove(place)
    return gone


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)
    release(path)


def _remedy(renamed: list[str], files: int, gone: list[str]) -> str:
    """Return what is new and what is not, for a user who has to decide what to do."""
    if not renamed:
        return "the old files stay"
    removed = f", and {_listed(gone)} {'is' if len(gone) == 1 else 'are'} removed" if gone else ""
    return f"{len(renamed)} of {files} files are new ({_listed(renamed)}){removed}; write the output again"


def _listed(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 4 else f"{names[0]} to {names[-1]}"

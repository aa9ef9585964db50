"""Several files that are published as one output."""

from __future__ import annotations

import contextlib
import os

from corpustools.errors import CorpusError, SystemFailure, UsageError, from_os
from corpustools.files.atomic import FileSink, hidden_name, sync_folder
from corpustools.files.targets import require_replaceable

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

    One rename is atomic, several are not. Where a reader opens one file first and finds the others through it, that
    file is opened with `last=True`. Its old version is taken away before the first rename, and the new one comes after
    the others: whatever happens in between, nobody finds an index beside data that it does not describe.
    """

    def __init__(self) -> None:
        self._files: dict[str, SetFile] = {}
        self._last: SetFile | None = None
        self._unnamed = 0

    def open(self, path: str, last: bool = False) -> SetFile:
        """Begin a file of the set.

        Args:
            path: its final name.
            last: readers open this file first. At most one of a set.

        Raises:
            UsageError: the path is a folder, or the set has this file already.
            SystemFailure: the folder is missing or not writable.
        """
        assert not (last and self._last)
        require_replaceable(path)
        other = self._files.get(os.path.realpath(path))
        if other is not None:
            raise UsageError(f"outputs '{other.name}' and '{path}' are the same file", "give each a name of its own")
        file = SetFile(path, self)
        self._files[file.path] = file
        if last:
            self._last = file
        return file

    def keep(self, file: SetFile) -> None:
        """Take a durable file, open while there are few of them, else closed under a temporary name."""
        if file.named or self._unnamed == UNNAMED:
            file.close()
        else:
            self._unnamed += 1

    def publish(self) -> None:
        """Give all files their names, in the order of `open`, but the last one last.

        Raises:
            SystemFailure: a file cannot be made durable or renamed. The error says which files are new then.
        """
        files = [file for file in self._files.values() if file is not self._last]
        files += [self._last] if self._last else []
        for file in files:
            file.close()
        for file in files:
            if os.path.isdir(file.path):
                raise SystemFailure(f"{file.name}: cannot be renamed into place: is a directory", "the old files stay")
        hidden = self._hide_old() if len(files) > 1 else None
        try:
            self._rename(files, hidden is not None)
        except BaseException as error:
            # Asked of the files themselves: an interrupt may come between a rename and any note of it.
            renamed = [file.name for file in files if file.in_place]
            gone = self._restore_old(hidden, not renamed)
            if isinstance(error, CorpusError):
                raise SystemFailure(error.what, _remedy(renamed, len(files), gone)) from error
            raise
        _remove(hidden)
        self._files.clear()

    def abort(self) -> None:
        """Remove every file that was not published."""
        for file in self._files.values():
            file.abort()

    def _hide_old(self) -> str | None:
        """Take the old version of the last file away; return where it is, so that it can come back."""
        if self._last is None or not os.path.exists(self._last.path):
            return None
        hidden = hidden_name(self._last.path)
        try:
            os.rename(self._last.path, hidden)
        except OSError as error:
            raise from_os(error, f"{self._last.name}: cannot be replaced", "the old files stay") from error
        return hidden

    def _restore_old(self, hidden: str | None, fits: bool) -> str:
        """Give the old version its name back if it `fits` the other files, else remove it; return what is gone then."""
        if hidden is None or self._last is None or self._last.in_place:
            _remove(hidden)
            return ""
        if not fits:
            _remove(hidden)
            return self._last.name
        with contextlib.suppress(OSError):
            os.replace(hidden, self._last.path)
        return ""

    def _rename(self, files: list[SetFile], hidden: bool) -> None:
        """Rename the files and sync their folders, that of the last file at the end."""
        folders = dict.fromkeys(file.folder for file in files)
        if hidden and self._last and len(folders) > 1:
            sync_folder(self._last.folder)
        for file in files:
            if file is self._last:
                # Within a folder, journalling file systems keep the order of renames; between folders nothing does.
                del folders[file.folder]
                for folder in folders:
                    sync_folder(folder)
                folders = {file.folder: None}
            file.rename()
        for folder in folders:
            sync_folder(folder)


def _remove(path: str | None) -> None:
    if path is not None:
        with contextlib.suppress(OSError):
            os.unlink(path)


def _remedy(renamed: list[str], files: int, gone: str) -> str:
    """Return what is new and what is not, for a user who has to decide what to do."""
    if not renamed:
        return "the old files stay"
    names = ", ".join(renamed) if len(renamed) <= 4 else f"{renamed[0]} to {renamed[-1]}"
    removed = f", and {gone} is removed" if gone else ""
    return f"{len(renamed)} of {files} files are new ({names}){removed}; write the output again"

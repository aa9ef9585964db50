"""A folder that is one output: its files, and an index that names them."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable

from corpustools.errors import SystemFailure, UsageError, from_os
from corpustools.files.atomic import sync_folder

# What a reader makes of an index: the names of the files that belong to it, or None where it is another format's.
NamesIn = Callable[[bytes], list[str] | None]
# An index that is larger than this is no index.
_LARGEST_INDEX = 1 << 30


class OutputFolder:
    """Makes the folder of an output, and sees to it that no file of an older output is left among the new ones.

    A folder that exists is empty, or it holds an older output of the same format and nothing else; the caller gives the
    old files to its `FileSet` to supersede. Anything else is refused: who finds files of two outputs in one folder
    cannot tell which belong together. Names that begin with a dot are left alone.

    Args:
        path: the folder.
        index: the name of the index.
        names_in: returns the names of the files that an index lists.
    """

    def __init__(self, path: str, index: str, names_in: NamesIn) -> None:
        self.path, self._index, self._names_in = path, index, names_in
        self._made = False

    def prepare(self) -> list[str]:
        """Make the folder, or look at what is in it; return the paths of an older output's files.

        Raises:
            UsageError: it is a file, or holds other files.
            SystemFailure: it cannot be made or looked at.
        """
        try:
            if os.path.isdir(self.path):
                return [os.path.join(self.path, name) for name in sorted(self._look())]
            if os.path.lexists(self.path):
                raise UsageError(f"{self.path}: is no folder", "name a folder, which may be new")
            os.mkdir(self.path)
            self._made = True
            sync_folder(os.path.dirname(os.path.realpath(self.path)))
            return []
        except OSError as error:
            raise from_os(error, f"{self.path}: cannot be made", "check the folder that it is to be in") from error

    def abandon(self) -> None:
        """Remove the folder if it was made here and nothing is in it."""
        if self._made:
            with contextlib.suppress(OSError):
                os.rmdir(self.path)

    def _look(self) -> set[str]:
        """Return the names of an older output's files."""
        there = {name for name in os.listdir(self.path) if not name.startswith(".")}
        old = self._listed() if self._index in there else set()
        for name in sorted(there - old - {self._index} if old is not None else there):
            raise UsageError(
                f"{self.path}: holds '{name}', which is no file of an older output of this format",
                "name a new folder, or empty this one",
            )
        return old or set()

    def _listed(self) -> set[str] | None:
        """Return what the index lists: plain names of regular files; None where it is no index of this format."""
        with open(os.path.join(self.path, self._index), "rb") as file:
            data = file.read(_LARGEST_INDEX + 1)
        names = self._names_in(data) if len(data) <= _LARGEST_INDEX else None
        if names is None or any(os.path.basename(name) != name for name in names):
            return None
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                if not stat.S_ISREG(os.lstat(os.path.join(self.path, name)).st_mode):
                    raise SystemFailure(f"{os.path.join(self.path, name)}: is no plain file", "name a new folder")
        return set(names)

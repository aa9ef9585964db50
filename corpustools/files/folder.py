"""A folder that is one output: its files, and an index that names them."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Callable

from corpustools.errors import SystemFailure, UsageError, from_os
from corpustools.files.atomic import sync_folder

# An index that is larger than this is no index.
_LARGEST_INDEX = 1 << 30


class OutputFolder:
    """Makes the folder of an output, and sees to it that no file of an older output is left among the new ones.

    A folder that exists is empty, or it holds an older output of the same format and nothing else: an index of that
    format, and files with names as the format gives them. The index may be missing, as where a run was killed while it
    gave names. The caller gives the old files to its `FileSet` to supersede. Anything else is refused: who finds files
    of two outputs in one folder cannot tell which belong together. Names that begin with a dot are left alone.

    Args:
        path: the folder.
        index: the name of the index.
        is_index: whether bytes are an index of the format.
        names: which names the format gives to its other files.
    """

    def __init__(self, path: str, index: str, is_index: Callable[[bytes], bool], names: re.Pattern[str]) -> None:
        self.path, self._index, self._is_index, self._names = path, index, is_index, names
        self._made = False

    def prepare(self) -> list[str]:
        """Make the folder, or look at what is in it; return the paths of an older output's files.

        Raises:
            UsageError: it is a file, or holds other files.
            SystemFailure: it cannot be made or looked at.
        """
        try:
            if os.path.isdir(self.path):
                return self._look()
            if os.path.lexists(self.path):
                raise UsageError(f"{self.path}: is no folder", "name a folder, which may be new")
            # Noted first: an interrupt may come between the two.
            self._made = True
            os.mkdir(self.path)
            sync_folder(os.path.dirname(os.path.realpath(self.path)))
            return []
        except FileExistsError as error:
            self._made = False
            raise from_os(error, f"{self.path}: cannot be made", "name another folder") from error
        except OSError as error:
            raise from_os(error, f"{self.path}: cannot be made", "check the folder that it is to be in") from error

    def abandon(self) -> None:
        """Remove the folder if it was made here and nothing is in it."""
        if self._made:
            with contextlib.suppress(OSError):
                os.rmdir(self.path)

    def _look(self) -> list[str]:
        """Return the paths of an older output's files, without that of the index."""
        old = []
        for name in sorted(os.listdir(self.path)):
            place = os.path.join(self.path, name)
            if name.startswith("."):
                continue
            if name == self._index:
                known = self._is_older_index(place)
            else:
                known = self._names.fullmatch(name) is not None
                old.append(place)
            if not known:
                raise UsageError(
                    f"{self.path}: holds '{name}', which is no file of an older output of this format",
                    "name a new folder, or empty this one",
                )
            if not stat.S_ISREG(os.lstat(place).st_mode):
                raise SystemFailure(f"{place}: is no plain file", "name a new folder")
        return old

    def _is_older_index(self, place: str) -> bool:
        with open(place, "rb") as file:
            data = file.read(_LARGEST_INDEX + 1)
        return len(data) <= _LARGEST_INDEX and self._is_index(data)

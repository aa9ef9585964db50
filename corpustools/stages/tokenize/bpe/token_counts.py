"""How often each id was written: a table beside the output, which a later run can take for probabilities."""

from __future__ import annotations

import os
import threading
from typing import Any

import numpy as np

from corpustools.errors import DataError, from_os
from corpustools.files.fileset import FileSet
from corpustools.files.outputs import open_output
from corpustools.stages.tokenize.models.model import Floats

Counts = np.ndarray[Any, np.dtype[np.int64]]

# A line is two numbers; a larger file is another one.
_LARGEST_FILE = 64 << 20
_LINES = "accepted are lines of an id, a tab and a number, as a run that counts tokens writes them"


class TokenCounts:
    """The table: a line for each id that was written, ascending, the id and how often, with a tab between.

    Any number of threads may add to it.

    Args:
        path: a name.
        files: the set that the file belongs to.
        size: how many ids the model has.

    Raises:
        UsageError: the path is a folder, or another file of the set.
        SystemFailure: the folder is missing or not writable.
    """

    def __init__(self, path: str, files: FileSet, size: int) -> None:
        self._sink = open_output(path, None, 1, files)
        self._counts = np.zeros(size, np.int64)
        self._lock = threading.Lock()

    def add(self, ids: np.ndarray[Any, np.dtype[np.int32]]) -> None:
        """Count ids that are written, int32."""
        found = np.bincount(ids, minlength=len(self._counts))
        with self._lock:
            self._counts += found

    def write(self) -> None:
        """Write the table.

        Raises:
            SystemFailure: writing failed.
        """
        ids = np.flatnonzero(self._counts)
        lines = zip(ids.tolist(), self._counts[ids].tolist(), strict=True)
        self._sink.write("".join(f"{i}\t{count}\n" for i, count in lines).encode())
        self._sink.finish()


def read_counts(path: str | os.PathLike[str], size: int) -> Counts:
    """Return how often each of `size` ids was written, int64, shape (size,); an id without a line was not.

    Raises:
        DataError: the file is no such table, or of another vocabulary.
        SystemFailure: it cannot be read.
    """
    name = os.fspath(path)
    try:
        with open(name, "rb") as file:
            data = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise from_os(error, f"cannot read the token counts {name}") from error
    if len(data) > _LARGEST_FILE:
        raise DataError(f"the token counts {name} are larger than 64 MiB", _LINES)
    counts = np.zeros(size, np.int64)
    seen: set[int] = set()
    for number, line in enumerate(data.splitlines(), 1):
        first, tab, second = line.partition(b"\t")
        if not (tab and first.isdigit() and second.isdigit() and len(first) < 19 and len(second) < 19):
            raise DataError(f"{name}: line {number} is no token count", _LINES)
        i = int(first)
        if i >= size:
            what = f"{name}: line {number} counts the id {i}, and the model has {size}"
            raise DataError(what, "give the counts of the same model")
        if i in seen:
            raise DataError(f"{name}: line {number} counts the id {i} a second time", "count in one run")
        seen.add(i)
        counts[i] = int(second)
    if not counts.any():
        raise DataError(f"the token counts {name} count no token", "count the tokens of a run that writes some")
    return counts


def log_probabilities(counts: Counts) -> Floats:
    """Return log p of each id, float64: each is counted once more, so that none is impossible."""
    more = counts + 1.0
    logs: Floats = np.log(more) - np.log(more.sum())
    return logs

"""Whether a shuffle can be gone on with, and the seed of one that is."""

from __future__ import annotations

import os

from corpustools.errors import UsageError
from corpustools.files.inputs import Input
from corpustools.files.kept import JOURNAL, kept_name
from corpustools.files.targets import descriptor_of, is_mount_point, is_stream, refuse_conflicts, require_replaceable
from corpustools.stages.shuffle.journal import load_journal


def require_resumable(inputs: list[Input], outputs: list[str]) -> None:
    """Refuse inputs that cannot be read once more, and outputs that cannot be gone on with.

    Raises:
        UsageError: there are such.
    """
    for one in inputs:
        if one.table:
            raise UsageError(f"{one.name}: a shuffle of rows cannot be gone on with", "let it begin from the front")
        if not one.seekable:
            raise UsageError(
                f"{one.name}: going on takes the same input once more, and this is no file", "write it to a file first"
            )
    for path in outputs:
        if is_stream(path):
            called = "standard output" if descriptor_of(path) == 1 else path
            raise UsageError(f"{called}: what is written there cannot be gone on with", "name a file as the output")
        if is_mount_point(os.path.realpath(path)):
            raise UsageError(f"{path}: is mounted, so no file can be renamed to it", "name a file in its folder")
        require_replaceable(path)
        refuse_conflicts("the output", path, [("the input", one.path) for one in inputs])


def kept_seed(output: str) -> str | None:
    """Return the seed of the run whose output is kept, by its first output; None where nothing is kept.

    Raises:
        DataError: its journal is damaged.
        SystemFailure: its journal cannot be read.
    """
    if descriptor_of(output) is not None:
        return None
    journal = load_journal(kept_name(output, JOURNAL))
    return None if journal is None else str(journal.job["seed"])

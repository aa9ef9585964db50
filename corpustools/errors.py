"""Errors as data: what went wrong, where, what to do, and the exit status of the process."""

from __future__ import annotations


class CorpusError(Exception):
    """A failure that a user can act on: one line of text and an exit status.

    Args:
        what: what was found, naming the file, record or byte where that is known.
        remedy: what is accepted or what to try.
    """

    exit_code = 1

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(what, remedy)
        self.what = what
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.what}; {self.remedy}" if self.remedy else self.what


class UsageError(CorpusError):
    """A request that cannot be meant: wrong options, or options that exclude each other."""

    exit_code = 2


class DataError(CorpusError):
    """An input that is not what it has to be: torn, malformed, of the wrong size."""


class UnsupportedModel(DataError):
    """A model that is sound but asks for something this package does not do; the text names what."""


class SystemFailure(CorpusError):
    """The machine refused: a file, a directory, the disk or the memory."""


class Incomplete(CorpusError):
    """The work is done, but not all of it (skipped records, a step limit)."""

    exit_code = 3


def from_os(error: OSError, doing: str, remedy: str = "") -> SystemFailure:
    """Return the failure that says what was being done to which file when the system refused."""
    reason = error.strerror or str(error)
    return SystemFailure(f"{doing}: {reason[:1].lower()}{reason[1:]}", remedy)

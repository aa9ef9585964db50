"""`ids`: a line a document, ids separated by one space."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from corpustools.errors import DataError
from corpustools.formats.batch import Counts, IdBatch, Ids
from corpustools.formats.reader import LineReader
from corpustools.formats.writer import Writer
from corpustools.kernels import load

# The digits of 0 to 999 as the kernels copy them: three and a space each.
_DIGITS = b"".join(b"%03d " % i for i in range(1000))
_LINE = re.compile(rb"[0-9 \t\r\n]*")


class IdsWriter(Writer):
    """Lines of decimal numbers."""

    name = "ids"
    streams = True

    def format_documents(self, batch: IdBatch) -> memoryview:
        """Return the lines of whole documents."""
        return format_lines(batch.ids, batch.ends)

    def format_part(self, ids: Ids, first: bool) -> bytes:
        """Return further ids of a line."""
        if not len(ids):
            return b""
        line = format_lines(ids, np.array([len(ids)], np.int64))
        return (b"" if first else b" ") + bytes(line[:-1])

    def format_end(self) -> bytes:
        """Return the end of a line."""
        return b"\n"


class IdsReader(LineReader):
    """Lines of decimal numbers, with any white space between them."""

    def ids_of(self, line: bytes, place: str) -> Sequence[int]:
        """Return the ids of a line.

        Raises:
            DataError: the line holds something else than ids, or an id larger than any model has.
        """
        if not _LINE.fullmatch(line):
            wrong = next(word for word in line.split() if not word.isdigit())
            raise DataError(f"{place}: {wrong[:40]!r} is no id", "ids are decimal numbers, separated by spaces")
        try:
            ids: list[int] = np.array(line.split(), np.int64).tolist()
            return ids
        except (OverflowError, ValueError) as error:
            raise DataError(f"{place}: an id is larger than any model has") from error


def format_lines(ids: Ids, ends: Counts) -> memoryview:
    """Return lines of ids, one space between two."""
    out = np.empty(11 * len(ids) + 2 * len(ends) + 8, np.uint8)
    size = load("lattice").format_ids(ids, ends, 0, len(ends), _DIGITS, out)
    return out[:size].data

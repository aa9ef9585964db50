"""`ids`: a line a document, ids separated by one space."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from corpustools.errors import DataError
from corpustools.formats.batch import IdBatch, Ids
from corpustools.formats.decimals import decimal_rows
from corpustools.formats.reader import LineReader
from corpustools.formats.writer import Writer

_LINE = re.compile(rb"[0-9 \t\r\n]*")


class IdsWriter(Writer):
    """Lines of decimal numbers."""

    name = "ids"
    streams = True

    def format_documents(self, batch: IdBatch) -> memoryview:
        """Return the lines of whole documents."""
        return decimal_rows(batch.ids, batch.ends)[0]

    def format_part(self, ids: Ids, first: bool) -> memoryview:
        """Return further ids of a line."""
        before = b"" if first or not len(ids) else b" "
        return decimal_rows(ids, np.array([len(ids)], np.int64), before, b" ", b"")[0]

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

"""Batches of documents: as they come to a format, and as the format's bytes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from corpustools.files.bad_records import BadRecords

Ids = np.ndarray[Any, np.dtype[np.int32]]
Counts = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Special:
    """Documents in which text became a special token.

    documents: how many.
    place: what messages call the record of the first one.
    token: its first special token, as it is printed.
    """

    documents: int = 0
    place: str = ""
    token: str = ""

    def __add__(self, later: Special) -> Special:
        """Return these documents and later ones."""
        first = self if self.documents else later
        return replace(first, documents=self.documents + later.documents)


@dataclass(frozen=True)
class IdBatch:
    """The ids of consecutive documents. A document is one segmentation of a record; it may have no ids.

    ids: int32, of all documents, one after another. They may stand in memory of the thread that its next batch fills.
    ends: int64, where each document ends in `ids`.
    columns: values beside the ids, by name: one for each document.
    pieces: of context windows, int64: how many ids each piece of all windows has, and where the pieces of each window
        end among them.
    numbers: int64, the number of each document's record in its input, from 1.
    special: the documents in which text became a special token.
    """

    ids: Ids
    ends: Counts
    columns: dict[str, list[float]] = field(default_factory=dict)
    pieces: tuple[Counts, Counts] | None = None
    numbers: Counts | None = None
    special: Special = Special()

    @classmethod
    def joined(cls, batches: Iterable[IdBatch]) -> IdBatch:
        """Return the documents of several batches as one. Each is copied before the next one is asked for."""
        ids, ends, size = [np.zeros(0, np.int32)], [np.zeros(0, np.int64)], 0
        columns: dict[str, list[float]] = {}
        numbers = [np.zeros(0, np.int64)]
        special = Special()
        for one in batches:
            special += one.special
            ids.append(one.ids.copy())
            ends.append(one.ends + size)
            size += len(one.ids)
            if one.numbers is not None:
                numbers.append(one.numbers)
            for name, values in one.columns.items():
                columns.setdefault(name, []).extend(values)
        return cls(np.concatenate(ids), np.concatenate(ends), columns, numbers=np.concatenate(numbers), special=special)


@dataclass(frozen=True)
class FormattedBatch:
    """The same documents in the bytes of a format, on their way from a worker thread to the writing thread.

    data: the bytes.
    lengths: int64, how many ids each document has.
    source: the input of the documents' records, and numbers: int64, of each the number in it, from 1.
    passed_over: how many records have no document because there was nothing in them.
    bad: the records that have none because they cannot be taken.
    special: the documents in which text became a special token.
    """

    data: bytes | memoryview
    lengths: Counts
    source: str = ""
    numbers: Counts | None = None
    passed_over: int = 0
    bad: BadRecords = field(default_factory=BadRecords)
    special: Special = Special()

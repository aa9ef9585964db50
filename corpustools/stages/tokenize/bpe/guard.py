"""The fast engine under guard: some documents of a run are encoded by the model's own library too.

Who does what: the thread that owns the run calls `begin` with every batch before it is handed out, `look` now and then,
and at the end `finish` or `close`. The threads that tokenize call `take`. A thread of the guard's own loads the library
and compares, so that nobody waits for it before the end.

Which documents: those that begin in the first 256 KiB of what the run reads, and one in ten thousand of all. The number
of a record decides, so that workers and batches do not matter. A run that reads less than 1 MiB is not checked:
loading the library can take a second.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Thread
from typing import Any

import numpy as np

from corpustools.errors import CorpusError, DataError
from corpustools.files.batches import RecordBatch
from corpustools.formats.batch import Counts
from corpustools.stages.tokenize.bpe.reference import Ids, Reference
from corpustools.stages.tokenize.results import UNREAD

FIRST_BYTES = 1 << 18
LEAST_BYTES = 1 << 20
# The library would take too much time and memory for a longer document.
LARGEST_DOCUMENT = 1 << 20
ONE_IN = 10_000
# Fibonacci hashing: numbers at any regular distance are chosen as often as others.
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_LIMIT = np.uint64((1 << 32) // ONE_IN)


@dataclass(frozen=True)
class Document:
    """A document of the fast engine: how messages name it, its text, and its ids without bos and eos."""

    place: str
    text: bytes
    ids: Ids


@dataclass(frozen=True)
class Checked:
    """What a guard did: the library, documents compared, and why there were none; None where it does not apply."""

    library: str | None
    documents: int | None
    unchecked: str | None = None


class Guard:
    """Compares ids with those of the model's own library while a run goes on.

    Args:
        load: returns the library; raises CorpusError where there is none.
        names: returns how ids are printed, by id; asked only where a difference is told.
    """

    def __init__(self, load: Callable[[], Reference], names: Callable[[], Sequence[str]]) -> None:
        self._load, self._names = load, names
        self._documents: SimpleQueue[list[Document] | None] = SimpleQueue()
        self._read = 0
        self._first_end = 0
        self._thread: Thread | None = None
        self._closed = False
        self._failure: BaseException | None = None
        self._library: str | None = None
        self._unchecked: str | None = None
        self._count = 0

    def begin(self, records: RecordBatch) -> None:
        """Take note of the next batch of the run, whose records are about to be tokenized."""
        if self._read < FIRST_BYTES:
            self._first_end = records.first + int(np.searchsorted(records.starts, FIRST_BYTES - self._read))
        self._read += len(records.data)
        if self._read >= LEAST_BYTES and self._thread is None:
            self._thread = Thread(target=self._work, daemon=True)
            self._thread.start()

    def chosen(self, first: int, count: int) -> Counts:
        """Return which of `count` records from number `first` on are to be compared: indices, int64."""
        numbers = np.arange(first, first + count, dtype=np.uint64)
        drawn = (numbers * _MULTIPLIER) >> np.uint64(32) < _LIMIT
        return np.flatnonzero(drawn | (numbers < np.uint64(self._first_end)))

    def take(self, records: RecordBatch, ids_of: Callable[[int], Ids]) -> None:
        """Take what the fast engine made of a batch.

        Args:
            records: the batch.
            ids_of: returns the canonical ids of record i, without bos and eos; their memory may be used again.
        """
        found = [
            Document(records.place(i), records.record(i), ids_of(i).copy())
            for i in self.chosen(records.first, len(records.starts)).tolist()
            if records.ends[i] - records.starts[i] <= LARGEST_DOCUMENT
        ]
        if found:
            self._documents.put(found)

    def look(self) -> None:
        """Let a difference that was found end the run.

        Raises:
            DataError: the engines differ.
        """
        if self._failure is not None:
            raise self._failure

    def finish(self) -> Checked:
        """Wait until all that was taken is compared, and return what was done.

        Raises:
            DataError: the engines differ.
        """
        if self._thread is None:
            return Checked(None, 0, UNREAD)
        self._documents.put(None)
        self._thread.join()
        self.look()
        return Checked(self._library, self._count, self._unchecked)

    def close(self) -> None:
        """Let the guard's thread end; nothing more is compared."""
        self._closed = True
        self._documents.put(None)

    def _work(self) -> None:
        try:
            self._compare()
        except BaseException as error:  # noqa: BLE001  (it is raised again on the thread that owns the run)
            self._failure = error

    def _compare(self) -> None:
        try:
            reference = self._load()
        except CorpusError as error:
            self._unchecked = str(error)
            return
        self._library = reference.library
        while (documents := self._documents.get()) is not None and not self._closed:
            for one, theirs in zip(documents, self._encode(reference, documents), strict=True):
                if theirs is not None:
                    require_equal(one, theirs, reference.library, self._names)
                    self._count += 1

    def _encode(self, reference: Reference, documents: list[Document]) -> list[Ids | None]:
        """Return what the library makes of documents; None where it fails, which says nothing of the fast engine."""
        texts = [one.text for one in documents]
        try:
            return reference.encode_batch(texts)
        except DataError:
            if len(texts) == 1:
                return [None]
            return [ids for one in documents for ids in self._encode(reference, [one])]


def require_equal(document: Document, theirs: Ids, library: str, names: Callable[[], Sequence[str]]) -> None:
    """Check a document's ids against those of a library.

    Raises:
        DataError: they differ; the text names the document and the first difference.
    """
    ours: Any = document.ids
    if np.array_equal(ours, theirs):
        return
    texts = names()
    both = min(len(ours), len(theirs))
    unlike = np.flatnonzero(ours[:both] != theirs[:both])
    place = int(unlike[0]) if len(unlike) else both

    def shown(ids: Ids) -> str:
        if place == len(ids):
            return "none"
        name = texts[ids[place]] if ids[place] < len(texts) else "of no piece"
        return f"{ids[place]} ({name!r})"

    raise DataError(
        f"{document.place}: token {place} of the fast engine is {shown(ours)}, and that of {library} is "
        f"{shown(theirs)}",
        "take canonical ids of the reference engine for this model, and report the record with its model",
    )

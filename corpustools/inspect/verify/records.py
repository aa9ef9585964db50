"""A shuffled file against its inputs: the same records, each as often, whatever their order.

Every record has a fingerprint of 128 bits under a key that is drawn for the run. The sums of all fingerprints are
compared, so memory does not grow with the records. Where they differ, the records are counted once more in a table,
which tells which fingerprints are missing or too many; the records that have them are then looked for.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from hashlib import blake2b
from itertools import chain
from typing import Any

import numpy as np

from corpustools.files.batches import BatchReader, RecordBatch
from corpustools.files.chunks import RecordFormat
from corpustools.files.inputs import Input, inspect
from corpustools.formats.readers.recognise import expand
from corpustools.inspect.verify.difference import Difference
from corpustools.inspect.verify.fingerprints import Sum, Words, rows_of
from corpustools.inspect.verify.request import VerifyRequest
from corpustools.inspect.verify.results import VerifyResult
from corpustools.kernels import load
from corpustools.progress import Progress

# Records that are remembered while one that differs is looked for.
_REMEMBERED = 10_000
_MOST_ROWS = 64
_SHOWN = 60


class _Prints:
    """Reads files and gives the fingerprints of their records.

    Attributes:
        header: of the files that were read last.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.header = b""
        self._words = np.frombuffer(key, np.uint64)

    def batches(
        self, inputs: list[Input], form: RecordFormat, phase: str, progress: Progress | None
    ) -> Iterator[tuple[Words, Any]]:
        """Give fingerprints, shape (n, 2), and the batch that they are of; None for one long record."""
        reader = BatchReader(inputs, form)
        sizes = [one.size for one in inputs]
        total = None if None in sizes else sum(size or 0 for size in sizes)
        long = None
        for item in reader:
            if isinstance(item, RecordBatch):
                prints = np.empty((len(item.starts), 2), np.uint64)
                load("verify").fingerprints(item.data, item.starts, item.ends, self._words, prints)
                yield prints, item
            else:
                # A record that is longer than a buffer is so in every file that it stands in.
                long = long or blake2b(key=self._key, digest_size=16)
                long.update(item.data)
                if item.last:
                    yield np.frombuffer(long.digest(), np.uint64).reshape(1, 2), None
                    long = None
            if progress is not None:
                progress(phase, reader.raw_bytes, total)
        self.header = reader.header


def verify_records(
    outputs: list[str], sources: list[Input], request: VerifyRequest, progress: Progress | None = None
) -> VerifyResult:
    """Hold shuffled files, one after another, against their inputs.

    Args:
        outputs: files or patterns with {shard}.
        sources: the inputs of the shuffle, as they were found.
        request: what a record is.
        progress: takes (phase, bytes done, bytes in all or None).

    Raises:
        Difference: a record is missing, or there too often.
        UsageError: options are given that mean token ids.
        DataError: an input is malformed.
        SystemFailure: a file cannot be read.
    """
    began = time.monotonic()
    request.check_records()
    paths = [one for output in outputs for one in expand(output)]
    made = inspect(paths)
    prints = _Prints(os.urandom(32))
    wanted, found = Sum(), Sum()
    for words, _ in prints.batches(sources, request.form, "reading the source", progress):
        wanted.add(words)
    header = prints.header
    for inputs, form in _parts(made, request.form):
        for words, _ in prints.batches(inputs, form, "verifying", progress):
            found.add(words)
        if form.header and prints.header != header:
            raise Difference(
                "text", f"{outputs[0]}: has another header than the source", "shuffle the source again",
                expected=header.decode("utf-8", "replace"), written=prints.header.decode("utf-8", "replace"),
            )  # fmt: skip
    if not found.equals(wanted):
        raise _Search(prints, sources, made, outputs[0], request.form, progress).difference(wanted, found)
    return VerifyResult(
        documents=found.records, tokens=None, compared=found.records, records=wanted.records, skipped=0,
        duplicates=None, exact=True, bos=None, eos=None, width=None, format=None, unwritten=0,
        seconds=time.monotonic() - began,
    )  # fmt: skip


def _parts(made: list[Input], form: RecordFormat) -> list[tuple[list[Input], RecordFormat]]:
    """Return files with what a record is in them: of shards, only the first has the header."""
    return [(made[:1], form), (made[1:], replace(form, header=0))] if form.header else [(made, form)]


class _Search:
    """Looks for a record that stands in one side more often than in the other."""

    def __init__(
        self, prints: _Prints, sources: list[Input], made: list[Input], output: str, form: RecordFormat,
        progress: Progress | None,
    ) -> None:  # fmt: skip
        self._prints, self._sources, self._made, self._form = prints, sources, made, form
        self._output, self._progress = output, progress

    def difference(self, wanted: Sum, found: Sum) -> Difference:
        """Return what differs."""
        counts = f"{self._output}: has {found.records} records, and the source has {wanted.records}"
        remedy = "shuffle the source again"
        if not all(one.seekable for one in (*self._sources, *self._made)):
            return Difference("missing", f"{counts}; they are not the same ones", remedy)
        chosen = found.differing_rows(wanted, _MOST_ROWS)
        source = self._records_in(chosen, [(self._sources, self._form)])
        output = self._records_in(chosen, _parts(self._made, self._form))
        for value, (there, place, text) in source.items():
            here = output[value][0] if value in output else 0
            if here < there:
                times = "is missing" if not here else f"is there {here} times instead of {there}"
                return Difference(
                    "missing", f"{counts}; {place} {times}: '{text}'", remedy, record=place, expected=text
                )
        for value, (here, place, text) in output.items():
            there = source[value][0] if value in source else 0
            if there < here:
                times = "is not in the source" if not there else f"is there {here} times instead of {there}"
                return Difference("added", f"{counts}; {place} {times}: '{text}'", remedy, written=text)
        return Difference("missing", f"{counts}; they are not the same ones", remedy)

    def _records_in(
        self, chosen: Any, parts: list[tuple[list[Input], RecordFormat]]
    ) -> dict[bytes, tuple[int, str, str]]:
        """Return the records of chosen rows of the table: how often, where first, and what."""
        found: dict[bytes, tuple[int, str, str]] = {}
        phase = "looking for the difference"
        batches = (self._prints.batches(inputs, form, phase, self._progress) for inputs, form in parts)
        for words, batch in chain.from_iterable(batches):
            for i in np.flatnonzero(chosen[rows_of(words)]).tolist():
                value = words[i].tobytes()
                if value in found:
                    count, place, text = found[value]
                    found[value] = count + 1, place, text
                elif len(found) < _REMEMBERED:
                    found[value] = 1, batch.place(i) if batch else "a long record", _shown(batch, i)
        return found


def _shown(batch: RecordBatch | None, i: int) -> str:
    if batch is None:
        return "…"
    text = bytes(batch.data[batch.starts[i] : batch.ends[i]])
    return text[:_SHOWN].decode("utf-8", "replace") + "…" * (len(text) > _SHOWN)

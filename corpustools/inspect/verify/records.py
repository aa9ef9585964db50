"""A shuffled file against its inputs: the same records, each as often, whatever their order."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from hashlib import blake2b

import numpy as np

from corpustools.errors import UsageError
from corpustools.files.batches import BatchReader, RecordBatch
from corpustools.files.chunks import RecordFormat
from corpustools.files.inputs import Input, inspect
from corpustools.formats.readers.recognise import expand
from corpustools.inspect.verify.difference import Difference
from corpustools.inspect.verify.fingerprints import Words
from corpustools.inspect.verify.multiset import Found, Side, require_equal, require_head, total
from corpustools.inspect.verify.request import VerifyRequest
from corpustools.inspect.verify.results import VerifyResult
from corpustools.kernels import load
from corpustools.progress import Progress

_SHOWN = 60


class Lines:
    """The records of files of bytes, as a side of a comparison.

    Args:
        name: what messages call the side.
        parts: files, and what a record is in them.
        key: of the fingerprints, 32 bytes.
        workers: threads; with more than one, compressed files are decoded on others.
        progress: takes (phase, bytes done, bytes in all or None).

    Attributes:
        header: of the first files, once they were read.
    """

    noun = "records"

    def __init__(
        self,
        name: str,
        parts: list[tuple[list[Input], RecordFormat]],
        key: bytes,
        workers: int,
        progress: Progress | None,
    ) -> None:
        self.name, self._parts, self._key, self._workers, self._progress = name, parts, key, workers, progress
        self.seekable = all(one.seekable for inputs, _ in parts for one in inputs)
        self.header = b""

    def prints(self, phase: str) -> Iterator[tuple[Words, Callable[[int], Found]]]:
        """Give the fingerprints of all records; see `Side`."""
        for number, (inputs, form) in enumerate(self._parts):
            reader = BatchReader(inputs, form, workers=self._workers)
            yield from self._prints(reader, inputs, phase)
            if not number:
                self.header = reader.header

    def _prints(
        self, reader: BatchReader, inputs: list[Input], phase: str
    ) -> Iterator[tuple[Words, Callable[[int], Found]]]:
        sizes = [one.size for one in inputs]
        size = None if None in sizes else sum(size or 0 for size in sizes)
        key, long = np.frombuffer(self._key, np.uint64), None
        for item in reader:
            if isinstance(item, RecordBatch):
                prints = np.empty((len(item.starts), 2), np.uint64)
                load("verify").fingerprints(item.data, item.starts, item.ends, key, prints)
                yield prints, _Tell(item)
            else:
                # A record that is longer than a buffer is so in every file that it stands in.
                long = long or blake2b(key=self._key, digest_size=16)
                long.update(item.data)
                if item.last:
                    yield np.frombuffer(long.digest(), np.uint64).reshape(1, 2), lambda _: Found("a long record", "…")
                    long = None
            if self._progress is not None:
                self._progress(phase, reader.raw_bytes, size)


class _Tell:
    """Tells of the records of a batch."""

    def __init__(self, batch: RecordBatch) -> None:
        self._batch = batch

    def __call__(self, i: int) -> Found:
        batch = self._batch
        text = bytes(batch.data[batch.starts[i] : batch.ends[i]])
        return Found(batch.place(i), text[:_SHOWN].decode("utf-8", "replace") + "…" * (len(text) > _SHOWN))


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
        Difference: a record is missing, or there too often; the columns of tables are others.
        UsageError: options are given that mean token ids, or lines and tables are mixed.
        DataError: an input is malformed.
        SystemFailure: a file cannot be read.
    """
    began = time.monotonic()
    request.check_records()
    tables = [one.table is not None for one in sources]
    made = inspect([one for output in outputs for one in expand(output)], tables=any(tables))
    key = os.urandom(32)
    if any(tables):
        from corpustools.inspect.verify.tables import sides_of

        if not all(tables) or not all(one.table for one in made):
            raise UsageError("rows of tables against lines", "rows are verified against rows, and lines against lines")
        records, written = _compare(*sides_of(outputs[0], sources, made, key, progress), request.head_count)
    else:
        source = Lines("the source", [(sources, request.form)], key, request.workers, progress)
        output = Lines(outputs[0], _parts(made, request.form), key, request.workers, progress)
        records, written = _compare(source, output, request.head_count, lambda: _require_header(source, output))
    return VerifyResult(
        documents=written, tokens=None, compared=written, records=records, skipped=0, duplicates=None, exact=True,
        bos=None, eos=None, width=None, format=None, unwritten=0, seconds=time.monotonic() - began,
    )  # fmt: skip


def _compare(source: Side, output: Side, head: int | None, check: Callable[[], None] = lambda: None) -> tuple[int, int]:
    """Compare two sides; return how many records both have.

    Args:
        source: what went in.
        output: what came out.
        head: the output has so many of the source's records; None: all of them.
        check: looks at what else was read.
    """
    if head is not None:
        counts = require_head(source, output, head)
        check()
        return counts
    wanted, found = total(source, "reading the source"), total(output, "verifying")
    check()
    require_equal(source, output, wanted, found)
    return wanted.records, found.records


def _require_header(source: Lines, output: Lines) -> None:
    """Hold headers against each other, which were read.

    Raises:
        Difference: the output has another one.
    """
    if source.header != output.header:
        raise Difference(
            "text", f"{output.name}: has another header than the source", "shuffle the source again",
            expected=source.header.decode("utf-8", "replace"), written=output.header.decode("utf-8", "replace"),
        )  # fmt: skip


def _parts(made: list[Input], form: RecordFormat) -> list[tuple[list[Input], RecordFormat]]:
    """Return files with what a record is in them: of shards, only the first has the header."""
    return [(made[:1], form), (made[1:], form._replace(header=0))] if form.header else [(made, form)]

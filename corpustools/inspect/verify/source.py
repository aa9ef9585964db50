"""The source of an output: its records as normalised texts, in order, made on threads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from corpustools.files.batches import RecordBatch, RecordFragment
from corpustools.files.chunks import RecordFormat
from corpustools.files.inputs import Input
from corpustools.files.ordered import OrderedTasks
from corpustools.files.rows import InputReader
from corpustools.formats.batch import Counts
from corpustools.progress import Progress
from corpustools.stages.tokenize.field import parse_field, take_field
from corpustools.stages.tokenize.text.normalize import Buffer, Normalizer


@dataclass(frozen=True)
class Texts:
    """The normalised texts of records in a row.

    text: of all records.
    starts, stops: int64, where each record begins and ends in it.
    place: how messages name a record, by its place here.
    chosen: which are compared, a byte each; None: all. The others have no text.
    is_open: whether the last record goes on in the next texts.
    """

    text: Buffer
    starts: Counts
    stops: Counts
    place: Callable[[int], str]
    chosen: np.ndarray | None = None
    is_open: bool = False

    def without_empty(self) -> Texts:
        """Return the texts that have bytes."""
        kept = np.flatnonzero(self.stops > self.starts)
        if self.is_open or len(kept) == len(self.starts):
            return self
        numbers = kept.tolist()
        chosen = None if self.chosen is None else self.chosen[kept]
        return Texts(self.text, self.starts[kept], self.stops[kept], lambda i: self.place(numbers[i]), chosen)


@dataclass(frozen=True)
class SourceOptions:
    """How the source was tokenized.

    field: records are JSON objects, and the text stands under this field.
    skip_bad: records that cannot be taken were skipped.
    samples: segmentations of each record.
    stride: every so many-th record is compared.
    """

    field: str | None = None
    skip_bad: bool = False
    samples: int = 1
    stride: int = 1


class Source:
    """Reads the records of inputs and gives their texts to a function, in order.

    Args:
        inputs: what to read, as it was found.
        normalizer: makes of a text what the model segments.
        options: how the source was tokenized.

    Attributes:
        records: how many were given so far.
        skipped: records that were skipped because they cannot be taken.
    """

    def __init__(self, inputs: list[Input], normalizer: Normalizer, options: SourceOptions) -> None:
        self._inputs, self._normalizer, self._options = inputs, normalizer, options
        self._keys = None if options.field is None else parse_field(options.field)
        self.records = self.skipped = 0

    def run(self, take: Callable[[Texts], None], workers: int, progress: Progress | None) -> None:
        """Give all texts to `take`, which runs on this thread.

        Raises:
            DataError: an input is malformed.
            SystemFailure: an input cannot be read.
        """
        options = self._options
        streams = self._keys is None and options.samples == 1 and options.stride == 1
        batches = InputReader(self._inputs, RecordFormat(), whole=not streams, column=self._keys, workers=workers)
        sizes = [one.size for one in self._inputs]
        total = None if None in sizes else sum(size or 0 for size in sizes)

        def deliver(done: tuple[list[Texts], int]) -> None:
            texts, skipped = done
            self.skipped += skipped
            for one in texts:
                self.records += len(one.starts) // options.samples
                take(one)
            if progress is not None:
                progress("verifying", batches.raw_bytes, total)

        stream = None
        with OrderedTasks(workers, deliver) as tasks:
            for item in batches:
                if isinstance(item, RecordBatch):
                    tasks.submit(self._texts_of, item)
                    continue
                tasks.drain()
                stream = stream or self._normalizer.stream()
                take(_part(stream.feed(item.data, item.last), item))
                if item.last:
                    stream = None
                    self.records += 1

    def _texts_of(self, batch: RecordBatch) -> tuple[list[Texts], int]:
        """Return the texts of a batch, and how many records were skipped."""
        if self._keys is None:
            return [self._normalized(batch)], 0
        found = take_field(batch, self._keys, self._options.skip_bad)
        return [self._normalized(one) for one in found.batches], found.bad.total

    def _normalized(self, batch: RecordBatch) -> Texts:
        options = self._options
        starts, stops = batch.starts, batch.ends
        chosen = None
        if options.stride > 1:
            wanted = (batch.first + np.arange(len(starts))) % options.stride == 0
            stops = np.where(wanted, stops, starts)
            chosen = np.repeat(wanted.astype(np.uint8), options.samples)
        text, offsets = self._normalizer.normalize_batch(batch.data, starts, stops)
        begins, ends = (np.repeat(side, options.samples) for side in (offsets[:-1], offsets[1:]))
        return Texts(text, begins, ends, lambda i: batch.place(i // options.samples), chosen)


def _part(text: Buffer, fragment: RecordFragment) -> Texts:
    start, stop = np.zeros(1, np.int64), np.array([len(text)], np.int64)
    return Texts(text, start, stop, lambda _: f"record {fragment.record + 1}", None, not fragment.last)

"""`corpus tokenize` without the command line: inputs through a tokenizer into an output, in order, on threads."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Protocol

import numpy as np

from corpustools.files.bad_records import BadRecords
from corpustools.files.batches import LONG_BYTES, RecordBatch, RecordFragment, TooLong
from corpustools.files.chunks import RecordFormat
from corpustools.files.inputs import Input
from corpustools.files.manifest import Manifest
from corpustools.files.ordered import OrderedTasks
from corpustools.files.rows import InputReader
from corpustools.files.targets import refuse_conflicts
from corpustools.formats.batch import Counts, FormattedBatch, IdBatch, Special
from corpustools.formats.provenance import Provenance
from corpustools.progress import Progress
from corpustools.stages.tokenize.bpe.canonical import CanonicalStream
from corpustools.stages.tokenize.bpe.guard import Checked
from corpustools.stages.tokenize.bpe.token_counts import TokenCounts
from corpustools.stages.tokenize.lattice.segmenter import StreamingSegmenter
from corpustools.stages.tokenize.lattice.unwritable import naming
from corpustools.stages.tokenize.long_text import LongText
from corpustools.stages.tokenize.pipeline import Pipeline
from corpustools.stages.tokenize.request import TokenizeRequest
from corpustools.stages.tokenize.results import TokenizeResult
from corpustools.stages.tokenize.tokenizer import Tokenizer


def carry_out(
    tokenizer: Tokenizer,
    inputs: list[Input],
    output: str,
    request: TokenizeRequest,
    progress: Progress | None = None,
    manifest: Manifest | None = None,
) -> TokenizeResult:
    """Segment the records of the inputs into an output; `check_files` has looked at both.

    Args:
        tokenizer: the model.
        inputs: what to read, as it was found.
        output: a path, which appears whole at the end, or '-'.
        request: what to do with every record.
        progress: takes (phase, bytes done, bytes in all or None).
        manifest: is published together with the output.

    Raises:
        UsageError: the request does not fit itself, the model or the output.
        DataError: an input is malformed, or holds what the vocabulary cannot write.
        SystemFailure: a file or the disk failed.
    """
    began = time.monotonic()
    for path, what in ((request.provenance, "the provenance"), (request.count_tokens, "the token counts")):
        if path is not None:
            _refuse_table(path, what, tokenizer, inputs, output, request.counts)
    pipeline = Pipeline(tokenizer, request)
    guard = pipeline.watch()
    writer = pipeline.writer
    writer.open(output, request.workers)
    provenance = None
    try:
        if manifest is not None:
            manifest.open(writer.files)
        if request.provenance is not None:
            provenance = Provenance(request.provenance, writer.files)
        if request.count_tokens is not None:
            pipeline.token_counts = TokenCounts(request.count_tokens, writer.files, tokenizer.vocab_size)
        run = Run(pipeline, inputs, progress, provenance)
        run.run()
        writer.complete()
        if provenance is not None:
            provenance.write(writer)
        if pipeline.token_counts is not None:
            pipeline.token_counts.write()
        result = run.result(time.monotonic() - began)
        if manifest is not None:
            manifest.write(inputs, result)
        writer.files.publish()
    except BaseException:
        writer.abort()
        raise
    finally:
        if guard is not None:
            guard.close()
        if provenance is not None:
            provenance.close()
    return result


def _refuse_table(
    path: str, what: str, tokenizer: Tokenizer, inputs: list[Input], output: str, counts: str | None
) -> None:
    """Refuse a table beside the output in the place of something else."""
    others = [("the output", output), *(("the input", one.path) for one in inputs)]
    if tokenizer.path is not None:
        others.append(("the model", tokenizer.path))
    if counts is not None:
        others.append(("the token counts that are read", counts))
    refuse_conflicts(what, path, others)


# How much text tells how many tokens more are expected where words are drawn.
SURVEY_BYTES = 1 << 20


class Origins(Protocol):
    """What wants to know where documents came from, such as `Provenance`."""

    def add(self, source: str, numbers: Counts, lengths: Counts) -> None:
        """Take the documents that were written last; see `Provenance.add`."""


class Run:
    """Inputs through a pipeline into its writer, which is open: batches to the threads, their output in order.

    Args:
        pipeline: what to do with a batch, and the writer.
        inputs: what to read, as it was found.
        progress: takes (phase, bytes done, bytes in all or None).
        provenance: is told where each document came from.

    Attributes:
        records: how many were segmented so far.
        bad: those that were passed over.
    """

    def __init__(
        self, pipeline: Pipeline, inputs: list[Input], progress: Progress | None, provenance: Origins | None
    ) -> None:
        self.pipeline, self.writer, self.progress = pipeline, pipeline.writer, progress
        self.provenance = provenance
        sizes = [one.size for one in inputs]
        self.total = None if None in sizes else sum(size or 0 for size in sizes)
        part, whole = pipeline.request.part, not pipeline.streams
        self.batches = InputReader(inputs, RecordFormat(), part, whole, pipeline.keys, pipeline.request.workers)
        self.records = 0
        self.bad = BadRecords()
        self.special = Special()
        self.checked = Checked(None, None)
        self._surveyed = 0
        self._running: StreamingSegmenter | CanonicalStream | None = None

    def run(self) -> None:
        """Give batches to the threads; the parts of a long record go through here, one after another."""
        pipeline, workers = self.pipeline, self.pipeline.request.workers
        with OrderedTasks(workers, self._write) as tasks:
            for item in self.batches.with_too_long():
                self._guard(item)
                self._survey(item)
                if isinstance(item, RecordFragment):
                    tasks.drain()
                    self._fragment(item)
                elif isinstance(item, TooLong):
                    tasks.drain()
                    self._refuse(item)
                elif len(item.data) > LONG_BYTES:
                    # Alone: several at once would take the memory of several.
                    tasks.drain()
                    self._long_record(item)
                else:
                    self.records += len(item.starts)
                    tasks.submit(pipeline.output_of, item)
        if pipeline.guard is not None:
            self.checked = pipeline.guard.finish()

    def _guard(self, item: RecordBatch | RecordFragment | TooLong) -> None:
        """Let the guard know what comes, and end the run where it has found a difference."""
        guard = self.pipeline.guard
        if guard is not None:
            guard.look()
            if isinstance(item, RecordBatch):
                guard.begin(item)

    def _survey(self, item: RecordBatch | RecordFragment | TooLong) -> None:
        """Let the first records tell how many tokens more than canonical ones are expected."""
        if isinstance(item, RecordBatch) and self._surveyed < SURVEY_BYTES:
            self._surveyed += len(item.data)
            self.pipeline.survey_end = item.first + len(item.starts)

    def result(self, seconds: float) -> TokenizeResult:
        """Return what was done, in so many seconds."""
        request, writer, library = self.pipeline.request, self.writer, self.pipeline.library
        laid_out, checked = writer.laid_out, self.checked
        return TokenizeResult(
            records=self.records,
            segmentations=writer.documents,
            tokens=writer.tokens - laid_out.dropped,
            bytes=writer.bytes,
            seconds=seconds,
            seed=request.seed if request.drawn else None,
            windows=laid_out.windows if request.context else None,
            dropped=laid_out.dropped if request.context else None,
            padding=laid_out.padding if request.pack == "best-fit" else None,
            shards=laid_out.shards or None,
            skipped=self.bad.counts,
            first_skipped=self.bad.first or None,
            special=self.special.documents,
            growth=self.pipeline.growth,
            first_special=(self.special.place, self.special.token) if self.special.documents else None,
            engine=None if request.mode != "canonical" else "fast" if library is None else "reference",
            library=checked.library if library is None else library.library,
            checked=checked.documents,
            unchecked=checked.unchecked,
            others=None if library is None else library.others,
        )

    def _write(self, done: FormattedBatch) -> None:
        self.records -= done.passed_over + done.bad.total
        self.bad.add(done.bad)
        self.special += done.special
        self.writer.write(done)
        if self.provenance is not None and done.numbers is not None:
            self.provenance.add(done.source, done.numbers, done.lengths)
        self._report()

    def _report(self) -> None:
        if self.progress is not None:
            self.progress("tokenizing", self.batches.raw_bytes, self.total)

    def _refuse(self, record: TooLong) -> None:
        """End the run, or count the record."""
        bad = BadRecords(self.pipeline.request.skip_bad)
        bad.refuse("size", record.place, record.what, "split it")
        self.records += 1
        self._write(replace(self.writer.format(IdBatch.joined([])), bad=bad))

    def _long_record(self, record: RecordBatch) -> None:
        """Carry a record that had to be read whole: its text passes in parts, if it may."""
        pipeline = self.pipeline
        self.records += 1
        texts = pipeline.texts_of(record)
        if not (pipeline.passes and texts.batches):
            self._write(pipeline.output_of_texts(texts, record.source))
            return
        [one] = texts.batches
        text = LongText(pipeline, one)
        for sample in range(pipeline.request.samples):
            with naming(lambda _: record.place(0)):
                length, special = text.write(sample, self.writer)
            self._end_document(record.source, record.number_in_source(0), length, special)

    def _end_document(self, source: str, number: int, length: int, special: int | None) -> None:
        """Note a document that was written in parts."""
        self.special += self.pipeline.special_in(special, f"{source}: record {number}")
        if self.provenance is not None:
            self.provenance.add(source, np.array([number], np.int64), np.array([length], np.int64))
        self._report()

    def _fragment(self, fragment: RecordFragment) -> None:
        """Carry the long record on."""
        pipeline = self.pipeline
        if self._running is None:
            self._running = pipeline.in_parts.stream(fragment.record)
            self._normalizer = pipeline.tokenizer.model.normalizer.stream()
        with naming(lambda _: fragment.place):
            ids = self._running.feed(self._normalizer.feed(fragment.data, fragment.last), fragment.last)
        special = self._running.special
        # An error ends the run here, and not behind all that is left of the record.
        pipeline.special_in(special, fragment.place)
        pipeline.count(ids)
        self.writer.write_part(ids)
        self._report()
        if fragment.last:
            self._running = None
            self.records += 1
            length = self.writer.end_document()
            self._end_document(fragment.source, fragment.number_in_source, length, special)

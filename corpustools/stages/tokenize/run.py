"""`corpus tokenize` without the command line: inputs through a tokenizer into an output, in order, on threads."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

from corpustools.files.batches import BatchReader, RecordFragment
from corpustools.files.chunks import RecordFormat
from corpustools.files.inputs import STDIN, Input, inspect
from corpustools.files.ordered import OrderedTasks
from corpustools.files.outputs import STDOUT
from corpustools.formats.batch import FormattedBatch
from corpustools.progress import Progress
from corpustools.stages.tokenize.lattice.segmenter import Running
from corpustools.stages.tokenize.pipeline import Pipeline
from corpustools.stages.tokenize.request import Request
from corpustools.stages.tokenize.tokenizer import Tokenizer


@dataclass(frozen=True)
class TokenizeResult:
    """What a run did.

    Attributes:
        records: input records.
        segmentations: output records.
        tokens: ids written.
        bytes: bytes written, before compression.
        seconds: the time it took.
    """

    records: int
    segmentations: int
    tokens: int
    bytes: int
    seconds: float


@dataclass(frozen=True)
class WindowsResult(TokenizeResult):
    """What a run did that cut its ids into windows.

    Attributes:
        windows: windows written.
        dropped: ids behind the last whole window, which are not written.
    """

    windows: int
    dropped: int


def tokenize(
    tokenizer: Tokenizer,
    inputs: Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str] = STDOUT,
    request: Request | None = None,
    progress: Progress | None = None,
) -> tuple[TokenizeResult, list[Input]]:
    """Segment the records (lines) of the inputs into an output.

    Args:
        tokenizer: the model.
        inputs: paths, or '-'; compression is recognised by content.
        output: a path, which appears whole at the end, or '-'.
        request: what to do.
        progress: takes (phase, bytes done, bytes in all or None).

    Returns:
        What was done, and the inputs as they were found.
    """
    began = time.monotonic()
    request = request or Request()
    pipeline = Pipeline(tokenizer, request)
    found = inspect([os.fspath(path) for path in inputs] or [STDIN])
    writer = pipeline.writer
    writer.open(os.fspath(output), request.workers)
    try:
        run = _Run(pipeline, found, progress)
        run.run()
        writer.finish()
    except BaseException:
        writer.abort()
        raise
    tokens = writer.tokens - writer.dropped
    done = (run.records, writer.documents, tokens, writer.bytes, time.monotonic() - began)
    if request.context:
        return WindowsResult(*done, tokens // request.context, writer.dropped), found
    return TokenizeResult(*done), found


class _Run:
    """One run: batches to the threads, their output in order to the file."""

    def __init__(self, pipeline: Pipeline, inputs: list[Input], progress: Progress | None) -> None:
        self.pipeline, self.writer, self.progress = pipeline, pipeline.writer, progress
        sizes = [one.size for one in inputs]
        self.total = None if None in sizes else sum(size or 0 for size in sizes)
        self.batches = BatchReader(inputs, RecordFormat(), pipeline.request.part, whole=not pipeline.streams)
        self.records = 0
        self._running: Running | None = None

    def run(self) -> None:
        """Do it."""
        pipeline, workers = self.pipeline, self.pipeline.request.workers
        with OrderedTasks(workers, self._write) as tasks:
            for item in self.batches:
                if isinstance(item, RecordFragment):
                    tasks.drain()
                    self._fragment(item)
                else:
                    self.records += len(item.starts)
                    tasks.submit(pipeline.output_of, item)

    def _write(self, done: FormattedBatch) -> None:
        self.writer.write(done)
        self._report()

    def _report(self) -> None:
        if self.progress is not None:
            self.progress("tokenizing", self.batches.raw_bytes, self.total)

    def _fragment(self, fragment: RecordFragment) -> None:
        """Carry the long record on."""
        pipeline = self.pipeline
        if self._running is None:
            self._running = Running(pipeline.segmenter, fragment.record)
            self._normalizer = pipeline.tokenizer.model.normalizer.stream()
        ids = self._running.feed(self._normalizer.feed(fragment.data, fragment.last), fragment.last)
        self.writer.write_part(ids)
        if fragment.last:
            self._running = None
            self.records += 1
            self.writer.end_document()
        self._report()

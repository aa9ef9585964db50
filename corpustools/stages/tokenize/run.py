"""`corpus tokenize` without the command line: inputs through a tokenizer into an output, in order, on threads."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from corpustools.files.descriptors import Sink as File
from corpustools.files.inputs import STDIN, Input, inspect
from corpustools.files.outputs import STDOUT, open_output
from corpustools.progress import Progress
from corpustools.stages.tokenize.blocks import Blocks, Piece
from corpustools.stages.tokenize.lattice.segmenter import Running
from corpustools.stages.tokenize.pipeline import Pipeline
from corpustools.stages.tokenize.request import Request
from corpustools.stages.tokenize.tokenizer import Tokenizer
from corpustools.stages.tokenize.windows import Windows


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
    out = open_output(os.fspath(output), None, request.workers)
    try:
        run = _Run(pipeline, found, out, progress)
        run.run()
        out.finish()
    except BaseException:
        out.abort()
        raise
    done = (run.records, run.segmentations, run.tokens, run.bytes, time.monotonic() - began)
    if request.context:
        return WindowsResult(*done, run.tokens // request.context, run.dropped), found
    return TokenizeResult(*done), found


class _Run:
    """One run: blocks to the threads, their output in order to the file."""

    def __init__(self, pipeline: Pipeline, inputs: list[Input], out: File, progress: Progress | None) -> None:
        self.pipeline, self.out, self.progress = pipeline, out, progress
        sizes = [one.size for one in inputs]
        self.total = None if None in sizes else sum(size or 0 for size in sizes)
        self.blocks = Blocks(inputs, pipeline.request.part, whole=not pipeline.streams)
        self.records = self.segmentations = self.tokens = self.bytes = self.dropped = 0
        context = pipeline.request.context
        self._windows = Windows(context * pipeline.sink.width) if context else None
        self._running: Running | None = None
        self._begun = False

    def run(self) -> None:
        """Do it."""
        pipeline, workers = self.pipeline, self.pipeline.request.workers
        pipeline.sink.begin_file(self.out)
        with ThreadPoolExecutor(workers) as pool:
            pending: deque[Future[tuple[bytes | memoryview, int, int]]] = deque()
            try:
                for item in self.blocks:
                    if isinstance(item, Piece):
                        while pending:
                            self._write(*pending.popleft().result())
                        self._piece(item)
                        continue
                    self.records += len(item.starts)
                    pending.append(pool.submit(pipeline.block, item))
                    if len(pending) > workers + 1:
                        self._write(*pending.popleft().result())
                while pending:
                    self._write(*pending.popleft().result())
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        shape: tuple[int, ...] = (self.tokens,)
        if self._windows is not None:
            self.dropped = self._windows.held // pipeline.sink.width
            self.tokens -= self.dropped
            shape = (self.tokens // pipeline.request.context, pipeline.request.context)
        pipeline.sink.end_file(self.out, shape)

    def _write(self, data: bytes | memoryview, segmentations: int, tokens: int) -> None:
        if self._windows is not None:
            data = self._windows.feed(data)
        self.out.write(data)
        self.segmentations += segmentations
        self.tokens += tokens
        self.bytes += len(data)
        if self.progress is not None:
            self.progress("tokenizing", self.blocks.read, self.total)

    def _piece(self, piece: Piece) -> None:
        """Carry the large record on."""
        pipeline = self.pipeline
        if self._running is None:
            self._running = Running(pipeline.segmenter, piece.record)
            self._normalizer = pipeline.tokenizer.model.normalizer.stream()
            self._begun = False
        ids = self._running.feed(self._normalizer.feed(piece.data, piece.last), piece.last)
        self._write(pipeline.sink.part(ids, not self._begun), 0, len(ids))
        self._begun |= len(ids) > 0
        if piece.last:
            self._running = None
            self.records += 1
            self._write(pipeline.sink.end(), 1, 0)

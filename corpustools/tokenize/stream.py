"""`corpus tokenize` without the command line: inputs through a tokenizer into an output, in order, on threads."""

from __future__ import annotations

import itertools
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from corpustools.errors import UsageError
from corpustools.files.inputs import STDIN, Input, inspect
from corpustools.files.outputs import STDOUT, open_output
from corpustools.files.outputs import Sink as File
from corpustools.tokenize.blocks import Block, Blocks, Piece, take_field
from corpustools.tokenize.law import check_law
from corpustools.tokenize.paths import log_weight_of, path_of
from corpustools.tokenize.segmenter import Draws, Running
from corpustools.tokenize.sinks import Segmented, make_sink
from corpustools.tokenize.tokenizer import Tokenizer

Progress = Callable[[str, int, "int | None"], None]
MEASURES = ("score", "logprob", "logz", "entropy", "length", "pieces")


@dataclass(frozen=True)
class Request:
    """What to do with every record; the names are those of the options of `corpus tokenize`."""

    mode: str = "viterbi"
    alpha: float = 1.0
    length_weight: float = 1.0
    seed: str = "0"
    epoch: int = 0
    samples: int = 1
    unique: bool = False
    nbest: int = 0
    scores: str = "f64"
    format: str = "ids"
    columns: tuple[str, ...] = ()
    field: str | None = None
    bos: bool = False
    eos: bool = False
    workers: int = 1
    part: tuple[int, int] | None = None

    def check(self, tokenizer: Tokenizer) -> None:
        """Refuse what cannot be meant.

        Raises:
            UsageError: options out of range or at odds with each other or with the model.
        """
        random = self.mode != "viterbi"
        check_law(tokenizer.model, self.alpha if random or self.columns else 0.0, self.length_weight)
        if self.samples < 1 or self.epoch < 0 or self.epoch >= 1 << 32 or self.samples >= 1 << 32:
            raise UsageError("samples count from 1 and epochs from 0, both below 2^32")
        if not random and self.samples > 1:
            raise UsageError("--mode viterbi has one segmentation and no samples", "use --mode sample or --nbest")
        if self.nbest and (random or self.bos or self.eos):
            raise UsageError("--nbest goes with --mode viterbi, without --bos and --eos")
        if self.unique and (self.mode != "sample" or self.bos or self.eos):
            raise UsageError("--unique goes with --mode sample, without --bos and --eos")
        if self.mode == "viterbi-sampling" and set(self.columns) & {"logprob"}:
            raise UsageError("viterbi-sampling draws from no law whose logprob is known", "use --mode sample")
        if self.scores == "f32" and random:
            raise UsageError("--scores f32 is SentencePiece's rounding of the best path", "use --mode viterbi")
        for name in ("bos", "eos"):
            if getattr(self, name) and name not in tokenizer.model.control:
                raise UsageError(f"the model has no {name} token", f"leave --{name} away")
        for name in self.columns:
            if name not in MEASURES:
                raise UsageError(f"--with {name}", f"accepted are {', '.join(MEASURES)}")


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


class Pipeline:
    """A tokenizer with a request, from a block of records to the bytes of the output."""

    def __init__(self, tokenizer: Tokenizer, request: Request) -> None:
        request.check(tokenizer)
        self.tokenizer, self.request = tokenizer, request
        self.sink = make_sink(request.format, tokenizer, request.columns)
        control = tokenizer.model.control
        self.segmenter = tokenizer.segmenter(
            request.mode,
            request.alpha if request.mode != "viterbi" else 1.0,
            request.length_weight if request.mode != "viterbi" else 1.0,
            Draws(request.seed, request.epoch, request.samples),
            scores=request.scores,
            bos=control["bos"] if request.bos else -1,
            eos=control["eos"] if request.eos else -1,
        )
        self._measured = bool(set(request.columns) & {"score", "logprob", "logz"})
        needs = set(request.columns) & {"entropy", "length"}
        if request.mode != "sample":
            needs |= set(request.columns) & {"logprob", "logz"}
        self._measurer = tokenizer.measurer(request.alpha, request.length_weight) if needs else None

    @property
    def streams(self) -> bool:
        """Whether a record may go through in parts."""
        request = self.request
        plain = not (request.nbest or request.unique or request.field or request.columns) and request.samples == 1
        return plain and self.sink.streams

    def block(self, block: Block) -> tuple[bytes | memoryview, int, int]:
        """Return the output of a block, its segmentations and its ids."""
        if self.request.field is not None:
            block = take_field(block, self.request.field)
        normalized, offsets = self.tokenizer.model.normalizer.normalize_batch(block.data, block.starts, block.ends)
        if self.request.nbest or self.request.unique:
            done = self._listed(memoryview(normalized), offsets.tolist(), block.first)
        else:
            batch = self.segmenter.batch(normalized, offsets, block.first, self._measured)
            done = Segmented(batch.ids, batch.ends)
            if self.request.columns:
                per = self.request.samples
                owners = np.repeat(np.arange(len(offsets) - 1), per)
                self._add_columns(done, memoryview(normalized), offsets.tolist(), owners.tolist(), batch.measures)
        return self.sink.format(done), len(done.ends), len(done.ids)

    def _listed(self, text: memoryview, bounds: list[int], first: int) -> Segmented:
        """Segment records one by one: the n best, or samples without replacement."""
        request, law = self.request, self.segmenter.law
        ids: list[int] = []
        ends, owners, scores = [], [], []
        for i in range(len(bounds) - 1):
            record = bytes(text[bounds[i] : bounds[i + 1]])
            if request.nbest:
                found = self.tokenizer.nbest_of(record, law, request.nbest)
                scores += [score for _, score in found]
                lists = [path for path, _ in found]
            else:
                lists = self.tokenizer.unique_of(record, law, self.segmenter.draws, first + i)
            for path in lists:
                ids += path
                ends.append(len(ids))
                owners.append(i)
        done = Segmented(np.array(ids, np.int32), np.array(ends, np.int64))
        if request.columns:
            self._add_columns(done, text, bounds, owners, None)
        return done

    def _add_columns(
        self, done: Segmented, text: memoryview, bounds: list[int], owners: list[int], measures: np.ndarray | None
    ) -> None:
        """Fill in what --with asks for; `owners` are the records that segmentations belong to."""
        request, asked = self.request, self.request.columns
        known: dict[str, list[float]] = {}
        if measures is not None:
            known["score"] = measures[:, 0].tolist()
            known["logz"] = measures[:, 1].tolist()
        if self._measurer is not None:
            per = [self._measurer.measure(bytes(text[a:b])) for a, b in itertools.pairwise(bounds)]
            for name, column in zip(("logz", "entropy", "length"), range(3), strict=True):
                known[name] = [per[i][column] for i in owners]
        if self._by_path(measures) and set(asked) & {"score", "logprob", "logz"}:
            self._path_columns(known, done, text, bounds, owners)
        elif "logprob" in asked:
            known["logprob"] = [
                request.alpha * score - z for score, z in zip(known["score"], known["logz"], strict=True)
            ]
        done.columns.update({name: known[name] for name in asked if name != "pieces"})

    def _by_path(self, measures: np.ndarray | None) -> bool:
        """Say whether a score has to be added up along the path, because the lattice's is not the law's."""
        return measures is None or self.request.length_weight != 1.0 or bool(self.tokenizer.model.user_defined.any())

    def _path_columns(
        self, known: dict[str, list[float]], done: Segmented, text: memoryview, bounds: list[int], owners: list[int]
    ) -> None:
        request, tokenizer = self.request, self.tokenizer
        law = tokenizer.law("sample", request.alpha, request.length_weight)
        starts = [0, *done.ends.tolist()]
        scores, logprobs, zs = [], [], []
        for j, i in enumerate(owners):
            record = bytes(text[bounds[i] : bounds[i + 1]])
            lattice = tokenizer.lattice_of(record, law)
            ids = done.ids[starts[j] + request.bos : starts[j + 1] - request.eos].tolist()
            codes = path_of(tokenizer.model, lattice, ids)
            z = (
                known["logz"][j]
                if "logz" in known
                else tokenizer.measurer(request.alpha, request.length_weight).measure(record)[0]
            )
            scores.append(float(np.sum(self.segmenter.law.scores[codes])) if codes else 0.0)
            zs.append(z)
            logprobs.append(log_weight_of(law, codes) - z)
        known.update(score=scores, logprob=logprobs, logz=zs)


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
    return TokenizeResult(run.records, run.segmentations, run.tokens, run.bytes, time.monotonic() - began), found


class _Run:
    """One run: blocks to the threads, their output in order to the file."""

    def __init__(self, pipeline: Pipeline, inputs: list[Input], out: File, progress: Progress | None) -> None:
        self.pipeline, self.out, self.progress = pipeline, out, progress
        sizes = [one.size for one in inputs]
        self.total = None if None in sizes else sum(size or 0 for size in sizes)
        self.blocks = Blocks(inputs, pipeline.request.part, whole=not pipeline.streams)
        self.records = self.segmentations = self.tokens = self.bytes = 0
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
        pipeline.sink.end_file(self.out, self.tokens)

    def _write(self, data: bytes | memoryview, segmentations: int, tokens: int) -> None:
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

"""`corpus verify` without the command line."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

from corpustools.files.fileset import FileSet
from corpustools.files.inputs import Input
from corpustools.files.manifest import Manifest
from corpustools.formats.readers import open_tokens
from corpustools.formats.readers.reader import TokenBatch, TokenReader
from corpustools.inspect.verify.compare import Comparison
from corpustools.inspect.verify.difference import Difference
from corpustools.inspect.verify.packed import PackedRun
from corpustools.inspect.verify.records import verify_records
from corpustools.inspect.verify.request import VerifyRequest
from corpustools.inspect.verify.results import VerifyResult
from corpustools.inspect.verify.scene import Scene
from corpustools.inspect.verify.source import Source, SourceOptions
from corpustools.inspect.verify.spelling import spelling_of
from corpustools.inspect.verify.tokens import TokenWindow
from corpustools.progress import Progress
from corpustools.stages.tokenize.tokenizer import Tokenizer


def carry_out(
    model: Tokenizer | str | os.PathLike[str] | None,
    outputs: list[str],
    sources: list[Input],
    request: VerifyRequest,
    progress: Progress | None = None,
    manifest: Manifest | None = None,
) -> VerifyResult:
    """Hold outputs, one after another, against their source.

    Args:
        model: the tokenizer that made the ids, or the path of its model file; None: the outputs are shuffled records.
        outputs: files, folders, what names of files begin with, or patterns with {shard}.
        sources: the source, as it was found.
        request: how the output was made.
        progress: takes (phase, bytes done, bytes in all or None).
        manifest: is published at the end.

    Raises:
        Difference: the output and the source differ.
        UsageError: the request does not fit itself or the model.
        DataError: files of the output do not fit each other, or the source is malformed.
        SystemFailure: a file cannot be read.
    """
    files = FileSet()
    try:
        if manifest is not None:
            manifest.open(files)
        if model is None:
            result = verify_records(outputs, sources, request, progress)
        else:
            tokenizer = model if isinstance(model, Tokenizer) else Tokenizer.load(model)
            if request.special is not None:
                tokenizer = tokenizer.with_special(request.special)
            request.check(tokenizer.model)
            result = verify_tokens(tokenizer, outputs, sources, request, progress)
        if manifest is not None:
            manifest.write(sources, result)
        files.publish()
    except BaseException:
        files.abort()
        raise
    return result


def verify_tokens(
    tokenizer: Tokenizer, outputs: list[str], sources: list[Input], request: VerifyRequest, progress: Progress | None
) -> VerifyResult:
    """Hold token outputs, one after another, against their source; see `carry_out`."""
    if request.pack == "best-fit":

        def reopen() -> TokenReader:
            return open_tokens(outputs, request.format, tokenizer.vocab_size)

        return PackedRun(tokenizer, outputs[0], reopen, sources, request, progress).run()
    reader = open_tokens(outputs, request.format, tokenizer.vocab_size)
    try:
        return _Run(tokenizer, reader, outputs[0], sources, request).run(progress)
    finally:
        reader.close()


class _Run:
    """One verification."""

    def __init__(
        self, tokenizer: Tokenizer, reader: TokenReader, output: str, sources: list[Input], request: VerifyRequest
    ) -> None:
        self._began = time.monotonic()
        model = tokenizer.model
        self._tokenizer, self._reader, self._request = tokenizer, reader, request
        bounded = reader.bounded and not request.context
        marks = {name: model.control[name] if getattr(request, name) else -1 for name in ("bos", "eos")}
        self._scene = Scene(output, model, **marks)
        # Without marks, nothing is left of an empty text in a format that has no place for empty documents.
        self._lacks_empty = reader.lacks_empty and not (request.bos or request.eos) and bounded
        self._stride = 1
        if request.sample and bounded and not self._lacks_empty:
            documents = reader.count() // request.samples
            self._stride = max(1, documents // request.sample)
        options = SourceOptions(request.field, request.skip_bad, request.samples, self._stride)
        self._source = Source(sources, model.normalizer, options)
        self._tokens = 0
        self._comparison = Comparison(
            self._scene, spelling_of(model, request.bos, request.eos), TokenWindow(self._counted(), bounded),
            cut_off=bool(request.context), lacks_empty=self._lacks_empty,
        )  # fmt: skip

    def run(self, progress: Progress | None) -> VerifyResult:
        """Compare all there is."""
        comparison, source, request = self._comparison, self._source, self._request
        source.run(comparison.take, request.workers, progress)
        comparison.finish()
        if request.context:
            self._check_windows()
        documents = comparison.documents
        return VerifyResult(
            documents=documents,
            tokens=self._tokens,
            compared=comparison.compared,
            records=source.records,
            skipped=source.skipped,
            duplicates=comparison.duplicates.count(),
            exact=comparison.duplicates.exact,
            bos=documents if request.bos else None,
            eos=documents if request.eos else None,
            width=self._reader.width,
            format=self._reader.form,
            unwritten=comparison.unwritten,
            seconds=time.monotonic() - self._began,
        )

    def _counted(self) -> Iterator[TokenBatch]:
        for batch in self._reader.batches():
            self._tokens += len(batch.ids)
            yield batch

    def _check_windows(self) -> None:
        """Hold what windows lack against what their last one may lack.

        Raises:
            Difference: the output has no whole number of windows, or less than it should.
        """
        size, name = self._request.context, self._scene.output
        if self._tokens % size:
            raise Difference(
                "length", f"{name}: {self._tokens} ids are no whole number of windows of {size}", "check the length"
            )
        comparison = self._comparison
        marks = comparison.unwritten * (self._request.bos + self._request.eos)
        least = marks + sum(least_tokens(self._tokenizer, text) for text in comparison.tail)
        if least >= size:
            raise Difference(
                "length",
                f"{name}: lacks the last {comparison.unwritten} records, which have {least} ids at the least, and only "
                f"an incomplete window of less than {size} is dropped",
                "tokenize the source again",
            )


def least_tokens(tokenizer: Tokenizer, text: bytes) -> int:
    """Return how many ids a normalised text has at the least, by its segmentation into the fewest pieces."""
    engine, model = tokenizer._engine, tokenizer.model
    lattice = engine.lattice(text, engine.weights("sample", 0.0))
    least = {0: 0}
    for end in lattice.ends:
        counts = []
        for start, code in lattice.into[end]:
            unknown = code >= len(model.pieces)
            # Neighbouring unknown characters may be one token.
            price = 1 if not unknown else end - start if model.byte_ids is not None else not model.fuse_unknown
            if start in least:
                counts.append(least[start] + price)
        if counts:
            least[end] = min(counts)
    return least.get(len(lattice.text), 0)

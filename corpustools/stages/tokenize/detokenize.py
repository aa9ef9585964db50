"""Lines of ids back to lines of text."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from corpustools.errors import DataError
from corpustools.files.batches import BatchReader, RecordBatch
from corpustools.files.chunks import RecordFormat
from corpustools.files.fileset import FileSet
from corpustools.files.inputs import Input
from corpustools.files.manifest import Manifest
from corpustools.files.outputs import open_output
from corpustools.formats import make_reader
from corpustools.formats.reader import LineReader
from corpustools.progress import Progress
from corpustools.stages.tokenize.results import DetokenizeResult
from corpustools.stages.tokenize.tokenizer import Tokenizer


def carry_out(
    tokenizer: Tokenizer,
    inputs: list[Input],
    output: str,
    form: str = "ids",
    progress: Progress | None = None,
    manifest: Manifest | None = None,
) -> DetokenizeResult:
    """Write the text of every line of ids, a line each; `check_files` has looked at the files.

    Args:
        tokenizer: the model that made the ids.
        inputs: what to read, as it was found.
        output: a path, which appears whole at the end, or '-'.
        form: 'ids' or 'jsonl' (objects with `ids`).
        progress: takes (phase, bytes done, bytes in all or None).
        manifest: is published together with the output.

    Raises:
        UsageError: nothing reads the format.
        DataError: a line that holds no ids, or an id that the model does not have.
        SystemFailure: a file or the disk failed.
    """
    began = time.monotonic()
    reader = make_reader(form)
    files = FileSet()
    out = open_output(output, None, 1, files)
    records = tokens = written = 0
    try:
        if manifest is not None:
            manifest.open(files)
        batches = BatchReader(inputs, RecordFormat(), whole=True)
        for batch in batches:
            assert isinstance(batch, RecordBatch)
            for number, ids in _read(batch, reader):
                try:
                    text = tokenizer.decode_bytes(ids)
                except DataError as error:
                    raise DataError(f"record {number}: {error.what}", error.remedy) from error
                out.write(text + b"\n")
                records += 1
                tokens += len(ids)
                written += len(text) + 1
            if progress is not None:
                progress("detokenizing", batches.raw_bytes, None)
        out.finish()
        result = DetokenizeResult(records, tokens, written, time.monotonic() - began)
        if manifest is not None:
            manifest.write(inputs, result)
        files.publish()
    except BaseException:
        out.abort()
        files.abort()
        raise
    return result


def _read(batch: RecordBatch, reader: LineReader) -> Iterator[tuple[int, Sequence[int]]]:
    """Give the number and the ids of every record."""
    for i in range(len(batch.starts)):
        yield batch.first + i, reader.ids_of(batch.record(i), batch.first + i)

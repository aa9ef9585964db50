"""Lines of ids back to texts."""

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
from corpustools.formats.texts import TextWriter
from corpustools.progress import Progress
from corpustools.stages.tokenize.results import DetokenizeResult
from corpustools.stages.tokenize.tokenizer import Tokenizer


def carry_out(
    tokenizer: Tokenizer,
    inputs: list[Input],
    output: str,
    form: str = "ids",
    to: str = "auto",
    progress: Progress | None = None,
    manifest: Manifest | None = None,
) -> DetokenizeResult:
    """Write the text of every line of ids, a line or an object each; `check_files` has looked at the files.

    Args:
        tokenizer: the model that made the ids.
        inputs: what to read, as it was found.
        output: a path, which appears whole at the end, or '-'.
        form: of the inputs: 'ids' or 'jsonl' (objects with `ids`).
        to: 'lines', 'jsonl' (objects with `text`) or 'auto'; see `TextWriter`.
        progress: takes (phase, bytes done, bytes in all or None).
        manifest: is published together with the output.

    Raises:
        UsageError: nothing reads or writes the format.
        DataError: a line that holds no ids, an id that the model does not have, or a text that the output cannot hold.
        SystemFailure: a file or the disk failed.
    """
    began = time.monotonic()
    reader = make_reader(form)
    files = FileSet()
    out = open_output(output, None, 1, files)
    records = tokens = 0
    try:
        texts = TextWriter(out, to)
        if manifest is not None:
            manifest.open(files)
        batches = BatchReader(inputs, RecordFormat(), whole=True)
        for batch in batches:
            assert isinstance(batch, RecordBatch)
            for place, ids in _read(batch, reader):
                try:
                    text = tokenizer.decode_bytes(ids)
                except DataError as error:
                    raise DataError(f"{place}: {error.what}", error.remedy) from error
                texts.write(text, place)
                records += 1
                tokens += len(ids)
            if progress is not None:
                progress("detokenizing", batches.raw_bytes, None)
        texts.end()
        out.finish()
        result = DetokenizeResult(records, tokens, texts.bytes, time.monotonic() - began, texts.form)
        if manifest is not None:
            manifest.write(inputs, result)
        files.publish()
    except BaseException:
        out.abort()
        files.abort()
        raise
    return result


def _read(batch: RecordBatch, reader: LineReader) -> Iterator[tuple[str, Sequence[int]]]:
    """Give how messages name a record, and its ids, for every record."""
    for i in range(len(batch.starts)):
        line = batch.record(i)
        if line.strip() or not reader.passes_blank:
            yield batch.place(i), reader.ids_of(line, batch.place(i))

"""What every output format is: its facts, and the methods that a run calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from corpustools.errors import UsageError
from corpustools.files.atomic import FileSink
from corpustools.files.descriptors import Sink
from corpustools.files.fileset import FileSet
from corpustools.files.outputs import open_output
from corpustools.formats.batch import Counts, FormattedBatch, IdBatch, Ids
from corpustools.formats.layout import LaidOut, Layout
from corpustools.formats.vocabulary import Vocabulary


class Writer:
    """An output format. One writer makes one output.

    Worker threads turn batches into bytes; one thread, the writing thread, has the files. A run calls::

        writing thread                      worker threads

        open(output, workers)
                                            format(batch)        many at once, in any order
        write(formatted)                                         in the order of the records
        write_part(ids), write_part(ids), ...                    one long document, as its ids come
        add_columns(values, ids)                                 where there are columns
        end_document()
        write(formatted)
        ...
        complete(), files.publish()  or, at any moment, abort()

    `format` reads what the constructor made, and nothing that the writing thread changes. `write` and `write_part`
    come in the order of the records, so a long document never mixes with others.

    A format overrides what it needs of these:

    - `format_documents`, on worker threads: whole documents to bytes. Every format has it.
    - `format_part`, `format_end`, on the writing thread: a long document to bytes, if `streams` is True. If it is
      False, every document comes whole.
    - `open_files`: opens other files than the one that is named. Formats of several files open them in `self.files`.
    - `begin`, `end`: what stands before the first document and behind the last one. `end` may open further files.
    - `put`: takes all formatted bytes, in order.

    Formats that trainers read stand on `RowWriter`, which adds windows and shards.

    Args:
        vocabulary: what is known of the ids.
        columns: names of the values that stand beside the ids.
        layout: windows and shards.

    Attributes:
        out: takes the formatted bytes. files: the set of all files that this output consists of.
        documents, tokens, bytes: what was written so far; `tokens` counts the ids that were taken, and `bytes` those of
            documents, before compression.
    """

    # Its key in the table of formats.
    name = ""
    # A part of a document may be written before the document has ended.
    streams = False
    # Training reads it as it is, and some readers find the ends of documents by an id.
    trains = False
    # There is a place for values beside the ids.
    holds_columns = False
    # Readers find documents by this special id, 'bos' or 'eos', because the files say nothing of boundaries.
    found_by = ""
    # The output is a regular file without compression, because something is written into it at the end.
    needs_file = False

    def __init__(self, vocabulary: Vocabulary, columns: tuple[str, ...] = (), layout: Layout | None = None) -> None:
        self.vocabulary, self.columns, self.layout = vocabulary, columns, layout or Layout()
        self.files = FileSet()
        self.documents = self.tokens = self.bytes = 0
        self._out: Sink | None = None
        self._part_length = 0
        self._placed = 0  # ids of the documents whose places were asked for

    @property
    def out(self) -> Sink:
        """What takes the formatted bytes."""
        assert self._out is not None, "the writer is not open"
        return self._out

    @property
    def laid_out(self) -> LaidOut:
        """What came of windows and shards; complete when the writer has finished."""
        return LaidOut()

    # What a run calls.

    def places(self, lengths: Counts) -> tuple[Counts, Counts]:
        """Return where the next documents begin, in the order in which they were written, now that all are.

        Args:
            lengths: int64, how many ids each has.

        Returns:
            The shard of each document's first id, and its place among the ids of the shard; -1 where it is in none.
        """
        firsts = self._placed + np.cumsum(lengths) - lengths
        self._placed += int(lengths.sum())
        return np.zeros(len(lengths), np.int64), firsts

    def format(self, batch: IdBatch) -> FormattedBatch:
        """Return the documents of a batch in the bytes of the format."""
        return FormattedBatch(self.format_documents(batch), np.diff(batch.ends, prepend=0))

    def open(self, output: str, workers: int) -> None:
        """Open the output and write what stands before the first document.

        Args:
            output: a path, '-' for standard output, or what the names of several files begin with.
            workers: threads that compress, where the suffix of the output asks for it.

        Raises:
            UsageError: the format cannot be written there.
            SystemFailure: the folder is missing or not writable.
        """
        try:
            self._out = self.open_files(output, workers)
            if self.needs_file and not isinstance(self._out, FileSink):
                remedy = "its header is written last; name an uncompressed file as the output"
                raise UsageError(f"format {self.name} needs a plain file", remedy)
            self.begin()
        except BaseException:
            self.abort()
            raise

    def write(self, formatted: FormattedBatch) -> None:
        """Write a formatted batch."""
        self.put(formatted.data)
        self._count(formatted.lengths)

    def write_part(self, ids: Ids) -> None:
        """Write further ids of a long document."""
        self.put(self.format_part(ids, self._part_length == 0))
        self._part_length += len(ids)

    def add_columns(self, values: Mapping[str, float], ids: Iterable[Ids]) -> None:
        """Write what stands beside the ids of the long document whose parts were written, if anything does.

        Args:
            values: by name, those that were asked for among them.
            ids: the document's ids once more, in parts.
        """

    def end_document(self) -> int:
        """End the long document whose parts were written; return how many ids it has."""
        self.put(self.format_end())
        length, self._part_length = self._part_length, 0
        self._count(np.array([length], np.int64))
        return length

    def complete(self) -> None:
        """Write what stands behind the last document, and make all files durable."""
        self.end()
        self.out.finish()

    def finish(self) -> None:
        """Complete the output and give all files their names."""
        self.complete()
        self.files.publish()

    def abort(self) -> None:
        """Leave no trace of what was written, except on a stream."""
        if self._out is not None:
            self._out.abort()
        self.files.abort()

    # What a format overrides.

    def format_documents(self, batch: IdBatch) -> bytes | memoryview:
        """Return the bytes of whole documents. Worker threads call it."""
        raise NotImplementedError

    def format_part(self, ids: Ids, first: bool) -> bytes | memoryview:
        """Return the bytes of further ids of a document; `first` if no ids came before."""
        raise NotImplementedError

    def format_end(self) -> bytes:
        """Return the bytes that end a document that came in parts."""
        return b""

    def open_files(self, output: str, workers: int) -> Sink:
        """Open the output; return what takes the formatted bytes."""
        return open_output(output, None, workers, self.files)

    def begin(self) -> None:
        """Write what stands before the first document."""

    def put(self, data: bytes | memoryview) -> None:
        """Take formatted bytes."""
        self.out.write(data)
        self.bytes += len(data)

    def end(self) -> None:
        """Write what stands behind the last document."""

    def _count(self, lengths: Counts) -> None:
        self.documents += len(lengths)
        self.tokens += int(lengths.sum())

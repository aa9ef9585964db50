"""Windows packed by best fit against their source.

Which window a document stands in depends on the lengths of all documents around it. So the source is tokenized and
packed once more: windows, their ends and those of the documents in them have to be the same. What is made so has to
spell its texts, as the ids of any output have to.

Where they are not, the documents of both sides are told apart by their marks and counted by their fingerprints. A
second reading names the first record that is missing, changed or too often there.
"""

from __future__ import annotations

import os
import time
from array import array
from bisect import bisect_right
from collections.abc import Callable

import numpy as np

from corpustools.files.inputs import Input
from corpustools.formats.batch import Counts
from corpustools.formats.layout import Layout
from corpustools.formats.readers.reader import TokenReader
from corpustools.formats.rows import Rows
from corpustools.inspect.verify.difference import Difference
from corpustools.inspect.verify.packed_diagnosis import boundary, changed, elsewhere
from corpustools.inspect.verify.request import VerifyRequest
from corpustools.inspect.verify.results import VerifyResult
from corpustools.inspect.verify.scene import Scene
from corpustools.inspect.verify.sides import Meeting, Sides
from corpustools.inspect.verify.spelled import SpelledPipeline
from corpustools.inspect.verify.windows import Marks, WindowWriter, WrittenWindows
from corpustools.progress import Progress
from corpustools.stages.tokenize.run import Run
from corpustools.stages.tokenize.tokenizer import Tokenizer

# Rows of the table of differences whose documents are looked for.
_MOST_ROWS = 64
_PART = "a part of a longer document"


class Origins:
    """Which record each document came from."""

    def __init__(self) -> None:
        self._numbers = array("q")
        self._firsts: list[int] = []
        self._sources: list[str] = []

    def add(self, source: str, numbers: Counts, lengths: Counts) -> None:
        """Take the documents that were packed last; see `Provenance.add`."""
        if not self._sources or self._sources[-1] != source:
            self._firsts.append(len(self._numbers))
            self._sources.append(source)
        self._numbers.frombytes(numbers.astype(np.int64).tobytes())

    def name(self, document: int) -> str:
        """Return what messages call the record of a document."""
        source = self._sources[bisect_right(self._firsts, document) - 1]
        return f"{source}: record {self._numbers[document]}"


class PackedRun:
    """One verification of windows packed by best fit.

    Args:
        tokenizer: the model.
        output: what messages call the output.
        open_output: opens its reader; called once more where something differs.
        sources: the source, as it was found.
        request: how the output was made.
        progress: takes (phase, bytes done, bytes in all or None).
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        output: str,
        open_output: Callable[[], TokenReader],
        sources: list[Input],
        request: VerifyRequest,
        progress: Progress | None,
    ) -> None:
        self._began = time.monotonic()
        self._tokenizer, self._open, self._sources, self._request = tokenizer, open_output, sources, request
        self._progress = progress
        marks = {name: tokenizer.model.control[name] if getattr(request, name) else -1 for name in ("bos", "eos")}
        self._scene = Scene(output, tokenizer.model, **marks)
        self._key = os.urandom(32)

    def run(self) -> VerifyResult:
        """Hold the windows against those that the source makes.

        Raises:
            Difference: they are not the same.
        """
        reader = self._open()
        try:
            form, width = reader.form, reader.width
            writer = self._writer(form, lambda rows: sides.take(rows))
            sides = Sides(WrittenWindows(reader, self._request.context, writer.pads), self._marks(writer), self._key)
            run, origins = self._pack(writer, "verifying")
            sides.finish()
            if sides.meeting is not None:
                raise self._difference(form, sides, sides.meeting, origins, writer.first_places())
        finally:
            reader.close()
        documents, laid_out = writer.documents, writer.laid_out
        return VerifyResult(
            documents=documents, tokens=writer.tokens, compared=documents, records=run.records, skipped=run.bad.total,
            duplicates=writer.duplicates.count(), exact=writer.duplicates.exact,
            bos=documents if self._request.bos else None, eos=documents if self._request.eos else None, width=width,
            format=form, unwritten=0, seconds=time.monotonic() - self._began, windows=laid_out.windows,
            padding=laid_out.padding,
        )  # fmt: skip

    def _writer(self, form: str, take: Callable[[Rows], None]) -> WindowWriter:
        request = self._request
        return WindowWriter(form, self._tokenizer.vocabulary, Layout(request.context, request.pack), take)

    def _marks(self, writer: WindowWriter) -> Marks:
        return Marks(self._scene.bos, self._scene.eos, writer.pad)

    def _pack(self, writer: WindowWriter, phase: str) -> tuple[Run, Origins]:
        """Tokenize the source into windows."""
        report = self._progress
        tick = None if report is None else lambda _, done, total: report(phase, done, total)
        origins = Origins()
        pipeline = SpelledPipeline(self._tokenizer, self._request.tokenizing, writer)
        writer.open(phase, 1)
        run = Run(pipeline, self._sources, tick, origins)
        run.run()
        writer.complete()
        return run, origins

    def _difference(self, form: str, sides: Sides, meeting: Meeting, origins: Origins, places: Counts) -> Difference:
        """Return what differs."""
        if meeting.kind != "ids":
            return boundary(self._scene, meeting)
        if not sides.marks.tell_documents or sides.wanted.equals(sides.found):
            return elsewhere(self._scene, meeting, lambda place: self._record_at(place, origins, places), sides)
        if not all(one.seekable for one in self._sources):
            return changed(self._scene, meeting, [], [], sides)
        return self._searched(form, sides, meeting)

    def _searched(self, form: str, sides: Sides, meeting: Meeting) -> Difference:
        """Return what differs, by name: read both sides once more for the documents that are there too often or not."""
        chosen = sides.wanted.differing_rows(sides.found, _MOST_ROWS)
        wanted, found = sides.remembered(chosen), sides.remembered(chosen)
        writer = self._writer(form, lambda rows: wanted.add(rows.ids, np.cumsum(rows.lengths)))
        _, origins = self._pack(writer, "looking for the difference")
        places = writer.first_places()
        reader = self._open()
        try:
            for ids, ends in WrittenWindows(reader, self._request.context, writer.pads).rest():
                found.add(ids, ends)
        finally:
            reader.close()
        for piece in wanted.pieces.values():
            piece.record = self._record_at(piece.place, origins, places)
        # A user finds a record sooner than a part of one.
        missing = sorted(wanted.beyond(found), key=lambda piece: piece.record == _PART)
        return changed(self._scene, meeting, missing, found.beyond(wanted), sides)

    @staticmethod
    def _record_at(place: int, origins: Origins, places: Counts) -> str:
        """Return the name of the record whose document, or the first part of it, begins at a place in the windows."""
        found = np.flatnonzero(places == place)
        return origins.name(int(found[0])) if len(found) else _PART

"""Notes now and then how far the output of a shuffle is, so that another run can go on there."""

from __future__ import annotations

import math
import os
import time
from dataclasses import dataclass, replace

from corpustools.errors import from_os
from corpustools.files.atomic import sync_folder
from corpustools.files.behind import WorkBehind
from corpustools.files.kept import KeptFile, KeptSet
from corpustools.files.kept_outputs import KeptShardSink, KeptSink
from corpustools.stages.shuffle.journal import FileState, Journal, digest_of
from corpustools.stages.shuffle.tally import Tally

# Seconds between two notes, at least; and so many times as long as a note takes.
LEAST_SECONDS, SPARED = 1.0, 20


@dataclass(frozen=True)
class _Note:
    """A journal to be saved once the output is durable as far as it says.

    Attributes:
        descriptor: of the output that is being written.
        folder: where that output is.
        began: when it was asked for, by the monotonic clock.
    """

    journal: Journal
    descriptor: int
    folder: str
    began: float


class Keeper:
    """Keeps the journal of one run.

    Who does what: threads that write records call `passed`, one after another in the order of their buckets. A thread
    of the keeper makes the output durable and saves the journal. While it does, nothing is noted.

    Args:
        journal: what is known when the run begins; without files where the output begins anew.
        files: the set of the outputs.
        sink: takes the records.
        outputs: the outputs' paths, in order.
        last: the greatest sort key of the run.
    """

    def __init__(self, journal: Journal, files: KeptSet, sink: KeptSink, outputs: list[str], last: int) -> None:
        self._journal, self._files, self._sink, self._outputs, self._last = journal, files, sink, outputs, last
        self._written = replace(journal.written)
        self._behind = WorkBehind(self._save)
        # A second descriptor of the output that was noted last: the sink may close its own meanwhile.
        self._descriptor: tuple[KeptFile, int] | None = None
        self._due = 0.0

    def begin(self, header: bytes, read: int, total: Tally | None, checksum: int | None) -> None:
        """Note what the first pass over the inputs has found.

        Args:
            header: what stands at the front of the output.
            read: records of the inputs.
            total: all records of the range of keys, where they are known.
            checksum: of all records of the inputs, where it is wanted.
        """
        self._journal = replace(self._journal, read=read)
        if not self._journal.files:
            known = (len(header), digest_of(header))
            self._journal = replace(self._journal, header=known, total=total, checksum=checksum)
            self._note()

    def passed(self, low: int, written: Tally) -> None:
        """Take note that records were written, so that all of lower keys than `low` are; save that if it is time.

        Raises:
            SystemFailure: the output could not be made durable, or the journal could not be saved.
        """
        self._written.add_all(written)
        # The last bucket of a run that goes on may cover more keys than there are.
        self._journal = replace(self._journal, low=min(low, self._last + 1))
        # Where the last records are written, the end of the run notes that.
        if low <= self._last and time.monotonic() >= self._due:
            self._note()

    def finished(self) -> None:
        """Note that all outputs are durable and wait for their names.

        Raises:
            SystemFailure: the journal could not be saved.
        """
        self._behind.take(wait=True)
        journal = replace(self._journal, written=self._written, files=self._states(), waiting=b"", finished=True)
        journal.save(self._files.journal)
        self._files.noted = True
        self.close()

    def close(self) -> None:
        """End the thread, once what it works on is done; nothing is noted any more."""
        self._behind.close()
        # A thread that was interrupted may still come to the end of its bucket.
        self._due = math.inf
        if self._descriptor is not None:
            os.close(self._descriptor[1])
            self._descriptor = None

    def _note(self) -> None:
        """Hand the journal over to be saved, unless the one before still is."""
        if self._behind.pending and self._behind.take(wait=False) is None:
            return
        began, waiting = time.monotonic(), self._sink.settle()
        states = self._states()
        file = self._files.file(self._outputs[len(states) - 1])
        journal = replace(self._journal, written=replace(self._written), files=states, waiting=waiting)
        self._behind.submit(_Note(journal, self._second_descriptor(file), file.folder, began))

    def _states(self) -> list[FileState]:
        """Return what each output holds that was begun."""
        if isinstance(self._sink, KeptFile):
            # Its records are written at their places, in any order.
            return [FileState(self._journal.header[0] + self._written.size, self._sink.identity)]
        begun = self._sink.begun if isinstance(self._sink, KeptShardSink) else 1
        files = [self._files.file(path) for path in self._outputs[:begun]]
        return [FileState(file.written, file.identity) for file in files]

    def _second_descriptor(self, file: KeptFile) -> int:
        if self._descriptor is None or self._descriptor[0] is not file:
            if self._descriptor is not None:
                os.close(self._descriptor[1])
            self._descriptor = (file, file.duplicate())
        return self._descriptor[1]

    def _save(self, note: _Note) -> None:
        try:
            os.fdatasync(note.descriptor)
        except OSError as error:
            raise from_os(error, f"{self._outputs[0]}: cannot be made durable", "the old file stays") from error
        sync_folder(note.folder)
        note.journal.save(self._files.journal)
        self._files.noted = True
        now = time.monotonic()
        self._due = now + max(LEAST_SECONDS, SPARED * (now - note.began))

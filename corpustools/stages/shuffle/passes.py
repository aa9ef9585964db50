"""Scatter and gather, as often as it takes: in one pass over the inputs, or in several without temporary space."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from typing import TYPE_CHECKING

from corpustools.errors import SystemFailure
from corpustools.files.descriptors import Sink
from corpustools.files.fileset import FileSet
from corpustools.files.outputs import ShardSink
from corpustools.progress import Progress
from corpustools.stages.shuffle.buckets import RangeTooFull
from corpustools.stages.shuffle.order import KEYS, KeyRange, part_range
from corpustools.stages.shuffle.request import ShuffleRequest
from corpustools.stages.shuffle.store import BucketStore
from corpustools.stages.shuffle.tally import Tally, verify
from corpustools.stages.shuffle.tasks import GatherTask, ScatterReceipt, ScatterTask, gather, scatter

if TYPE_CHECKING:
    from corpustools.stages.shuffle.resume import Kept

# Without temporary space: by how much a range of keys is cut when its lowest bucket does not fit the memory.
_NARROWER = 64


class Passes:
    """Scatter and gather: one pass over the inputs, or as many as it takes without temporary space.

    Args:
        request: what is asked for.
        store: the memory and temporary space.
        sink: takes the records.
        files: the set of the outputs.
        kept: the outputs, where they are kept; its journal may say that some records are written.
        progress: called now and then.

    Attributes:
        written: what was written so far, by earlier runs too.
        count: passes so far.
        records_read: records of the inputs.
        temporary_bytes: bytes that went to temporary files.
    """

    def __init__(
        self,
        request: ShuffleRequest,
        store: BucketStore,
        sink: Sink,
        files: FileSet,
        kept: Kept | None,
        progress: Progress | None,
    ) -> None:
        self._request, self._store, self._sink, self._progress = request, store, sink, progress
        self._files, self._kept = files, kept
        self._range = part_range(request.part)
        self._found = kept.found if kept is not None else None
        self._low = self._range.low if self._found is None else self._found.low
        self.written = Tally() if self._found is None else replace(self._found.written)
        self.count = self.records_read = self.temporary_bytes = 0
        self._header_bytes = 0
        self._cuts: list[int] = []

    def run(self) -> None:
        """Write the whole output to the sink, and compare what went in with what came out.

        Raises:
            DataError: what came out is not what went in: the inputs changed meanwhile, or the memory or disk fails.
            SystemFailure: the memory is too small, or a file or the disk failed.
        """
        low, last, span = self._low, self._range.low + self._range.span, self._range.span
        checksum = None
        # One pass even where no records are wanted: it finds the header, and what is wrong with the inputs.
        while low <= last and not (self.count and self._enough()):
            try:
                receipt = self._scatter(KeyRange(low, min(span, last - low)))
            except RangeTooFull:
                span //= _NARROWER
                if not span:
                    raise SystemFailure("the memory is too small for a record", "give more memory") from None
                continue
            if self._request.spares_cache(receipt.spilled_bytes):
                self._files.spare_cache()
            if not self.count:
                self._begin_output(receipt)
                self._note_first_pass(receipt, low, last)
                checksum = receipt.checksum_all
            self.count += 1
            self._gather(receipt)
            low += receipt.keys_done
        if checksum is not None and self._whole() and not self._enough():
            verify(self.written, self.records_read, self.written.size, checksum)
        if self._kept is not None and self._request.head_count is None:
            self._kept.require_total(self.written)

    def _scatter(self, wanted: KeyRange) -> ScatterReceipt:
        """Read the inputs and keep what fits of the records of the wanted keys."""
        request = self._request
        task = ScatterTask(
            inputs=request.inputs,
            form=request.form,
            first=0,
            keys=request.keys,
            wanted=wanted,
            limit=None if request.head_count is None else max(0, request.head_count - self.written.records),
            # Later passes, and what an earlier run has written, are compared with what the first pass has seen.
            check_all=not self.count and self._checks_all(),
            passing=request.passing,
        )
        receipt = scatter(task, self._store, self._progress)
        self.records_read = receipt.records
        self.temporary_bytes += receipt.spilled_bytes
        return receipt

    def _begin_output(self, receipt: ScatterReceipt) -> None:
        """Write the header and lay out the shards, now that the records are counted."""
        request = self._request
        if receipt.header and (request.part is None or request.part[0] == 1):
            self._header_bytes = len(receipt.header)
            if self._found is None:
                self._sink.write(receipt.header)
        if isinstance(self._sink, ShardSink):
            if request.val is not None:
                self._sink.last_front = receipt.header
            total = receipt.records if self._whole() else self.written.records + receipt.held.records
            if request.head_count is not None:
                total = min(total, request.head_count)
            self._cuts = request.cuts(total)
            if self._found is None:
                for _ in range(self._cuts.count(0)):
                    self._sink.cut()

    def _note_first_pass(self, receipt: ScatterReceipt, low: int, last: int) -> None:
        """Tell the keeper what the first pass has found, once it fits what an earlier run has written."""
        if self._kept is None:
            return
        header = receipt.header if self._header_bytes else b""
        all_held = receipt.keys_done > last - low and self._request.head_count is None
        if self._found is not None:
            self._kept.require_same_records(receipt.records, receipt.checksum_all)
            self._kept.require_header(header, bisect_right(self._cuts, self.written.records))
        total = None
        if all_held:
            if self._found is not None:
                checksum = receipt.checksum_all if self._whole() else None
                self._kept.require_whole(receipt.held, receipt.records, checksum)
            elif receipt.checksum_known:
                total = receipt.held
        checksum = receipt.checksum_all if self._partial() else None
        self._kept.keeper.begin(header, receipt.records, total, checksum)

    def _gather(self, receipt: ScatterReceipt) -> None:
        """Write what was kept, and compare it with what was read."""
        before = self.written.size
        task = GatherTask(
            keys=self._request.keys,
            start=self.written.records,
            offset=self._header_bytes + before,
            cuts=self._cuts,
            limit=self._request.head_count,
        )

        def report(phase: str, done: int, total: int | None) -> None:
            if self._progress is not None:
                self._progress(phase, before + done, None if total is None else before + total)

        passed = self._kept.keeper.passed if self._kept is not None else None
        done = gather(task, self._store, self._sink, report, passed)
        self.written.add_all(done.written)
        self.temporary_bytes += done.spilled_bytes
        if not self._enough():
            held = receipt.held
            verify(done.written, held.records, held.size, held.checksum if receipt.checksum_known else None)

    def _checks_all(self) -> bool:
        """Whether the checksum of all records is wanted of the first pass."""
        if self._found is not None and self._found.checksum is not None:
            return True
        if self._kept is not None and self._found is None and self._partial():
            return True
        return (self._request.no_temp or self._found is not None) and self._whole()

    def _partial(self) -> bool:
        """Whether no pass sees how many records there are of the range of keys."""
        return self._request.head_count is not None or (self._request.no_temp and not self._whole())

    def _whole(self) -> bool:
        return self._range.span == KEYS - 1

    def _enough(self) -> bool:
        return self._request.head_count is not None and self.written.records >= self._request.head_count

"""The whole shuffle: plan, open the output, read and write in passes, verify, publish."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

from corpustools.errors import SystemFailure
from corpustools.files.descriptors import Sink
from corpustools.files.fileset import FileSet
from corpustools.files.inputs import Paths
from corpustools.files.outputs import ShardSink, open_output
from corpustools.progress import Progress
from corpustools.stages.shuffle.buckets import RangeTooFull
from corpustools.stages.shuffle.choice import surroundings_of
from corpustools.stages.shuffle.order import KEYS, KeyRange, part_range
from corpustools.stages.shuffle.plan import plan_shuffle
from corpustools.stages.shuffle.request import Path, ShuffleRequest, shuffle_request
from corpustools.stages.shuffle.results import ShuffleResult
from corpustools.stages.shuffle.space import require_room
from corpustools.stages.shuffle.store import BucketStore
from corpustools.stages.shuffle.tally import Tally, verify
from corpustools.stages.shuffle.tasks import GatherTask, ScatterReceipt, ScatterTask, gather, scatter

if TYPE_CHECKING:
    from corpustools.files.manifest import Manifest

# Without temporary space: by how much a range of keys is cut when its lowest bucket does not fit the memory.
_NARROWER = 64


def shuffle(
    inputs: Paths,
    output: Path,
    *,
    seed: str | int | None = None,
    memory: int | str | None = None,
    tmp_dirs: Paths = (),
    workers: int | None = None,
    head_count: int | None = None,
    delimiter: bytes = b"\n",
    record_bytes: int = 0,
    header: int = 0,
    shards: int | None = None,
    part: tuple[int, int] | None = None,
    spill: str = "auto",
    direct: str = "auto",
    no_temp: bool = False,
    val: int | None = None,
    val_output: Path | None = None,
    group_rows: int | None = None,
    progress: Progress | None = None,
) -> ShuffleResult:
    """Write the records of the inputs in an order that is a function of the seed and their numbers alone.

    >>> shuffle("letters.txt", "shuffled.txt", seed=42, memory="1G").records
    2

    Args:
        inputs: a path, or paths in order; '-' or none is standard input. gz, zst, bz2 and xz are recognised by content,
            and so are Parquet and Arrow, whose rows are the records. Rows go to Parquet files.
        output: a path, '-' for standard output, or with `shards` a path that holds '{shard}'. .zst and .gz compress.
        seed: any text, or a number, which stands for its decimal text. None: a fresh one, which the result names.
        memory: the most that the whole process takes, from 64 MiB, in bytes or as text like "8G". None: half of what
            is available.
        tmp_dirs: where to spill; several directories are used in turn. Empty: $TMPDIR, else beside the output.
        workers: threads. None: one a processor.
        head_count: write only the first so many records of the shuffled whole.
        delimiter: the byte that ends a record.
        record_bytes: the size of records of equal size, which have no delimiter; 0: they have one.
        header: so many records of the first input stay on top; later inputs lose theirs.
        shards: write so many slices of equal count, which concatenate to the whole.
        part: (I, N): write only the I-th of N key ranges, from 1; the parts concatenate to the whole.
        spill: how temporary data is kept: 'raw', 'lz4', 'zstd', or 'auto': that by which the run ends first, as this
            disk, these processors and this text are measured now and then.
        direct: whether what is read or written once is kept out of the page cache: 'auto' where it does not fit the
            memory, 'yes', or 'no'. Temporary data is read and written directly where the file system can.
        no_temp: use no temporary space, but read the inputs again for each key range that fits the memory.
        val: hold so many records out of the output, the last ones of the order; they go to `val_output`.
        val_output: where the records held out go, with the header.
        group_rows: rows in a row group of a Parquet output. None: 1,024.
        progress: called now and then with (phase, bytes done, bytes in all or None).

    Returns:
        What was written. The output has its name by then, and its records, bytes and checksum are those of the inputs.

    Raises:
        UsageError: options out of range or at odds.
        DataError: an input is torn or malformed, or changed while it was read.
        SystemFailure: a file, the disk or the memory failed. Until the end the old output stays.
    """
    request = shuffle_request(
        inputs,
        output,
        seed=seed,
        memory=memory,
        tmp_dirs=tmp_dirs,
        workers=workers,
        head_count=head_count,
        delimiter=delimiter,
        record_bytes=record_bytes,
        header=header,
        shards=shards,
        part=part,
        spill=spill,
        direct=direct,
        no_temp=no_temp,
        val=val,
        val_output=val_output,
        group_rows=group_rows,
    )
    return run_shuffle(request, progress)


def run_shuffle(
    request: ShuffleRequest, progress: Progress | None = None, manifest: Manifest | None = None
) -> ShuffleResult:
    """Do what a request asks, and publish a manifest with it; see `shuffle`."""
    if request.tables:
        from corpustools.stages.shuffle.table import shuffle_tables

        return shuffle_tables(request, progress, manifest)
    begin = time.monotonic()
    plan = plan_shuffle(request)
    require_room(request, plan)
    spill = None if request.no_temp else request.spill
    files = FileSet()
    sink = open_output(request.output, request.shards, plan.workers, files, behind=request.val_output)
    try:
        if manifest is not None:
            manifest.open(files)
        around = surroundings_of(request, plan.workers, plan.pool)
        with closing(BucketStore(plan, request.form.delimiter, request.tmp_dirs, spill, around)) as store:
            passes = _Passes(request, store, sink, files, progress)
            passes.run()
        sink.finish()
        result = passes.result(time.monotonic() - begin)
        if manifest is not None:
            manifest.write(request.inputs, result)
        files.publish()
    except BaseException:
        sink.abort()
        files.abort()
        raise
    return result


class _Passes:
    """Scatter and gather: one pass over the inputs, or as many as it takes without temporary space.

    Attributes:
        written: what was written so far.
        count: passes so far.
        records_read: records of the inputs.
        temporary_bytes: bytes that went to temporary files.
    """

    def __init__(
        self, request: ShuffleRequest, store: BucketStore, sink: Sink, files: FileSet, progress: Progress | None
    ) -> None:
        self._request, self._store, self._sink, self._progress = request, store, sink, progress
        self._files = files
        self._range = part_range(request.part)
        self.written = Tally()
        self.count = self.records_read = self.temporary_bytes = 0
        self._header_bytes = 0
        self._cuts: list[int] = []

    def run(self) -> None:
        """Write the whole output to the sink, and compare what went in with what came out.

        Raises:
            DataError: what came out is not what went in: the inputs changed meanwhile, or the memory or disk fails.
            SystemFailure: the memory is too small, or a file or the disk failed.
        """
        low, last, span = self._range.low, self._range.low + self._range.span, self._range.span
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
                checksum = receipt.checksum_all
            self.count += 1
            self._gather(receipt)
            low += receipt.keys_done
        if checksum is not None and not self._enough():
            verify(self.written, self.records_read, self.written.size, checksum)

    def result(self, seconds: float) -> ShuffleResult:
        """Return what was done, in so many seconds."""
        return ShuffleResult(
            records=self.written.records,
            bytes=self.written.size,
            checksum=f"{self.written.checksum:016x}",
            seed=self._request.seed,
            seconds=seconds,
            records_read=self.records_read,
            temporary_bytes=self.temporary_bytes,
            passes=self.count,
            spilled=self._store.spill.choice.by_codec if self._store.spill is not None else None,
        )

    def _scatter(self, wanted: KeyRange) -> ScatterReceipt:
        """Read the inputs and keep what fits of the records of the wanted keys."""
        request = self._request
        task = ScatterTask(
            inputs=request.inputs,
            form=request.form,
            first=0,
            keys=request.keys,
            wanted=wanted,
            limit=request.head_count,
            # Later passes are compared with what the first one has seen.
            check_all=request.no_temp and not self.count and self._whole(),
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
            self._sink.write(receipt.header)
            self._header_bytes = len(receipt.header)
        if isinstance(self._sink, ShardSink):
            if request.val is not None:
                self._sink.last_front = receipt.header
            total = receipt.records if self._whole() else receipt.held.records
            if request.head_count is not None:
                total = min(total, request.head_count)
            self._cuts = request.cuts(total)
            for _ in range(self._cuts.count(0)):
                self._sink.cut()

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

        done = gather(task, self._store, self._sink, report)
        self.written.add_all(done.written)
        self.temporary_bytes += done.spilled_bytes
        if not self._enough():
            held = receipt.held
            verify(done.written, held.records, held.size, held.checksum if receipt.checksum_known else None)

    def _whole(self) -> bool:
        return self._range.span == KEYS - 1

    def _enough(self) -> bool:
        return self._request.head_count is not None and self.written.records >= self._request.head_count

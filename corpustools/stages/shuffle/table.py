"""Rows of tables in the order of the shuffle: share them out to buckets, put each bucket in order, write it.

A row's number is its place in all inputs, and its sort key is that of a line with this number. So a table is shuffled
as the lines of a file beside it are, one line for each row.
"""

from __future__ import annotations

import os
import time
from contextlib import ExitStack, closing

from corpustools.errors import DataError, SystemFailure
from corpustools.files.fileset import FileSet
from corpustools.files.manifest import Manifest
from corpustools.files.outputs import require_pattern, require_space
from corpustools.files.table_writer import RowSink
from corpustools.files.tables import Table, arrow
from corpustools.machine import available_memory
from corpustools.progress import Progress
from corpustools.stages.shuffle.choice import surroundings_of
from corpustools.stages.shuffle.order import KeyRange, part_range
from corpustools.stages.shuffle.request import ShuffleRequest
from corpustools.stages.shuffle.results import ShuffleResult
from corpustools.stages.shuffle.table_gather import RowGather
from corpustools.stages.shuffle.table_plan import TablePlan, plan_tables
from corpustools.stages.shuffle.table_scatter import Scattered, range_of_first, scatter_rows
from corpustools.stages.shuffle.table_schema import common_columns
from corpustools.stages.shuffle.table_spill import TableSpill

# Without temporary space: by how much a range of keys is cut when its lowest bucket does not fit the memory.
_NARROWER = 64
# What some trainers ask for: a group for each rank, and no long way to the next.
_GROUP_ROWS = 1024


def shuffle_tables(
    request: ShuffleRequest, progress: Progress | None = None, manifest: Manifest | None = None
) -> ShuffleResult:
    """Do what a request asks with inputs that hold rows, and publish a manifest with it; see `shuffle`."""
    began = time.monotonic()
    files = FileSet()
    try:
        with ExitStack() as stack:
            run = _Run(request, open_tables(request, stack), _open_spill(request, stack), files, progress)
            if manifest is not None:
                manifest.open(files)
            run.run()
            result = run.result(time.monotonic() - began)
        if manifest is not None:
            manifest.write(request.inputs, result)
        files.publish()
    except BaseException:
        files.abort()
        raise
    return result


def open_tables(request: ShuffleRequest, stack: ExitStack) -> list[Table]:
    """Return the inputs, open until the stack is left."""
    return [stack.enter_context(closing(Table(source))) for source in request.inputs]


def plan_of(request: ShuffleRequest, tables: list[Table]) -> TablePlan:
    """Lay out the memory for a request.

    Raises:
        UsageError: the memory is too small.
    """
    # Imported now, so that it does not grow the process behind the plan's back.
    arrow("parquet")
    expected = sum(table.stored_bytes for table in tables)
    parts = request.part[1] if request.part else 1
    page = max(table.page_bytes for table in tables)
    return plan_tables(request.memory, request.workers, expected // parts, page, request.head_count)


def describe_tables(request: ShuffleRequest) -> str:
    """Return the plan of a request with inputs that hold rows; see `describe_plan`."""
    with ExitStack() as stack:
        tables = open_tables(request, stack)
        plan = plan_of(request, tables)
        rows = [table.rows for table in tables]
        written = common_columns(tables).written
    available = available_memory()
    spilled = "about 0" if request.no_temp else f"about {max(0, plan.expected - plan.held)}"
    lines = [
        ("input", f"about {plan.expected}"),
        ("rows", "unknown" if None in rows else str(sum(one or 0 for one in rows))),
        ("columns", ", ".join(f"{field.name} ({field.type})" for field in written)),
        ("memory", str(plan.memory)),
        *((f"  {name}", str(size)) for name, size in plan.table()),
        ("memory available", f"{available.size}, by {available.bound}"),
        ("threads", str(plan.tasks)),
        ("buckets", str(plan.buckets)),
        ("passes over the input", f"about {-(-plan.expected // plan.held) or 1}" if request.no_temp else "1"),
        ("temporary space", spilled),
        ("temporary directories", ", ".join(request.tmp_dirs)),
        ("seed", request.seed),
    ]
    return "\n".join(f"{name}: {value}" for name, value in lines)


def _open_spill(request: ShuffleRequest, stack: ExitStack) -> TableSpill | None:
    if request.no_temp:
        return None
    for directory in request.tmp_dirs:
        # A batch system's TMPDIR may be gone where nothing is spilled; a folder that was named has to be there.
        if directory != os.environ.get("TMPDIR"):
            require_space(directory, 0, "temporary data", "name another temporary directory, or use none")
    # About an eighth of the memory holds rows that stay; the plan comes later.
    around = surroundings_of(request, request.workers, request.memory // 8)
    return stack.enter_context(closing(TableSpill(request.tmp_dirs, request.spill, around, request.direct != "no")))


class _Run:
    """One pass over the inputs, or as many as it takes without temporary space.

    Attributes:
        gather: what writes the rows, and knows how many there were.
        records_read: rows of the inputs.
        passes: passes so far.
    """

    def __init__(
        self,
        request: ShuffleRequest,
        tables: list[Table],
        spill: TableSpill | None,
        files: FileSet,
        progress: Progress | None,
    ) -> None:
        self._request, self._tables, self._spill, self._progress = request, tables, spill, progress
        self._files = files
        self._plan = plan_of(request, tables)
        self._columns = columns = common_columns(tables)
        require_pattern(request.output, request.shards)
        self._sink = RowSink(
            request.output_paths,
            columns.written,
            request.group_rows or _GROUP_ROWS,
            self._plan.group,
            columns.to_written,
            files,
        )
        self.gather = RowGather(self._plan, spill, self._sink, request.head_count, self._report_writing)
        self.records_read = self.passes = 0

    def result(self, seconds: float) -> ShuffleResult:
        """Return what was done."""
        return ShuffleResult(
            records=self.gather.rows,
            bytes=self._sink.size,
            checksum=f"{self.gather.checksum:016x}",
            seed=self._request.seed,
            seconds=seconds,
            records_read=self.records_read,
            temporary_bytes=self._spill.bytes_written if self._spill is not None else 0,
            passes=self.passes,
            spilled=self._spill.choice.by_codec if self._spill is not None else None,
        )

    def run(self) -> None:
        """Write the whole output to the sink, and compare what went in with what came out.

        Raises:
            DataError: an input is damaged or was changed, or what came out is not what went in.
            SystemFailure: the memory is too small, or a file or the disk failed.
        """
        keys = self._range()
        low, last, span = keys.low, keys.low + keys.span, keys.span
        first: Scattered | None = None
        while low <= last and not (first and self._enough()):
            done = self._scatter(KeyRange(low, min(span, last - low)), keys)
            if done is None:
                span //= _NARROWER
                if not span:
                    raise SystemFailure("the memory is too small for a row", "give more memory")
                continue
            self.passes += 1
            if first is None:
                first = done
                if self._request.spares_cache(self._spill.bytes_written if self._spill is not None else 0):
                    self._files.spare_cache()
                self._begin_output(done)
            self.gather.write(done.table)
            low = done.table.end
        assert first is not None
        self._verify(first)
        self._sink.finish()

    def _range(self) -> KeyRange:
        """Return the keys whose rows are wanted."""
        keys, count = part_range(self._request.part), self._request.head_count
        rows = [table.rows for table in self._tables]
        if count is None or None in rows:
            return keys
        return range_of_first(keys, sum(one or 0 for one in rows), self._request.keys, count)

    def _scatter(self, wanted: KeyRange, counted: KeyRange) -> Scattered | None:
        keys, tick = self._request.keys, self._report_reading
        return scatter_rows(self._tables, self._columns, self._plan, keys, wanted, counted, self._spill, tick)

    def _begin_output(self, done: Scattered) -> None:
        """Say where each file of the output begins, now that the rows are counted."""
        self.records_read = done.rows
        wanted = done.counted if self._request.head_count is None else min(done.counted, self._request.head_count)
        self._sink.cut_at(self._request.cuts(wanted))

    def _verify(self, first: Scattered) -> None:
        gather, count = self.gather, self._request.head_count
        wanted = first.counted if count is None else min(first.counted, count)
        if gather.rows != wanted or (count is None and gather.checksum != first.checksum):
            raise DataError(
                f"what came out is not what went in ({gather.rows} rows, whose keys have the sum "
                f"{gather.checksum:016x}, against {wanted} and {first.checksum:016x})",
                "leave inputs alone while they are read; if they were, the memory or a disk fails",
            )

    def _enough(self) -> bool:
        return self._request.head_count is not None and self.gather.rows >= self._request.head_count

    def _report_reading(self) -> None:
        if self._progress is not None:
            total = sum(source.size or 0 for source in self._request.inputs)
            self._progress("reading", sum(table.raw_bytes for table in self._tables), total)

    def _report_writing(self, done: int, total: int) -> None:
        if self._progress is not None:
            self._progress("writing", done, total)

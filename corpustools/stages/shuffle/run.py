"""The whole shuffle: plan, open the output, read and write in passes, verify, publish."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

from corpustools.files.descriptors import Sink
from corpustools.files.fileset import FileSet
from corpustools.files.inputs import Paths
from corpustools.files.outputs import open_output
from corpustools.progress import Progress
from corpustools.stages.shuffle.choice import surroundings_of
from corpustools.stages.shuffle.passes import Passes
from corpustools.stages.shuffle.plan import Plan, plan_shuffle
from corpustools.stages.shuffle.request import Path, ShuffleRequest, shuffle_request
from corpustools.stages.shuffle.results import ShuffleResult
from corpustools.stages.shuffle.space import require_room
from corpustools.stages.shuffle.store import BucketStore
from corpustools.stages.shuffle.tally import Tally

if TYPE_CHECKING:
    from corpustools.files.manifest import Manifest
    from corpustools.stages.shuffle.resume import Kept


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
    resume: bool = False,
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
        resume: keep what is written when the run ends early, and go on with what an earlier run of the same request
            has kept. The seed is then that of the earlier run, where none is given.
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
        resume=resume,
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
    if request.resume:
        # Before the plan, which counts what the process holds already.
        from corpustools.stages.shuffle.resume import Kept
    plan = plan_shuffle(request)
    require_room(request, plan)
    kept = Kept(request, plan.workers, progress) if request.resume else None
    files = FileSet() if kept is None else kept.files
    # Where all records were written by an earlier run there is no sink.
    sink: Sink | None = (
        open_output(request.output, request.shards, plan.workers, files, behind=request.val_output)
        if kept is None
        else kept.sink
    )
    try:
        if manifest is not None:
            manifest.open(files)
        facts = _finished(kept) if sink is None else _write(request, plan, sink, files, kept, progress)
        result = ShuffleResult(seed=request.seed, seconds=time.monotonic() - begin, **facts)
        if manifest is not None:
            manifest.write(request.inputs, result)
        files.publish()
    except BaseException as error:
        if kept is not None:
            kept.leave(error)
        if sink is not None:
            sink.abort()
        files.abort()
        raise
    return result


def _write(
    request: ShuffleRequest, plan: Plan, sink: Sink, files: FileSet, kept: Kept | None, progress: Progress | None
) -> dict[str, Any]:
    """Write all records and make them durable; return what the result says of them."""
    spill = None if request.no_temp else request.spill
    around = surroundings_of(request, plan.workers, plan.pool)
    with closing(BucketStore(plan, request.form.delimiter, request.tmp_dirs, spill, around)) as store:
        passes = Passes(request, store, sink, files, kept, progress)
        passes.run()
        spilled = store.spill.choice.by_codec if store.spill is not None else None
    sink.finish()
    if kept is not None:
        kept.keeper.finished()
    return {
        **_counts(passes.written, passes.records_read, kept),
        "temporary_bytes": passes.temporary_bytes,
        "passes": passes.count,
        "spilled": spilled,
    }


def _finished(kept: Kept | None) -> dict[str, Any]:
    """Return what the result says where an earlier run has written all, and only the names are wanting."""
    assert kept is not None
    assert kept.found is not None
    return {**_counts(kept.found.written, kept.found.read, kept), "temporary_bytes": 0, "passes": 0}


def _counts(written: Tally, read: int, kept: Kept | None) -> dict[str, Any]:
    return {
        "records": written.records,
        "bytes": written.size,
        "checksum": f"{written.checksum:016x}",
        "records_read": read,
        "kept": kept.found.written.records if kept is not None and kept.found is not None else None,
    }

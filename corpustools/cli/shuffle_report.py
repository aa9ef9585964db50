"""What `corpus shuffle` says at its end, and what of an output is kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from corpustools.cli.report import Reporter, human
from corpustools.errors import CorpusError

if TYPE_CHECKING:
    from corpustools.stages.shuffle import ShuffleRequest, ShuffleResult


def tell_result(result: ShuffleResult, report: Reporter) -> None:
    """Print the closing line."""
    earlier = f"{result.kept} of them by an earlier run, " if result.kept else ""
    rate = result.bytes / max(result.seconds, 1e-9) / 1e6
    report.summary(
        f"{result.records} records, {human(result.bytes)} in {result.seconds:.1f} s ({rate:.3g} MB/s), {earlier}"
        f"checksum {result.checksum}, --seed {result.seed}",
        records=result.records,
        bytes=result.bytes,
        checksum=result.checksum,
        seed=result.seed,
        seconds=round(result.seconds, 3),
        temporary_bytes=result.temporary_bytes,
        passes=result.passes,
        **({} if result.kept is None else {"kept": result.kept}),
    )


@contextmanager
def telling_what_is_kept(request: ShuffleRequest, report: Reporter) -> Iterator[None]:
    """Say at a signal where the same command goes on, and before a run that does not that there is such a run."""
    from corpustools.files.kept import journal_beside

    journal = None if request.resume else journal_beside(request.output_paths[0])
    if journal is not None:
        report.note(f"{journal} is of a run that --resume goes on with; this one leaves that and its unfinished files")
    try:
        yield
    except BaseException as stop:
        # A failure is told in one line, which says this too.
        if request.resume and not isinstance(stop, Exception):
            _tell_what_is_kept(request, report)
        raise


def _tell_what_is_kept(request: ShuffleRequest, report: Reporter) -> None:
    from corpustools.stages.shuffle.resume import kept_before

    try:
        kept = kept_before(request)
    except CorpusError:
        # The signal ends the run, whatever the journal is; the next run says what is wrong with it.
        return
    if kept is not None:
        amount = f"{kept.records} records of {request.output} ({human(kept.size)})"
        report.note(f"{amount} are kept; the same command goes on there")

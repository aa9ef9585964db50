"""Going on with the output of a shuffle that ended early: what it holds is checked, and its files are opened anew."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from corpustools.errors import DataError, SystemFailure, UsageError
from corpustools.files.compression import output_codec
from corpustools.files.kept import JOURNAL, UNFINISHED, KeptSet, kept_name
from corpustools.files.kept_outputs import KeptShardSink, KeptSink, open_kept
from corpustools.files.kept_text import Front, damaged
from corpustools.files.outputs import require_pattern
from corpustools.progress import Progress
from corpustools.stages.shuffle.journal import Journal, digest_of, load_journal
from corpustools.stages.shuffle.keeper import Keeper
from corpustools.stages.shuffle.kept_records import Expected, read_kept
from corpustools.stages.shuffle.order import part_range
from corpustools.stages.shuffle.request import ShuffleRequest
from corpustools.stages.shuffle.tally import Tally, verify


class Kept:
    """The kept output of a run, from the front or from where an earlier run left it.

    Args:
        request: what is asked for.
        workers: threads that compress.
        progress: called now and then with ("checking", bytes read of an earlier run's output, bytes in all).

    Attributes:
        files: the set of the outputs.
        sink: takes the records; None where all of them are written.
        keeper: notes how far the output is.
        found: the journal of an earlier run, or None.

    Raises:
        UsageError: the journal belongs to other options.
        DataError: it belongs to other inputs, or it or the unfinished output is damaged.
        SystemFailure: another run is writing the output, or a file cannot be read or written.
    """

    def __init__(self, request: ShuffleRequest, workers: int, progress: Progress | None) -> None:
        require_pattern(request.output, request.shards)
        self._paths = request.output_paths
        self.files = KeptSet(self._paths)
        self.sink: KeptSink | None = None
        try:
            self.found = load_journal(self.files.journal)
            keys = part_range(request.part)
            if self.found is None:
                self.sink = open_kept(self._paths, workers, self.files)
                journal = Journal(job_of(request), keys.low, Tally(), 0, None, None, (0, ""), [], b"", False)
            else:
                journal = self.found
                self.files.noted = True
                require_same_job(journal.job, job_of(request), self.files.journal)
                if not keys.low <= journal.low <= keys.low + keys.span and not journal.finished:
                    raise damaged(self.files.journal)
                if journal.checksum is not None:
                    require_same_order(journal.job, job_of(request), self.files.journal)
                self.sink = self._go_on(request, journal, workers, progress)
            if self.sink is not None:
                self.keeper = Keeper(journal, self.files, self.sink, self._paths, keys.low + keys.span)
        except BaseException:
            self.files.abort()
            raise

    def require_header(self, header: bytes, cut: int) -> None:
        """Compare the header, and how many outputs have ended, with what an earlier run has written.

        Raises:
            DataError: they differ.
        """
        assert self.found is not None
        if self.found.header != (len(header), digest_of(header)):
            raise damaged(self.files.journal)
        if isinstance(self.sink, KeptShardSink) and self.sink.begun != cut + 1:
            raise damaged(self.files.journal)

    def require_same_records(self, read: int, checksum: int | None) -> None:
        """Compare all records of the inputs with those that an earlier run has read, where its journal tells of them.

        Raises:
            DataError: they differ.
        """
        assert self.found is not None
        wanted = self.found.checksum
        if self.found.read != read or (wanted is not None and wanted != checksum):
            raise DataError(
                f"{self.files.journal}: the output was begun with other inputs of the same sizes and times: their "
                f"records were {self.found.read}, and are {read} or others",
                f"ask for the same, or remove {self.files.journal} to begin from the front",
            )

    def require_total(self, written: Tally) -> None:
        """Compare what is written in the end with what an earlier run knew of all records, if it did.

        Raises:
            DataError: they differ.
        """
        total = self.found.total if self.found is not None else None
        if total is not None:
            verify(written, total.records, total.size, total.checksum)

    def require_whole(self, held: Tally, read: int, checksum: int | None) -> None:
        """Compare what is written and what a scatter holds of all other keys with what is known of all records.

        Args:
            held: the records of the keys that are not written.
            read: records of the inputs.
            checksum: of all of them where all keys are wanted, else None.

        Raises:
            DataError: they differ: the inputs are not what they were.
        """
        assert self.found is not None
        both = replace(self.found.written)
        both.add_all(held)
        total = self.found.total
        if checksum is not None:
            verify(both, read, both.size, checksum)
        if total is not None:
            verify(both, total.records, total.size, total.checksum)

    def leave(self, error: BaseException) -> None:
        """End the keeper, and tell in a failure of the system that what is written is kept."""
        if self.sink is not None:
            self.keeper.close()
        if isinstance(error, SystemFailure) and self.files.noted:
            error.remedy = f"{error.remedy}; what is written is kept, and the same run goes on there".lstrip("; ")

    def _go_on(
        self, request: ShuffleRequest, journal: Journal, workers: int, progress: Progress | None
    ) -> KeptSink | None:
        """Check what the files hold, and open them behind it; where they are whole, there is no sink."""
        begun = len(journal.files)
        if not 0 < begun <= len(self._paths) or (journal.finished and begun < len(self._paths)):
            raise damaged(self.files.journal)
        front = self._check(request, journal, progress)
        self.files.go_on({path: state.size for path, state in zip(self._paths, journal.files, strict=False)})
        if journal.finished:
            for path, state in zip(self._paths, journal.files, strict=True):
                if _where(path, state.identity) != os.path.realpath(path):
                    self.files.open(path).finish()
            return None
        sink = open_kept(self._paths, workers, self.files, begun - 1, front)
        if journal.waiting:
            sink.write(journal.waiting)
        return sink

    def _check(self, request: ShuffleRequest, journal: Journal, progress: Progress | None) -> Front | None:
        """Read what the files hold and compare it with the journal; return what going on with the last one takes."""
        tally, front, done = Tally(), None, 0
        everything = sum(state.size for state in journal.files)

        def tell(size: int) -> None:
            if progress is not None:
                progress("checking", done + size, everything)

        for number, (path, state) in enumerate(zip(self._paths, journal.files, strict=False)):
            last = number == len(journal.files) - 1 and not journal.finished
            expected = Expected(
                path=_where(path, state.identity) if journal.finished else kept_name(path, UNFINISHED),
                size=state.size,
                codec=output_codec(path),
                waiting=journal.waiting if last else b"",
                header=journal.header if self._has_header(request, number) else None,
                unfinished=last,
            )
            front = read_kept(expected, request.form, tally, tell)
            done += state.size
        if tally != journal.written:
            raise damaged(kept_name(self._paths[0], UNFINISHED))
        return front

    def _has_header(self, request: ShuffleRequest, number: int) -> bool:
        return number == 0 or (request.val is not None and number == len(self._paths) - 1)


def kept_before(request: ShuffleRequest) -> Tally | None:
    """Return the records that a run of this request has kept so far, or None where there are none."""
    journal = load_journal(kept_name(request.output_paths[0], JOURNAL))
    return None if journal is None else journal.written


def job_of(request: ShuffleRequest) -> dict[str, Any]:
    """Return what the output of a request depends on, as plain data.

    Inputs are known by their sizes and times, since a file may be called by other names from another folder.
    """
    form = request.form
    return {
        "seed": request.seed,
        "delimiter": form.delimiter,
        "record bytes": form.record_bytes,
        "header records": form.header,
        "head count": request.head_count,
        "part": None if request.part is None else list(request.part),
        "shards": request.shards,
        "records held out": request.val,
        "output": os.path.basename(request.output),
        "output of what is held out": None if request.val_output is None else os.path.basename(request.val_output),
        "compression": [_compression(request.output_paths[at]) for at in (0, -1)],
        "inputs": [[one.name, one.size, one.modified] for one in request.inputs],
    }


def require_same_job(found: dict[str, Any], wanted: dict[str, Any], journal: str) -> None:
    """Refuse to go on with what was made of other inputs or options.

    Raises:
        UsageError: an option differs.
        DataError: an input differs, or the journal does not say.
    """
    remedy = f"ask for the same, or remove {journal} to begin from the front"
    if found.keys() != wanted.keys() or not isinstance(found["inputs"], list):
        raise damaged(journal)
    for name, value in wanted.items():
        if name != "inputs" and found[name] != value:
            raise UsageError(
                f"{journal}: the output was begun with another {name}: {_told(found[name])}, not {_told(value)}", remedy
            )
    if len(found["inputs"]) != len(wanted["inputs"]):
        what = f"{journal}: the output was begun with {len(found['inputs'])} inputs, not {len(wanted['inputs'])}"
        raise UsageError(what, remedy)
    for number, (old, new) in enumerate(zip(found["inputs"], wanted["inputs"], strict=True), 1):
        if not isinstance(old, list) or old[1:] != new[1:]:
            raise DataError(
                f"{journal}: the output was begun with another input {number}: {_input(old)}, not {_input(new)}", remedy
            )


def require_same_order(found: dict[str, Any], wanted: dict[str, Any], journal: str) -> None:
    """Refuse inputs of other names, where only a checksum is known, which does not depend on their order.

    Raises:
        DataError: a name differs, folders aside.
    """
    for number, (old, new) in enumerate(zip(found["inputs"], wanted["inputs"], strict=True), 1):
        if os.path.basename(str(old[0])) != os.path.basename(str(new[0])):
            raise DataError(
                f"{journal}: the output was begun with another input {number}: {_input(old)}, not {_input(new)}",
                f"ask for the same, or remove {journal} to begin from the front",
            )


def _told(value: Any) -> str:
    return "none" if value is None else repr(value)


def _input(facts: Any) -> str:
    try:
        name, size, modified = facts
        return f"{name} of {size} bytes, last written {modified / 1e9:.3f} s after 1970"
    except (TypeError, ValueError):
        return repr(facts)


def _compression(path: str) -> str | None:
    """Return what compresses an output: the bytes depend on the library, so one has to make all of it."""
    codec = output_codec(path)
    if codec == "gz":
        import zlib

        return f"zlib {zlib.ZLIB_RUNTIME_VERSION}"
    if codec == "zst":
        import zstandard

        return "zstd " + ".".join(map(str, zstandard.ZSTD_VERSION))
    return None


def _where(path: str, identity: tuple[int, int]) -> str:
    """Return where a finished output is: at its path, where that is the very file that was finished, or unfinished."""
    unfinished, path = kept_name(path, UNFINISHED), os.path.realpath(path)
    if not os.path.lexists(unfinished):
        try:
            status = os.stat(path)
        except OSError:
            return unfinished
        if (status.st_dev, status.st_ino) == identity:
            return path
    return unfinished

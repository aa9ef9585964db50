"""An exact global shuffle of records of any size and number in bounded memory.

Source: Jianlin Su's shuffle of files larger than memory, with keys instead of runs, so that the order is a function of
the seed and the record's number alone (`keys.py`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

from corpustools import kernels
from corpustools.errors import UsageError
from corpustools.files.chunks import RecordFormat
from corpustools.files.inputs import STDIN, Input, inspect
from corpustools.files.mapped import mean_record
from corpustools.files.outputs import STDOUT, open_output, require_space
from corpustools.machine import default_memory, default_workers, resident
from corpustools.progress import Progress
from corpustools.seeds import fresh_seed, seed_words
from corpustools.stages.shuffle.order import KEYS, part_range
from corpustools.stages.shuffle.plan import MIB, Plan, make_plan

__all__ = ["ShuffleResult", "plan_shuffle", "shuffle"]

Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


# An address and its header take as much memory and time as so many bytes.
_WORTH_MAPPING = 32


@dataclass(frozen=True)
class ShuffleResult:
    """What a shuffle did.

    Attributes:
        records: records written, the header aside.
        bytes: their bytes, delimiters included.
        checksum: the order-free checksum of what was written, as 16 hexadecimal digits.
        seed: the seed that repeats the run.
        seconds: the time it took.
        records_read: records of the inputs.
        temporary_bytes: bytes that went to temporary files.
        passes: how often the inputs were read.
    """

    records: int
    bytes: int
    checksum: str
    seed: str
    seconds: float
    records_read: int
    temporary_bytes: int
    passes: int


@dataclass(frozen=True)
class Request:
    """The options of a shuffle, checked against each other; see `shuffle` for their meaning."""

    inputs: list[Input]
    output: str
    seed: str
    memory: int
    tmp_dirs: list[str]
    workers: int
    head_count: int | None
    form: RecordFormat
    shards: int | None
    part: tuple[int, int] | None
    spill: str
    no_temp: bool
    key_mask: int

    def __post_init__(self) -> None:
        """Refuse what cannot be meant.

        Raises:
            UsageError: options out of range or at odds.
        """
        for name, value in (("workers", self.workers), ("shards", self.shards)):
            if value is not None and value < 1:
                raise UsageError(f"{value} {name}", "give at least 1")
        for name, value in (
            ("head count", self.head_count),
            ("record bytes", self.form.record_bytes),
            ("header", self.form.header),
        ):
            if value is not None and value < 0:
                raise UsageError(f"a {name} of {value}", "give 0 or more")
        if self.part is not None and not 1 <= self.part[0] <= self.part[1] <= KEYS:
            raise UsageError(f"part {self.part[0]} of {self.part[1]}", "parts are counted from 1, to at most 2^64")
        if self.spill not in ("auto", "raw", "zstd"):
            raise UsageError(f"spill '{self.spill}'", "accepted are auto, raw and zstd")
        if self.no_temp and not all(one.seekable for one in self.inputs):
            name = next(one.name for one in self.inputs if not one.seekable)
            raise UsageError(
                f"{name}: without temporary space the input is read more than once, a pipe cannot be",
                "use a file",
            )
        if self.no_temp and self.part is not None and self.shards is not None:
            raise UsageError(
                "the size of a part is not known without temporary space",
                "leave one of shards and no-temp away",
            )
        if self.output == STDOUT:
            self._refuse_own_output()

    def _refuse_own_output(self) -> None:
        status = os.fstat(1)
        for one in self.inputs:
            if one.seekable and one.identity == (status.st_dev, status.st_ino):
                raise UsageError(
                    f"{one.name}: is also the standard output", "write with -o, which replaces it at the end"
                )

    @property
    def expected(self) -> int | None:
        """Bytes of decoded input: known for plain files, guessed for compressed ones, None for pipes."""
        sizes = [one.size * (4 if one.codec else 1) for one in self.inputs if one.size is not None]
        return sum(sizes) if len(sizes) == len(self.inputs) else None

    @property
    def exact(self) -> bool:
        """Whether `expected` is no guess."""
        return all(one.size is not None and one.codec is None for one in self.inputs)

    def plan(self) -> Plan:
        """Lay out the memory."""
        self._load_codecs()
        # A pipe may turn out to be compressed.
        decodes = any(one.codec or not one.seekable for one in self.inputs)
        decoder = max(10 * MIB, min(self.memory // 8, 128 * MIB)) if decodes else 0
        workers, sinks = self.workers, 0
        if self.output.endswith((".zst", ".gz")):
            # An encoder takes as much whatever the memory: fewer of them where that would leave nothing for records.
            workers = min(workers, max(1, self.memory // (32 * MIB) - 1))
            sinks = workers * 6 * MIB
        expected = None if self.head_count is not None else self.expected
        fixed, mapped = resident() + sinks, self._mappable()
        if mapped * 5 // 4 + fixed + 64 * MIB > self.memory:
            mapped = 0
        return make_plan(self.memory, workers, expected, self.exact, fixed, decoder, mapped)

    def _mappable(self) -> int:
        """Return the bytes of input if it pays to leave them where they are: plain files, no tiny records."""
        if not self.exact or self.head_count is not None or self.part is not None or not kernels.load("records").MAPS:
            return 0
        small = self.form.record_bytes or mean_record(self.inputs[0], self.form)
        return (self.expected or 0) if small >= _WORTH_MAPPING else 0

    def _load_codecs(self) -> None:
        """Import now what would otherwise grow the process behind the plan's back."""
        if any(one.codec == "zst" or not one.seekable for one in self.inputs) or self.spill != "raw":
            import zstandard  # noqa: F401

    def temporary_bytes(self, plan: Plan) -> int | None:
        """Return about how much temporary space the plan will use; None where the input's size is not known."""
        if self.no_temp or self.head_count is not None:
            return 0
        if self.expected is None:
            return None
        share = self.expected // (self.part[1] if self.part else 1)
        # About 6 bytes of header a record; the spilled share of them is small change.
        return max(0, share - plan.pool * 7 // 8)


def request(
    inputs: Paths,
    output: str | os.PathLike[str],
    *,
    seed: str | int | None = None,
    memory: int | None = None,
    tmp_dirs: Sequence[str | os.PathLike[str]] = (),
    workers: int | None = None,
    head_count: int | None = None,
    delimiter: bytes = b"\n",
    record_bytes: int = 0,
    header: int = 0,
    shards: int | None = None,
    part: tuple[int, int] | None = None,
    spill: str = "auto",
    no_temp: bool = False,
    _key_mask: int = (1 << 64) - 1,
) -> Request:
    """Check the arguments of `shuffle` and look at the inputs; nothing is read or made yet."""
    if len(delimiter) != 1:
        raise UsageError(f"delimiter {delimiter!r}", "give one byte")
    names = [inputs] if isinstance(inputs, (str, os.PathLike)) else list(inputs)
    target = os.fspath(output)
    folder = "" if target == STDOUT else os.path.dirname(os.path.abspath(target))
    directories = [os.fspath(one) for one in tmp_dirs] or [os.environ.get("TMPDIR") or folder or "/tmp"]  # noqa: S108
    return Request(
        inputs=inspect([os.fspath(name) for name in names] or [STDIN]),
        output=target,
        seed=fresh_seed() if seed is None else str(seed),
        memory=default_memory() if memory is None else memory,
        tmp_dirs=directories,
        workers=default_workers() if workers is None else workers,
        head_count=head_count,
        form=RecordFormat(delimiter[0], record_bytes, header),
        shards=shards,
        part=part,
        spill=spill,
        no_temp=no_temp,
        key_mask=_key_mask,
    )


def shuffle(
    inputs: Paths,
    output: str | os.PathLike[str],
    *,
    progress: Progress | None = None,
    **options: object,
) -> ShuffleResult:
    """Write the records of the inputs in an order that is a function of the seed and their numbers alone.

    Args:
        inputs: paths in order ('-' is standard input); gz, zst, bz2 and xz are recognised by content.
        output: a path, '-' for standard output, or with `shards` a path that holds '{shard}'; .zst and .gz compress.
        progress: called now and then with (phase, bytes done, bytes in all or None).
        **options: seed (text), memory (bytes for the whole process, from 64 MiB), tmp_dirs, workers,
            head_count (the first K records only), delimiter (one byte), record_bytes (fixed-size records),
            header (records that stay on top), shards (slices of equal count), part ((I, N): the I-th of N key
            ranges), spill ('auto', 'raw', 'zstd'), no_temp (read the inputs again instead of spilling).

    Raises:
        UsageError: options out of range or at odds.
        DataError: an input is torn or malformed, or changed while it was read.
        SystemFailure: a file, the disk or the memory failed. Until the end the old output stays.
    """
    return carry_out(request(inputs, output, **options), progress)  # type: ignore[arg-type]


# Not named `run`: the first import of the submodule of that name would put itself in the function's place.
def carry_out(asked: Request, progress: Progress | None = None) -> ShuffleResult:
    """Do what `request` returned."""
    from corpustools.stages.shuffle.run import Job, Shuffler

    begin = time.monotonic()
    plan = asked.plan()
    _require_space(asked, plan)
    sink = open_output(asked.output, asked.shards, plan.workers)
    try:
        job = Job(
            inputs=asked.inputs,
            form=asked.form,
            plan=plan,
            key=(*seed_words(asked.seed), asked.key_mask),
            keys=part_range(asked.part),
            sink=sink,
            shards=asked.shards,
            limit=asked.head_count,
            write_header=asked.part is None or asked.part[0] == 1,
            spill=None if asked.no_temp else asked.spill,
            tmp_dirs=asked.tmp_dirs,
            progress=progress,
        )
        shuffler = Shuffler(job)
        shuffler.run()
        sink.finish()
    except BaseException:
        sink.abort()
        raise
    return ShuffleResult(
        records=shuffler.written.records,
        bytes=shuffler.written.size,
        checksum=f"{shuffler.written.checksum:016x}",
        seed=asked.seed,
        seconds=time.monotonic() - begin,
        records_read=shuffler.records,
        temporary_bytes=shuffler.files.bytes_written,
        passes=shuffler.passes,
    )


def _require_space(asked: Request, plan: Plan) -> None:
    """Refuse before the first byte what cannot fit the disks."""
    temporary = asked.temporary_bytes(plan) if asked.spill == "raw" and asked.exact else 0
    for directory in asked.tmp_dirs:
        require_space(
            directory,
            (temporary or 0) // len(asked.tmp_dirs),
            "temporary data",
            "name another --tmp-dir, or use --no-temp",
        )
    if asked.output == STDOUT or (os.path.exists(asked.output) and not os.path.isfile(asked.output)):
        return
    folder = os.path.dirname(os.path.abspath(asked.output))
    known = asked.exact and asked.head_count is None and not asked.output.endswith((".zst", ".gz"))
    size = (asked.expected or 0) // (asked.part[1] if asked.part else 1) if known else 0
    require_space(folder, size * 99 // 100, "the output", "free some space or write elsewhere")

"""What a shuffle is asked to do, checked."""

from __future__ import annotations

import os
from dataclasses import dataclass

from corpustools.errors import DataError, UsageError
from corpustools.files.chunks import RecordFormat
from corpustools.files.inputs import Input, Paths, as_paths, inspect
from corpustools.files.outputs import SHARD, shard_paths
from corpustools.files.page_cache import Passing
from corpustools.files.targets import descriptor_of, refuse_own_output
from corpustools.formats import refuse_suffix
from corpustools.machine import default_memory, default_workers
from corpustools.seeds import fresh_seed
from corpustools.sizes import size_in_bytes
from corpustools.stages.shuffle.codecs import CODECS
from corpustools.stages.shuffle.order import KEYS, SortKeys

Path = str | os.PathLike[str]

PARQUET_SUFFIX = ".parquet"
# How temporary data may be kept.
SPILLS = ("auto", *CODECS)
# A compressed text is taken for about a quarter of what it holds.
_EXPANSION = 4


@dataclass(frozen=True)
class ShuffleRequest:
    """The options of a shuffle, checked against each other; see `shuffle` for their meaning.

    Attributes:
        inputs: in order, as they were found.
        keys: what gives the records their sort keys; they belong to the seed.
        form: what a record is.
    """

    inputs: list[Input]
    output: str
    seed: str
    keys: SortKeys
    memory: int
    tmp_dirs: list[str]
    workers: int
    head_count: int | None
    form: RecordFormat
    shards: int | None
    part: tuple[int, int] | None
    spill: str
    direct: str
    no_temp: bool
    val: int | None
    val_output: str | None
    group_rows: int | None
    resume: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be meant.

        Raises:
            UsageError: options out of range or at odds.
        """
        for name, least, value in (
            ("workers", 1, self.workers),
            ("shards", 1, self.shards),
            ("head count", 0, self.head_count),
            ("record size", 0, self.form.record_bytes),
            ("header", 0, self.form.header),
            ("held out records", 1, self.val),
            ("rows in a group", 1, self.group_rows),
        ):
            if value is not None and value < least:
                raise UsageError(f"{name}: {value}", f"give {least} or more")
        if self.part is not None and not 1 <= self.part[0] <= self.part[1] <= KEYS:
            raise UsageError(f"part {self.part[0]} of {self.part[1]}", "parts are counted from 1, to at most 2^64")
        if self.spill not in SPILLS:
            raise UsageError(f"spill '{self.spill}'", f"accepted are {', '.join(SPILLS[:-1])} and {SPILLS[-1]}")
        if self.direct not in ("auto", "yes", "no"):
            raise UsageError(f"direct '{self.direct}'", "accepted are auto, yes and no")
        self._refuse_pipes_without_temporary_space()
        self._check_held_out()
        self._check_tables()
        if self.resume:
            from corpustools.stages.shuffle.resumable import require_resumable

            require_resumable(self.inputs, self.output_paths)
        for path in (self.output, self.val_output):
            if path is not None:
                refuse_own_output(path, self.inputs)
                if not self.tables:
                    refuse_suffix(path, "" if self.form.record_bytes else None)

    def _refuse_pipes_without_temporary_space(self) -> None:
        if not self.no_temp:
            return
        for one in self.inputs:
            if not one.seekable:
                raise UsageError(
                    f"{one.name}: without temporary space the input is read more than once, a pipe cannot be",
                    "use a file",
                )
        if self.part is not None and self.shards is not None:
            raise UsageError(
                "the size of a part is not known without temporary space",
                "leave the shards or the part away, or allow temporary space",
            )

    def _check_held_out(self) -> None:
        if (self.val is None) != (self.val_output is None):
            raise UsageError("a number of records to hold out and an output for them go together", "give both")
        if self.val is None or self.val_output is None:
            return
        if self.part is not None:
            raise UsageError("a part does not know the last records of all", "hold records out of the whole")
        if SHARD in self.val_output:
            raise UsageError(f"output '{self.val_output}': records that are held out go to one file", "name a file")
        descriptor = descriptor_of(self.val_output)
        if descriptor is not None and descriptor == descriptor_of(self.output):
            raise UsageError("the records held out would go where the others go", "give them an output of their own")

    def _check_tables(self) -> None:
        """Refuse what rows do not have, and what lines do not."""
        tables = [one for one in self.inputs if one.table]
        outputs = [path for path in (self.output, self.val_output) if path is not None]
        if not tables:
            if self.group_rows is not None:
                raise UsageError("lines have no row groups", "leave the rows of a group away")
            return
        for one in self.inputs:
            if not one.table:
                raise UsageError(
                    f"{tables[0].name} is {tables[0].table}, and {one.name} holds lines",
                    "shuffle rows and lines apart",
                )
        for path in outputs:
            if not path.endswith(PARQUET_SUFFIX):
                raise DataError(
                    f"{tables[0].name}: is {tables[0].table}, not records of lines for '{path}'",
                    f"rows are written to files: name the output in {PARQUET_SUFFIX}",
                )
        if self.form != RecordFormat():
            raise UsageError("rows have neither a delimiter nor a size nor a header", "leave those options away")

    @property
    def output_paths(self) -> list[str]:
        """All outputs in order: the output or its shards, and that of the records held out."""
        paths = [self.output] if self.shards is None else shard_paths(self.output, self.shards)
        return paths if self.val_output is None else [*paths, self.val_output]

    def cuts(self, total: int) -> list[int]:
        """Return where each output but the first begins, among `total` records.

        Raises:
            DataError: there are fewer than are to be held out.
        """
        others = total - (self.val or 0)
        if others < 0:
            raise DataError(f"there are {total} records, and {self.val} are to be held out", "hold fewer out")
        shards = self.shards or 1
        cuts = [shard * others // shards for shard in range(1, shards)]
        return cuts if self.val is None else [*cuts, others]

    @property
    def tables(self) -> bool:
        """Whether the inputs hold rows."""
        return any(one.table for one in self.inputs)

    @property
    def passing(self) -> Passing:
        """What becomes of the pages of inputs: inputs larger than the memory leave no trace in the page cache.

        Without temporary space they are read again and again, and the system may know best.
        """
        if self.direct == "auto" and not self.no_temp:
            return Passing.AS_FOUND if sum(one.size or 0 for one in self.inputs) > self.memory else Passing.STAYS
        return Passing.LEAVES if self.direct == "yes" else Passing.STAYS

    def spares_cache(self, spilled: int) -> bool:
        """Whether the output is kept out of the page cache, where so many bytes did not fit the memory."""
        return self.direct == "yes" or (self.direct == "auto" and spilled > 0)

    @property
    def expected(self) -> int | None:
        """Bytes of decoded input: known for plain files, guessed for compressed ones, None for pipes."""
        sizes = [one.size * (_EXPANSION if one.codec else 1) for one in self.inputs if one.size is not None]
        return sum(sizes) if len(sizes) == len(self.inputs) else None

    @property
    def exact(self) -> bool:
        """Whether `expected` is no guess."""
        return all(one.size is not None and one.codec is None for one in self.inputs)


def shuffle_request(
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
) -> ShuffleRequest:
    """Check the arguments of `shuffle` and look at the inputs; nothing is read or made yet.

    Raises:
        UsageError: options out of range or at odds.
        DataError: an input is a directory.
        SystemFailure: an input is missing or may not be read.
    """
    if not isinstance(delimiter, bytes) or len(delimiter) != 1:
        raise UsageError(f"delimiter {delimiter!r}", "give one byte")
    target = os.fspath(output)
    folder = "" if descriptor_of(target) is not None else os.path.dirname(os.path.abspath(target))
    seed = _seed(seed, part, target if not shards else shard_paths(target, shards)[0], resume)
    return ShuffleRequest(
        inputs=inspect(as_paths(inputs), tables=True),
        output=target,
        seed=seed,
        keys=SortKeys.of_seed(seed),
        memory=default_memory() if memory is None else size_in_bytes(memory),
        tmp_dirs=as_paths(tmp_dirs) if tmp_dirs else [os.environ.get("TMPDIR") or folder or "/tmp"],  # noqa: S108
        workers=default_workers() if workers is None else workers,
        head_count=head_count,
        form=RecordFormat(delimiter[0], record_bytes, header),
        shards=shards,
        part=part,
        spill=spill,
        direct=direct,
        no_temp=no_temp,
        val=val,
        val_output=None if val_output is None else os.fspath(val_output),
        group_rows=group_rows,
        resume=resume,
    )


def _seed(seed: str | int | None, part: tuple[int, int] | None, first: str, resume: bool) -> str:
    """Return the text of the seed: as given, that of the run that is gone on with, or a fresh one."""
    if seed is not None:
        return str(seed)
    if part is not None:
        raise UsageError(
            f"part {part[0]} of {part[1]} without a seed: every run would draw its own, and the parts would not fit",
            "give all parts the same seed",
        )
    if resume:
        from corpustools.stages.shuffle.resumable import kept_seed

        return kept_seed(first) or fresh_seed()
    return fresh_seed()

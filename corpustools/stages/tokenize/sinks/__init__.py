"""Output formats, one file each: they share the class Sink, and a table picks."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module

import numpy as np

from corpustools.errors import UsageError
from corpustools.files.descriptors import Sink as File
from corpustools.stages.tokenize.lattice.segmenter import Ids
from corpustools.stages.tokenize.lattice.trie import Offsets
from corpustools.stages.tokenize.tokenizer import Tokenizer

FORMATS = ("ids", "pieces", "jsonl", "u16", "u32", "npy")


@dataclass(frozen=True)
class Segmented:
    """Segmentations as a sink takes them.

    ids: int32, of all. ends: where each ends in `ids`, int64.
    columns: what --with asks for beside the ids, by name, a value for each segmentation.
    """

    ids: Ids
    ends: Offsets
    columns: dict[str, list[float]] = field(default_factory=dict)


class Sink:
    """A format. `format` runs on worker threads; the others in order of the records.

    Args:
        tokenizer: the model.
        columns: what --with asks for.
    """

    # Whether a record's ids may be written before the record has ended.
    streams = False
    # Bytes of an id where nothing but ids is written, else 0.
    width = 0

    def __init__(self, tokenizer: Tokenizer, columns: tuple[str, ...] = ()) -> None:
        self.tokenizer = tokenizer
        self.columns = columns

    def format(self, batch: Segmented) -> bytes | memoryview:
        """Return the bytes of whole segmentations."""
        raise NotImplementedError

    def part(self, ids: Ids, first: bool) -> bytes | memoryview:
        """Return the bytes of further ids of a segmentation; `first` where none came before."""
        raise NotImplementedError

    def end(self) -> bytes:
        """Return what ends a segmentation that came in parts."""
        return b""

    def begin_file(self, out: File) -> None:
        """Write what stands before the first record."""

    def end_file(self, out: File, shape: tuple[int, ...]) -> None:
        """Write what stands behind the last record; `shape` is (ids,), or (windows, ids in each)."""


def make_sink(name: str, tokenizer: Tokenizer, columns: tuple[str, ...] = ()) -> Sink:
    """Return the sink of a format.

    Raises:
        UsageError: there is no such format, or it cannot hold the model's ids or what --with asks for.
    """
    if name not in FORMATS:
        raise UsageError(f"format '{name}'", f"accepted are {', '.join(FORMATS)}")
    if columns and name != "jsonl":
        raise UsageError(f"format '{name}' has no place for --with {','.join(columns)}", "use -f jsonl")
    made: Sink = import_module(f"corpustools.stages.tokenize.sinks.{name}").make(tokenizer, columns)
    return made


def digits_table() -> bytes:
    """Return the digits of 0 … 999 as the kernels copy them: three and a space each."""
    return b"".join(b"%03d " % i for i in range(1000))


def format_lines(ids: Ids, ends: Offsets) -> memoryview:
    """Return lines of ids, one space between two."""
    from corpustools.kernels import load

    out = np.empty(11 * len(ids) + 2 * len(ends) + 8, np.uint8)
    size = load("lattice").format_ids(ids, ends, 0, len(ends), _DIGITS, out)
    return out[:size].data


_DIGITS = digits_table()

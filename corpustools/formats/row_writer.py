"""The ground of formats of rows: packs documents into windows and windows into shards, and leaves the bytes to them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import cast

import numpy as np

from corpustools.errors import UsageError
from corpustools.files.descriptors import Sink
from corpustools.files.outputs import SHARD, open_output, shard_paths
from corpustools.files.targets import is_stream
from corpustools.formats.batch import Counts, FormattedBatch, IdBatch, Ids
from corpustools.formats.best_fit import BestFitPacker
from corpustools.formats.layout import LaidOut, Layout
from corpustools.formats.packing import ConcatPacker
from corpustools.formats.rows import Rows, WideIds, documents_as_rows
from corpustools.formats.shards import ShardCutter, Spool, shard_folder
from corpustools.formats.vocabulary import Vocabulary
from corpustools.formats.writer import Writer

# How many ids fit into two bytes.
SHORT = 1 << 16
# Digits of a shard's number where it is not known how many there will be.
_DIGITS = 5


class RowWriter(Writer):
    """A format of rows: documents, or context windows of them, in one shard or several.

    Worker threads bring ids to the width of the format. The writing thread packs them, and calls, shard after shard::

        open_shard(path, number)
        write_rows(rows)                                         whole rows
        write_ids(ids), write_ids(ids), ..., end_rows(...)       one long row, where `streams` is True
        close_shard()

    and at the very end `end()`, for what belongs to all shards together.

    A format overrides `open_shard`, `close_shard` and either `write_rows`, or `write_ids` and `end_rows`. It opens its
    files with `open_data`, or in `self.files`; files that a reader opens first with `last=True`. It counts `bytes`.

    Attributes:
        dtype: the numpy type of an id, such as '<u2'.
        layout: windows and shards.
    """

    streams = True
    trains = True
    # Windows are all of one length, so best-fit pads them.
    pads = True
    # The output is a folder, and shards get names of their own in it.
    folder = False
    # The output names what several files begin with.
    prefix = False

    def __init__(self, vocabulary: Vocabulary, columns: tuple[str, ...] = (), layout: Layout | None = None) -> None:
        super().__init__(vocabulary, columns, layout)
        self.dtype = self.dtype_for(vocabulary)
        if self.dtype == "<u2" and vocabulary.size > SHORT:
            raise UsageError(f"the model's {vocabulary.size} ids do not fit into 16 bits", "use format u32")
        self._packer = self._make_packer()
        self._cutter: ShardCutter | None = None
        self._spool: Spool | None = None
        self._stream: Sink | None = None
        self._windows = 0

    # What a format overrides.

    def dtype_for(self, vocabulary: Vocabulary) -> str:
        """Return the numpy type of an id: the narrowest one that holds the vocabulary."""
        return "<u2" if vocabulary.size <= SHORT else "<u4"

    def open_shard(self, path: str, number: int) -> None:
        """Begin a shard; a format of a folder gets the folder's path every time."""
        raise NotImplementedError

    def write_rows(self, rows: Rows) -> None:
        """Write whole rows."""
        self.write_ids(rows.ids)
        self.end_rows(rows.lengths, rows.pieces, rows.counts)

    def write_ids(self, ids: WideIds) -> None:
        """Write the next ids of the shard."""
        raise NotImplementedError

    def end_rows(self, lengths: Counts, pieces: Counts, counts: Counts) -> None:
        """Take the boundaries of rows whose ids were written: see `Rows`."""

    def close_shard(self) -> None:
        """Write what stands behind the last row of a shard, and its other files."""
        raise NotImplementedError

    def check_target(self, output: str) -> None:
        """Look at what is there already, before any work."""

    def open_data(self, path: str, compress: bool = False, last: bool = False) -> Sink:
        """Open a file of the output, or a stream where there is one file only.

        Args:
            path: its name.
            compress: a suffix such as .zst compresses it.
            last: readers open this file first.
        """
        if compress or (is_stream(path) and not self.prefix):
            sink = open_output(path, None, self.layout.workers, self.files, last)
            self._stream = sink if is_stream(path) else None
            return sink
        return self.files.open(path, last)

    # What a run calls.

    @property
    def laid_out(self) -> LaidOut:
        """What came of windows and shards; complete when the writer has finished."""
        shards = self._cutter.number + 1 if self._cutter and self.layout.sharded else 0
        if self._packer is None:
            return LaidOut(shards=shards)
        return LaidOut(self._windows, self._packer.dropped, self._packer.padding, shards)

    def places(self, lengths: Counts) -> tuple[Counts, Counts]:
        """Return where the next documents begin; see `Writer.places`."""
        assert self._cutter is not None
        _, places = super().places(lengths)
        if self._packer is not None:
            places = self._packer.places(places, lengths)
        starts = np.array(self._cutter.starts, np.int64)
        shards = np.searchsorted(starts, places, "right") - 1
        return shards, np.where(places < 0, -1, places - starts[np.maximum(shards, 0)])

    def format_documents(self, batch: IdBatch) -> memoryview:
        """Return the ids of whole documents at the format's width."""
        return batch.ids.astype(self.dtype).data.cast("B") if len(batch.ids) else memoryview(b"")

    def open(self, output: str, workers: int) -> None:
        """Open the output; see `Writer.open`."""
        try:
            self.check_target(output)
            self._check_name(output)
            self._cutter = ShardCutter(self, self._namer(output), self.layout.shard_tokens)
            if self.layout.shards:
                self._spool = Spool(output if self.folder else shard_folder(output), self.dtype)
            else:
                self._cutter.next()
        except BaseException:
            self.abort()
            raise

    def write(self, formatted: FormattedBatch) -> None:
        """Write a formatted batch."""
        ids = np.frombuffer(formatted.data, self.dtype)
        self._count(formatted.lengths)
        self._take(
            self._packer.documents(ids, formatted.lengths)
            if self._packer
            else [documents_as_rows(ids, formatted.lengths)]
        )

    def write_part(self, ids: Ids) -> None:
        """Write further ids of a long document."""
        wide = ids.astype(self.dtype)
        self._part_length += len(ids)
        if self._packer:
            self._take(self._packer.part(wide))
        else:
            self._to.part(wide)

    def end_document(self) -> int:
        """End the long document whose parts were written; return how many ids it has."""
        length, self._part_length = self._part_length, 0
        self._count(np.array([length], np.int64))
        if self._packer:
            self._take(self._packer.end_document())
        else:
            self._to.end_part(length)
        return length

    def complete(self) -> None:
        """Write what is left, and make all files durable."""
        assert self._cutter is not None
        if self._packer:
            self._take(self._packer.finish())
        if self._spool is not None:
            self._spool.replay(self._cutter, self.layout.shards)
            self._spool.close()
        self._cutter.finish()
        self.end()

    def abort(self) -> None:
        """Leave no trace of what was written, except on a stream."""
        if self._stream is not None:
            self._stream.abort()
        if self._spool is not None:
            self._spool.close()
        self.files.abort()

    @property
    def _to(self) -> ShardCutter | Spool:
        return self._spool or cast(ShardCutter, self._cutter)

    def _take(self, rows: list[Rows]) -> None:
        for some in rows:
            if self._packer:
                self._windows += len(some.lengths)
            if len(some.lengths):
                self._to.rows(some)

    def _make_packer(self) -> ConcatPacker | BestFitPacker | None:
        if not self.layout.context:
            return None
        if self.layout.pack == "concat":
            return ConcatPacker(self.layout.context, self.dtype)
        special = self.vocabulary.special
        pad = special.get("pad", special.get("eos")) if self.pads else None
        if self.pads and pad is None:
            raise UsageError(
                f"format {self.name} pads windows, and the model has neither a pad nor an eos token",
                "use packing concat, or a format whose windows may be shorter",
            )
        return BestFitPacker(self.layout.context, self.dtype, pad)

    def _check_name(self, output: str) -> None:
        if (self.prefix or self.folder) and is_stream(output):
            remedy = "name their folder" if self.folder else "name what their names begin with"
            raise UsageError(f"format {self.name} has several files", remedy)
        if self.folder and SHARD in output:
            raise UsageError(
                f"output '{output}': one folder has all shards of format {self.name}", f"leave {SHARD} out"
            )
        if not self.folder and (SHARD in output) != self.layout.sharded:
            raise UsageError(
                f"output '{output}': shards and a name with '{SHARD}' go together",
                f"name the output as in part-{SHARD}, and say how many shards or how many ids a shard",
            )
        if self.prefix and os.path.isdir(output):
            raise UsageError(
                f"{output}: is a folder", "name what the names of the files begin with, such as train/text"
            )

    def _namer(self, output: str) -> Callable[[int], str]:
        if self.folder or not self.layout.sharded:
            return lambda number: output
        if self.layout.shards:
            return shard_paths(output, self.layout.shards).__getitem__
        return lambda number: output.replace(SHARD, f"{number:0{_DIGITS}}")

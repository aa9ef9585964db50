"""Rows into shards: as they come, or equal ones when all rows are known."""

from __future__ import annotations

import os
import tempfile
from array import array
from collections.abc import Callable
from typing import Protocol

import numpy as np

from corpustools.errors import DataError, SystemFailure, from_os
from corpustools.formats.batch import Counts
from corpustools.formats.rows import Rows, WideIds

# Rows are read back from the temporary file in batches of about so many ids.
_BATCH_IDS = 1 << 20


class ShardFormat(Protocol):
    """What a format does with one shard after another; see `RowWriter`."""

    def open_shard(self, path: str, number: int) -> None:
        """Begin a shard."""

    def write_rows(self, rows: Rows) -> None:
        """Write whole rows."""

    def write_ids(self, ids: WideIds) -> None:
        """Write the next ids of a long row."""

    def end_rows(self, lengths: Counts, pieces: Counts, counts: Counts) -> None:
        """Take the boundaries of rows whose ids were written."""

    def close_shard(self) -> None:
        """End the shard."""


class ShardCutter:
    """Gives rows to a format, shard after shard.

    Args:
        target: the format.
        name: returns the path of a shard, by number.
        limit: a shard ends with the row that brings it to so many ids; 0 makes one shard.

    Attributes:
        number: of the shard that is open, -1 before the first.
        starts: how many ids came before each shard.
    """

    def __init__(self, target: ShardFormat, name: Callable[[int], str], limit: int) -> None:
        self._target, self._name, self._limit = target, name, limit
        self.number = -1
        self.starts: list[int] = []
        self._ids = 0
        self._in_row = False

    def rows(self, rows: Rows) -> None:
        """Take whole rows."""
        start, ends = 0, np.cumsum(rows.lengths)
        while start < len(ends):
            self._make_room()
            stop = len(ends)
            if self._limit:
                before = int(ends[start - 1]) if start else 0
                stop = min(stop, int(np.searchsorted(ends, before + self._limit - self._ids)) + 1)
            part = rows.cut(start, stop)
            self._target.write_rows(part)
            self._ids += len(part.ids)
            start = stop

    def part(self, ids: WideIds) -> None:
        """Take the next ids of a long row."""
        self._begin_row()
        self._target.write_ids(ids)

    def end_part(self, length: int) -> None:
        """End the long row whose ids came."""
        self._begin_row()
        one = np.array([length], np.int64)
        self._target.end_rows(one, one, np.ones(1, np.int64))
        self._in_row = False
        self._ids += length

    def next(self) -> None:
        """Begin the next shard."""
        if self.number >= 0:
            self._target.close_shard()
        self.starts.append(self.starts[-1] + self._ids if self.starts else 0)
        self.number += 1
        self._ids = 0
        self._target.open_shard(self._name(self.number), self.number)

    def finish(self) -> None:
        """End the last shard; an output without rows has one."""
        if self.number < 0:
            self.next()
        self._target.close_shard()

    def _begin_row(self) -> None:
        if not self._in_row:
            self._make_room()
        self._in_row = True

    def _make_room(self) -> None:
        if self.number < 0 or (self._limit and self._ids >= self._limit):
            self.next()


class Spool:
    """Keeps all rows in a temporary file without a name, until it is known where shards end.

    Args:
        folder: where the file is.
        dtype: of an id.
    """

    def __init__(self, folder: str, dtype: str) -> None:
        self._folder, self._dtype = folder, np.dtype(dtype)
        # Of whole rows; without windows `pieces` stays empty, since every row is one piece.
        self._lengths, self._pieces, self._counts = array("q"), array("q"), array("q")
        self._row = self._piece = 0  # how many were read back
        try:
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  closed by `close`
        except OSError as error:
            raise from_os(error, f"{folder}: no temporary file can be made", "check the folder") from error

    def rows(self, rows: Rows) -> None:
        """Take whole rows."""
        self.part(rows.ids)
        self._lengths.frombytes(rows.lengths.tobytes())
        if rows.pieces is not rows.lengths:
            self._pieces.frombytes(rows.pieces.tobytes())
            self._counts.frombytes(rows.counts.tobytes())

    def part(self, ids: WideIds) -> None:
        """Take the next ids of a long row."""
        try:
            self._file.write(np.ascontiguousarray(ids).data)
        except OSError as error:
            raise self._failure(error) from error

    def end_part(self, length: int) -> None:
        """End the long row whose ids came."""
        self._lengths.append(length)

    def replay(self, cutter: ShardCutter, shards: int) -> None:
        """Give all rows to a cutter, in shards that end at the rows nearest to equal numbers of ids.

        Raises:
            DataError: there are fewer rows than shards.
        """
        lengths = np.frombuffer(self._lengths, np.int64)
        if len(lengths) < shards:
            raise DataError(
                f"{len(lengths)} rows for {shards} shards", f"ask for {max(1, len(lengths))} shards or fewer"
            )
        cuts = equal_cuts(lengths, shards)
        try:
            self._file.seek(0)
        except OSError as error:
            raise self._failure(error) from error
        start = 0
        for stop in cuts:
            cutter.next()
            self._replay(cutter, start, stop)
            start = stop

    def close(self) -> None:
        """Remove the file."""
        self._file.close()

    def _replay(self, cutter: ShardCutter, start: int, stop: int) -> None:
        lengths = np.frombuffer(self._lengths, np.int64)
        ends = np.cumsum(lengths[start:stop])
        at, before = start, 0
        while at < stop:
            end = start + max(int(np.searchsorted(ends, before + _BATCH_IDS, "right")), at - start + 1)
            cutter.rows(self._read(lengths[at:end]))
            before, at = int(ends[end - start - 1]), end

    def _read(self, lengths: Counts) -> Rows:
        """Return the next rows of the file."""
        size = int(lengths.sum()) * self._dtype.itemsize
        try:
            data = self._file.read(size)
        except OSError as error:
            raise self._failure(error) from error
        ids = np.frombuffer(data, self._dtype)
        if not self._counts:
            return Rows(ids, lengths, lengths, np.ones(len(lengths), np.int64))
        all_counts, all_pieces = np.frombuffer(self._counts, np.int64), np.frombuffer(self._pieces, np.int64)
        counts = all_counts[self._row : self._row + len(lengths)]
        pieces = all_pieces[self._piece : self._piece + int(counts.sum())]
        self._row += len(lengths)
        self._piece += len(pieces)
        return Rows(ids, lengths, pieces, counts)

    def _failure(self, error: OSError) -> SystemFailure:
        return from_os(error, f"the temporary file in {self._folder or '.'} failed", "free some space")


def equal_cuts(lengths: Counts, shards: int) -> list[int]:
    """Return before which row each shard ends, so that all have about equally many ids, and each a row at least.

    Args:
        lengths: int64, ids of each row; at least as many as shards.
        shards: how many.
    """
    ends = np.cumsum(lengths)
    total, rows = int(ends[-1]), len(lengths)
    cuts: list[int] = []
    for shard in range(1, shards):
        wanted = total * shard // shards
        row = int(np.searchsorted(ends, wanted))
        # The row before ends nearer to it, perhaps.
        if row and wanted - int(ends[row - 1]) <= int(ends[row]) - wanted:
            row -= 1
        cuts.append(min(max(row + 1, (cuts[-1] if cuts else 0) + 1), rows - (shards - shard)))
    return [*cuts, rows]


def shard_folder(pattern: str) -> str:
    """Return the folder of an output."""
    return os.path.dirname(os.path.realpath(pattern))

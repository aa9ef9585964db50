"""The ground of the formats that are a folder: files of bounded size, and an index that a reader opens first."""

from __future__ import annotations

import json
import os
import re
from typing import Any

import numpy as np

from corpustools.files.folder import OutputFolder
from corpustools.formats.batch import Counts
from corpustools.formats.layout import Layout
from corpustools.formats.portions import Portions
from corpustools.formats.row_writer import SHORT, RowWriter
from corpustools.formats.rows import Rows
from corpustools.formats.training import require_room
from corpustools.formats.vocabulary import Vocabulary

INDEX = "index.json"
FILE_BYTES = 1 << 26
# Places in a file are numbers of 32 bits.
LARGEST_FILE = (1 << 32) - 1
# Ids that take the room of what else a file of one row has: its table and the head of the row, at most.
_HEADS = 16


class FolderWriter(RowWriter):
    """A folder with files of at most 64 MiB, unless a single row is larger, and an index that lists them.

    A file begins with the number of its rows, and where each row begins and the last one ends, in bytes from the front,
    all as uint32. Then comes what the format calls its preface, and then the rows. So a file is held until it is
    complete.

    A format overrides `names`, `file_name`, `entry`, `index` and `is_index`. Where its rows are more than their ids, it
    also overrides `row_sizes` and `row_bytes`.

    Attributes:
        preface: what stands between the table of places and the rows.
        entries: what the index says of the files so far.
    """

    folder = True
    streams = False
    preface = b""
    # What files of the format are called, also where other tools wrote and compressed them.
    names = re.compile("")

    def __init__(self, vocabulary: Vocabulary, columns: tuple[str, ...] = (), layout: Layout | None = None) -> None:
        super().__init__(vocabulary, columns, layout)
        self.entries: list[dict[str, Any]] = []
        self._target: OutputFolder | None = None
        # Ids, the bytes of each row, and all of them together.
        self._held: list[tuple[int, Counts, memoryview]] = []
        self._rows = 0

    # What a format overrides.

    def file_name(self, number: int) -> str:
        """Return the name of a file, by number."""
        raise NotImplementedError

    def entry(self, name: str, size: int, rows: int, ids: int) -> dict[str, Any]:
        """Return what the index says of a file: its name, bytes, rows and ids."""
        raise NotImplementedError

    def index(self) -> dict[str, Any]:
        """Return the index."""
        raise NotImplementedError

    @staticmethod
    def is_index(index: Any) -> bool:
        """Return whether a JSON value is an index of this format; a KeyError or TypeError means no."""
        raise NotImplementedError

    def row_sizes(self, rows: Rows) -> Counts:
        """Return the bytes of each row, int64."""
        return rows.lengths * np.dtype(self.dtype).itemsize

    def row_bytes(self, rows: Rows) -> memoryview:
        """Return the bytes of all rows, one behind another."""
        return np.ascontiguousarray(rows.ids).view(np.uint8).data

    # What is the same for all.

    def dtype_for(self, vocabulary: Vocabulary) -> str:
        """Return the numpy type of an id: readers turn the files into tensors, which have no uint32 everywhere."""
        return "<u2" if vocabulary.size <= SHORT else "<i4"

    def check_target(self, output: str) -> None:
        """Make the folder, or see whether the new files may stand in it."""
        self._target = OutputFolder(output, INDEX, self._is_index, self.names)
        for path in self._target.prepare():
            self.files.supersede(path)

    def open_shard(self, path: str, number: int) -> None:
        """Begin a file with the next row."""
        self._path = path
        # A place in the table, and one more for the end of the last row.
        self._portions = Portions(FILE_BYTES - 8 - len(self.preface))

    def write_rows(self, rows: Rows) -> None:
        """Take whole rows; write each file that is full.

        Raises:
            DataError: there is a row that no file can hold.
        """
        width = np.dtype(self.dtype).itemsize
        require_room(self.name, rows.lengths, (LARGEST_FILE - len(self.preface)) // width - _HEADS, self._rows)
        self._rows += len(rows.lengths)
        sizes, at = self.row_sizes(rows), 0
        for part, ended in self._portions.cut(rows, sizes + 4):
            if ended:
                self._write_file()
            part_sizes = sizes[at : at + len(part.lengths)]
            at += len(part_sizes)
            self._held.append((len(part.ids), part_sizes, self.row_bytes(part)))
            self.bytes += int(part_sizes.sum())

    def close_shard(self) -> None:
        """Write the rows that are left. Without any row there is one empty file: readers fail on a set of none."""
        if self._held or not self.entries:
            self._write_file()

    def end(self) -> None:
        """Write the index."""
        file = self.files.open(os.path.join(self._path, INDEX), last=True)
        file.write(json.dumps(self.index(), sort_keys=True).encode())
        file.finish()

    def abort(self) -> None:
        """Leave no trace of what was written."""
        super().abort()
        if self._target is not None:
            self._target.abandon()

    def _write_file(self) -> None:
        """Write the rows that are held as the next file."""
        held, self._held = self._held, []
        sizes = np.concatenate([np.zeros(1, np.int64), *(sizes for _, sizes, _ in held)])
        places = np.cumsum(sizes) + 4 + 4 * len(sizes) + len(self.preface)
        name = self.file_name(len(self.entries))
        file = self.files.open(os.path.join(self._path, name))
        head = np.concatenate([np.array([len(sizes) - 1]), places]).astype("<u4").tobytes()
        file.write(head + self.preface)
        for _, _, data in held:
            file.write(data)
        file.finish()
        self.entries.append(self.entry(name, int(places[-1]), len(sizes) - 1, sum(ids for ids, _, _ in held)))

    def _is_index(self, data: bytes) -> bool:
        try:
            return self.is_index(json.loads(data))
        except (ValueError, KeyError, TypeError, RecursionError):
            return False

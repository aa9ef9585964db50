"""Plain files mapped into memory: their records stay where they are, and no second copy of them is made."""

from __future__ import annotations

import contextlib
import mmap
import os
from collections.abc import Callable

from corpustools import kernels
from corpustools.errors import from_os
from corpustools.files.chunks import SLACK, Buffer, Chunk, Fragment, RecordFormat, last_record_end
from corpustools.files.inputs import Input, OpenInput
from corpustools.files.page_cache import Passing
from corpustools.files.reader import InputRecords, RecordReader, Records

_SAMPLE = 1 << 16
_KEPT = 4 << 20
# Smaller files are copied: each map costs the system more, and there may only be so many.
_SMALL = 1 << 18
_AHEAD = 8 << 20


def mean_record(source: Input, form: RecordFormat) -> int:
    """Return the mean size of the records at the front of a plain file, in bytes."""
    opened = OpenInput(source, 0)
    try:
        sample, filled = bytearray(_SAMPLE), 0
        while filled < _SAMPLE and (n := opened.readinto(memoryview(sample)[filled:])):
            filled += n
        if opened.source.seekable:
            opened.seek(opened.origin)
    finally:
        opened.close()
    return filled // max(1, sample.count(form.delimiter, 0, filled))


class MappedRecords:
    """The records of one mapped file: chunks of the map, and copies of what cannot stay there.

    The last SLACK bytes of a map are not read in place, and a record that is longer than a buffer is read through it.

    Args:
        source: a plain file, its header taken away.
        number: the number of the input, from 0.
        form: what a record is.
        mapping: the file from its first byte, or None to copy all of it.
        keep: moves the records of a chunk to where they can stay.
    """

    def __init__(
        self,
        source: OpenInput,
        number: int,
        form: RecordFormat,
        mapping: mmap.mmap | None,
        keep: Callable[[Chunk], Chunk],
    ) -> None:
        self._source, self._number, self._form, self._map, self._keep = source, number, form, mapping, keep
        self._copied = InputRecords(source, number, form)
        # Where in the file the next record begins.
        self._at = source.origin + source.delivered

    def read(self, buffer: Buffer, target: int, capacity: int) -> Chunk | Fragment | None:
        """Return the next records where they are mapped, or through the buffer where they cannot stay."""
        # What is behind the end of the file is carried, and comes first.
        if not self._copied.inside and not self._copied.ended:
            chunk = self._stretch(target, capacity)
            if chunk is not None:
                return chunk
            self._copied.seek(self._at)
        got = self._copied.read(buffer, target, capacity)
        if isinstance(got, Chunk):
            self._at = self._source.origin + got.offset + got.stop
            return self._keep(got)
        if got is not None:
            self._at = self._source.origin + got.offset + got.size
        return got

    def _stretch(self, target: int, capacity: int) -> Chunk | None:
        """Return whole records of the map, or None where the next record's end is not found there."""
        if self._map is None:
            return None
        start, limit = self._at, len(self._map) - SLACK
        while start < limit:
            stop = min(start + target, limit)
            with contextlib.suppress(OSError, ValueError):
                # Page faults alone would read a cold file in small steps.
                os.posix_fadvise(self._source.descriptor, stop, _AHEAD, os.POSIX_FADV_WILLNEED)
            end = last_record_end(self._map, start, stop, self._form)
            if end > start:
                self._at = end
                self._source.raw_bytes = end - self._source.origin
                return Chunk(self._map, start, end, self._number, start - self._source.origin, mapped=True)
            if target >= capacity or stop == limit:
                return None
            target = min(2 * target, capacity)
        return None


class MappedReader(RecordReader):
    """The records of plain regular files, which stay in memory so that they are found by their address.

    The arguments are those of RecordReader. Chunks are good until the reader itself goes.
    """

    def __init__(self, inputs: list[Input], form: RecordFormat, memory: int, passing: Passing = Passing.STAYS) -> None:
        super().__init__(inputs, form, memory, passing)
        kernels.load("records").guard()
        # Records that cannot stay in a map: the last of each file, and small files whole.
        self._kept, self._kept_bytes = mmap.mmap(-1, _KEPT), 0
        # Addresses into all of them are used until the end.
        self._maps = [self._kept]

    def _records_of(self, source: OpenInput, number: int) -> Records:
        size = os.fstat(source.descriptor).st_size
        mapping = None
        if size - source.origin - source.delivered >= _SMALL:
            try:
                mapping = mmap.mmap(source.descriptor, size, access=mmap.ACCESS_READ)
            except OSError as error:
                raise from_os(error, f"{source.source.name}: cannot be mapped") from error
            self._maps.append(mapping)
        return MappedRecords(source, number, self.form, mapping, self._keep)

    def _keep(self, chunk: Chunk) -> Chunk:
        """Move records out of the caller's buffer to where they can stay."""
        size = chunk.stop - chunk.start
        if self._kept_bytes + size + SLACK > len(self._kept):
            self._kept, self._kept_bytes = mmap.mmap(-1, max(_KEPT, size + SLACK)), 0
            self._maps.append(self._kept)
        start = self._kept_bytes
        self._kept_bytes += size
        self._kept[start : start + size] = memoryview(chunk.data)[chunk.start : chunk.stop]
        return chunk._replace(data=self._kept, start=start, stop=start + size, mapped=True)

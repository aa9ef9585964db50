"""Plain files mapped into memory: their records stay where they are, and no second copy of them is made."""

from __future__ import annotations

import contextlib
import mmap
import os
from collections.abc import Callable

from corpustools.errors import from_os
from corpustools.files.inputs import Input, OpenInput
from corpustools.files.records import Chunk, Giant, RecordSource, Shape

_SAMPLE = 1 << 16
_ASIDE = 4 << 20
# Smaller files are copied: each map costs the kernel more, and there may only be so many.
_SMALL = 1 << 18
_AHEAD = 8 << 20


def mean_record(source: Input, shape: Shape) -> int:
    """Return the mean size of the records at the front of a plain file."""
    opened = OpenInput(source, 0)
    try:
        sample, filled = bytearray(_SAMPLE), 0
        while filled < _SAMPLE and (n := opened.readinto(memoryview(sample)[filled:])):
            filled += n
        if opened.source.seekable:
            opened.seek(opened.origin)
    finally:
        opened.close()
    return filled // max(1, sample.count(shape.delimiter, 0, filled))


class MappedSource(RecordSource):
    """Cuts mapped files into chunks; every chunk stays in memory, so that records are found by their address.

    The arguments are those of RecordSource; every input has to be a plain regular file.
    """

    def __init__(
        self, inputs: list[Input], shape: Shape, memory: int, aside: Callable[[memoryview | None], int]
    ) -> None:
        super().__init__(inputs, shape, memory, aside)
        self._kernel.guard()
        self._map: mmap.mmap | None = None
        # Addresses into all of them are used until the end.
        self._maps: list[mmap.mmap] = []
        self._at = 0
        self._copying = False
        # Records that cannot be mapped: the last of each file, and small files whole.
        self._aside_map, self._aside_used = mmap.mmap(-1, _ASIDE), 0
        self._maps.append(self._aside_map)

    def fill(self, buffer: mmap.mmap, target: int, capacity: int) -> Chunk | Giant | None:
        """Return the next records where they are mapped, or through the buffer where they cannot stay."""
        while True:
            if self._open is None and not self._begin():
                return None
            chunk = self._mapped_chunk(target, capacity)
            if chunk is not None:
                return chunk
            assert self._open is not None
            if self._map is not None:
                self._open.seek(self._at)
            self._copying = True
            got = super().fill(buffer, target, capacity)
            self._copying = False
            if isinstance(got, Giant) and self._open is not None:
                # What stands behind it can stay mapped.
                self._at = self._open.origin + self._open.delivered - len(self._carry)
                self._carry = b""
            else:
                self._map = None
            if got is not None:
                return self._keep(got) if isinstance(got, Chunk) else got

    def _begin(self) -> bool:
        # Copying ends with the file, so that the next one is mapped.
        if self._copying or not super()._begin():
            return False
        assert self._open is not None
        self._at = self._open.origin + self._open.delivered
        size = os.fstat(self._open.descriptor).st_size
        try:
            self._map = None
            if size - self._at >= _SMALL:
                self._map = mmap.mmap(self._open.descriptor, size, access=mmap.ACCESS_READ)
                self._maps.append(self._map)
        except OSError as error:
            raise from_os(error, f"{self._open.source.name}: cannot be mapped") from error
        return True

    def _keep(self, chunk: Chunk) -> Chunk:
        """Move records out of the caller's buffer to where they can stay."""
        size, slack = chunk.stop - chunk.start, self._kernel.SLACK
        if self._aside_used + size + slack > len(self._aside_map):
            self._aside_map, self._aside_used = mmap.mmap(-1, max(_ASIDE, size + slack)), 0
            self._maps.append(self._aside_map)
        start = self._aside_used
        self._aside_used += size
        self._aside_map[start : start + size] = memoryview(chunk.data)[chunk.start : chunk.stop]
        return Chunk(self._aside_map, start, start + size, mapped=True)

    def _mapped_chunk(self, target: int, capacity: int) -> Chunk | None:
        """Return whole records of the map, or None at its end and before a giant record."""
        if self._map is None:
            return None
        start, limit = self._at, len(self._map) - self._kernel.SLACK
        while start < limit:
            stop = min(start + target, limit)
            with contextlib.suppress(OSError, ValueError):
                # Page faults alone would read a cold file in small steps.
                assert self._open is not None
                os.posix_fadvise(self._open.descriptor, stop, _AHEAD, os.POSIX_FADV_WILLNEED)
            end = self._last_end(start, stop)
            if end > start:
                self._at = end
                assert self._open is not None
                self._open.raw_bytes = end - self._open.origin
                return Chunk(self._map, start, end, mapped=True)
            if target >= capacity or stop == limit:
                return None
            target = min(2 * target, capacity)
        return None

    def _last_end(self, start: int, stop: int) -> int:
        assert self._map is not None
        if self.shape.record_bytes:
            return stop - (stop - start) % self.shape.record_bytes
        end: int = self._kernel.last_end(self._map, start, stop, self.shape.delimiter)
        return end

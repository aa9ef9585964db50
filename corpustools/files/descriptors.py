"""Writing to open descriptors: everything is written, every failure says where."""

from __future__ import annotations

import os
from typing import Protocol

from corpustools.errors import SystemFailure, from_os
from corpustools.files.direct import DirectOutput
from corpustools.files.linux import PAGE
from corpustools.files.page_cache import WriteBehind

_SMALL = 1 << 16


class Sink(Protocol):
    """Where bytes go, in order."""

    def write(self, data: memoryview | bytes) -> None:
        """Take bytes; they may be reused by the caller afterwards."""

    def finish(self) -> None:
        """Make everything durable and, for a file, give it its name."""

    def abort(self) -> None:
        """Leave no trace of what was written."""


class Descriptor:
    """Writes to an open descriptor, small pieces gathered into larger calls.

    Attributes:
        descriptor: as given. name: what messages call it.
        written: bytes that were written in order, which stand at the front of a file.
        behind: takes what was written out of the page cache, or None.
        direct: writes past the page cache what is written at an offset, or None.
    """

    def __init__(self, descriptor: int, name: str) -> None:
        self.descriptor, self.name = descriptor, name
        self.written = 0
        self.behind: WriteBehind | None = None
        self.direct: DirectOutput | None = None
        self._small = bytearray()

    def write(self, data: memoryview | bytes) -> None:
        """Write all of the data.

        Raises:
            BrokenPipeError: the reader has gone.
            SystemFailure: the disk is full or fails.
        """
        if len(data) < _SMALL:
            self._small += data
            if len(self._small) >= _SMALL:
                self.flush()
            return
        self.flush()
        self._write(memoryview(data))

    def flush(self) -> None:
        """Hand over what was gathered."""
        if self._small:
            small, self._small = self._small, bytearray()
            self._write(memoryview(small))

    def write_at(self, offset: int, view: memoryview) -> None:
        """Write all of the data at an offset.

        Raises:
            SystemFailure: the write failed; the text names the file and the byte.
        """
        try:
            while view:
                if self.direct is None:
                    n, cached = os.pwrite(self.descriptor, view, offset), True
                else:
                    n, cached = self.direct.write(view, offset)
                # The edges of what is direct are not worth a call each.
                if self.behind is not None and cached and (self.direct is None or n >= PAGE):
                    self.behind.wrote(offset, n)
                offset += n
                view = view[n:]
        except OSError as error:
            raise self._failure(error, offset) from error

    def _write(self, view: memoryview) -> None:
        try:
            while view:
                n = os.write(self.descriptor, view)
                if self.behind is not None:
                    self.behind.wrote(self.written, n)
                self.written += n
                view = view[n:]
        except BrokenPipeError:
            raise
        except OSError as error:
            raise self._failure(error, self.written) from error

    def _failure(self, error: OSError, offset: int) -> SystemFailure:
        remedy = "free some space or write elsewhere; nothing was replaced"
        return from_os(error, f"{self.name}: writing failed at byte {offset}", remedy)


class StreamSink:
    """Standard output, a named pipe or a device: written as it comes."""

    def __init__(self, descriptor: int, name: str, close: bool) -> None:
        self._out = Descriptor(descriptor, name)
        self._close = close

    def write(self, data: memoryview | bytes) -> None:
        """Write all of the data."""
        self._out.write(data)

    def finish(self) -> None:
        """Write what is left; close what was opened here."""
        self._out.flush()
        if self._close:
            close(self._out.descriptor, self._out.name)

    def abort(self) -> None:
        """Stop; what was written cannot be taken back."""


def close(descriptor: int, name: str) -> None:
    """Close a descriptor; a failure says whose.

    Raises:
        SystemFailure: closing failed, so the data may not have reached the disk.
    """
    try:
        os.close(descriptor)
    except OSError as error:
        raise from_os(error, f"{name}: closing failed", "the data may not have reached the disk") from error

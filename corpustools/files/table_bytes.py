"""The bytes of a file as pyarrow asks for them: any stretch in any order, watched for changes."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager

from corpustools.errors import DataError, from_os
from corpustools.files.extras import load_extra
from corpustools.files.inputs import STDIN, Input, require_same_file, require_unchanged

# What is told of a foreign library's message.
_LONGEST_MESSAGE = 200


class TableBytes(io.RawIOBase):
    """A regular file, open for reading.

    Args:
        source: the file as it was found before the work began.

    Attributes:
        source: as given.
        raw_bytes: bytes read so far.

    Raises:
        SystemFailure: the file cannot be opened.
        DataError: it is another file than was found.
    """

    def __init__(self, source: Input) -> None:
        super().__init__()
        self.source, self.raw_bytes = source, 0
        try:
            self._descriptor = 0 if source.path == STDIN else os.open(source.path, os.O_RDONLY | os.O_CLOEXEC)
            self._origin = os.lseek(self._descriptor, 0, os.SEEK_CUR)
            require_same_file(source, self._descriptor)
        except OSError as error:
            raise from_os(error, f"{source.name}: cannot be opened") from error
        self._position = 0

    def readable(self) -> bool:
        """Say that the file can be read."""
        return True

    def seekable(self) -> bool:
        """Say that any byte can be the next one."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Make another byte the next one, and return its place."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.source.size or 0}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        """Return the place of the next byte."""
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Return the next `size` bytes, or what there is up to the end that the file had when the work began."""
        left = max(0, (self.source.size or 0) - self._position)
        wanted = left if size < 0 else min(size, left)
        parts = []
        while wanted:
            part = os.pread(self._descriptor, wanted, self._origin + self._position)
            if not part:
                break
            parts.append(part)
            wanted -= len(part)
            self._position += len(part)
            self.raw_bytes += len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def close(self) -> None:
        """Close the file."""
        if not self.closed and self.source.path != STDIN:
            os.close(self._descriptor)
        super().close()

    def verify(self) -> None:
        """Hold the file against what it was when the work began.

        Raises:
            DataError: it was written to meanwhile.
        """
        require_unchanged(self.source, self._descriptor, self._origin)

    @contextmanager
    def reading(self, what: str) -> Iterator[None]:
        """Tell every failure of pyarrow inside the block as one of this file.

        Args:
            what: what the file is, as in "a Parquet file".

        Raises:
            DataError: the file was changed meanwhile, or is damaged.
            SystemFailure: the disk failed.
        """
        lib = load_extra("pyarrow.lib", "Parquet and Arrow need pyarrow", "parquet")

        try:
            yield
        except (lib.ArrowException, OSError, ValueError, RecursionError) as error:
            # A change is the cause of whatever else is found.
            self.verify()
            name = self.source.name
            if isinstance(error, OSError) and error.errno is not None:
                raise from_os(error, f"{name}: reading failed") from error
            if isinstance(error, (lib.ArrowMemoryError, MemoryError)):
                raise DataError(
                    f"{name}: reading {what} needs more memory than there is", "write it in smaller batches"
                ) from error
            if isinstance(error, lib.ArrowNotImplementedError):
                raise DataError(
                    f"{name}: pyarrow cannot read {what} of these columns in parts ({message_of(error)})",
                    "write it without dictionaries inside other columns, or with a newer pyarrow",
                ) from error
            raise DataError(
                f"{name}: cannot be read as {what} ({message_of(error)})",
                "the file is torn or damaged: fetch or write it again",
            ) from error


def message_of(error: BaseException) -> str:
    """Return what a foreign library says of an error, as part of one line."""
    text = " ".join(str(error).split())
    return text if len(text) <= _LONGEST_MESSAGE else text[:_LONGEST_MESSAGE] + "…"

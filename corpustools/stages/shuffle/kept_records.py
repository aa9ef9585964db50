"""The records that a kept file holds, read back and counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from corpustools import kernels
from corpustools.files.chunks import SLACK, Chunk, RecordFormat
from corpustools.files.kept_text import Front, KeptText, damaged
from corpustools.files.reader import InputRecords
from corpustools.kernels.records.layout import ROW_BYTES
from corpustools.stages.shuffle.journal import digest_of
from corpustools.stages.shuffle.pool import Pool, allocate
from corpustools.stages.shuffle.tally import Tally

_BUFFER, _CHUNK = 4 << 20, 512 << 10
_BLOCK = 4096


@dataclass(frozen=True)
class Expected:
    """A kept file, and what should be in it.

    Attributes:
        path: where it is.
        size: bytes of it that count.
        codec: gz, zst or None.
        waiting: text that follows.
        header: bytes of the header at its front and their hash, or None.
        unfinished: whether more is to be written behind it.
    """

    path: str
    size: int
    codec: str | None
    waiting: bytes
    header: tuple[int, str] | None
    unfinished: bool


def read_kept(expected: Expected, form: RecordFormat, tally: Tally, tell: Callable[[int], None]) -> Front | None:
    """Count the records of a kept file; return what going on with it takes, if it is compressed and unfinished.

    Args:
        expected: the file.
        form: what a record is.
        tally: the records are added to it.
        tell: called now and then with the bytes of text that were read.

    Raises:
        DataError: the file does not hold whole records, or another header.
        SystemFailure: it cannot be read.
    """
    text = KeptText(expected.path, expected.size, expected.codec, expected.unfinished)
    try:
        source = _Source(text, expected.waiting)
        header, digest = expected.header or (0, digest_of(b""))
        if digest_of(source.take(header)) != digest:
            raise damaged(expected.path)
        before = tally.size
        _count(source, form, tally, tell)
        # A last record that is not whole would have been given its end.
        if source.delivered != header + tally.size - before:
            raise damaged(expected.path)
        return text.front()
    finally:
        text.close()


class _Source:
    """Text of a file and what follows it, in the shape of an input that is read.

    Attributes:
        delivered: bytes that were read.
        source: what messages call it.
    """

    def __init__(self, text: KeptText, waiting: bytes) -> None:
        self._text, self._waiting = text, memoryview(waiting)
        self.delivered = 0
        self.source = text

    def readinto(self, view: memoryview) -> int:
        """Fill the front of the view; 0 at the end."""
        n = self._text.readinto(view)
        if not n and self._waiting:
            n = min(len(view), len(self._waiting))
            view[:n], self._waiting = self._waiting[:n], self._waiting[n:]
        self.delivered += n
        return n

    def take(self, size: int) -> bytes:
        """Return so many bytes of the front, fewer at the end."""
        taken = bytearray()
        piece = memoryview(bytearray(min(size, _CHUNK)))
        while len(taken) < size and (n := self.readinto(piece[: size - len(taken)])):
            taken += piece[:n]
        return bytes(taken)


def _count(source: Any, form: RecordFormat, tally: Tally, tell: Callable[[int], None]) -> None:
    """Add all records of a source to a tally."""
    records, buffer = InputRecords(source, 0, form), allocate(_BUFFER + SLACK)
    pool = Pool(1, _BLOCK, 1)
    kernel = kernels.load("records")
    # It sees no record of a key that it wants: all keys are 0 under this mask.
    scatter = kernel.Scatter(
        pool.memory, pool.link_memory, allocate(ROW_BYTES), allocate(4), _BLOCK, 0, 0, 0, check_skipped=True
    )
    scatter.cover(1, 0, 0)
    begun, length = source.delivered, 0
    while (got := records.read(buffer, _CHUNK, _BUFFER)) is not None:
        if isinstance(got, Chunk):
            _, count = scatter.run(buffer, got.start, got.stop, 0, form.delimiter, form.record_bytes)
            tally.add(count, got.stop - got.start, 0)
        else:
            length = 0 if got.first else length
            tally.add(got.last, got.size, kernel.checksum(buffer, 0, got.size, length))
            length += got.size
        tell(source.delivered - begun)
    tally.add(0, 0, scatter.skipped)

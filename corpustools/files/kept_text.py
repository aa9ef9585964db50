"""What a kept file holds so far: its text is read back, and with it all that compressing it further takes."""

from __future__ import annotations

import os
import zlib
from dataclasses import dataclass
from typing import Any

from corpustools.errors import DataError, from_os
from corpustools.files.compressors import GZIP_PIECE, GZIP_WINDOW, ZSTD_JOB
from corpustools.files.page_cache import ReadBehind
from corpustools.files.streams import READ_BYTES

# The last block of a zstd frame, without content. Where a frame breaks off, python-zstandard gives the end of the text
# that zstd holds only while more input comes (findings/zstandard-streams-that-break-off.sh).
_LAST_BLOCK = b"\x01\x00\x00"
# What the frame for a checksum makes of so much text is held in memory until it is dropped.
_SLICE = 128 << 10
# gzip with its head and its ends.
_GZIP_WINDOW_BITS = 31


class FrameChecksum:
    """The checksum of a zstd frame's content, of which the library tells nothing but the one at the end of a frame.

    So a second frame is made for it, as fast as the library goes, and thrown away.
    """

    def __init__(self) -> None:
        import zstandard

        settings = zstandard.ZstdCompressionParameters.from_level(-100, window_log=10, write_checksum=1)
        self._compressor = zstandard.ZstdCompressor(compression_params=settings).compressobj()

    def update(self, data: bytes) -> None:
        """Take further text."""
        for at in range(0, len(data), _SLICE):
            self._compressor.compress(data[at : at + _SLICE])

    def digest(self) -> bytes:
        """Return the four bytes that end a frame of all text; no more is taken."""
        return self._compressor.flush()[-4:]


@dataclass
class Front:
    """The text that a kept compressed file holds, all of it whole pieces.

    Attributes:
        size: bytes of text.
        checksum: its CRC-32.
        last: the end of it, a piece at most.
        frame: the checksum of its frame so far, for zstd.
    """

    size: int
    checksum: int
    last: bytes
    frame: FrameChecksum | None


class KeptText:
    """The text of a kept file, whole or not, decoded as far as its bytes go.

    Args:
        path: the file.
        size: bytes of it that count.
        codec: gz, zst or None.
        unfinished: whether more is to be compressed behind it, so that `front` is wanted.

    Attributes:
        name: what messages call it.
        delivered: bytes of text that were read.

    Raises:
        SystemFailure: the file cannot be read.
    """

    def __init__(self, path: str, size: int, codec: str | None, unfinished: bool) -> None:
        self.name, self._left, self._codec = path, size, codec
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            raise from_os(error, f"{path}: cannot be read", "the journal beside it needs this file") from error
        self._behind = ReadBehind(self._descriptor, size)
        self._read_bytes = self.delivered = 0
        self._keeps = unfinished and codec is not None
        self._crc, self._last = 0, bytearray()
        self._look_back = ZSTD_JOB if codec == "zst" else GZIP_WINDOW
        self._frame = FrameChecksum() if self._keeps and codec == "zst" else None
        self._end = _LAST_BLOCK if self._keeps and codec == "zst" and size else b""
        self._errors: tuple[type[Exception], ...] = (zlib.error,)
        self._member: Any = zlib.decompressobj(_GZIP_WINDOW_BITS) if codec == "gz" else None
        self._frames: Any = self._zstd_reader() if codec == "zst" else None

    def readinto(self, view: memoryview) -> int:
        """Fill the front of the view with text; 0 at the end.

        Raises:
            DataError: the compressed data is damaged.
            SystemFailure: the file cannot be read.
        """
        try:
            n = self._decode(view)
        except self._errors as error:
            raise damaged(self.name) from error
        self.delivered += n
        if n and self._keeps:
            self._keep(bytes(view[:n]))
        return n

    def read(self, size: int) -> bytes:
        """Return up to `size` further bytes of the file itself, and an end that an unfinished zstd frame lacks."""
        size = min(size, self._left)
        if not size:
            behind, self._end = self._end, b""
            return behind
        try:
            data = os.read(self._descriptor, size)
        except OSError as error:
            raise from_os(error, f"{self.name}: reading failed after byte {self._read_bytes}") from error
        if not data:
            raise damaged(self.name)
        self._left -= len(data)
        self._read_bytes += len(data)
        self._behind.passed(self._read_bytes)
        return data

    def front(self) -> Front | None:
        """Return what goes on with the file takes, once all of it was read; None for a file that is not compressed.

        Raises:
            DataError: the text is no whole pieces.
        """
        if not self._keeps:
            return None
        piece, ended = (GZIP_PIECE, self._member.eof) if self._codec == "gz" else (ZSTD_JOB, False)
        if ended or self.delivered % piece:
            raise damaged(self.name)
        return Front(self.delivered, self._crc, bytes(self._last), self._frame)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _decode(self, view: memoryview) -> int:
        if self._codec == "zst":
            n = int(self._frames.readinto(view))
            if not n and self._left:
                raise damaged(self.name)
            return n
        if self._codec == "gz":
            return self._inflate(view)
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def _inflate(self, view: memoryview) -> int:
        member = self._member
        while not member.eof:
            raw = member.unconsumed_tail or self.read(READ_BYTES)
            text = member.decompress(raw, len(view))
            if text or not raw:
                view[: len(text)] = text
                return len(text)
        if member.unused_data or self._left:
            raise damaged(self.name)
        return 0

    def _keep(self, text: bytes) -> None:
        self._crc = zlib.crc32(text, self._crc)
        self._last += text
        del self._last[: -self._look_back]
        if self._frame is not None:
            self._frame.update(text)

    def _zstd_reader(self) -> Any:
        import zstandard

        self._errors = (zstandard.ZstdError,)
        source: Any = self
        return zstandard.ZstdDecompressor().stream_reader(source, read_size=READ_BYTES)


def damaged(name: str) -> DataError:
    """Return the failure of an unfinished file that does not hold what its journal says."""
    return DataError(f"{name}: does not hold what its journal says", "remove both to begin from the front")

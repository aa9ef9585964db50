"""zstd decoded frame by frame into a buffer; the frames' outline tells a torn file from a whole one."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from corpustools.errors import DataError
from corpustools.files.streams import READ_BYTES, Reader

MAGIC = b"\x28\xb5\x2f\xfd"
SKIPPABLE = tuple(bytes([low]) + b"\x2a\x4d\x18" for low in range(0x50, 0x60))
# The largest window that the format's reference decoder takes on 64-bit machines (what --long=31 writes).
LARGEST_WINDOW = 1 << 31
# What the library says, by the room in the view, of a frame that holds more than its header tells.
_ALSO_DAMAGE = ("Destination buffer is too small", "Src size is incorrect")
# The most that a block holds.
LONGEST_BLOCK = 1 << 17


class ZstdReader:
    """Decodes zstd frames one after another, skippable ones included.

    Args:
        raw: the bytes of the file from `begin` on, where a frame begins.
        name: what messages call the file.
        memory: what a frame may ask for, in bytes.
        begin: a byte of the file.
        stop: end at the first place from there on that is between two frames; None: at the end of the file.
    """

    def __init__(self, raw: Reader, name: str, memory: int, begin: int = 0, stop: int | None = None) -> None:
        import zstandard

        self._error: type[Exception] = zstandard.ZstdError
        self._name = name
        self._frames = _FrameWalk(raw, name, memory, begin, stop)
        source: Any = self._frames
        # The walk refuses windows that the memory does not allow, with both figures; the decoder takes all others.
        self._reader = zstandard.ZstdDecompressor(max_window_size=LARGEST_WINDOW).stream_reader(
            source, read_size=READ_BYTES, read_across_frames=True
        )

    @property
    def stopped(self) -> int | None:
        """The byte of the file at which it stopped, between two frames; None while it goes on."""
        return self._frames.stopped

    def readinto(self, view: memoryview) -> int:
        """Fill the front of the view with decoded bytes; 0 after the last frame.

        Raises:
            DataError: the file is torn or damaged, or asks for more memory than it may have.
        """
        try:
            n: int = self._reader.readinto(view)
        except self._error as error:
            reason = str(error)
            for words in _ALSO_DAMAGE:
                reason = reason.replace(words, "Data corruption detected")
            raise DataError(
                f"{self._name}: not valid zstd data near byte {self._frames.read_bytes} ({reason})",
                "the file is damaged, or was made against another one (zstd -D, --patch-from): decompress it with that",
            ) from error
        if not n and self.stopped is None and not self._frames.between_frames:
            raise DataError(
                f"{self._name}: the zstd data ends inside a frame (after byte {self._frames.read_bytes})",
                "the file is torn: fetch or write it again",
            )
        return n


def header_bytes(descriptor: int) -> int:
    """Return how many bytes a frame's header has behind the magic, by its first byte, the descriptor."""
    single = descriptor >> 5 & 1
    return 1 + 1 - single + (0, 1, 2, 4)[descriptor & 3] + (single, 2, 4, 8)[descriptor >> 6]


def frame_needs(header: bytes) -> tuple[int, int]:
    """Return the window's bytes and the dictionary's id (0: none) that a frame's header asks for.

    Args:
        header: the whole header behind the magic (RFC 8878, section 3.1.1.1).
    """
    single, at = header[0] >> 5 & 1, 1
    window = 0
    if not single:
        base = 1 << 10 + (header[1] >> 3)
        window, at = base + base // 8 * (header[1] & 7), 2
    size = (0, 1, 2, 4)[header[0] & 3]
    dictionary = int.from_bytes(header[at : at + size], "little")
    if single:
        # The content itself is the window.
        window = content_bytes(header) or 0
    return window, dictionary


def content_bytes(header: bytes) -> int | None:
    """Return how many bytes a frame says that it holds, by its whole header behind the magic; None: it does not say."""
    size = (header[0] >> 5 & 1, 2, 4, 8)[header[0] >> 6]
    # Contents of two bytes count from 256.
    return int.from_bytes(header[-size:], "little") + (256 if size == 2 else 0) if size else None


def first_window(head: bytes) -> int:
    """Return the window that the first frame of a stream asks for, 0 where its header is not whole in `head`."""
    behind = head[4:] if head.startswith(MAGIC) else b""
    if not behind or len(behind) < header_bytes(behind[0]):
        return 0
    return frame_needs(behind[: header_bytes(behind[0])])[0]


class _FrameWalk:
    """Reads on behalf of the decoder and follows the frames' outline (RFC 8878, section 3.1).

    The decoder's stream takes the end of its input for the end of the data, whole or not; only the outline tells.
    """

    def __init__(self, raw: Reader, name: str, memory: int, begin: int, stop: int | None) -> None:
        self._raw, self._name, self._memory = raw, name, memory
        self._buffer = bytearray(READ_BYTES)
        self.read_bytes = begin
        self._stop: float = math.inf if stop is None else stop
        self.stopped: int | None = None
        self._skip = 0
        self._head = b""
        self._want = 4
        # No bound method, which would hold this object.
        self._step: Callable[[_FrameWalk, bytes], None] = _FrameWalk._magic
        self._checksum = self._descriptor_byte = 0
        self.between_frames = True

    def read(self, size: int) -> bytes:
        """Return up to `size` further bytes, but none behind the frame at which to stop."""
        if self.stopped is None and self.between_frames and self.read_bytes >= self._stop:
            self.stopped = self.read_bytes
        if self.stopped is not None:
            return b""
        n = self._raw.readinto(memoryview(self._buffer)[: min(size, READ_BYTES)])
        self.read_bytes += n
        data = bytes(memoryview(self._buffer)[:n])
        at = 0
        while at < n:
            if self.stopped is None and self.between_frames and self.read_bytes - n + at >= self._stop:
                # The outline is followed all the same: what is wrong with it is told before what is wrong inside.
                self.stopped = self.read_bytes - n + at
                data = data[:at]
            if self._skip:
                step = min(self._skip, n - at)
                self._skip -= step
                at += step
                self.between_frames = not self._skip and self._step is _FrameWalk._magic
                continue
            piece = self._buffer[at : min(n, at + self._want - len(self._head))]
            at += len(piece)
            self._head += piece
            self.between_frames = False
            if len(self._head) == self._want:
                head, self._head = self._head, b""
                self._step(self, head)
                self.between_frames = not self._skip and self._step is _FrameWalk._magic and not self._head
        return data

    def _next(self, step: Callable[[_FrameWalk, bytes], None], want: int, skip: int = 0) -> None:
        self._step, self._want, self._skip = step, want, skip

    def _magic(self, head: bytes) -> None:
        if head.startswith(SKIPPABLE):
            self._next(_FrameWalk._skippable, 4)
        else:
            self._next(_FrameWalk._descriptor, 1)

    def _skippable(self, head: bytes) -> None:
        self._next(_FrameWalk._magic, 4, int.from_bytes(head, "little"))

    def _descriptor(self, head: bytes) -> None:
        self._descriptor_byte = head[0]
        self._checksum = 4 * (head[0] >> 2 & 1)
        self._next(_FrameWalk._fields, header_bytes(head[0]) - 1)

    def _fields(self, head: bytes) -> None:
        window, dictionary = frame_needs(bytes([self._descriptor_byte]) + head)
        if dictionary:
            raise DataError(
                f"{self._name}: the zstd data near byte {self.read_bytes} needs the dictionary {dictionary}",
                "decompress it with zstd -D DICTIONARY first",
            )
        if window > self._memory:
            raise DataError(
                f"{self._name}: the zstd data near byte {self.read_bytes} asks for a window of {window} bytes, "
                f"and decoding may take {self._memory}",
                "give more memory, or decompress it in a pipe with zstd -dc --long=31",
            )
        self._next(_FrameWalk._block, 3)

    def _block(self, head: bytes) -> None:
        word = int.from_bytes(head, "little")
        size = 1 if word >> 1 & 3 == 1 else word >> 3
        if word & 1:
            self._next(_FrameWalk._magic, 4, size + self._checksum)
        else:
            self._next(_FrameWalk._block, 3, size)

"""Compressed streams by content: decoders that fill a buffer, and encoders of independent pieces.

The only file that names a codec. Decoders know concatenated members and frames, bound their output by the buffer they
are given, and tell a torn file from a whole one.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any, Protocol

from corpustools.errors import DataError, UsageError

MAGICS = {b"\x1f\x8b": "gz", b"\x28\xb5\x2f\xfd": "zst", b"BZh": "bz2", b"\xfd7zXZ\x00": "xz"}
SKIPPABLE = tuple(bytes([low]) + b"\x2a\x4d\x18" for low in range(0x50, 0x60))
WRITABLE = {".gz": "gz", ".zst": "zst"}
REFUSED = (".bz2", ".xz", ".lz4", ".zip", ".7z")
# Bytes that one piece of a compressed output holds; fixed, so that the compressed bytes do not depend on the memory.
PIECE = 1 << 20
_READ = 1 << 18


class Reader(Protocol):
    """A source of bytes."""

    def readinto(self, view: memoryview) -> int:
        """Fill the front of the view and return how many bytes came; 0 at the end."""


def detect(head: bytes) -> str | None:
    """Return the codec whose magic the first bytes carry: gz, zst, bz2, xz, or None for plain bytes."""
    if head.startswith(SKIPPABLE):
        return "zst"
    return next((codec for magic, codec in MAGICS.items() if head.startswith(magic)), None)


def output_codec(path: str) -> str | None:
    """Return the codec that a path's suffix asks for, or None.

    Raises:
        UsageError: the suffix is that of a format which can only be read.
    """
    for suffix, codec in WRITABLE.items():
        if path.endswith(suffix):
            return codec
    if path.endswith(REFUSED):
        raise UsageError(f"{path}: this compression cannot be written", "outputs may end in .zst or .gz")
    return None


def decoder(codec: str, raw: Reader, name: str, memory: int) -> Reader:
    """Return a reader of the decoded bytes of raw; `memory` bounds what the format may ask for."""
    return ZstdReader(raw, name, memory) if codec == "zst" else MemberReader(codec, raw, name, memory)


class MemberReader:
    """Decodes gz, bz2 and xz: members one after another, with the zero padding that gz and xz allow."""

    def __init__(self, codec: str, raw: Reader, name: str, memory: int) -> None:
        self._codec, self._raw, self._name, self._memory = codec, raw, name, memory
        self._buffer = memoryview(bytearray(_READ))
        self._rest: bytes = b""
        self._read = 0
        self._member: Any = None

    def readinto(self, view: memoryview) -> int:
        """Fill the front of the view with decoded bytes; 0 after the last member.

        Raises:
            DataError: the file is torn or damaged, or what follows a member is no member.
        """
        while True:
            if not self._rest and (self._member is None or self._member.needs_input):
                n = self._raw.readinto(self._buffer)
                self._read += n
                if not n:
                    if self._member is not None:
                        raise DataError(
                            f"{self._name}: the {self._codec} data ends inside a member (after byte {self._read})",
                            "the file is torn: fetch or write it again",
                        )
                    return 0
                self._rest = bytes(self._buffer[:n])
            if self._member is None and not self._begin():
                continue
            decoded = self._decode(len(view))
            if self._member.eof:
                self._rest = self._member.unused_data
                self._member = None
            if decoded:
                view[: len(decoded)] = decoded
                return len(decoded)

    def _begin(self) -> bool:
        """Start the next member at the front of the rest; False when there is only padding."""
        if self._codec != "bz2":
            self._rest = self._rest.lstrip(b"\0")
        if not self._rest:
            return False
        self._member = _MEMBERS[self._codec](self._memory)
        return True

    def _decode(self, limit: int) -> bytes:
        from lzma import LZMAError

        data, self._rest = self._rest, b""
        try:
            decoded: bytes = self._member.decompress(data, limit)
        except (zlib.error, LZMAError, OSError, EOFError, MemoryError) as error:  # bz2 raises OSError
            if "emory" in str(error):
                raise DataError(
                    f"{self._name}: decoding the {self._codec} data needs more memory than it may have",
                    "give a larger --memory",
                ) from error
            raise DataError(
                f"{self._name}: not valid {self._codec} data near byte {self._read} ({error})",
                "the file is damaged, or has other bytes behind its end",
            ) from error
        return decoded


class _ZlibMember:
    """zlib's decompressor with the interface of bz2's and lzma's."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(31)

    def decompress(self, data: bytes, limit: int) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, limit)

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail and not self.eof

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data


def _bz2_member(memory: int) -> Any:
    import bz2

    return bz2.BZ2Decompressor()


def _xz_member(memory: int) -> Any:
    import lzma

    return lzma.LZMADecompressor(memlimit=memory)


_MEMBERS: dict[str, Callable[[int], Any]] = {
    "gz": lambda memory: _ZlibMember(),
    "bz2": _bz2_member,
    "xz": _xz_member,
}


class ZstdReader:
    """Decodes zstd frames one after another, skippable ones included."""

    def __init__(self, raw: Reader, name: str, memory: int) -> None:
        import zstandard

        self._error: type[Exception] = zstandard.ZstdError
        self._name = name
        self._frames = _FrameWalk(raw)
        # The decoder takes window sizes up to its bound; a frame that asks for more is refused by it.
        window = 1 << max(10, min(memory, 1 << 31).bit_length() - 1)
        source: Any = self._frames
        self._reader = zstandard.ZstdDecompressor(max_window_size=window).stream_reader(
            source, read_size=_READ, read_across_frames=True
        )

    def readinto(self, view: memoryview) -> int:
        """Fill the front of the view with decoded bytes; 0 after the last frame.

        Raises:
            DataError: the file is torn or damaged, or asks for more memory than it may have.
        """
        try:
            n: int = self._reader.readinto(view)
        except self._error as error:
            if "memory" in str(error):
                raise DataError(
                    f"{self._name}: decoding needs a larger window than the memory allows ({error})",
                    "give a larger --memory",
                ) from error
            raise DataError(
                f"{self._name}: not valid zstd data near byte {self._frames.read_bytes} ({error})",
                "the file is damaged",
            ) from error
        if not n and not self._frames.between_frames:
            raise DataError(
                f"{self._name}: the zstd data ends inside a frame (after byte {self._frames.read_bytes})",
                "the file is torn: fetch or write it again",
            )
        return n


class _FrameWalk:
    """Reads on behalf of the decoder and follows the frames' outline (RFC 8878, section 3.1).

    The decoder's stream takes the end of its input for the end of the data, whole or not; only the outline tells.
    """

    def __init__(self, raw: Reader) -> None:
        self._raw = raw
        self._buffer = bytearray(_READ)
        self.read_bytes = 0
        self._skip = 0
        self._head = b""
        self._want = 4
        self._step: Callable[[bytes], None] = self._magic
        self._checksum = 0
        self.between_frames = True

    def read(self, size: int) -> bytes:
        """Return up to `size` further bytes."""
        n = self._raw.readinto(memoryview(self._buffer)[: min(size, _READ)])
        self.read_bytes += n
        data = bytes(memoryview(self._buffer)[:n])
        at = 0
        while at < n:
            if self._skip:
                step = min(self._skip, n - at)
                self._skip -= step
                at += step
                self.between_frames = not self._skip and self._step == self._magic
                continue
            piece = data[at : at + self._want - len(self._head)]
            at += len(piece)
            self._head += piece
            self.between_frames = False
            if len(self._head) == self._want:
                head, self._head = self._head, b""
                self._step(head)
                self.between_frames = not self._skip and self._step == self._magic and not self._head
        return data

    def _next(self, step: Callable[[bytes], None], want: int, skip: int = 0) -> None:
        self._step, self._want, self._skip = step, want, skip

    def _magic(self, head: bytes) -> None:
        if head.startswith(SKIPPABLE):
            self._next(self._skippable, 4)
        else:
            self._next(self._descriptor, 1)

    def _skippable(self, head: bytes) -> None:
        self._next(self._magic, 4, int.from_bytes(head, "little"))

    def _descriptor(self, head: bytes) -> None:
        single = head[0] >> 5 & 1
        self._checksum = 4 * (head[0] >> 2 & 1)
        content = (single, 2, 4, 8)[head[0] >> 6]
        self._next(self._block, 3, 1 - single + (0, 1, 2, 4)[head[0] & 3] + content)

    def _block(self, head: bytes) -> None:
        word = int.from_bytes(head, "little")
        size = 1 if word >> 1 & 3 == 1 else word >> 3
        if word & 1:
            self._next(self._magic, 4, size + self._checksum)
        else:
            self._next(self._block, 3, size)


def encoder(codec: str) -> Callable[[bytes], bytes]:
    """Return a function that turns bytes into one whole member or frame; not to be shared between threads."""
    if codec == "gz":
        return _gzip_member
    import zstandard

    compressor = zstandard.ZstdCompressor(level=3, write_checksum=True)
    return compressor.compress


def _gzip_member(data: bytes) -> bytes:
    # A fixed header (no name, no time) keeps the bytes a function of the data.
    inner = zlib.compressobj(6, zlib.DEFLATED, 31)
    return inner.compress(data) + inner.flush()

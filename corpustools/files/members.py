"""gz, bz2 and xz decoded member by member, into a buffer of the caller's."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from typing import Any

from corpustools.errors import DataError
from corpustools.files.streams import READ_BYTES, Reader

# Of a member: the magic, the method and the flags, of which the upper three are reserved.
_MAGIC, _FRONT, _RESERVED = b"\x1f\x8b", 4, 0xE0


class MemberReader:
    """Decodes gz, bz2 and xz: members one after another, with the zero padding that gz and xz allow.

    Args:
        codec: gz, bz2 or xz.
        raw: the bytes of the file from `begin` on, where a member begins.
        name: what messages call the file.
        memory: what a member may ask for, in bytes.
        begin: a byte of the file.
        stop: end at the first place from there on that is between two members; None: at the end of the file.

    Attributes:
        stopped: the byte of the file at which it stopped, between two members; None while it goes on.
    """

    def __init__(
        self, codec: str, raw: Reader, name: str, memory: int, begin: int = 0, stop: int | None = None
    ) -> None:
        self._codec, self._raw, self._name, self._memory = codec, raw, name, memory
        self._buffer = memoryview(bytearray(READ_BYTES))
        self._rest: bytes = b""
        self._read = begin
        self._stop: float = math.inf if stop is None else stop
        self._member: Any = None
        self.stopped: int | None = None

    def readinto(self, view: memoryview) -> int:
        """Fill the front of the view with decoded bytes; 0 after the last member.

        Raises:
            DataError: the file is torn or damaged, or what follows a member is no member.
        """
        while True:
            if self._member is None and self._read - len(self._rest) >= self._stop:
                self.stopped = self._read - len(self._rest)
                return 0
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
                    "give more memory",
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


class _IgzipMember:
    """igzip's decompressor, which refuses at the front of a member what zlib refuses there.

    igzip waits for more behind bytes that are no member, so that the file looks torn, and takes flags that are reserved
    (RFC 1952, section 2.3.1.2).
    """

    def __init__(self, library: Any) -> None:
        self._error: type[Exception] = library.IsalError
        self._inner = library.IgzipDecompressor(flag=library.DECOMP_GZIP)
        self._front = b""

    def decompress(self, data: bytes, limit: int) -> bytes:
        if len(self._front) < _FRONT:
            fresh = data[: _FRONT - len(self._front)]
            self._front += fresh
            _require_member(self._front)
        try:
            decoded: bytes = self._inner.decompress(data, limit)
        except self._error as error:
            raise zlib.error(str(error)) from error
        return decoded

    @property
    def needs_input(self) -> bool:
        needs: bool = self._inner.needs_input
        return needs and not self.eof

    @property
    def eof(self) -> bool:
        ended: bool = self._inner.eof
        return ended

    @property
    def unused_data(self) -> bytes:
        rest: bytes = self._inner.unused_data
        return rest


def _require_member(front: bytes) -> None:
    """Refuse the first bytes of what is no gzip member.

    Raises:
        zlib.error: as zlib says it.
    """
    if len(front) > 1 and front[:2] != _MAGIC:
        raise zlib.error("Error -3 while decompressing data: incorrect header check")
    if front[2:3] not in (b"", b"\x08"):
        raise zlib.error("Error -3 while decompressing data: unknown compression method")
    if front[3:] and front[3] & _RESERVED:
        raise zlib.error("Error -3 while decompressing data: unknown header flags set")


def _gzip_member(memory: int) -> Any:
    try:
        # The extra [gzip]: the same bytes in half the time.
        from isal import igzip_lib
    except ImportError:
        return _ZlibMember()
    return _IgzipMember(igzip_lib)


def _bz2_member(memory: int) -> Any:
    import bz2

    return bz2.BZ2Decompressor()


def _xz_member(memory: int) -> Any:
    import lzma

    return lzma.LZMADecompressor(memlimit=memory)


_MEMBERS: dict[str, Callable[[int], Any]] = {
    "gz": _gzip_member,
    "bz2": _bz2_member,
    "xz": _xz_member,
}

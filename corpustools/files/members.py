"""gz, bz2 and xz decoded member by member, into a buffer of the caller's."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

from corpustools.errors import DataError
from corpustools.files.streams import READ_BYTES, Reader


class MemberReader:
    """Decodes gz, bz2 and xz: members one after another, with the zero padding that gz and xz allow."""

    def __init__(self, codec: str, raw: Reader, name: str, memory: int) -> None:
        self._codec, self._raw, self._name, self._memory = codec, raw, name, memory
        self._buffer = memoryview(bytearray(READ_BYTES))
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

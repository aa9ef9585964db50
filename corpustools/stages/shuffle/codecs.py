"""Temporary data made smaller: by which codecs, and by what one thread does so."""

from __future__ import annotations

from typing import Any

from corpustools import kernels

# The places are the marks that stand before packed data. The first packs nothing.
CODECS = ("raw", "lz4", "zstd")
RAW, LZ4, ZSTD = range(3)
# A compressor's tables for 64 KiB, and a decompressor.
_ZSTD_CONTEXTS = 512 << 10


class BlockCodec:
    """Packs and unpacks for one thread at a time; tables and contexts are made when they are first needed."""

    def __init__(self) -> None:
        self._lz4 = kernels.load("lz4")
        self._table = bytearray()
        self._compressor: Any = None
        self._decompressor: Any = None

    def pack(self, codec: int, text: Any, start: int, size: int, out: Any, at: int) -> int:
        """Write some bytes of a text, packed, to a place of `out` that has as much room.

        Args:
            codec: LZ4 or ZSTD.
            text: a buffer.
            start: the first byte that is packed.
            size: how many are.
            out: a buffer that can be written.
            at: where the packed bytes go.

        Returns:
            How many they are, or 0 where they are not fewer.
        """
        if codec == LZ4:
            if not self._table:
                self._table = bytearray(self._lz4.TABLE_BYTES)
            packed: int = self._lz4.compress(text, start, size, out, at, size, self._table)
            return packed if packed < size else 0
        if self._compressor is None:
            import zstandard

            self._compressor = zstandard.ZstdCompressor(level=1)
        frame = self._compressor.compress(memoryview(text)[start : start + size])
        if len(frame) >= size:
            return 0
        memoryview(out)[at : at + len(frame)] = frame
        return len(frame)

    def unpack(self, codec: int, data: Any, start: int, stored: int, out: Any, at: int, size: int) -> bool:
        """Write the `size` bytes that some packed bytes stand for; False where they stand for nothing of that size.

        Args:
            codec: LZ4 or ZSTD, by which they were packed.
            data: a buffer, of which nothing is taken for granted.
            start: the first packed byte.
            stored: how many they are.
            out: a buffer that can be written.
            at: where the bytes go.
            size: how many they are.
        """
        if codec == LZ4:
            return bool(self._lz4.decompress(data, start, stored, out, at, size) == size)
        import zstandard

        if self._decompressor is None:
            self._decompressor = zstandard.ZstdDecompressor()
        frame = memoryview(data)[start : start + stored]
        try:
            # What a damaged frame says of its size would be allocated.
            if zstandard.frame_content_size(frame) != size:
                return False
            memoryview(out)[at : at + size] = self._decompressor.decompress(frame)
        except (zstandard.ZstdError, ValueError):
            return False
        return True


def codec_bytes(spill: str) -> int:
    """Return what the tables and contexts of a BlockCodec take, where temporary data is kept like this."""
    if spill == "raw":
        return 0
    table: int = kernels.load("lz4").TABLE_BYTES
    return table if spill == "lz4" else table + _ZSTD_CONTEXTS

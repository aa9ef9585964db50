"""Bare ids cut into context windows of equal length, whatever the boundaries of records."""

from __future__ import annotations


class ContextWindows:
    """Takes bytes as they come and gives back whole windows; less than one window is held.

    Args:
        size: bytes of a window.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._held = bytearray()

    @property
    def held(self) -> int:
        """Bytes that fill no window yet."""
        return len(self._held)

    def feed(self, data: bytes | memoryview) -> bytes:
        """Return the windows that are whole now."""
        cut = (len(self._held) + len(data)) // self._size * self._size - len(self._held)
        if cut <= 0:
            self._held += data
            return b""
        whole = bytes(self._held + data[:cut])
        self._held = bytearray(data[cut:])
        return whole

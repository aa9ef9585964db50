"""What all sources of bytes have in common."""

from __future__ import annotations

from typing import Protocol

# What decoders read at a time.
READ_BYTES = 1 << 18


class Reader(Protocol):
    """A source of bytes."""

    def readinto(self, view: memoryview) -> int:
        """Fill the front of the view and return how many bytes came; 0 at the end."""

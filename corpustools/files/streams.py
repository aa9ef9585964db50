"""What all sources of bytes have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

# What decoders read at a time.
READ_BYTES = 1 << 18


class Reader(Protocol):
    """A source of bytes."""

    def readinto(self, view: memoryview) -> int:
        """Fill the front of the view and return how many bytes came; 0 at the end."""


class ReaderOf:
    """A source of bytes that a function gives."""

    def __init__(self, readinto: Callable[[memoryview], int]) -> None:
        self.readinto = readinto


def _closed(view: memoryview) -> int:
    raise ValueError("the input is closed")


CLOSED = ReaderOf(_closed)


class Decoder(Reader, Protocol):
    """Decodes members one after another, as far as it is told to."""

    @property
    def stopped(self) -> int | None:
        """The byte of the file at which it stopped between two members; None while it goes on."""

"""What a format knows of a model: how many ids there are, which are special, and how each is printed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Vocabulary:
    """The facts of a vocabulary.

    size: number of ids, added tokens included. Every id that can be written is below it.
    special: special ids under the names 'bos', 'eos', 'pad', 'unk', where present.
    make_names: returns how each id is printed, by id. It is called once, and only when names are asked for.
    name: what people call the model.
    """

    size: int
    special: Mapping[str, int]
    make_names: Callable[[], list[str]]
    name: str = "unnamed"

    @cached_property
    def names(self) -> list[str]:
        """How each id is printed: no name has a space or breaks a line; that of a padding entry is empty."""
        return self.make_names()


def piece_name(piece: bytes) -> str:
    """Return a piece's text with what is not printable, and spaces, as <0x..>."""
    text = piece.decode("utf-8", "surrogateescape")
    if text.isprintable() and " " not in text:
        return text
    return "".join(
        c if c.isprintable() and c != " " else "".join(f"<0x{b:02X}>" for b in c.encode("utf-8", "surrogateescape"))
        for c in text
    )

"""`pieces`: a line a segmentation, pieces separated by one space."""

from __future__ import annotations

from functools import cached_property

from corpustools.stages.tokenize.sinks import Segmented, Sink
from corpustools.stages.tokenize.tokenizer import Tokenizer


class PieceLines(Sink):
    """Text. What would break a line or a column, or is no UTF-8, is written as <0x20>."""

    def format(self, batch: Segmented) -> bytes:
        """Return the bytes of whole segmentations."""
        names = self.names
        ids, start, lines = batch.ids.tolist(), 0, []
        for end in batch.ends.tolist():
            lines.append(" ".join([names[i] for i in ids[start:end]]))
            start = end
        return "".join(line + "\n" for line in lines).encode()

    @cached_property
    def names(self) -> list[str]:
        """How each id is written."""
        model = self.tokenizer.model
        names = [piece_name(piece) for piece in model.pieces]
        if model.byte_ids is not None:
            for byte, i in enumerate(model.byte_ids.tolist()):
                names[i] = f"<0x{byte:02X}>"
        for name, i in model.control.items():
            names[i] = names[i] or f"<{name}>"
        return names


def piece_name(piece: bytes) -> str:
    """Return a piece's text with what is not printable, and spaces, as <0x..>."""
    text = piece.decode("utf-8", "surrogateescape")
    if text.isprintable() and " " not in text:
        return text
    return "".join(
        c if c.isprintable() and c != " " else "".join(f"<0x{b:02X}>" for b in c.encode("utf-8", "surrogateescape"))
        for c in text
    )


def make(tokenizer: Tokenizer, columns: tuple[str, ...]) -> Sink:
    """Return the sink."""
    return PieceLines(tokenizer, columns)

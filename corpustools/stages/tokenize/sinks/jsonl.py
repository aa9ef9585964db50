"""`jsonl`: an object a segmentation: `ids`, and what --with names."""

from __future__ import annotations

import json

from corpustools.stages.tokenize.sinks import Segmented, Sink, format_lines
from corpustools.stages.tokenize.sinks.pieces import PieceLines
from corpustools.stages.tokenize.tokenizer import Tokenizer


class Objects(Sink):
    """JSON lines. A number that is not finite is null: JSON has none."""

    def __init__(self, tokenizer: Tokenizer, columns: tuple[str, ...]) -> None:
        super().__init__(tokenizer, columns)
        self._names = [json.dumps(name) for name in PieceLines(tokenizer).names] if "pieces" in columns else []

    def format(self, batch: Segmented) -> bytes:
        """Return the bytes of whole segmentations."""
        lists = bytes(format_lines(batch.ids, batch.ends)).replace(b" ", b", ").decode().split("\n")
        ids = batch.ids.tolist() if self._names else []
        lines, start = [], 0
        for i, end in enumerate(batch.ends.tolist()):
            parts = [f'{{"ids": [{lists[i]}]']
            for name in self.columns:
                if name == "pieces":
                    parts.append(f'"pieces": [{", ".join([self._names[j] for j in ids[start:end]])}]')
                else:
                    parts.append(f'"{name}": {_number(batch.columns[name][i])}')
            lines.append(", ".join(parts) + "}\n")
            start = end
        return "".join(lines).encode()


def _number(value: float) -> str:
    return repr(value) if abs(value) < float("inf") else "null"


def make(tokenizer: Tokenizer, columns: tuple[str, ...]) -> Sink:
    """Return the sink."""
    return Objects(tokenizer, columns)

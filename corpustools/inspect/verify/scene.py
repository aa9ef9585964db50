"""What messages of a verification speak of, and how they show text and ids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from corpustools.stages.tokenize.models.model import Model


@dataclass(frozen=True)
class Scene:
    """What messages speak of.

    output: what they call the output.
    model: the model.
    bos, eos: the ids around every document, or -1.
    """

    output: str
    model: Model
    bos: int
    eos: int

    def text(self, data: bytes) -> str:
        """Return normalised text as people read it."""
        if data and max(data) > 0xF4:
            for form, surface in self.model.normalizer.surfaces.items():
                data = data.replace(form, surface)
        return data.replace(b"\xff", b"").decode("utf-8", "replace")

    def written(self, ids: np.ndarray[Any, Any]) -> str:
        """Return what ids say."""
        model, parts = self.model, []
        bytes_of = {} if model.byte_ids is None else {int(i): bytes([b]) for b, i in enumerate(model.byte_ids)}
        named = {i: f"<{name}>".encode() for name, i in model.control.items()}
        for i in ids.tolist():
            if i in named:
                parts.append(named[i])
            elif i in bytes_of:
                parts.append(bytes_of[i])
            elif 0 <= i < model.vocab_size:
                parts.append(model.pieces[i])
            else:
                parts.append(f"<{i}?>".encode())
        return self.text(b"".join(parts))

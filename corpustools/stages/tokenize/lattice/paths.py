"""Single paths through a text's lattice: listed arcs, tokens of a path, the path of tokens, its score."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from corpustools.errors import DataError
from corpustools.stages.tokenize.lattice.unwritable import Unwritable
from corpustools.stages.tokenize.lattice.weights import Weights
from corpustools.stages.tokenize.models.model import Model

# An arc as seen from its end: start and code. Codes are ids, and from the number of pieces on an unknown
# character of 1 … 4 bytes.
Arc = tuple[int, int]


def lattices(text: bytes, cuts: str) -> list[bytes]:
    """Return the parts of normalised text that are segmented each for itself, marks dropped."""
    if cuts == "newline-runs":
        return re.findall(rb"[^\n]*\n+|[^\n]+", text)
    if cuts == "marks":
        return [part for part in text.split(b"\xff") if part]
    return [text] if text else []


@dataclass(frozen=True)
class Lattice:
    """All arcs of a record's text.

    text: the normalised bytes without marks.
    ends: positions at which an arc ends, ascending.
    into: for each of them its arcs, the longest first, as the modes prefer them.
    """

    text: bytes
    ends: list[int]
    into: dict[int, list[Arc]]

    @cached_property
    def cuts(self) -> list[int]:
        """The positions that no arc spans, ascending, 0 and the end among them."""
        unspanned: list[int] = []
        low = len(self.text)
        for end in reversed(self.ends):
            if low >= end:
                unspanned.append(end)
            low = min(low, self.into[end][0][0])
        return [0, *reversed(unspanned)] if self.ends else [0]


def lattice_of(model: Model, weights: Weights, text: bytes) -> Lattice:
    """Return the lattice of one record's normalised text; memory grows with the text."""
    into: dict[int, list[Arc]] = {}
    base = 0
    parts = lattices(text, model.cuts)
    for part in parts:
        room = np.empty(3 * (8 * len(part) + 64), np.int64)
        count = weights.lattice.arcs(part, len(part), room, len(room) // 3)
        if 3 * count > len(room):
            room = np.empty(3 * count, np.int64)
            weights.lattice.arcs(part, len(part), room, count)
        for start, length, code in room[: 3 * count].reshape(-1, 3).tolist():
            into.setdefault(base + start + length, []).append((base + start, code))
        base += len(part)
    return Lattice(b"".join(parts), sorted(into), into)


def tokens(model: Model, text: bytes, codes: Iterable[int]) -> list[int]:
    """Return the ids of a path: unknown characters fused, or written in bytes, as the model has it.

    Raises:
        DataError: a character that the vocabulary cannot write.
    """
    return model.ids_of(written(model, text, codes))


def written(model: Model, text: bytes, codes: Iterable[int]) -> list[int]:
    """Return the pieces that a path is written in, as the kernel does it; `Model.ids_of` makes ids of them.

    Raises:
        DataError: a character that the vocabulary cannot write.
    """
    ids: list[int] = []
    at, behind_unknown = 0, False
    for code in codes:
        if code < len(model.pieces):
            ids.append(code)
            at += len(model.pieces[code])
            behind_unknown = False
            continue
        length = code - len(model.pieces) + 1
        if model.byte_ids is not None:
            ids.extend(int(model.byte_ids[byte]) for byte in text[at : at + length])
        elif model.unknown_id is None:
            raise Unwritable(0, "the text")
        elif not (model.fuse_unknown and behind_unknown):
            ids.append(model.unknown_id)
        at += length
        behind_unknown = True
    return ids


def path_of(model: Model, lattice: Lattice, ids: Sequence[int]) -> list[int]:
    """Return the codes of the path that is written `ids`.

    Raises:
        DataError: the ids are no segmentation of this text.
    """
    outgoing: dict[int, list[tuple[int, int]]] = {}
    for end, arcs in lattice.into.items():
        for start, code in arcs:
            outgoing.setdefault(start, []).append((end, code))
    # States are (position, ids read, whether the last arc was unknown); a depth-first walk that never comes
    # back to a state where it failed, so the time is bounded by their number.
    goal = (len(lattice.text), len(ids))
    stack: list[tuple[int, int, bool, tuple[object, int] | None]] = [(0, 0, False, None)]
    visited: set[tuple[int, int, bool]] = set()
    while stack:
        at, read, behind_unknown, path = stack.pop()
        if (at, read) == goal:
            codes = []
            while path is not None:
                codes.append(path[1])
                path = path[0]  # type: ignore[assignment]
            return codes[::-1]
        if (at, read, behind_unknown) in visited:
            continue
        visited.add((at, read, behind_unknown))
        for end, code in outgoing.get(at, ()):
            unknown = code >= len(model.pieces)
            made = tokens(model, lattice.text[at:end], [code])
            if unknown and behind_unknown and model.fuse_unknown and model.byte_ids is None:
                made = []
            if list(ids[read : read + len(made)]) == made:
                stack.append((end, read + len(made), unknown, (path, code)))
    raise DataError("these ids are no segmentation of this text under this model")


def score_of(weights: Weights, codes: Sequence[int]) -> float:
    """Return Σ log p of a path, in natural logarithms."""
    return float(np.sum(weights.scores[np.asarray(codes, np.int64)])) if codes else 0.0


def log_weight_of(weights: Weights, codes: Sequence[int]) -> float:
    """Return the logarithm of a path's weight: alpha · score + tokens · log length_weight."""
    return float(np.sum(weights.log_weights[np.asarray(codes, np.int64)])) if codes else 0.0

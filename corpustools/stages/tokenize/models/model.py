"""What every model file becomes, whatever its format: one vocabulary with scores, and how text reaches it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from corpustools.errors import UsageError
from corpustools.formats.vocabulary import piece_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from corpustools.stages.tokenize.bpe.merges import Merges
    from corpustools.stages.tokenize.text.normalize import Normalizer

Floats = np.ndarray[Any, np.dtype[np.float64]]
Integers = np.ndarray[Any, np.dtype[np.int32]]
Mask = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True)
class Model:
    """A vocabulary with scores, indexed by id, and the rules that lead from a record's text to its lattice.

    kind: 'sentencepiece-unigram', 'sentencepiece-bpe', 'bytepiece', 'hf-unigram', 'hf-bpe', 'tiktoken', 'tekken',
        'vocabulary' (piece TAB score) or 'counts' (word counts).
    pieces: the bytes that the lattice matches, in normalised text; the single byte for a byte piece <0x41>.
        Empty for a padding entry. Two ids may hold the same bytes only if at most one of them is an arc.
    scores: natural logarithms of probabilities, float64; exactly the float32 value where the file holds
        float32. Those of user-defined pieces are the file's (see `user_defined`).
    arc: may be an arc of the lattice.
    weighted: False where the scores are no log-probabilities (BPE merge ranks): only alpha = 0 is legal.
    unit: what a lattice position is, 'character' (of UTF-8), 'byte', or 'byte-level': a byte, or a character of
        four bytes that begins with one from 0xF5 on, which is no UTF-8 and stands for an added token or such a byte.
    unknown_id: id (or second piece, see `outputs`) of the arc over one character at which no one-character arc starts;
        None where every position is reachable by arcs.
    unknown_score: score of that arc.
    fuse_unknown: neighbouring unknown arcs are one token.
    byte_ids: the 256 ids that replace an unknown character's bytes after the path is known, int32; or None.
    user_defined: pieces whose score is 0.1 * (length - 1) instead of the file's (SentencePiece 0.2.3: length
        in bytes for the best path, in characters under sampling).
    control: ids under the names 'bos', 'eos', 'pad', 'unk', where present.
    normalizer: from a record's bytes to the bytes that are segmented, and back.
    cuts: how normalised text is cut into lattices. 'none': one record, one lattice. 'newline-runs': behind
        every run of newlines. 'marks': at every byte 0xFF, which is no text itself; empty parts are dropped.
    special: ids of special tokens that have no name in `control`.
    invisible: ids that leave no text behind when they are decoded (control pieces).
    unknown_surface: the text that stands for the unknown id when it is decoded.
    outputs: the id that each piece is written as, int32, where some ids have a second piece behind all ids: one for
        the text that the lattice meets, one for the character that stands for the token where it was found before,
        one for unknown characters; None: each piece is its own id.
    decoder: returns the text of ids where it is not what pieces and normalizer say; or None.
    notes: what a user of this file should know, a sentence each.
    file: the content of the file, where the model is a byte-pair one: its own library can be asked too.
    merges: what byte-pair encoding joins, or None where the model is none of that.
    """

    kind: str
    pieces: list[bytes]
    scores: Floats
    arc: Mask
    weighted: bool
    unit: str
    unknown_id: int | None
    unknown_score: float
    fuse_unknown: bool
    byte_ids: Integers | None
    user_defined: Mask
    control: dict[str, int]
    normalizer: Normalizer
    cuts: str
    special: frozenset[int] = frozenset()
    invisible: frozenset[int] = field(default_factory=frozenset)
    unknown_surface: bytes = b""
    outputs: Integers | None = None
    decoder: Callable[[Iterable[int]], bytes] | None = None
    notes: tuple[str, ...] = ()
    file: bytes = field(default=b"", repr=False)
    merges: Merges | None = None

    @property
    def vocab_size(self) -> int:
        """The number of ids that an output may hold: an unknown id that bytes always replace is none."""
        if self.outputs is not None:
            return int(self.outputs.max()) + 1
        last = len(self.pieces) - 1
        hidden = self.byte_ids is not None and self.unknown_id == last and last not in self.control.values()
        return last if hidden else last + 1

    def require_merges(self, what: str) -> None:
        """Check that the model has merges, which `what` is about.

        Raises:
            UsageError: it has none.
        """
        if self.merges is None:
            remedy = "sample with alpha" if self.weighted else "give a model with merges"
            raise UsageError(f"this {self.kind} model has no merges, so {what} is not defined", remedy)

    @property
    def word_cuts(self) -> str:
        """Where words begin that merges never join.

        'marks': behind every byte 0xFF. 'space-marks': there, and before a ▁ that follows another character, except
        behind the few that a piece holds before an inner ▁. 'none': a record is one word.
        """
        if self.merges is not None and self.merges.begins:
            return "space-marks"
        return "marks" if self.cuts == "marks" else "none"

    def ids_of(self, pieces: list[int]) -> list[int]:
        """Return the ids that pieces are written as."""
        return pieces if self.outputs is None else [int(self.outputs[piece]) for piece in pieces]

    @cached_property
    def special_ids(self) -> frozenset[int]:
        """The ids of special tokens. A byte piece is none, whatever the file calls it."""
        byte_ids = frozenset() if self.byte_ids is None else frozenset(self.byte_ids.tolist())
        return (self.special | frozenset(self.control.values())) - byte_ids

    @cached_property
    def special_codes(self) -> Mask | None:
        """The arcs that are special tokens: text can become these. By piece, bool; None where there are none."""
        ids = np.arange(len(self.pieces)) if self.outputs is None else self.outputs
        found = self.arc & np.isin(ids, list(self.special_ids))
        return found if found.any() else None

    @property
    def written_special(self) -> frozenset[int]:
        """The codes that are written as special tokens, whether they are arcs or made by merges."""
        ids = np.arange(len(self.pieces)) if self.outputs is None else self.outputs
        return frozenset(np.flatnonzero(np.isin(ids, list(self.special_ids))).tolist())


def piece_names(model: Model) -> list[str]:
    """Return how each id is printed: a piece's text, <0x41> for a byte piece, <bos> for a control id without text."""
    # What is no text itself, an added token, is printed as the text that it stands for.
    surfaces = model.normalizer.surfaces
    names = [piece_name(surfaces.get(piece, piece)) for piece in model.pieces[: model.vocab_size]]
    if model.byte_ids is not None:
        for byte, i in enumerate(model.byte_ids.tolist()):
            names[i] = f"<0x{byte:02X}>"
    for name, i in model.control.items():
        names[i] = names[i] or f"<{name}>"
    return names

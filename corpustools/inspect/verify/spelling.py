"""What the ids of a model write in normalised text, as the kernel wants it."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import numpy as np

from corpustools.kernels import load
from corpustools.stages.tokenize.models.model import Model

# Codes that a bit says of whether they are pieces.
_CODES = 1 << 21


def spelling_of(model: Model, bos: bool, eos: bool) -> Any:
    """Return the kernel's tables for documents of a model: `Spelling` in corpustools.kernels.verify.plain.

    An id spells what its piece is in normalised text. Of the other ids, the unknown one spells characters that are no
    pieces of their own, and byte ids their bytes; no other id spells anything.

    Args:
        model: the model.
        bos: every document begins with the model's bos id.
        eos: every document ends with its eos id.
    """
    arcs = np.flatnonzero(model.arc)
    owners = arcs if model.outputs is None else model.outputs[arcs]
    order = np.argsort(owners, kind="stable")
    pieces = [model.pieces[i] for i in arcs[order].tolist()]
    size = model.vocab_size
    byte_of = np.full(max(size, 1), -1, np.int16)
    if model.byte_ids is not None:
        byte_of[model.byte_ids] = np.arange(256)
    return load("verify").Spelling(
        b"".join(pieces),
        np.array([*accumulate(map(len, pieces), initial=0)], np.int64),
        np.searchsorted(owners[order], np.arange(size + 1)).astype(np.int32),
        byte_of,
        known_characters(pieces),
        size,
        # As it is written: within a lattice it may be a second piece.
        -1 if model.unknown_id is None else model.ids_of([model.unknown_id])[0],
        model.fuse_unknown,
        model.control["bos"] if bos else -1,
        model.control["eos"] if eos else -1,
        model.cuts == "marks",
    )


def known_characters(pieces: list[bytes]) -> bytes:
    """Return a bit for each code: whether the character is a piece of its own."""
    known = np.zeros(_CODES, np.uint8)
    for piece in pieces:
        # Pieces may hold codes beyond Unicode, in the same pattern of bits.
        lead = piece[0]
        length = 1 if lead < 0xC0 else 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
        if len(piece) != length:
            continue
        code = lead if length == 1 else lead & (0x7F >> length)
        for byte in piece[1:]:
            code = code << 6 | byte & 0x3F
        known[code & _CODES - 1] = 1
    return np.packbits(known, bitorder="little").tobytes()

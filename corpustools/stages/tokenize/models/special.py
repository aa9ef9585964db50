"""Special tokens as text: a model that makes none, whatever stands in a record."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from corpustools.errors import UnsupportedModel
from corpustools.formats.vocabulary import piece_name
from corpustools.stages.tokenize.bpe.merges import Merges
from corpustools.stages.tokenize.models.model import Mask, Model

# Bytes of UTF-8 text.
_BYTES_OF_TEXT = frozenset(range(0xF5)) - {0xC0, 0xC1}


def without_special(model: Model) -> Model:
    """Return a model that segments the text of a special token like any other text.

    Its ids, their meaning and its decoder are those of the model; only the arcs that are special tokens are gone. A
    model whose special tokens no text can become is returned as it is.

    Raises:
        UnsupportedModel: a byte can be written as a special token only.
    """
    codes = model.special_codes
    if codes is None:
        return model
    merges = None if model.merges is None else _without(model.merges, model.written_special, model.pieces)
    arc = model.arc & ~codes
    if model.unit == "byte-level":
        _require_bytes(model, arc)
    pieces = frozenset(model.pieces[code] for code in np.flatnonzero(codes).tolist())
    return replace(
        model,
        arc=arc,
        user_defined=model.user_defined & ~codes,
        normalizer=model.normalizer.without_special(pieces, model.special_ids),
        merges=merges,
    )


def _without(merges: Merges, special: frozenset[int], pieces: list[bytes]) -> Merges:
    """Return merges that write no special token: one that they make is taken apart again, into what it was made of."""
    parts: dict[int, tuple[int, ...]] = {}
    making = np.flatnonzero(np.isin(merges.made, list(special))).tolist()
    # Shorter ones first, so that the parts of a part are known.
    for i in sorted(making, key=lambda i: (len(pieces[merges.made[i]]), merges.priority[i])):
        pair = (int(merges.left[i]), int(merges.right[i]))
        found = tuple(one for code in pair for one in parts.get(code, merges.apart.get(code, (code,))))
        parts.setdefault(int(merges.made[i]), found)
    return replace(
        merges,
        letters={text: code for text, code in merges.letters.items() if code not in special},
        wholes={text: code for text, code in merges.wholes.items() if code not in special},
        symbols={text: code for text, code in merges.symbols.items() if code not in special},
        apart={
            code: tuple(one for part in row for one in parts.get(part, (part,)))
            for code, row in {**merges.apart, **parts}.items()
        },
    )


def _require_bytes(model: Model, arc: Mask) -> None:
    """Check that every byte of a text still has a piece; nothing else could stand for it."""
    left = {model.pieces[i] for i in np.flatnonzero(arc).tolist()}
    for byte in sorted(_BYTES_OF_TEXT):
        piece = bytes([byte])
        if piece in model.pieces and piece not in left:
            raise UnsupportedModel(
                f"the special token {piece_name(piece)!r} is the only piece for a byte",
                "let text become special tokens, as the model's own library does",
            )

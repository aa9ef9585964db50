"""The merges of a SentencePiece BPE model: two neighbours are joined wherever that makes a piece."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from corpustools.kernels.bpe.plain import joined
from corpustools.stages.tokenize.bpe.merges import UNKNOWN, Merges, bytes_before_words, of_splits
from corpustools.stages.tokenize.models.model import Floats, Integers, Mask


def merges_of(
    pieces: list[bytes], scores: Floats, made: Mask, unused: Mask, user_defined: Mask, byte_ids: Integers | None
) -> Merges:
    """Return the merges of a model.

    Args:
        pieces: the bytes of every piece.
        scores: of every piece; the highest is made first, and of equal ones the leftmost.
        made: the pieces that may be joined: normal, unused and user-defined ones.
        unused: those of them that are taken apart again at the end.
        user_defined: those of them that are found first and never joined with their neighbours.
        byte_ids: the ids of the 256 bytes that unknown letters are written in; or None.
    """
    places = {pieces[i]: i for i in np.flatnonzero(made).tolist()}
    ranks = np.unique(-scores, return_inverse=True)[1].astype(np.int32)
    letters = _letters(places)
    # A letter that is no piece is joined all the same.
    lone = [letter for letter in letters if letter not in places]
    codes = places | {letter: code for code, letter in enumerate(lone, len(pieces))}
    codes_of = np.fromiter(codes.values(), np.int32, len(codes))
    joint = of_splits(list(codes), codes_of, ranks[codes_of[: len(places)]], characters=True)
    found = Merges(*joint, {letter: codes[letter] for letter in letters})
    apart: dict[int, tuple[int, ...]] = {}
    for letter, code in found.letters.items():
        if code >= len(pieces) or unused[code]:
            apart[code] = (UNKNOWN,) if byte_ids is None else tuple(byte_ids[list(letter)].tolist())
    _take_apart({piece: i for piece, i in places.items() if unused[i]}, found, apart)
    symbols = {pieces[i]: i for i in np.flatnonzero(user_defined).tolist()}
    begins = bytes_before_words(places.keys() - symbols.keys())
    return Merges(*joint, found.letters, {}, symbols, apart, begins)


def _letters(pieces: Collection[bytes]) -> list[bytes]:
    """Return the characters of pieces, and their bytes that are no text, in order."""
    text = b"\n".join(pieces).decode("utf-8", "surrogateescape")
    letters = {letter.encode("utf-8", "surrogateescape") for letter in set(text)}
    return sorted(letters if any(b"\n" in piece for piece in pieces) else letters - {b"\n"})


def _take_apart(unused: Mapping[bytes, int], merges: Merges, apart: dict[int, tuple[int, ...]]) -> None:
    """Add what is written in the place of each unused piece: the two parts that it is always joined from.

    What happens inside a piece before it is whole does not depend on the text around it.
    """
    for piece, code in sorted(unused.items(), key=lambda item: len(item[0])):
        if code not in apart:
            others = {pair: found for pair, found in merges.pairs.items() if found[1] != code}
            letters = [merges.letters[letter.encode()] for letter in piece.decode()]
            parts = joined(letters, others)
            apart[code] = tuple(one for part in parts for one in apart.get(part, (part,)))

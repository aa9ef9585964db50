"""The merges of a tokenizer.json."""

from __future__ import annotations

from typing import Any

from corpustools.errors import DataError, UnsupportedModel
from corpustools.stages.tokenize.bpe.merges import Merges, bytes_before_words, columns
from corpustools.stages.tokenize.models.hf_vocabulary import Pieces
from corpustools.stages.tokenize.text.byte_alphabet import byte_alphabet

_FIRST_PRIVATE = b"\xf5"


def merges_of(spec: dict[str, Any], tokens: list[str], made: Pieces, *, byte_level: bool) -> Merges:
    """Return the merges of a BPE model.

    Args:
        spec: the model's object.
        tokens: the text of every id of the model; added tokens that are none of the model's are left out.
        made: the bytes of the vocabulary.
        byte_level: whether tokens are written in the byte-level alphabet.

    Raises:
        DataError: a merge is malformed, or names a token that the vocabulary has not.
        UnsupportedModel: a merge joins the unknown token.
    """
    rows = _rows(spec, {token: i for i, token in enumerate(tokens)})
    alphabet = byte_alphabet() if byte_level else None
    letters = {piece: i for i, piece in enumerate(made.pieces) if len(piece) == 4 and piece >= _FIRST_PRIVATE}
    for i, token in enumerate(tokens):
        if len(token) == 1 and (alphabet is None or token in alphabet):
            letters.setdefault(made.pieces[i], i)
    wholes: dict[bytes, int] = {}
    if spec.get("ignore_merges"):
        known = (i for i, token in enumerate(tokens) if token and (alphabet is None or alphabet.keys() >= set(token)))
        wholes = {made.pieces[i]: i for i in known}
    begins: frozenset[int] = frozenset()
    if not byte_level and not wholes:
        begins = bytes_before_words(made.pieces[i] for i in {row[2] for row in rows})
    return Merges(*columns(rows), letters, wholes, begins=begins)


def _rows(spec: dict[str, Any], places: dict[str, int]) -> list[tuple[int, int, int, int]]:
    """Return left, right, made and priority of each merge; of a pair that stands twice the library keeps the last."""
    given = spec.get("merges") or []
    pairs = [one.split(" ") if isinstance(one, str) else one for one in given if not _is_comment(one)]
    found: dict[tuple[int, int], tuple[int, int]] = {}
    for priority, pair in enumerate(pairs):
        if len(pair) != 2:
            raise DataError(f"merge {priority} is {pair!r} instead of two tokens")
        left, right = pair
        try:
            codes = places[left], places[right]
            found[codes] = priority, places[left + right]
        except KeyError as error:
            raise DataError(f"merge {priority} needs {error.args[0]!r}, which is not in the vocabulary") from error
    unknown = places.get(spec.get("unk_token") or "")
    if unknown is not None and any(unknown in pair for pair in found):
        raise UnsupportedModel("a merge joins the unknown token with others")
    return [(*pair, made, priority) for pair, (priority, made) in found.items()]


def _is_comment(merge: Any) -> bool:
    """Say whether a merge is the head line of an old merges.txt."""
    return isinstance(merge, str) and merge.startswith("#version")

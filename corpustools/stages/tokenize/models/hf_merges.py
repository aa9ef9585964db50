"""The merges of a tokenizer.json."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from typing import Any

import numpy as np

from corpustools.errors import DataError, UnsupportedModel
from corpustools.kernels import load
from corpustools.stages.tokenize.bpe.merges import Columns, Merges, bytes_before_words, columns, slots_for
from corpustools.stages.tokenize.lattice.trie import join
from corpustools.stages.tokenize.models.hf_vocabulary import Pieces
from corpustools.stages.tokenize.models.json_merges import MergePairs
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
    joint = _columns(spec, tokens)
    alphabet = byte_alphabet() if byte_level else None
    fours = [i for i in _of_length(made.pieces, 4) if made.pieces[i] >= _FIRST_PRIVATE]
    letters = {made.pieces[i]: i for i in fours}
    for i in _of_length(tokens, 1):
        if alphabet is None or tokens[i] in alphabet:
            letters.setdefault(made.pieces[i], i)
    wholes: dict[bytes, int] = {}
    if spec.get("ignore_merges"):
        wholes = dict(compress(zip(made.pieces, range(len(tokens)), strict=False), made.spelled.tolist()))
    begins: frozenset[int] = frozenset()
    if not byte_level and not wholes:
        begins = bytes_before_words(made.pieces[i] for i in np.flatnonzero(np.bincount(joint[2])).tolist())
    return Merges(*joint, letters, wholes, begins=begins)


def _of_length(texts: Sequence[str] | Sequence[bytes], length: int) -> list[int]:
    """Return which texts have a length."""
    found: list[int] = np.flatnonzero(np.fromiter(map(len, texts), np.int64, len(texts)) == length).tolist()
    return found


def _columns(spec: dict[str, Any], tokens: list[str]) -> Columns:
    """Return left, right, made and priority of each merge; of a pair that stands twice the library keeps the last."""
    given = spec.get("merges") or []
    found = _found(given, tokens) if isinstance(given, MergePairs) else None
    if found is None:
        found = _one_by_one(given, {token: i for i, token in enumerate(tokens)})
    name = spec.get("unk_token") or ""
    unknown = tokens.index(name) if name in tokens else -1
    if (found[0] == unknown).any() or (found[1] == unknown).any():
        raise UnsupportedModel("a merge joins the unknown token with others")
    return found


def _found(given: MergePairs, tokens: list[str]) -> Columns | None:
    """Return the columns of pairs that the vocabulary has, each once; else None."""
    try:
        pieces = list(map(str.encode, tokens))
    except UnicodeEncodeError:  # half of a surrogate pair
        return None
    if pieces.count(b"") > 1:
        return None
    left, right, made = (np.empty(given.count, np.int32) for _ in range(3))
    table = (*join(pieces), len(pieces), slots_for(len(pieces)))
    count = load("merges").find_pairs(*table, given.halves, given.starts, given.count, left, right, made)
    keys = np.sort(left.astype(np.int64) << 32 | right)
    if count < given.count or (keys[1:] == keys[:-1]).any():
        return None
    return left, right, made, np.arange(count, dtype=np.int32)


def _one_by_one(given: Any, places: dict[str, int]) -> Columns:
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
    return columns([(*pair, made, priority) for pair, (priority, made) in found.items()])


def _is_comment(merge: Any) -> bool:
    """Say whether a merge is the head line of an old merges.txt."""
    return isinstance(merge, str) and merge.startswith("#version")

"""The vocabulary of a tokenizer.json: the model's tokens, the added ones with their ids, and the bytes of each."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from corpustools.errors import DataError, UnsupportedModel
from corpustools.stages.tokenize.models.sentencepiece import BYTE_NAMES
from corpustools.stages.tokenize.text.byte_alphabet import byte_alphabet
from corpustools.stages.tokenize.text.hf_text import FIRST_PRIVATE, LAST_PRIVATE, AddedToken, private

FIRST_ODD = 0xF5  # bytes from here on are in no UTF-8 text
_BYTE_NAME = 6  # letters of <0x00>
_NO_BYTE = 256
_BEYOND_LETTERS = 324  # no letter of the byte-level alphabet is as far


def unigram(spec: dict[str, Any]) -> tuple[list[str], Any]:
    """Return the tokens and scores of a Unigram model."""
    rows = spec["vocab"]
    scores = np.array([float(score) for _, score in rows])
    tokens = [token for token, _ in rows]
    if not tokens or not all(isinstance(token, str) for token in tokens) or not np.isfinite(scores).all():
        raise DataError("the vocabulary is empty, or an entry is not [text, finite score]")
    if len(set(tokens)) != len(tokens):
        raise UnsupportedModel("a piece stands twice in the vocabulary")
    if scores.min() >= 10:
        raise UnsupportedModel("the scores are no logarithms of probabilities")
    return tokens, scores


def bpe(spec: dict[str, Any]) -> tuple[list[str], Any]:
    """Return the tokens of a BPE model, and zeros."""
    vocabulary = spec["vocab"]
    order, tokens = _order(vocabulary.values()), list(vocabulary)
    if not tokens:
        raise DataError("the vocabulary is empty")
    if order is None:
        tokens = _one_by_one(vocabulary)
    elif (np.diff(order) != 1).any():
        placed = np.empty(len(tokens), object)
        placed[order] = tokens
        tokens = placed.tolist()
    return tokens, np.zeros(len(tokens))


def _order(ids: Collection[Any]) -> Any:
    """Return ids as int64 where they are 0, 1, 2 … in any order, else None."""
    if not ids or set(map(type, ids)) != {int} or min(ids) < 0 or max(ids) >= len(ids):
        return None
    order = np.fromiter(ids, np.int64, len(ids))
    return order if (np.bincount(order) == 1).all() else None


def _one_by_one(vocabulary: dict[str, Any]) -> list[str]:
    tokens = [""] * len(vocabulary)
    for token, i in vocabulary.items():
        if type(i) is not int or not 0 <= i < len(tokens) or tokens[i]:
            raise UnsupportedModel(f"the ids of the vocabulary are not 0, 1, 2 … ({token!r} is {i!r})")
        tokens[i] = token
    return tokens


def added_tokens(
    specs: list[Any], tokens: list[str], places: dict[str, int]
) -> tuple[list[AddedToken], tuple[str, ...]]:
    """Return the added tokens with the ids that the library gives them, and notes.

    `tokens`, and `places`, which says where each stands among them, grow by the new ones.

    The library does not read the ids of the file: a token of the vocabulary keeps its id, and the others are numbered
    on behind it in the order of the file.
    """
    found: dict[str, AddedToken] = {}
    notes: list[str] = []
    for spec in specs:
        given, text = spec["id"], spec["content"]
        if type(given) is not int or not 0 <= given < 1 << 32 or not isinstance(text, str):
            raise DataError(f"the added token {spec!r} is malformed")
        if not text:
            continue
        i = places.setdefault(text, len(tokens))
        if i == len(tokens):
            tokens.append(text)
        flags = {flag: bool(spec.get(flag, False)) for flag in ("single_word", "lstrip", "rstrip", "special")}
        token = AddedToken(i, text, normalized=bool(spec.get("normalized", not flags["special"])), **flags)
        if found.setdefault(text, token) != token:
            raise UnsupportedModel(f"the added token {text!r} stands twice, with different flags")
        if given != i and not notes:
            notes.append(f"{text!r} has the id {given} in the file; the tokenizers library, and so this, gives it {i}")
    if len(tokens) > LAST_PRIVATE - FIRST_PRIVATE:
        raise UnsupportedModel(f"the vocabulary has {len(tokens)} tokens")
    return list(found.values()), tuple(notes)


@dataclass(frozen=True)
class Pieces:
    """The bytes of a vocabulary.

    pieces: of each id, and behind them other forms of some ids.
    arc: may be an arc of the lattice, bool.
    outputs: the id that each piece is written as, int32; None: its own.
    byte_ids: the 256 ids of bytes, int32; None where there are none.
    odd: what stands for a byte that is no text, by byte; None: U+FFFD for all.
    missing: bytes of text that have no piece, in a byte-level vocabulary.
    spelled: the tokens that are not empty and hold letters of the byte-level alphabet only, bool; all where that is
        not asked about.
    """

    pieces: list[bytes]
    arc: Any
    outputs: Any
    byte_ids: Any
    odd: dict[int, bytes] | None
    missing: bytes
    spelled: Any


def make_pieces(
    tokens: list[str], size: int, added: list[AddedToken], *, weighted: bool, byte_level: bool, others: list[int]
) -> Pieces:
    """Return the pieces of a vocabulary.

    An added token is found before the model and stands as a character beyond Unicode. The model can meet the text of
    one in its vocabulary all the same, so that such an id has two pieces.

    Args:
        tokens: the text of every id.
        size: how many of them are the model's.
        added: the added tokens.
        weighted: whether the model is Unigram.
        byte_level: whether tokens are written in the byte-level alphabet.
        others: ids that have a character beyond Unicode too without being added tokens.
    """
    lengths = np.fromiter(map(len, tokens), np.int64, len(tokens))
    arc = lengths > 0
    arc[size:] = False
    spelled = lengths > 0
    places = {token.i for token in added}
    odd, missing = None, b""
    if byte_level:
        pieces, odd, missing = _byte_level(tokens, arc, spelled, {i for i in places if i >= size})
    else:
        pieces = [token.encode("utf-8", "surrogatepass") for token in tokens]
        if not weighted:
            arc[[i for i in np.flatnonzero(lengths == _BYTE_NAME).tolist() if pieces[i] in BYTE_NAMES]] = False
    if not weighted:
        # What a model is trained to see as a mark is no way to write its letters.
        arc[[token.i for token in added if token.special and token.i < size]] = False
    twice = []
    for i in sorted(places | set(others)):
        # A letter that stands for a byte beyond UTF-8 is such a character already.
        if i < size and pieces[i] != private(i):
            twice.append(i)
        else:
            pieces[i], arc[i] = private(i), True
    outputs = np.append(np.arange(len(tokens)), twice).astype(np.int32) if twice else None
    arc = np.append(arc, np.ones(len(twice), np.bool_))
    return Pieces(pieces + [private(i) for i in twice], arc, outputs, None, odd, missing, spelled)


def byte_ids(spec: dict[str, Any], places: dict[str, int], size: int) -> list[int] | None:
    """Return the ids of the pieces <0x00> … <0xFF> where unknown text is written in them.

    Args:
        spec: the model's object.
        places: the id of each token.
        size: how many of them are the model's.
    """
    if not spec.get("byte_fallback"):
        return None
    named = [places.get(name.decode(), size) for name in sorted(BYTE_NAMES, key=BYTE_NAMES.__getitem__)]
    found = [i for i in named if i < size]
    if found and len(found) < 256:
        raise UnsupportedModel(f"the model writes unknown text in bytes, but has only {len(found)} of 256")
    return found or None


def _byte_level(
    tokens: list[str], arc: Any, spelled: Any, added: set[int]
) -> tuple[list[bytes], dict[int, bytes], bytes]:
    """Return the bytes of tokens in the byte-level alphabet, what stands for each odd byte, and the bytes without one.

    What is written otherwise, or added, is its own UTF-8; it is no arc, and not spelled.
    """
    values, starts = _bytes_of_letters(tokens)
    bounds = starts.tolist()
    text = values.astype(np.uint8).tobytes()
    pieces = [text[a:b] for a, b in pairwise(bounds)]
    others = [*_tokens_at(values == _NO_BYTE, starts), *added]
    spelled[others] = False
    arc[others] = False
    for i in others:
        pieces[i] = tokens[i].encode("utf-8", "surrogatepass")
    arc[_tokens_at(values >= FIRST_ODD, starts)] = False
    odd = dict.fromkeys(range(256), "\ufffd".encode())
    known = set()
    for i in np.flatnonzero(spelled & (np.diff(starts) == 1)).tolist():
        byte = pieces[i][0]
        if byte >= FIRST_ODD:
            pieces[i], arc[i] = private(i), True
        else:
            known.add(byte)
        odd[byte] = pieces[i]
    return pieces, odd, bytes(sorted(set(range(FIRST_ODD)) - {0xC0, 0xC1} - known))


def _bytes_of_letters(tokens: list[str]) -> tuple[Any, Any]:
    """Return the byte that each letter of tokens stands for, _NO_BYTE for others; and where each token begins."""
    table = np.full(_BEYOND_LETTERS + 1, _NO_BYTE, np.uint16)
    for letter, byte in byte_alphabet().items():
        table[ord(letter)] = byte
    codes = np.frombuffer("".join(tokens).encode("utf-32-le", "surrogatepass"), "<u4")
    starts = np.zeros(len(tokens) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, tokens), np.int64, len(tokens)), out=starts[1:])
    return table[np.minimum(codes, _BEYOND_LETTERS)], starts


def _tokens_at(places: Any, starts: Any) -> list[int]:
    """Return the tokens in which a place is marked; places: bool, by letter."""
    found: list[int] = np.unique(np.searchsorted(starts, np.flatnonzero(places), "right") - 1).tolist()
    return found


def odd_surfaces(odd: dict[int, bytes] | None) -> dict[bytes, bytes]:
    """Return the bytes that characters beyond Unicode stand for which are no added tokens."""
    return {piece: bytes([byte]) for byte, piece in (odd or {}).items() if byte >= FIRST_ODD and len(piece) == 4}

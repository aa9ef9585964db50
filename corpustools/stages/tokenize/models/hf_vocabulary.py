"""The vocabulary of a tokenizer.json: the model's tokens, the added ones with their ids, and the bytes of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from corpustools.errors import DataError, UnsupportedModel
from corpustools.stages.tokenize.models.sentencepiece import BYTE_NAMES
from corpustools.stages.tokenize.text.byte_alphabet import byte_alphabet
from corpustools.stages.tokenize.text.hf_text import FIRST_PRIVATE, LAST_PRIVATE, AddedToken, private

FIRST_ODD = 0xF5  # bytes from here on are in no UTF-8 text


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
    tokens = [""] * len(vocabulary)
    for token, i in vocabulary.items():
        if type(i) is not int or not 0 <= i < len(tokens) or tokens[i]:
            raise UnsupportedModel(f"the ids of the vocabulary are not 0, 1, 2 … ({token!r} is {i!r})")
        tokens[i] = token
    if not tokens:
        raise DataError("the vocabulary is empty")
    return tokens, np.zeros(len(tokens))


def added_tokens(specs: list[Any], tokens: list[str]) -> tuple[list[AddedToken], tuple[str, ...]]:
    """Return the added tokens with the ids that the library gives them, and notes; `tokens` grows by the new ones.

    The library does not read the ids of the file: a token of the vocabulary keeps its id, and the others are numbered
    on behind it in the order of the file.
    """
    places = {token: i for i, token in enumerate(tokens)}
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
    """

    pieces: list[bytes]
    arc: Any
    outputs: Any
    byte_ids: Any
    odd: dict[int, bytes] | None
    missing: bytes = b""


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
    arc = np.array([bool(token) and i < size for i, token in enumerate(tokens)])
    places = {token.i for token in added}
    odd, missing = None, b""
    if byte_level:
        pieces, odd, missing = _byte_level(tokens, arc, {i for i in places if i >= size})
    else:
        pieces = [token.encode("utf-8", "surrogatepass") for token in tokens]
        if not weighted:
            for i, piece in enumerate(pieces):
                arc[i] &= piece not in BYTE_NAMES
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
    return Pieces(pieces + [private(i) for i in twice], arc, outputs, None, odd, missing)


def byte_ids(spec: dict[str, Any], tokens: list[str]) -> list[int] | None:
    """Return the ids of the pieces <0x00> … <0xFF> where unknown text is written in them."""
    if not spec.get("byte_fallback"):
        return None
    places = {token: i for i, token in enumerate(tokens)}
    found = [
        places[name.decode()]
        for name, _ in sorted(BYTE_NAMES.items(), key=lambda item: item[1])
        if name.decode() in places
    ]
    if found and len(found) < 256:
        raise UnsupportedModel(f"the model writes unknown text in bytes, but has only {len(found)} of 256")
    return found or None


def _byte_level(tokens: list[str], arc: Any, added: set[int]) -> tuple[list[bytes], dict[int, bytes], bytes]:
    alphabet = byte_alphabet()
    pieces = []
    odd = dict.fromkeys(range(256), "\ufffd".encode())
    known = set()
    # What is no letter of the alphabet becomes a character that Latin-1 does not have.
    bytes_of = dict.fromkeys(range(256), 0xFFFF) | {ord(letter): byte for letter, byte in alphabet.items()}
    for i, token in enumerate(tokens):
        try:
            piece = token.translate(bytes_of).encode("latin-1")
        except UnicodeEncodeError:
            piece = b""
        if i in added or (token and not piece):
            pieces.append(token.encode("utf-8", "surrogatepass"))
            arc[i] = False
            continue
        if max(piece, default=0) >= FIRST_ODD:
            arc[i] = len(piece) == 1
            piece = private(i) if len(piece) == 1 else piece
            if len(token) == 1:
                odd[alphabet[token]] = piece
        elif len(piece) == 1:
            known.add(piece[0])
            odd[piece[0]] = piece
        pieces.append(piece)
    return pieces, odd, bytes(sorted(set(range(FIRST_ODD)) - {0xC0, 0xC1} - known))


def odd_surfaces(odd: dict[int, bytes] | None) -> dict[bytes, bytes]:
    """Return the bytes that characters beyond Unicode stand for which are no added tokens."""
    return {piece: bytes([byte]) for byte, piece in (odd or {}).items() if byte >= FIRST_ODD and len(piece) == 4}

"""Hugging Face `tokenizer.json`: Unigram, and BPE as a bare vocabulary (byte-level or with byte fallback)."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from corpustools.errors import DataError, UnsupportedModel
from corpustools.stages.tokenize.models.model import Model
from corpustools.stages.tokenize.models.sentencepiece import BYTE_NAMES
from corpustools.stages.tokenize.text import hf_normalize, hf_split
from corpustools.stages.tokenize.text.hf_text import (
    FIRST_PRIVATE,
    LAST_PRIVATE,
    AddedToken,
    HuggingFaceNormalizer,
    private,
)

CONTROL_NAMES = {
    "bos": ("<s>", "<bos>", "<|begin_of_text|>", "[CLS]"),
    "eos": ("</s>", "<eos>", "<|end_of_text|>", "<|endoftext|>", "[SEP]"),
    "pad": ("<pad>", "[PAD]", "<|finetune_right_pad_id|>"),
}
_FIRST_ODD = 0xF5  # bytes from here on are in no UTF-8 text


def parse(content: dict[str, Any], name: str) -> Model:
    """Return the model of a tokenizer.json object.

    Raises:
        DataError: a malformed object.
        UnsupportedModel: another kind of model, or a respect of it that is not done here; the text names it.
    """
    try:
        return _parse(content)
    except UnsupportedModel as error:
        raise UnsupportedModel(f"{name}: {error.what}", error.remedy) from error
    except DataError as error:
        raise DataError(f"{name}: {error.what}", error.remedy) from error
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError) as error:
        raise DataError(f"{name} is malformed ({type(error).__name__}: {error})") from error


def _parse(content: dict[str, Any]) -> Model:
    spec = content["model"]
    kind = spec.get("type") or ("BPE" if "merges" in spec else "Unigram" if "unk_id" in spec else None)
    if kind not in ("BPE", "Unigram"):
        raise UnsupportedModel(f"the model type {kind!r} is not supported", "Unigram and BPE are")
    if kind == "BPE":
        for respect in ("continuing_subword_prefix", "end_of_word_suffix"):
            if spec.get(respect):
                raise UnsupportedModel(f"the BPE {respect} {spec[respect]!r} is not supported")
    tokens, scores = _unigram(spec) if kind == "Unigram" else _bpe(spec)
    size = len(tokens)
    added = [_added(token, tokens) for token in content.get("added_tokens") or []]
    _extend(tokens, added)
    byte_level = hf_split.byte_level(content.get("pre_tokenizer"))
    fallback = bool(spec.get("byte_fallback")) and {item.decode() for item in BYTE_NAMES} <= set(tokens)
    unknown = _unknown(spec, tokens, kind)
    if unknown is None and not byte_level and not fallback:
        raise UnsupportedModel("the model has no unknown token, so that it drops characters")
    pieces, arc, byte_ids, odd = _pieces(tokens, size, added, byte_level, fallback)
    all_scores = np.zeros(len(pieces), np.float64)
    all_scores[: len(scores)] = scores
    hidden = unknown is None and not byte_level
    if hidden:
        # Bytes take its place in every output, so this id beyond the vocabulary never leaves the lattice.
        unknown = len(pieces)
        pieces.append(b"")
        all_scores, arc = np.append(all_scores, 0.0), np.append(arc, False)
    return Model(
        kind=f"hf-{kind.lower()}",
        pieces=pieces,
        scores=all_scores,
        arc=arc,
        weighted=kind == "Unigram",
        unit="byte-level" if byte_level else "character",
        unknown_id=None if byte_level else unknown,
        unknown_score=float(scores.min()) - 10 if kind == "Unigram" else 0.0,
        fuse_unknown=bool(spec.get("fuse_unk", False)) if kind == "BPE" else True,
        byte_ids=byte_ids,
        user_defined=np.zeros(len(pieces), np.bool_),
        control=_control(tokens, unknown if not hidden else None),
        normalizer=_normalizer(content, added, odd, tokens),
        cuts="marks",
        invisible=frozenset(token.i for token in added if token.special),
        unknown_surface=(tokens[unknown] if unknown is not None and not hidden else "").encode(),
    )


def _unigram(spec: dict[str, Any]) -> tuple[list[str], Any]:
    rows = spec["vocab"]
    scores = np.array([float(score) for _, score in rows])
    tokens = [token for token, _ in rows]
    if not tokens or not all(isinstance(token, str) for token in tokens) or not np.isfinite(scores).all():
        raise DataError("the vocabulary is empty, or an entry is not [text, finite score]")
    if len(set(tokens)) != len(tokens):
        raise UnsupportedModel("a piece stands twice in the vocabulary")
    return tokens, scores


def _bpe(spec: dict[str, Any]) -> tuple[list[str], Any]:
    vocabulary = spec["vocab"]
    tokens = [""] * len(vocabulary)
    for token, i in vocabulary.items():
        if type(i) is not int or not 0 <= i < len(tokens) or tokens[i]:
            raise UnsupportedModel(f"the ids of the vocabulary are not 0, 1, 2 … ({token!r} is {i!r})")
        tokens[i] = token
    if not tokens:
        raise DataError("the vocabulary is empty")
    return tokens, np.zeros(len(tokens))


def _added(spec: dict[str, Any], tokens: list[str]) -> AddedToken:
    i, text = spec["id"], spec["content"]
    if type(i) is not int or not isinstance(text, str) or not text:
        raise DataError(f"the added token {spec!r} is malformed")
    flags = {flag: bool(spec.get(flag, False)) for flag in ("single_word", "lstrip", "rstrip", "special")}
    return AddedToken(i, text, normalized=bool(spec.get("normalized", not flags["special"])), **flags)


def _extend(tokens: list[str], added: list[AddedToken]) -> None:
    """Give the added tokens their places: an id inside the vocabulary has to be the same text."""
    places = {token: i for i, token in enumerate(tokens)}
    size = len(tokens)
    highest = max([size - 1, *(token.i for token in added)])
    if highest > LAST_PRIVATE - FIRST_PRIVATE or highest >= size + 10 * len(added) + 65536:
        raise UnsupportedModel(f"an added token has the id {highest}")
    tokens.extend([""] * (highest + 1 - size))
    for token in added:
        if token.i < 0 or places.get(token.content, token.i) != token.i:
            raise DataError(f"the added token {token.content!r} has not the id of its piece")
        if tokens[token.i] not in ("", token.content):
            raise DataError(f"the id {token.i} of the added token {token.content!r} is another piece's")
        tokens[token.i] = token.content


def _unknown(spec: dict[str, Any], tokens: list[str], kind: str) -> int | None:
    if kind == "Unigram":
        i = spec.get("unk_id")
        if i is not None and (type(i) is not int or not 0 <= i < len(tokens)):
            raise DataError(f"unk_id is {i!r}")
        return i
    text = spec.get("unk_token")
    return tokens.index(text) if text else None


def byte_alphabet() -> dict[str, int]:
    """Return the byte that each character of the byte-level alphabet stands for (GPT-2's table)."""
    shown = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return {chr(byte): byte for byte in shown} | {chr(256 + n): byte for n, byte in enumerate(hidden)}


def _pieces(
    tokens: list[str], size: int, added: list[AddedToken], byte_level: bool, fallback: bool
) -> tuple[list[bytes], Any, Any, dict[int, bytes] | None]:
    """Return the bytes of each id, the arcs, the byte ids, and what stands for a byte that is no UTF-8."""
    arc = np.array([bool(token) and i < size for i, token in enumerate(tokens)])
    byte_ids, odd = None, None
    if byte_level:
        pieces, odd = _byte_level(tokens, arc, {token.i for token in added})
    else:
        pieces = [token.encode("utf-8", "surrogatepass") for token in tokens]
        if fallback:
            byte_ids = np.zeros(256, np.int32)
            for i, piece in enumerate(pieces):
                if piece in BYTE_NAMES:
                    byte_ids[BYTE_NAMES[piece]] = i
                    pieces[i], arc[i] = bytes([BYTE_NAMES[piece]]), False
    for token in added:
        # As text it was found before the model; a piece of a Unigram model can be met all the same.
        pieces[token.i], arc[token.i] = private(token.i), True
    return pieces, arc, byte_ids, odd


def _byte_level(tokens: list[str], arc: Any, added: set[int]) -> tuple[list[bytes], dict[int, bytes]]:
    alphabet = byte_alphabet()
    pieces = []
    odd = dict.fromkeys(range(256), "\ufffd".encode())
    known = set()
    for i, token in enumerate(tokens):
        if i in added or any(character not in alphabet for character in token):
            pieces.append(token.encode("utf-8", "surrogatepass"))
            arc[i] = False
            continue
        piece = bytes(alphabet[character] for character in token)
        if max(piece, default=0) >= _FIRST_ODD:
            arc[i] = len(piece) == 1
            piece = private(i) if len(piece) == 1 else piece
            if len(token) == 1:
                odd[alphabet[token]] = piece
        elif len(piece) == 1:
            known.add(piece[0])
            odd[piece[0]] = piece
        pieces.append(piece)
    missing = set(range(_FIRST_ODD)) - {0xC0, 0xC1} - known
    if missing:
        raise UnsupportedModel(f"the byte-level vocabulary has no piece for the byte 0x{min(missing):02X}")
    return pieces, odd


def _control(tokens: list[str], unknown: int | None) -> dict[str, int]:
    places = {token: i for i, token in enumerate(tokens)}
    control = {role: places[text] for role, texts in CONTROL_NAMES.items() for text in texts[::-1] if text in places}
    return control if unknown is None else control | {"unk": unknown}


def _normalizer(
    content: dict[str, Any], added: list[AddedToken], odd: dict[int, bytes] | None, tokens: list[str]
) -> HuggingFaceNormalizer:
    steps = hf_normalize.build(content.get("normalizer")) if any(token.normalized for token in added) else []
    found = []
    for token in added:
        text = token.content
        for step in steps if token.normalized else ():
            text = step(text)
        if text:
            found.append(AddedToken(**{**vars(token), "content": text}))
    surfaces = {private(token.i): token.content.encode() for token in added}
    surfaces |= {piece: bytes([byte]) for byte, piece in (odd or {}).items() if byte >= _FIRST_ODD}
    return HuggingFaceNormalizer(
        content.get("normalizer"),
        content.get("pre_tokenizer"),
        found,
        odd,
        _decoders(content.get("decoder")),
        surfaces,
    )


def _decoders(spec: Any) -> list[tuple[re.Pattern[bytes], bytes]]:
    """Return replacements on joined pieces; decoders of another kind leave them as they are."""
    if not isinstance(spec, dict):
        return []
    kind = spec.get("type")
    if kind == "Sequence":
        return [pair for part in spec["decoders"] for pair in _decoders(part)]
    if kind == "Metaspace":
        mark = re.escape(str(spec["replacement"]).encode())
        scheme = spec.get("prepend_scheme") or ("always" if spec.get("add_prefix_space", True) else "never")
        first = [(re.compile(rb"\A" + mark), b"")] if scheme != "never" else []
        return [*first, (re.compile(mark), b" ")]
    if kind == "Replace" and "String" in spec["pattern"]:
        return [(re.compile(re.escape(spec["pattern"]["String"].encode())), spec["content"].encode())]
    if kind == "Strip":
        character = re.escape(str(spec["content"]).encode())
        start, stop = int(spec["start"]), int(spec["stop"])
        return [(re.compile(rb"\A(?:%s){0,%d}" % (character, start)), b"")] + (
            [(re.compile(rb"(?:%s){0,%d}\Z" % (character, stop)), b"")] if stop else []
        )
    return []

"""The decoder of a tokenizer.json: from tokens back to text, as the tokenizers library does it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Any

from corpustools.errors import DataError, UnsupportedModel
from corpustools.stages.tokenize.text.byte_alphabet import byte_alphabet
from corpustools.stages.tokenize.text.hf_regex import translate
from corpustools.stages.tokenize.text.hf_split import scheme_of

# From the tokens of a text to others, or to the parts of its text.
Decode = Callable[[list[str]], list[str]]

_HEX_BYTE = re.compile(r"<0x(\+[0-9A-Fa-f]|[0-9A-Fa-f]{2})>")
# What WordPiece and CTC tidy, in this order.
_TIDY = (
    (" .", "."),
    (" ?", "?"),
    (" !", "!"),
    (" ,", ","),
    (" ' ", "'"),
    (" n't", "n't"),
    (" 'm", "'m"),
    (" do not", " don't"),
    (" 's", "'s"),
    (" 've", "'ve"),
    (" 're", "'re"),
)


class Decoder:
    """The text of ids.

    Args:
        tokens: the text of every id, as it goes into the decoder.
        special: texts that leave nothing.
        spec: the decoder object of tokenizer.json; None joins tokens with spaces.

    Raises:
        DataError: a malformed object.
        UnsupportedModel: a decoder of another kind; the text names it.
    """

    def __init__(self, tokens: list[str], special: frozenset[str], spec: Any) -> None:
        self._arguments = (tokens, special, spec)
        self._tokens = tokens
        self._special = special
        self._steps = None if spec is None else build(spec)
        self._in_bytes = spec is not None and _flat(spec)[-1:] == ["ByteLevel"]

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._arguments

    def __call__(self, ids: Iterable[int]) -> bytes:
        """Return the text of ids, which must be in the vocabulary."""
        tokens = [token for token in (self._tokens[i] for i in ids) if token not in self._special]
        if self._steps is None:
            return _encoded(" ".join(tokens))
        # What comes last may leave bytes that are no UTF-8 as they are.
        for step in self._steps[:-1] if self._in_bytes else self._steps:
            tokens = step(tokens)
        return _bytes_of(tokens) if self._in_bytes else _encoded("".join(tokens))


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _flat(spec: Any) -> list[Any]:
    kind = spec.get("type")
    return [one for part in spec["decoders"] for one in _flat(part)] if kind == "Sequence" else [kind]


def build(spec: Any) -> list[Decode]:
    """Return the steps of a decoder object."""
    kind = spec.get("type") if isinstance(spec, dict) else None
    try:
        if kind == "Sequence":
            return [step for part in spec["decoders"] for step in build(part)]
        if kind in _KINDS:
            return [_KINDS[kind](spec)]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"the decoder {kind} is malformed ({error})") from error
    raise UnsupportedModel(f"the decoder {kind!r} is not supported")


def _metaspace(spec: dict[str, Any]) -> Decode:
    mark, scheme = scheme_of(spec)
    first = " " if scheme == "never" else ""
    return lambda tokens: [token.replace(mark, " " if i else first) for i, token in enumerate(tokens)]


def _replace(spec: dict[str, Any]) -> Decode:
    pattern, content = spec["pattern"], str(spec["content"])
    if "String" in pattern:
        old = str(pattern["String"])
        if not old:
            raise UnsupportedModel("a decoder Replace of nothing is not supported")
        return lambda tokens: [token.replace(old, content) for token in tokens]
    regex = translate(pattern["Regex"])
    return lambda tokens: [regex.of(token).sub(lambda _: content, token) for token in tokens]


def _strip(spec: dict[str, Any]) -> Decode:
    character, start, stop = str(spec["content"]), int(spec["start"]), int(spec["stop"])
    if len(character) != 1 or start < 0 or stop < 0:
        raise ValueError(f"{character!r}, {start}, {stop}")

    def strip(token: str) -> str:
        first = min(start, len(token) - len(token.lstrip(character)))
        last = min(stop, len(token) - len(token.rstrip(character)))
        return token[first : len(token) - last]

    return lambda tokens: list(map(strip, tokens))


def _byte_fallback(_: dict[str, Any]) -> Decode:
    def decode(tokens: list[str]) -> list[str]:
        out: list[str] = []
        for is_byte, run in groupby(tokens, lambda token: bool(_HEX_BYTE.fullmatch(token))):
            if not is_byte:
                out += run
                continue
            held = bytes(int(token[3:5], 16) for token in run)
            try:
                out.append(held.decode())
            except UnicodeDecodeError:
                out += ["\ufffd"] * len(held)
        return out

    return decode


def _bytes_of(tokens: list[str]) -> bytes:
    """Return the bytes of tokens in the byte-level alphabet; a token with other characters is its own UTF-8."""
    out = bytearray()
    for token in tokens:
        known = [_ALPHABET.get(character, -1) for character in token]
        out += bytes(known) if -1 not in known else _encoded(token)
    return bytes(out)


def _tidied(text: str) -> str:
    for old, new in _TIDY:
        text = text.replace(old, new)
    return text


def _word_piece(spec: dict[str, Any]) -> Decode:
    prefix, tidy = str(spec["prefix"]), bool(spec["cleanup"])

    def decode(tokens: list[str]) -> list[str]:
        spaced = [
            token if not i else token.removeprefix(prefix) if token.startswith(prefix) else " " + token
            for i, token in enumerate(tokens)
        ]
        return list(map(_tidied, spaced)) if tidy else spaced

    return decode


def _bpe(spec: dict[str, Any]) -> Decode:
    suffix = str(spec["suffix"])
    return lambda tokens: (
        [token.replace(suffix, " ") for token in tokens[:-1]] + [token.replace(suffix, "") for token in tokens[-1:]]
    )


def _ctc(spec: dict[str, Any]) -> Decode:
    pad, delimiter, tidy = str(spec["pad_token"]), str(spec["word_delimiter_token"]), bool(spec["cleanup"])

    def decode(tokens: list[str]) -> list[str]:
        once = [token.replace(pad, "") for token, _ in groupby(tokens)]
        return [one for one in (_tidied(token).replace(delimiter, " ") if tidy else token for token in once) if one]

    return decode


_ALPHABET = byte_alphabet()
_KINDS: dict[str, Callable[[dict[str, Any]], Decode]] = {
    "Metaspace": _metaspace,
    "Replace": _replace,
    "Strip": _strip,
    "ByteFallback": _byte_fallback,
    "Fuse": lambda _: lambda tokens: ["".join(tokens)],
    "ByteLevel": lambda _: lambda tokens: [_bytes_of(tokens).decode("utf-8", "replace")],
    "WordPiece": _word_piece,
    "BPEDecoder": _bpe,
    "CTC": _ctc,
}

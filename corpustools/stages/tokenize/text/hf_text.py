"""From text to the marked bytes that a tokenizer.json model segments: added tokens, normalizer, splitters."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from corpustools.stages.tokenize.text import hf_normalize, hf_split
from corpustools.stages.tokenize.text.hf_normalize import Step
from corpustools.stages.tokenize.text.hf_regex import WHITE_SPACE_CHARACTERS, rust_word
from corpustools.stages.tokenize.text.normalize import Buffer, Normalizer

# Bytes 0xF5 to 0xFF are in no UTF-8 text. 0xFF cuts; a token that is no text to be segmented (an added token,
# or one of those bytes itself) stands as one character above U+10FFFF, which only its own piece can match.
CUT = b"\xff"
FIRST_PRIVATE = 0x140000
LAST_PRIVATE = 0x1FFFFF
_PRIVATE = re.compile(rb"[\xf5-\xf7][\x80-\xbf]{3}")


def private(i: int) -> bytes:
    """Return the character that stands for the token `i`, below 786,432."""
    code = FIRST_PRIVATE + i
    assert code <= LAST_PRIVATE
    return bytes([0xF0 | code >> 18, 0x80 | code >> 12 & 0x3F, 0x80 | code >> 6 & 0x3F, 0x80 | code & 0x3F])


@dataclass(frozen=True)
class AddedToken:
    """A token that is looked for before anything else."""

    i: int
    content: str
    single_word: bool
    lstrip: bool
    rstrip: bool
    normalized: bool
    special: bool


class _Finder:
    """Leftmost, longest search for added tokens, with the white space that belongs to them."""

    def __init__(self, tokens: list[AddedToken]) -> None:
        ordered = sorted(tokens, key=lambda token: -len(token.content))
        self._regex = re.compile("|".join(re.escape(token.content) for token in ordered)) if tokens else None
        self._tokens = {token.content: token for token in reversed(ordered)}

    def split(self, text: str) -> list[str | int]:
        """Return text and token ids in turn."""
        if self._regex is None:
            return [text] if text else []
        out: list[str | int] = []
        last = 0
        for match in self._regex.finditer(text):
            token = self._tokens[match.group()]
            start, end = match.span()
            if token.single_word and (_is_word(text[start - 1 : start]) or _is_word(text[end : end + 1])):
                continue
            if token.lstrip:
                start = max(len(text[:start].rstrip(WHITE_SPACE_CHARACTERS)), last)
            if token.rstrip:
                end = len(text) - len(text[end:].lstrip(WHITE_SPACE_CHARACTERS))
            if last < start:
                out.append(text[last:start])
            out.append(token.i)
            last = end
        return [*out, text[last:]] if last < len(text) else out


def _is_word(character: str) -> bool:
    return bool(_word().match(character))


@cache
def _word() -> re.Pattern[str]:
    return re.compile(f"[{rust_word()}]")


class HuggingFaceNormalizer(Normalizer):
    """The way of a record through a tokenizer.json up to its model, in Python, record by record.

    Args:
        normalizer: that object of tokenizer.json.
        pre_tokenizer: that object of tokenizer.json.
        added: the added tokens.
        odd_bytes: what replaces a byte that is not part of valid UTF-8, by byte; None: U+FFFD for all.
        decoders: (pattern, replacement) pairs that make text of joined pieces.
        surfaces: what the characters beyond Unicode stand for.

    Raises:
        DataError: a malformed object.
        UnsupportedModel: a normalizer or pre-tokenizer that is not done here; the text names it.
    """

    def __init__(
        self,
        normalizer: Any,
        pre_tokenizer: Any,
        added: list[AddedToken],
        odd_bytes: dict[int, bytes] | None,
        decoders: list[tuple[re.Pattern[bytes], bytes]],
        surfaces: dict[bytes, bytes],
    ) -> None:
        # What rules are built of are closures: a copy in another process is built from the arguments again.
        self._arguments = (normalizer, pre_tokenizer, added, odd_bytes, decoders, surfaces)
        self._steps: list[Step] = hf_normalize.build(normalizer)
        self._chain = hf_split.Chain(hf_split.build(pre_tokenizer))
        self._raw = _Finder([token for token in added if not token.normalized])
        self._normal = _Finder([token for token in added if token.normalized])
        self._odd = odd_bytes
        self._decoders = decoders
        self.surfaces = surfaces

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._arguments

    def normalize(self, data: Buffer) -> bytes:
        """Return the parts of a record, each to be segmented alone, with 0xFF between them."""
        raw = bytes(data)
        odd = self._odd
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            text = raw.decode("utf-8", "replace" if odd is None else "surrogateescape")
        else:
            odd = None
        out: list[bytes] = []
        at_start = True
        for piece in self._raw.split(text):
            if isinstance(piece, int):
                out.append(private(piece))
            else:
                self._segment(piece, at_start, odd, out)
            at_start = False
        return CUT.join(out)

    def _segment(self, text: str, at_start: bool, odd: dict[int, bytes] | None, out: list[bytes]) -> None:
        for step in self._steps:
            text = step(text)
        for piece in self._normal.split(text):
            if isinstance(piece, int):
                out.append(private(piece))
            else:
                parts = self._chain.run(piece, at_start)
                if odd is None:
                    out.append(hf_split.CUT.join(parts).encode("utf-8", "surrogateescape"))
                else:
                    out += [_encode(part, odd) for part in parts]
            at_start = False

    def denormalize(self, pieces: Buffer) -> bytes:
        """Return the text of joined pieces by the rules of the file's decoder."""
        text = bytes(pieces).replace(CUT, b"")
        for pattern, replacement in self._decoders:
            text = pattern.sub(replacement, text)
        return _PRIVATE.sub(lambda match: self.surfaces.get(match.group(), b""), text)


def _encode(part: str, odd: dict[int, bytes]) -> bytes:
    """Return UTF-8, with what `odd` says for the bytes that were none."""
    return b"".join(odd[ord(c) - 0xDC00] if "\udc80" <= c <= "\udcff" else c.encode("utf-8", "replace") for c in part)

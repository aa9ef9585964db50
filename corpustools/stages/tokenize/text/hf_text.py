"""From text to the marked bytes that a tokenizer.json model segments: added tokens, normalizer, splitters."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from corpustools.stages.tokenize.text import hf_normalize, hf_split
from corpustools.stages.tokenize.text.hf_chain import Chain
from corpustools.stages.tokenize.text.hf_fast import NOT_DONE_HERE, PASSED_OVER, fast_splitter
from corpustools.stages.tokenize.text.hf_normalize import Step, white_space
from corpustools.stages.tokenize.text.normalize import Buffer, Normalizer, Offsets
from corpustools.stages.tokenize.text.unicode import members

# Bytes 0xF5 to 0xFF are in no UTF-8 text. 0xFF cuts; a token that is no text to be segmented (an added token,
# or one of those bytes itself) stands as one character above U+10FFFF, which only its own piece can match.
CUT = b"\xff"
FIRST_PRIVATE = 0x140000
LAST_PRIVATE = 0x1FFFFE
# No piece has this character: a part that the library refuses stands as it, so that the record is refused.
UNWRITABLE = b"\xf7\xbf\xbf\xbf"


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
    # It is found and left as text: what overlaps with it is not found either, as in the library.
    passed_over: bool = False


class _Finder:
    """Leftmost, longest search for added tokens, with the white space that belongs to them."""

    def __init__(self, tokens: list[AddedToken]) -> None:
        self._ordered = sorted(tokens, key=lambda token: -len(token.content))
        self._tokens = {token.content: token for token in reversed(self._ordered)}

    @cached_property
    def _regex(self) -> re.Pattern[str] | None:
        # Where a kernel does the work, hundreds of tokens are compiled for nothing.
        texts = [re.escape(token.content) for token in self._ordered]
        return re.compile("|".join(texts)) if texts else None

    def split(self, text: str) -> list[tuple[int, str | int]]:
        """Return text and token ids in turn, each with its place."""
        if self._regex is None:
            return [(0, text)] if text else []
        out: list[tuple[int, str | int]] = []
        last = 0
        for match in self._regex.finditer(text):
            token = self._tokens[match.group()]
            start, end = match.span()
            if token.passed_over:
                continue
            if token.single_word and (_is_word(text[start - 1 : start]) or _is_word(text[end : end + 1])):
                continue
            if token.lstrip:
                start = max(len(text[:start].rstrip(white_space())), last)
            if token.rstrip:
                end = len(text) - len(text[end:].lstrip(white_space()))
            if last < start:
                out.append((last, text[last:start]))
            # A token of white space may have been taken by the one before it: the library drops it, or fails.
            if start != end:
                out.append((start, token.i if start < end else -1))
            last = end
        return [*out, (last, text[last:])] if last < len(text) else out


def _actions(tokens: list[AddedToken]) -> dict[bytes, int]:
    """Return what becomes of each token that is found, as fast_splitter takes it."""
    actions: dict[bytes, int] = {}
    for token in tokens:
        action = NOT_DONE_HERE if token.single_word or token.lstrip or token.rstrip else token.i
        # Text has no surrogates, so that a token with one is never found.
        actions.setdefault(token.content.encode("utf-8", "surrogatepass"), PASSED_OVER if token.passed_over else action)
    return actions


def _is_word(character: str) -> bool:
    return character != "" and ord(character) in members("rust word")


class Rewrite(Protocol):
    """Makes bytes of a part of the text that the model shall segment."""

    def passes(self, parts: str) -> bool:
        """Say whether parts, joined by hf_split.CUT, need nothing but their UTF-8."""

    def __call__(self, part: str) -> bytes:
        """Return the bytes of a part."""

    def without_special(self, pieces: frozenset[bytes], ids: frozenset[int]) -> Rewrite | None:
        """Return the same where special tokens are no pieces; see Normalizer.without_special."""


class HuggingFaceNormalizer(Normalizer):
    """The way of a record through a tokenizer.json up to its model.

    A kernel does it where the file has one of the usual shapes, and what it leaves open is done in Python.

    Args:
        normalizer: that object of tokenizer.json.
        pre_tokenizer: that object of tokenizer.json.
        added: the added tokens, each with the text that is looked for.
        odd_bytes: what replaces a byte that is not part of valid UTF-8, by byte; None: U+FFFD for all.
        surfaces: what the characters beyond Unicode stand for.
        rewrite: makes bytes of a part of the text that the model shall segment; None: its UTF-8.

    Attributes:
        normalizer, pre_tokenizer: as they were given.

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
        surfaces: dict[bytes, bytes],
        rewrite: Rewrite | None = None,
    ) -> None:
        # What rules are built of are closures: a copy in another process is built from the arguments again.
        self._arguments = (normalizer, pre_tokenizer, added, odd_bytes, surfaces, rewrite)
        self.normalizer, self.pre_tokenizer = normalizer, pre_tokenizer
        self._steps: list[Step] = hf_normalize.build(normalizer)
        splitters = hf_split.build(pre_tokenizer)
        self._chain = Chain(splitters)
        self._asks_where = hf_split.asks_where(pre_tokenizer)
        raw, normal = ([token for token in added if token.normalized == wanted] for wanted in (False, True))
        self._raw, self._normal = _Finder(raw), _Finder(normal)
        self._fast = None if rewrite else fast_splitter(normalizer, splitters, _actions(raw), _actions(normal))
        self._odd = odd_bytes
        self._rewrite = rewrite
        self.surfaces = surfaces

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._arguments

    def normalize_batch(self, data: Buffer, starts: Offsets, ends: Offsets) -> tuple[Buffer, Offsets]:
        """Normalise many records of one buffer; see Normalizer.normalize_batch."""
        if self._fast is None:
            return super().normalize_batch(data, starts, ends)
        return self._fast.batch(data, starts, ends, self.normalize_in_python)

    def normalize(self, data: Buffer) -> bytes:
        """Return the parts of a record, each to be segmented alone, with 0xFF between them."""
        if self._fast is None:
            return self.normalize_in_python(data)
        made, _ = self.normalize_batch(data, np.zeros(1, np.int64), np.array([len(data)], np.int64))
        return bytes(made)

    def normalize_in_python(self, data: Buffer) -> bytes:
        """Return the same without the kernel."""
        raw = bytes(data)
        odd = self._odd
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            text = raw.decode("utf-8", "replace" if odd is None else "surrogateescape")
        else:
            odd = None
        out: list[bytes] = []
        for place, piece in self._raw.split(text):
            if isinstance(piece, int):
                out.append(private(piece) if piece >= 0 else UNWRITABLE)
            else:
                self._segment(piece, int(self._asks_where and place == 0), odd, out)
        return CUT.join(out)

    def without_special(self, pieces: frozenset[bytes], ids: frozenset[int]) -> Normalizer:
        """Return a normaliser that finds no special tokens; see Normalizer.without_special."""
        normalizer, pre_tokenizer, added, odd_bytes, surfaces, rewrite = self._arguments
        added = [replace(token, passed_over=token.i in ids) for token in added]
        rewrite = rewrite.without_special(pieces, ids) if rewrite else None
        return HuggingFaceNormalizer(normalizer, pre_tokenizer, added, odd_bytes, surfaces, rewrite)

    def _segment(self, text: str, head: int, odd: dict[int, bytes] | None, out: list[bytes]) -> None:
        for step in self._steps:
            if head:
                head = step.head(text, head)
            text = step.apply(text)
        for place, piece in self._normal.split(text):
            if isinstance(piece, int):
                out.append(private(piece) if piece >= 0 else UNWRITABLE)
                continue
            parts = self._chain.run(piece, max(0, head - place))
            if odd is not None:
                out += [_encode(part, odd) for part in parts]
                continue
            joined = hf_split.CUT.join(parts)
            if self._rewrite is None or self._rewrite.passes(joined):
                out.append(joined.encode("utf-8", "surrogateescape"))
            else:
                out += map(self._rewrite, parts)


def _encode(part: str, odd: dict[int, bytes]) -> bytes:
    """Return UTF-8, with what `odd` says for the bytes that were none."""
    return b"".join(odd[ord(c) - 0xDC00] if "\udc80" <= c <= "\udcff" else c.encode("utf-8", "replace") for c in part)

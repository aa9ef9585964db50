"""The pre_tokenizer of a tokenizer.json: how normalised text is cut into parts that are segmented alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from corpustools.errors import DataError, UnsupportedModel
from corpustools.stages.tokenize.text.hf_regex import WHITE_SPACE, categories, for_ascii, rust_word, translate

# Cuts a text; takes and returns whether the (first) part begins where the record begins.
Splitter = Callable[[str, bool], tuple[list[str], bool]]
Span = tuple[int, int, bool]  # start, end, is a delimiter

# Byte 0xFF as the error handler surrogateescape writes it; no text has it.
CUT = "\udcff"
LONGEST_REMEMBERED = 40
BEHAVIORS = ("Removed", "Isolated", "Contiguous", "MergedWithPrevious", "MergedWithNext")
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
# The library's table of punctuation is that of Unicode 8; within these ranges all of it came later.
_LATER_PUNCTUATION = (
    "\u061d\u09fd-\u0a76\u0c77-\u0c84\u1b4e-\u1b4f\u1b7d-\u1b7f\u2e43-\u2e5d\U00010d6e\U00010ead-\U00010f89"
    "\U0001144b-\U0001145d\U00011660-\U000116b9\U0001183b-\U00011fff\U00012ff1-\U00012ff2\U00016e97-\U00016fe2"
    "\U0001e5ff\U0001e95e-\U0001e95f"
)
_ASCII_PUNCTUATION = r"!-/:-@\[-`{-~"


def build(spec: Any) -> list[Splitter]:
    """Return the splitters of a pre_tokenizer object of tokenizer.json (None: no splitters).

    Raises:
        DataError: a malformed object.
        UnsupportedModel: a pre-tokenizer of another kind; the text names it.
    """
    if spec is None:
        return []
    kind = spec.get("type") if isinstance(spec, dict) else None
    try:
        if kind == "Sequence":
            return [splitter for part in spec["pretokenizers"] for splitter in build(part)]
        if kind in _KINDS:
            return _KINDS[kind](spec)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"the pre_tokenizer {kind} is malformed ({error})") from error
    raise UnsupportedModel(f"the pre_tokenizer {kind!r} is not supported")


def byte_level(spec: Any) -> bool:
    """Say whether the pre_tokenizer maps bytes to the byte-level alphabet."""
    if not isinstance(spec, dict):
        return False
    if spec.get("type") == "Sequence":
        return any(byte_level(part) for part in spec.get("pretokenizers") or [])
    return spec.get("type") == "ByteLevel"


class Chain:
    """Splitters one behind the other. What becomes of a short part is remembered: words repeat."""

    def __init__(self, splitters: list[Splitter]) -> None:
        self._first = splitters[0] if splitters else None
        self._others = Chain(splitters[1:]) if len(splitters) > 1 else None
        self._remembered = lru_cache(1 << 16)(self._later)

    def run(self, text: str, at_start: bool) -> list[str]:
        """Return the parts of a text after all splitters."""
        if not self._first:
            return [text] if text else []
        parts, at_start = self._first(text, at_start)
        if not self._others or not parts:
            return parts
        out = self._others.run(parts[0], at_start)
        for part in parts[1:]:
            out += self._remembered(part) if len(part) < LONGEST_REMEMBERED else self._later(part)
        return out

    def _later(self, part: str) -> list[str]:
        assert self._others
        return self._others.run(part, False)


def _cut(regex: re.Pattern[str], behavior: str, invert: bool = False) -> Splitter:
    if behavior not in BEHAVIORS:
        raise ValueError(f"behavior {behavior}")
    if behavior == "Isolated" and not regex.groups:
        around = re.compile(f"({regex.pattern})", regex.flags)
        near = for_ascii(around)

        def isolate(text: str, at_start: bool) -> tuple[list[str], bool]:
            return list(filter(None, (near if text.isascii() else around).split(text))), at_start

        return isolate
    if behavior == "Removed" and not regex.groups and not invert:

        def remove(text: str, at_start: bool) -> tuple[list[str], bool]:
            parts = regex.split(text)
            return list(filter(None, parts)), at_start and bool(parts[0])

        return remove

    def split(text: str, at_start: bool) -> tuple[list[str], bool]:
        spans = [(a, b) for a, b in _merge(_spans(regex, text, invert), behavior) if b > a]
        return [text[a:b] for a, b in spans], at_start and spans[:1] != [] and spans[0][0] == 0

    return split


def _spans(regex: re.Pattern[str], text: str, invert: bool) -> list[Span]:
    spans: list[Span] = []
    last = 0
    for match in regex.finditer(text):
        start, end = match.span()
        if start > last:
            spans.append((last, start, invert))
        spans.append((start, end, not invert))
        last = end
    if last < len(text):
        spans.append((last, len(text), invert))
    return spans


def _merge(spans: list[Span], behavior: str) -> list[tuple[int, int]]:
    """Return the parts that a behaviour (normalizer.rs of the library) makes of delimiters and text."""
    if behavior == "Removed":
        return [(a, b) for a, b, delimiter in spans if not delimiter]
    if behavior == "Isolated":
        return [(a, b) for a, b, _ in spans]
    out: list[tuple[int, int]] = []
    previous = False
    backwards = behavior == "MergedWithNext"
    for a, b, delimiter in reversed(spans) if backwards else spans:
        joined = delimiter == previous if behavior == "Contiguous" else delimiter and not previous
        if joined and out:
            out[-1] = (a, out[-1][1]) if backwards else (out[-1][0], b)
        else:
            out.append((a, b))
        previous = delimiter
    return out[::-1] if backwards else out


def _byte_level(spec: dict[str, Any]) -> list[Splitter]:
    def prefix(text: str, at_start: bool) -> tuple[list[str], bool]:
        return [text if text.startswith(" ") else " " + text], at_start

    splitters: list[Splitter] = [prefix] if spec["add_prefix_space"] else []
    if spec.get("use_regex", True):
        splitters.append(_cut(translate(GPT2), "Isolated"))
    return splitters


def _metaspace(spec: dict[str, Any]) -> list[Splitter]:
    mark = str(spec["replacement"])
    scheme = spec.get("prepend_scheme") or ("always" if spec.get("add_prefix_space", True) else "never")
    if len(mark) != 1 or scheme not in ("always", "first", "never"):
        raise ValueError(f"{mark!r}, {scheme!r}")

    def replace(text: str, at_start: bool) -> tuple[list[str], bool]:
        marked = text.replace(" ", mark)
        if (scheme == "always" or (scheme == "first" and at_start)) and not marked.startswith(mark):
            marked = mark + marked
        return [marked], at_start

    def cut(text: str, at_start: bool) -> tuple[list[str], bool]:
        # Each mark begins a part: what MergedWithNext comes to for a delimiter of one character.
        parts, _ = replace(text, at_start)
        return list(filter(None, parts[0].replace(mark, CUT + mark).split(CUT))), at_start

    return [cut] if spec.get("split", True) else [replace]


def _split(spec: dict[str, Any]) -> list[Splitter]:
    pattern = spec["pattern"]
    regex = re.compile(re.escape(pattern["String"])) if "String" in pattern else translate(pattern["Regex"])
    return [_cut(regex, spec["behavior"], bool(spec.get("invert", False)))]


def _punctuation(spec: dict[str, Any]) -> list[Splitter]:
    regex = re.compile(f"(?![{_LATER_PUNCTUATION}])[{_ASCII_PUNCTUATION}{categories('P')}]|[\u166d\U000111c9]")
    return [_cut(regex, spec.get("behavior", "Isolated"))]


def _digits(spec: dict[str, Any]) -> list[Splitter]:
    return [_cut(re.compile(f"[{categories('N')}]"), "Isolated" if spec["individual_digits"] else "Contiguous")]


def _words(_: dict[str, Any]) -> list[Splitter]:
    word = rust_word()
    return [_cut(re.compile(f"[{word}]+|[^{word}{WHITE_SPACE}]+"), "Removed", invert=True)]


def _white_space(_: dict[str, Any]) -> list[Splitter]:
    return [_cut(re.compile(f"[{WHITE_SPACE}]"), "Removed")]


_KINDS: dict[str, Callable[[dict[str, Any]], list[Splitter]]] = {
    "ByteLevel": _byte_level,
    "Metaspace": _metaspace,
    "Split": _split,
    "Whitespace": _words,
    "WhitespaceSplit": _white_space,
    "Punctuation": _punctuation,
    "Digits": _digits,
    "BertPreTokenizer": lambda spec: _white_space(spec) + _punctuation({}),
    "CharDelimiterSplit": lambda spec: [_cut(re.compile(re.escape(spec["delimiter"])), "Removed")],
}

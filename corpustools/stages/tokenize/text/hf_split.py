"""The pre_tokenizer of a tokenizer.json: how normalised text is cut into parts that are segmented alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from corpustools.errors import DataError, UnsupportedModel
from corpustools.stages.tokenize.text.byte_alphabet import letters_of, text_of
from corpustools.stages.tokenize.text.hf_chain import Cut, Marks, Part, Space, Splitter
from corpustools.stages.tokenize.text.hf_regex import Classes, translate
from corpustools.stages.tokenize.text.unicode import in_class

Span = tuple[int, int, bool]  # start, end, is a delimiter

# Byte 0xFF as the error handler surrogateescape writes it; no text has it.
CUT = "\udcff"
BEHAVIORS = ("Removed", "Isolated", "Contiguous", "MergedWithPrevious", "MergedWithNext")
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


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
            return _sequence(spec["pretokenizers"])
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


def _sequence(parts: list[Any]) -> list[Splitter]:
    out: list[Splitter] = []
    in_letters = False
    for part in parts:
        if in_letters and (byte_level(part) or _adds_marks(part)):
            raise UnsupportedModel("a pre_tokenizer behind ByteLevel that changes text is not supported")
        out += [_on_letters(splitter) for splitter in build(part)] if in_letters else build(part)
        in_letters = in_letters or byte_level(part)
    return out


def _adds_marks(spec: Any) -> bool:
    parts = spec.get("pretokenizers") or [] if isinstance(spec, dict) else []
    return any(map(_adds_marks, parts)) or (isinstance(spec, dict) and spec.get("type") == "Metaspace")


def _on_letters(splitter: Splitter) -> Splitter:
    """Return what a splitter does behind ByteLevel: it meets a letter for each byte, and may cut within characters."""

    def quick(text: str) -> list[str]:
        return [text_of(part) for part in splitter.quick(letters_of(text))]

    rule = replace(splitter.rule, in_letters=True) if isinstance(splitter.rule, Cut) else splitter.rule
    return Splitter(rule, quick, lambda text, _: [(part, 0) for part in quick(text)])


def _cut(classes: Classes, behavior: str, invert: bool = False) -> Splitter:
    if behavior not in BEHAVIORS:
        raise ValueError(f"behavior {behavior}")

    def slow(text: str, head: int) -> list[Part]:
        spans = _merge(_spans(classes.of(text), text, invert), behavior)
        return [(text[a:b], max(0, head - a)) for a, b in spans if b > a]

    rule = Cut(classes, behavior, invert)
    if behavior == "Isolated" and not classes.groups:
        around = Classes(f"({classes.pattern})", classes.flags)
        return Splitter(rule, lambda text: list(filter(None, around.of(text).split(text))), slow)
    if behavior == "Removed" and not classes.groups and not invert:
        return Splitter(rule, lambda text: list(filter(None, classes.of(text).split(text))), slow)
    if behavior == "Removed" and not classes.groups:
        return Splitter(rule, lambda text: classes.of(text).findall(text), slow)
    return Splitter(rule, lambda text: [part for part, _ in slow(text, 0)], slow)


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
    def prefix(text: str) -> str:
        return text if text.startswith(" ") else " " + text

    def prefixed(text: str, head: int) -> list[Part]:
        return [(text, head) if text.startswith(" ") else (" " + text, head + 1)]

    splitters = [Splitter(Space(), lambda text: [prefix(text)], prefixed)] if spec["add_prefix_space"] else []
    if spec.get("use_regex", True):
        splitters.append(_cut(translate(GPT2), "Isolated"))
    return splitters


def scheme_of(spec: dict[str, Any]) -> tuple[str, str]:
    """Return the mark of a Metaspace, and when it is put before a text: always, first or never."""
    mark = str(spec["replacement"])
    scheme = spec.get("prepend_scheme") or ("always" if spec.get("add_prefix_space", True) else "never")
    if len(mark) != 1 or scheme not in ("always", "first", "never"):
        raise ValueError(f"{mark!r}, {scheme!r}")
    return mark, scheme


def asks_where(spec: Any) -> bool:
    """Say whether a pre_tokenizer asks where in the original text a part began."""
    if not isinstance(spec, dict):
        return False
    if spec.get("type") == "Sequence":
        return any(asks_where(part) for part in spec.get("pretokenizers") or [])
    return spec.get("type") == "Metaspace" and scheme_of(spec)[1] == "first"


def _metaspace(spec: dict[str, Any]) -> list[Splitter]:
    mark, scheme = scheme_of(spec)
    rule = Marks(mark, scheme, bool(spec.get("split", True)))

    def marked(text: str, head: int) -> str:
        text = text.replace(" ", mark)
        wanted = scheme == "always" or (scheme == "first" and head > 0)
        return mark + text if wanted and not text.startswith(mark) else text

    def cut(text: str) -> list[str]:
        # Each mark begins a part: what MergedWithNext comes to for a delimiter of one character.
        return list(filter(None, text.replace(mark, CUT + mark).split(CUT)))

    def slow(text: str, head: int) -> list[Part]:
        made = marked(text, head)
        head += len(made) - len(text) if head else 0
        if not rule.cuts:
            return [(made, head)]
        parts, at = [], 0
        for part in cut(made):
            parts.append((part, max(0, head - at)))
            at += len(part)
        return parts

    if rule.cuts:
        return [Splitter(rule, lambda text: cut(marked(text, 0)), slow)]
    return [Splitter(rule, lambda text: [marked(text, 0)], slow)]


def _split(spec: dict[str, Any]) -> list[Splitter]:
    pattern = spec["pattern"]
    if "String" in pattern and not pattern["String"]:
        raise UnsupportedModel("a pre_tokenizer Split by nothing is not supported")
    regex = _literal(str(pattern["String"])) if "String" in pattern else translate(pattern["Regex"])
    return [_cut(regex, spec["behavior"], bool(spec.get("invert", False)))]


def _literal(text: str) -> Classes:
    return Classes("".join(f"\\U{ord(character):08x}" for character in text))


def _punctuation(spec: dict[str, Any]) -> list[Splitter]:
    return [_cut(Classes(f"[{in_class('punctuation')}]"), spec.get("behavior", "Isolated"))]


def _digits(spec: dict[str, Any]) -> list[Splitter]:
    behavior = "Isolated" if spec["individual_digits"] else "Contiguous"
    return [_cut(Classes(f"[{in_class('rust numeric')}]"), behavior)]


def _words(_: dict[str, Any]) -> list[Splitter]:
    word, space = in_class("rust word"), in_class("rust space")
    return [_cut(Classes(f"[{word}]+|[^{word}{space}]+"), "Removed", invert=True)]


def _white_space(_: dict[str, Any]) -> list[Splitter]:
    return [_cut(Classes(f"[{in_class('rust space')}]"), "Removed")]


def _delimiter(spec: dict[str, Any]) -> list[Splitter]:
    if len(spec["delimiter"]) != 1:
        raise ValueError(f"{spec['delimiter']!r}")
    return [_cut(_literal(spec["delimiter"]), "Removed")]


_KINDS: dict[str, Callable[[dict[str, Any]], list[Splitter]]] = {
    "ByteLevel": _byte_level,
    "Metaspace": _metaspace,
    "Split": _split,
    "Whitespace": _words,
    "WhitespaceSplit": _white_space,
    "Punctuation": _punctuation,
    "Digits": _digits,
    "BertPreTokenizer": lambda spec: _white_space(spec) + _punctuation({}),
    "CharDelimiterSplit": _delimiter,
}

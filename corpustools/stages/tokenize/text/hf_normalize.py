"""The normalizer of a tokenizer.json: a chain of functions from text to text."""

from __future__ import annotations

import base64
import re
import unicodedata
from collections.abc import Callable
from functools import cache
from typing import Any

from corpustools.errors import DataError, UnsupportedModel
from corpustools.stages.tokenize.text.charsmap import Charsmap, compile_charsmap, shortest_rule
from corpustools.stages.tokenize.text.hf_regex import WHITE_SPACE_CHARACTERS, categories, for_ascii, translate

Step = Callable[[str], str]

# The characters that the Nmt normalizer removes, and those that it makes spaces.
_NMT = dict.fromkeys([*range(1, 9), 0x0B, *range(0x0E, 0x20), 0x7F, 0x8F, 0x9F])
_NMT_SPACES = [9, 10, 12, 13, 0x1680, *range(0x200B, 0x2010), 0x2028, 0x2029, 0x2581, 0xFEFF, 0xFFFD]
_NMT_TABLE = {**_NMT, **dict.fromkeys(_NMT_SPACES, " ")}


def build(spec: Any) -> list[Step]:
    """Return the steps of a normalizer object of tokenizer.json (None: no steps).

    Raises:
        DataError: a malformed object.
        UnsupportedModel: a normalizer of another kind; the text names it.
    """
    if spec is None:
        return []
    kind = spec.get("type") if isinstance(spec, dict) else None
    try:
        if kind == "Sequence":
            return [step for part in spec["normalizers"] for step in build(part)]
        if kind in _KINDS:
            return [_KINDS[kind](spec)]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"the normalizer {kind} is malformed ({error})") from error
    raise UnsupportedModel(f"the normalizer {kind!r} is not supported")


def _form(spec: dict[str, Any]) -> Step:
    form = spec["type"]
    return lambda text: unicodedata.normalize(form, text)


def _lowercase(_: dict[str, Any]) -> Step:
    # Character by character: str.lower would look at a word's end for the final sigma.
    return lambda text: text.lower() if "Σ" not in text else "".join(map(str.lower, text))


def _strip(spec: dict[str, Any]) -> Step:
    left, right = bool(spec["strip_left"]), bool(spec["strip_right"])

    def strip(text: str) -> str:
        text = text.lstrip(WHITE_SPACE_CHARACTERS) if left else text
        return text.rstrip(WHITE_SPACE_CHARACTERS) if right else text

    return strip


def _strip_accents(_: dict[str, Any]) -> Step:
    return lambda text: text if text.isascii() else "".join(c for c in text if unicodedata.category(c) != "Mn")


def _prepend(spec: dict[str, Any]) -> Step:
    start = str(spec["prepend"])
    return lambda text: start + text if text else text


def _replace(spec: dict[str, Any]) -> Step:
    pattern, content = spec["pattern"], str(spec["content"])
    if "String" in pattern:
        old = str(pattern["String"])
        if not old:
            raise ValueError("an empty pattern")
        return lambda text: text.replace(old, content)
    regex = translate(pattern["Regex"])
    near = for_ascii(regex)
    return lambda text: (near if text.isascii() else regex).sub(lambda _: content, text)


def _precompiled(spec: dict[str, Any]) -> Step:
    charsmap = compile_charsmap(base64.b64decode(spec["precompiled_charsmap"], validate=True), [])

    alone = _Alone(charsmap)

    def normalize(text: str) -> str:
        if "\r\n" not in text and (text.isascii() or not _joining().search(text)):
            return text.translate(alone)
        return "".join(_cluster(alone, cluster) for cluster in _clusters(text))

    return normalize


class _Alone(dict[int, str]):
    """What the charsmap makes of each character by itself; filled as characters are met."""

    def __init__(self, charsmap: Charsmap) -> None:
        super().__init__()
        self.charsmap = charsmap

    def __missing__(self, code: int) -> str:
        made = _rule(self.charsmap, chr(code).encode("utf-8", "surrogatepass"))
        self[code] = chr(code) if made is None else made
        return self[code]


_KINDS: dict[str, Callable[[dict[str, Any]], Step]] = {
    "NFC": _form,
    "NFD": _form,
    "NFKC": _form,
    "NFKD": _form,
    "Lowercase": _lowercase,
    "Strip": _strip,
    "StripAccents": _strip_accents,
    "Nmt": lambda _: lambda text: text.translate(_NMT_TABLE),
    "Prepend": _prepend,
    "Replace": _replace,
    "Precompiled": _precompiled,
}


def _cluster(alone: _Alone, cluster: str) -> str:
    """Return what the library makes of a grapheme cluster: by one rule if it is short, else by characters.

    The rule is the shortest that the text begins with, and it replaces the text to its end: both are the
    library's (spm_precompiled), and differ from SentencePiece.
    """
    if len(cluster) > 1:
        encoded = cluster.encode("utf-8", "surrogatepass")
        made = _rule(alone.charsmap, encoded) if len(encoded) < 6 else None
        if made is not None:
            return made
    return cluster.translate(alone)


def _rule(charsmap: Charsmap, text: bytes) -> str | None:
    value = shortest_rule(charsmap.units, text)
    if value is None:
        return None
    return charsmap.strings[value : charsmap.strings.index(b"\0", value)].decode()


# Grapheme clusters (Unicode Standard Annex 29) as far as they matter: only those of fewer than six bytes are
# looked up as a whole, which are CR LF, and a letter with the marks behind it or a prepended sign before it.
_PREPENDED = (
    "\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\u0d4e\U000110bd\U000110cd\U000111c2\U000111c3\U0001193f\U00011941"
    "\U00011a3a\U00011a84-\U00011a89\U00011d46\U00011f02"
)
# What joins the character before it without being a mark by category.
_JOINERS = "\u200c\u200d\u0e33\u0eb3\uff9e\uff9f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f"
_NO_MARKS = (
    "\u102b\u102c\u1038\u1062-\u1064\u1067-\u106d\u1083\u1087-\u108c\u108f\u109a-\u109c\u1a61\u1a63\u1a64\uaa7b\uaa7d"
)


def _clusters(text: str) -> list[str]:
    return _cluster_pattern().findall(text)


@cache
def _joining() -> re.Pattern[str]:
    """Return what finds a character that is part of a cluster of several, apart from CR LF."""
    return re.compile(f"[{_PREPENDED}{categories('M')}{_JOINERS}]")


@cache
def _cluster_pattern() -> re.Pattern[str]:
    mark = f"(?![{_NO_MARKS}])[{categories('M')}{_JOINERS}]"
    control = (
        f"[{categories('Cc')}{categories('Zl')}{categories('Zp')}]|(?![{_PREPENDED}{_JOINERS}])[{categories('Cf')}]"
    )
    letter = f"(?!{control})[^{_PREPENDED}]"
    return re.compile(f"\r\n|{control}|[{_PREPENDED}]*{letter}(?:{mark})*|[{_PREPENDED}]+(?:{mark})*|.", re.DOTALL)

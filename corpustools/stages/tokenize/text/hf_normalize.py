"""The normalizer of a tokenizer.json: a chain of steps from text to text."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from corpustools.errors import DataError, UnsupportedModel
from corpustools.stages.tokenize.text.charsmap import compile_charsmap
from corpustools.stages.tokenize.text.hf_clusters import Precompiled
from corpustools.stages.tokenize.text.hf_forms import Form, standing_at_start
from corpustools.stages.tokenize.text.hf_regex import translate
from corpustools.stages.tokenize.text.unicode import mapping, members

# The characters that the Nmt normalizer removes, and those that it makes spaces.
_NMT = dict.fromkeys([*range(1, 9), 0x0B, *range(0x0E, 0x20), 0x7F, 0x8F, 0x9F])
_NMT_SPACES = [9, 10, 12, 13, 0x1680, *range(0x200B, 0x2010), 0x2028, 0x2029, 0x2581, 0xFEFF, 0xFFFD]
_NMT_TABLE: dict[int, str | None] = {**_NMT, **dict.fromkeys(_NMT_SPACES, " ")}


@dataclass(frozen=True)
class Step:
    """One normalizer.

    apply: from text to text.
    head: from a text, and the number of its first characters that stand at offset 0 of the original text, to that
        number in the new text, as the library counts it.
    """

    apply: Callable[[str], str]
    head: Callable[[str, int], int]

    def __call__(self, text: str) -> str:
        """Return the new text."""
        return self.apply(text)


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


def _by_character(apply: Callable[[str], str]) -> Step:
    """Return a step in which every character becomes a text of its own, whatever stands around it."""
    return Step(apply, lambda text, head: len(apply(text[:head])))


def _form(spec: dict[str, Any]) -> Step:
    form = Form(spec["type"])
    return Step(form, lambda text, head: standing_at_start(form.changes(text), head))


def _lowercase(_: dict[str, Any]) -> Step:
    # Character by character: no look at a word's end for the final sigma.
    return _by_character(lambda text: text.lower() if text.isascii() else text.translate(mapping("lower")))


def strip(text: str, left: bool, right: bool) -> str:
    """Return a text without White_Space at its ends."""
    space = white_space()
    text = text.lstrip(space) if left else text
    return text.rstrip(space) if right else text


@cache
def white_space() -> str:
    """Return the characters of White_Space."""
    return "".join(map(chr, sorted(members("rust space"))))


def _strip(spec: dict[str, Any]) -> Step:
    left, right = bool(spec["strip_left"]), bool(spec["strip_right"])

    def head(text: str, head: int) -> int:
        taken = len(text) - len(strip(text, left, False))
        return max(0, min(head, len(strip(text, False, right))) - taken)

    return Step(lambda text: strip(text, left, right), head)


def _strip_accents(_: dict[str, Any]) -> Step:
    table = dict.fromkeys(members("marks"))
    return _by_character(lambda text: text if text.isascii() else text.translate(table))


def _prepend(spec: dict[str, Any]) -> Step:
    start = str(spec["prepend"])
    if not start:
        raise UnsupportedModel("a normalizer Prepend of nothing is not supported")
    return Step(lambda text: start + text if text else text, lambda text, head: head + len(start) if head else 0)


def _replace(spec: dict[str, Any]) -> Step:
    pattern, content = spec["pattern"], str(spec["content"])
    if "String" in pattern:
        old = str(pattern["String"])
        if not old:
            raise UnsupportedModel("a normalizer Replace of nothing is not supported")
        literal = translate("".join(f"\\x{{{ord(character):x}}}" for character in old))
        return Step(
            lambda text: text.replace(old, content), lambda text, head: _kept(literal.whole, text, head, content)
        )
    regex = translate(pattern["Regex"])
    return Step(
        lambda text: regex.of(text).sub(lambda _: content, text),
        lambda text, head: _kept(regex.of(text), text, head, content),
    )


def _kept(regex: re.Pattern[str], text: str, head: int, content: str) -> int:
    """Return the new head behind a replacement, which stands where the last character of its match stood."""
    count = last = 0
    for match in regex.finditer(text):
        if match.start() >= head:
            break
        count += match.start() - last
        last = match.end()
        if last > head:
            return count
        count += len(content)
    return count + max(0, head - last)


def _precompiled(spec: dict[str, Any]) -> Step:
    charsmap = compile_charsmap(base64.b64decode(spec["precompiled_charsmap"], validate=True), [])
    precompiled = Precompiled(charsmap)
    return Step(precompiled, lambda text, head: standing_at_start(precompiled.changes(text), head))


def _nmt(_: dict[str, Any]) -> Step:
    return _by_character(lambda text: text.translate(_NMT_TABLE))


_KINDS: dict[str, Callable[[dict[str, Any]], Step]] = {
    "NFC": _form,
    "NFD": _form,
    "NFKC": _form,
    "NFKD": _form,
    "Lowercase": _lowercase,
    "Strip": _strip,
    "StripAccents": _strip_accents,
    "Nmt": _nmt,
    "Prepend": _prepend,
    "Replace": _replace,
    "Precompiled": _precompiled,
}

"""Splitters, each a rule and what it does to a text, and a chain of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from corpustools.stages.tokenize.text.hf_regex import Classes

Part = tuple[str, int]  # text, and how many of its first characters stand at offset 0 of the original text

LONGEST_REMEMBERED = 40


@dataclass(frozen=True)
class Cut:
    """Cuts at the matches of a pattern, which a behaviour makes parts of.

    in_letters: the pattern meets a letter of the byte-level alphabet for each byte of the text.
    """

    classes: Classes
    behavior: str
    invert: bool
    in_letters: bool = False


@dataclass(frozen=True)
class Space:
    """Puts a space before a text that does not begin with one."""


@dataclass(frozen=True)
class Marks:
    """Makes spaces marks, puts one before a text as the scheme says, and cuts before each where parts are asked for."""

    mark: str
    scheme: str
    cuts: bool


class Splitter:
    """Cuts a text into parts.

    Args:
        rule: what it does, for who does the same in another way.
        quick: returns the parts.
        slow: returns the same parts with their heads, of a text and its head.
    """

    def __init__(
        self,
        rule: Cut | Space | Marks,
        quick: Callable[[str], list[str]],
        slow: Callable[[str, int], list[Part]],
    ) -> None:
        self.rule = rule
        self.quick = quick
        self.slow = slow


class Chain:
    """Splitters one behind the other. What becomes of a short part is remembered: words repeat."""

    def __init__(self, splitters: list[Splitter]) -> None:
        self._first = splitters[0] if splitters else None
        self._others = Chain(splitters[1:]) if len(splitters) > 1 else None
        self._remembered = lru_cache(1 << 16)(self._later)

    def run(self, text: str, head: int) -> list[str]:
        """Return the parts of a text after all splitters.

        Args:
            text: the text.
            head: how many of its first characters stand at offset 0 of the original text.
        """
        if not self._first:
            return [text] if text else []
        if head and text:
            heads = [(part, head) for part, head in self._first.slow(text, head) if part]
            if not self._others:
                return [part for part, _ in heads]
            return [one for part, head in heads for one in self._others.run(part, head)]
        parts = self._first.quick(text) if text else []
        if not self._others:
            return parts
        out: list[str] = []
        for part in parts:
            out += self._remembered(part) if len(part) < LONGEST_REMEMBERED else self._later(part)
        return out

    def _later(self, part: str) -> list[str]:
        assert self._others
        return self._others.run(part, 0)

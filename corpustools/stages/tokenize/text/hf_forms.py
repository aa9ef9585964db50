"""The normal forms of Unicode (Standard Annex 15) over the tables of the tokenizers library."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache

import numpy as np

from corpustools.stages.tokenize.text.hf_regex import Classes
from corpustools.stages.tokenize.text.tables import Table, two_stages
from corpustools.stages.tokenize.text.unicode import combining_classes, mapping, written

# A character of the new text, and how the library counts it: 1 if it is new, -n if n characters behind it went, else 0.
Change = tuple[str, int]

# Syllables of Hangul are arithmetic (The Unicode Standard, 3.12).
_S, _L, _V, _T = 0xAC00, 0x1100, 0x1161, 0x11A7
_SYLLABLES, _VOWELS, _FINALS = 11172, 21, 28
_REMEMBERED = 48


class Form:
    """NFC, NFD, NFKC or NFKD of texts.

    Args:
        name: which.
    """

    def __init__(self, name: str) -> None:
        self._compatible, self._composing = "K" in name, name.endswith("C")
        # What may change, or change what stands before it. A composed character also takes part with its first letter.
        before = ".?" if self._composing else ""
        self._active = Classes(f"{before}[{_active(self._compatible, self._composing)}]+", re.DOTALL)
        self._whole = lru_cache(1 << 15)(self._of)

    def __call__(self, text: str) -> str:
        """Return the normal form of a text."""
        if text.isascii():
            return text
        return self._active.of(text).sub(self._part, text)

    def changes(self, text: str) -> Iterator[Change]:
        """Give the characters of the normal form with what the library counts of each."""
        items = _decomposed(text, _decompositions(self._compatible))
        return _composed(items) if self._composing else ((character, change) for _, character, change in items)

    def _part(self, match: re.Match[str]) -> str:
        part = match.group()
        return self._whole(part) if len(part) < _REMEMBERED else self._of(part)

    def _of(self, text: str) -> str:
        return "".join(character for character, _ in self.changes(text))


@cache
def _decompositions(compatible: bool) -> dict[str, str]:
    made = mapping("canonical") | (mapping("compatible") if compatible else {})
    return {chr(code): text for code, text in made.items()}


@cache
def _pairs() -> dict[str, str]:
    """Return the composed character of two."""
    return {text: chr(code) for code, text in mapping("pairs").items()}


@cache
def _active(compatible: bool, composing: bool) -> str:
    decompositions, classes = _decompositions(compatible), combining_classes()
    active = set(classes)
    if composing:
        seconds = {pair[1] for pair in _pairs()} | {
            chr(code) for code in (*range(_V, _V + 21), *range(_T + 1, _T + 28))
        }
        made = _pairs().values()
        active |= seconds
        # A composed character is its own form, unless something else is, or it begins with what joins backwards.
        composed = {c for c in made if decompositions[c] == mapping("canonical")[ord(c)]}
        active |= {c for c, text in decompositions.items() if c not in composed or text[0] in active}
    else:
        active |= decompositions.keys() | {chr(code) for code in range(_S, _S + _SYLLABLES)}
    codes = sorted(map(ord, active))
    starts = [code for code in codes if chr(code - 1) not in active]
    stops = [code for code in codes if chr(code + 1) not in active]
    return written(tuple(zip(starts, stops, strict=True)))


@cache
def composition_orders() -> Table:
    """Return what NFC asks about each code point: 0 nothing, 1 it may change, more: a mark, by the order of marks.

    A text is its own NFC if none of its characters may change and no mark follows one of a higher number (Unicode
    Standard Annex 15, 9). Marks of one combining class have one number.
    """
    canonical, pairs, classes = mapping("canonical"), mapping("pairs"), combining_classes()
    orders = {ord(mark): number + 1 for mark, number in classes.items()}
    doubtful = {ord(pair[1]) for pair in pairs.values()} | {*range(_V, _V + 21), *range(_T + 1, _T + 28)}
    # A character that is composed again stays, unless it begins with what joins backwards.
    doubtful |= {
        code for code, text in canonical.items() if code not in pairs or text[0] in classes or ord(text[0]) in doubtful
    }
    values = orders | dict.fromkeys(doubtful, 1)
    edges = sorted({0, *values, *(code + 1 for code in values if code < sys.maxunicode)})
    return two_stages(np.array(edges, np.int64), np.array([values.get(code, 0) for code in edges], np.uint8))


def _decomposed(text: str, decompositions: dict[str, str]) -> Iterator[tuple[int, str, int]]:
    """Give combining class, character and change; marks in the order of their classes."""
    classes = combining_classes()
    pending: list[tuple[int, str, int]] = []
    for character in text:
        for number, part in enumerate(decompositions.get(character) or _letters(character)):
            combining = classes.get(part, 0)
            if not combining:
                yield from sorted(pending, key=_by_class) if len(pending) > 1 else pending
                pending.clear()
            pending.append((combining, part, int(number > 0)))
    yield from sorted(pending, key=_by_class)


def _by_class(item: tuple[int, str, int]) -> int:
    return item[0]


def _letters(character: str) -> str:
    """Return the letters of a syllable of Hangul; any other character is itself."""
    number = ord(character) - _S
    if not 0 <= number < _SYLLABLES:
        return character
    rest, final = divmod(number, _FINALS)
    letter, vowel = divmod(rest, _VOWELS)
    return chr(_L + letter) + chr(_V + vowel) + (chr(_T + final) if final else "")


def _composed(items: Iterable[tuple[int, str, int]]) -> Iterator[Change]:
    pairs = _pairs()
    base: Change | None = None
    behind: list[Change] = []  # marks that did not compose with the base
    last = -1
    for combining, character, change in items:
        if base is None:
            if combining:
                yield character, change
            else:
                base = character, change
            continue
        if last < combining:
            made = pairs.get(base[0] + character) or _syllable(base[0], character)
            if made:
                base = made, base[1] + change - 1
                continue
        if combining:
            behind.append((character, change))
            last = combining
        else:
            yield base
            yield from behind
            behind.clear()
            base, last = (character, change), -1
    if base is not None:
        yield base
    yield from behind


def _syllable(first: str, second: str) -> str | None:
    a, b = ord(first), ord(second)
    if 0 <= a - _L < 19 and 0 <= b - _V < _VOWELS:
        return chr(_S + ((a - _L) * _VOWELS + b - _V) * _FINALS)
    if 0 <= a - _S < _SYLLABLES and (a - _S) % _FINALS == 0 and 0 < b - _T < _FINALS:
        return chr(a + b - _T)
    return None


def standing_at_start(changes: Iterable[Change], head: int) -> int:
    """Return how many characters of a new text the library counts to the first `head` characters of the old one."""
    at = count = 0
    for _, change in changes:
        if (at - 1 if change > 0 else at) >= head:
            break
        if change <= 0:
            at += 1 - change
        count += 1
    return count

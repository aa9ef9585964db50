"""The Precompiled normalizer: SentencePiece's charsmap, as the tokenizers library applies it to grapheme clusters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from corpustools.stages.tokenize.text.charsmap import Charsmap, shortest_rule
from corpustools.stages.tokenize.text.hf_forms import Change
from corpustools.stages.tokenize.text.hf_regex import Classes
from corpustools.stages.tokenize.text.unicode import in_class


class Precompiled:
    """What a charsmap makes of texts.

    Args:
        charsmap: the compiled rules.
    """

    def __init__(self, charsmap: Charsmap) -> None:
        self._charsmap = charsmap
        self._alone = _Alone(self)

    def __call__(self, text: str) -> str:
        """Return the normalised text."""
        if "\r\n" not in text and (text.isascii() or not _joining().of(text).search(text)):
            return text.translate(self._alone)
        return "".join(new for _, new in self._parts(text))

    def changes(self, text: str) -> Iterator[Change]:
        """Give the new characters with what the library counts of each."""
        made: list[Change] = []
        for old, new in self._parts(text):
            made += [(character, 0) for character in new]
            grown = len(new) - len(old)
            for i in range(1, grown + 1):
                made[-i] = made[-i][0], 1
            # Where a rule leaves nothing this falls to the character before it, and at the start to none.
            if grown < 0 and made:
                made[-1] = made[-1][0], made[-1][1] + grown
        yield from made

    def rule(self, text: str) -> str | None:
        """Return the output of the shortest rule that a text begins with."""
        value = shortest_rule(self._charsmap.units, text.encode("utf-8", "surrogatepass"))
        if value is None:
            return None
        return self._charsmap.strings[value : self._charsmap.strings.index(b"\0", value)].decode()

    def _parts(self, text: str) -> Iterator[tuple[str, str]]:
        """Give old and new text in turn.

        A cluster of fewer than six bytes becomes the output of one rule, the shortest that it begins with, if there
        is one: that is the library's way (spm_precompiled) and differs from SentencePiece.
        """
        for cluster in _clusters().of(text).findall(text):
            if len(cluster) > 1 and len(cluster.encode("utf-8", "surrogatepass")) < 6:
                made = self.rule(cluster)
                if made is not None:
                    yield cluster, made
                    continue
            for character in cluster:
                yield character, self._alone[ord(character)]


class _Alone(dict[int, str]):
    """What a charsmap makes of each character by itself; filled as characters are met."""

    def __init__(self, precompiled: Precompiled) -> None:
        super().__init__()
        self._precompiled = precompiled

    def __missing__(self, code: int) -> str:
        made = self._precompiled.rule(chr(code))
        self[code] = chr(code) if made is None else made
        return self[code]


@cache
def _joining() -> Classes:
    """Return what finds a character that is part of a cluster of several, apart from CR LF."""
    return Classes(f"[{in_class('cluster joins', 'cluster prepended')}]")


# Letters of Hangul that join, behind each other or behind a syllable.
_LEADING, _SYLLABLE = "\\u1100-\\u115f\\ua960-\\ua97c", "\\uac00-\\ud7a3"
_VOWEL, _FINAL = "\\u1160-\\u11a7\\ud7b0-\\ud7c6", "\\u11a8-\\u11ff\\ud7cb-\\ud7fb"


@cache
def _clusters() -> Classes:
    """Return what finds grapheme clusters (Standard Annex 29) as far as those below six bytes depend on it."""
    joins, prepended, control = (f"[{in_class('cluster ' + name)}]" for name in ("joins", "prepended", "control"))
    hangul = f"[{_LEADING}]*(?:[{_SYLLABLE}]|[{_VOWEL}])[{_VOWEL}]*[{_FINAL}]*|[{_LEADING}]+|[{_FINAL}]+"
    sign = f"[{in_class('cluster pictures')}]"
    picture = f"{sign}(?:[{in_class('cluster between pictures')}]*\u200d{sign})*"
    consonant = "(?!)"
    if in_class("cluster consonants"):
        letter, linker = f"[{in_class('cluster consonants')}]", in_class("cluster linkers")
        between = f"[{linker}{in_class('cluster between consonants')}]*"
        consonant = f"{letter}(?:{between}[{linker}]{between}{letter})*"
    core = f"{hangul}|{consonant}|{picture}|(?!{control})(?!{prepended})."
    return Classes(f"\r\n|{control}|{prepended}*(?:{core}){joins}*|{prepended}+{joins}*|.", re.DOTALL)

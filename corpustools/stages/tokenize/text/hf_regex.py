"""The regular expressions of tokenizer.json (Oniguruma's Ruby syntax) in Python's `re`, or a refusal."""

from __future__ import annotations

import re
import sys
from functools import cache, cached_property
from typing import Any

from corpustools.errors import UnsupportedModel
from corpustools.stages.tokenize.text.unicode import Run, category_names, complement, mapping, merged, runs, written
from corpustools.stages.tokenize.text.unicode import in_class as inside

_ESCAPED_CLASSES = {"s": "oniguruma space", "d": "oniguruma digit", "w": "oniguruma word"}
# Six fractions and powers of Latin-1 are word characters to Oniguruma only outside of brackets.
_IN_BRACKETS = {"oniguruma word": "oniguruma word in brackets"}
_GROUPS = re.compile(r"\(\?(?:[:=!>]|<[=!]|i:)")
_CODE = re.compile(r"\\u([0-9A-Fa-f]{4})|\\x\{([0-9A-Fa-f]{1,8})\}|\\x([0-7][0-9A-Fa-f])")
_FAR_RANGES = re.compile(r"(?:\\U(?!000000[0-7])[0-9a-f]{8}-\\U[0-9a-f]{8})+")
_ASTRAL_RANGES = re.compile(r"(?:\\U(?!0000)[0-9a-f]{8}-\\U[0-9a-f]{8})+")
# Neither behind a dash, where a range may end, nor behind a backslash, which may be escaped.
_MANY_RANGES = re.compile(r"(?<![-\\])(?:\\U[0-9a-f]{8}-\\U[0-9a-f]{8}){8,}")
_RANGE = re.compile(r"\\U([0-9a-f]{8})-\\U([0-9a-f]{8})")
_FIRST_STAND_IN = 0xF0000
_ASTRAL = re.compile("[\U00010000-\U0010ffff]")
_REFUSED = "the regular expression {!r} uses {}"
# Letters that together are one character without regard to case: ß is ss, ﬁ is fi. Oniguruma knows them.
_LIGATURES = re.compile("ss|st|ff|fi|fl", re.IGNORECASE | re.ASCII)
# Where the two engines read repetition differently, or only one of them knows it.
_REPETITION = re.compile(r"\{[\d,]*\}\+|\{\d+\}\?|\{,")


class Classes:
    """A pattern whose classes have ranges all over Unicode, in the form that is quickest for a text.

    Python looks ranges beyond the BMP up one by one, so that each character would be compared with hundreds. So there
    are forms without those, and for ASCII without all others.

    Args:
        pattern: of Python's `re`, with all that is not ASCII as ranges of escapes of eight digits.
        flags: of `re.compile`, besides ASCII: no table of the running Python's is used.
    """

    def __init__(self, pattern: str, flags: int = re.MULTILINE) -> None:
        self.pattern = pattern
        self.flags = flags

    @cached_property
    def whole(self) -> re.Pattern[str]:
        """The pattern for any text."""
        return re.compile(self.pattern, self.flags)

    @property
    def tree(self) -> Any:
        """The pattern as Python's parser returns it; a character of `stand_ins` stands for the ranges of each."""
        return self._parsed[0]

    @property
    def stand_ins(self) -> dict[int, tuple[Run, ...]]:
        """What characters of `tree` stand for: ascending runs with gaps between them, by code point."""
        return self._parsed[1]

    @property
    def groups(self) -> int:
        """The number of groups that the pattern captures."""
        return int(self.tree.state.groups) - 1

    @cached_property
    def _parsed(self) -> tuple[Any, dict[int, tuple[Run, ...]]]:
        # The parser takes its time for each of a thousand ranges, and most patterns have the same ones many times.
        codes: dict[str, int] = {}

        def stand_in(found: re.Match[str]) -> str:
            code = codes.get(found[0])
            if code is None:
                code = max(codes.values(), default=_FIRST_STAND_IN - 1) + 1
                while f"\\U{code:08x}" in self.pattern:
                    code += 1
                codes[found[0]] = code
            return f"\\U{code:08x}"

        short = _MANY_RANGES.sub(stand_in, self.pattern)
        tree = re._parser.parse(short, self.flags)  # type: ignore[attr-defined]
        return tree, {code: _runs_of(text) for text, code in codes.items()}

    @cached_property
    def _bmp(self) -> re.Pattern[str]:
        return re.compile(_ASTRAL_RANGES.sub(lambda _: "\\U0010ffff", self.pattern), self.flags)

    @cached_property
    def _ascii(self) -> re.Pattern[str]:
        return re.compile(_FAR_RANGES.sub(lambda _: "\\U0010ffff", self.pattern), self.flags)

    def of(self, text: str) -> re.Pattern[str]:
        """Return a pattern that has the matches of this one in a text."""
        if text.isascii():
            return self._ascii
        return self.whole if _ASTRAL.search(text) else self._bmp


@cache
def _runs_of(ranges: str) -> tuple[Run, ...]:
    """Return ranges as ascending runs with gaps between them."""
    return merged([(int(first, 16), int(last, 16)) for first, last in _RANGE.findall(ranges)])


def translate(pattern: str) -> Classes:
    """Return the pattern as Python's `re` understands it, with the same matches.

    Raises:
        UnsupportedModel: a construct whose meaning differs or is unknown here, or a pattern that may match nothing.
    """
    made = _Translation(pattern).run()
    classes = Classes(made)
    try:
        least = classes.tree.getwidth()[0]
        if "(?<" in made:
            # How long a look behind may be is not the parser's to know.
            _ = classes.whole
    except (re.error, RecursionError, OverflowError) as error:
        raise UnsupportedModel(_REFUSED.format(pattern, f"what is not understood ({error})")) from error
    if least == 0:
        # The engines go on differently behind an empty match.
        raise UnsupportedModel(_REFUSED.format(pattern, "matches of no characters"))
    return classes


class _Translation:
    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._out: list[str] = []
        # For each open group, whether letters of both cases match in it.
        self._folding = [False]

    def run(self) -> str:
        pattern, position = self._pattern, 0
        if _REPETITION.search(pattern):
            raise self._refused("a repetition that engines read differently")
        while position < len(pattern):
            character = pattern[position]
            if character == "\\":
                piece, position = self._escape(position, False)
                self._out.append(piece)
            elif character == "[":
                position = self._class(position + 1)
            elif character == "(":
                position = self._open(position)
            else:
                if character == ")" and len(self._folding) > 1:
                    self._folding.pop()
                self._out.append(self._literal(character))
                position += 1
        return "".join(self._out)

    def _refused(self, what: str) -> UnsupportedModel:
        return UnsupportedModel(_REFUSED.format(self._pattern, what))

    def _open(self, position: int) -> int:
        group = _GROUPS.match(self._pattern, position)
        if self._pattern.startswith("(?", position) and not group:
            raise self._refused("a group of an unknown kind")
        kind = group.group() if group else "("
        self._folding.append(self._folding[-1] or kind == "(?i:")
        if kind == "(?i:":
            rest = self._pattern[position:]
            if _LIGATURES.search(rest[: rest.find(")") if ")" in rest else None]):
                raise self._refused("letters that are one character without regard to case")
        self._out.append("(?:" if kind == "(?i:" else kind)
        return position + len(kind)

    def _literal(self, character: str) -> str:
        """Return a character outside of classes."""
        if not self._folding[-1] or character in "'|)?*+.^$- ":
            return _escaped(character) if ord(character) > 126 or character == "-" else character
        return f"[{self._both_cases(character)}]"

    def _both_cases(self, character: str) -> str:
        if not ("a" <= character <= "z" or "A" <= character <= "Z"):
            if character in "'-_.,0123456789":
                return _escaped(character)
            raise self._refused(f"{character!r} without regard to case")
        letter = character.lower()
        return "".join(map(_escaped, letter + mapping("cases")[ord(letter)]))

    def _class(self, position: int) -> int:
        """Translate a class from behind its bracket; return the position behind it."""
        pattern, out = self._pattern, ["["]
        if pattern.startswith("^", position):
            out, position = ["[^"], position + 1
        if pattern.startswith("]", position):
            raise self._refused("a class that begins with a bracket")
        while not pattern.startswith("]", position):
            character = pattern[position : position + 1]
            if not character:
                raise self._refused("what is not understood (a class without end)")
            if character == "\\":
                piece, position = self._escape(position, True)
                out.append(piece)
                continue
            if character == "[" or pattern.startswith(("&&", "--"), position):
                raise self._refused("a class within a class")
            if self._folding[-1]:
                if character == "-":
                    raise self._refused("a range without regard to case")
                out.append(self._both_cases(character))
            else:
                out.append("-" if character == "-" else _escaped(character))
            position += 1
        self._out.append("".join(out) + "]")
        return position + 1

    def _escape(self, position: int, in_class: bool) -> tuple[str, int]:
        """Return the translation of the escape at `position`, and the position behind it."""
        pattern = self._pattern
        letter = pattern[position + 1 : position + 2]
        if letter in "pP" and letter:
            found = re.compile(r"\\[pP]\{(\^?)([A-Za-z]+)\}").match(pattern, position)
            if not found:
                raise self._refused("a malformed property")
            names = category_names(found[2])
            if not names:
                raise self._refused(f"the property {found[2]}")
            return _set(names, (letter == "P") != bool(found[1]), in_class), found.end()
        if letter.lower() in _ESCAPED_CLASSES and letter:
            name = _ESCAPED_CLASSES[letter.lower()]
            return _set((_IN_BRACKETS.get(name, name) if in_class else name,), letter.isupper(), in_class), position + 2
        if self._folding[-1]:
            raise self._refused(f"\\{letter} without regard to case")
        code = _CODE.match(pattern, position)
        if code:
            number = int(code[1] or code[2] or code[3], 16)
            if number > sys.maxunicode:
                raise self._refused(code[0])
            return f"\\U{number:08x}", code.end()
        if letter in "nrtfv" and letter:
            return "\\" + letter, position + 2
        if not letter or ord(letter) > 127 or re.match("[0-9A-Za-z]", letter):
            raise self._refused(f"\\{letter}")
        return _escaped(letter), position + 2


def _escaped(character: str) -> str:
    """Return a character as one that means itself, in a class as outside."""
    code = ord(character)
    if code > 126 or code < 32:
        return f"\\U{code:08x}"
    return re.escape(character) if character not in "|~&-" else "\\" + character


def _set(names: tuple[str, ...], negated: bool, in_class: bool) -> str:
    if not in_class:
        return f"[{'^' * negated}{inside(*names)}]"
    return written(complement(runs(*names))) if negated else inside(*names)

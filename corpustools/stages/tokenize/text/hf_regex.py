"""The regular expressions of tokenizer.json (Oniguruma's Ruby syntax) in Python's `re`, or a refusal."""

from __future__ import annotations

import re
import sys
import unicodedata
from functools import cache

from corpustools.errors import UnsupportedModel

# Unicode's White_Space; Python's own \s has the separators U+001C to U+001F besides.
WHITE_SPACE = "\t\n\x0b\x0c\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
WHITE_SPACE_CHARACTERS = WHITE_SPACE.replace("\u2000-\u200a", "".join(map(chr, range(0x2000, 0x200B))))
# Letters in circles and squares are alphabetic without being letters by category.
_CIRCLED = "\u24b6-\u24e9\U0001f130-\U0001f149\U0001f150-\U0001f169\U0001f170-\U0001f189"
_CLASSES = {"s": ("White_Space",), "d": ("Nd",), "w": ("L", "M", "Nd", "Nl", "Pc", "Oniguruma's")}
_NAMED = {
    "White_Space": WHITE_SPACE,
    # What is a word character to Oniguruma and to Rust's regex beside the general categories.
    "Oniguruma's": _CIRCLED + "\xb2\xb3\xb9\xbc-\xbe",
    "Rust's": _CIRCLED + "\u200c\u200d",
}
_GROUPS = re.compile(r"\(\?(?:[:=!>]|<[=!]|i:)")
_CODE = re.compile(r"\\u([0-9A-Fa-f]{4})|\\x\{([0-9A-Fa-f]{1,8})\}|\\x([0-7][0-9A-Fa-f])")
_FAR_RANGES = re.compile(r"(?:\\U(?!000000[0-7])[0-9a-f]{8}-\\U[0-9a-f]{8})+")
_REFUSED = "the regular expression {!r} uses {}"


def translate(pattern: str) -> re.Pattern[str]:
    """Return the pattern as Python's `re` understands it, with the same matches.

    Properties are general categories of the running Python's Unicode tables.

    Raises:
        UnsupportedModel: a construct whose meaning differs or is unknown here.
    """
    out: list[str] = []
    position, in_class = 0, False
    while position < len(pattern):
        character = pattern[position]
        if character == "\\":
            piece, position = _escape(pattern, position, in_class)
            out.append(piece)
            continue
        position += 1
        if in_class:
            if character == "[" or pattern.startswith("&&", position - 1):
                raise UnsupportedModel(_REFUSED.format(pattern, "a class within a class"))
            in_class = character != "]"
            out.append("\\" + character if character in "|~" else character)
        elif character == "[":
            in_class = True
            if pattern.startswith("^", position):
                character, position = "[^", position + 1
            out.append(character)
        elif character == "(" and pattern.startswith("?", position):
            if not _GROUPS.match(pattern, position - 1):
                raise UnsupportedModel(_REFUSED.format(pattern, "a group of an unknown kind"))
            out.append(character)
        else:
            out.append(character)
    try:
        return re.compile("".join(out), re.MULTILINE)
    except (re.error, RecursionError, OverflowError) as error:
        raise UnsupportedModel(_REFUSED.format(pattern, f"what is not understood ({error})")) from error


def for_ascii(regex: re.Pattern[str]) -> re.Pattern[str]:
    """Return a pattern with the same matches in ASCII text, found faster: classes without their far ranges.

    Python looks ranges beyond the BMP up one by one, so that each space would be compared with hundreds.
    """
    near = _FAR_RANGES.sub(lambda _: "\\U0010ffff", regex.pattern)
    return re.compile(near, regex.flags & ~re.UNICODE)


def _escape(pattern: str, position: int, in_class: bool) -> tuple[str, int]:
    """Return the translation of the escape at `position`, and the position behind it."""
    letter = pattern[position + 1 : position + 2]
    if letter in "pP" and letter:
        found = re.compile(r"\\[pP]\{(\^?)([A-Za-z]+)\}").match(pattern, position)
        if not found:
            raise UnsupportedModel(_REFUSED.format(pattern, "a malformed property"))
        ranges = categories(found[2])
        if ranges is None:
            raise UnsupportedModel(_REFUSED.format(pattern, f"the property {found[2]}"))
        return _class(ranges, (letter == "P") != bool(found[1]), in_class), found.end()
    if letter.lower() in _CLASSES and letter:
        ranges = "".join(categories(name) or "" for name in _CLASSES[letter.lower()])
        return _class(ranges, letter.isupper(), in_class), position + 2
    code = _CODE.match(pattern, position)
    if code:
        number = int(code[1] or code[2] or code[3], 16)
        if number > sys.maxunicode:
            raise UnsupportedModel(_REFUSED.format(pattern, code[0]))
        return f"\\U{number:08x}", code.end()
    if letter in "nrtfv" and letter:
        return "\\" + letter, position + 2
    if not letter or letter.isalnum() or ord(letter) > 127:
        raise UnsupportedModel(_REFUSED.format(pattern, f"\\{letter}"))
    return re.escape(letter), position + 2


def _class(ranges: str, negated: bool, in_class: bool) -> str:
    if not in_class:
        return f"[{'^' * negated}{ranges}]"
    return _complement(ranges) if negated else ranges


def _complement(ranges: str) -> str:
    inside = re.compile(f"[{ranges}]")
    return _ranges([not inside.match(chr(code)) for code in range(sys.maxunicode + 1)])


@cache
def rust_word() -> str:
    """Return the word characters of Rust's regex as ranges for `[...]`."""
    return "".join(categories(name) or "" for name in (*_CLASSES["w"][:-1], "Rust's"))


@cache
def categories(name: str) -> str | None:
    """Return the characters of a general category (one or two letters) as ranges for `[...]`, or None.

    Besides there are the sets of `_NAMED`, whose names no property has.
    """
    if name in _NAMED:
        return _NAMED[name]
    if not any(key.startswith(name) for key in _members()) or len(name) > 2:
        return None
    inside = [False] * (sys.maxunicode + 1)
    for key, codes in _members().items():
        if key.startswith(name):
            for code in codes:
                inside[code] = True
    return _ranges(inside)


@cache
def _members() -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for code in range(sys.maxunicode + 1):
        found.setdefault(unicodedata.category(chr(code)), []).append(code)
    return found


def _ranges(inside: list[bool]) -> str:
    out: list[str] = []
    start = None
    for code, member in enumerate([*inside, False]):
        if member and start is None:
            start = code
        elif not member and start is not None:
            out.append(f"\\U{start:08x}-\\U{code - 1:08x}")
            start = None
    return "".join(out)

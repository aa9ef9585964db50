"""A record's text as the lattice sees it: hard cuts, characters, and ids as lines of text."""

from __future__ import annotations

from collections.abc import Iterator


def parts(text: bytes, cuts: int) -> Iterator[tuple[int, bytes]]:
    """Give the lattices of a record with their first bytes: one, up to newline runs, or between marks 0xFF."""
    at = 0
    while at < len(text):
        end, after = len(text), len(text)
        if cuts == 1:
            newline = text.find(b"\n", at)
            while 0 <= newline < len(text) - 1 and text[newline + 1] == 0x0A:
                newline += 1
            end = after = newline + 1 if newline >= 0 else len(text)
        elif cuts == 2:
            mark = text.find(b"\xff", at)
            end, after = (mark, mark + 1) if mark >= 0 else (len(text), len(text))
        if end > at:
            yield at, text[at:end]
        at = after


def character_length(text: bytes, at: int) -> int:
    """Return the bytes of the character at `at`, by its first byte alone."""
    first = text[at]
    return min(1 if first < 0xC0 else 2 if first < 0xE0 else 3 if first < 0xF0 else 4, len(text) - at)


def code_point(text: bytes) -> int:
    """Return the code point of a character by its first byte alone, as the kernel does for malformed ones too."""
    code = text[0] & (0xFF, 0xFF, 0x1F, 0x0F, 0x07)[len(text)]
    for byte in text[1:]:
        code = code << 6 | byte & 0x3F
    return code


def is_character(text: bytes) -> bool:
    """Say whether the text is one character that a piece may begin with."""
    # As in the kernel: surrogates and private characters pass, overlong forms and torn characters begin no piece.
    if len(text) == 4 and text[0] >= 0xF5:
        return True
    try:
        return len(text.decode("utf-8", "surrogatepass")) == 1
    except UnicodeDecodeError:
        return False

"""SentencePiece's text normalisation in plain Python: the twin of normalize.pyx.

Source: normalizer.cc of SentencePiece 0.2.3; the double array is that of Darts-clone (darts.h).
"""

from __future__ import annotations

from typing import Any

import numpy as np

MOST_RULES, MOST_SYMBOLS = 32, 64


class NeedsInput(Exception):
    """More input could lengthen a match or complete a character."""


def normalize(
    tables: tuple[Any, ...],
    flags: int,
    data: Any,
    starts: Any,
    ends: Any,
    is_open: bool,
    state: Any,
    out: Any,
    offsets: Any,
) -> bool:
    """Normalise records from where `state` stands; return True where `out` became full before the end."""
    bounds = list(zip(np.frombuffer(starts, np.int64).tolist(), np.frombuffer(ends, np.int64).tolist(), strict=True))
    text, room = memoryview(data).cast("B"), memoryview(out).cast("B")
    progress = np.frombuffer(state, np.int64)
    ends_out = np.frombuffer(offsets, np.int64)
    if (is_open and len(bounds) != 1) or len(ends_out) < len(bounds) + 1:
        raise ValueError("the buffers do not fit each other")
    for number in range(int(progress[0]), len(bounds)):
        start, end = bounds[number]
        if not 0 <= start <= end <= len(text):
            raise ValueError(f"record {number} lies outside the text")
        position, started, space_before, held, written = progress[1:6].tolist()
        record = _Record(tables, flags, bytes(text[start:end]), is_open)
        position, started, space_before, held, made = record.run(position, started, space_before, held)
        if len(made) > len(room) - written:
            return True
        room[written : written + len(made)] = made
        if is_open:
            progress[1:6] = position, started, space_before, held, written + len(made)
            return False
        progress[:] = number + 1, 0, 0, 0, 0, written + len(made)
        ends_out[number + 1] = written + len(made)
    return False


class _Record:
    def __init__(self, tables: tuple[Any, ...], flags: int, text: bytes, is_open: bool) -> None:
        units, self.strings, first, target, self.label, self.terminal, _, _ = tables
        self.units = units.tolist() if len(units) < 1 else units
        self.first, self.target = first, target
        self.text, self.is_open = text, is_open
        self.dummy, self.trim = bool(flags & 1), bool(flags & 2)
        self.escape, self.suffix = bool(flags & 4), bool(flags & 8)
        self.symbol = b"\xe2\x96\x81" if self.escape else b" "

    def run(self, i: int, started: int, space_before: int, held: int) -> tuple[int, int, int, int, bytes]:
        """Return where the record stands, and the text that became certain."""
        out = bytearray()
        text = self.text
        try:
            while not started and i < len(text):
                made, used = self.look_up(i) if self.trim else (b"", 0)
                if made == b" ":
                    i += used
                else:
                    started, space_before, held = 1, int(self.trim), int(self.dummy and not self.suffix)
            while i < len(text):
                made, used = self.look_up(i)
                if space_before:
                    made = made.lstrip(b" ")
                # Space symbols wait until text follows: the last ones may have to go.
                body = made.replace(b" ", self.symbol)
                solid = body
                while solid.endswith(self.symbol):
                    solid = solid[: -len(self.symbol)]
                if solid:
                    out += self.symbol * held + solid
                    held = 0
                held += (len(body) - len(solid)) // len(self.symbol)
                if made:
                    space_before = int(self.trim and made.endswith(b" "))
                i += used
        except NeedsInput:
            return i, started, space_before, held, bytes(out)
        if not self.is_open and started:
            out += self.symbol * ((0 if self.trim else held) + (self.dummy and self.suffix))
        return i, started, space_before, held, bytes(out)

    def look_up(self, i: int) -> tuple[bytes, int]:
        """Return what the text at i becomes, and how many bytes that takes."""
        length = self.longest_symbol(i)
        if length:
            return self.text[i : i + length], length
        length, value = self.longest_rule(i)
        if length:
            return self.strings[value : self.strings.index(b"\0", value)], length
        for length in range(1, 5):
            try:
                self.text[i : i + length].decode()
            except UnicodeDecodeError as error:
                if error.reason != "unexpected end of data":
                    break
                if i + length >= len(self.text):
                    if self.is_open:
                        raise NeedsInput from error
                    break
            else:
                return self.text[i : i + length], length
        return b"\xef\xbf\xbd", 1

    def longest_symbol(self, i: int) -> int:
        """Return the length of the longest user-defined symbol at i, 0 if there is none."""
        node = longest = matches = 0
        for j in range(i, len(self.text) + 1):
            low, high = int(self.first[node]), int(self.first[node + 1])
            if low == high:
                break
            if j == len(self.text):
                if self.is_open:
                    raise NeedsInput
                break
            edge = self.label.find(self.text[j : j + 1], low, high)
            if edge < 0:
                break
            node = int(self.target[edge])
            if self.terminal[node]:
                matches += 1
                longest = j + 1 - i if matches <= MOST_SYMBOLS else longest
        return longest

    def longest_rule(self, i: int) -> tuple[int, int]:
        """Return the length of the longest rule at i, 0 if there is none, and where its output stands."""
        if not len(self.units):
            return 0, 0
        longest = value = matches = 0
        position = _offset(int(self.units[0]))
        for j in range(i, len(self.text)):
            position ^= self.text[j]
            unit = int(self.units[position])
            if unit & 0x800000FF != self.text[j]:
                return longest, value
            position ^= _offset(unit)
            if unit >> 8 & 1:
                matches += 1
                if matches <= MOST_RULES:
                    longest, value = j + 1 - i, int(self.units[position]) & 0x7FFFFFFF
        if self.is_open:
            raise NeedsInput
        return longest, value


def _offset(unit: int) -> int:
    return (unit >> 10) << ((unit & 0x200) >> 6) & 0xFFFFFFFF


def steady(bits: Any, data: Any) -> int:
    """Return how many bytes of UTF-8 begin `data` whose characters have their bits set."""
    text, at = bytes(data), 0
    while at < len(text):
        first = text[at]
        length = 1 if first < 0x80 else 2 if first < 0xE0 else 3
        try:
            code = ord(text[at : at + length].decode())
        except (UnicodeDecodeError, TypeError):
            break
        if not bits[code >> 3] >> (code & 7) & 1:
            break
        at += length
    return at

"""One text out of JSON lines in plain Python: the twin of compiled.pyx.

Strings are unescaped by the standard library's json. Its parser is not used: it calls itself for each bracket, and how
deep it comes depends on the Python version and on who called it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

# What a line is found to be. All but the first two are causes of BadRecords.
VERDICTS = ("taken", "blank", "json", "utf8", "depth", "missing", "null", "type", "surrogate")
TAKEN, BLANK, NO_JSON, NO_UTF8, TOO_DEEP, MISSING, IS_NULL, WRONG_TYPE, HALF_PAIR = range(len(VERDICTS))
# Objects and lists inside one another, the outermost included.
DEEPEST = 1024
# The kernel copies in steps.
OUT_SLACK = 32

_SPACE = re.compile(rb"[ \t\n\r]*+")
# A string up to its closing quote, or to what no string may hold.
_STRING = re.compile(rb'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+')
_SCALAR = re.compile(rb"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][-+]?[0-9]++)?+|null|true|false|NaN|-?Infinity")
_ANY, _INNER, _WANTED = range(3)


def scan(
    data: Any,
    starts: Any,
    ends: Any,
    keys: Sequence[bytes],
    out: Any,
    offsets: Any,
    verdicts: Any,
    places: Any,
    portable: bool = False,
) -> None:
    """Write the texts that JSON lines have under a field, one after another, and say of each line what it is."""
    begins, stops = np.frombuffer(starts, np.int64).tolist(), np.frombuffer(ends, np.int64).tolist()
    target = memoryview(out).cast("B")
    text_ends, found, where = np.frombuffer(offsets, np.int64), memoryview(verdicts), np.frombuffer(places, np.int64)
    count = len(begins)
    if not 1 <= len(keys) <= DEEPEST:
        raise ValueError(f"a field of {len(keys)} keys")
    if len(stops) < count or len(text_ends) < count + 1 or len(found) < count or len(where) < count:
        raise ValueError("the buffers do not fit each other")
    text_ends[0] = written = 0
    for i, (start, stop) in enumerate(zip(begins, stops, strict=False)):
        if not 0 <= start <= stop <= len(data) or len(target) - written - OUT_SLACK < stop - start:
            raise ValueError(f"line {i} lies outside the data, or its text outside the output")
        line = LineReader(bytes(memoryview(data)[start:stop]), keys)
        found[i], where[i] = line.read(), line.place
        target[written : written + len(line.text)] = line.text
        written += len(line.text)
        text_ends[i + 1] = written


class LineReader:
    """Reads one line; see json.h for what the attributes hold."""

    def __init__(self, line: bytes, keys: Sequence[bytes]) -> None:
        self.line, self.keys = line, keys
        self.at = self.place = self.matched = 0
        self.found = BLANK
        self.text = b""
        # Whether each open bracket is that of a list.
        self.lists: list[bool] = []

    def read(self) -> int:
        """Return what the line is."""
        self._skip_space()
        if self.at == len(self.line):
            return BLANK
        try:
            self.line.decode()
        except UnicodeDecodeError as error:
            self.place = error.start
            return NO_UTF8
        verdict = self._read_values()
        if verdict in (NO_JSON, TOO_DEEP):
            self.place = self.at
        if verdict != TAKEN:
            self.text = b""
        return verdict

    def _read_values(self) -> int:
        role = _INNER
        while True:
            if role != _ANY:
                self.found, self.place = WRONG_TYPE, self.at
            byte = self._byte()
            if byte in (b"{", b"["):
                if len(self.lists) == DEEPEST:
                    return TOO_DEEP
                self._open_bracket(role, byte == b"[")
                empty = self._byte() == (b"]" if byte == b"[" else b"}")
                following = self._after_value() if empty else 1
            else:
                following = self._after_value() if self._read_scalar(role) else -1
            if following == 0:
                return self.found
            if following < 0:
                return NO_JSON
            role = _ANY
            if not self.lists[-1]:
                role = self._read_key()
                if role < 0:
                    return NO_JSON

    def _byte(self) -> bytes:
        return self.line[self.at : self.at + 1]

    def _skip_space(self) -> None:
        space = _SPACE.match(self.line, self.at)
        assert space is not None
        self.at = space.end()

    def _read_string(self) -> bytes | None:
        """Return a string without its quotes, and stand behind it."""
        body = _STRING.match(self.line, self.at)
        if body is None:
            return None
        self.at = body.end()
        if self._byte() != b'"':
            return None
        self.at += 1
        return body[0][1:]

    def _open_bracket(self, role: int, is_list: bool) -> None:
        self.lists.append(is_list)
        self.at += 1
        self._skip_space()
        if role == _INNER and not is_list:
            self.matched, self.found = len(self.lists), MISSING

    def _read_key(self) -> int:
        raw = self._read_string()
        if raw is None:
            return -1
        self._skip_space()
        if self._byte() != b":":
            return -1
        self.at += 1
        self._skip_space()
        depth = len(self.lists)
        if self.matched != depth or depth > len(self.keys) or _unescaped(raw) != self.keys[depth - 1]:
            return _ANY
        self.found, self.text = MISSING, b""
        return _WANTED if depth == len(self.keys) else _INNER

    def _read_scalar(self, role: int) -> bool:
        if self._byte() == b'"':
            raw = self._read_string()
            if raw is not None and role == _WANTED:
                self.text = _unescaped(raw)
                self.found = TAKEN if _is_utf8(self.text) else HALF_PAIR
            return raw is not None
        scalar = _SCALAR.match(self.line, self.at)
        if scalar is None:
            return False
        self.at = scalar.end()
        if role != _ANY and self.lists and scalar[0] == b"null":
            self.found = IS_NULL
        return True

    def _after_value(self) -> int:
        """Go on behind a value; return 1 where a value or a key follows, 0 at the end, -1 at what cannot be."""
        while True:
            self._skip_space()
            if not self.lists:
                return 0 if self.at == len(self.line) else -1
            byte = self._byte()
            if byte == b",":
                self.at += 1
                self._skip_space()
                return 1
            if byte != (b"]" if self.lists[-1] else b"}"):
                return -1
            self.at += 1
            self.lists.pop()
            self.matched = min(self.matched, len(self.lists))


def _unescaped(raw: bytes) -> bytes:
    """Return what a string is without its escapes; half of a surrogate pair becomes three bytes that are no UTF-8."""
    if b"\\" not in raw:
        return raw
    text: str = json.loads(b'"%s"' % raw)
    return text.encode("utf-8", "surrogatepass")


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True

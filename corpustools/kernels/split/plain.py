"""Records into the parts that a model segments alone, in plain Python: the twin of compiled.pyx."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

MOST_CUTTERS = 12
# The kernel copies in steps.
OUT_SLACK = 64

_CUT, _SPACE, _END_COLUMN = b"\xff", 0x20, 255
_GO_ON, _ENDED, _MAY_END, _FAILED, _ENDED_BEFORE = range(5)
_PASSED_OVER, _NOT_DONE_HERE = -1, -2
_NO_PREFIX, _ALWAYS, _UNLESS_MARKED, _AT_START = range(4)
# Where a double array begins, as in kernels/lattice/trie.h.
_ROOT = 256


def split(
    program: tuple[Any, ...], data: Any, starts: Any, ends: Any, growth: int, out: Any, offsets: Any, done: Any
) -> None:
    """Write the marked bytes of records one after another, and say of each whether it was done here."""
    begins, stops = np.frombuffer(starts, np.int64).tolist(), np.frombuffer(ends, np.int64).tolist()
    target, text_ends, verdicts = memoryview(out).cast("B"), np.frombuffer(offsets, np.int64), memoryview(done)
    if growth < 1:
        raise ValueError(f"a growth of {growth}")
    if len(stops) < len(begins) or len(text_ends) <= len(begins) or len(verdicts) < len(begins):
        raise ValueError("the buffers do not fit each other")
    text_ends[0] = written = 0
    rules = _Program(*program)
    for i, (start, end) in enumerate(zip(begins, stops, strict=False)):
        if not 0 <= start <= end <= len(data) or (len(target) - written - OUT_SLACK) // growth < end - start:
            raise ValueError(f"record {i} lies outside the data, or what it becomes outside the output")
        made = rules.record(bytes(memoryview(data)[start:end]))
        verdicts[i] = made is not None
        if made:
            target[written : written + len(made)] = made
            written += len(made)
        text_ends[i + 1] = written


class _NotDone(Exception):
    """A record is not done here."""


class _Program:
    def __init__(self, raw: Any, normal: Any, orders: Any, cutters: Any, space: bool, marks: Any) -> None:
        self._raw, self._normal, self._orders = raw, normal, orders
        self._cutters = [_Cutter(cutters, i) for i in range(len(cutters[0]))] if cutters is not None else []
        self._space, self._marks = space, marks

    def record(self, record: bytes) -> bytes | None:
        """Return the marked bytes of a record, or None where it is not done here."""
        try:
            text = record.decode()
            if self._orders is not None:
                self._check_orders(text)
            return _CUT.join(self._record(record))
        except (UnicodeDecodeError, _NotDone):
            return None

    def _check_orders(self, text: str) -> None:
        last = 0
        for character in text:
            code = ord(character)
            order = _looked_up(self._orders[0], self._orders[1], code) if code > 127 else 0
            if order == 1 or 0 < order < last:
                raise _NotDone
            last = order

    def _record(self, record: bytes) -> Iterator[bytes]:
        for at, piece in _found(self._raw, record):
            if isinstance(piece, int):
                yield _private(piece)
            elif self._marks is not None and self._marks[4]:
                made = self._marked(piece, at == 0)
                if any(isinstance(one, int) for _, one in _found(self._normal, made)):
                    raise _NotDone
                yield made
            else:
                for place, one in _found(self._normal, piece):
                    yield from [_private(one)] if isinstance(one, int) else self._parts(one, at + place == 0)

    def _parts(self, text: bytes, first: bool) -> list[bytes]:
        if self._marks is not None:
            return [self._marked(text, first)]
        parts = [b" " + text if self._space and text[0] != _SPACE else text]
        for cutter in self._cutters:
            parts = [one for part in parts for one in cutter.parts(part)]
        return parts

    def _marked(self, text: bytes, first: bool) -> bytes:
        mark, prefix, scheme, cuts, _ = self._marks
        made = text.replace(b" ", mark)
        if scheme == _ALWAYS or (scheme in (_UNLESS_MARKED, *[_AT_START] * first) and not made.startswith(mark)):
            made = prefix + made
        return made[:1] + made[1:].replace(mark, _CUT + mark) if cuts else made


class _Cutter:
    """One automaton; see program.h for its tables."""

    def __init__(self, tables: Any, i: int) -> None:
        places, blocks, classes, following, verdicts = tables
        first_class, first_entry, self._bytewise, _ = places[i]
        self._blocks, self._classes = blocks[0x1100 * i :], classes[first_class:]
        self._next, self._verdicts = following[first_entry:], verdicts[first_entry:]

    def parts(self, text: bytes) -> Iterator[bytes]:
        """Give the matches in a text and what stands between them."""
        columns, ends = self._columns(text)
        last = at = 0
        while at < len(ends) - 1:
            end = self._match_end(columns, at)
            if end and last < at:
                yield text[ends[last] : ends[at]]
            if end:
                yield text[ends[at] : ends[end]]
                last = end
            at = end or at + 1
        if last < at:
            yield text[ends[last] :]

    def _columns(self, text: bytes) -> tuple[list[int], list[int]]:
        """Return the column of each character and of the end, and where each begins."""
        if self._bytewise:
            return [*(int(self._classes[byte]) for byte in text), _END_COLUMN], list(range(len(text) + 1))
        codes = [ord(character) for character in text.decode()]
        columns = [_looked_up(self._blocks, self._classes, code) if code > 127 else code for code in codes]
        starts = [i for i, byte in enumerate(text) if byte & 0xC0 != 0x80]
        return [*columns, _END_COLUMN], [*starts, len(text)]

    def _match_end(self, columns: list[int], at: int) -> int:
        row = remembered = 0
        while True:
            entry = row + columns[at]
            verdict = self._verdicts[entry]
            if verdict == _ENDED:
                return at
            if verdict == _FAILED:
                return remembered
            if verdict == _ENDED_BEFORE:
                return at - 1
            remembered = at if verdict == _MAY_END else remembered
            row, at = int(self._next[entry]), at + 1


def _looked_up(blocks: Any, values: Any, code: int) -> int:
    return int(values[256 * int(blocks[code >> 8]) + (code & 255)])


def _private(i: int) -> bytes:
    code = 0x140000 + i
    return bytes([0xF0 | code >> 18, 0x80 | code >> 12 & 63, 0x80 | code >> 6 & 63, 0x80 | code & 63])


def _found(tables: Any, text: bytes) -> Iterator[tuple[int, bytes | int]]:
    """Give the texts between tokens and the tokens, each with its place."""
    last = at = 0
    while tables is not None and at < len(text):
        size, action = _longest(tables, text, at)
        if size and action != _PASSED_OVER:
            if action == _NOT_DONE_HERE:
                raise _NotDone
            if last < at:
                yield last, text[last:at]
            yield at, action
            last = at + size
        at += size or 1
    if last < len(text):
        yield last, text[last:]


def _longest(tables: Any, text: bytes, at: int) -> tuple[int, int]:
    _, units, actions = tables
    base, size, action = _ROOT, 0, 0
    for end in range(at, len(text)):
        unit = int(units[base ^ text[end]])
        if unit & 511 != text[end] + 1:
            break
        if unit >> 36:
            size, action = end + 1 - at, int(actions[(unit >> 36) - 1])
        base = unit >> 9 & 0x7FFFFFF
    return size, action

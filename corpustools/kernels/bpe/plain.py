"""Byte-pair encoding in plain Python: the twin of compiled.pyx."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush
from itertools import pairwise
from typing import Any

import numpy as np

from corpustools.kernels.bpe.plain_dropout import BYTES_OF_DROP_CACHE as BYTES_OF_DROP_CACHE
from corpustools.kernels.bpe.plain_dropout import drop as drop
from corpustools.kernels.bpe.status import DONE, UNWRITABLE

# What callers make room by: 32-bit words of a pair's slot, bytes of the cache, bytes for each letter of a long word,
# codes behind the last one, and bytes of the first
# table of seams.
SLOT_WORDS, CACHE_BYTES, LETTER_BYTES, OUT_SLACK, NEAR_BYTES = 4, 8, 1, 4, 8

_CUT = 0xFF
_MARK = b"\xe2\x96\x81"
_GONE = -2
_UNKNOWN = -1


def joined(codes: Sequence[int], pairs: Mapping[tuple[int, int], tuple[int, int]]) -> list[int]:
    """Return what the letters of a word become.

    Of all neighbouring pairs the one with the least (priority, place) is joined, until none is left.

    Args:
        codes: the codes of the letters.
        pairs: (priority, made) by (left, right).
    """
    row, size = list(codes), len(codes)
    before, behind = list(range(-1, size - 1)), list(range(1, size + 1))
    heap = [(pairs[pair][0], place) for place, pair in enumerate(pairwise(row)) if pair in pairs]
    heapify(heap)
    while heap:
        priority, place = heappop(heap)
        right = behind[place]
        found = pairs.get((row[place], row[right])) if right < size else None
        # An entry is old where one of its two neighbours has become another since.
        if found is None or found[0] != priority:
            continue
        row[place], row[right] = found[1], _GONE
        behind[place] = behind[right]
        if behind[place] < size:
            before[behind[place]] = place
        for one in (before[place], place):
            found = pairs.get((row[one], row[behind[one]])) if one >= 0 and behind[one] < size else None
            if found is not None:
                heappush(heap, (found[0], one))
    return [code for code in row if code != _GONE]


class Merger:
    """The merges of a model; compiled.pyx tells of the arguments. Words are never cut at seams here."""

    def __init__(
        self,
        *,
        pairs: Any,
        pair_slots: Any,
        letters: Any,
        whole_text: Any,
        whole_ends: Any,
        whole_codes: Any,
        whole_slots: Any,
        symbol_text: Any,
        symbol_ends: Any,
        symbol_codes: Any,
        apart_ends: Any,
        apart: Any,
        byte_codes: Any,
        unknown: int,
        fuse: bool,
        characters: bool,
        begins: Any,
        code_text: Any,
        code_ends: Any,
        seams: Any,
    ) -> None:
        rows = np.frombuffer(pairs, np.int32).reshape(-1, 4).tolist()
        self._pairs = {(left, right): (priority, made) for left, right, priority, made in rows}
        self._letters = np.frombuffer(letters, np.int32)
        self._wholes = _by_text(whole_text, whole_ends, whole_codes)
        self._symbols = _by_text(symbol_text, symbol_ends, symbol_codes)
        self._longest = max(map(len, self._symbols), default=0)
        self._apart_ends, self._apart = np.frombuffer(apart_ends, np.int32), np.frombuffer(apart, np.int32).tolist()
        self._bytes = np.frombuffer(byte_codes, np.int32).tolist()
        self._unknown, self._fuse = unknown, fuse
        self._characters, self._begins = characters, bytes(begins)

    def segment(
        self,
        text: Any,
        offsets: Any,
        *,
        first: int,
        bos: int,
        eos: int,
        out: Any,
        ends: Any,
        word_ends: Any,
        state: Any,
        cache: Any,
        room: Any,
    ) -> int:
        """Write the codes of records from `first` on."""
        data, bounds = bytes(text), np.frombuffer(offsets, np.int64).tolist()
        target, record_ends, at = _writable(out, np.int32), _writable(ends, np.int64), _writable(state, np.int64)
        words = None if word_ends is None else _writable(word_ends, np.int64)
        _check(bounds, data)
        if len(target) < at[1] + bounds[-1] - bounds[first] + 2 * (len(bounds) - 1 - first) + OUT_SLACK:
            raise ValueError("too little room for the codes")
        for record in range(first, len(bounds) - 1):
            row, stops = self._record(data, bounds[record], bounds[record + 1])
            if row is None:
                return UNWRITABLE
            row, head = ([bos] if bos >= 0 else []) + row + ([eos] if eos >= 0 else []), int(bos >= 0)
            target[at[1] : at[1] + len(row)] = row
            if words is not None:
                words[at[2] : at[2] + len(stops)] = [int(at[1]) + head + stop for stop in stops]
                at[2] += len(stops)
            at[1] += len(row)
            at[0] = record + 1
            record_ends[record] = at[1]
        return DONE

    def words(self, text: Any, offsets: Any, *, starts: Any, ends: Any, record_ends: Any) -> int:
        """Write where words begin and end, and how many there are up to each record's end; return their number."""
        data, bounds = bytes(text), np.frombuffer(offsets, np.int64).tolist()
        begun, ended = _writable(starts, np.int64), _writable(ends, np.int64)
        by_record = _writable(record_ends, np.int64)
        _check(bounds, data)
        count = 0
        for record in range(len(bounds) - 1):
            for begin, end in self._words(data, bounds[record], bounds[record + 1]):
                begun[count], ended[count] = begin, end
                count += 1
            by_record[record] = count
        return count

    def _record(self, data: bytes, at: int, end: int) -> tuple[list[int] | None, list[int]]:
        """Return the codes of a record and where each word ends among them; None where a letter cannot be written."""
        out: list[int] = []
        stops: list[int] = []
        last, begun = 0, at
        for begin, stop in self._words(data, at, end):
            # A mark between two parts keeps unknown letters apart.
            last = last if begin == begun else 0
            begun = stop
            for code in self._word(data[begin:stop]):
                if code == _UNKNOWN and self._unknown == _UNKNOWN:
                    return None, []
                if code != _UNKNOWN or not (self._fuse and last == _UNKNOWN):
                    out.append(self._unknown if code == _UNKNOWN else code)
                last = code
            stops.append(len(out))
        return out, stops

    def _words(self, data: bytes, at: int, end: int) -> Iterator[tuple[int, int]]:
        """Give the begin and end of each word."""
        begin, marks = at, True
        while at < end:
            size = self._letter(data, at, end)[0]
            if data[at] == _CUT or self._symbol(data, at, end):
                size = 1 if data[at] == _CUT else self._symbol(data, at, end)
                if begin < at:
                    yield begin, at
                if data[at] != _CUT:
                    yield at, at + size
                at = begin = at + size
                marks = True
                continue
            is_mark = data[at : min(at + 3, end)] == _MARK
            if is_mark and not marks and self._begins[data[at - 1]]:
                yield begin, at
                begin = at
            marks = is_mark
            at += size
        if begin < at:
            yield begin, at

    def _symbol(self, data: bytes, at: int, end: int) -> int:
        """Return the length of the longest symbol that begins here, or 0."""
        sizes = range(min(self._longest, end - at), 0, -1)
        return next((size for size in sizes if data[at : at + size] in self._symbols), 0)

    def _word(self, word: bytes) -> list[int]:
        """Return the codes of a word; -1 for an unknown letter."""
        for whole in (self._symbols.get(word), self._wholes.get(word)):
            if whole is not None:
                return [whole]
        return [one for code in joined(self._codes(word), self._pairs) for one in self._written(code)]

    def _codes(self, word: bytes) -> list[int]:
        """Return the codes of a word's letters; -1 for an unknown one."""
        codes: list[int] = []
        at = 0
        while at < len(word):
            size, code = self._letter(word, at, len(word))
            if code >= 0:
                codes.append(code)
            elif self._bytes:
                codes += [self._bytes[byte] for byte in word[at : at + size]]
            else:
                codes.append(_UNKNOWN)
            at += size
        return codes

    def _letter(self, text: bytes, at: int, end: int) -> tuple[int, int]:
        """Return the length of the letter that begins here, and its code or -1."""
        first = text[at]
        size = 1 if first < 0xC2 or first > 0xF7 else 2 if first < 0xE0 else 3 if first < 0xF0 else 4
        if not self._characters and first < 0xF5:
            size = 1
        if size == 1:
            odd = self._characters and first >= 0x80
            return 1, -1 if odd else int(self._letters[first]) - 1
        if at + size > end or any(byte & 0xC0 != 0x80 for byte in text[at + 1 : at + size]):
            return 1, -1 if self._characters else int(self._letters[first]) - 1
        place = first & (0x7F >> size)
        for byte in text[at + 1 : at + size]:
            place = place << 6 | byte & 0x3F
        return size, int(self._letters[place]) - 1

    def _written(self, code: int) -> list[int]:
        """Return what is written in the place of a code."""
        if code < 0 or not len(self._apart_ends):
            return [code]
        begin, end = int(self._apart_ends[code - 1]) if code else 0, int(self._apart_ends[code])
        return self._apart[begin:end] if begin < end else [code]


def _check(bounds: list[int], data: bytes) -> None:
    falls = any(b < a for a, b in pairwise(bounds))
    if not bounds or falls or bounds[0] < 0 or bounds[-1] > len(data):
        raise ValueError("the offsets of records do not rise, or lie outside of the text")


def _writable(buffer: Any, kind: Any) -> Any:
    view = np.frombuffer(buffer, kind)
    if not view.flags.writeable:
        raise ValueError("a buffer that cannot be written")
    return view


def _by_text(text: Any, ends: Any, codes: Any) -> dict[bytes, int]:
    data, stops = bytes(text), np.frombuffer(ends, np.int64).tolist()
    texts = [data[a:b] for a, b in zip([0, *stops[:-1]], stops, strict=True)] if stops else []
    return dict(zip(texts, np.frombuffer(codes, np.int32).tolist(), strict=True))

"""Which pieces merges join, in plain Python: the twin of compiled.pyx."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import numpy as np

_SPACE = re.compile(r"[ \t\n\r]*")


def _numbers(text: Any, starts: Any, count: int) -> dict[bytes, int]:
    """Return the numbers of pieces by their bytes."""
    numbers = {piece: i for i, piece in enumerate(_entries(text, starts, count))}
    if len(numbers) < count:
        raise ValueError("a piece stands twice")
    return numbers


def _entries(text: Any, starts: Any, count: int) -> list[bytes]:
    whole = bytes(text)
    return [whole[a:b] for a, b in itertools.pairwise(starts[: count + 1].tolist())]


def find_splits(
    text: Any,
    starts: Any,
    count: int,
    slots: Any,
    divided: int,
    characters: bool,
    left: Any,
    right: Any,
    whole: Any,
) -> int:
    """Find the ways to divide each of the first `divided` of `count` pieces into two pieces; return how many."""
    numbers = _numbers(text, starts, count)
    rows = [
        (numbers[piece[:cut]], numbers[piece[cut:]], i)
        for i, piece in enumerate(_entries(text, starts, divided))
        for cut in range(1, len(piece))
        if not (characters and piece[cut] & 0xC0 == 0x80) and piece[:cut] in numbers and piece[cut:] in numbers
    ]
    for i, row in enumerate(rows[: len(left)]):
        left[i], right[i], whole[i] = row
    return len(rows)


def find_pairs(
    text: Any,
    starts: Any,
    count: int,
    slots: Any,
    halves: Any,
    half_starts: Any,
    pairs: int,
    left: Any,
    right: Any,
    whole: Any,
) -> int:
    """Find the pieces that pairs are made of, and those that they make; return the first that is none, or `pairs`."""
    numbers = _numbers(text, starts, count)
    parts = _entries(halves, half_starts, 2 * pairs)
    for i, (one, other) in enumerate(zip(parts[::2], parts[1::2], strict=True)):
        found = numbers.get(one), numbers.get(other), numbers.get(one + other)
        if None in found:
            return i
        left[i], right[i], whole[i] = found
    return pairs


def read_pairs(data: Any, at: int, halves: Any, starts: Any) -> tuple[int, int]:
    """Read a list of pairs of strings in JSON; return where it ends and how many there are, -1 and -1 of others."""
    try:
        text = bytes(data)[at:].decode()
        begin = _behind_space(text, 0)
        rows, end = json.JSONDecoder().raw_decode(text, begin)
    except (ValueError, RecursionError):
        return -1, -1
    if not isinstance(rows, list) or text[begin] != "[":
        return -1, -1
    parts: list[bytes] = []
    for row in rows:
        pair = row.split(" ") if isinstance(row, str) and not row.startswith("#version") else row
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(one, str) for one in pair):
            return -1, -1
        try:
            parts += [one.encode() for one in pair]
        except UnicodeEncodeError:  # half of a surrogate pair
            return -1, -1
    joined = b"".join(parts)
    halves[: len(joined)] = np.frombuffer(joined, np.uint8)
    starts[0] = 0
    np.cumsum([len(part) for part in parts], out=starts[1 : len(parts) + 1])
    end = _behind_space(text, end)
    return at + len(text[:end].encode()), len(parts) // 2


def _behind_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    assert found
    return found.end()

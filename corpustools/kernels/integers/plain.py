"""Integers n = a b + c in plain Python and numpy: the twin of integers.pyx.

Notation: p = a + b, q = |a - b|, x = p^2 - 4 n, so that 4 c = q^2 - x. Arrays of p, q and x hold residues
modulo 2^64; what is used of them are differences known to be far below 2^63.
"""

from __future__ import annotations

import re
from math import isqrt
from typing import Any

import numpy as np

Residues = np.ndarray[Any, np.dtype[np.uint64]]

_MASK = (1 << 64) - 1
_BLOCK = 1 << 14
_PLAIN_STEPS = 128
_DIGITS = re.compile(rb"([0-9]+)\r?\n")


def scan(p: int, x: int, count: int, best: int, pad: bool) -> tuple[int, int]:
    """Take steps k = 0 … count - 1 of the search from the sum p, where x = p^2 - 4 n.

    Returns (least k + c, the largest k with it), or (best, -1) where no step reaches `best` or less. Steps
    beyond the best are left out. x > 0 (pad: x >= 0) and x + 2 p < 2^124 at every step; best <= 2^62.
    """
    end = (p + count) ** 2 - p * p + x
    if count < 0 or best > 1 << 62 or x < (0 if pad else 1) or max(end, 2 * (p + count)) >= 1 << 124:
        raise ValueError(f"x = {x} is out of range")
    if end >= 1 << 100:
        return _scan_wide(p, x, count, best, pad)
    at = -1
    for first in range(0, count, _BLOCK):
        if first > best:
            break
        steps = np.arange(first, min(first + _BLOCK, count, best + 1), dtype=np.uint64)
        xs, q = _roots(p, x, steps)
        if pad:
            fourfold = xs - q * q
        else:
            q += np.where(q * q == xs, np.uint64(0), np.uint64(2))
            fourfold = q * q - xs
        totals = (fourfold >> np.uint64(2)) + steps
        least = int(totals.min())
        if least <= best:
            best = least
            at = first + len(totals) - 1 - int(totals[::-1].argmin())
    return best, at


def _scan_wide(p: int, x: int, count: int, best: int, pad: bool) -> tuple[int, int]:
    """The same in Python's integers: numpy's doubles do not reach so far."""
    at = -1
    for k in range(count):
        if k > best:
            break
        q = isqrt(x) if pad else isqrt(x - 1) + 1
        odd = (q ^ (p + k)) & 1
        q += -odd if pad else odd
        if (total := k + (abs(q * q - x) >> 2)) <= best:
            best, at = total, k
        x += 2 * (p + k) + 1
    return best, at


def _roots(p: int, x: int, steps: Residues) -> tuple[Residues, Residues]:
    """Return x of each step, and the largest q of its p's parity with q^2 <= x (perhaps -1)."""
    floats = steps.astype(np.float64)
    xs = steps * (steps + np.uint64(2 * p & _MASK)) + np.uint64(x & _MASK)
    # Short of the root by less than 1.5, never beyond it; the exact difference then decides.
    roots = np.sqrt(floats * (floats + 2.0 * float(p)) + float(x)) * (1 - 2**-50)
    q = roots.astype(np.int64).astype(np.uint64)
    q -= (q ^ steps ^ np.uint64(p & 1)) & np.uint64(1)
    following = q + np.uint64(2)
    fits = (following * following - xs).view(np.int64) <= 0
    return xs, np.where(fits, following, q)


def mark(p: int, x: int, count: int, first: int, marks: Any) -> None:
    """Lower marks[i] to first + k wherever the window's i-th number is a b with a + b = p + k, k < count.

    x = p^2 - 4 n for the last number n of the window; x <= 0 for every step, or x > 0 for every step.
    `marks` holds 32-bit integers. All products of the window must have a + b >= p for x <= 0.
    """
    if (p + count) ** 2 - p * p + x >= 1 << 100 or first + count >= (1 << 32) - 1:
        raise ValueError(f"x = {x} is out of range")
    slots = np.frombuffer(marks, np.uint32)
    size = np.uint64(len(slots))
    # Blocks of rising k: where a mark stands already, it is the lower one.
    for start in range(0, count, _BLOCK):
        steps = np.arange(start, min(start + _BLOCK, count), dtype=np.uint64)
        if x > 0:
            xs, q = _roots(p, x, steps)
            q += np.where(q * q == xs, np.uint64(0), np.uint64(2))
        else:
            xs = steps * (steps + np.uint64(2 * p & _MASK)) + np.uint64(x & _MASK)
            q = (steps ^ np.uint64(p & 1)) & np.uint64(1)
        below = (q * q - xs) >> np.uint64(2)
        while len(steps := steps[(inside := below < size)]):
            below, q = below[inside], q[inside]
            index = size - np.uint64(1) - below
            np.minimum.at(slots, index.astype(np.int64), (steps + np.uint64(first)).astype(np.uint32))
            below = below + q + np.uint64(1)
            q = q + np.uint64(2)


def breakpoints(marks: Any, best: int, where: Any, sums: Any) -> tuple[int, int]:
    """Run f(n) = min(f(n - 1) + 1, mark of n) over the window, `best` being f(n - 1) + 1 of its first number.

    Writes the indexes and marks where the mark wins (ties are wins); returns (their number, the largest f).
    """
    values = np.frombuffer(marks, np.uint32).astype(np.int64)
    if memoryview(where).nbytes < 4 * len(values) or memoryview(sums).nbytes < 4 * len(values):
        raise ValueError("the buffers for the breakpoints are shorter than the marks")
    index = np.arange(len(values))
    run = np.minimum.accumulate(np.concatenate([[best], values - index]))
    wins = np.flatnonzero(values - index <= run[:-1])
    np.frombuffer(where, np.uint32)[: len(wins)] = wins
    np.frombuffer(sums, np.uint32)[: len(wins)] = values[wins]
    return len(wins), int((run[1:] + index).max()) if len(values) else 0


def rows(numbers: Any, a: Any, b: Any, pattern: bytes, out: Any) -> int:
    """Write a row for each n, with its a, b and c = n - a b: 64-bit integers, a b <= n, the sum < 2^64.

    Returns the bytes written.
    """
    pieces = _pieces(pattern)
    longest = len(pattern) - 5 + 100
    columns = [np.frombuffer(column, np.uint64).tolist() for column in (numbers, a, b)]
    if memoryview(out).nbytes // longest < len(columns[0]):
        raise ValueError(f"{len(columns[0])} rows do not fit into {memoryview(out).nbytes} bytes")
    if min(len(columns[1]), len(columns[2])) < len(columns[0]):
        raise ValueError("the arrays differ in length")
    text = b"".join(_row(pieces, *row) for row in zip(*columns, strict=False))
    memoryview(out).cast("B")[: len(text)] = text
    return len(text)


def lines(text: Any, start: int, pattern: bytes, out: Any) -> tuple[int, int, int]:
    """Answer whole lines of plain digits below 2^64 from text[start:], a row each, up to any other line.

    Returns (where it stopped in the text, bytes written, lines answered); a full `out` stops it as well.
    """
    pieces = _pieces(pattern)
    longest = len(pattern) - 5 + 100
    target = memoryview(out).cast("B")
    if len(target) < longest:
        raise ValueError(f"a row may take {longest} bytes, the buffer has {len(target)}")
    if not 0 <= start <= len(text):
        raise ValueError(f"no byte {start} in a text of {len(text)}")
    written = count = 0
    while written + longest <= len(target):
        line = _DIGITS.match(text, start)
        # A number of many digits is refused before it is converted, which would take long.
        if not line or len(line[1].lstrip(b"0")) > 20 or (n := int(line[1].lstrip(b"0") or b"0")) > _MASK:
            break
        row = _row(pieces, n, *_solve(n))
        target[written : written + len(row)] = row
        written += len(row)
        count += 1
        start = line.end()
    return start, written, count


def _pieces(pattern: bytes) -> list[bytes]:
    pieces = bytes(pattern).split(b"\0")
    if len(pieces) != 6:
        raise ValueError("a pattern has six pieces, separated by NUL")
    return pieces


def _row(pieces: list[bytes], n: int, a: int, b: int) -> bytes:
    c = n - a * b
    numbers = (n, a, b, c, a + b + c)
    return b"".join(piece + b"%d" % number for piece, number in zip(pieces, numbers, strict=False)) + pieces[5]


def _solve(n: int) -> tuple[int, int]:
    """Return the canonical a <= b of one n."""
    if n < 4:
        return 0, 0
    at = p = isqrt(4 * n)
    best = p + ((4 * n - p * p + (p & 1)) >> 2)
    for p in range(at + 1, at + 1 + _PLAIN_STEPS):
        if p > best:
            break
        x = p * p - 4 * n
        q = isqrt(x - 1) + 1
        q += (q ^ p) & 1
        if (total := p + ((q * q - x) >> 2)) <= best:
            best, at = total, p
    else:
        p += 1
        total, step = scan(p, p * p - 4 * n, best - p + 1, best - p, False)
        if step >= 0:
            best, at = p + total, p + step
    q = isqrt(at * at - 4 * n + 4 * (best - at))
    return (at - q) >> 1, (at + q) >> 1

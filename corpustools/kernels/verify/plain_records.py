"""Fingerprints of records, and ids out of lines, in plain Python: the twins of fingerprint.h and lines.h."""

from __future__ import annotations

from typing import Any

import numpy as np

_U64 = (1 << 64) - 1


def fingerprints(data: Any, starts: Any, stops: Any, key: Any, out: Any) -> None:
    """Write the fingerprint of each record data[starts[i]:stops[i]] under a key of four words; two words each."""
    text, words = bytes(data), np.frombuffer(key, np.uint64).tolist()
    begins, ends = np.frombuffer(starts, np.int64).tolist(), np.frombuffer(stops, np.int64).tolist()
    target = np.frombuffer(out, np.uint64)
    if len(target) < 2 * len(begins) or any(not 0 <= a <= b <= len(text) for a, b in zip(begins, ends, strict=True)):
        raise ValueError("a record outside its text")
    for i, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        record = text[begin:end]
        one, two = words[0], words[1]
        padded = record + bytes(16 - len(record) % 16)
        for at in range(0, len(padded), 16):
            low, high = (int.from_bytes(padded[at + by : at + by + 8], "little") for by in (0, 8))
            one, two = _folded(one ^ low, words[2] ^ high), _folded(two ^ high, words[3] ^ low)
        target[2 * i] = _folded(one ^ len(record), words[3])
        target[2 * i + 1] = _folded(two ^ len(record), words[2])


def _folded(a: int, b: int) -> int:
    product = a * b
    return product & _U64 ^ product >> 64


def read_lines(data: Any, ids: Any, ends: Any) -> tuple[int, int, int]:
    """Read whole lines of decimal ids; return how many ids, how many lines, and where reading stopped.

    Args:
        data: lines that end with a newline each.
        ids: takes the ids, int32: one for every two bytes of data.
        ends: takes where each line ends among the ids, int64: one for every newline.
    """
    text = bytes(data)
    numbers, bounds = np.frombuffer(ids, np.int32), np.frombuffer(ends, np.int64)
    if len(numbers) < (len(text) + 1) // 2 or len(bounds) < text.count(b"\n"):
        raise ValueError("too little room for the ids")
    count = lines = at = 0
    while at < len(text):
        if text[at] in b" \t\r":
            at += 1
        elif text[at] == 10:
            bounds[lines] = count
            lines += 1
            at += 1
        elif text[at] in b"0123456789":
            stop = at
            while stop < len(text) and text[stop] in b"0123456789":
                stop += 1
            value = int(text[at:stop].lstrip(b"0")[:11] or b"0")
            if value >= 1 << 31:
                break
            numbers[count] = value
            count += 1
            at = stop
        else:
            break
    return count, lines, at

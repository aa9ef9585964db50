"""The double array in plain Python; the layout is that of trie.h, the placement simpler."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

ROOT = 256


def step(units: Any, base: int, byte: int) -> int:
    """Return the child of `base` under `byte`, or 0."""
    unit = int(units[base ^ byte])
    return unit if unit & 511 == byte + 1 else 0


def prefixes(units: Any, text: bytes, at: int) -> Iterator[tuple[int, int]]:
    """Give length and value of every key that the text at `at` begins with, shortest first."""
    base = ROOT
    for end in range(at, len(text)):
        unit = step(units, base, text[end])
        if not unit:
            return
        if unit >> 36:
            yield end + 1 - at, (unit >> 36) - 1
        base = unit >> 9 & 0x7FFFFFF


def build_trie(
    bytes_: bytes, offsets: Any, values: Any, count: int, units: Any, capacity: int, links: Any, used: Any, stack: Any
) -> int:
    """Build the table of `count` different keys in ascending order; return its units, or -1 if too small."""
    bounds = offsets.tolist()
    table: dict[int, int] = {}
    bases: set[int] = set()
    single = ROOT + 256  # where the search for an only child's slot goes on; other nodes take fresh blocks
    fresh = ROOT + 256
    rows = [(0, count, 0, -1)] if count else []
    while rows:
        low, high, depth, slot = rows.pop()
        if bounds[low + 1] - bounds[low] == depth:
            table[slot] |= int(values[low]) + 1 << 36
            low += 1
            if low == high:
                continue
        children: list[tuple[int, int]] = []
        for i in range(low, high):
            label = bytes_[bounds[i] + depth]
            if not children or children[-1][0] != label:
                children.append((label, i))
        labels = [label for label, _ in children]
        base = ROOT
        if slot >= 0:
            base = -1
            candidates = range(single, min(single + 64, fresh))
            for candidate in candidates:
                free = candidate ^ labels[0]
                if free not in bases and all(free ^ label not in table for label in labels):
                    base = free
                    break
            while single in table:
                single += 1
            if base < 0:
                base, fresh = fresh, fresh + 256
            if fresh > capacity:
                return -1
            table[slot] |= base << 9
        bases.add(base)
        for (label, first), (_, last) in zip(children, [*children[1:], (0, high)], strict=True):
            table[base ^ label] = label + 1
            rows.append((first, last, depth + 1, base ^ label))
    if fresh > capacity:
        return -1
    for slot, unit in table.items():
        units[slot] = unit
    return fresh


def fill_heads(units: Any, character: bool, heads: Any) -> None:
    """Fill `heads` with where a walk stands behind a first character, or behind two first bytes."""
    for code in range(65536):
        key = bytes((code >> 8, code & 255)) if not character else chr(code).encode("utf-8", "surrogatepass")
        base, unit = ROOT, 0
        for byte in key:
            unit = step(units, base, byte)
            if not unit:
                break
            base = unit >> 9 & 0x7FFFFFF
        heads[code] = np.uint64(unit)

"""A vocabulary's tables in plain Python: the twin of vocabulary.pyx. The trie has the layout of trie.h."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

ROOT = 256


def step(units: Any, base: int, byte: int) -> int:
    """Return the child of `base` under `byte`, or 0."""
    unit = int(units[base ^ byte])
    return unit if unit & 511 == byte + 1 else 0


def prefixes(units: Any, text: bytes, at: int) -> Iterator[tuple[int, int]]:
    """Give length and value of every entry that the text at `at` begins with, shortest first."""
    base = ROOT
    for end in range(at, len(text)):
        unit = step(units, base, text[end])
        if not unit:
            return
        if unit >> 36:
            yield end + 1 - at, (unit >> 36) - 1
        base = unit >> 9 & 0x7FFFFFF


def arrange_entries(
    bytes_: bytes, offsets: Any, table: int, order: Any, count: int, text: Any, starts: Any, room: Any
) -> None:
    """Sort entries order[0 … count) of a table, and write their bytes and offsets one behind the other."""
    entries = sorted((bytes_[offsets[i] : offsets[i + 1]], int(i)) for i in order[:count])
    joined = b"".join(entry for entry, _ in entries)
    order[:count] = [i for _, i in entries]
    text[: len(joined)] = np.frombuffer(joined, np.uint8)
    starts[0] = 0
    np.cumsum([len(entry) for entry, _ in entries], out=starts[1 : count + 1])


def check_entries(text: Any, starts: Any, count: int, characters: bool) -> tuple[int, int]:
    """Return (what is wrong, with which entry) of entries in order: 0 nothing, 1 empty, 2 as the next, 3 no text."""
    entries = [bytes(text[a:b]) for a, b in itertools.pairwise(starts[: count + 1].tolist())]
    for i, entry in enumerate(entries):
        if not entry:
            return 1, i
        if entry in entries[i + 1 : i + 2]:
            return 2, i
        if characters and _codes(entry) is None:
            return 3, i
    return 0, 0


def join_entries(text: Any, starts: Any, count: int, joins: Any) -> int:
    """Set the bits of neighbouring characters in entries that were checked; return how many there are."""
    shift = 32 - (8 * len(joins) - 1).bit_length()
    for a, b in itertools.pairwise(starts[: count + 1].tolist()):
        for before, code in itertools.pairwise(_codes(bytes(text[a:b])) or []):
            bit = join_bit(before, code, shift)
            joins[bit >> 3] |= 1 << (bit & 7)
    return sum(int(byte).bit_count() for byte in joins)


def join_bit(before: int, code: int, shift: int) -> int:
    """Return the number of two neighbouring code points' bit (kernels/lattice/spans.h)."""
    return (((before * 0x9E3779B1 & 0xFFFFFFFF) ^ code) * 0x85EBCA6B & 0xFFFFFFFF) >> shift


# A character of UTF-8, or one of four bytes beyond it.
_CHARACTER = re.compile(rb"[\xf5-\xf7][\x80-\xbf]{3}|[^\xf5-\xf7]+")


def _codes(entry: bytes) -> list[int] | None:
    codes: list[int] = []
    for part in _CHARACTER.finditer(entry):
        if 0xF5 <= part.group()[0] <= 0xF7:
            private = part.group()
            codes.append((private[0] & 7) << 18 | (private[1] & 63) << 12 | (private[2] & 63) << 6 | private[3] & 63)
            continue
        try:
            codes += map(ord, part.group().decode())
        except UnicodeDecodeError:
            return None
    return codes if sum(len(part) for part in _CHARACTER.findall(entry)) == len(entry) else None


def build_trie(
    bytes_: bytes, offsets: Any, values: Any, count: int, units: Any, capacity: int, links: Any, used: Any, stack: Any
) -> int:
    """Build the table of `count` different entries in ascending order; return its units, or -1 if too small."""
    bytes_ = bytes(bytes_)
    bounds = offsets.tolist()
    table: dict[int, int] = {}
    bases: set[int] = set()
    single = ROOT + 256  # where the search for an only child's slot goes on; other nodes take fresh pages
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
        entry = bytes((code >> 8, code & 255)) if not character else chr(code).encode("utf-8", "surrogatepass")
        base, unit = ROOT, 0
        for byte in entry:
            unit = step(units, base, byte)
            if not unit:
                break
            base = unit >> 9 & 0x7FFFFFF
        heads[code] = np.uint64(unit)


def build_automaton(
    units: Any,
    size: int,
    unknown: int,
    units_out: Any,
    fails: Any,
    arcs: Any,
    lines: int,
    singles: Any,
    scratch: Any,
) -> int:
    """Return -1: the twin has one engine, which needs no automaton."""
    return -1

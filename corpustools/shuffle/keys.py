"""The order of the output: what each record's number is sorted by, as a function of the seed alone.

key(i) is the first word of Philox4x64-10 at counter (i, 0, 0, 0), keyed by BLAKE2b-128 of the seed's UTF-8 bytes read
as two little-endian words. Records stand in ascending order of (key, second word of the same counter, i).
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

KEYS = 1 << 64


@dataclass(frozen=True)
class KeyRange:
    """The keys from `low` to `low + span`, both included."""

    low: int
    span: int


def philox_key(seed: str) -> tuple[int, int]:
    """Return the two 64-bit words that key the generator for a seed."""
    digest = hashlib.blake2b(seed.encode("utf-8", "surrogateescape"), digest_size=16).digest()
    return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")


def fresh_seed() -> str:
    """Return a seed of 128 random bits that can be given again as text."""
    return secrets.token_hex(16)


def part_range(part: tuple[int, int] | None) -> KeyRange:
    """Return the keys of the I-th of N parts (I from 1); the parts follow one another and leave nothing out."""
    number, parts = part or (1, 1)
    low, stop = (number - 1) * KEYS // parts, number * KEYS // parts
    return KeyRange(low, stop - low - 1)

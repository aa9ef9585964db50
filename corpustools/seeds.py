"""From a seed's text to random bits: the same on every machine, for any number of threads."""

from __future__ import annotations

import hashlib
import os

_MASK = (1 << 64) - 1


def seed_words(seed: str) -> tuple[int, int]:
    """Return the 128-bit key of a seed: BLAKE2b-128 of its UTF-8 bytes, as two little-endian 64-bit words."""
    digest = hashlib.blake2b(seed.encode("utf-8", "surrogateescape"), digest_size=16).digest()
    return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")


def fresh_seed() -> str:
    """Return a seed of 128 random bits that can be given again as text."""
    return os.urandom(16).hex()


def draw_bits(key0: int, key1: int, position: int, lane: int = 0) -> int:
    """Return the 64 bits that belong to a position under a key.

    The lattice kernels draw the same bits (draw_bits in kernels/lattice/lattice.h). The mixing steps are those of
    SplitMix64 (Steele, Lea, Flood 2014).
    """
    x = (key0 + position * 0x9E3779B97F4A7C15 + lane * 0xD1342543DE82EF95) & _MASK
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    x = (x ^ x >> 27) * 0x94D049BB133111EB & _MASK
    return (x ^ x >> 31) ^ key1

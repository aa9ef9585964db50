"""The order of the output, computed another way: numpy's Philox, Python's sort, nothing of the package."""

from __future__ import annotations

import hashlib

import numpy as np

EVERY_BIT = (1 << 64) - 1


def order(count: int, seed: str, mask: int = EVERY_BIT) -> list[int]:
    """Return the record numbers 0 … count - 1 in the order of the output.

    A record's key is the first word of Philox4x64-10 at the counter (number, 0, 0, 0), its tie-break the second; the
    generator's key is the 128-bit BLAKE2b of the seed. `mask` is put over the keys, to make ties.
    """
    key = int.from_bytes(hashlib.blake2b(seed.encode(), digest_size=16).digest(), "little")
    # numpy raises the counter before it draws a block: to begin with block 0 it has to stand at -1.
    words = np.random.Philox(key=key, counter=(1 << 256) - 1).random_raw(4 * count).reshape(count, 4)
    keys = words[:, 0] & np.uint64(mask)
    # lexsort orders by its last key first.
    return np.lexsort((np.arange(count), words[:, 1], keys)).tolist()


def records(data: bytes, delimiter: bytes = b"\n") -> list[bytes]:
    """Return the records of one input, each with its delimiter, the last one's added where it is missing."""
    pieces = data.split(delimiter)
    if not pieces[-1]:
        pieces.pop()
    return [piece + delimiter for piece in pieces]


def shuffled(whole: list[bytes], seed: str) -> bytes:
    """Return the records in the order of the output, joined."""
    return b"".join(whole[number] for number in order(len(whole), seed))

"""The texts of added tokens as the tables by which a kernel finds them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from corpustools import kernels

# Pairs of a first and a second byte are told apart in so many groups of first bytes.
_GROUPS = 8

Tables = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]


def token_tables(tokens: Mapping[bytes, int]) -> Tables | None:
    """Return filters, double array and actions of tokens, or None where there are none.

    Args:
        tokens: what becomes of each text that is found, by the text, which is not empty.

    Returns:
        Two rows of 256 bytes: a token may begin with the bytes a and b only if filters[0, a] & filters[1, b]; the units
        of the double array (kernels/lattice/trie.h), whose values are indices of the actions; the actions, int32.
    """
    if not tokens:
        return None
    texts = sorted(tokens)
    filters = np.zeros((2, 256), np.uint8)
    groups: dict[int, int] = {}
    for text in texts:
        bit = 1 << groups.setdefault(text[0], len(groups)) % _GROUPS
        filters[0, text[0]] |= bit
        filters[1, text[1] if len(text) > 1 else slice(None)] |= bit
    return filters, _double_array(texts), np.array([tokens[text] for text in texts], np.int32)


def _double_array(texts: list[bytes]) -> np.ndarray[Any, np.dtype[np.uint64]]:
    joined, capacity = b"".join(texts), 512
    offsets = np.zeros(len(texts) + 1, np.int64)
    np.cumsum([len(text) for text in texts], out=offsets[1:])
    values = np.arange(len(texts), dtype=np.int32)
    while True:
        units, links, used = (
            np.zeros(capacity, np.uint64),
            np.zeros(2 * capacity, np.int32),
            np.zeros(capacity, np.uint8),
        )
        stack = np.empty(4 * (len(joined) + 1), np.int64)
        size = kernels.load("vocabulary").build_trie(
            joined, offsets, values, len(values), units, capacity, links, used, stack
        )
        if size >= 0:
            return units[:size].copy()
        capacity *= 2

"""Rows of numbers as decimal text."""

from __future__ import annotations

from typing import Any

import numpy as np

from corpustools.formats.batch import Counts
from corpustools.kernels import load

_DIGITS = [b"%d" % number for number in range(1000)]
# The digits of 0 to 999 as the kernel copies them: in front of three more, three of them, alone.
TABLE = b"".join(
    one.ljust(3, b"\0") + bytes([len(one)])
    for one in [b"", *_DIGITS[1:], *(digits.zfill(3) for digits in _DIGITS), *_DIGITS]
)


def decimal_rows(
    numbers: np.ndarray[Any, Any], ends: Counts, before: bytes = b"", between: bytes = b" ", after: bytes = b"\n"
) -> tuple[memoryview, Counts]:
    """Return rows of numbers as text, and where each row ends in it.

    Args:
        numbers: int32 or int64, none negative, of all rows, one after another.
        ends: int64, where each row ends in them.
        before: what stands before the first number of each row.
        between: what stands between two numbers, at most 8 bytes.
        after: what stands behind the last number of each row.
    """
    kernel, width = load("rows"), numbers.itemsize
    out = np.empty(kernel.decimals_size(len(numbers), width, len(ends), before, between, after), np.uint8)
    out_ends = np.empty(len(ends), np.int64)
    numbers = np.ascontiguousarray(numbers)
    size = kernel.decimals(numbers, width, ends, before, between, after, TABLE, out, out_ends)
    return out[:size].data, out_ends

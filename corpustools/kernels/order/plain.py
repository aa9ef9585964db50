"""The keyed order in plain Python and numpy: the twin of order.pyx, written from the paper's definition.

Philox4x64-10: Salmon, Moraes, Dror, Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011,
section 3.3.
"""

from __future__ import annotations

from typing import Any

import numpy as np

MULTIPLIERS = (0xD2E7470EE14C6C93, 0xCA5A826395121157)
WEYL = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)
_MASK = (1 << 64) - 1
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


def words(first: int, count: int, k0: int, k1: int, out: Any) -> None:
    """Write the four Philox words of counters first … first + count - 1 to `out`, 32 bytes each."""
    if count < 0 or memoryview(out).nbytes < 32 * count:
        raise ValueError(f"{count} counters need {32 * count} bytes, the buffer has {memoryview(out).nbytes}")
    indexes = np.uint64(first) + np.arange(count, dtype=np.uint64)  # modulo 2^64, as the counter
    np.frombuffer(out, np.uint64, 4 * count).reshape(count, 4)[:] = block(indexes, k0, k1)


def sort(entries: Any, ordered: Any, numbers: Any, count: int, k0: int, k1: int, mask: int) -> None:
    """Sort `count` entries (upper half: key bits, lower half: place in `numbers`) into `ordered`, ties settled."""
    if count < 0 or min(memoryview(one).nbytes for one in (entries, ordered, numbers)) < 8 * count:
        raise ValueError(f"{count} entries need {8 * count} bytes in each buffer")
    if not count:
        return
    source, target, names = (np.frombuffer(one, np.uint64, count) for one in (entries, ordered, numbers))
    places = source & _LOW
    if (places >= count).any():
        raise ValueError("an entry points outside the list of numbers")
    mine = names[places]
    drawn = block(mine, k0, k1)
    # lexsort orders by its last key first.
    target[:] = source[np.lexsort((mine, drawn[:, 1], drawn[:, 0] & np.uint64(mask), source >> _HALF))]


def block(
    indexes: np.ndarray[Any, np.dtype[np.uint64]], k0: int, k1: int, second: int = 0
) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """Return the Philox words of the counters (i, second, 0, 0), shape (n, 4), uint64."""
    zeros = np.zeros_like(indexes)
    x = [indexes, np.full_like(indexes, second), zeros, zeros]
    for round_number in range(10):
        key = [np.uint64((k + round_number * weyl) & _MASK) for k, weyl in zip((k0, k1), WEYL, strict=True)]
        high0, low0 = _multiply(x[0], MULTIPLIERS[0])
        high1, low1 = _multiply(x[2], MULTIPLIERS[1])
        x = [high1 ^ x[1] ^ key[0], low1, high0 ^ x[3] ^ key[1], low0]
    return np.stack(x, axis=1)


def _multiply(
    a: np.ndarray[Any, np.dtype[np.uint64]], b: int
) -> tuple[np.ndarray[Any, np.dtype[np.uint64]], np.ndarray[Any, np.dtype[np.uint64]]]:
    """Return the high and low halves of the 128-bit products, by schoolbook on 32-bit halves."""
    b_high, b_low = np.uint64(b >> 32), np.uint64(b & 0xFFFFFFFF)
    a_high, a_low = a >> _HALF, a & _LOW
    middle = a_high * b_low + (a_low * b_low >> _HALF)
    cross = a_low * b_high + (middle & _LOW)
    return a_high * b_high + (middle >> _HALF) + (cross >> _HALF), a * np.uint64(b)

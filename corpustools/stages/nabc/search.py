"""The search of one N: sums p = a + b upward from 2 sqrt N, a square root each, until p passes the best sum.

For one p = a + b the difference q = |a - b| decides: 4 c = q^2 - x with x = p^2 - 4 N, so the least q of p's
parity with q^2 >= x is best (for N = a b - c: the largest with q^2 <= x). As a + b + c >= p, no later p can
improve once p exceeds the best sum; hence exactly f(N) - floor(2 sqrt N) square roots for the minimum f(N).
For N >= 4 that is less than 1 + 2 N^(1/4), and 1.18 N^(1/6) on average.

Source: Jianlin Su, kexue.fm/archives/9775 (20 September 2023), which scans all of about 2 N^(1/4) sums.
"""

from __future__ import annotations

from math import isqrt, log10
from operator import index
from typing import NamedTuple

from corpustools import kernels
from corpustools.errors import DataError, UsageError

# The first steps are taken in Python's integers: where they are enough, no kernel is loaded.
_PLAIN_STEPS = 16
# One call of the kernel: some milliseconds, so that an interrupt is answered soon.
_KERNEL_STEPS = 1 << 20
# The kernel takes x up to here (and p, which is smaller): N of about 54 digits.
_KERNEL_LIMIT = 1 << 124
# A search of more steps than this (10^11) does not end in a day; it is tried for a moment and then refused.
_HOPELESS_LOG10 = 11.0
_HOPELESS_TRIAL = 1000


class Triple(NamedTuple):
    """Non-negative integers a <= b and c with N = a b + c (or, padded, N = a b - c)."""

    a: int
    b: int
    c: int

    @property
    def sum(self) -> int:
        """The sum a + b + c."""
        return self.a + self.b + self.c


class Found(NamedTuple):
    """What a search ended with: the best triples, and the cost that is proved to be a lower bound."""

    triples: list[Triple]
    cost: int
    lower: int

    @property
    def proved(self) -> bool:
        """Whether the cost is proved to be the minimum."""
        return self.lower >= self.cost


def search(n: int, *, pad: bool = False, every: bool = False, max_steps: int | None = None) -> Found:
    """Return the minimisers of a + b + c with n = a b + c, or with n = a b - c for `pad`.

    The first one is canonical: least c, then a <= b. With `every` the others follow, by rising c; each
    pair {a, b} stands once.

    Args:
        n: an integer >= 0 of any length.
        pad: count c as cells left empty instead of items left over.
        every: all minimisers instead of the canonical one.
        max_steps: give up after so many values of a + b; then `lower` says what is proved.

    Raises:
        UsageError: n is not an integer >= 0.
        DataError: no end in sight (more than 10^11 steps expected) and no `max_steps`.
    """
    n = _natural(n)
    if n < 4 and not pad:
        return Found([Triple(0, 0, n)], n, n)
    low = isqrt(4 * n - 1) + 1 if pad and n else isqrt(4 * n)
    trial = hopeless(n, max_steps)
    steps = _HOPELESS_TRIAL if trial else max_steps
    first = low + _left(n, low, pad)
    best, at, following = _scan(n, low + 1, first, low, steps, pad)
    lower = min(best, following)
    if trial and lower < best:
        raise DataError(
            f"a number of {int(log10(n)) + 1} digits that needs about 10^{log10_steps(n):.0f} steps",
            "a limit, max_steps, gives the best found in so many steps and a proved lower bound",
        )
    ends = [at]
    while every and lower == best and ends[-1] > low:
        # Minimisers have different a + b: search again below the last one, where only ties are left.
        _, at, _ = _scan(n, low + 1, best, low, ends[-1] - low - 1, pad)
        if at == low and first > best:
            break
        ends.append(at)
    triples = [_triple(n, p, pad) for p in ends]
    if every and not pad and n in (4, 5):
        # The only ties with a + b below 2 sqrt n.
        triples.append(Triple(0, 0, n))
    return Found(triples, best, lower)


def _natural(n: int) -> int:
    try:
        value = index(n)
    except TypeError:
        value = -1
    if value < 0:
        raise UsageError(f"N = {n!r}", "accepted are integers >= 0")
    return value


def log10_steps(n: int) -> float:
    """Return log10 of the expected number of steps, 1.18 n^(1/6), for n of any length."""
    return log10(1.1829) + log10(n) / 6 if n else 0.0


def hopeless(n: int, max_steps: int | None) -> bool:
    """Whether n is only tried for a moment: no limit is set, and so many steps are expected."""
    return max_steps is None and log10_steps(n) > _HOPELESS_LOG10


def expected_seconds(n: int, max_steps: int | None = None) -> float:
    """Return roughly how long `search` runs for n, to be told beforehand; at most about 10^300."""
    steps = 10 ** min(log10_steps(n), 300.0)
    if max_steps is not None:
        steps = float(min(max_steps, int(steps) + 1))
    # x is about 4 sqrt(n) times the step: beyond the kernel's range Python's integers take over.
    in_kernel = _KERNEL_LIMIT / 4 / 2 ** min(n.bit_length() / 2, 1000)
    return min(steps, in_kernel) * 1e-8 + max(steps - in_kernel, 0.0) * (1e-6 + n.bit_length() * 1e-9)


def _root(x: int, p: int, pad: bool) -> int:
    """Return the best q of p's parity: the least with q^2 >= x, or (pad) the largest with q^2 <= x."""
    if pad:
        q = isqrt(x)
        return q - ((q ^ p) & 1)
    q = isqrt(x - 1) + 1 if x > 0 else 0
    return q + ((q ^ p) & 1)


def _left(n: int, p: int, pad: bool) -> int:
    """Return the least c that goes with a + b = p."""
    x = p * p - 4 * n
    return abs(_root(x, p, pad) ** 2 - x) >> 2


def _triple(n: int, p: int, pad: bool) -> Triple:
    q = _root(p * p - 4 * n, p, pad)
    a, b = (p - q) >> 1, (p + q) >> 1
    return Triple(a, b, abs(n - a * b))


def _scan(n: int, p: int, best: int, at: int, steps: int | None, pad: bool) -> tuple[int, int, int]:
    """Try a + b = p, p + 1, … while it is at most `best`, for at most `steps` values.

    Returns the least sum (at most `best`), the largest a + b that reaches it (else `at`), and the first a + b
    that was not tried.
    """
    x = p * p - 4 * n
    last = None if steps is None else p + steps
    plain = _PLAIN_STEPS
    while p <= best and (last is None or p < last):
        left = best - p + 1 if last is None else min(best - p + 1, last - p)
        if plain <= 0:
            count = min(left, _KERNEL_STEPS)
            if x + (count + 1) * (2 * p + count) < _KERNEL_LIMIT:
                total, step = kernels.load("integers").scan(p, x, count, min(best - p, 1 << 62), pad)
                if step >= 0:
                    best, at = p + total, p + step
                x += count * (2 * p + count)
                p += count
                continue
        q = _root(x, p, pad)
        total = p + (abs(q * q - x) >> 2)
        if total <= best:
            best, at = total, p
        x += 2 * p + 1
        p += 1
        plain -= 1
    return best, at, p

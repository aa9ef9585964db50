"""Every N of a range at once: mark the products, then take a running minimum.

f(0) = 0 and f(N) = min(f(N - 1) + 1, s(N)), where s(N) is the least a + b with a b = N: a minimiser with
c >= 1, less one in c, serves N - 1; one with c = 0 has the sum s(N). So a block of N needs one search at its
start, the marks s(N) of the products in it, and one pass. The result is kept as breakpoints: where s(N) wins,
a and b change; up to the next such N only c grows, by one each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from math import isqrt
from typing import Any, NamedTuple

import numpy as np

from corpustools import kernels
from corpustools.errors import UsageError
from corpustools.stages.nabc.search import Triple, search

BLOCK = 1 << 19
# Arrays of 64-bit integers up to here, of Python's integers beyond.
_NARROW = 1 << 62
# The kernel marks windows up to here, with room for a + b; beyond, each N is searched by itself.
_MARKED = 1 << 130
_EMPTY = 0xFFFFFFFF

Array = np.ndarray[Any, np.dtype[Any]]


class Triples(NamedTuple):
    """Arrays a <= b and c, one element for each N of a range: int64, or object beyond 2^62."""

    a: Array
    b: Array
    c: Array

    @property
    def sum(self) -> Array:
        """The sums a + b + c."""
        total: Array = self.a + self.b + self.c
        return total


class Block(NamedTuple):
    """The canonical minimisers of lo <= N < hi: N = a[i] b[i] + c for product[i] <= N < product[i + 1].

    product[0] <= lo; the others are the N in the block at which a and b change. Arrays as in Triples.
    """

    lo: int
    hi: int
    product: Array
    a: Array
    b: Array

    def numbers(self) -> tuple[Array, Array, Array]:
        """Return every N of the block with its a and b."""
        lengths = np.diff(np.append(self.product, self.hi))
        lengths[0] -= self.lo - self.product[0]
        lengths = lengths.astype(np.int64)
        numbers = np.arange(self.hi - self.lo).astype(self.product.dtype) + self.lo
        return numbers, np.repeat(self.a, lengths), np.repeat(self.b, lengths)

    def changes(self, with_lo: bool) -> tuple[Array, Array, Array]:
        """Return the N of the block at which a and b change, and their a and b; `with_lo`: lo in any case."""
        start = int(self.product[0] < self.lo and not with_lo)
        return np.maximum(self.product, self.lo)[start:], self.a[start:], self.b[start:]


def nabc_range(lo: int, hi: int) -> Triples:
    """Return the canonical minimisers of a + b + c with N = a b + c for every N in [lo, hi).

    Arrays of hi - lo elements, in order of N. Time is about 5 ns for an N, however large.

    >>> nabc_range(10, 15).sum.tolist()
    [7, 8, 7, 8, 9]

    Raises:
        UsageError: not 0 <= lo <= hi.
    """
    parts = []
    for block in blocks(lo, hi):
        numbers, a, b = block.numbers()
        parts.append(Triples(a, b, numbers - a * b))
    if not parts:
        return Triples(*(np.zeros(0, np.int64) for _ in range(3)))
    return Triples(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def blocks(lo: int, hi: int, size: int = BLOCK) -> Iterator[Block]:
    """Yield the minimisers of [lo, hi) in blocks of at most `size` numbers; memory is bounded by the block.

    Raises:
        UsageError: not 0 <= lo <= hi.
    """
    if not 0 <= lo <= hi:
        raise UsageError(f"the range {lo}:{hi}", "accepted is LO:HI with 0 <= LO <= HI, HI not included")
    before = search(lo - 1).triples[0] if 0 < lo < hi else None
    while lo < hi:
        block = _block(lo, min(lo + size, hi), before) if hi <= _MARKED else _single(lo)
        product, a, b = (column[-1].item() if block.hi <= _NARROW else column[-1] for column in block[2:])
        before = Triple(a, b, block.hi - 1 - product)
        yield block
        lo = block.hi


def _block(lo: int, hi: int, before: Triple | None) -> Block:
    """Return the block of [lo, hi), `before` being the canonical minimiser of lo - 1."""
    kernel = kernels.load("integers")
    marks = np.full(hi - lo, _EMPTY, np.uint32)
    where, sums = np.empty_like(marks), np.empty_like(marks)
    # Products of the block have p = a + b >= 2 sqrt lo. Marks stand for p - base.
    base = isqrt(4 * lo - 1) + 1 if lo else 0
    # The p up to 2 sqrt N of the last N, where x = p^2 - 4 N <= 0.
    last = hi - 1
    following = isqrt(4 * last) + 1
    kernel.mark(base, base * base - 4 * last, following - base, 0, marks)
    start = before.sum + 1 - base if before else _EMPTY
    for reach in _reaches(last):
        stop = max(following, isqrt(4 * last) + 1 + reach)
        kernel.mark(following, following * following - 4 * last, stop - following, following - base, marks)
        found, highest = kernel.breakpoints(marks, start, where, sums)
        following = stop
        # Every minimiser has a + b <= f(N); if no f found exceeds the p tried, none can have been missed.
        if base + highest < stop:
            break
    narrow = hi <= _NARROW
    number = np.int64 if narrow else object
    product = where[:found].astype(number) + lo
    total = sums[:found].astype(number) + base
    square = total * total - 4 * product
    difference = np.sqrt(square.astype(np.float64)).astype(np.int64) if narrow else _each(isqrt, square)
    a, b = (total - difference) // 2, (total + difference) // 2
    if before and not (found and where[0] == 0):
        product = np.concatenate([np.array([lo - 1 - before.c], number), product])
        a = np.concatenate([np.array([before.a], number), a])
        b = np.concatenate([np.array([before.b], number), b])
    return Block(lo, hi, product, a, b)


def _single(n: int) -> Block:
    a, b, c = search(n).triples[0]
    return Block(n, n + 1, *(_each(int, [value]) for value in (n - c, a, b)))


def _reaches(n: int) -> Iterator[int]:
    """Yield how far above 2 sqrt n to mark: 9 n^(1/6), mostly enough, up to the proved 1 + 2 n^(1/4)."""
    proved = 2 + isqrt(2 * isqrt(4 * n) + 1)
    reach = 64 + int(9 * 2 ** (n.bit_length() / 6))
    while reach < proved:
        yield reach
        reach *= 2
    yield proved


def _each(function: Callable[[int], int], values: Iterable[int]) -> Array:
    """Return the function of each of some Python integers, as an array of objects."""
    items = [function(value) for value in values]
    result = np.empty(len(items), object)
    result[:] = items
    return result

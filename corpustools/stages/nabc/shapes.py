"""Planning shapes: n items as a rows of b with c over, at costs of their own and within bounds.

Minimises A a + B b + C c with n = a b + c (`pad`: n = a b - c) under bounds on a, b and c. Both methods
sweep: candidates stand on a line, each with a lower bound of what it can cost, and the sweep goes outward
from where that bound is least until it exceeds the best cost found. So the result is exact, ties included.

With weights alone the line is the sum s = A a + B b, as in the unweighted search: on average about
0.75 C^(2/3) (A B n)^(1/6) candidates. With bounds it is the smaller one of a and b, whose best partner is an
extreme one: about n^(1/3) candidates where no bound matters, at most about 2 n^(1/2); with c = 0 forced it is
the search for a divisor.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import gcd, inf, isqrt, log10
from typing import Any

from corpustools.errors import DataError
from corpustools.stages.nabc.search import Found, Triple
from corpustools.stages.nabc.shape import Shape


def shape(n: int, wanted: Shape, *, every: bool = False, max_steps: int | None = None) -> Found:
    """Return the cheapest shapes of n; the first has the least c, then the least a.

    Raises:
        DataError: no shape of n lies within the bounds.
        UsageError: weights or bounds that cannot be meant.
    """
    ledger = _Ledger(n, wanted.checked(), every)
    if by_sum(n, wanted):
        lower = _sweep(_sums(n, wanted, ledger), ledger, max_steps)
    else:
        lower = _sweep(_rows(n, wanted, ledger), ledger, max_steps)
    if not ledger.triples and lower == inf:
        raise DataError(f"N = {n} has no a, b, c within the bounds", "widen the bounds")
    return Found(sorted(ledger.triples, key=lambda t: (t.c, t.a)), ledger.best, lower)


def by_sum(n: int, wanted: Shape) -> bool:
    """Whether the sweep over sums serves: no bounds, and n so large that the sums lie dense enough."""
    alpha, beta, gamma = wanted.weights
    return wanted.free and not wanted.pad and 8 * gamma * gcd(alpha, beta) ** 3 * n >= (alpha * beta) ** 2


def log10_steps(n: int, wanted: Shape) -> float:
    """Return log10 of about how many candidates `shape` tries."""
    alpha, beta, gamma = (log10(weight) for weight in wanted.weights)
    if by_sum(n, wanted):
        return log10(0.745) + 2 / 3 * gamma + (alpha + beta + log10(n or 1)) / 6
    # Few c in reach are few divisors in reach: up to sqrt(n) candidates instead of n^(1/3).
    few = wanted.c.high is not None and wanted.c.high**6 < n
    limits = [log10(bounds.high + 1) for bounds in (wanted.a, wanted.b) if bounds.high is not None]
    return min([log10(n or 1) / (2 if few else 3), *limits])


class _Ledger:
    """The cheapest triples offered so far."""

    def __init__(self, n: int, wanted: Shape, every: bool) -> None:
        self.n = n
        self.wanted = wanted
        self.every = every
        self.best: Any = inf
        self.triples: list[Triple] = []

    def offer(self, a: int, b: int) -> None:
        """Take (a, b) into account if it is within the bounds."""
        wanted = self.wanted
        c = a * b - self.n if wanted.pad else self.n - a * b
        if not (wanted.a.admits(a) and wanted.b.admits(b) and wanted.c.admits(c)):
            return
        cost = wanted.weights[0] * a + wanted.weights[1] * b + wanted.weights[2] * c
        if cost > self.best:
            return
        if wanted.symmetric and a > b:
            a, b = b, a
        triple = Triple(a, b, c)
        if cost < self.best:
            self.best, self.triples = cost, [triple]
        elif self.every:
            if triple not in self.triples:
                self.triples.append(triple)
        elif (c, a) < (self.triples[0].c, self.triples[0].a):
            self.triples = [triple]


class _Front:
    """One end of a sweep: the next position, and the lower bound of what it can cost."""

    def __init__(
        self,
        start: int,
        step: int,
        end: int | None,
        bound: Callable[[int], Any],
        attempt: Callable[[int], None],
    ) -> None:
        self.position, self.step, self.end, self.bound, self.attempt = start, step, end, bound, attempt
        self.value: Any = 0
        self.settle()

    def settle(self) -> None:
        """Set the bound of the position; beyond the end it is infinite."""
        past = self.end is not None and (self.position - self.end) * self.step > 0
        self.value = inf if past else self.bound(self.position)

    def advance(self) -> None:
        """Try the position and go on to the next."""
        self.attempt(self.position)
        self.position += self.step
        self.settle()


def _sweep(fronts: list[_Front], ledger: _Ledger, max_steps: int | None) -> Any:
    """Try positions in the order of their bounds; return the cost that is proved to be a lower bound."""
    steps = 0
    while fronts:
        front = min(fronts, key=lambda front: front.value)
        if front.value == inf or front.value > ledger.best:
            break
        if steps == max_steps:
            return min(front.value, ledger.best)
        front.advance()
        steps += 1
    return ledger.best


def _sums(n: int, wanted: Shape, ledger: _Ledger) -> list[_Front]:
    """The sweep over s = A a + B b: up while s, down while s + C (n - s^2 / 4 A B) can be the cost."""
    alpha, beta, gamma = wanted.weights
    common = gcd(alpha, beta)
    modulus = beta // common
    inverse = pow(alpha // common, -1, modulus)

    def attempt(s: int) -> None:
        # A a and B b differ by at least the root of x; a lies in one residue class. Nearest on either side:
        residue = s // common * inverse % modulus
        x = s * s - 4 * alpha * beta * n
        gap = isqrt(x - 1) + 1 if x > 0 else 0
        top, bottom = (s - gap) // (2 * alpha), -(-(s + gap) // (2 * alpha))
        for a in (top - (top - residue) % modulus, bottom + (residue - bottom) % modulus):
            if 0 <= alpha * a <= s:
                ledger.offer(a, (s - alpha * a) // beta)

    ledger.offer(0, 0)
    middle = isqrt(4 * alpha * beta * n) // common * common
    return [
        _Front(middle + common, common, None, lambda s: s, attempt),
        _Front(middle, -common, 0, lambda s: s + gamma * n - gamma * s * s // (4 * alpha * beta), attempt),
    ]


def _ceil(number: int, over: int) -> int:
    return -(-number // over)


def _rows(n: int, wanted: Shape, ledger: _Ledger) -> list[_Front]:
    """The sweeps over a up to the square root of n, and over b where a is larger.

    With a > cut, b <= n / (cut + 1); padded, no b above that rounded up is needed. Both together never take
    more than about 2 sqrt(n) candidates, even where only few c are accepted.
    """
    alpha, beta, gamma = wanted.weights
    sweep = _padded_rows if wanted.pad else _filled_rows
    needed = n + wanted.c.low if wanted.pad else n
    cut = isqrt(needed)
    beyond = _ceil(needed, cut + 1) if wanted.pad else needed // (cut + 1)
    if wanted.symmetric:
        return sweep(n, wanted, max(cut, beyond), ledger.offer, ledger.every)
    mirrored = wanted._replace(weights=(beta, alpha, gamma), a=wanted.b, b=wanted.a)
    return [
        *sweep(n, wanted, cut, ledger.offer, ledger.every),
        *sweep(n, mirrored, beyond, lambda b, a: ledger.offer(a, b), ledger.every),
    ]


def _filled_rows(n: int, wanted: Shape, cut: int, offer: Callable[[int, int], None], every: bool) -> list[_Front]:
    """The sweep over a <= cut for n = a b + c."""
    alpha, beta, gamma = wanted.weights
    least_c, most_c = wanted.c.low, n if wanted.c.high is None else min(n, wanted.c.high)
    least_b, most_b = wanted.b
    low, high = wanted.a.low, cut if wanted.a.high is None else min(cut, wanted.a.high)
    if least_c > most_c or (most_b == 0 and most_c < n):
        return []
    if least_b:
        high = min(high, (n - least_c) // least_b)
    if most_c < n:
        low = max(low, 1, _ceil(n - most_c, most_b) if most_b else 1)

    def smallest(a: int) -> int:
        return max(least_b, _ceil(n - most_c, a)) if a else least_b

    def largest(a: int) -> int:
        b = (n - least_c) // a
        return b if most_b is None else min(b, most_b)

    def attempt_large(a: int) -> None:
        # One more b costs B and saves C a.
        offer(a, largest(a))
        if every and gamma * a == beta:
            for b in range(smallest(a), largest(a)):
                offer(a, b)

    def bound_small(a: int, over: Callable[[int, int], Any] = _ceil) -> Any:
        bound = alpha * a + gamma * n + (beta - gamma * a) * least_b
        return max(bound, alpha * a + gamma * most_c + over(beta * (n - most_c), a)) if most_c < n else bound

    def bound_large(a: int, over: Callable[[int, int], Any] = _ceil) -> Any:
        bound = alpha * a + gamma * least_c + over(beta * (n - least_c), a)
        return bound if most_b is None else max(bound, alpha * a + gamma * n - most_b * (gamma * a - beta))

    # Below the turn one more b costs more than the c it saves: the least b is best.
    turn = min(high + 1, max(low, _ceil(beta, gamma)))
    small = _outward(low, turn - 1, bound_small, lambda a: offer(a, smallest(a)))
    if most_c == n and not every and low < turn:
        # Their cost is linear in a: the ends are enough, and of equals the last has the least c.
        for a in (low, turn - 1):
            offer(a, least_b)
        small = []
    return [*small, *_outward(turn, high, bound_large, attempt_large)]


def _padded_rows(n: int, wanted: Shape, cut: int, offer: Callable[[int, int], None], every: bool) -> list[_Front]:
    """The sweep over a <= cut for n = a b - c: the least b that is enough is the best."""
    alpha, beta, gamma = wanted.weights
    least_b, most_b = wanted.b
    needed = n + wanted.c.low
    low, high = wanted.a.low, max(wanted.a.low, cut, 1)
    if wanted.a.high is not None:
        high = min(high, wanted.a.high)
    if low == 0:
        offer(0, least_b)
    if most_b == 0 and needed:
        return []
    low = max(low, 1, _ceil(needed, most_b) if most_b else 1)
    if wanted.c.high is not None and least_b:
        high = min(high, (n + wanted.c.high) // least_b)

    def bound(a: int, over: Callable[[int, int], Any] = _ceil) -> Any:
        least = alpha * a + gamma * wanted.c.low + over(beta * needed, a)
        return max(least, alpha * a + least_b * (beta + gamma * a) - gamma * n)

    return _outward(low, high, bound, lambda a: offer(a, max(least_b, _ceil(needed, a))))


def _outward(low: int, high: int, bound: Callable[..., Any], attempt: Callable[[int], None]) -> list[_Front]:
    """Two fronts from the least of a bound that is convex over low … high."""
    left, right = low, high
    while left < right:
        middle = (left + right) // 2
        if bound(middle, Fraction) > bound(middle + 1, Fraction):
            left = middle + 1
        else:
            right = middle
    return [_Front(left, -1, low, bound, attempt), _Front(left + 1, 1, high, bound, attempt)]

"""What is asked about each N: which shape, all minimisers or one, how many steps; and who answers it."""

from __future__ import annotations

from typing import NamedTuple

from corpustools.errors import UsageError
from corpustools.nabc.search import Found, expected_seconds, hopeless, log10_steps, search


class Bounds(NamedTuple):
    """The least and the largest accepted value; None is no limit."""

    low: int = 0
    high: int | None = None

    def admits(self, value: int) -> bool:
        """Whether the value lies within the bounds."""
        return self.low <= value and (self.high is None or value <= self.high)


class Shape(NamedTuple):
    """What a shape may be and what it costs: weights (A, B, C) >= 1, bounds, and what c means."""

    weights: tuple[int, int, int] = (1, 1, 1)
    a: Bounds = Bounds()
    b: Bounds = Bounds()
    c: Bounds = Bounds()
    pad: bool = False

    @property
    def free(self) -> bool:
        """Whether no bound is set."""
        return self.a == self.b == self.c == Bounds()

    @property
    def symmetric(self) -> bool:
        """Whether a and b can be exchanged; then a <= b is meant."""
        return self.weights[0] == self.weights[1] and self.a == self.b

    def checked(self) -> Shape:
        """Return self.

        Raises:
            UsageError: weights below 1, negative bounds, or a least above a largest value.
        """
        if min(self.weights) < 1:
            raise UsageError(f"weights {self.weights}", "accepted are integers >= 1")
        for name, bounds in (("a", self.a), ("b", self.b), ("c", self.c)):
            if bounds.low < 0 or (bounds.high is not None and bounds.high < bounds.low):
                raise UsageError(f"{name} from {bounds.low} to {bounds.high}", "accepted is 0 <= least <= largest")
        return self


class Problem(NamedTuple):
    """A shape, whether every minimiser is wanted, and the steps after which to give up."""

    shape: Shape = Shape()
    every: bool = False
    max_steps: int | None = None

    @property
    def unweighted(self) -> bool:
        """Whether a + b + c is minimised without bounds, which the faster search does."""
        return self.shape.free and self.shape.weights == (1, 1, 1)

    def solve(self, n: int) -> Found:
        """Return the minimisers for n; the first is canonical.

        Raises:
            DataError: no shape of n within the bounds, or no end in sight.
        """
        if self.unweighted:
            return search(n, pad=self.shape.pad, every=self.every, max_steps=self.max_steps)
        from corpustools.nabc import shapes

        return shapes.shape(n, self.shape, every=self.every, max_steps=self.max_steps)

    def hopeless(self, n: int) -> bool:
        """Whether n is refused unless it turns out to be an easy case."""
        return self.unweighted and hopeless(n, self.max_steps)

    def expected(self, n: int) -> tuple[float, float]:
        """Return (log10 of about how many steps n takes, about how many seconds)."""
        if self.unweighted:
            return log10_steps(n), expected_seconds(n, self.max_steps)
        from corpustools.nabc import shapes

        steps = shapes.log10_steps(n, self.shape)
        return steps, min(10 ** min(steps, 300.0), self.max_steps or 1e300) * 3e-6

"""What is asked about each N: which shape, all minimisers or one, how many steps; and who answers it."""

from __future__ import annotations

from typing import NamedTuple

from corpustools.stages.nabc.search import Found, expected_seconds, hopeless, log10_steps, search
from corpustools.stages.nabc.shape import Shape


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
        from corpustools.stages.nabc import shapes

        return shapes.shape(n, self.shape, every=self.every, max_steps=self.max_steps)

    def hopeless(self, n: int) -> bool:
        """Whether n is refused unless it turns out to be an easy case."""
        return self.unweighted and hopeless(n, self.max_steps)

    def expected(self, n: int) -> tuple[float, float]:
        """Return (log10 of about how many steps n takes, about how many seconds)."""
        if self.unweighted:
            return log10_steps(n), expected_seconds(n, self.max_steps)
        from corpustools.stages.nabc import shapes

        steps = shapes.log10_steps(n, self.shape)
        return steps, min(10 ** min(steps, 300.0), self.max_steps or 1e300) * 3e-6

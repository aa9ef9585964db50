"""What a shape of N = ab + c (or ab - c) may be, and what it costs."""

from __future__ import annotations

from typing import NamedTuple

from corpustools.errors import UsageError


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

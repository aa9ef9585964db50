"""The exact minimum of a + b + c with N = a b + c over non-negative integers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from corpustools.stages.nabc.search import Triple
from corpustools.stages.nabc.search import search as _search

if TYPE_CHECKING:
    from corpustools.stages.nabc.ranges import Triples, nabc_range

__all__ = ["Triple", "Triples", "nabc", "nabc_range"]


def __getattr__(name: str) -> Any:
    """Return the names of `ranges`, which needs numpy, when they are first asked for."""
    if name in ("Triples", "nabc_range"):
        from corpustools.stages.nabc import ranges

        return getattr(ranges, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def nabc(n: int) -> Triple:
    """Return the non-negative integers a <= b and c with n = a b + c and a + b + c least.

    Of several the canonical one: the least c. For n >= 4 the search tries f(n) - floor(2 sqrt n) values of
    a + b, where f(n) is the minimum: at most 1 + 2 n^(1/4), proved, and 1.18 n^(1/6) on average. The compiled
    kernel takes less than a millisecond for a number near 10^30, and some milliseconds near 10^40.

    >>> nabc(1000003)
    Triple(a=1000, b=1000, c=3)

    Args:
        n: an integer >= 0 of any length.

    Raises:
        UsageError: n is not an integer >= 0.
        DataError: more than 10^11 steps are expected (n of some 65 digits) and n is no easy case.
            `corpustools.stages.nabc.search.search` takes a limit of steps instead.

    Source: Jianlin Su, kexue.fm/archives/9775 (20 September 2023).
    """
    return _search(n).triples[0]

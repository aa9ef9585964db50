"""Weights, bounds and padding: every shape against brute force over all (a, b)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpustools.errors import DataError, UsageError
from corpustools.stages.nabc.problem import Problem
from corpustools.stages.nabc.search import search
from corpustools.stages.nabc.shape import Bounds, Shape
from corpustools.stages.nabc.shapes import by_sum, shape

WEIGHT = st.one_of(st.integers(1, 4), st.integers(1, 200))
LIMITS = st.one_of(
    st.just(Bounds()),
    st.tuples(st.integers(0, 12), st.one_of(st.none(), st.integers(0, 80))).map(
        lambda t: Bounds(t[0], None if t[1] is None else t[0] + t[1])
    ),
)
SHAPES = st.builds(Shape, st.tuples(WEIGHT, WEIGHT, WEIGHT), LIMITS, LIMITS, LIMITS, st.booleans())
ALIKE = st.builds(lambda w, c, ab, of_c: Shape((w, w, c), ab, ab, of_c), WEIGHT, WEIGHT, LIMITS, LIMITS)
WEIGHTS_ALONE = st.builds(lambda *w: Shape(w), WEIGHT, WEIGHT, WEIGHT)


def brute_force(n, wanted):
    """The least cost and all its triples, by rising c and a."""
    best, triples = None, set()
    for a in range(max(wanted.a.low, n + wanted.c.low, 1) + 1):
        for b in range(max(wanted.b.low, n + wanted.c.low, 1) + 1):
            c = a * b - n if wanted.pad else n - a * b
            if not (wanted.a.admits(a) and wanted.b.admits(b) and c >= 0 and wanted.c.admits(c)):
                continue
            cost = sum(w * v for w, v in zip(wanted.weights, (a, b, c), strict=True))
            if best is None or cost < best:
                best, triples = cost, set()
            if cost == best:
                triples.add((b, a, c) if wanted.symmetric and a > b else (a, b, c))
    return best, sorted(triples, key=lambda t: (t[2], t[0]))


@given(st.integers(0, 60), st.one_of(SHAPES, ALIKE, WEIGHTS_ALONE))
@settings(deadline=None, max_examples=600)
def test_brute_force_is_the_oracle(n, wanted):
    """For any bounds and weights the minimisers are those of trying everything."""
    best, triples = brute_force(n, wanted)
    if best is None:
        with pytest.raises(DataError, match="no a, b, c within the bounds"):
            shape(n, wanted)
        return
    found = shape(n, wanted, every=True)
    assert (found.cost, found.lower, found.triples) == (best, best, triples)
    assert shape(n, wanted).triples == triples[:1]
    for limit in (0, 1, 3):
        given_up = shape(n, wanted, max_steps=limit)
        assert given_up.lower <= best <= given_up.cost


@given(st.integers(1000, 10**7), st.tuples(WEIGHT, WEIGHT, WEIGHT))
@settings(deadline=None, max_examples=60)
def test_the_sweep_over_sums_and_the_sweep_over_rows_agree(n, weights):
    """A bound that excludes nothing sends the same question to the other method."""
    free, bounded = Shape(weights), Shape(weights, c=Bounds(0, n))
    assert not by_sum(n, bounded)
    if by_sum(n, free):
        assert shape(n, free, every=True) == shape(n, bounded, every=True)


@given(st.integers(0, 10**9), st.booleans())
@settings(deadline=None, max_examples=60)
def test_unit_weights_are_the_plain_problem(n, pad):
    """Bounds that bind nothing change nothing."""
    bounded = Shape(c=Bounds(0, 10**10), pad=pad)
    triples = search(n, pad=pad, every=True).triples
    # With a = 0 the plain search names (0, 0, N) only where it is minimal, as brute force does.
    found = shape(n, bounded, every=True).triples
    assert found == triples if not pad else {tuple(sorted(t[:2])) for t in found} == {t[:2] for t in triples}


def test_planning_a_million_records():
    """The examples of the help are right."""
    assert shape(1000003, Shape(a=Bounds(0, 64))).triples == [(64, 15625, 3)]
    assert shape(1000003, Shape(c=Bounds(0, 0))).triples == [(1, 1000003, 0)]
    assert Problem(Shape()).solve(1000003).triples == [(1000, 1000, 3)]


@pytest.mark.parametrize(
    "wanted",
    [
        Shape(a=Bounds(0, 64)),
        Shape(b=Bounds(0, 10)),
        Shape(a=Bounds(0, 10**6), b=Bounds(0, 10**6)),
        Shape((1, 10**9, 1), b=Bounds(1)),
        Shape((2, 3, 1)),
        Shape((1, 1, 1), pad=True, b=Bounds(0, 1000)),
        Shape((1, 2, 1), a=Bounds(10**9)),
    ],
)
def test_an_active_bound_makes_the_search_short(wanted):
    """10^15 items: a sweep that did not start at the bound would try 10^5 to 10^15 candidates."""
    found = shape(10**15 + 37, wanted, max_steps=3000)
    assert found.proved


@pytest.mark.parametrize("weights", [(1, 1, 1), (1, 2, 1), (1000, 1, 1)])
def test_a_prime_without_a_rest_ends_after_some_square_roots(weights):
    """1 and the prime itself are the only divisors: the sweeps may not run on to n."""
    found = shape(999_999_937, Shape(weights, c=Bounds(0, 0)), max_steps=3 * 31623)
    assert found.proved
    assert {found.triples[0].a, found.triples[0].b} == {1, 999_999_937}


@pytest.mark.parametrize("wanted", [Shape((0, 1, 1)), Shape(a=Bounds(5, 4)), Shape(c=Bounds(-1)), Shape((1, -1, 1))])
def test_what_cannot_be_meant_is_refused(wanted):
    """Bounds and weights without a meaning are refused with what is accepted."""
    with pytest.raises(UsageError, match="accepted"):
        shape(10, wanted)

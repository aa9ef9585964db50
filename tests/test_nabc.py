"""N = a b + c with the least a + b + c: brute force, an independent scan, published figures, twins."""

from math import isqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import corpustools
from corpustools.errors import DataError, UsageError
from corpustools.kernels.integers import plain as integers_plain
from corpustools.stages.nabc import nabc, ranges
from corpustools.stages.nabc.ranges import blocks, nabc_range
from corpustools.stages.nabc.search import Triple, search

try:
    from corpustools.kernels.integers import compiled as integers_compiled
except ImportError:
    integers_compiled = None

BACKENDS = [pytest.param(integers_plain, id="plain")] + (
    [pytest.param(integers_compiled, id="compiled")] if integers_compiled else []
)
TSV = b"\0\t\0\t\0\t\0\t\0\n"
N = st.one_of(st.integers(0, 2000), st.integers(0, 2**64 - 1), st.integers(0, 64).map(lambda k: 2**k - 1))


@pytest.fixture(params=["plain", "compiled"])
def kernel(request, monkeypatch):
    """Both kernels behind the library, one after the other."""
    if request.param == "compiled" and integers_compiled is None:
        pytest.skip("not compiled")
    monkeypatch.setenv("CORPUS_KERNELS", request.param)
    return request.param


def all_pairs(stop):
    """Minimum, and a, b of the canonical minimiser, over all a <= b with a b <= N, for each N < stop."""
    pairs = [(a, b) for a in range(isqrt(stop) + 1) for b in range(a, stop // a + 1 if a else 1)]
    a, b = np.array(sorted(pairs, key=lambda pair: pair[0] * pair[1])).T
    for n, fits in enumerate(np.searchsorted(a * b, np.arange(stop), "right")):
        c = n - a[:fits] * b[:fits]
        cost = a[:fits] + b[:fits] + c
        least = np.argmin(cost * 2**20 + c)
        yield int(cost[least]), Triple(int(a[least]), int(b[least]), int(c[least]))


def scan_over_a(stop):
    """The same from every a up to sqrt N with b = N // a, as arrays over N: no p, no q, no early stop."""
    n = np.arange(stop)
    best, best_c, best_a = n.copy(), n.copy(), np.zeros_like(n)
    for a in range(1, isqrt(stop) + 1):
        rest = n[a * a :]
        b = rest // a
        c = rest - a * b
        cost = a + b + c
        held, held_c, held_a = best[a * a :], best_c[a * a :], best_a[a * a :]
        better = (cost < held) | ((cost == held) & (c < held_c))
        held[better], held_c[better], held_a[better] = cost[better], c[better], a
    return best_a, np.where(best_a, (n - best_c) // np.maximum(best_a, 1), 0), best_c


def scan_down(n):
    """One N by a alone, downward from sqrt N, until a + N // a exceeds the best: about 1.02 N^(1/3) steps."""
    best = (n, n, 0, 0)
    for a in range(isqrt(n), 0, -1):
        b = n // a
        if a + b > best[0]:
            break
        best = min(best, (a + b + n - a * b, n - a * b, a, b))
    return Triple(best[2], best[3], best[1])


def steps_bound(n):
    """The proved bound of the steps f(N) - floor(2 sqrt N)."""
    return 1 + isqrt(2 * isqrt(4 * n) - 3) if n >= 4 else n


def answers(backend, numbers):
    """The kernel's rows for lines of text, as integers."""
    text = b"".join(b"%d\n" % n for n in numbers)
    out = bytearray(120 * len(numbers) + 120)
    end, written, count = backend.lines(text, 0, TSV, out)
    assert (end, count) == (len(text), len(numbers))
    return np.array([line.split() for line in bytes(out[:written]).splitlines()], dtype=np.uint64)


def test_all_pairs_are_the_oracle():
    """Up to 10,000 the answers are those of trying all pairs."""
    table = nabc_range(0, 10_001)
    for n, (cost, triple) in enumerate(all_pairs(10_001)):
        assert nabc(n) == triple == (table.a[n], table.b[n], table.c[n])
        assert nabc(n).sum == cost == table.sum[n]
        assert cost - isqrt(4 * n) <= steps_bound(n)


def test_a_scan_over_a_is_the_oracle_to_a_million(kernel):
    """Ranges and the kernel's rows up to a million, and some single searches, are those of trying each a."""
    stop = 1_000_001 if kernel == "compiled" else 100_001
    a, b, c = scan_over_a(stop)
    table = nabc_range(0, stop)
    assert (np.stack(table) == np.stack([a, b, c])).all()
    backend = integers_compiled if kernel == "compiled" else integers_plain
    rows = answers(backend, range(stop))
    assert (rows == np.stack([np.arange(stop), a, b, c, a + b + c], axis=1).astype(np.uint64)).all()
    for n in range(0, stop, 97):
        assert search(n).triples == [(a[n], b[n], c[n])]


def test_the_published_check_sums(kernel):
    """Sums of the minimum over 0 <= N < 10^k."""
    sums = [1430, 44326, 1370230, 42755477, 1342458891, 42301862578, 1335406221379]
    total, k = 0, 2
    last = 10**8 if kernel == "compiled" else 10**6
    for block in blocks(0, last, 50_000 if kernel == "plain" else 500_000):
        numbers, a, b = block.numbers()
        f = numbers - a * b + a + b
        while 10**k <= block.hi:
            assert total + f[: 10**k - block.lo].sum() == sums[k - 2]
            k += 1
        total += f.sum()
    assert 10 ** (k - 1) == last


def test_the_first_terms():
    """The first 30 minima are those written down."""
    f = [0, 1, 2, 3, 4, 5, 5, 6, 6, 6, 7, 8, 7, 8, 9, 8, 8, 9, 9, 10, 9, 10, 11, 12, 10, 10, 11, 12, 11, 12]
    assert [nabc(n).sum for n in range(30)] == f


@given(st.integers(1, 10**15))
@settings(max_examples=150, deadline=None)
def test_random_numbers_against_the_scan_over_a(n):
    """The answer is that of trying each a, within the proved number of steps."""
    assert nabc(n) == scan_down(n)
    assert nabc(n).sum - isqrt(4 * n) <= steps_bound(n)


SPECIAL = [
    *range(6),
    *(m * m + r for m in (1000, 10**6 + 3, 2**28) for r in (-2, -1, 0, 1, 2, m - 1, m, m + 1)),
    *(2**k + r for k in (31, 32, 40, 52, 53, 62, 63, 64) for r in (-1, 0, 1)),
    *(1_000_003, 2_147_483_647, 999_999_999_989, 2**61 - 1),
    *((2**32 - 1) ** 2 + r for r in (-1, 0, 1)),
]


@pytest.mark.parametrize("n", SPECIAL)
def test_special_numbers(n, kernel):
    """Squares, powers of two and the ends of integer types are answered right."""
    triple = scan_down(n)
    assert nabc(n) == triple
    assert triple.sum - isqrt(4 * n) <= steps_bound(n)
    if n < 1 << 64:
        backend = integers_compiled if kernel == "compiled" else integers_plain
        assert answers(backend, [n]).tolist() == [[n, *triple, triple.sum]]
    assert [tuple(map(int, row)) for row in zip(*nabc_range(n, n + 1), strict=True)] == [triple]


@pytest.mark.parametrize(
    ("n", "steps"),
    [
        (1210096551935, 901),
        (11000073058685, 1453),
        (120000404104997, 2066),
        (1200000486522229, 2884),
        (10000000324250249, 4165),
        (120000000072552060, 6208),
        (1200000000719071635, 8575),
    ],
)
def test_the_worst_numbers_of_published_windows(n, steps, kernel):
    """The numbers that take most steps take exactly these."""
    assert nabc(n).sum - isqrt(4 * n) == steps
    backend = integers_compiled if kernel == "compiled" else integers_plain
    assert answers(backend, [n]).tolist() == [[n, *nabc(n), nabc(n).sum]]


def plain_integers(n, p, count):
    """The least k + c over k < count from the sum p in Python's integers, and the largest k with it."""
    totals = []
    for k in range(count):
        x = (p + k) ** 2 - 4 * n
        q = isqrt(x - 1) + 1
        q += (q ^ (p + k)) & 1
        totals.append(k + ((q * q - x) >> 2))
    return min(totals), count - 1 - totals[::-1].index(min(totals))


@pytest.mark.parametrize("backend", BACKENDS)
@given(st.integers(0, 53), st.integers(4, 10**53), st.integers(0, 10**9), st.integers(1, 300))
@settings(deadline=None)
def test_steps_of_the_kernel_are_exact(backend, digits, n, ahead, count):
    """Up to x = 2^100 and beyond, where the root is taken in doubles and corrected."""
    n = 4 + n % 10**digits
    p = isqrt(4 * n) + 1 + ahead
    x = p * p - 4 * n
    assert backend.scan(p, x, count, 1 << 62, False) == plain_integers(n, p, count)
    low = isqrt(x)
    low -= (low ^ p) & 1
    assert backend.scan(p, x, 1, 1 << 62, True) == ((x - low * low) >> 2, 0)


@pytest.mark.parametrize("backend", BACKENDS)
@given(st.integers(1, 61), st.integers(0, 2**61), st.integers(-3, 3))
def test_roots_next_to_squares(backend, bits, q, shift):
    """x = q^2 + 4 s: here a root that is off by one unit in the last place takes the wrong q."""
    q = q % 2**bits + 2
    x = max(1, q * q + 4 * shift)
    p = q & 1
    root = isqrt(x - 1) + 1
    root += (root ^ p) & 1
    assert backend.scan(p, x, 1, 1 << 62, False) == ((root * root - x) >> 2, 0)
    low = isqrt(x)
    low -= (low ^ p) & 1
    assert backend.scan(p, x, 1, 1 << 62, True) == ((x - low * low) >> 2, 0)


@pytest.mark.skipif(integers_compiled is None, reason="not compiled")
@pytest.mark.parametrize("n", [10**43 - 1, 10**43 + 1, 10**40 + 7 * 10**19, (10**26 + 123) ** 2 + 60_000])
def test_numbers_of_forty_digits(n, monkeypatch):
    """No brute force reaches here: kernel, twin, identity and the proved bound have to agree."""
    found = []
    for choice in ("plain", "compiled"):
        monkeypatch.setenv("CORPUS_KERNELS", choice)
        found.append(search(n, every=True))
    assert found[0] == found[1]
    assert all(a * b + c == n and a + b + c == found[0].cost for a, b, c in found[0].triples)
    assert found[0].cost - isqrt(4 * n) <= steps_bound(n)


def test_a_search_beyond_the_kernels_range_ends_in_python(kernel, monkeypatch):
    """Where the kernel ends, Python's integers go on to the same answer."""
    n = 10**30 + 12345678901
    expected = search(n)
    monkeypatch.setattr("corpustools.stages.nabc.search._KERNEL_LIMIT", 1 << 66)
    assert search(n) == expected


def minimisers(n, pad=False):
    """All of them by brute force, by rising c."""
    if pad:
        options = [(a, -(-n // a)) for a in range(1, n + 1)] or [(0, 0)]
    else:
        options = [(a, n // a) for a in range(1, n + 1)] + [(0, 0)]
    triples = {(min(a, b), max(a, b), abs(n - a * b)) for a, b in options}
    least = min(map(sum, triples))
    return sorted((t for t in triples if sum(t) == least), key=lambda t: t[2])


@pytest.mark.parametrize("pad", [False, True])
def test_every_minimiser_and_the_padded_form(pad):
    """All minimisers are found, for N = ab + c and N = ab - c."""
    for n in range(1500):
        assert search(n, pad=pad, every=True).triples == minimisers(n, pad)
        assert search(n, pad=pad).triples == minimisers(n, pad)[:1]


@pytest.mark.parametrize(("n", "count"), [(4, 2), (52, 3), (175, 4), (2628, 5), (86279, 6)])
def test_the_first_numbers_with_several_minimisers(n, count):
    """The first N with so many minimisers is this one."""
    assert len(search(n, every=True).triples) == count
    assert all(len(search(m, every=True).triples) < count for m in range(max(0, n - 3000), n))


@given(st.integers(0, 10**12), st.integers(0, 400), st.booleans())
@settings(deadline=None)
def test_a_step_limit_brackets_the_minimum(n, limit, pad):
    """A limited search gives bounds around the minimum, or the minimum."""
    full = search(n, pad=pad)
    found = search(n, pad=pad, max_steps=limit)
    assert full.proved
    assert full.cost == full.triples[0].sum
    assert found.lower <= full.cost <= found.cost == found.triples[0].sum
    if found.proved:
        assert found == full
    if limit >= steps_bound(n) and not pad:
        assert found.proved


def test_what_has_no_end_is_refused_but_easy_cases_are_answered():
    """An N that would take for ever is an error; one next to a square is not."""
    with pytest.raises(DataError, match=r"500 digits .* 10\^83 steps; a limit, max_steps"):
        nabc(10**500 // 9)
    assert nabc(10**500 + 3) == (10**250, 10**250, 3)
    found = search(10**500 // 9, max_steps=50)
    assert not found.proved
    assert found.lower == isqrt(4 * (10**500 // 9)) + 51


@pytest.mark.parametrize("wrong", [-1, 1.5, "7", None])
def test_what_is_no_number_is_refused(wrong):
    """Only integers from 0 on are accepted."""
    with pytest.raises(UsageError, match=">= 0"):
        nabc(wrong)


def test_the_public_names_are_callable_in_any_order_of_imports():
    """Importing a file of the package does not take the function's place."""
    from corpustools.stages.nabc import search as module

    assert corpustools.nabc(100) == corpustools.nabc(np.int64(100)) == (10, 10, 0)
    assert corpustools.nabc_range(99, 101).sum.tolist() == [21, 20] or module
    assert "numpy" not in vars(module)


@given(st.integers(0, 45), st.integers(0, 10**45), st.integers(0, 60), st.integers(1, 80))
@settings(deadline=None, max_examples=60)
def test_ranges_anywhere(digits, seed, length, size):
    """Windows of any magnitude, across 2^62 and 2^64 as well, cut into blocks of any size."""
    lo = seed % 10**digits
    check_window(lo, lo + length, size)


@pytest.mark.parametrize("middle", [2**62, 2**63, 2**64, 2**130, 10**12, 0, 4])
def test_ranges_across_changes_of_representation(middle, kernel, monkeypatch):
    """Ranges are right on both sides of each width of integers."""
    if middle == 2**130:
        # Beyond this each N is searched by itself; here that has to be within reach.
        monkeypatch.setattr(ranges, "_MARKED", middle := 2**70)
    for size in (1, 5, 100):
        check_window(max(0, middle - 30), middle + 30, size)


def check_window(lo, hi, size):
    rows = []
    for block in blocks(lo, hi, size):
        numbers, a, b = block.numbers()
        rows += zip(numbers.tolist(), a.tolist(), b.tolist(), strict=True)
        assert block.hi - block.lo <= size
    assert [n for n, _, _ in rows] == list(range(lo, hi))
    every = range(lo, hi) if hi < 10**20 else {lo, hi - 1} & set(range(lo, hi))
    for n in every:
        assert (*rows[n - lo][1:], n - rows[n - lo][1] * rows[n - lo][2]) == nabc(n)
    table = nabc_range(lo, hi)
    assert rows == list(zip(range(lo, hi), table.a.tolist(), table.b.tolist(), strict=True))
    assert table.sum.tolist() == [a + b + n - a * b for n, a, b in rows]


def test_a_range_with_too_small_a_reach_marks_further(monkeypatch, kernel):
    """The first reach is a guess; what it misses has to be noticed."""
    lo = 1200000000719071635 - 40
    expected = nabc_range(lo, lo + 50)
    proved = 1 + isqrt(2 * isqrt(4 * lo))
    monkeypatch.setattr(ranges, "_reaches", lambda n: iter([0, 1, 10, 1000, 8000, proved]))
    table = nabc_range(lo, lo + 50)
    assert (np.stack(table) == np.stack(expected)).all()


def test_ranges_are_checked():
    """A range that ends before it starts or below 0 is refused; an empty one is empty."""
    with pytest.raises(UsageError, match="5:3"):
        nabc_range(5, 3)
    with pytest.raises(UsageError, match="-1:3"):
        nabc_range(-1, 3)
    assert [len(column) for column in nabc_range(7, 7)] == [0, 0, 0]


@pytest.mark.skipif(integers_compiled is None, reason="not compiled")
class TestTwins:
    """The compiled kernel and its twin give the same on the same arguments."""

    @given(st.lists(N, max_size=30), st.sampled_from([b"\n", b"\r\n", b"\n\n", b" \n", b"x\n", b"\0\n"]))
    @settings(deadline=None)
    def test_lines(self, numbers, end):
        """Kernel and twin answer, stop and refuse at the same lines."""
        text = b"".join(b"%d\n" % n for n in numbers) + b"0012" + end + b"18446744073709551616\n5\n6"
        results = []
        for backend in (integers_plain, integers_compiled):
            out, start = bytearray(500), 0
            while True:
                stop, written, count = backend.lines(text, start, TSV, out)
                results.append((backend is integers_plain, stop, count, bytes(out[:written])))
                if stop == start:
                    break
                start = stop
        assert [r[1:] for r in results if r[0]] == [r[1:] for r in results if not r[0]]

    @given(N, N, st.lists(N, max_size=20))
    def test_rows(self, a, b, numbers):
        """Kernel and twin write the same rows and stop where the buffer is full."""
        a, b = a % 2**20, b % 2**20
        numbers = np.array([max(n // 2, a * b) for n in numbers], np.uint64)
        firsts, seconds = np.full(len(numbers), a, np.uint64), np.full(len(numbers), b, np.uint64)
        outs = [bytearray(200 * len(numbers)) for _ in range(2)]
        written = [
            backend.rows(numbers, firsts, seconds, b'{"n": \0, \0, \0, \0, \0}\n', out)
            for backend, out in zip((integers_plain, integers_compiled), outs, strict=True)
        ]
        assert (written[0], outs[0]) == (written[1], outs[1])

    @given(st.integers(0, 10**30), st.integers(1, 500), st.integers(0, 200), st.integers(0, 1000))
    @settings(deadline=None)
    def test_marks_and_breakpoints(self, lo, size, count, best):
        """Kernel and twin mark the same sums and find the same breakpoints."""
        last = lo + size - 1
        base = isqrt(4 * lo - 1) + 1 if lo else 0
        following = isqrt(4 * last) + 1
        results = []
        for backend in (integers_plain, integers_compiled):
            marks = np.full(size, 0xFFFFFFFF, np.uint32)
            where, sums = np.zeros_like(marks), np.zeros_like(marks)
            backend.mark(base, base * base - 4 * last, following - base, 0, marks)
            backend.mark(following, following**2 - 4 * last, count, following - base, marks)
            found, highest = backend.breakpoints(marks, best, where, sums)
            results.append((marks.tolist(), where[:found].tolist(), sums[:found].tolist(), highest))
        assert results[0] == results[1]

    @given(
        st.one_of(st.integers(4, 10**43), st.integers(10**42, 10**50)),
        st.integers(1, 20_000),
        st.integers(0, 10**6),
        st.booleans(),
    )
    @settings(deadline=None, max_examples=50)
    def test_scan(self, n, count, best, pad):
        """Kernel and twin stop at the same step with the same answer."""
        p = isqrt(4 * n) + 1
        arguments = (p, p * p - 4 * n, count, best, pad)
        assert integers_plain.scan(*arguments) == integers_compiled.scan(*arguments)


@pytest.mark.parametrize("backend", BACKENDS)
class TestRefusals:
    """What would leave a buffer or the arithmetic is refused before the loop."""

    def test_scan(self, backend):
        """Arguments that would overflow are refused."""
        for p, x, count, best in (
            (5, 0, 1, 9),
            (5, 1 << 124, 1, 9),
            (1 << 84, 5, 1 << 40, 9),
            (1 << 123, 5, 1, 9),
            (5, 5, -1, 9),
            (5, 5, 1, (1 << 62) + 1),
        ):
            with pytest.raises(ValueError, match="out of range"):
                backend.scan(p, x, count, best, False)

    def test_mark(self, backend):
        """A sum beyond 32 bits is refused."""
        with pytest.raises(ValueError, match="out of range"):
            backend.mark(5, 1, 1, (1 << 32) - 2, bytearray(8))

    def test_breakpoints(self, backend):
        """Arrays of different lengths are refused."""
        with pytest.raises(ValueError, match="shorter"):
            backend.breakpoints(bytearray(8), 0, bytearray(4), bytearray(8))

    def test_rows(self, backend):
        """Arrays that do not fit each other are refused."""
        one = np.ones(1, np.int64)
        with pytest.raises(ValueError, match="1 rows do not fit"):
            backend.rows(one, one, one, TSV, bytearray(50))
        with pytest.raises(ValueError, match="differ in length"):
            backend.rows(one, one[:0], one, TSV, bytearray(500))
        with pytest.raises(ValueError, match="six pieces"):
            backend.rows(one, one, one, b"\0\0", bytearray(500))

    def test_lines(self, backend):
        """A buffer or a place that does not fit is refused."""
        with pytest.raises(ValueError, match="the buffer has 10"):
            backend.lines(b"5\n", 0, TSV, bytearray(10))
        with pytest.raises(ValueError, match="no byte 3"):
            backend.lines(b"5\n", 3, TSV, bytearray(500))
        with pytest.raises(ValueError, match="six pieces"):
            backend.lines(b"5\n", 0, b"", bytearray(500))

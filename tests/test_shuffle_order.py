"""The order: uniform over permutations, equal to an independent reference, ties settled as promised."""

from __future__ import annotations

import math
from array import array
from dataclasses import replace
from itertools import pairwise, permutations
from pathlib import Path

import pytest
from harness import COMPILED, PLENTY, is_plain
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from reference import EVERY_BIT, order, records, shuffled
from test_kernels_records import BACKENDS

from corpustools.seeds import seed_words
from corpustools.stages.shuffle import run_shuffle, shuffle, shuffle_request

SEEDS = 24_000


def drawn_order(orders, count: int, seed: str) -> tuple[int, ...]:
    """The order of a few records, from the kernel's words."""
    out = array("Q", bytes(32 * count))
    orders.words(0, count, *seed_words(seed), out)
    return tuple(sorted(range(count), key=lambda i: (out[4 * i], out[4 * i + 1], i)))


def chi_square(observed: list[int], expected: float) -> float:
    return sum((one - expected) ** 2 / expected for one in observed)


def bound(freedom: int) -> float:
    """What a chi-square of so many degrees of freedom passes once in 10^9 (Wilson and Hilferty's cube)."""
    return freedom * (1 - 2 / (9 * freedom) + 6 * math.sqrt(2 / (9 * freedom))) ** 3


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_order_of_five_records_is_equally_frequent(backend):
    """Chi-square over the 120 orders, 200 seeds for each; kernel and twin."""
    seeds = SEEDS if backend[1].__name__.endswith("order") else SEEDS // 4
    counts = dict.fromkeys(permutations(range(5)), 0)
    for seed in range(seeds):
        counts[drawn_order(backend[1], 5, str(seed))] += 1
    assert chi_square(list(counts.values()), seeds / 120) < bound(119)


def test_every_record_is_equally_frequent_in_every_place():
    """Position by position chi-square of 16 records; each row and column is fixed, hence 15 * 15 degrees."""
    counts = [0] * 256
    for seed in range(8000):
        for place, number in enumerate(order(16, f"place {seed}")):
            counts[16 * place + number] += 1
    assert chi_square(counts, 500) < bound(225)


def test_neighbours_stay_neighbours_no_more_often_than_chance(tmp_path: Path):
    """Of n - 1 neighbouring pairs one in each direction is expected to survive (Poisson), not many; no rank memory."""
    count = 200_000 if COMPILED else 4000
    source = tmp_path / "in"
    source.write_bytes(b"".join(b"%d\n" % i for i in range(count)))
    shuffle(source, tmp_path / "out", seed="neighbours", memory=PLENTY)
    numbers = [int(line) for line in (tmp_path / "out").read_bytes().split()]
    ahead = sum(b == a + 1 for a, b in pairwise(numbers))
    back = sum(b == a - 1 for a, b in pairwise(numbers))
    # P(Poisson(1) > 12) < 1e-10.
    assert ahead <= 12
    assert back <= 12
    # Spearman's rank correlation has a standard deviation of 1 / sqrt(n - 1).
    rho = 1 - 6 * sum((place - number) ** 2 for place, number in enumerate(numbers)) / (count * (count**2 - 1))
    assert abs(rho) * math.sqrt(count - 1) < 6


def test_sources_are_mixed_in_every_window(tmp_path: Path):
    """Ten inputs in a row: each hundredth of the output holds a tenth of each, by chi-square."""
    count = 100_000 if COMPILED else 5000
    names = []
    for number in range(10):
        names.append(tmp_path / f"in{number}")
        names[-1].write_bytes(b"%d\n" % number * (count // 10))
    shuffle(names, tmp_path / "out", seed="mix", memory=PLENTY)
    text = (tmp_path / "out").read_bytes()[::2]
    window = count // 100
    counts = [text[at : at + window].count(b"%d" % n) for at in range(0, count, window) for n in range(10)]
    assert chi_square(counts, window / 10) < bound(99 * 9)


@settings(max_examples=40)
@given(st.lists(st.binary(max_size=20).map(lambda b: b.replace(b"\n", b"")), max_size=300), st.text(max_size=20))
def test_the_output_is_the_reference(tmp_path_factory, lines, seed):
    """Bytes equal to those computed with numpy's generator and Python's sort, for any seed text."""
    path = tmp_path_factory.mktemp("reference")
    data = b"\n".join(lines)
    assume(is_plain(data))
    (path / "in").write_bytes(data)
    result = shuffle(path / "in", path / "out", seed=seed, memory=PLENTY)
    whole = records(data)
    assert (path / "out").read_bytes() == shuffled(whole, seed)
    assert result.records == len(whole)


@pytest.mark.parametrize("mask", [EVERY_BIT, 0xF << 60, 0xFF, 1 << 63, 0xFFFF << 30, 0], ids=hex)
@pytest.mark.parametrize("workers", [1, 2])
def test_ties_are_settled_by_further_bits(tmp_path: Path, mask, workers):
    """With most bits of the keys masked away, the second word decides, then the number."""
    count = 3000
    (tmp_path / "in").write_bytes(b"".join(b"%d\n" % i for i in range(count)))
    request = shuffle_request(tmp_path / "in", tmp_path / "out", seed="ties", memory=PLENTY, workers=workers)
    run_shuffle(replace(request, keys=request.keys._replace(mask=mask)))
    numbers = [int(line) for line in (tmp_path / "out").read_bytes().split()]
    assert numbers == order(count, "ties", mask)


def test_a_seed_is_text():
    """Numbers are their decimal text; no seed gives a fresh one each time, and it repeats the run."""
    assert seed_words("7") == seed_words(str(7))
    keys = {seed_words(seed) for seed in ("", "7", "07", "7 ", "é", "e\u0301")}
    assert len(keys) == 6


def test_no_seed_is_a_fresh_one_that_repeats_the_run(tmp_path: Path):
    """The result names the seed; the same seed gives the same bytes, another run without one gives others."""
    (tmp_path / "in").write_bytes(b"".join(b"%d\n" % i for i in range(1000)))
    first, second = (shuffle(tmp_path / "in", tmp_path / f"out{n}", memory=PLENTY) for n in (1, 2))
    assert first.seed != second.seed
    shuffle(tmp_path / "in", tmp_path / "again", seed=first.seed, memory=PLENTY)
    out1, out2, again = ((tmp_path / name).read_bytes() for name in ("out1", "out2", "again"))
    assert out1 == again != out2

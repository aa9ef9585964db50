"""The reference that explains the lattice, against all segmentations; and both kernels against the reference."""

import math
import random
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lattice_reference import best_path, forward, probability, sample
from vocabularies import chi_square, chi_square_limit, make_tokenizer, pieces_of, segmentations

from corpustools.kernels.lattice import modes, plain

try:
    from corpustools.kernels.lattice import compiled
except ImportError:
    compiled = None

KERNELS = ["plain", pytest.param("compiled", marks=pytest.mark.skipif(compiled is None, reason="no compiled kernel"))]
LETTERS = {b"a": -1.0, b"b": -1.5, b"c": -2.25}
MORE = st.dictionaries(
    st.text("abc", min_size=2, max_size=4).map(str.encode), st.sampled_from([-0.5, -1.0, -2.5, -3.25, -6.0]), max_size=9
)
TEXTS = st.text("abc", min_size=1, max_size=9).map(str.encode)


def weights(scores, alpha):
    """Return e^(alpha * score) of each piece, as exactly as a Fraction of a double is."""
    return {piece: Fraction(math.exp(alpha * score)) for piece, score in scores.items()}


@settings(deadline=None, max_examples=50)
@given(more=MORE, text=TEXTS)
def test_the_reference_is_the_enumeration(more, text):
    """In exact numbers: the sum of all paths, the best one, and a probability each that add up to 1."""
    vocabulary = weights(LETTERS | more, 1.0)
    paths = {path: math.prod(vocabulary[piece] for piece in path) for path, _ in segmentations(LETTERS | more, text)}
    assert forward(vocabulary, text)[-1] == sum(paths.values())
    best, weight = best_path(vocabulary, text)
    assert paths[tuple(best)] == weight == max(paths.values())
    assert sum(probability(vocabulary, text, path) for path in paths) == 1
    assert tuple(sample(vocabulary, text, random.Random(5).random)) in paths


def test_the_reference_draws_paths_by_their_probability():
    """The sampler that is easy to read is right: chi-square over all segmentations of a text."""
    vocabulary = weights(LETTERS | {b"ab": -1.0, b"bc": -2.5, b"abc": -3.25}, 0.5)
    text, chance, counts = b"abcab", random.Random(7), {}
    for _ in range(4000):
        path = tuple(sample(vocabulary, text, chance.random))
        counts[path] = counts.get(path, 0) + 1
    exact = {path: float(probability(vocabulary, text, path)) for path, _ in segmentations(vocabulary, text)}
    statistic, degrees = chi_square(counts, exact)
    assert statistic < chi_square_limit(degrees)


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("unit", ["character", "byte"])
@settings(deadline=None, max_examples=50)
@given(more=MORE, text=TEXTS, alpha=st.sampled_from([0.0, 0.3, 1.0, 3.0]))
def test_kernels_have_the_reference_s_log_z_and_best_path(kernels, unit, more, text, alpha):
    """Of small texts, for every alpha; and a sample's probability is what the reference draws it with."""
    scores = LETTERS | more
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("CORPUS_KERNELS", kernels)
        tokenizer = make_tokenizer(scores, unit=unit)
        vocabulary = weights(scores, alpha)
        assert tokenizer.log_partition(text, alpha) == pytest.approx(math.log(forward(vocabulary, text)[-1]), abs=1e-12)
        ids = tokenizer.sample(text, alpha, seed="reference")[0]
        log_p = math.log(probability(vocabulary, text, pieces_of(tokenizer.model, ids)))
        assert tokenizer.logprob(text, ids, alpha) == pytest.approx(log_p, abs=1e-12)
        best = pieces_of(tokenizer.model, tokenizer.encode(text))
        # Scores are multiples of 1/4, which floats add exactly, so the best paths are equal, ties included.
        exact = {piece: Fraction(2) ** int(4 * score) for piece, score in scores.items()}
        assert best == tuple(best_path(exact, text)[0])


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("unit", ["character", "byte"])
@pytest.mark.parametrize("alpha", [0.0, 0.4])
def test_kernels_draw_paths_with_the_reference_s_probabilities(kernels, unit, alpha, monkeypatch):
    """Every segmentation of a small text as often as the reference says."""
    monkeypatch.setenv("CORPUS_KERNELS", kernels)
    scores = LETTERS | {b"ab": -1.0, b"bc": -2.5, b"abc": -3.25, b"ca": -2.5}
    tokenizer, text, count = make_tokenizer(scores, unit=unit), b"abcabc", 4000 if kernels == "compiled" else 1500
    vocabulary, counts = weights(scores, alpha), {}
    ids, offsets = tokenizer.sample_batch([text] * count, alpha, "reference")
    for path in np.split(ids, offsets[1:-1]):
        pieces = pieces_of(tokenizer.model, path.tolist())
        counts[pieces] = counts.get(pieces, 0) + 1
    exact = {path: float(probability(vocabulary, text, path)) for path, _ in segmentations(scores, text)}
    statistic, degrees = chi_square(counts, exact)
    assert statistic < chi_square_limit(degrees)


@pytest.mark.skipif(compiled is None, reason="no compiled kernel")
def test_modes_have_the_same_numbers_everywhere():
    """lattice.h, the twin and the callers know the five modes by number."""
    names = ["VITERBI", "VITERBI_F32", "SAMPLE", "SAMPLE_WIDE", "ARRIVAL"]
    for module in (compiled, plain, modes):
        assert [getattr(module, name) for name in names] == [0, 1, 2, 3, 4]
    assert compiled.SPAN_BYTES == plain.SPAN_BYTES

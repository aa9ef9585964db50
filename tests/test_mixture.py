"""The mixture of canonical and drawn words: its law against enumeration, its kernel against the twin."""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_bpe_kernel import FILES, MODELS, RECORDS
from vocabularies import chi_square, chi_square_limit, make_model, segmentations

from corpustools.kernels.lattice.modes import SAMPLE, SAMPLE_WIDE
from corpustools.kernels.mixture import plain
from corpustools.stages.tokenize.bpe.canonical import Canonical
from corpustools.stages.tokenize.bpe.mixture import Mixture
from corpustools.stages.tokenize.engine import Engine
from corpustools.stages.tokenize.lattice.segmenter import SampleKey, Segmenter

try:
    from corpustools.kernels.mixture import compiled
except ImportError:
    compiled = None

needs_compiled = pytest.mark.skipif(compiled is None, reason="no compiled kernel")
MERGES = [b"ab", b"cd", b"bc", b"abcd", b"de"]
LETTERS = [b"a", b"b", b"c", b"d", b"e"]


def brute(word: bytes, ranks: dict[bytes, int]) -> list[bytes]:
    """Return the canonical pieces of a word of byte-pair encoding, by the definition."""
    row = [c.encode() for c in word.decode()]
    while pairs := [(ranks[a + b], i) for i, (a, b) in enumerate(itertools.pairwise(row)) if a + b in ranks]:
        i = min(pairs)[1]
        row[i : i + 2] = [row[i] + row[i + 1]]
    return row


def parts_of(text):
    """Return the bounds of what lies between the marks of a record."""
    bounds = [(match.start(), match.end()) for match in re.finditer(b"[^\xff]+", text)]
    return np.array(bounds, np.int64).reshape(-1, 2)


class ByBruteForce:
    """Canonical pieces by the definition, as bpe.canonical.Canonical gives them."""

    def __init__(self, model):
        self.pieces = {piece: i for i, piece in enumerate(model.pieces) if piece}
        self.merger = self

    def word(self, word):
        return [self.pieces.get(piece, 0) for piece in brute(word, {piece: i for i, piece in enumerate(MERGES)})]

    def codes(self, text, offsets, first_record, *, parts):
        data = bytes(text)
        by_record = [parts_of(data[a:b]) + a for a, b in itertools.pairwise(offsets.tolist())]
        self.bounds = np.concatenate([np.zeros((0, 2), np.int64), *by_record])
        self.counts = np.cumsum(list(map(len, by_record)), dtype=np.int64)
        rows = [self.word(data[a:b]) for a, b in self.bounds.tolist()]
        pieces = np.array([code for row in rows for code in row], np.int32)
        return pieces, None, np.cumsum([len(row) for row in rows], dtype=np.int64)

    def words(self, text, offsets, *, starts, ends, record_ends):
        starts[: len(self.bounds)], ends[: len(self.bounds)] = self.bounds.T
        record_ends[:] = self.counts
        return len(self.bounds)


def model_of(extra=(), **options):
    scores = dict.fromkeys([*LETTERS, *MERGES, *extra], 0.0)
    return make_model(scores, **({"cuts": "marks", "weighted": False} | options))


def mixture_of(model, chance, key, *, length_weight=1.0, bos=-1, eos=-1, canonical=None):
    engine = Engine(model)
    sampler = Segmenter(model, engine.trie, engine.weights_by_number(SAMPLE, 0.0, length_weight), key, bos, eos)
    wide = engine.weights_by_number(SAMPLE_WIDE, 0.0, length_weight)
    return Mixture(model, canonical or ByBruteForce(model), sampler, wide, chance)


def batch_of(texts):
    return b"".join(texts), np.cumsum([0, *map(len, texts)], dtype=np.int64)


def law_of(word, chance, length_weight):
    """Return the probability of every segmentation of a word under the mixture, by enumeration."""
    scores = dict.fromkeys([*LETTERS, *MERGES], 0.0)
    paths = [path for path, _ in segmentations(scores, word)]
    weights = [length_weight ** len(path) for path in paths]
    canonical = tuple(brute(word, {piece: i for i, piece in enumerate(MERGES)}))
    assert canonical in paths
    share = chance / sum(weights)
    return {path: share * w + (1 - chance) * (path == canonical) for path, w in zip(paths, weights, strict=True)}


def record_law(words, chance, length_weight=1.0):
    """Return the probability of every segmentation of a record of independent words."""
    laws = [law_of(word, chance, length_weight) for word in words]
    found = {}
    for rows in itertools.product(*(law.items() for law in laws)):
        path = tuple(piece for row, _ in rows for piece in row)
        found[path] = math.prod(p for _, p in rows)
    return found


def drawn(model, mixture, text, records, columns=()):
    """Return the segmentations of the same text as so many records, in pieces."""
    data, offsets = batch_of([text] * records)
    batch = mixture.batch(data, offsets, 0, columns)
    starts = [0, *batch.ends.tolist()]
    ids = batch.ids.tolist()
    return [tuple(model.pieces[i] for i in ids[a:b]) for a, b in itertools.pairwise(starts)], batch


@pytest.mark.parametrize("length_weight", [1.0, 0.4])
@pytest.mark.parametrize("chance", [0.0, 0.1, 1.0])
def test_the_law_by_enumeration(chance, length_weight):
    """What is drawn passes chi-square; log P, entropy and length equal sums over all segmentations."""
    model, words = model_of(), [b"abcd", b"bcde"]
    mixture = mixture_of(model, chance, SampleKey("law"), length_weight=length_weight)
    law = record_law(words, chance, length_weight)
    found, batch = drawn(model, mixture, b"\xff".join(words), 20_000, ("logprob", "entropy", "length"))
    possible = {path: p for path, p in law.items() if p > 0}
    statistic, degrees = chi_square(Counter(found), possible)
    assert statistic <= chi_square_limit(max(degrees, 1))
    for path, logprob in zip(found, batch.columns["logprob"].tolist(), strict=True):
        assert logprob == pytest.approx(math.log(law[path]), abs=1e-9)
    entropy = -sum(p * math.log(p) for p in possible.values())
    assert np.allclose(batch.columns["entropy"], entropy, rtol=0, atol=1e-9)
    assert np.allclose(batch.columns["length"], sum(len(path) * p for path, p in law.items()), rtol=0, atol=1e-9)


def test_words_are_independent():
    """The choice of one word tells nothing of the next, of another record or of another sample."""
    model = model_of()
    mixture = mixture_of(model, 0.5, SampleKey("independent", samples=2))
    found, _ = drawn(model, mixture, b"ab\xffab", 20_000)
    pairs = Counter(itertools.pairwise(found[::2])) + Counter(zip(found[::2], found[1::2], strict=True))
    one = record_law([b"ab", b"ab"], 0.5)
    statistic, degrees = chi_square(pairs, {(a, b): one[a] * one[b] for a in one for b in one})
    assert statistic <= chi_square_limit(degrees)


@pytest.mark.parametrize("chance", [0.0, 0.3, 1.0])
def test_a_word_of_more_paths_than_integers(chance):
    """log P of a word with more than 2^63 segmentations is that of exact counting."""
    model = model_of()
    word = b"ab" * 200
    mixture = mixture_of(model, chance, SampleKey("long"))
    [path], batch = drawn(model, mixture, word, 1, ("logprob",))
    canonical = tuple(brute(word, {piece: i for i, piece in enumerate(MERGES)}))
    paths = 2**200  # each "ab" stands alone or as two letters
    p = chance / paths + (1 - chance) * (path == canonical)
    expected = math.log(chance) - 200 * math.log(2) if p == chance / paths else math.log(p)
    assert batch.columns["logprob"][0] == pytest.approx(expected, abs=1e-9)


def test_canonical_at_0_and_the_draw_of_the_lattice_at_1():
    """With probability 0 ids are the canonical ones; with 1 they are those that a segmenter of samples draws."""
    model = model_of()
    texts = [b"abcd\xffabcde\xffedcba\xff\xff", b"", b"bc\xffab", b"\xff"]
    data, offsets = batch_of(texts)
    key = SampleKey("ends", epoch=3, samples=3)
    canonical = ByBruteForce(model)
    at_0 = mixture_of(model, 0.0, key).batch(data, offsets, 7)
    once = [canonical.codes(*batch_of([text]), 0, parts=True)[0].tolist() for text in texts]
    assert at_0.ids.tolist() == [i for ids in once for _ in range(3) for i in ids]
    sampler = mixture_of(model, 1.0, key).sampler
    at_1 = mixture_of(model, 1.0, key).batch(data, offsets, 7)
    drawn_ids = sampler.batch(data, offsets, 7, False)
    assert at_1.ids.tolist() == drawn_ids.ids.tolist()
    assert at_1.ends.tolist() == drawn_ids.ends.tolist()


def test_batches_may_be_cut_anywhere():
    """Records drawn alone, under their numbers, are what they are among others; bos and eos stand around each."""
    model = model_of()
    key = SampleKey("cut", samples=2)
    texts = [b"abcd\xffde" * (i % 3) + b"abcab\xff" * (i % 4) for i in range(12)]
    mixture = mixture_of(model, 0.4, key, bos=0, eos=5)
    together = mixture.batch(*batch_of(texts), 100)
    ids, ends = together.ids.tolist(), [0, *together.ends.tolist()]
    for i, text in enumerate(texts):
        alone = mixture.batch(*batch_of([text]), 100 + i)
        assert ids[ends[2 * i] : ends[2 * i + 2]] == alone.ids.tolist()
        assert alone.ids[0] == 0
        assert alone.ids[-1] == 5


def test_an_unknown_character_is_never_drawn():
    """A word with one is canonical, its probability 1, and words beside it are drawn as ever."""
    model = model_of()
    mixture = mixture_of(model, 1.0, SampleKey("unknown"))
    found, batch = drawn(model, mixture, b"abx\xffab\xff\xf0\x9f\x98\x80", 200, ("logprob", "length", "entropy"))
    unknown = b"<unk>"
    assert set(found) == {(b"ab", unknown, b"ab", unknown), (b"ab", unknown, b"a", b"b", unknown)}
    assert np.allclose(batch.columns["logprob"], -math.log(2))
    assert np.allclose(batch.columns["length"], 3 + 1.5)
    assert np.allclose(batch.columns["entropy"], math.log(2))


def test_user_defined_symbols_and_letters_that_are_no_pieces_stay_whole():
    """A user-defined symbol is not taken apart; a piece with a letter of its own is, only where each letter is one."""
    extra = [b"xy", b"zz"]
    model = model_of(extra)
    model.user_defined[model.pieces.index(b"zz")] = True
    mixture = mixture_of(model, 1.0, SampleKey("symbols"))
    fixed = {model.pieces[i] for i in np.flatnonzero(mixture._fixed)}
    assert fixed == {b"<unk>", b"xy", b"zz"}


def test_growth_is_what_samples_grow_by():
    """The expected growth equals the mean of many samples."""
    model = model_of()
    mixture = mixture_of(model, 0.3, SampleKey("growth"))
    data, offsets = batch_of([b"abcd\xffabx\xffbcde"] * 20_000)
    batch = mixture.batch(data, offsets, 0, growth=True)
    growth = batch.growth + batch.growth
    assert growth.canonical == 2 * 20_000 * (1 + 2 + 3)
    assert growth.share == pytest.approx(len(batch.ids) / (growth.canonical / 2) - 1, abs=0.01)


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=60, deadline=None)
@given(records=RECORDS, chance=st.sampled_from([0.0, 0.5, 1.0]))
def test_models_of_every_kind(name, records, chance):
    """Ids spell the same text as the canonical ones, word by word; they are those where nothing is drawn."""
    model = MODELS[name]
    records = [bytes(model.normalizer.normalize(record)) for record in records]
    text, offsets = batch_of(records)
    mixture = mixture_of(model, chance, SampleKey("kinds"), canonical=Canonical(model), bos=1, eos=2)
    batch = mixture.batch(text, offsets, 3, ("logprob",))
    canonical = Canonical(model, 1, 2).batch(text, offsets, 3)
    if chance == 0:
        assert batch.ids.tolist() == canonical.ids.tolist()
        assert batch.special.tolist() == canonical.special.tolist()
        assert not batch.columns["logprob"].any()
    assert len(batch.special) == len(canonical.special)
    assert (batch.columns["logprob"] <= 0).all()
    canonical_ids, ids, starts = canonical.ids.tolist(), batch.ids.tolist(), [0, *batch.ends.tolist()]
    canonical_starts = [0, *canonical.ends.tolist()]
    for i in range(len(records)):
        made = [model.pieces[i] for i in ids[starts[i] : starts[i + 1]]]
        usual = [model.pieces[i] for i in canonical_ids[canonical_starts[i] : canonical_starts[i + 1]]]
        assert b"".join(made) == b"".join(usual)


@pytest.mark.parametrize("name", ["bytes", "wholes"])
def test_all_words_drawn_are_the_samples_of_the_lattice(name):
    """With probability 1 ids are those that a segmenter of samples writes, where no word is fixed."""
    model = MODELS[name]
    texts = [bytes(model.normalizer.normalize(b"the cat sat on 12 mats, \xff\xc3 caf\xc3\xa9! " * i)) for i in range(5)]
    mixture = mixture_of(model, 1.0, SampleKey("all", samples=2), canonical=Canonical(model))
    found = mixture.batch(*batch_of(texts), 9)
    expected = mixture.sampler.batch(*batch_of(texts), 9, False)
    assert found.ids.tolist() == expected.ids.tolist()
    assert found.ends.tolist() == expected.ends.tolist()


# ------------------------------------------------------------------------------------------ the kernel and its twin


@needs_compiled
@settings(deadline=None, max_examples=100)
@given(
    records=st.lists(st.lists(st.integers(0, 11), max_size=6), max_size=5),
    chance=st.sampled_from([0.0, 0.3, 1.0]),
    samples=st.integers(1, 3),
    bos=st.sampled_from([-1, 3]),
    data=st.data(),
)
def test_kernel_and_twin_are_equal(records, chance, samples, bos, data):
    """Choosing and weaving give the same whichever of the two does it; `records` has the sizes of their words."""
    record_words = np.cumsum([len(row) for row in records], dtype=np.int64)
    word_ends = np.cumsum([size for row in records for size in row], dtype=np.int64)
    size, words = sum(map(sum, records)), sum(map(len, records))
    ids = np.array(data.draw(st.lists(st.integers(0, 9), min_size=size, max_size=size)), np.int32)
    fixed = np.array([0] * 8 + [1] * 2, np.uint8)
    results = []
    for kernel in (compiled, plain):
        places, last = np.zeros(words * samples, np.int64), np.zeros(len(records) * samples, np.int64)
        starts, stops = np.arange(words) * 3, np.arange(words) * 3 + 2
        bounds = np.zeros(2 * words * samples, np.int64)
        chosen = kernel.choose(
            ids, word_ends, record_words, fixed, starts, stops, chance=chance, seed=np.array([5, 6], np.uint64),
            first_record=2**64 - 2, first_sample=1, samples=samples, places=places, bounds=bounds, last=last,
        )  # fmt: skip
        new = np.array([i // 2 % 4 for i in range(2 * chosen)], np.int32)
        out, ends = np.zeros(samples * (size + 2 * len(records)) + len(new), np.int32), np.zeros_like(last)
        same = np.zeros(chosen, np.uint8)
        written = kernel.weave(
            ids, word_ends, record_words, places, last, new, np.arange(2, 2 * chosen + 1, 2), samples=samples,
            bos=bos, eos=7, out=out, ends=ends, same=same,
        )  # fmt: skip
        results.append(
            [array.tolist() for array in (places[:chosen], bounds[: 2 * chosen], last, out[:written], ends, same)]
        )
    assert results[0] == results[1]


def choose_lie(**changes):
    arguments = {
        "ids": np.zeros(2, np.int32), "word_ends": np.array([1, 2]), "record_words": np.array([2]),
        "fixed": np.zeros(1, np.uint8), "starts": np.zeros(2, np.int64), "stops": np.zeros(2, np.int64),
        "chance": 1.0, "seed": np.zeros(2, np.uint64), "first_record": 0,
        "first_sample": 0, "samples": 1, "places": np.zeros(2, np.int64), "bounds": np.zeros(4, np.int64),
        "last": np.zeros(1, np.int64),
    } | changes  # fmt: skip
    first = [arguments.pop(name) for name in ("ids", "word_ends", "record_words", "fixed", "starts", "stops")]
    return compiled.choose(*first, **arguments)


def weave_lie(**changes):
    arguments = {
        "ids": np.zeros(2, np.int32), "word_ends": np.array([1, 2]), "record_words": np.array([2]),
        "places": np.array([1]), "last": np.array([1]), "drawn": np.zeros(1, np.int32), "drawn_ends": np.array([1]),
        "samples": 1, "bos": -1, "eos": -1, "out": np.zeros(5, np.int32), "ends": np.zeros(1, np.int64),
        "same": np.zeros(1, np.uint8),
    } | changes  # fmt: skip
    names = ("ids", "word_ends", "record_words", "places", "last", "drawn", "drawn_ends")
    first = [arguments.pop(name) for name in names]
    return compiled.weave(*first, **arguments)


LIES = {
    "a word behind the ids": (choose_lie, {"word_ends": np.array([1, 3])}),
    "a word before the ids": (choose_lie, {"word_ends": np.array([-1, 2])}),
    "words backwards": (choose_lie, {"word_ends": np.array([2, 1])}),
    "a record of more words": (choose_lie, {"record_words": np.array([3])}),
    "records backwards": (choose_lie, {"record_words": np.array([2, 1]), "last": np.zeros(2, np.int64)}),
    "an id outside": (choose_lie, {"ids": np.array([0, 1], np.int32)}),
    "a negative id": (choose_lie, {"ids": np.array([0, -1], np.int32)}),
    "no room": (choose_lie, {"places": np.zeros(1, np.int64)}),
    "no room for bounds": (choose_lie, {"bounds": np.zeros(3, np.int64)}),
    "words that begin nowhere": (choose_lie, {"starts": np.zeros(1, np.int64)}),
    "words that end nowhere": (choose_lie, {"stops": np.zeros(1, np.int64)}),
    "no room for segmentations": (choose_lie, {"last": np.zeros(0, np.int64)}),
    "no samples": (choose_lie, {"samples": 0}),
    "half a seed": (choose_lie, {"seed": np.zeros(1, np.uint64)}),
    "a place outside": (weave_lie, {"places": np.array([2])}),
    "a place before": (weave_lie, {"places": np.array([-1])}),
    "records beyond the words": (weave_lie, {"record_words": np.array([3])}),
    "more chosen words than places": (weave_lie, {"last": np.array([2])}),
    "drawn words behind the drawn ids": (weave_lie, {"drawn_ends": np.array([2])}),
    "drawn words before the drawn ids": (weave_lie, {"drawn_ends": np.array([-1])}),
    "no room for ids": (weave_lie, {"out": np.zeros(4, np.int32)}),
    "no room for flags": (weave_lie, {"same": np.zeros(0, np.uint8)}),
    "no segmentations": (weave_lie, {"samples": 0}),
}


@needs_compiled
@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_refused(lie):
    """Arguments that do not fit each other are an error before anything is read or written."""
    function, changes = LIES[lie]
    function()
    with pytest.raises(ValueError):
        function(**changes)

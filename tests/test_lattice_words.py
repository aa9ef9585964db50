"""Words as lattices of their own: the kernel equals its twin, and whole records that are cut where words are."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vocabularies import make_model

from corpustools.kernels.lattice.modes import SAMPLE, SAMPLE_WIDE
from corpustools.stages.tokenize.engine import Engine
from corpustools.stages.tokenize.lattice import words as lattice_words
from corpustools.stages.tokenize.lattice.segmenter import SampleKey, Segmenter
from corpustools.stages.tokenize.lattice.workspace import WorkspacePool

try:
    from corpustools.kernels.lattice import compiled
except ImportError:
    compiled = None

needs_compiled = pytest.mark.skipif(compiled is None, reason="no compiled kernel")
UNITS = {
    "character": [b"a", b"b", "é".encode(), b"ab", b"ba", "aé".encode(), b"abab", b"aa"],
    "byte": [bytes([b]) for b in range(256)] + [b"ab", b"ba", b"abab", b"aa"],
}


def segmenter_of(unit, mode, samples, **options):
    scores = {piece: -0.5 * i % 7 for i, piece in enumerate(UNITS[unit])}
    model = make_model(scores, unit=unit, cuts="marks", unknown=unit == "character")
    engine = Engine(model)
    weights = engine.weights_by_number(mode, 0.7)
    pool = WorkspacePool(engine.trie, weights.mode, **options)
    return engine, Segmenter(model, engine.trie, weights, SampleKey("words", 1, samples), workspaces=pool)


def parts_of(texts):
    """Return the records' text, their offsets and the bounds of all parts between marks, by record."""
    offsets = np.cumsum([0, *map(len, texts)], dtype=np.int64)
    bounds = []
    for start, text in zip(offsets.tolist(), texts, strict=False):
        row, at = [], start
        for part in text.split(b"\xff"):
            row += [(at, at + len(part))] * (len(part) > 0)
            at += len(part) + 1
        bounds.append(row)
    return b"".join(texts), offsets, bounds


def array(rows):
    return np.array(rows, np.int64).reshape(-1, 2)


texts_of_parts = st.lists(st.text("abé\u4e2d", max_size=70), max_size=4).map(lambda parts: "\x00".join(parts).encode())


@needs_compiled
@settings(deadline=None, max_examples=60)
@given(
    texts=st.lists(texts_of_parts.map(lambda text: text.replace(b"\0", b"\xff")), max_size=4),
    unit=st.sampled_from(list(UNITS)),
    mode=st.sampled_from([SAMPLE, SAMPLE_WIDE]),
    samples=st.integers(1, 3),
    cache=st.sampled_from([0, 1 << 16]),
    data=st.data(),
)
def test_words_are_those_of_whole_records(texts, unit, mode, samples, cache, data):
    """Kernel and twin draw for any words what they draw for the same words among all others."""
    text, offsets, bounds = parts_of(texts)
    chosen = [
        [word for word in row if data.draw(st.booleans())]
        for row in itertools.chain.from_iterable([row] * samples for row in bounds)
    ]
    last = np.cumsum([len(row) for row in chosen], dtype=np.int64)
    words = array([word for row in chosen for word in row])
    found = []
    for kernels in ("compiled", "plain"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("CORPUS_KERNELS", kernels)
            engine, segmenter = segmenter_of(unit, mode, samples, cache_bytes=cache)
            ids, ends = lattice_words.segment_words(segmenter, text, offsets, 9, words, last)
            measures = lattice_words.measure_words(engine.trie, engine.weights_by_number(SAMPLE_WIDE, 0.7), text, words)
            found.append((ids.tolist(), ends.tolist(), measures.tolist()))
            # Every word, which is the whole record.
            whole = segmenter.batch(text, offsets, 9, False)
            everything = array([word for row in bounds for _ in range(samples) for word in row])
            sizes = np.cumsum([len(row) for row in bounds for _ in range(samples)], dtype=np.int64)
            whole_ids = whole.ids.tolist()
            ids, ends = lattice_words.segment_words(segmenter, text, offsets, 9, everything, sizes)
            assert ids.tolist() == whole_ids
    assert found[0] == found[1]
    by_word = {}
    starts = [0, *ends.tolist()]
    places = itertools.chain.from_iterable(
        [s] * len(row) for s, row in enumerate(r for r in bounds for _ in range(samples))
    )
    for i, (place, word) in enumerate(zip(places, everything.tolist(), strict=True)):
        by_word[place, tuple(word)] = ids[starts[i] : starts[i + 1]].tolist()
    drawn, starts = found[0][0], [0, *found[0][1]]
    asked = [(s, word) for s, row in enumerate(chosen) for word in row]
    assert [drawn[a:b] for a, b in itertools.pairwise(starts)] == [by_word[key] for key in asked]


@needs_compiled
def test_a_word_without_a_meeting_of_paths():
    """A word whose paths never meet needs more room for choices; the words before it stay as they were."""
    # Hardly ever one letter: paths through odd positions and through even ones stay apart.
    model = make_model({b"aa": -1.0, b"a": -9.0}, cuts="marks")
    engine = Engine(model)
    weights = engine.weights_by_number(SAMPLE_WIDE, 7.0)
    pool = WorkspacePool(engine.trie, weights.mode, cells=64, cache_bytes=0)
    segmenter = Segmenter(model, engine.trie, weights, SampleKey("grow"), workspaces=pool)
    roomy = Segmenter(model, engine.trie, weights, SampleKey("grow"))
    texts = [b"aaa\xffaa", b"a" * 20_000 + b"\xffaaaa", b"aa"]
    text, offsets, bounds = parts_of(texts)
    words, last = (
        array(list(itertools.chain.from_iterable(bounds))),
        np.cumsum([len(row) for row in bounds], dtype=np.int64),
    )
    codes = len(pool.mine().codes)
    ids, ends = lattice_words.segment_words(segmenter, text, offsets, 0, words, last)
    assert len(pool.mine().codes) > codes
    assert ids.tolist() == roomy.batch(text, offsets, 0, False).ids.tolist()
    assert len(ends) == 5


def lie(**changes):
    _, segmenter = segmenter_of("character", SAMPLE, 1)
    arguments = {
        "text": b"ab\xffab", "offsets": np.array([0, 5]), "count": 1, "words": np.array([0, 2, 3, 5]),
        "last": np.array([2]), "mode": SAMPLE, "seed": np.zeros(2, np.uint64), "first_record": 0, "first_sample": 0,
        "samples": 1, "out": np.zeros(4 + compiled.OUT_SLACK, np.int32), "ends": np.zeros(2, np.int64),
        **segmenter.workspaces.mine().arguments(),
    } | changes  # fmt: skip
    return compiled.segment_words(
        segmenter.weights.lattice, *map(arguments.pop, ("text", "offsets", "count")), **arguments
    )


LIES = {
    "a word behind its record": {"words": np.array([0, 2, 3, 6])},
    "a word before its record": {"words": np.array([-1, 2, 3, 5])},
    "an empty word": {"words": np.array([0, 0, 3, 5])},
    "a word backwards": {"words": np.array([2, 0, 3, 5])},
    "words that are not listed": {"last": np.array([3])},
    "fewer than none": {"last": np.array([-1])},
    "a record behind the text": {"offsets": np.array([0, 6])},
    "no record": {"count": 2},
    "no samples": {"samples": 0},
    "samples beyond memory": {"samples": 1 << 62},
    "more done than there are": {"first": 2},
    "no room": {"out": np.zeros(3 + compiled.OUT_SLACK if compiled else 0, np.int32)},
    "a cache that no entry fits in": {"word_cache": np.zeros(511, np.uint64)},
    "a cache of characters": {"word_cache": np.zeros(512, np.uint64)},
    "no room for ends": {"ends": np.zeros(1, np.int64)},
}


@needs_compiled
@pytest.mark.parametrize("name", LIES)
def test_a_lie_is_refused(name):
    """Arguments that do not fit each other are an error before anything is read or written."""
    assert lie() == 1
    with pytest.raises(ValueError):
        lie(**LIES[name])


@needs_compiled
@pytest.mark.parametrize("words", [[0, 6], [-1, 2], [2, 2]])
def test_a_word_outside_the_text_is_not_measured(words):
    """Bounds outside the text are an error."""
    engine, _ = segmenter_of("character", SAMPLE, 1)
    weights = engine.weights_by_number(SAMPLE_WIDE, 0.0)
    with pytest.raises(ValueError, match="word 0"):
        lattice_words.measure_words(engine.trie, weights, b"ababa", np.array([words]))


@needs_compiled
@settings(deadline=None, max_examples=60)
@given(
    scores=st.dictionaries(st.text("ab", min_size=2, max_size=6).map(str.encode), st.sampled_from([0.0, -1.0, -300.0])),
    words=st.lists(st.text("ab", min_size=1, max_size=40), min_size=1, max_size=12),
    single=st.sampled_from([0.0, -40.0]),
)
def test_the_cache_of_words_changes_no_id(scores, words, single):
    """Words that come again, words that do not fit and words whose weights leave the range are drawn as without it."""
    model = make_model({b"a": single, b"b": single} | scores, unit="byte", cuts="marks")
    engine = Engine(model)
    weights = engine.weights_by_number(SAMPLE, 1.0)
    text = b"\xff".join(word.encode() for word in words * 3)
    _, offsets, bounds = parts_of([text] * 2)
    data, chosen = text * 2, array(list(itertools.chain.from_iterable(bounds)))
    last = np.cumsum([len(row) for row in bounds], dtype=np.int64)
    found = []
    for cache in (0, 4096, 1 << 20):
        pool = WorkspacePool(engine.trie, weights.mode, cache_bytes=cache)
        segmenter = Segmenter(model, engine.trie, weights, SampleKey("kept"), workspaces=pool)
        found += [
            [one.tolist() for one in lattice_words.segment_words(segmenter, data, offsets, 0, chosen, last)]
            for _ in range(2)
        ]
    assert all(one == found[0] for one in found)


@needs_compiled
def test_a_full_cache_of_words_forgets_and_goes_on():
    """More distinct words than the least cache has room for, each of them several times, draw as without a cache."""
    rng = np.random.default_rng(5)
    scores = {bytes([byte]): float(rng.normal()) for byte in range(256)}
    scores |= {rng.integers(97, 100, size).astype(np.uint8).tobytes(): float(rng.normal()) for size in (2, 2, 3, 4) * 9}
    model = make_model(scores, unit="byte", cuts="marks")
    engine = Engine(model)
    weights = engine.weights_by_number(SAMPLE, 0.7)
    words = [rng.integers(97, 100, rng.integers(1, 12)).astype(np.uint8).tobytes() for _ in range(3000)]
    text, offsets, bounds = parts_of([b"\xff".join(words)])
    chosen, last = array(bounds[0]), np.array([len(bounds[0])])
    found = []
    for cache in (0, 1, 1 << 20):
        pool = WorkspacePool(engine.trie, weights.mode, cache_bytes=cache)
        segmenter = Segmenter(model, engine.trie, weights, SampleKey("full"), workspaces=pool)
        found.append(lattice_words.segment_words(segmenter, text, offsets, 0, chosen, last)[0].tolist())
    assert len(set(words)) > 1000
    assert found[0] == found[1] == found[2]

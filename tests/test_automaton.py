"""The engine of byte vocabularies: every id and measure is that of the engine that walks from every start."""

import itertools
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vocabularies import make_model

from corpustools.kernels.lattice.modes import SAMPLE, VITERBI
from corpustools.stages.tokenize.lattice.automaton import link
from corpustools.stages.tokenize.lattice.segmenter import SampleKey, Segmenter, StreamingSegmenter
from corpustools.stages.tokenize.lattice.workspace import WorkspacePool
from corpustools.stages.tokenize.tokenizer import Tokenizer

try:
    from corpustools.kernels.lattice import compiled as compiled
    from corpustools.kernels.vocabulary import compiled as vocabulary
except ImportError:
    compiled = None

pytestmark = pytest.mark.skipif(compiled is None, reason="no compiled kernel")
BYTES = {bytes([byte]): -6.0 for byte in range(256)}
LETTERS = b"ab\n\xe4\xb8\xad"


FAR = [
    {b"a": -100.0, b"a" * 8: -4.0},
    {b"a": -440.0, b"aa": -0.7},
    {b"a": -30.0, b"aa": -61.0},
    {b"a": -40.0, b"aaa": -20.0, b"b": -0.1},
    {b"a" * 250: -1.0},
]


def seeded(make):
    """Examples that are made from a seed: hypothesis alone finds no long ones."""
    return st.integers(0, 1 << 32).map(lambda seed: make(random.Random(seed)))


def scores_of(r):
    """Few letters, so that pieces overlap; with all bytes, with some, with hardly any; and cells that go far."""

    def score():
        return r.choice([-1.0, -2.0, r.uniform(-12.0, 0.0)])

    kind = r.randrange(4)
    scores = dict(r.choice([{}, BYTES, {b"a": -1.0, b"b": -1.5}]))
    if kind == 0:
        scores |= {bytes(r.choices(LETTERS, k=r.randrange(1, 8))): score() for _ in range(r.randrange(60))}
    elif kind == 1:
        scores |= {b"a" * i: -0.3 * i for i in range(1, r.randrange(2, 70))}
    elif kind == 2:
        scores |= {b"b" + b"a" * i: -1.0 for i in range(r.randrange(64))} | {b"ab": score()}
    else:
        scores |= r.choice(FAR)
    return scores or {b"a": -1.0}


def text_of(r, longest=3000):
    """Blocks of all kinds one after the other: random, of one letter, and beyond a window's size."""
    text = b""
    for _ in range(r.randrange(6)):
        kind, size = r.randrange(4), r.choice([r.randrange(20), r.randrange(300), r.randrange(longest)])
        if kind == 0:
            text += bytes(r.choices(LETTERS, k=size))
        elif kind == 1:
            text += bytes(r.choices(b"ab", k=size))
        elif kind == 2:
            text += r.randbytes(size // 8)
        else:
            text += (r.choice([b"a", b"ab", b"\n", b"\xe4\xb8\xad"]) * size)[:size]
    return text


def segmenter(model, mode, alpha, key, tiles=True):
    tokenizer = Tokenizer(model)
    weights = tokenizer._engine.weights_by_number(mode, alpha)
    pool = WorkspacePool(tokenizer._engine.trie, weights.mode, tiles=tiles)
    return Segmenter(model, tokenizer._engine.trie, weights, key, workspaces=pool)


def everything(made, records, measured):
    offsets = np.cumsum([0, *map(len, records)], dtype=np.int64)
    batch = made.batch(b"".join(records), offsets, 3, measured)
    return batch.ids.tolist(), batch.ends.tolist(), batch.measures.tolist() if measured else None


@settings(deadline=None, max_examples=200)
@given(
    scores=seeded(scores_of),
    records=st.lists(seeded(text_of), min_size=1, max_size=3),
    mode=st.sampled_from([VITERBI, SAMPLE]),
    alpha=st.sampled_from([0.0, 0.3, 1.0, 7.0]),
    form=st.sampled_from([{}, {"cuts": "newline-runs"}, {"byte_ids": True}, {"fuse": False}]),
)
def test_ids_and_measures_are_those_of_the_walk(scores, records, mode, alpha, form):
    """The automaton finds the ids and measures that the walk through the trie finds."""
    model = make_model(scores, unit="byte", **form)
    key = SampleKey("automaton", epoch=1, samples=2)
    fast, slow = (segmenter(model, mode, alpha, key, tiles) for tiles in (True, False))
    assert slow.workspaces.mine().tile is None
    for measured in (False, True):
        assert everything(fast, records, measured) == everything(slow, records, measured)


@settings(deadline=None, max_examples=40)
@given(
    scores=seeded(scores_of),
    record=seeded(lambda r: text_of(r, 120)),
    mode=st.sampled_from([VITERBI, SAMPLE]),
    alpha=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_ids_and_measures_are_those_of_the_twin(scores, record, mode, alpha):
    """The compiled automaton finds the ids and measures of the Python twin."""
    model = make_model(scores, unit="byte", cuts="newline-runs")
    found = everything(segmenter(model, mode, alpha, SampleKey("twin")), [record], True)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("CORPUS_KERNELS", "plain")
        assert everything(segmenter(model, mode, alpha, SampleKey("twin")), [record], True) == found


@settings(deadline=None, max_examples=80)
@given(
    scores=seeded(scores_of),
    text=seeded(text_of),
    mode=st.sampled_from([VITERBI, SAMPLE]),
    cuts=st.sampled_from(["none", "newline-runs"]),
    bounds=st.lists(st.integers(0, 8000), max_size=8),
    measured=st.booleans(),
)
def test_text_in_parts_gives_the_ids_of_the_whole(scores, text, mode, cuts, bounds, measured):
    """Where a text is cut into parts changes neither its ids nor its measures."""
    made = segmenter(make_model(scores, unit="byte", cuts=cuts), mode, 0.4, SampleKey("parts"))
    whole = made.batch(text, np.array([0, len(text)], np.int64), 7, measured=True)
    running = StreamingSegmenter(made, 7, measured=measured)
    at = [0, *sorted(bound % (len(text) + 1) for bound in bounds), len(text)]
    parts = [running.feed(text[a:b]) for a, b in itertools.pairwise(at)]
    assert np.concatenate([*parts, running.feed(b"", final=True)]).tolist() == whole.ids.tolist()
    if measured:
        assert [running.score, running.log_z] == whole.measures[0].tolist()


def test_what_does_not_fit_is_left_to_the_walk():
    """A vocabulary that the tables cannot hold has no automaton, and works without."""
    runs = {b"a" * n: -1.0 * n for n in range(1, 80)}
    assert (
        Tokenizer(make_model(runs, unit="byte"))._engine.trie.automaton is None
    )  # more pieces in one list than a unit counts
    assert Tokenizer(make_model({b"a" * 256: -1.0}, unit="byte"))._engine.trie.automaton is None
    trie = Tokenizer(make_model(BYTES, unit="byte"))._engine.trie
    assert link(trie.units, np.ones(256, np.int64), 0xFFFFFF) is None
    assert Tokenizer(make_model({b"a": -1.0}))._engine.trie.automaton is None  # positions are characters


def test_arrays_that_do_not_fit_each_other_are_refused():
    """The kernel checks its tables against each other before it reads them."""
    tokenizer = Tokenizer(make_model(BYTES | {b"ab": -1.0, b"abc": -2.0}, unit="byte"))
    automaton = tokenizer._engine.trie.automaton
    lengths = np.array([len(piece) for piece in tokenizer.model.pieces] + [1, 2, 3, 4], np.uint32)
    table = np.zeros(len(lengths) + 1)
    lines, singles = automaton.lines(table)

    def lattice(lines=lines, singles=singles, **changes):
        tables = type("Tables", (), {**vars(automaton), **changes})
        trie, exponents = tokenizer._engine.trie, np.zeros(len(lengths), np.int32)
        arrays = (trie.units, trie.heads, None, None), (lengths, table, table, exponents)
        options = {"longest": 4, "arcs_per_start": 3, "character": False, "unknown_id": 0, "fuse": True}
        options |= {"automaton": (tables, lines, singles)}
        return compiled.Lattice(*arrays, None, trie.joins, **options)

    lattice()
    for changes in (
        {"lines": lines[:-1]},
        {"singles": singles[:-1]},
        {"units": automaton.units[:-256]},
        {"units": automaton.units | np.uint64(1 << 63)},
        {"fails": automaton.fails[:-1]},
        {"fails": automaton.fails + np.uint32(1 << 20)},
    ):
        with pytest.raises(ValueError):
            lattice(**changes)
    with pytest.raises(ValueError):
        vocabulary.build_automaton(
            tokenizer._engine.trie.units, 300, 0, *[bytearray(1 << 16)] * 3, 1, *[bytearray(1 << 16)] * 2
        )

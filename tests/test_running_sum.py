"""Best paths whose ties the sum of all scores before them decides: what the cache may answer, and what it must not."""

import itertools
import random
from dataclasses import replace

import numpy as np
import pytest
import sentencepiece
from harness import COMPILED
from hypothesis import given, settings
from hypothesis import strategies as st
from spm_files import spm_model
from vocabularies import make_model

from corpustools.kernels.lattice.modes import VITERBI, VITERBI_F32
from corpustools.stages.tokenize.lattice.segmenter import SampleKey, Segmenter, StreamingSegmenter
from corpustools.stages.tokenize.lattice.workspace import Workspace, WorkspacePool
from corpustools.stages.tokenize.models import parse
from corpustools.stages.tokenize.tokenizer import Tokenizer

needs_compiled = pytest.mark.skipif(not COMPILED, reason="the twin has no cache")
PIECES = ["a", "b", "ab", "ba", "aa", "bb", "aab", "abab", "_", "_a", "天"]
# Words of one and of several tokens, of unknown characters, and one that is longer than a span in the cache.
WORDS = ["a", "ab", "ba", "aab", "abab", "babab", "aaaa", "bbb", "天", "x", "é😀", "天a", "ab" * 30, "_", "a" * 47]


def segmenter_of(model, mode, cache_bytes=1 << 20):
    engine = Tokenizer(model)._engine
    weights = engine.weights_by_number(mode, 1.0)
    pool = WorkspacePool(engine.trie, mode, cache_bytes=cache_bytes)
    return Segmenter(model, engine.trie, weights, SampleKey(), workspaces=pool)


def batch_of(segmenter, texts, measured=False):
    offsets = np.cumsum([0, *map(len, texts)], dtype=np.int64)
    found = segmenter.batch(b"".join(texts), offsets, 0, measured)
    return found.ids.tolist(), found.ends.tolist(), None if found.measures is None else found.measures[:, 0].tolist()


@st.composite
def models(draw):
    """Return scores in small numbers of steps, so that many paths tie, of every magnitude."""
    scale = draw(st.sampled_from([1.0, 1.0, 0.1, 37.3, 4100.7, 30000.0]))
    steps = st.sampled_from([-1.0, -2.0, -3.0, -1.1, -2.2, -0.7, 0.3, -1.0000001])
    names = draw(st.lists(st.sampled_from(PIECES), min_size=2, unique=True))
    scores = {name.encode(): float(np.float32(scale * draw(steps))) for name in names}
    return make_model(scores, fuse=draw(st.booleans()), byte_ids=draw(st.booleans()), cuts=draw(st.sampled_from(CUTS)))


CUTS = ["none", "marks"]


@needs_compiled
@settings(deadline=None, max_examples=60)
@given(
    model=models(),
    kind=st.sampled_from(["vocabulary", "hf-unigram"]),
    records=st.lists(st.lists(st.sampled_from(WORDS), max_size=25).map("_".join), min_size=1, max_size=4),
    repeated=st.sampled_from([1, 10]),
    mode=st.sampled_from([VITERBI, VITERBI_F32]),
    bounds=st.lists(st.integers(1, 3000), max_size=6),
)
def test_the_cache_changes_no_best_path(model, kind, records, repeated, mode, bounds):
    """With a cache, without one, the twin, with scores beside the ids, and in parts: the same ids."""
    model = replace(model, kind=kind)
    texts = [("_".join([record] * repeated) + "\udcff" * (model.cuts == "marks")).encode("utf-8", "surrogateescape")
             for record in records]  # fmt: skip
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("CORPUS_KERNELS", "plain")
        wanted = batch_of(segmenter_of(model, mode), texts, measured=True)
        monkeypatch.setenv("CORPUS_KERNELS", "compiled")
        segmenter = segmenter_of(model, mode)
        for _ in range(2):
            assert batch_of(segmenter, texts)[:2] == wanted[:2]
            assert batch_of(segmenter, texts, measured=True) == wanted
        assert batch_of(segmenter_of(model, mode, cache_bytes=0), texts)[:2] == wanted[:2]
        running = StreamingSegmenter(segmenter, 0, workspace=Workspace(segmenter.trie, mode))
        at = [0, *sorted({bound for bound in bounds if bound < len(texts[0])}), len(texts[0])]
        parts = [running.feed(texts[0][low:high]) for low, high in itertools.pairwise(at)]
        ids = np.concatenate([*parts, running.feed(b"", final=True)]).tolist()
        assert ids == wanted[0][: wanted[1][0]]


@pytest.mark.parametrize("margin", [2.0**-18, 2.0**-12, 2.0**-8])
def test_a_small_margin_holds_at_the_start_of_a_line_alone(margin):
    """`ab` is worse than `a` and `b` by a margin that the sums outgrow: the library's ids change along the line."""
    data = spm_model([("\u2581", -2.25), ("a", -3.5), ("b", -4.25), ("ab", -7.75 - margin)])
    ours, peer = Tokenizer(parse(data, "test")), sentencepiece.SentencePieceProcessor(model_proto=data)
    text = " ".join(["ab"] * 9000)
    ids = peer.encode(text)
    assert ours.encode(text) == ids
    assert ids[:3] == [3, 4, 5]
    assert 6 in ids
    assert 6 not in ours.encode(text, scores="f64")
    # Lines that come before a line do not count.
    assert ours.encode_batch([text, "ab", text, "ab"])[0].tolist() == [*ids, 3, 4, 5, *ids, 3, 4, 5]


@pytest.mark.parametrize("margin", [2.0**-46, 2.0**-42, 2.0**-40])
def test_the_same_in_doubles(margin, tmp_path):
    """The tokenizers library adds doubles from the start of a text, and there sums outgrow smaller margins."""
    tokenizers = pytest.importorskip("tokenizers")
    vocabulary = [("<unk>", 0.0), ("_", -2.25), ("a", -3.5), ("b", -4.25), ("ab", -7.75 - margin)]
    peer = tokenizers.Tokenizer(tokenizers.models.Unigram(vocabulary, 0, False))
    peer.save(str(tmp_path / "tokenizer.json"))
    ours = Tokenizer.load(tmp_path / "tokenizer.json")
    text = "_".join(["ab"] * 3000)
    ids = peer.encode(text).ids
    assert ours.encode(text) == ids
    assert ids[:3] == [2, 3, 1]
    assert 4 in ids
    assert ours.encode_batch([text, "ab", text, "ab"])[0].tolist() == [*ids, 2, 3, *ids, 2, 3]


def test_certain_words_before_a_doubtful_one_count():
    """Words of one path carry the sum past the library's reset, in front of short and long words that rounding decides.

    In one call and in parts, the ids are the library's.
    """
    scores = {"\u2581": -1.1, "a": -3.5, "b": -4.25, "ab": -7.75 - 2.0**-9, "c": -300.7, "d": -0.3}
    data = spm_model([*scores.items()])
    ours, peer = Tokenizer(parse(data, "test")), sentencepiece.SentencePieceProcessor(model_proto=data)
    chance = random.Random(8)
    words = [*["c"] * 12, *["d"] * 6, "ab", "abab", "x", "ab" * 30, "ab" * 30]
    texts = [" ".join(chance.choices(words, k=600)) for _ in range(20)]
    wanted = peer.encode(texts)
    ids, offsets = ours.encode_batch(texts)
    assert [ids[low:high].tolist() for low, high in itertools.pairwise(offsets)] == wanted
    segmenter = ours._engine.segmenter("viterbi")
    for text, one in zip(texts[:5], wanted, strict=False):
        normalized = ours.normalize(text)
        running = StreamingSegmenter(segmenter, 0)
        parts = [running.feed(normalized[at : at + 700]) for at in range(0, len(normalized), 700)]
        assert np.concatenate([*parts, running.feed(b"", final=True)]).tolist() == one
    assert any(ours.encode(text, scores="f64") != one for text, one in zip(texts, wanted, strict=True))

"""The lattice kernels: equal to their twin, to every segmentation enumerated, and to exact rationals."""

import itertools
import math
import random
from fractions import Fraction
from hashlib import blake2b

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from vocabularies import chi_square, chi_square_limit, law, make_model, make_tokenizer, pieces_of, segmentations

from corpustools.errors import DataError, UsageError
from corpustools.kernels.lattice.modes import ARRIVAL, SAMPLE, SAMPLE_WIDE, VITERBI, VITERBI_F32
from corpustools.stages.tokenize.lattice.segmenter import SampleKey, Segmenter, StreamingSegmenter
from corpustools.stages.tokenize.lattice.weights import exponential
from corpustools.stages.tokenize.lattice.workspace import Workspace, WorkspacePool
from corpustools.stages.tokenize.tokenizer import Tokenizer

try:
    from corpustools.kernels.lattice import compiled as lattice_compiled
except ImportError:
    lattice_compiled = None

needs_compiled = pytest.mark.skipif(lattice_compiled is None, reason="no compiled kernel")
MODES = [VITERBI, VITERBI_F32, SAMPLE, SAMPLE_WIDE, ARRIVAL]
MARK = "▁"
ALPHABET = "ab\u00e9中😀" + MARK


def vocabularies(alphabet=ALPHABET, low=-20.0):
    pieces = st.text(alphabet, min_size=1, max_size=5).map(str.encode)
    return st.dictionaries(pieces, st.floats(low, 2.0, width=32), min_size=1, max_size=25)


def on(monkeypatch, kernels):
    monkeypatch.setenv("CORPUS_KERNELS", kernels)


def everything(model, texts, mode, alpha, key, cache_bytes=1 << 20):
    """Return ids, ends and measures of a batch, made by whichever kernel CORPUS_KERNELS asks for."""
    tokenizer = Tokenizer(model)
    weights = tokenizer._engine.weights_by_number(mode, alpha)
    pool = WorkspacePool(tokenizer._engine.trie, weights.mode, cache_bytes=cache_bytes)
    segmenter = Segmenter(model, tokenizer._engine.trie, weights, key, workspaces=pool)
    offsets = np.cumsum([0, *map(len, texts)], dtype=np.int64)
    batch = segmenter.batch(b"".join(texts), offsets, 5, measured=True)
    assert batch.ids.tolist() == segmenter.batch(b"".join(texts), offsets, 5, measured=False).ids.tolist()
    return batch.ids.tolist(), batch.ends.tolist(), batch.measures.tolist()


@needs_compiled
@settings(deadline=None, max_examples=80)
@given(
    scores=vocabularies(),
    texts=st.lists(st.text(ALPHABET, max_size=60).map(str.encode) | st.binary(max_size=20), max_size=4),
    mode=st.sampled_from(MODES),
    alpha=st.sampled_from([0.0, 0.3, 1.0, 7.0]),
    form=st.sampled_from(["plain", "bytes", "marks", "unfused"]),
    seed=st.text(max_size=3),
)
def test_kernel_and_twin_are_equal(scores, texts, mode, alpha, form, seed):
    """Compiled with a cache, compiled without and the twin give the same ids and measures."""
    options = {"bytes": {"byte_ids": True}, "marks": {"cuts": "marks"}, "unfused": {"fuse": False}}.get(form, {})
    model = make_model(scores, **options)
    key = SampleKey(seed, epoch=2, samples=2)
    with pytest.MonkeyPatch.context() as monkeypatch:
        on(monkeypatch, "compiled")
        compiled = everything(model, texts, mode, alpha, key)
        without = everything(model, texts, mode, alpha, key, cache_bytes=0)
        on(monkeypatch, "plain")
        assert compiled == everything(model, texts, mode, alpha, key) == without


@needs_compiled
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("front", ["", "\ue000", "é", "ab"])
def test_many_seams_in_a_row(mode, front):
    """Text of a seam a byte, of every length around what is looked through at once, is as the twin has it."""
    model = make_model({b"a": -3.5, b"<": -2.25, b">": -3.25, b"ab": -1.0})
    texts = [
        (front + ("<s>" * 100)[:size]).encode() for size in [63, 64, 65, *range(126, 131), *range(188, 197), 256, 257]
    ]
    with pytest.MonkeyPatch.context() as monkeypatch:
        on(monkeypatch, "compiled")
        compiled = everything(model, texts, mode, 0.5, SampleKey("seams"))
        without = everything(model, texts, mode, 0.5, SampleKey("seams"), cache_bytes=0)
        on(monkeypatch, "plain")
        assert compiled == everything(model, texts, mode, 0.5, SampleKey("seams")) == without


@needs_compiled
@pytest.mark.parametrize(
    ("mode", "alpha"), [(VITERBI, 1.0), (VITERBI_F32, 1.0), (SAMPLE, 0.0), (SAMPLE, 0.3), (SAMPLE, 1.0)]
)
@pytest.mark.parametrize("carried", [False, True])
def test_a_cache_that_forgets_all_the_time_changes_nothing(mode, alpha, carried):
    """Halves are emptied, entries move and leaves are laid out, while the same words come again and again."""
    chance = random.Random(5)
    letters = "abcdefgh中"
    words = ["".join(chance.choices(letters, k=chance.randint(1, 14))) for _ in range(4000)]
    pieces = {letter: -6.0 - i / 8 for i, letter in enumerate(letters + MARK)}
    for word in words[::3]:
        start = chance.randrange(len(word))
        pieces.setdefault(word[start : start + chance.randint(2, 5)], -8.0 - chance.randint(0, 30) / 10)
        pieces.setdefault(MARK + word[: chance.randint(1, 4)], -7.0 - chance.randint(0, 30) / 10)
    model = make_model(
        {piece.encode(): score for piece, score in pieces.items()}, kind="hf-unigram" if carried else "vocabulary"
    )
    tokenizer = Tokenizer(model)
    common = [min(int(chance.paretovariate(0.6)), len(words)) - 1 for _ in range(30000)]
    text = "".join(MARK + words[i] for i in common).encode()
    offsets = np.array([0, len(text) // 2, len(text)], np.int64)
    made = []
    for cache_bytes in (0, 1 << 16, 1 << 24):
        weights = tokenizer._engine.weights_by_number(mode, alpha)
        pool = WorkspacePool(tokenizer._engine.trie, mode, cache_bytes=cache_bytes)
        segmenter = Segmenter(model, tokenizer._engine.trie, weights, SampleKey("small"), workspaces=pool)
        made.append(segmenter.batch(text, offsets, 3, measured=False).ids.tolist())
        made.append(segmenter.batch(text, offsets, 3, measured=True).ids.tolist())
        if cache_bytes:
            assert np.count_nonzero(pool.mine().cache) > 1000
    assert all(ids == made[0] for ids in made)


@needs_compiled
@settings(deadline=None, max_examples=50)
@given(
    text=st.text("abcd", max_size=200) | st.text("abcd" + MARK, max_size=60).map(lambda part: 3 * part),
    mode=st.sampled_from(MODES),
    alpha=st.sampled_from([0.0, 0.2, 1.0, 7.0]),
)
def test_chunks_with_cuts_inside_are_drawn_alike(text, mode, alpha):
    """Neighbours of "bcd" join chunks at places that no arc spans; and chunks stand just below and above 48 bytes."""
    pieces = ["ab", "a", "b", "bcd", "c", "d", "cc", "dab", MARK, MARK + "a", "aab"]
    model = make_model({piece.encode(): -1.0 - i / 4 for i, piece in enumerate(pieces)})
    key = SampleKey("chunks", samples=3)
    texts = [text.encode(), (text[:47] + MARK + text).encode(), text.encode()]
    with pytest.MonkeyPatch.context() as monkeypatch:
        on(monkeypatch, "compiled")
        compiled = everything(model, texts, mode, alpha, key)
        without = everything(model, texts, mode, alpha, key, cache_bytes=0)
        on(monkeypatch, "plain")
        assert compiled == everything(model, texts, mode, alpha, key) == without


@pytest.mark.parametrize("kernels", ["plain", pytest.param("compiled", marks=needs_compiled)])
@pytest.mark.parametrize(("kind", "unit"), [("bytepiece", "byte"), ("hf-unigram", "character")])
@settings(deadline=None, max_examples=40)
@given(
    scores=st.dictionaries(
        st.text("ab", min_size=1, max_size=4), st.sampled_from([-0.1, -0.7, -1.1, -3.3]), min_size=1
    ),
    texts=st.lists(st.text("abc", max_size=150) | st.integers(0, 1500).map("ab".__mul__), min_size=1, max_size=3),
)
def test_ties_fall_as_sums_from_the_start_of_the_text_do(kernels, kind, unit, scores, texts):
    """Paths that are equal but for rounding: bytepiece and tokenizers let the sum of all that came before decide."""
    pieces = {piece.encode(): score for piece, score in scores.items()}
    pieces |= {letter: pieces.get(letter, -5.3) for letter in (b"a", b"b", b"c")}
    with pytest.MonkeyPatch.context() as monkeypatch:
        on(monkeypatch, kernels)
        tokenizer = Tokenizer(make_model(pieces, kind=kind, unit=unit))
        for text in (text.encode() for text in texts + texts):
            best = [(0.0, 0)] + [(-math.inf, 0)] * len(text)
            for here in range(len(text)):
                for end in range(here + 1, min(here + 4, len(text)) + 1):
                    score = best[here][0] + pieces.get(text[here:end], -math.inf)
                    if score > best[end][0]:
                        best[end] = (score, here)
            wanted, end = [], len(text)
            while end:
                wanted.append(text[best[end][1] : end])
                end = best[end][1]
            assert pieces_of(tokenizer.model, tokenizer.encode(text)) == tuple(wanted[::-1])


@needs_compiled
@settings(deadline=None, max_examples=50)
@given(
    scores=st.dictionaries(st.binary(min_size=1, max_size=4), st.floats(-20, 0), max_size=30),
    texts=st.lists(st.binary(max_size=40) | st.text("a\n", max_size=30).map(str.encode), max_size=4),
    mode=st.sampled_from(MODES),
    cuts=st.sampled_from(["none", "newline-runs"]),
)
def test_kernel_and_twin_are_equal_over_bytes(scores, texts, mode, cuts):
    """The same where a vocabulary is of bytes."""
    model = make_model(scores | {b"a": -1.0}, unit="byte", cuts=cuts)
    with pytest.MonkeyPatch.context() as monkeypatch:
        on(monkeypatch, "compiled")
        compiled = everything(model, texts, mode, 0.5, SampleKey("s"))
        on(monkeypatch, "plain")
        assert compiled == everything(model, texts, mode, 0.5, SampleKey("s"))


@pytest.mark.parametrize("kernels", ["plain", pytest.param("compiled", marks=needs_compiled)])
@settings(deadline=None, max_examples=40)
@given(scores=vocabularies("ab中"), text=st.text("ab中", min_size=1, max_size=8).map(str.encode))
def test_best_path_and_nbest_are_those_of_the_enumeration(kernels, scores, text):
    """The best and the n best paths are those of the list of all segmentations."""
    paths = sorted(segmentations(scores, text), key=lambda path: -path[1])
    with pytest.MonkeyPatch.context() as monkeypatch:
        on(monkeypatch, kernels)
        tokenizer = make_tokenizer(scores, fuse=False)
        assert tokenizer.score(text, tokenizer.encode(text)) == pytest.approx(paths[0][1], abs=1e-9)
        found = tokenizer.nbest(text, len(paths) + 3)
    assert len(found) == len(paths)
    assert [score for _, score in found] == pytest.approx([score for _, score in paths], abs=1e-9)
    assert len({tuple(ids) for ids, _ in found}) == len(paths)


@pytest.mark.parametrize(
    ("vocabulary", "text", "expected"),
    [
        (["a", "b", "ab", "ba"], "aba", ["a", "ba"]),  # equal scores: the longest last token
        (["a", "aa", "aaa"], "aaaa", ["a", "aaa"]),
    ],
)
def test_ties_go_to_the_longest_last_token(vocabulary, text, expected):
    """Of equal scores the one with the longest last token wins, at each place."""
    tokenizer = make_tokenizer({piece.encode(): -float(len(piece)) for piece in vocabulary})
    assert pieces_of(tokenizer.model, tokenizer.encode(text)) == tuple(p.encode() for p in expected)


@pytest.mark.parametrize("kernels", ["plain", pytest.param("compiled", marks=needs_compiled)])
@settings(deadline=None, max_examples=40)
@given(
    scores=vocabularies("ab中", low=-40.0),
    text=st.text("ab中", min_size=1, max_size=9).map(str.encode),
    alpha=st.sampled_from([0.0, 0.1, 0.5, 1.0, 3.0]),
)
def test_log_z_entropy_and_length_match_exact_rationals(kernels, scores, text, alpha):
    """Measures of the distribution equal those in exact rationals."""
    paths = segmentations(scores, text)
    unknown = min(scores.values()) - 10.0
    mantissas, exponents = exponential(alpha * np.array([*scores.values(), unknown]))
    table = [Fraction(float(m)) * Fraction(2) ** int(e) for m, e in zip(mantissas, exponents, strict=True)]
    weights = dict(zip(scores, table, strict=False))
    exact, total = law(paths, lambda path: math.prod((weights.get(p, table[-1]) for p in path), start=Fraction(1)))
    with pytest.MonkeyPatch.context() as monkeypatch:
        on(monkeypatch, kernels)
        tokenizer = make_tokenizer(scores, fuse=False)
        log_z = math.log(total.numerator) - math.log(total.denominator)
        assert tokenizer.log_partition(text, alpha) == pytest.approx(log_z, abs=1e-9)
        entropy = -sum(float(p) * (math.log(p.numerator) - math.log(p.denominator)) for p in exact.values())
        assert tokenizer.entropy(text, alpha) == pytest.approx(entropy, abs=1e-9)
        length = sum(float(p) * len(path) for path, p in exact.items())
        assert tokenizer.expected_length(text, alpha) == pytest.approx(length, abs=1e-9)
        ids = tokenizer.sample(text, alpha, seed=3)[0]
        chosen = [p for path, p in exact.items() if [_id(tokenizer.model, piece) for piece in path] == ids]
        assert tokenizer.logprob(text, ids, alpha) == pytest.approx(
            math.log(chosen[0].numerator) - math.log(chosen[0].denominator), abs=1e-9
        )


def _id(model, piece):
    return model.pieces.index(piece) if piece in model.pieces[1:] else 0


SMALL = {b"a": -1.0, b"b": -1.5, b"ab": -2.2, b"ba": -1.9, b"aba": -3.0, b"bab": -2.4, b"c": -3.0, b"ca": -3.3}


@pytest.mark.parametrize("alpha", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("mode", [SAMPLE, SAMPLE_WIDE])
@pytest.mark.parametrize("text", [b"abacabab", "▁ab▁aba".encode()])
@needs_compiled
def test_samples_follow_the_exact_law(alpha, mode, text):
    """Frequencies of samples are those of the exact distribution."""
    scores = SMALL | {"▁".encode(): -2.0, "▁a".encode(): -2.5, "▁ab".encode(): -3.5}
    model = make_model(scores, fuse=False)
    tokenizer = Tokenizer(model)
    exact, _ = law(
        segmentations(scores, text), lambda path: Fraction(math.exp(alpha * sum(scores[piece] for piece in path)))
    )
    segmenter = Segmenter(
        model, tokenizer._engine.trie, tokenizer._engine.weights_by_number(mode, alpha), SampleKey("law", 1, 8)
    )
    count = 5000
    offsets = np.arange(count + 1, dtype=np.int64) * len(text)
    batch = segmenter.batch(text * count, offsets, 0, measured=False)
    counts = {}
    for ids in np.split(batch.ids, batch.ends[:-1]):
        path = pieces_of(model, ids.tolist())
        counts[path] = counts.get(path, 0) + 1
    statistic, degrees = chi_square(counts, {path: float(p) for path, p in exact.items()})
    assert statistic < chi_square_limit(degrees)


@pytest.mark.parametrize("kernels", ["plain", pytest.param("compiled", marks=needs_compiled)])
@pytest.mark.parametrize(
    ("scores", "text", "expected"),
    [
        (dict.fromkeys([b"a", b"b", b"c", b"ab", b"abc"], 0.0), b"abc", {1: 1 / 2, 2: 1 / 4, 3: 1 / 4}),
        (
            {b"a": 0.2, b"b": 0.2, b"c": 0.2, b"ab": 0.1, b"bc": 0.1, b"abc": 0.05},
            b"abc",
            {b"abc": 0.54, b"a bc": 0.16, b"ab c": 0.248, b"a b c": 0.052},
        ),
    ],
)
def test_viterbi_sampling_has_the_biased_law_of_bytepiece_0_4(kernels, scores, text, expected, monkeypatch):
    """The numbers are by enumeration of all random choices, the longest arc arriving first."""
    on(monkeypatch, kernels)
    logs = {piece: math.log(p) if p else 0.0 for piece, p in scores.items()}
    model = make_model(logs, unit="byte")
    tokenizer = Tokenizer(model)
    count = 20000 if kernels == "compiled" else 2500
    segmenter = tokenizer._engine.segmenter("viterbi-sampling", 1.0, 1.0, SampleKey("vs", 0, count))
    batch = segmenter.batch(text, np.array([0, len(text)], np.int64), 0, measured=False)
    counts = {}
    for ids in np.split(batch.ids, batch.ends[:-1]):
        key = len(ids) if 1 in expected else b" ".join(pieces_of(model, ids.tolist()))
        counts[key] = counts.get(key, 0) + 1
    shares = expected if 1 in expected else {key: share / sum(expected.values()) for key, share in expected.items()}
    statistic, degrees = chi_square(counts, shares)
    assert statistic < chi_square_limit(degrees)


@needs_compiled
@pytest.mark.parametrize("alpha", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("size", [44, 48, 49, 120])
def test_cuts_of_a_chunk_follow_their_exact_chances_alone_and_in_pairs(alpha, size):
    """Also where one number no longer suffices for a chunk, and where the chunk is too long to be drawn as one."""
    scores = {b"a": -1.0, b"aa": -1.4, b"aaa": -2.1}
    tokenizer = make_tokenizer(scores)
    weights = [math.exp(alpha * score) for score in scores.values()]
    paths = [1.0]
    for end in range(1, size + 1):
        paths.append(sum(w * paths[end - n] for n, w in enumerate(weights, 1) if n <= end))
    count = 20000
    ids, offsets = tokenizer.sample_batch([b"a" * size] * count, alpha, "chunk")
    lengths = np.array([len(piece) for piece in tokenizer.model.pieces])[ids]
    ends = np.cumsum(lengths) - np.repeat(size * np.arange(count), np.diff(offsets))
    hit = np.zeros((count, size + 1), bool)
    hit[np.repeat(np.arange(count), np.diff(offsets)), ends] = True
    worst = 0.0
    for first in range(1, size):
        for second in range(first, size):
            chance = paths[first] * paths[second - first] * paths[size - second] / paths[size]
            found = np.count_nonzero(hit[:, first] & hit[:, second]) / count
            worst = max(worst, abs(found - chance) / math.sqrt(chance * (1 - chance) / count + 1e-12))
    # Up to 7,000 comparisons that depend on each other: 5.5 sigma is far beyond chance, and a bias of some per cent.
    assert worst < 5.5


GOLDEN = {
    "character 0.0": "fa9df84d669e28c1",
    "character 0.2": "f301ed6b0850ca2d",
    "character 1.0": "7315e02de37fc30a",
    "byte 0.0": "d2e053b61ea64879",
    "byte 0.2": "3184a11d04ff171a",
    "byte 1.0": "c0568ac3bc60ed55",
}


@pytest.mark.parametrize("kernels", ["plain", pytest.param("compiled", marks=needs_compiled)])
def test_samples_are_what_they_always_were(kernels, monkeypatch):
    """The key are a contract: any Python, kernel, machine and later version gives these ids for these seeds."""
    on(monkeypatch, kernels)
    assert golden_samples() == GOLDEN


def golden_samples():
    """Return digests of ids sampled over characters and bytes, in chunks short and long, with and without a cache."""
    pieces = ["\u2581", "\u2581a", "\u2581ab", "a", "b", "ab", "ba", "aab", "中", "中文", "文", "b中", "é"]
    scores = {piece.encode(): -1.0 - (7 * i % 5) / 4 for i, piece in enumerate(pieces)}
    texts = ["\u2581ab\u2581aab中文b中é", "ab" * 40, "\u2581aabab" * 9, "", "z中文"]
    made = {}
    for unit in ("character", "byte"):
        tokenizer = make_tokenizer(scores, unit=unit)
        for alpha in (0.0, 0.2, 1.0):
            ids, offsets = tokenizer.sample_batch(texts * 3, alpha, "golden", first_record=11, epoch=2)
            digest = blake2b(ids.astype("<i4").tobytes() + offsets.astype("<i8").tobytes(), digest_size=8)
            made[f"{unit} {alpha}"] = digest.hexdigest()
    return made


@needs_compiled
def test_a_long_text_follows_its_forward_marginals_all_along():
    """One word again and again without a cut: where log-domain float32 drifts (SentencePiece), shares stay."""
    scores = {b"a": -1.0, b"aa": -1.7, b"aaa": -2.9}
    size, alpha = 2_000_000, 0.5
    model = make_model(scores, unit="byte")
    segmenter = Tokenizer(model)._engine.segmenter("sample", alpha, 1.0, SampleKey("drift"))
    ids = segmenter.batch(b"a" * size, np.array([0, size], np.int64), 0, measured=False).ids
    weights = {n: math.exp(alpha * s) for n, s in zip((1, 2, 3), scores.values(), strict=True)}
    # Far from the ends token lengths are independent, n with probability w x^n, where the sum is 1.
    low, high = 0.0, 2.0
    for _ in range(200):
        x = (low + high) / 2
        low, high = (x, high) if sum(w * x**n for n, w in weights.items()) < 1 else (low, x)
    shares = {n: w * low**n for n, w in weights.items()}
    ends = np.cumsum(ids)
    for fifth in range(5):
        inside = ids[(ends > fifth * size // 5 + 100) & (ends < (fifth + 1) * size // 5 - 100)]
        counts = {n: int((inside == n).sum()) for n in weights}
        statistic, degrees = chi_square(counts, shares)
        assert statistic < chi_square_limit(degrees)


@needs_compiled
@settings(deadline=None, max_examples=60)
@given(
    scores=vocabularies("ab" + MARK) | st.just({b"aa": -1.0}) | st.just({b"aaaa": -1.0, b"a": -1.0}),
    text=st.text("ab" + MARK, max_size=300).map(str.encode) | st.integers(0, 3000).map(lambda n: b"a" * n),
    mode=st.sampled_from(MODES),
    cut=st.lists(st.integers(1, 700), max_size=8),
    alpha=st.sampled_from([0.0, 0.4, 3.0]),
    cells=st.sampled_from([0, 70, 4096]),
)
@example({b"aa": -1.0}, b"a" * 29, SAMPLE_WIDE, [], 0.4, 0)
@example({b"aa": -1.0}, b"a" * 29, SAMPLE, [], 0.4, 0)
@example({b"aa": -1.0, b"a": -1.0}, b"a" * 47, SAMPLE, [1, 31], 0.0, 0)
@example({b"aa": -1.0, b"a": -1.0}, b"a" * 48, SAMPLE_WIDE, [47], 3.0, 0)
@example({b"aa": -1.0, b"a": -1.0}, b"a" * 49, SAMPLE, [48], 0.4, 0)
def test_text_in_parts_gives_the_ids_of_the_whole(scores, text, mode, cut, alpha, cells):
    """Also where the window is far smaller than the text, and where paths never meet."""
    model = make_model(scores)
    tokenizer = Tokenizer(model)
    weights = tokenizer._engine.weights_by_number(mode, alpha)
    segmenter = Segmenter(model, tokenizer._engine.trie, weights, SampleKey("parts"))
    whole = segmenter.batch(text, np.array([0, len(text)], np.int64), 7, measured=True)
    workspace = Workspace(tokenizer._engine.trie, segmenter.weights.mode, cells=cells)
    running = StreamingSegmenter(segmenter, 7, measured=True, workspace=workspace)
    bounds = [0, *sorted(at for at in set(cut) if at < len(text)), len(text)]
    parts = [
        running.feed(text[a:b], b == len(text) and i == len(bounds) - 2)
        for i, (a, b) in enumerate(itertools.pairwise(bounds))
    ]
    assert np.concatenate(parts).tolist() == whole.ids.tolist()
    assert [running.score, running.log_z] == whole.measures[0].tolist()


@needs_compiled
@pytest.mark.parametrize("mode", [SAMPLE, SAMPLE_WIDE])
def test_a_workspace_that_just_holds_a_span_is_the_smallest(mode):
    """What one number draws must not be settled half-way: the sample would depend on the memory."""
    model = make_model({b"a": -1.0, b"aa": -1.5})
    engine = Tokenizer(model)._engine
    weights = engine.weights_by_number(mode, 1.0)
    pool = WorkspacePool(engine.trie, mode, cells=0, cache_bytes=0)
    segmenter = Segmenter(model, engine.trie, weights, workspaces=pool)
    space, size = pool.mine(), lattice_compiled.SPAN_BYTES
    text, offsets = b"a" * 6 * size, np.arange(7, dtype=np.int64) * size
    ids = segmenter.batch(text, offsets, 7, measured=False).ids.tolist()
    cells, arcs = size + engine.trie.longest, (size + 1) * engine.trie.arcs_per_start
    space.cells, space.arcs = cells, arcs
    assert segmenter.batch(text, offsets, 7, measured=False).ids.tolist() == ids
    for space.cells, space.arcs in ((cells - 1, arcs), (cells, arcs - 1)):
        with pytest.raises(ValueError, match="too small for a span"):
            segmenter.batch(text, offsets, 7, measured=False)


@needs_compiled
def test_a_sample_of_an_endless_run_is_certain_long_before_its_end():
    """A text without a cut streams within a bounded window."""
    tokenizer = make_tokenizer({b"a" * n: -1.0 * n for n in range(1, 9)}, unit="byte")
    running = StreamingSegmenter(tokenizer._engine.segmenter("sample", 0.5, 1.0, SampleKey("run")), 0)
    waiting = 0
    for _ in range(50):
        running.feed(b"a" * 100_000)
        waiting = max(waiting, len(running._text))
    assert waiting < 200_000
    assert len(running._space.codes) == 4 * running._space.cells


@needs_compiled
def test_ids_do_not_depend_on_batches_and_do_on_seed_epoch_and_record():
    """A sample is a function of seed, epoch, record number and text alone."""
    tokenizer = make_tokenizer(SMALL)
    texts = ["abacababab" * 5] * 6
    whole, offsets = tokenizer.sample_batch(texts, 0.3, "s")
    first, _ = tokenizer.sample_batch(texts[:2], 0.3, "s")
    rest, _ = tokenizer.sample_batch(texts[2:], 0.3, "s", first_record=2)
    assert [*first, *rest] == whole.tolist()
    assert len({tuple(whole[a:b]) for a, b in itertools.pairwise(offsets)}) == 6
    others = [tokenizer.sample(texts[0], 0.3, seed, epoch=epoch)[0] for seed, epoch in (("s", 0), ("t", 0), ("s", 1))]
    assert others[0] == whole[: offsets[1]].tolist()
    assert len({tuple(ids) for ids in others}) == 3


def test_unique_samples_are_all_segmentations_and_their_first_follows_the_law():
    """Sampling without replacement meets every segmentation once, with the chances of drawing without replacement."""
    scores = {b"a": -1.0, b"b": -1.5, b"ab": -2.2, b"ba": -1.9}
    tokenizer = make_tokenizer(scores)
    text = b"abab"
    paths = segmentations(scores, text)
    found = tokenizer.sample(text, 0.7, "u", 100, unique=True)
    assert sorted(pieces_of(tokenizer.model, ids) for ids in found) == sorted(path for path, _ in paths)
    exact, _ = law(paths, lambda path: Fraction(math.exp(0.7 * sum(scores[p] for p in path))))
    counts, seconds = {}, {}
    for record in range(4000):
        one, two = tokenizer.sample(text, 0.7, "law", 2, unique=True, record=record)
        one, two = pieces_of(tokenizer.model, one), pieces_of(tokenizer.model, two)
        counts[one] = counts.get(one, 0) + 1
        seconds[two] = seconds.get(two, 0) + 1
    statistic, degrees = chi_square(counts, {path: float(p) for path, p in exact.items()})
    assert statistic < chi_square_limit(degrees)
    left = {path: float(sum(exact[o] * exact[path] / (1 - exact[o]) for o in exact if o != path)) for path in exact}
    statistic, degrees = chi_square(seconds, left)
    assert statistic < chi_square_limit(degrees)


def test_alpha_zero_counts_segmentations_of_a_vocabulary_without_probabilities():
    """A vocabulary without weights has a uniform distribution and no other."""
    model = make_model({b"a": -5e9, b"b": math.nan, b"ab": 1.0}, weighted=False)
    tokenizer = Tokenizer(model)
    assert math.exp(tokenizer.log_partition("abab", 0.0)) == pytest.approx(4)
    assert math.exp(tokenizer.log_partition("abab", 0.0, length_weight=0.5)) == pytest.approx(
        2 * 0.5**3 + 0.5**2 + 0.5**4
    )
    with pytest.raises(UsageError, match="only alpha = 0"):
        tokenizer.sample("abab", 0.1)
    with pytest.raises(UsageError, match="merge ranks"):
        tokenizer.encode("abab")


@pytest.mark.parametrize("alpha", [-0.1, math.nan, math.inf])
def test_an_impossible_alpha_is_refused(alpha):
    """Negative, infinite and undefined exponents are refused."""
    with pytest.raises(UsageError, match="alpha is"):
        make_tokenizer(SMALL).sample("ab", alpha)


def test_ids_that_are_no_segmentation_are_refused():
    """Only ids that spell the text have a score."""
    tokenizer = make_tokenizer(SMALL)
    with pytest.raises(DataError, match="no segmentation"):
        tokenizer.score("abab", tokenizer.encode("abba"))


def test_a_character_that_cannot_be_written_is_an_error_that_names_the_record():
    """Without an unknown piece, text beyond the vocabulary is an error with its record."""
    tokenizer = make_tokenizer(SMALL, unknown=False)
    with pytest.raises(DataError, match="record 1 "):
        tokenizer.encode_batch(["ab", "xyz"])


@pytest.mark.parametrize(
    ("pieces", "message"),
    [([b""], "is empty"), ([b"\xff"], "not UTF-8"), ([b"a" * 5000], "5000 bytes"), ([b"a", b"a"], "twice")],
)
def test_a_vocabulary_that_is_none_is_refused(pieces, message):
    """Empty, broken, endless and repeated pieces are refused."""
    model = make_model({b"x": 0.0}, pieces=[b"", *pieces], arc=np.array([False] + [True] * len(pieces)))
    with pytest.raises(DataError, match=message):
        Tokenizer(model)


def test_exponential_is_right_to_the_last_place():
    """The library's own exponential is within a rounding of the exact one."""
    x = np.concatenate([np.linspace(-745, 709, 20001), np.linspace(-1e-3, 1e-3, 101), [0.0]])
    mantissas, exponents = exponential(x)
    for value, m, e in zip(x.tolist(), mantissas.tolist(), exponents.tolist(), strict=True):
        expected, exponent = math.frexp(math.exp(value))
        if exponent > -1021:
            assert math.ldexp(m, e - exponent) == pytest.approx(expected, rel=2.3e-16)


def test_weights_beyond_a_double_take_the_wide_lattice(monkeypatch):
    """Where products leave the range of a double the mode with exponents is chosen, and is right."""
    scores = {b"a": -400.0, b"b": -450.0, b"ab" * 20: -900.0}
    tokenizer = make_tokenizer(scores)
    assert tokenizer._engine.weights("sample", 1.0).mode == SAMPLE_WIDE
    assert tokenizer._engine.weights("sample", 0.01).mode == SAMPLE
    assert tokenizer.sample("ab" * 60, 1.0)[0] == [3, 3, 3]


@needs_compiled
def test_a_cell_far_below_the_ones_behind_it_is_no_reason_to_leave_the_range():
    """One tiny weight among large ones costs neither range nor exactness."""
    tokenizer = make_tokenizer({b"a": -440.0, b"aa": -0.7, b"b": -1.0}, unit="byte")
    assert tokenizer._engine.weights("sample", 1.0).mode == SAMPLE
    for text in (b"aaaa", b"b" + b"aa" * 3000, b"aaa" * 3000):
        engine = tokenizer._engine
        pool = WorkspacePool(engine.trie, SAMPLE, tiles=False)
        segmenter = Segmenter(tokenizer.model, engine.trie, engine.weights("sample"), SampleKey("far"), workspaces=pool)
        batch = segmenter.batch(text, np.array([0, len(text)], np.int64), 0, measured=True)
        assert len(batch.ids) == (len(text) + 1) // 2
        assert batch.measures[0, 1] == pytest.approx(tokenizer.log_partition(text, 1.0), rel=1e-12)


def test_exponents_do_not_overflow_on_long_texts():
    """Sums far beyond a double's range stay right over thousands of characters."""
    tokenizer = make_tokenizer({b"a": -4e5, b"aa": -8e5}, unit="byte")
    assert tokenizer.log_partition("a" * 5000, 10.0) == pytest.approx(
        -4e6 * 5000 + 5000 * math.log((1 + 5**0.5) / 2), rel=1e-9
    )
    assert len(tokenizer.sample("a" * 5000, 10.0)[0]) < 5000


def test_the_law_is_kept_within_the_range_of_exponents():
    """Scores too large for any exponent are refused."""
    with pytest.raises(DataError, match="too large"):
        make_tokenizer({b"a": -1e9}).sample("a", 1.0)

"""`corpus explain`: everything it says is held against all segmentations, enumerated in rationals."""

import json
import math
import os
from fractions import Fraction

import numpy as np
import pytest
from bpe_models import by_hand
from harness import needs_speed
from hypothesis import given, settings
from hypothesis import strategies as st
from spm_files import spm_model, train
from vocabularies import law, make_model, make_tokenizer, segmentations

from corpustools.errors import DataError, UsageError
from corpustools.inspect.explain import as_fields, explain, report
from corpustools.stages.tokenize.bpe.canonical import Canonical
from corpustools.stages.tokenize.lattice.weights import exponential
from corpustools.stages.tokenize.models import parse
from corpustools.stages.tokenize.tokenizer import Tokenizer

SMALL = {"a": -1.0, "b": -1.5, "ab": -2.2, "ba": -1.9, "aba": -3.0}
SMALL = {piece.encode(): score for piece, score in SMALL.items()}


def log(value):
    return math.log(value.numerator) - math.log(value.denominator)


def exact_law(scores, text, alpha, length_weight=1.0):
    """Return P by path, in rationals of the weights that the tables hold, and Z."""
    worst = min(scores.values()) - 10.0
    mantissas, exponents = exponential(alpha * np.array([*scores.values(), worst]) + math.log(length_weight))
    table = [Fraction(float(m)) * Fraction(2) ** int(e) for m, e in zip(mantissas, exponents, strict=True)]
    weights = dict(zip(scores, table, strict=False))
    paths = segmentations(scores, text)
    return law(paths, lambda path: math.prod((weights.get(p, table[-1]) for p in path), start=Fraction(1)))


def places(path):
    """Return (start, end) of every piece of a path."""
    at = 0
    for piece in path:
        yield at, at + len(piece)
        at += len(piece)


vocabularies = st.dictionaries(
    st.text("ab中", min_size=1, max_size=4).map(str.encode), st.floats(-40, 2, width=32), min_size=1, max_size=15
)


@settings(max_examples=120)
@given(
    scores=vocabularies,
    text=st.text("ab中", max_size=8).map(str.encode),
    alpha=st.sampled_from([0.0, 0.1, 1.0, 3.0]),
    length_weight=st.sampled_from([1.0, 0.5, 3.0]),
)
def test_everything_is_that_of_the_enumeration(scores, text, alpha, length_weight):
    """All that is explained equals what the list of all segmentations gives, in exact rationals."""
    exact, total = exact_law(scores, text, alpha, length_weight)
    tokenizer = make_tokenizer(scores, fuse=False)
    found = explain(tokenizer, text, alpha, length_weight=length_weight, nbest=len(exact) + 2, marginals=10**6)
    assert found.segmentations == len(exact)
    assert found.log10_segmentations == pytest.approx(math.log10(len(exact)), abs=1e-9)
    assert found.log_z == pytest.approx(log(total), abs=1e-9)
    assert found.entropy == pytest.approx(-sum(float(p) * log(p) for p in exact.values()), abs=1e-9)
    assert found.length == pytest.approx(float(sum(p * len(path) for path, p in exact.items())), abs=1e-9)

    by_pieces = {path: float(p) for path, p in exact.items()}
    shown = [tuple(piece.encode() for piece in one.pieces) for one in found.nbest]
    assert sorted(shown) == sorted(by_pieces)
    for path, one in zip(shown, found.nbest, strict=True):
        assert one.logprob == pytest.approx(log(exact[path]), abs=1e-9)
    probabilities = [one.probability for one in found.nbest]
    assert probabilities == pytest.approx(sorted(by_pieces.values(), reverse=True), abs=1e-9)

    marginals = {}
    for path, p in exact.items():
        for place in places(path):
            marginals[place] = marginals.get(place, Fraction(0)) + p
    assert {(t.start, t.end): t.probability for t in found.tokens} == pytest.approx(
        {place: float(p) for place, p in marginals.items()}, abs=1e-9
    )
    assert sum(t.probability for t in found.tokens) == pytest.approx(found.length, abs=1e-9)
    for at in range(len(text)):
        over = [t.probability for t in found.tokens if t.start <= at < t.end]
        assert math.fsum(over) == pytest.approx(1, abs=1e-9)


@settings(max_examples=60)
@given(text=st.text("ab", max_size=40), alpha=st.sampled_from([0.0, 0.3, 1.0, 40.0]))
def test_it_agrees_with_what_the_tokenizer_measures(text, alpha):
    """explain and the methods of the tokenizer give the same numbers."""
    tokenizer = make_tokenizer(SMALL)
    found = explain(tokenizer, text, alpha)
    assert found.best.ids == tokenizer.encode(text)
    assert found.best.score == pytest.approx(tokenizer.score(text, found.best.ids), abs=1e-9)
    for one in [found.best, *found.nbest]:
        assert one.logprob == pytest.approx(tokenizer.logprob(text, one.ids, alpha), abs=1e-9)
    if alpha:
        assert [one.ids for one in found.nbest] == [ids for ids, _ in tokenizer.nbest(text, 5)]
    assert found.entropy == pytest.approx(tokenizer.entropy(text, alpha), abs=1e-8)


def test_a_count_is_exact_below_ten_to_the_18():
    """Segmentations are counted exactly up to 10^18, and beyond as a logarithm."""
    tokenizer = make_tokenizer({b"a": -1.0, b"aa": -1.0})
    fibonacci = [1, 1]
    while len(fibonacci) < 100:
        fibonacci.append(fibonacci[-1] + fibonacci[-2])
    for n in (0, 1, 30, 86):
        assert explain(tokenizer, "a" * n).segmentations == fibonacci[n]
    beyond = explain(tokenizer, "a" * 87)
    assert fibonacci[86] < 10**18 < fibonacci[87]
    assert beyond.segmentations is None
    assert beyond.log10_segmentations == pytest.approx(math.log10(fibonacci[87]), abs=1e-9)


@pytest.mark.parametrize(
    ("options", "kind", "ids"),
    [({}, "unknown", [0]), ({"byte_ids": True}, "bytes", [1 + byte for byte in "é".encode()])],
)
def test_characters_without_a_piece_are_shown_readably(options, kind, ids):
    """Control bytes and broken text are shown as <0x..>."""
    found = explain(make_tokenizer(SMALL, **options), "aé\x01\n".encode() + b"\xff")
    assert found.normalized == "aé<0x01><0x0A><0xFF>"
    assert [(t.piece, t.kind, t.ids) for t in found.tokens[:2]] == [
        ("a", "piece", [found.best.ids[0]]),
        ("é", kind, ids),
    ]


def test_unlikely_tokens_are_shown_on_request():
    """How many tokens and segmentations are shown is what was asked for."""
    tokenizer = make_tokenizer({b"a": -1.0, b"aa": -9.0})
    assert {t.piece for t in explain(tokenizer, "aaaa").tokens} == {"a"}
    assert len(explain(tokenizer, "aaaa", marginals=100).tokens) == 7
    most = explain(tokenizer, "aaaa", marginals=2).tokens
    assert [t.piece for t in most] == ["a", "a"]
    assert explain(tokenizer, "aaaa", nbest=0, marginals=0).nbest == []


@needs_speed
def test_a_long_text_without_a_cut_stays_exact():
    """Shares near the middle are those of the renewal process; sums of logarithms would have drifted."""
    tokenizer = make_tokenizer({b"a": -1.0, b"aa": -1.7, b"aaa": -2.9}, unit="byte")
    size = 100_000
    found = explain(tokenizer, "a" * size, 1.0, nbest=2)
    over = [0.0] * size
    for t in found.tokens:
        for at in range(t.start, t.end):
            over[at] += t.probability
    assert max(abs(p - 1) for p in over) < 1e-9
    assert found.log_z == pytest.approx(tokenizer.log_partition("a" * size), rel=1e-13)
    assert found.entropy == pytest.approx(tokenizer.entropy("a" * size), rel=1e-9)
    assert found.best.logprob == pytest.approx(tokenizer.logprob("a" * size, found.best.ids), rel=1e-11)


def test_user_defined_pieces_are_scored_as_the_best_path_counts_them():
    """A user-defined piece has the score of the best path and no other."""
    pieces = [("a", -1.0), ("天", -5.0), ("天a", 0.0, 4)]
    from corpustools.stages.tokenize.models import parse

    tokenizer = Tokenizer(parse(spm_model(pieces, normalizer=[(3, 0)]), "test"))
    found = explain(tokenizer, "天a")
    assert found.best.score == pytest.approx(0.3)
    assert found.nbest[0].score == pytest.approx(0.1)


def test_what_cannot_be_meant_is_refused():
    """Arguments without a meaning are refused by name."""
    with pytest.raises(UsageError, match="alpha is -1"):
        explain(make_tokenizer(SMALL), "ab", -1.0)
    with pytest.raises(UsageError, match="only alpha = 0"):
        explain(Tokenizer(make_model(SMALL, weighted=False)), "ab", 1.0)
    with pytest.raises(UsageError, match="negative"):
        explain(make_tokenizer(SMALL), "ab", nbest=-1)
    with pytest.raises(DataError, match="cannot write"):
        explain(make_tokenizer(SMALL, unknown=False), "xyz")


@pytest.fixture
def model(folder):
    return folder.write("t.model", train(model_type="unigram"))


def test_json_of_the_real_command(folder, model):
    """Each line of `corpus explain -f json` holds the library's values."""
    tokenizer = Tokenizer.load(folder.path / model)
    done = folder.corpus(
        "explain", "-m", model, "-f", "json", "--alpha", 0.5, "--nbest", 3, stdin="the fox\n\n天地 the\n".encode()
    ).ok()
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    for row, text in zip(rows, ["the fox", "", "天地 the"], strict=True):
        assert row["normalized"] == tokenizer.normalize(text).decode()
        assert row["best"]["ids"] == tokenizer.encode(text)
        assert row["logz"] == pytest.approx(tokenizer.log_partition(text, 0.5), abs=1e-9)
        assert row["entropy"] == pytest.approx(tokenizer.entropy(text, 0.5), abs=1e-9)
        assert row["segmentations"] == round(math.exp(tokenizer.log_partition(text, 0.0)))
        assert len(row["nbest"]) == min(3, row["segmentations"])
        assert row["nbest"][0]["p"] == pytest.approx(math.exp(row["nbest"][0]["logprob"]))
    assert (rows[1]["segmentations"], rows[1]["best"]["ids"], rows[1]["marginals"]) == (1, [], [])
    again = folder.corpus("explain", "-m", model, "-f", "json", "--alpha", 0.5, "--nbest", 3, "the fox", "", "天地 the")
    assert again.ok().stdout == done.stdout


def test_text_of_the_real_command(folder, model):
    """The text is readable in any locale, also where a text has too many segmentations to count."""
    done = folder.corpus("explain", "-m", model, "the fox", "é\x01", "--marginals", 4, env={"LC_ALL": "C"}).ok()
    first, second = done.stdout.decode().split("\n\n")
    assert first.startswith("normalized     ▁the▁fox\nsegmentations  ")
    assert first.count("\n  P ") == 1 + 4 + 4  # it has no fifth segmentation
    assert "é (unknown)" in second
    text = "the quick brown fox " * 400
    long = folder.corpus("explain", "-m", model, text, "--alpha", 0, "--marginals", 0).ok().stdout.decode()
    assert "segmentations  " in long
    assert "P 10^-" in long
    assert "e+" not in long.splitlines()[1]
    assert all(line == line.rstrip() for line in done.stdout.decode().splitlines())


def test_a_bpe_vocabulary_is_uniform_by_default(folder):
    """Without weights alpha is 0, and another alpha is refused."""
    bpe = folder.write("bpe.model", train(model_type="bpe"))
    row = json.loads(folder.corpus("explain", "-m", bpe, "-f", "json", "the").ok().stdout)
    assert (row["alpha"], row["best"], row["nbest"][0]["score"]) == (0.0, None, None)
    assert row["entropy"] == pytest.approx(math.log(row["segmentations"]))
    weighted = json.loads(folder.corpus("explain", "-m", bpe, "-f", "json", "--length-weight", 0.5, "the").ok().stdout)
    probabilities = [one["p"] for one in weighted["nbest"]]
    assert probabilities == sorted(probabilities, reverse=True)
    assert probabilities[0] > probabilities[-1]
    folder.corpus("explain", "-m", bpe, "--alpha", 0.5, "the").failed(2, "only alpha = 0")


def test_errors_are_one_clear_line(folder, model):
    """Each wrong call is one line with the right status."""
    folder.corpus("explain", "-m", "missing", "a").failed(1, "cannot read the model missing")
    folder.corpus("explain", "-m", model, "--alpha", "nan", "a").failed(2, "alpha is nan")
    folder.corpus("explain", "-m", model, "--nbest", -1, "a").failed(2, "--nbest")
    folder.corpus("explain", "a").failed(2, "--model")
    vocabulary = folder.write("v.tsv", b"a\t-1\n")
    assert folder.corpus("explain", "-m", vocabulary, stdin=os.fsencode("a\n")).ok()


def test_the_canonical_segmentation_of_a_byte_pair_model():
    """What the merges make is shown with its ids, and with its probability among all segmentations."""
    tokenizer = Tokenizer(parse(by_hand().encode(), "m"))
    found = tokenizer.explain("abc ab")
    assert found.best is None
    assert found.canonical.pieces == ["▁abc", "▁ab"] or len(found.canonical.pieces) < found.length
    assert (
        found.canonical.ids
        == Canonical(tokenizer.model)
        .batch(tokenizer.normalize("abc ab"), np.array([0, len(tokenizer.normalize("abc ab"))]), 0)
        .ids.tolist()
    )
    assert found.canonical.probability == pytest.approx(1 / found.segmentations)
    assert found.canonical.score is None
    shorter = tokenizer.explain("abc ab", length_weight=0.5)
    paths = tokenizer.explain("abc ab", nbest=found.segmentations).nbest
    weights = [0.5 ** len(path.ids) for path in paths]
    assert shorter.canonical.probability == pytest.approx(0.5 ** len(found.canonical.ids) / sum(weights))
    lines = list(report(found))
    place = lines.index("canonical segmentation")
    assert lines[place + 1].endswith("ids " + " ".join(map(str, found.canonical.ids)))
    assert as_fields(found)["canonical"]["ids"] == found.canonical.ids


def test_a_canonical_segmentation_that_is_no_path():
    """A special token that merges make of text is no arc: its probability is 0, and JSON stays valid."""
    content = json.loads(by_hand())
    content["model"]["vocab"] |= {"<unk>": 0}
    content["added_tokens"] = [
        {"id": content["model"]["vocab"]["ab"], "content": "ab", "special": True, "single_word": True}
    ]
    found = Tokenizer(parse(json.dumps(content).encode(), "m")).explain("aab")
    assert (found.canonical.logprob, found.canonical.probability) == (-math.inf, 0.0)
    assert any(line.startswith("  P 0 ") for line in report(found))
    assert json.loads(json.dumps(as_fields(found), allow_nan=False))["canonical"]["logprob"] is None


def test_other_models_have_no_canonical_segmentation():
    """It is what merges make."""
    assert Tokenizer.from_scores({"a": -1.0}).explain("a").canonical is None

"""bin/parity.py: near-ties are proved, and what is no near-tie is reported."""

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest
import sentencepiece
from bpe_models import trained_byte_level, trained_sentencepiece
from spm_files import spm_model, train
from test_ranks import tekken

from corpustools.stages.tokenize.models import parse
from corpustools.stages.tokenize.tokenizer import Tokenizer

SCRIPT = Path(__file__).parent.parent / "bin" / "parity.py"

# a + b = -(1 + 0.75 · 2^-23) is rounded in float32 to the score of ab, and of equals the longest last piece wins.
STEP = 2.0**-23
PIECES = [("a", -1.0), ("b", -0.75 * STEP), ("ab", -1.0 - STEP), ("c", -3.0), ("ac", -3.5)]


@pytest.fixture(scope="module")
def parity():
    sys.path.append(str(SCRIPT.parent))
    import parity

    return parity


@pytest.fixture(scope="module")
def near():
    """The serialised model in which float32 and float64 disagree on "ab"."""
    return spm_model(PIECES, normalizer=[(3, 0), (4, 0), (5, 0)])


def run(*arguments):
    return subprocess.run(
        [sys.executable, SCRIPT, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False
    )


def test_a_near_tie_is_proved_exactly(parity, near):
    """A difference within the peer's rounding is proved to be so in exact rationals."""
    tokenizer = Tokenizer(parse(near, "near"))
    theirs = sentencepiece.SentencePieceProcessor(model_proto=near).encode("ab")
    ours = tokenizer.encode("ab", scores="f64")
    assert (ours, theirs) == ([3, 4], [5])
    proof = parity.Prover(tokenizer, 24).prove(b"ab", ours, theirs)
    assert proof.kind == "near"
    assert proof.ours == -1 - Fraction(3, 4) / 2**23
    assert proof.ours - proof.theirs == Fraction(1, 4) / 2**23
    # Σ|partial sums| · 2^-24: about (1 + 1) + 1 of them.
    assert float(proof.bound) == pytest.approx(3 * 2.0**-24, rel=1e-6)
    # For a peer in doubles the same difference is too large.
    assert parity.Prover(tokenizer, 53).prove(b"ab", ours, theirs).kind == "unexplained"


def test_a_stretch_has_to_be_near_by_itself(parity, near):
    """A long line's rounding as a whole would hide 0.5; that of the two additions that differ does not."""
    tokenizer = Tokenizer(parse(near, "near"))
    text = b"c" * 3000 + b"ac" + b"ab"
    ours = tokenizer.encode(text, scores="f64")
    proof = parity.Prover(tokenizer, 24).prove(text, ours, [6] * 3000 + [3, 6, 5])
    assert proof.kind == "unexplained"
    assert 3000 * 2.0**-24 * 9000 > 0.5 > 100 * float(proof.bound)
    near_only = parity.Prover(tokenizer, 24).prove(text, ours, [*ours[:-2], 5])
    assert (near_only.kind, near_only.ours - near_only.theirs) == ("near", Fraction(1, 4) / 2**23)


def test_stretches_are_what_differs(parity, near):
    """Two paths are compared where they part, from one meeting to the next."""
    prover = parity.Prover(Tokenizer(parse(near, "near")), 24)
    found = [(mine, other) for mine, other, _ in prover.stretches([6, 3, 4, 6, 7, 3, 4], [6, 5, 6, 3, 6, 5])]
    assert found == [([3, 4], [5]), ([7], [3, 6]), ([3, 4], [5])]


@pytest.mark.parametrize(
    ("text", "theirs", "reason"),
    [
        (b"ac", [3, 6], "worse than its rounding"),  # a sound path, but by 0.5 not the best
        (b"ac", [5], "no segmentation"),
        (b"ac", [], "no segmentation"),
        (b"abac", [5, 3, 6], "worse than its rounding"),
    ],
)
def test_a_wrong_peer_is_unexplained(parity, near, text, theirs, reason):
    """An answer that is no path, or worse than rounding allows, is not excused."""
    tokenizer = Tokenizer(parse(near, "near"))
    proof = parity.Prover(tokenizer, 24).prove(text, tokenizer.encode(text), theirs)
    assert proof.kind == "unexplained"
    assert reason in proof.reason


def test_ours_worse_than_the_peer_is_unexplained(parity, near):
    """A path of ours that is worse than the peer's is never excused."""
    proof = parity.Prover(Tokenizer(parse(near, "near")), 24).prove(b"ac", [3, 6], [7])
    assert (proof.kind, "our path is worse" in proof.reason) == ("unexplained", True)


def test_counts_of_a_comparison(parity, near, capsys):
    """Each text is counted once a kind of score, and the unexplained are shown."""
    tokenizer = Tokenizer(parse(near, "near"))
    answers = {b"ab": [5], b"ac": [3, 6], b"c": [6]}
    comparison = parity.Comparison(tokenizer, (lambda texts: [answers[t] for t in texts], 24, True, "a peer"))
    comparison.add("f", [(1, b"ab"), (2, b"ac"), (3, b"c")])
    assert comparison.counts["f64"] == {"near": 1, "unexplained": 1, "equal": 1}
    assert comparison.counts["auto"] == {"unexplained": 1, "equal": 2}
    shown = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["line"], one["scores"]) for one in shown] == [(2, "auto"), (2, "f64")]


def test_the_script_lists_near_ties(near, tmp_path):
    """The report counts lines, and the list holds each near-tie."""
    (tmp_path / "m").write_bytes(near)
    (tmp_path / "t").write_bytes(b"ab\nc\n\nac\xff\nxyzab")
    done = run(tmp_path / "m", tmp_path / "t", "--list", tmp_path / "near.jsonl")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 texts" in done.stdout
    assert "1 texts no UTF-8" in done.stdout
    assert "auto: 5 equal, 0 near-ties, 0 unexplained" in done.stdout
    rows = [json.loads(line) for line in (tmp_path / "near.jsonl").read_text().splitlines()]
    assert [row["line"] for row in rows][:1] == [1]
    assert f"f64: {5 - len(rows)} equal, {len(rows)} near-ties" in done.stdout
    assert Fraction(rows[0]["our_score"]) - Fraction(rows[0]["their_score"]) == Fraction(1, 4) / 2**23


@pytest.mark.parametrize("options", [{}, {"byte_fallback": True, "vocab_size": 330}])
def test_a_trained_model_agrees_on_its_text(tmp_path, options):
    """A trained model gives the peer's ids on every line by default."""
    (tmp_path / "m").write_bytes(train(model_type="unigram", **options))
    (tmp_path / "t").write_text("the quick brown fox jumps over the lazy dog\n天地玄黄 zebra 🦓\n" * 300)
    done = run(tmp_path / "m", tmp_path / "t")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "auto: 600 equal" in done.stdout


def test_tokenizer_json_has_its_peer(tmp_path):
    """The tokenizers package is asked for a tokenizer.json."""
    tokenizers = pytest.importorskip("tokenizers")
    vocabulary = [("<unk>", 0.0), *PIECES]
    tokenizers.Tokenizer(tokenizers.models.Unigram(vocabulary, 0, False)).save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "t").write_bytes(b"ab\nacab\n\xff\n")
    done = run(tmp_path / "tokenizer.json", tmp_path / "t")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "auto: 3 equal, 0 near-ties, 0 unexplained" in done.stdout
    assert "1 texts no UTF-8 (given to both with U+FFFD)" in done.stdout


@pytest.mark.parametrize("kind", ["sentencepiece", "tokenizer.json", "tekken"])
@pytest.mark.parametrize("lines", [1, 2])
def test_merges_agree_on_every_text(tmp_path, kind, lines):
    """Canonical ids of byte-pair models are compared with those of their library, line by line or by several lines."""
    pytest.importorskip("tokenizers")
    made = {
        "sentencepiece": lambda: trained_sentencepiece(byte_fallback=True, vocab_size=340),
        "tokenizer.json": lambda: trained_byte_level().encode(),
        "tekken": lambda: json.dumps(tekken()).encode(),
    }
    (tmp_path / "m").write_bytes(made[kind]())
    (tmp_path / "t").write_text("the quick brown fox jumps\n\n天地玄黄 <s> 🦓 1234\n  don't\n" * 50)
    peer = ["--peer", "converted"] if kind == "tekken" else []
    done = run(tmp_path / "m", tmp_path / "t", "--lines", lines, *peer)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"auto: {200 // lines} equal, 0 near-ties, 0 unexplained" in done.stdout


def test_merges_that_differ_are_shown(parity, capsys):
    """A difference between merges has no proof; the first token that differs is named."""
    tokenizer = Tokenizer(parse(trained_byte_level().encode(), "m"))
    right = tokenizer.encode("the fox")
    comparison = parity.Comparison(tokenizer, (lambda _: [[*right[:-1], 0], right], 53, False, "a peer"))
    comparison.add("f", [(3, b"the fox"), (4, b"the fox")])
    assert comparison.counts == {"auto": {"unexplained": 1, "equal": 1}}
    shown = json.loads(capsys.readouterr().out)
    assert (shown["line"], shown["ours"], shown["theirs"]) == (3, right, [*right[:-1], 0])
    assert shown["unexplained"].startswith(f"token {len(right) - 1}: ")


def test_texts_of_several_lines(parity, tmp_path):
    """Texts are so many lines with their newlines between, and end with the file and with the limit."""
    (tmp_path / "a").write_bytes(b"1\n2\n3\n\n5")
    (tmp_path / "b").write_bytes(b"x\ny\n")
    paths = [tmp_path / "a", tmp_path / "b"]

    def texts(limit, count, batch):
        return [some for _, some in parity.texts_of(paths, limit, count, batch)]

    assert texts(99, 1, 99) == [[(1, b"1"), (2, b"2"), (3, b"3"), (4, b""), (5, b"5")], [(1, b"x"), (2, b"y")]]
    assert texts(99, 2, 4) == [[(1, b"1\n2")], [(3, b"3\n"), (5, b"5")], [(1, b"x\ny")]]
    assert texts(3, 1, 99) == [[(1, b"1"), (2, b"2")]]


def test_a_model_without_a_peer_is_one_line(tmp_path):
    """A model that no peer reads is one clear line."""
    (tmp_path / "v").write_text("a\t-1.0\n")
    done = run(tmp_path / "v", tmp_path / "v")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "has no peer" in done.stderr

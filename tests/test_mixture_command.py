"""`corpus tokenize` with words that are drawn, with dropout and with token counts, as a user runs it."""

from __future__ import annotations

import json
import math
from collections import Counter

import numpy as np
import pytest
from bpe_models import trained_byte_level, trained_sentencepiece
from harness import Folder
from spm_files import TEXT, train
from test_bpe_kernel import MODELS

import corpustools
from corpustools.errors import DataError, UsageError
from corpustools.stages.tokenize.bpe.token_counts import read_counts

pytest.importorskip("tokenizers")
LINES = [" ".join(TEXT[i : i + 9]) for i in range(0, 1000, 3)] + ["", " ", "天地  玄黄 é", "<|endoftext|>the fox"]
MODES = {"stochastic": ("--stochastic", 0.4), "dropout": ("--dropout", 0.3)}


@pytest.fixture
def folder(tmp_path):
    """A folder with two models and a text."""
    made = Folder(tmp_path)
    made.write("bytes.json", trained_byte_level().encode())
    made.write("spm.model", trained_sentencepiece())
    made.write("unigram.model", train())
    made.write("text", ("\n".join(LINES) + "\n").encode())
    return made


@pytest.mark.parametrize("model", ["bytes.json", "spm.model"])
@pytest.mark.parametrize("mode", MODES)
def test_ids_are_those_of_seed_and_record(folder, mode, model):
    """Workers, parts, a pipe and a compressed input change nothing; seed, epoch and sample do."""
    words = ("tokenize", "-m", model, *MODES[mode], "-s", "seed")
    whole = folder.corpus(*words, "text").ok().stdout
    assert folder.corpus(*words, "-j", 3, "text").ok().stdout == whole
    assert folder.corpus(*words, "-j", 1, stdin=folder.read("text")).ok().stdout == whole
    parts = [folder.corpus(*words, "text", "--part", f"{i}/3").ok().stdout for i in (1, 2, 3)]
    assert b"".join(parts) == whole
    twice = folder.corpus(*words, "--samples", 2, "text").ok().stdout.splitlines()
    assert twice[::2] == whole.splitlines()
    assert twice[1::2] != twice[::2]
    assert folder.corpus(*words, "--epoch", 1, "text").ok().stdout != whole
    assert folder.corpus(*words[:-1], "other", "text").ok().stdout != whole
    assert (
        folder.corpus("detokenize", "-m", model, stdin=whole).ok().stdout
        == folder.corpus("detokenize", "-m", model, stdin=folder.corpus("tokenize", "-m", model, "text").ok().stdout)
        .ok()
        .stdout
    )


@pytest.mark.parametrize("model", ["bytes.json", "spm.model"])
def test_no_words_and_all_words(folder, model):
    """With probability 0 ids are canonical; with 1 they are samples of the lattice; so are those of no dropout."""
    canonical = folder.corpus("tokenize", "-m", model, "text").ok().stdout
    for words in (("--stochastic", 0), ("--dropout", 0)):
        assert folder.corpus("tokenize", "-m", model, "text", *words).ok().stdout == canonical
    if model == "bytes.json":
        drawn = folder.corpus("tokenize", "-m", model, "text", "--alpha", 0, "-s", 5).ok().stdout
        assert folder.corpus("tokenize", "-m", model, "text", "--stochastic", 1, "-s", 5).ok().stdout == drawn


def test_a_long_record_is_drawn_like_others(folder):
    """A record that other modes pass in parts gives the same ids through any output."""
    text = (" ".join(TEXT) + " ") * 200
    folder.write("long", text.encode() + b"\nend\n")
    words = ("tokenize", "-m", "bytes.json", "--stochastic", 0.2, "-s", 1, "long")
    ids = np.array(folder.corpus(*words).ok().stdout.split(), np.uint32)
    folder.corpus(*words, "-f", "u32", "-o", "out.bin", "-j", 2).ok()
    assert np.array_equal(np.frombuffer(folder.read("out.bin"), np.uint32), ids)


def test_probabilities_are_what_shares_show(folder):
    """log P of what is drawn from a short record is the logarithm of how often it comes."""
    folder.write("one", b"the cat\n")
    words = ("tokenize", "-m", "bytes.json", "--stochastic", 0.5, "-s", 1, "--samples", 4000, "-f", "jsonl", "one")
    rows = [
        json.loads(line) for line in folder.corpus(*words, "--with", "logprob,entropy,length").ok().stdout.splitlines()
    ]
    shares = Counter(tuple(row["ids"]) for row in rows)
    by_ids = {tuple(row["ids"]): row["logprob"] for row in rows}
    for ids, count in shares.most_common(3):
        assert count / 4000 == pytest.approx(math.exp(by_ids[ids]), abs=0.04)
    assert sum(map(math.exp, by_ids.values())) <= 1 + 1e-9
    assert rows[0]["length"] == pytest.approx(np.mean([len(row["ids"]) for row in rows]), abs=0.1)
    assert rows[0]["entropy"] == pytest.approx(-np.mean([row["logprob"] for row in rows]), abs=0.1)


def test_summary_and_manifest(folder):
    """They tell the probability, the seed and how many tokens more are expected, which is what comes."""
    words = ("tokenize", "-m", "bytes.json", "text", "--stochastic", 0.5, "-o", "out", "--manifest", "m.json")
    said = folder.corpus(*words, "-s", "x", "--samples", 20).ok().stderr
    facts = json.loads(folder.read("m.json"))
    assert facts["mode"] == "stochastic"
    assert facts["stochastic"] == 0.5
    assert facts["seed"] == "x"
    assert f"{facts['growth']:.1%} more tokens expected" in said
    tokens = len(folder.read("out").split())
    canonical = len(folder.corpus("tokenize", "-m", "bytes.json", "text").ok().stdout.split())
    assert tokens / 20 / canonical - 1 == pytest.approx(facts["growth"], rel=0.05)
    folder.corpus("tokenize", "-m", "bytes.json", "text", *MODES["dropout"], "-o", "out", "--manifest", "m.json").ok()
    facts = json.loads(folder.read("m.json"))
    assert facts["dropout"] == 0.3
    assert "growth" not in facts


def test_counts_are_written_and_read(folder):
    """They count what stands in the output; as probabilities they prefer what is frequent, and leave nothing out."""
    folder.corpus("tokenize", "-m", "bytes.json", "text", "-o", "ids", "--count-tokens", "counts", "-j", 3).ok()
    lines = [tuple(map(int, line.split(b"\t"))) for line in folder.read("counts").splitlines()]
    assert lines == sorted(Counter(map(int, folder.read("ids").split())).items())
    words = ("tokenize", "-m", "bytes.json", "text", "--stochastic", 1, "-s", 1)
    uniform = folder.corpus(*words).ok().stdout.split()
    by_counts = folder.corpus(*words, "--counts", "counts").ok().stdout.split()
    assert len(by_counts) < 0.9 * len(uniform)
    assert folder.corpus(*words, "--counts", "counts", "--alpha", 0).ok().stdout.split() == uniform
    assert folder.corpus(*words, "--length-weight", 0.2).ok().stdout.split() != uniform
    u32 = ("tokenize", "-m", "bytes.json", "text", "-f", "u32", "-o", "ids.bin", "--count-tokens", "again")
    folder.corpus(*u32).ok()
    assert folder.read("again") == folder.read("counts")


def test_the_law_of_counts(folder):
    """Probabilities are those of the counts, each with one more: a word of two segmentations shows the ratio."""
    tokenizer = corpustools.Tokenizer.load(folder.path / "bytes.json")
    word = next(a + b for a in "abcdefghijklmnopqrstuvwxyz" for b in "aeinorst" if len(tokenizer.encode(a + b)) == 1)
    whole, letters = tokenizer.encode(word), [tokenizer.piece_to_id(letter) for letter in word]
    counts = {whole[0]: 30, letters[0]: 100, letters[1]: 50}
    folder.write("counts", "".join(f"{i}\t{count}\n" for i, count in counts.items()).encode())
    folder.write("one", word.encode() + b"\n")
    words = ("tokenize", "-m", "bytes.json", "one", "--stochastic", 1, "--counts", "counts", "-s", 1, "-f", "jsonl")
    total = sum(counts.values()) + tokenizer.vocab_size
    for alpha in (1.0, 0.5):
        row = json.loads(folder.corpus(*words, "--with", "logprob", "--alpha", alpha).ok().stdout)
        a, b = (31 / total) ** alpha, (101 / total * 51 / total) ** alpha
        wanted = a if row["ids"] == whole else b
        assert row["logprob"] == pytest.approx(math.log(wanted / (a + b)), abs=1e-9)


def test_special_text_and_formats(folder):
    """What text of special tokens becomes is the same as in canonical ids, and trainers' formats are written."""
    said = folder.corpus("tokenize", "-m", "bytes.json", "text", "--stochastic", 0.5, "-f", "megatron", "-o", "a").ok()
    assert "<|endoftext|>" in said.stderr
    folder.corpus("tokenize", "-m", "bytes.json", "text", "--stochastic", 0.5, "--special", "error", "-o", "b").failed(
        1, "<|endoftext|>"
    )
    assert not (folder.path / "b").exists()
    names = {"npy": "w.npy", "parquet": "w.parquet"}
    for form in names if _has_pyarrow() else ["npy"]:
        words = ("-f", form, "-o", names[form], "--context", 64, "--pack", "best-fit")
        folder.corpus("tokenize", "-m", "spm.model", "text", *MODES["dropout"], *words).ok()


def _has_pyarrow():
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        return False
    return True


REFUSED = {
    "more than certain": (("--stochastic", 1.5), "0 to 1"),
    "less than impossible": (("--dropout", -0.1), "0 to 1"),
    "no number": (("--stochastic", "nan"), "0 to 1"),
    "a mode without its probability": (("--mode", "dropout"), "probability"),
    "a probability of another mode": (("--mode", "sample", "--alpha", 0, "--stochastic", 0.1), "stochastic"),
    "both": (("--stochastic", 0.1, "--dropout", 0.1), "dropout"),
    "an alpha without counts": (("--stochastic", 0.1, "--alpha", 0.5), "counts"),
    "counts without words": (("--counts", "counts"), "counts"),
    "a probability of dropout": (("--dropout", 0.1, "-f", "jsonl", "--with", "logprob"), "dropout"),
    "a score": (("--stochastic", 0.1, "-f", "jsonl", "--with", "score"), "score"),
    "the n best": (("--stochastic", 0.1, "--nbest", 2), "best"),
    "unique samples": (("--stochastic", 0.1, "--unique", "--samples", 2), "unique"),
    "a part without a seed": (("--dropout", 0.1, "--part", "1/2"), "seed"),
    "scores": (("--dropout", 0.1, "--scores", "f32"), "scores"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_meant_is_refused(folder, case):
    """One line names the contradiction, before the model is looked at."""
    words, said = REFUSED[case]
    folder.corpus("tokenize", "-m", "nothing", "text", *words).failed(2, said)


@pytest.mark.parametrize("words", [("--stochastic", 0.1), ("--dropout", 0.1)])
def test_a_model_without_merges_is_refused(folder, words):
    """It has probabilities of its own."""
    folder.corpus("tokenize", "-m", "unigram.model", "text", *words).failed(2, "no merges", "sample with alpha")


COUNTS = {
    "text": (b"the cat\n", "line 1"),
    "a negative number": (b"1\t2\n2\t-1\n", "line 2"),
    "an id outside": (b"1\t2\n100000\t1\n", "line 2 counts the id 100000"),
    "an id twice": (b"1\t2\n1\t1\n", "a second time"),
    "nothing": (b"", "no token"),
    "zeros": (b"1\t0\n", "no token"),
    "a huge number": (b"1\t" + b"9" * 30 + b"\n", "line 1"),
}


@pytest.mark.parametrize("case", COUNTS)
def test_damaged_counts_are_named(folder, case):
    """The file and the line are told, and what is accepted."""
    data, said = COUNTS[case]
    folder.write("counts", data)
    words = ("tokenize", "-m", "bytes.json", "text", "--stochastic", 0.1, "-o", "out", "--counts")
    folder.corpus(*words, "counts").failed(1, said, "counts")
    folder.corpus(*words, "missing").failed(1, "missing")
    assert not (folder.path / "out").exists()


def test_counts_replace_nothing_else(folder):
    """The table is refused in the place of an input, the model, the output, or the counts that are read."""
    folder.write("counts", b"1\t2\n")
    for name in ("text", "bytes.json", "out", "counts"):
        words = ("-o", "out", "--stochastic", 0.1, "--counts", "counts", "--count-tokens", name)
        folder.corpus("tokenize", "-m", "bytes.json", "text", *words).failed(2, "token counts")
    assert folder.read("counts") == b"1\t2\n"


def test_python_has_them_too(folder):
    """The function takes the same options and tells the growth."""
    text, model = folder.path / "text", folder.path / "bytes.json"
    result = corpustools.tokenize(model, text, folder.path / "a", stochastic=0.4, seed="seed", workers=2)
    assert result.seed == "seed"
    assert result.growth is not None
    assert result.growth > 0.1
    assert (
        folder.read("a")
        == folder.corpus("tokenize", "-m", "bytes.json", "text", *MODES["stochastic"], "-s", "seed").stdout
    )
    result = corpustools.tokenize(
        model, text, folder.path / "b", dropout=0.3, seed="seed", count_tokens=folder.path / "c"
    )
    assert result.growth is None
    assert read_counts(folder.path / "c", 400).sum() == result.tokens
    with pytest.raises(UsageError, match="no merges"):
        corpustools.tokenize(folder.path / "unigram.model", text, folder.path / "d", dropout=0.1)
    with pytest.raises(DataError, match="counts"):
        corpustools.tokenize(model, text, folder.path / "d", stochastic=0.1, counts=text)


def test_unknown_letters_are_never_drawn(folder):
    """A word with one stays canonical: its ids are the same under any seed."""
    model = MODELS["characters"]
    assert model.merges is not None
    folder.write("odd", "the café 天\n".encode())
    canonical = folder.corpus("tokenize", "-m", "spm.model", "odd").ok().stdout.split()
    drawn = folder.corpus("tokenize", "-m", "spm.model", "odd", "--stochastic", 1, "-s", 3).ok().stdout.split()
    assert drawn != canonical
    assert drawn[-1] == canonical[-1]


@pytest.mark.parametrize("mode", MODES)
def test_windows_of_drawn_words_are_verified(folder, mode):
    """The manifest of the run tells how words were drawn, so that windows of best fit can be made again."""
    words = ("tokenize", "-m", "spm.model", "text", *MODES[mode], "-s", 7, "-f", "npy", "-o", "w.npy")
    folder.corpus(*words, "--context", 64, "--pack", "best-fit", "--manifest", "w.npy.json").ok()
    folder.corpus("verify", "w.npy", "-m", "spm.model", "--source", "text").ok()
    facts = json.loads(folder.read("w.npy.json"))
    facts["request"][mode] = 0.9
    folder.write("w.npy.json", json.dumps(facts).encode())
    changed = folder.corpus("verify", "w.npy", "-m", "spm.model", "--source", "text")
    assert changed.status == 1
    assert "check that model and options" in changed.stderr

"""The real `corpus tokenize` and `corpus detokenize` in fresh folders."""

import gzip
import itertools
import json
import math
import random

import harness
import numpy as np
import pytest
import sentencepiece
from harness import needs_speed
from spm_files import spm_model, train

from corpustools.stages.tokenize.tokenizer import Tokenizer

WORDS = [
    *["the", "quick", "brown", "fox", "jumps", "over", "the", "lazy", "dog", "and", "runs", "away"],
    "天地玄黄宇宙洪荒",
]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "t.model"
    path.write_bytes(train(model_type="unigram"))
    return path


@pytest.fixture(scope="module")
def lines():
    chance = random.Random(5)
    return [" ".join(chance.choices(WORDS, k=chance.randrange(0, 30))) for _ in range(3000)]


@pytest.fixture
def text(tmp_path, lines):
    path = tmp_path / "a.txt"
    path.write_text("\n".join(lines), encoding="utf-8")  # no newline at the end
    return path


def corpus(*arguments, data=None, status=0, env=None):
    """Run the command; return what it wrote, or with a status what it said."""
    done = harness.run(*arguments, stdin=data, env=env)
    assert done.returncode == status, done.stderr.decode()
    return done.stdout if status == 0 else done.stderr.decode()


def test_ids_are_those_of_the_library(model, text, lines, tmp_path):
    """Every format holds the ids that the library gives."""
    ids, offsets = Tokenizer.load(model).encode_batch(lines)
    rows = [ids[a:b].tolist() for a, b in itertools.pairwise(offsets)]
    assert corpus("tokenize", "-m", model, text).decode() == "".join(" ".join(map(str, row)) + "\n" for row in rows)
    corpus("tokenize", "-m", model, text, "-f", "npy", "-o", tmp_path / "a.npy")
    array = np.load(tmp_path / "a.npy")
    assert (array.dtype, array.tolist()) == (np.uint16, ids.tolist())
    assert corpus("tokenize", "-m", model, text, "-f", "u32") == ids.astype("<u4").tobytes()
    corpus("tokenize", "-m", model, text, "-f", "u16", "--eos", "-o", tmp_path / "a.u16")
    eos = Tokenizer.load(model).model.control["eos"]
    assert np.fromfile(tmp_path / "a.u16", "<u2").tolist() == [i for row in rows for i in [*row, eos]]


def test_samples_depend_on_seed_and_epoch_and_on_nothing_else(model, text):
    """Workers, parts, pipes and compression change no sample."""

    def sample(*arguments, data=None):
        return corpus("tokenize", "-m", model, "--alpha", 0.3, "-q", *arguments, data=data)

    whole = sample("-s", 7, text)
    assert whole == sample("-s", 7, "-j", 1, text) == sample("-s", 7, "-j", 3, data=text.read_bytes())
    assert whole == sample("-s", 7, data=gzip.compress(text.read_bytes()))
    assert whole == b"".join(sample("-s", 7, "--part", f"{i}/5", text) for i in range(1, 6))
    assert (
        len(
            {
                whole,
                sample("-s", 8, text),
                sample("-s", 7, "--epoch", 1, text),
                sample("-s", 7, "--mode", "viterbi", text),
            }
        )
        == 4
    )
    rows = sample("-s", 7, "--samples", 3, text).splitlines()
    assert rows[::3] == whole.splitlines()
    assert rows[1::3] != rows[::3]


@pytest.mark.parametrize("kernels", ["plain"])
def test_the_twin_writes_the_same_bytes(model, tmp_path, lines, kernels):
    """Without compiled kernels the output is the same."""
    path = tmp_path / "few.txt"
    path.write_text("\n".join(lines[:40]), encoding="utf-8")
    for arguments in (
        ["--alpha", "0.2", "-s", "1", "-f", "jsonl", "--with", "score,logprob,entropy,length"],
        ["--scores", "f32"],
    ):
        command = ["tokenize", "-m", model, "-q", path, *arguments]
        assert corpus(*command) == corpus(*command, env={"CORPUS_KERNELS": kernels})


@needs_speed
def test_a_record_larger_than_a_block_is_one_record(model, tmp_path, lines):
    """A record that streams through in parts has the ids of the whole."""
    giant = " ".join(lines * 20)  # some megabytes without a newline
    path = tmp_path / "giant.txt"
    path.write_text(f"{lines[0]}\n{giant}\n{lines[1]}\n", encoding="utf-8")
    for arguments in ([], ["--alpha", "0.2", "-s", "1"], ["--scores", "f32"], ["-f", "u16", "--eos"]):
        parts = corpus("tokenize", "-m", model, path, "-q", *arguments)
        # --samples and jsonl take the record whole.
        if "-f" in arguments:
            tokenizer = Tokenizer.load(model)
            texts, eos = [lines[0], giant, lines[1]], tokenizer.model.control["eos"]
            expected = [i for text in texts for i in [*tokenizer.encode(text), eos]]
            assert np.frombuffer(parts, "<u2").tolist() == expected
        else:
            whole = corpus("tokenize", "-m", model, path, "-q", "-f", "jsonl", *arguments)
            assert parts.splitlines() == [
                " ".join(map(str, json.loads(line)["ids"])).encode() for line in whole.splitlines()
            ]


@needs_speed
def test_a_giant_record_of_a_part_belongs_to_the_part_it_begins_in(model, tmp_path, lines):
    """Parts concatenate to the whole where one record spans several of them."""
    path = tmp_path / "giant.txt"
    path.write_text("\n".join([*lines[:50], " ".join(lines * 50), *lines[:50]]), encoding="utf-8")
    whole = corpus("tokenize", "-m", model, path, "--alpha", 0.2, "-s", 1, "-q")
    parts = [
        corpus("tokenize", "-m", model, path, "--alpha", 0.2, "-s", 1, "-q", "--part", f"{i}/4") for i in range(1, 5)
    ]
    assert b"".join(parts) == whole


def test_jsonl_columns_agree_with_each_other_and_with_the_library(model, text, lines):
    """Each column is the library's value for the row's ids."""
    tokenizer = Tokenizer.load(model)
    names = "score,logprob,logz,entropy,length,pieces"
    out = corpus("tokenize", "-m", model, "-f", "jsonl", "--with", names, "--alpha", 0.5, "-s", 3, "--eos", "-q", text)
    for line, source in list(zip(out.splitlines(), lines, strict=True))[:40]:
        row = json.loads(line)
        assert list(row) == ["ids", *names.split(",")]
        assert row["ids"].pop() == tokenizer.model.control["eos"]
        assert row["score"] == pytest.approx(tokenizer.score(source, row["ids"]), abs=1e-9)
        assert row["logprob"] == pytest.approx(0.5 * row["score"] - row["logz"], abs=1e-9)
        assert row["logprob"] == pytest.approx(tokenizer.logprob(source, row["ids"], 0.5), abs=1e-9)
        assert row["entropy"] == pytest.approx(tokenizer.entropy(source, 0.5), abs=1e-9)
        assert len(row["pieces"]) == len(row["ids"]) + 1


def test_the_ids_are_sentencepiece_s_by_default(tmp_path):
    """Rows of dashes and tables, with ties in every other line: SentencePiece's ids, which those of f64 are not."""
    pieces = [("\u2581", -1.1), ("the", -2.5), ("|", -4.3), *(("-" * n, -2.6 - n / 2) for n in (1, 2, 3, 4, 8))]
    model = tmp_path / "ties.model"
    model.write_bytes(spm_model(pieces))
    chance = random.Random(4)
    rows = ["".join(chance.choice("-=*. the天") * chance.randrange(1, 80) for _ in range(5)) for _ in range(300)]
    rows += ["| " + " | ".join("-" * chance.randrange(9) for _ in range(9)) + " |" for _ in range(100)]
    path = tmp_path / "rows.txt"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    expected = sentencepiece.SentencePieceProcessor(model_file=str(model)).encode(rows)
    found = corpus("tokenize", "-m", model, "-q", path).splitlines()
    assert [[*map(int, line.split())] for line in found] == expected
    doubles = corpus("tokenize", "-m", model, "-q", "--scores", "f64", path).splitlines()
    assert doubles != found
    assert corpus("tokenize", "-m", model, "-q", "--nbest", 1, path).splitlines() == found


@pytest.mark.parametrize("scores", ["auto", "f64", "f32"])
def test_a_score_is_the_sum_in_doubles_of_the_path_that_was_taken(tmp_path, scores):
    """How the path was found does not round its score: neither of scores that float32 holds, nor of others."""
    (tmp_path / "v.vocab").write_text("<unk>\t0\na\t-1.1\nb\t-0.7\nab\t-1.8\n")
    (tmp_path / "text").write_text("ab" * 30 + "\nb\n")
    command = ["tokenize", "-m", tmp_path / "v.vocab", "--scores", scores, "-f", "jsonl", "--with", "score,logprob"]
    tokenizer = Tokenizer.load(tmp_path / "v.vocab")
    for line, source in zip(corpus(*command, tmp_path / "text").splitlines(), ["ab" * 30, "b"], strict=True):
        row = json.loads(line)
        assert row["ids"] == tokenizer.encode(source, scores=scores)
        assert row["score"] == pytest.approx(tokenizer.score(source, row["ids"]), abs=1e-12)
        assert row["logprob"] == pytest.approx(tokenizer.logprob(source, row["ids"]), abs=1e-12)


def test_nbest_and_unique(model, tmp_path):
    """The n best come in order, and unique samples differ."""
    path = tmp_path / "a.txt"
    path.write_text("the quick fox\n\n天地\n", encoding="utf-8")
    rows = [
        json.loads(r)
        for r in corpus(
            "tokenize", "-m", model, "--nbest", 4, "-f", "jsonl", "--with", "score,logprob", path
        ).splitlines()
    ]
    scores = [row["score"] for row in rows[:4]]
    assert scores == sorted(scores, reverse=True)
    assert len({tuple(row["ids"]) for row in rows[:4]}) == 4
    assert all(row["logprob"] <= 0 for row in rows)
    rows = corpus("tokenize", "-m", model, "--alpha", 0.1, "-s", 1, "--samples", 5, "--unique", path).splitlines()
    assert len(set(rows[:5])) == 5


def test_field_takes_text_out_of_objects(model, tmp_path):
    """--field tokenizes one value of each object; a missing one is an error."""
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "the fox", "n": 1}\n{"text": "天地\\nquick"}\n', encoding="utf-8")
    rows = corpus("tokenize", "-m", model, "--field", "text", path).decode().splitlines()
    tokenizer = Tokenizer.load(model)
    assert rows == [" ".join(map(str, tokenizer.encode(t))) for t in ("the fox", "天地\nquick")]
    assert "a.jsonl: record 1 has no 'body'" in corpus("tokenize", "-m", model, "--field", "body", path, status=1)


def test_detokenize_gives_the_text_back(model, text, lines, tmp_path):
    """Ids of any segmentation decode to the lines they came from."""
    ids = corpus("tokenize", "-m", model, "--alpha", 0.1, "-s", 2, text)
    assert corpus("detokenize", "-m", model, data=ids).decode() == "".join(line + "\n" for line in lines)
    objects = corpus("tokenize", "-m", model, "-f", "jsonl", text)
    corpus("detokenize", "-m", model, "-f", "jsonl", "-o", tmp_path / "back", data=objects)
    assert (tmp_path / "back").read_text(encoding="utf-8").splitlines() == lines


def test_pieces_never_break_a_line_or_a_column(tmp_path):
    """Pieces are written one row a record, with a space between."""
    vocabulary = tmp_path / "v.tsv"
    rows = {"a": -1.0, "b": -1.0, "ab": -1.5}
    vocabulary.write_text("".join(f"{piece}\t{score}\n" for piece, score in rows.items()))
    out = corpus("tokenize", "-m", vocabulary, "-f", "pieces", data=b"ab\nba\n").decode()
    assert out == "ab\nb a\n"


def test_manifest_and_summary(model, text, tmp_path):
    """The seed that was drawn is told, and repeats the output."""
    command = [
        "tokenize",
        "-m",
        model,
        text,
        "--alpha",
        "0.5",
        "-o",
        tmp_path / "out",
        "--manifest",
        tmp_path / "m.json",
    ]
    done = harness.run(*command)
    facts = json.loads((tmp_path / "m.json").read_text())
    assert (facts["command"], facts["records"], facts["alpha"]) == ("tokenize", 3000, 0.5)
    assert f"--seed {facts['seed']}" in done.stderr.decode()
    again = corpus("tokenize", "-m", model, text, "--alpha", 0.5, "-s", facts["seed"])
    assert again == (tmp_path / "out").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--alpha", "-1"], 2, "alpha is -1.0"),
        (["--alpha", "nan"], 2, "alpha is nan"),
        (["-f", "npy"], 2, "needs a plain file"),
        (["--with", "score"], 2, "use format jsonl"),
        (["-f", "jsonl", "--with", "scores"], 2, "accepted are score"),
        (["--samples", "2"], 2, "samples in the model's own mode"),
        (["--unique"], 2, "mode sample"),
        (["--mode", "sample", "--scores", "f32"], 2, "mode viterbi"),
        (["--samples", "0", "--alpha", "1"], 2, "accepted are 1 to 2^32"),
        (["--part", "1/2", "-"], 2, "needs plain files"),
        (["missing.txt"], 1, "missing.txt: cannot be read"),
    ],
)
def test_what_cannot_be_meant_is_one_clear_line(model, arguments, status, message):
    """A wrong call is one line with the right status."""
    error = corpus("tokenize", "-m", model, *arguments, data=b"the fox\n", status=status)
    assert message in error
    assert error.count("\n") == 1


def test_models_and_ids_that_are_none(model, tmp_path):
    """A model that is none and ids that are none are each named."""
    assert "cannot read the model" in corpus("tokenize", "-m", tmp_path / "none", data=b"", status=1)
    (tmp_path / "empty").write_bytes(b"")
    assert corpus("tokenize", "-m", tmp_path / "empty", data=b"a\n", status=1).count("\n") == 1
    assert "input: record 2: " in corpus("detokenize", "-m", model, data=b"5\n5 70000\n", status=1)
    assert "is no id" in corpus("detokenize", "-m", model, data=b"5 -1\n", status=1)
    assert "larger" in corpus("detokenize", "-m", model, data=b"99999999999999999999999\n", status=1)
    assert "no list of ids" in corpus("detokenize", "-f", "jsonl", "-m", model, data=b'{"ids": [1.5]}\n', status=1)


def test_a_bpe_vocabulary_samples_uniformly_and_refuses_the_rest(tmp_path):
    """Without weights samples have alpha 0 and nothing else, and no segmentation is the best."""
    path = tmp_path / "bpe.model"
    path.write_bytes(train(model_type="bpe"))
    error = corpus("tokenize", "-m", path, "--alpha", 0.5, "-s", 1, data=b"the\n", status=2)
    assert "only alpha = 0" in error
    assert corpus("tokenize", "-m", path, "--mode", "viterbi", data=b"the\n", status=2).count("\n") == 1
    out = corpus(
        "tokenize", "-m", path, "--alpha", 0, "-s", 1, "-f", "jsonl", "--with", "logprob,logz,entropy", data=b"the\n"
    )
    row = json.loads(out)
    assert row["logprob"] == pytest.approx(-row["logz"])
    assert row["entropy"] == pytest.approx(row["logz"])
    assert math.exp(row["logz"]) == pytest.approx(round(math.exp(row["logz"])))


def test_a_vocabulary_larger_than_16_bits_is_no_u16(tmp_path):
    """Ids are never cut to fit a format."""
    path = tmp_path / "large.tsv"
    path.write_text("".join(f"w{i}\t-1.0\n" for i in range(70000)))
    assert "do not fit into 16 bits" in corpus("tokenize", "-m", path, "-f", "u16", data=b"w1\n", status=2)

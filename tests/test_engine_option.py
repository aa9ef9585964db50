"""`corpus tokenize --engine`: the same ids by either engine, some documents checked, and what is said of it."""

import json
import random
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from bpe_files import byte_level_file, sentencepiece_file
from harness import Folder

from corpustools import tokenize
from corpustools.errors import DataError, UsageError
from corpustools.stages.tokenize.models import parse
from corpustools.stages.tokenize.tokenizer import Tokenizer

tokenizers = pytest.importorskip("tokenizers", reason="the peer is missing: pip install tokenizers")

END = {"content": "</s>"}
PARTS = ["the", " quick", " brown", " fox", "  ", "don't", " 1234", "été", "天地", "</s>", ".", " it", "q", "\t", "'"]


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


def lines(size, seed=1):
    """Return about `size` bytes of lines made of words that the small models have merges for."""
    rng = random.Random(seed)
    out, total = [], 0
    while total < size:
        line = "".join(rng.choices(PARTS, k=rng.randrange(40))).encode() + b"\n"
        out.append(line)
        total += len(line)
    return b"".join(out)


def write(folder, name, data):
    folder.write(name, data)
    return data


def test_both_engines_write_the_same(folder: Folder):
    """Ids, with bos and eos or without, from lines or JSON objects, by any number of threads and in parts."""
    folder.write("m.json", byte_level_file(added=[END]))
    text = lines(60_000)
    folder.write("t", text)
    objects = [json.dumps({"text": line.decode()}).encode() + b"\n" for line in text.splitlines()]
    folder.write("t.jsonl", b"".join(objects))
    for options in ("t.jsonl --field text -f jsonl -j 3", "t --eos -f u16 --context 64 --special text"):
        fast = folder.corpus("tokenize", "-m", "m.json", *options.split(), "--engine", "fast", "-q").ok()
        slow = folder.corpus("tokenize", "-m", "m.json", *options.split(), "--engine", "reference", "-q").ok()
        assert fast.stdout == slow.stdout
        assert len(fast.stdout) > 20_000
    parts = [
        folder.corpus("tokenize", "-m", "m.json", "t", "--engine", "reference", "--part", f"{i}/2", "-q").ok().stdout
        for i in (1, 2)
    ]
    assert b"".join(parts) == folder.corpus("tokenize", "-m", "m.json", "t", "-q").ok().stdout


def test_the_reference_writes_sentencepiece_models_too(folder: Folder):
    """Its library takes any bytes, so nothing is left to our engine."""
    folder.write("m.model", sentencepiece_file())
    folder.write("t", lines(20_000) + b"a\xffb\0c\n")
    fast = folder.corpus("tokenize", "-m", "m.model", "t", "--engine", "fast", "-q").ok()
    slow = folder.corpus("tokenize", "-m", "m.model", "t", "--engine", "reference", "--manifest", "r").ok()
    assert fast.stdout == slow.stdout
    facts = json.loads(folder.read("r"))
    assert facts["library"].startswith("sentencepiece ")
    assert facts["others"] == 0


def test_records_that_the_library_cannot_take_are_counted(folder: Folder):
    """Bytes that are not UTF-8 have ids of bytes, by our engine, in their place among the others."""
    folder.write("m.json", byte_level_file())
    folder.write("t", b"the fox\n\xff\xfe\nthe\xed\xa0\x80\nfox\n")
    slow = folder.corpus("tokenize", "-m", "m.json", "t", "--engine", "reference", "--manifest", "r").ok()
    assert slow.stdout == folder.corpus("tokenize", "-m", "m.json", "t", "--engine", "fast", "-q").ok().stdout
    assert "2 records that are not UTF-8" in slow.stderr
    facts = json.loads(folder.read("r"))
    assert (facts["engine"], facts["others"]) == ("reference", 2)
    assert facts["library"] == f"tokenizers {tokenizers.__version__}"
    assert "checked" not in facts


def test_documents_are_checked_and_counted(folder: Folder):
    """A run of more than a mebibyte has its first documents checked; manifest and summary say so."""
    folder.write("m.json", byte_level_file(added=[END]))
    folder.write("t", lines(1_200_000))
    counts = set()
    for workers in ("1", "3"):
        done = folder.corpus("tokenize", "-m", "m.json", "t", "-o", "o", "-j", workers, "--manifest", "r").ok()
        facts = json.loads(folder.read("r"))
        assert (facts["engine"], facts["library"]) == ("fast", f"tokenizers {tokenizers.__version__}")
        drawn = folder.corpus("tokenize", "-m", "m.json", "t", "-o", "o", "--stochastic", 0.4, "--manifest", "d").ok()
        assert json.loads(folder.read("d"))["checked"] == facts["checked"]
        assert f", {facts['checked']} documents checked" in drawn.stderr
        assert f", {facts['checked']} documents checked by tokenizers {tokenizers.__version__}" in done.stderr
        counts.add(facts["checked"])
    first = len(folder.read("t")[: 1 << 18].splitlines())
    [count] = counts
    assert first <= count <= first + 10


def test_small_and_unguarded_runs_load_nothing(folder: Folder):
    """The library is not even imported; no one is told of what nobody expects."""
    folder.write("m.json", byte_level_file())
    folder.write("small", b"the fox\n" * 1000)
    folder.write("large", b"the fox\n" * 200_000)
    script = (
        "import sys\nfrom corpustools import tokenize\n"
        "done = tokenize('m.json', sys.argv[1], 'o', engine=sys.argv[2])\n"
        "print(done.checked, done.unchecked, done.library, 'tokenizers' in sys.modules)\n"
    )
    for name, engine, said in (
        ("small", "auto", "0 less than 1 MiB was read None False"),
        ("large", "fast", "None None None False"),
    ):
        words = [sys.executable, "-c", script, name, engine]
        done = subprocess.run(words, cwd=folder.path, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == said
    quiet = folder.corpus("tokenize", "-m", "m.json", "small", "-o", "o").ok()
    assert "checked" not in quiet.stderr


def with_wrong_merge(data):
    """Return a tokenizer whose table of merges joins two pairs in the other order; its file is right."""
    model = parse(data, "m")
    priority = model.merges.priority.copy()
    priority[:2] = priority[1::-1]
    return Tokenizer(replace(model, merges=replace(model.merges, priority=priority)))


@pytest.mark.parametrize("form", ["ids", "npy"])
def test_a_wrong_merge_is_caught(folder: Folder, form):
    """The run ends with the first record that differs, and nothing is published."""
    merges = [["a", "b"], ["b", "c"]]
    text = b"ab bc xyz\n" * 5 + b"x abc\n" + b"abc\n" * 300_000
    folder.write("t", text)
    wrong = with_wrong_merge(byte_level_file(merges))
    said = r"t: record 6: token 2 of the fast engine is 64 \('a'\), and that of tokenizers [\d.]+ is 256 \('ab'\); take"
    with pytest.raises(DataError, match=said):
        tokenize(wrong, folder.path / "t", folder.path / f"o.{form}", format=form, workers=1, stochastic=0.5)
    with pytest.raises(DataError, match=said):
        tokenize(wrong, folder.path / "t", folder.path / f"o.{form}", format=form, workers=1)
    assert folder.names() == ["t", "tmp"]
    # The library alone is right whatever our tables are, and without a guard nobody notices.
    right = tokenize(wrong, folder.path / "t", folder.path / "r", engine="reference")
    missed = tokenize(wrong, folder.path / "t", folder.path / "f", engine="fast")
    assert (right.engine, missed.engine) == ("reference", "fast")
    assert folder.read("r").splitlines()[6] == b"256 66"
    assert folder.read("f").splitlines()[6] == b"64 257"


def test_a_difference_behind_the_first_documents_is_caught_by_chance(folder: Folder):
    """One in ten thousand of all documents is compared, so that what differs everywhere shows in a long run."""
    folder.write("t", b"xyz\n" * 70_000 + b"abc\n" * 300_000)
    with pytest.raises(DataError, match=r"t: record \d{5,6}: token 0"):
        tokenize(with_wrong_merge(byte_level_file([["a", "b"], ["b", "c"]])), folder.path / "t", folder.path / "o")


def test_an_added_token_that_is_read_wrongly_is_caught(folder: Folder):
    """An id of a special token that is not the library's is a difference like any other."""
    model = parse(byte_level_file(added=[END, {"content": "<sep>"}]), "m")
    outputs = np.arange(len(model.pieces), dtype=np.int32) if model.outputs is None else model.outputs.copy()
    outputs[-1], outputs[-2] = outputs[-2], outputs[-1]
    folder.write("t", b"a</s>b\n" * 200_000)
    for more in ({}, {"stochastic": 0.3, "samples": 2}):
        with pytest.raises(DataError, match=r"t: record \d+: token 1 .*'<sep>'.*'</s>'"):
            tokenize(Tokenizer(replace(model, outputs=outputs)), folder.path / "t", folder.path / "o", **more)


def test_without_tokenizers_one_line_names_the_extra(folder: Folder):
    """Our engine writes the same ids all the same, and says once that they were not checked."""
    folder.write("m.json", byte_level_file())
    folder.write("t", b"the fox\n" * 200_000)
    (folder.path / "shadow").mkdir()
    folder.write("shadow/tokenizers.py", b"raise ImportError('no tokenizers here')\n")
    without = {"PYTHONPATH": str(folder.path / "shadow")}
    folder.corpus("tokenize", "-m", "m.json", "t", "-o", "o", "--engine", "reference", env=without).failed(
        1, "pip install 'corpustools[bpe]'"
    )
    done = folder.corpus("tokenize", "-m", "m.json", "t", "-o", "o", "--manifest", "r", env=without).ok()
    notes = [line for line in done.stderr.splitlines() if "not checked" in line]
    assert len(notes) == 1
    assert "pip install 'corpustools[bpe]'" in notes[0]
    assert json.loads(folder.read("r"))["checked"] == 0
    with_library = folder.corpus("tokenize", "-m", "m.json", "t", "-q").ok()
    assert folder.read("o") == with_library.stdout


def test_engines_are_for_canonical_ids(folder: Folder):
    """Samples and models without merges have no engines, and there are no others."""
    folder.write("m.json", byte_level_file())
    folder.write("u.vocab", b"a\t-1\nb\t-2\n")
    folder.write("t", b"ab\n")
    folder.corpus("tokenize", "-m", "m.json", "t", "--alpha", "0", "--engine", "reference").failed(2, "in mode sample")
    folder.corpus("tokenize", "-m", "u.vocab", "t", "--engine", "fast").failed(2, "in mode viterbi")
    with pytest.raises(UsageError, match="engine 'slow'"):
        tokenize(folder.path / "m.json", folder.path / "t", folder.path / "o", engine="slow")
    assert tokenize(folder.path / "u.vocab", folder.path / "t", folder.path / "o").engine is None


def test_a_pipe_has_the_ids_of_a_file(folder: Folder):
    """The guard reads nothing itself: standard input and a model from a pipe do as well."""
    folder.write("m.json", byte_level_file(added=[END]))
    text = lines(1_100_000)
    done = folder.corpus("tokenize", "-m", "m.json", stdin=text).ok()
    assert "documents checked" in done.stderr
    folder.write("t", text)
    assert folder.corpus("tokenize", "-m", "m.json", "t", "--engine", "fast", "-q").ok().stdout == done.stdout


def test_a_long_record_goes_by(folder: Folder):
    """A record of several mebibytes is not compared, and is whole beside others; the reference writes it too."""
    folder.write("m.json", byte_level_file())
    folder.write("t", b"the fox\n" + b" quick brown" * 300_000 + b"\nfox\n")
    fast = folder.corpus("tokenize", "-m", "m.json", "t", "-f", "u16", "-o", "f", "--engine", "fast").ok()
    slow = folder.corpus("tokenize", "-m", "m.json", "t", "-f", "u16", "-o", "r", "--engine", "reference").ok()
    folder.corpus("tokenize", "-m", "m.json", "t", "-f", "u16", "-o", "a").ok()
    assert folder.read("f") == folder.read("r") == folder.read("a")
    assert "3 records" in fast.stderr
    assert "3 records" in slow.stderr

"""What `import corpustools` offers: names, types, and a tokenizer that travels and shows itself."""

import ast
import base64
import itertools
import json
import os
import pickle
import re
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import is_dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from spm_files import train
from test_huggingface import byte_level, tokenizer_json

import corpustools
from corpustools import CorpusError, DataError, Tokenizer, UsageError

SCRIPT = """\
import corpustools
from corpustools import CorpusError, Tokenizer, detokenize, explain, nabc, nabc_range, shuffle, tokenize


def progress(phase: str, done: int, total: int | None) -> None:
    print(phase, done, total)


def main() -> None:
    try:
        shuffled = shuffle(["a.txt", "b.txt"], "out.txt", seed="42", memory="8G", progress=progress)
    except CorpusError as error:
        raise SystemExit(error.exit_code) from error
    tokenizer = Tokenizer.load("t.model")
    written = tokenize(tokenizer, "out.txt", "out.u16", format="u16", alpha=0.2, seed=7, eos=True, context=2048)
    ids: list[int] = tokenizer.encode("text")
    samples: list[list[int]] = tokenizer.sample("text", alpha=0.5, k=3)
    text: str = tokenizer.decode(ids) + tokenizer.decode_batch(samples)[0] + tokenizer.id_to_piece(ids[0])
    bos: int | None = tokenizer.bos_id
    entropy: float = explain(tokenizer, text).entropy + tokenizer.explain(text, alpha=0.5).log_z
    back: int = detokenize("t.model", "ids.txt", "text.txt").records + shuffled.records + written.tokens
    print(back, entropy, bos, nabc(10**9).sum, nabc_range(0, 100).a.dtype, corpustools.__version__)
"""
WRONG = """\
from corpustools import Tokenizer, nabc, shuffle, tokenize

shuffle(3, "out")
tokenize("t.model", "in", "out", formt="u16")
Tokenizer.load("t.model").encode(3)
nabc("one")
"""
FLAG = re.compile(r"--[a-z]|(?:^|[\s(])-[a-z](?: |$)")
PACKAGE = Path(corpustools.__file__).parent


def mypy(path: Path, script: str):
    """Run mypy as a user does, from another folder."""
    (path / "script.py").write_text(script)
    command = [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "script.py"]
    # An editable installation is found by a hook in the interpreter, which a type checker does not run.
    env = os.environ | {"MYPYPATH": str(PACKAGE.parent)}
    return subprocess.run(command, cwd=path, env=env, capture_output=True, text=True, check=False)


@pytest.mark.heavy
def test_a_users_script_is_checked_by_types(tmp_path):
    """`mypy --strict` finds the types of the public names, and what is wrong about a call."""
    right = mypy(tmp_path, SCRIPT)
    assert right.returncode == 0, right.stdout
    wrong = mypy(tmp_path, WRONG).stdout
    assert {int(line.split(":")[1]) for line in wrong.splitlines() if ": error:" in line} == {3, 4, 5, 6}, wrong


def test_dir_offers_the_public_names_and_each_is_there():
    """dir() is the list, every name is documented, and nothing is listed that does not exist."""
    assert dir(corpustools) == sorted(corpustools.__all__)
    for name in corpustools.__all__:
        assert getattr(corpustools, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'shufle'"):
        corpustools.shufle  # noqa: B018


def test_names_for_type_checkers_are_the_names_that_are_there():
    """What a type checker reads under TYPE_CHECKING is what is imported when a name is asked for."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    homes = {one.asname: node.module for node in block.body if isinstance(node, ast.ImportFrom) for one in node.names}
    assert homes == corpustools._HOMES
    assert set(homes) | {"__version__"} == set(corpustools.__all__)


def test_results_are_frozen_dataclasses():
    """One convention: what a function reports is a frozen dataclass of plain counts."""
    for name in corpustools.__all__:
        if name.endswith("Result") or name == "Explanation":
            made = getattr(corpustools, name)
            assert is_dataclass(made), name
            assert made.__dataclass_params__.frozen, name


def models(folder: Path):
    """Give paths of models of several kinds."""
    bytepiece = {base64.b64encode(bytes([byte])).decode(): [3 + byte, "", 1 + byte] for byte in range(256)}
    splitter = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
    vocab = [["<unk>", 0.0], ["▁", -2.0], ["a", -1.0], ["▁a", -1.5], ["b", -3.0]]
    files = {
        "unigram.model": train(model_type="unigram", byte_fallback=True, vocab_size=330),
        "bytes.model": json.dumps(bytepiece).encode(),
        "unigram.json": json.dumps(tokenizer_json("Precompiled", splitter, vocab=vocab)).encode(),
        "bpe.json": json.dumps(byte_level("Llama 3")).encode(),
        "letters.vocab": b"a\t-1.5\nb\t-2.0\nab\t-2.5\n",
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
        yield name, folder / name


def test_a_tokenizer_travels_and_stays_the_same(tmp_path):
    """Every kind of model survives pickling, with its ids, its samples and its normalisation."""
    text = "ab \uff21 a\tb é"
    for name, path in models(tmp_path):
        tokenizer = Tokenizer.load(path)
        copy = pickle.loads(pickle.dumps(tokenizer))
        assert copy.path == str(path), name
        assert copy.normalize(text) == tokenizer.normalize(text), name
        assert copy.sample(text, 0.0, seed=3, k=4) == tokenizer.sample(text, 0.0, seed=3, k=4), name
        if tokenizer.model.weighted:
            assert copy.encode(text) == tokenizer.encode(text), name


def test_a_tokenizer_is_sent_to_a_process(tmp_path):
    """Workers of a data loader get it as an argument."""
    tokenizer = Tokenizer.from_scores({"a": -1.5, "b": -2.0, "ab": -2.5})
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        assert pool.submit(tokenizer.encode, "abba").result() == [2, 1, 0]


def test_a_tokenizer_shows_its_vocabulary(tmp_path):
    """Kind, number of ids and path are printed; ids, pieces and control ids are told."""
    (tmp_path / "t.model").write_bytes(train(model_type="unigram", byte_fallback=True, vocab_size=310, pad_id=3))
    tokenizer = Tokenizer.load(tmp_path / "t.model")
    expected = f"Tokenizer(kind='sentencepiece-unigram', vocab_size=310, path={str(tmp_path / 't.model')!r})"
    assert repr(tokenizer) == expected
    assert (len(tokenizer), tokenizer.vocab_size) == (310, 310)
    assert (tokenizer.unk_id, tokenizer.bos_id, tokenizer.eos_id, tokenizer.pad_id) == (0, 1, 2, 3)
    assert tokenizer.id_to_piece(tokenizer.piece_to_id("<0x41>")) == "<0x41>"
    for i in range(tokenizer.vocab_size):
        assert tokenizer.piece_to_id(tokenizer.id_to_piece(i)) == i
    for wrong in (-1, 310):
        with pytest.raises(DataError, match="outside the vocabulary of 310"):
            tokenizer.id_to_piece(wrong)
    with pytest.raises(DataError, match="no piece 'nowhere'"):
        tokenizer.piece_to_id("nowhere")
    letters = Tokenizer.from_scores({"a": -1.0})
    assert repr(letters) == "Tokenizer(kind='vocabulary', vocab_size=2)"
    assert (letters.bos_id, letters.eos_id, letters.pad_id, letters.unk_id) == (None, None, None, 1)


def test_batches_are_decoded():
    """Lists of ids, or the two arrays that encode_batch returns."""
    tokenizer = Tokenizer.from_scores({"a": -1.5, "b": -2.0, "ab": -2.5})
    texts = ["abba", "", "b"]
    ids, offsets = tokenizer.encode_batch(texts)
    assert tokenizer.decode_batch(ids, offsets) == texts
    assert tokenizer.decode_batch([ids[a:b] for a, b in itertools.pairwise(offsets)]) == texts
    assert tokenizer.decode_batch(tokenizer.sample("abab", 0.5, k=3)) == ["abab"] * 3
    assert tokenizer.decode_batch([]) == []


def test_scores_make_a_tokenizer_as_a_file_does(tmp_path):
    """from_scores is the file of `piece TAB score`, control and byte pieces included."""
    scores = {"<unk>": 0.0, "<s>": 0.0, "▁the": -2.0, "▁": -3.0, "t": -4.5, "h": -4.0, "e": -4.25}
    (tmp_path / "v.vocab").write_text("".join(f"{piece}\t{score}\n" for piece, score in scores.items()))
    made, read = Tokenizer.from_scores(scores), Tokenizer.load(tmp_path / "v.vocab")
    for text in ("the the", "  then", "é"):
        assert made.encode(text) == read.encode(text)
        assert made.sample(text, 0.3, k=5) == read.sample(text, 0.3, k=5)
    assert made.bos_id == read.bos_id == 1
    ranks = Tokenizer.from_scores({"a": 0.0, "b": -1.0, "c": -2.0})
    assert ranks.encode("cab") == [2, 0, 1]


@pytest.mark.parametrize("scores", [{}, {"<s>": 0.0}, {"a": 1.0}, {"a": float("nan")}, {"a": float("-inf")}])
def test_scores_that_are_none_are_refused(scores):
    """Scores are logarithms of probabilities."""
    with pytest.raises(UsageError):
        Tokenizer.from_scores(scores)


@pytest.fixture
def letters(tmp_path, monkeypatch):
    """Make a model and a text in a folder of their own."""
    monkeypatch.chdir(tmp_path)
    Path("letters.vocab").write_text("a\t-1.5\nb\t-2.0\nab\t-2.5\n")
    Path("letters.txt").write_text("abba\nb\nabab\n")
    return tmp_path


def test_files_go_there_and_back(letters):
    """tokenize and detokenize take a path or a tokenizer, one input or several, and report plain counts."""
    done = corpustools.tokenize("letters.vocab", "letters.txt", "ids", workers=1)
    assert (done.records, done.segmentations, done.tokens, done.seed, done.windows) == (3, 3, 6, None, None)
    tokenizer = Tokenizer.load("letters.vocab")
    back = corpustools.detokenize(tokenizer, [Path("ids")], Path("again.txt"))
    assert (back.records, back.tokens, back.bytes) == (3, 6, 12)
    assert Path("again.txt").read_text() == Path("letters.txt").read_text()


def test_samples_are_repeated_by_the_seed_of_the_result(letters):
    """alpha asks for samples; a fresh seed is told."""
    first = corpustools.tokenize("letters.vocab", "letters.txt", "a", alpha=0.5, samples=4)
    assert first.seed
    again = corpustools.tokenize("letters.vocab", "letters.txt", "b", alpha=0.5, samples=4, seed=first.seed)
    assert (first.segmentations, again.seed) == (12, first.seed)
    assert Path("a").read_bytes() == Path("b").read_bytes()


def test_windows_are_counted(letters):
    """An incomplete last window is dropped and told."""
    done = corpustools.tokenize("letters.vocab", "letters.txt", "ids", format="u16", context=4)
    assert (done.tokens, done.windows, done.dropped) == (4, 1, 2)
    assert np.fromfile("ids", "<u2").tolist() == [2, 1, 0, 1]


@pytest.mark.parametrize(
    "options",
    [
        {"mode": "worst"},
        {"samples": 2},
        {"nbest": -1},
        {"nbest": 2, "alpha": 1.0},
        {"unique": True},
        {"mode": "viterbi-sampling", "columns": ["logprob"], "format": "jsonl"},
        {"scores": "f32", "alpha": 1.0},
        {"context": -3},
        {"columns": ["scor"], "format": "jsonl"},
        {"columns": ["score"]},
        {"format": "parket"},
        {"bos": True},
        {"workers": 0},
        {"part": (3, 2)},
        {"alpha": -1.0},
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_refused_before_anything_is_written(letters, options):
    """A UsageError that says what is accepted, names no flag of the command line, and leaves no output."""
    with pytest.raises(UsageError) as caught:
        corpustools.tokenize("letters.vocab", "letters.txt", "ids", **options)
    assert "--" not in str(caught.value)
    assert not Path("ids").exists()


def test_detokenize_refuses_a_format_that_it_does_not_read(letters):
    """The accepted formats are named."""
    with pytest.raises(UsageError, match="ids"):
        corpustools.detokenize("letters.vocab", "letters.txt", "again", format="npy")


def test_memory_is_given_as_people_write_it(letters):
    """memory="1G" works from Python as on the command line, and another text is a UsageError."""
    assert corpustools.shuffle("letters.txt", "out", seed=1, memory="1G").records == 3
    with pytest.raises(UsageError, match="'much' is not a size"):
        corpustools.shuffle("letters.txt", "out", memory="much")


def test_the_kinds_of_errors_have_their_exit_codes():
    """One `except CorpusError` catches all; the kind says whose fault it is."""
    public = {name: getattr(corpustools, name) for name in corpustools.__all__}
    kinds = {name: kind for name, kind in public.items() if isinstance(kind, type) and issubclass(kind, CorpusError)}
    codes = {name: kind.exit_code for name, kind in kinds.items()}
    assert codes == {
        "CorpusError": 1,
        "DataError": 1,
        "Difference": 1,
        "Incomplete": 3,
        "SystemFailure": 1,
        "UnsupportedModel": 1,
        "UsageError": 2,
    }


def strings(path: Path):
    """Give the string literals of a file that are no docstrings, with their lines."""
    tree = ast.parse(path.read_text("utf-8"))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docstrings = {id(node.body[0].value) for node in ast.walk(tree) if isinstance(node, documented) and node.body
                  and isinstance(node.body[0], ast.Expr)}  # fmt: skip
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value


def test_the_library_names_no_flags():
    """A caller from Python never typed --memory: errors name the idea; only cli/ knows flags."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.relative_to(PACKAGE).parts[0] != "cli":
            # Flags of another program, named together with it, are help.
            lines = [(line, text) for line, text in strings(path) if FLAG.search(text) and "zstd -" not in text]
            found += [f"{path.relative_to(PACKAGE)}:{line}: {text}" for line, text in lines]
    assert not found, "\n".join(found)


MISTAKES = {
    "a part of samples without a seed": lambda t, path: corpustools.tokenize(t, path, "o", alpha=0.2, part=(1, 2)),
    "no inputs": lambda t, path: corpustools.shuffle([], "o"),
    "no inputs to tokenize": lambda t, path: corpustools.tokenize(t, [], "o"),
    "a delimiter that is no byte": lambda t, path: corpustools.shuffle(path, "o", delimiter="\n"),
    "a text that is none": lambda t, path: t.encode(5),
    "ids for a text": lambda t, path: t.encode([97, 98]),
    "no text": lambda t, path: t.encode(None),
    "one text for several": lambda t, path: t.encode_batch("ab"),
    "no samples": lambda t, path: t.sample("ab", k=0),
    "fewer samples": lambda t, path: t.sample("ab", k=-1, unique=True),
    "an epoch before the first": lambda t, path: t.sample("ab", epoch=-1),
    "an epoch too far": lambda t, path: t.sample_batch(["ab"], epoch=1 << 32),
    "a record before the first": lambda t, path: t.sample("ab", record=-1),
    "a record too far": lambda t, path: t.sample_batch(["ab"], first_record=1 << 64),
    "no seed": lambda t, path: t.sample("ab", seed=None),
    "ids without offsets": lambda t, path: t.decode_batch(t.encode_batch(["ab"])[0]),
    "pieces that are no text": lambda t, path: corpustools.Tokenizer.from_scores({b"a": -1.0}),
    "scores that are no numbers": lambda t, path: corpustools.Tokenizer.from_scores({"a": "-1"}),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_a_usage_error(mistake, tmp_path, monkeypatch):
    """What a caller got wrong is said in one line, and nothing is guessed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").write_text("ab\n")
    tokenizer = corpustools.Tokenizer.from_scores({"a": -1.0, "b": -1.0})
    with pytest.raises(corpustools.UsageError, match="; "):
        MISTAKES[mistake](tokenizer, "in")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


def test_one_name_stands_for_a_list_of_one(tmp_path, monkeypatch):
    """A single path or column is not taken letter by letter."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").write_text("ab\n")
    assert corpustools.shuffle("in", "out", tmp_dirs=str(tmp_path), memory="1G").records == 1
    tokenizer = corpustools.Tokenizer.from_scores({"a": -1.0, "b": -1.0})
    assert corpustools.tokenize(tokenizer, "in", "ids", format="jsonl", columns="score").records == 1

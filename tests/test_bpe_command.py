"""`corpus tokenize` on byte-pair models: canonical ids are what a plain call writes, however it is run."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import harness
import numpy as np
import pytest
from bpe_models import odd_sentencepiece, trained_byte_level, trained_sentencepiece
from hypothesis import example, given, settings
from hypothesis import strategies as st
from spm_files import TEXT, train
from test_bpe_canonical import FILES, TEXTS, pair

import corpustools
from corpustools.errors import UsageError

sentencepiece = pytest.importorskip("sentencepiece")
tokenizers = pytest.importorskip("tokenizers")

LINES = [" ".join(TEXT[i : i + 9]) for i in range(0, 1000, 3)] + ["", " ", "天地  玄黄 é", "<|endoftext|>the fox"]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Model files by name."""
    folder = tmp_path_factory.mktemp("models")
    made = {
        "byte-level": trained_byte_level().encode(),
        "sentencepiece": trained_sentencepiece(),
        "odd": odd_sentencepiece(),
        "unigram": train(),
    }
    for name, data in made.items():
        (folder / name).write_bytes(data)
    return {name: folder / name for name in made}


def corpus(*arguments: object, data: bytes | None = None, status: int = 0) -> Any:
    """Run the command; return what it wrote, or with a status what it said."""
    done = harness.run(*arguments, stdin=data)
    assert done.returncode == status, done.stderr.decode()
    return done.stdout if status == 0 else done.stderr.decode()


def lines_of(ids: list[list[int]]) -> bytes:
    return "".join(" ".join(map(str, row)) + "\n" for row in ids).encode()


@pytest.mark.parametrize("name", ["byte-level", "sentencepiece"])
def test_a_plain_call_writes_the_ids_of_the_library(name: str, models: dict[str, Path], tmp_path: Path):
    """Whatever the workers, parts and pipes; the manifest says how, and nothing was drawn."""
    _, peer = pair(name)
    model, text = models[name], tmp_path / "text"
    text.write_text("\n".join(LINES) + "\n", "utf-8")
    wanted = lines_of([peer(line) for line in LINES])
    assert corpus("tokenize", "-m", model, text, "--manifest", tmp_path / "m.json") == wanted
    assert corpus("tokenize", "-m", model, "--mode", "canonical", "-j", 3, data=text.read_bytes()) == wanted
    parts = [corpus("tokenize", "-m", model, text, "-j", 2, "--part", f"{i}/3") for i in (1, 2, 3)]
    assert b"".join(parts) == wanted
    facts = json.loads((tmp_path / "m.json").read_text("utf-8"))
    assert facts["mode"] == "canonical"
    assert not {"seed", "alpha", "epoch"} & facts.keys()


@pytest.mark.parametrize("name", ["byte-level", "sentencepiece"])
def test_ids_lead_back_and_are_verified(name: str, models: dict[str, Path], tmp_path: Path):
    """What trainers read holds the text that went in, said by a command that reads both."""
    model, text = models[name], tmp_path / "text"
    text.write_text("\n".join(LINES[:-4]) + "\n", "utf-8")
    corpus("tokenize", "-m", model, text, "-f", "megatron", "-o", tmp_path / "out")
    corpus("verify", tmp_path / "out", "-m", model, "--source", text)
    ids = corpus("tokenize", "-m", model, text)
    assert corpus("detokenize", "-m", model, data=ids) == text.read_bytes()
    rows = corpus("tokenize", "-m", model, text, "-f", "jsonl", "--with", "pieces").splitlines()
    assert len(json.loads(rows[0])["pieces"]) == len(json.loads(rows[0])["ids"])
    corpus(
        "tokenize", "-m", model, text, *("-f", "npy", "--context", 64, "--pack", "best-fit", "-o", tmp_path / "w.npy")
    )
    corpus("verify", tmp_path / "w.npy", "-m", model, "--source", text, "--context", 64, "--pack", "best-fit")


def test_python_has_them_too(models: dict[str, Path]):
    """`encode` and `encode_batch` return what the command writes."""
    _, peer = pair("byte-level")
    tokenizer = corpustools.Tokenizer.load(models["byte-level"])
    ids, offsets = tokenizer.encode_batch(LINES)
    assert [ids[a:b].tolist() for a, b in pairwise(offsets)] == [peer(line) for line in LINES]
    assert tokenizer.encode("the fox") == peer("the fox")
    with pytest.raises(UsageError, match="add nothing up"):
        tokenizer.encode("the", scores="f32")


REFUSED = {
    "the best segmentation": (("byte-level", "--mode", "viterbi"), "canonical segmentation"),
    "the best ones": (("byte-level", "--nbest", 2), "canonical segmentation"),
    "one of several": (("byte-level", "--mode", "canonical", "--nbest", 2), "which has one"),
    "probabilities": (("byte-level", "-f", "jsonl", "--with", "logprob"), "neither scored nor drawn: logprob"),
    "several": (("byte-level", "--mode", "canonical", "--samples", 2), "which has one segmentation"),
    "several of the model's own": (("byte-level", "--samples", 2), "2 samples"),
    "rounding": (("byte-level", "--scores", "f32"), "merges add no scores up"),
    "a model without merges": (("unigram", "--mode", "canonical"), "has no merges"),
    "weights": (("byte-level", "--alpha", 0.5), "only alpha = 0"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_merges_cannot_tell_is_refused(case: str, models: dict[str, Path]):
    """One line says what was asked and what there is instead."""
    (name, *options), message = REFUSED[case]
    error = corpus("tokenize", "-m", models[name], *options, data=b"the\n", status=2)
    assert message in error
    assert error.count("\n") == 1


def test_options_without_effect_are_named(models: dict[str, Path]):
    """A seed changes nothing about canonical ids."""
    done = harness.run("tokenize", "-m", models["byte-level"], "-s", 1, stdin=b"the\n")
    assert "--seed change nothing about canonical segmentations" in done.stderr.decode()


@harness.needs_speed
@pytest.mark.parametrize("name", ["byte-level", "odd"])
def test_a_long_record(name: str, models: dict[str, Path], tmp_path: Path):
    """A record of 5 MB has the ids that it has in one piece; it passes in parts where the normaliser lets it."""
    text = tmp_path / "text"
    line = "中中b aab xyx é ü aa▁b bab " * 150_000
    text.write_text(f"{line}\nab\n", "utf-8")
    tokenizer = corpustools.Tokenizer.load(models[name])
    wanted = tokenizer.encode_batch([line, "ab"])[0]
    assert corpus("tokenize", "-m", models[name], text, "-f", "u32") == wanted.astype("<u4").tobytes()


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=40)
@given(text=TEXTS, cuts=st.lists(st.integers(0, 40), max_size=4))
@example("ü ü▁ü", [3, 4, 5])
@example("中中b aa▁b▁▁ab", [4, 7, 12, 14, 20])
def test_parts_of_a_record_have_the_ids_of_the_whole(name: str, text: str, cuts: list[int]):
    """Wherever the text is cut, inside a character, a mark, a symbol or a run of unknown letters."""
    canonical, _ = pair(name)
    canonical = canonical.around(1, 2)
    normalized = bytes(canonical.model.normalizer.normalize(text.encode()))
    whole = canonical.batch(normalized, np.array([0, len(normalized)], np.int64), 0)
    wanted = whole.ids.tolist()
    first = [wanted[place] for place in whole.special.tolist()][:1]
    places = sorted({0, *(min(cut, len(normalized)) for cut in cuts), len(normalized)} | {len(normalized)})
    stream = canonical.stream(0)
    found = [stream.feed(normalized[a:b], final=False).tolist() for a, b in pairwise(places)]
    found.append(stream.feed(b"", final=True).tolist())
    assert [i for ids in found for i in ids] == wanted
    assert stream.special == (first[0] if first else None)

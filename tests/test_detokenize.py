"""Ids back to texts: as many records as there were, whatever is in them, and errors that name file and record."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path

import pytest
from harness import Folder
from hypothesis import given
from hypothesis import strategies as st

from corpustools import Tokenizer, detokenize
from corpustools.errors import DataError, UsageError
from corpustools.formats.texts import TextWriter


class Sink(list):
    """Keeps what is written."""

    write = list.append


def written(texts: list[bytes], form: str) -> tuple[str, bytes]:
    """The form that texts are written in, and their bytes."""
    out = Sink()
    writer = TextWriter(out, form)
    for i, text in enumerate(texts):
        writer.write(text, f"x: record {i + 1}")
    writer.end()
    assert writer.bytes == len(b"".join(out))
    return writer.form, b"".join(out)


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=6)), st.sampled_from(["auto", "lines", "jsonl"]))
def test_every_text_comes_back_as_one_record(texts: list[str], form: str):
    """Or the output refuses it; automatic output never does."""
    broken = any("\n" in text for text in texts)
    if broken and form == "lines":
        with pytest.raises(DataError, match=r"^x: record \d+: the text holds a line break"):
            written([text.encode() for text in texts], form)
        return
    made, data = written([text.encode() for text in texts], form)
    assert made == ("jsonl" if form == "jsonl" or broken else "lines")
    lines = data.decode().split("\n")[:-1]
    assert [json.loads(line)["text"] for line in lines] == texts if made == "jsonl" else lines == texts


def test_the_first_thousand_texts_decide():
    """A later line break is refused; nothing depends on how the input is cut into batches."""
    assert written([b"a"] * 999 + [b"a\nb"], "auto")[0] == "jsonl"
    with pytest.raises(DataError, match="record 1001: the text holds a line break, and is no line; write"):
        written([b"a"] * 1000 + [b"a\nb"], "auto")
    with pytest.raises(DataError, match="record 2: "):
        written([b"a" * (1 << 20), b"a\nb"], "auto")


def test_json_holds_text_alone():
    """Lines hold any bytes."""
    assert written([b"\xff"], "lines") == written([b"\xff"], "auto") == ("lines", b"\xff\n")
    with pytest.raises(DataError, match="x: record 1: the text is not valid UTF-8"):
        written([b"\xff"], "jsonl")
    with pytest.raises(UsageError, match="accepted are auto, lines, jsonl"):
        written([], "text")


@pytest.fixture
def model(folder: Folder) -> str:
    """A model in which every byte is a piece."""
    pieces = {b64encode(bytes([i])).decode(): [3 + i, chr(i) if i < 128 else "", 1] for i in range(256)}
    return folder.write("m", json.dumps(pieces).encode())


@pytest.mark.parametrize("form", ["ids", "jsonl"])
def test_documents_with_line_breaks_come_back(folder: Folder, model: str, form: str):
    """Two records through both commands are two records, and their texts."""
    texts = ["one\ntwo", "\n", "", 'caf\u00e9 \u2028 "q"']
    folder.write("in.jsonl", b"".join(json.dumps({"text": text}).encode() + b"\n" for text in texts))
    folder.corpus("tokenize", "-m", model, "--field", "text", "-f", form, "-q", "in.jsonl", "-o", "x").ok()
    outcome = folder.corpus("detokenize", "-m", model, "-f", form, "x").ok()
    assert [json.loads(line) for line in outcome.stdout.splitlines()] == [{"text": text} for text in texts]
    assert outcome.stderr.startswith("note: texts hold line breaks, so each is an object with 'text'\n4 records")
    assert (
        folder.corpus("detokenize", "-m", model, "-f", form, "--to", "jsonl", "-q", "x").ok().stdout == outcome.stdout
    )
    folder.write("out", b"old")
    command = ("detokenize", "-m", model, "-f", form, "--to", "lines", "x", "-o", "out")
    folder.corpus(*command).failed(
        1, "x: record 1: the text holds a line break, and is no line; write the texts as jsonl"
    )
    assert folder.read("out") == b"old"
    again = folder.corpus("tokenize", "-m", model, "--field", "text", "-f", form, "-q", stdin=outcome.stdout).ok()
    assert again.stdout == folder.read("x")


def test_errors_name_file_and_record(folder: Folder, model: str):
    """Counted from 1 in each file; blank lines between JSON objects are passed over and counted as lines."""
    folder.write("a", b"5\n6\n")
    folder.write("b", b"5\n70000\n")
    folder.corpus("detokenize", "-m", model, "a", "b").failed(1, "b: record 2: the id 70000 is outside the vocabulary")
    folder.write("c", b"5\nx\n")
    folder.corpus("detokenize", "-m", model, "a", "c").failed(1, "c: record 2: b'x' is no id")
    folder.write("d", b'{"ids": [5]}\n\n{"ids": 7}\n')
    folder.corpus("detokenize", "-m", model, "-f", "jsonl", "d").failed(1, "d: record 3: 'ids' is no list of ids")
    folder.corpus("detokenize", "-m", model, stdin=b"-1\n").failed(1, "standard input: record 1: b'-1' is no id")
    folder.write("e", b'{"ids": [5]}\n\n \n{"ids": []}\n')
    assert "2 records" in folder.corpus("detokenize", "-m", model, "-f", "jsonl", "e").ok().stderr


def test_python_says_what_was_written(tmp_path: Path):
    """The result tells the form, since automatic output has two."""
    tokenizer = Tokenizer.from_scores({"a": -1.0, "\n": -1.0})
    (tmp_path / "ids").write_text("0\n0 1\n")
    done = detokenize(tokenizer, tmp_path / "ids", tmp_path / "out")
    assert (done.form, done.records, (tmp_path / "out").read_text()) == (
        "jsonl",
        2,
        '{"text": "a"}\n{"text": "a\\n"}\n',
    )
    with pytest.raises(UsageError, match="texts as 'json'"):
        detokenize(tokenizer, tmp_path / "ids", tmp_path / "out", to="json")

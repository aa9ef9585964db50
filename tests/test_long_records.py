"""Records that have to be read whole: they pass in parts, in little memory, and give what the whole would give."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from harness import MIB, Folder, needs_speed

from corpustools import Tokenizer, tokenize
from corpustools.errors import DataError
from corpustools.files import batches
from corpustools.formats import make_writer
from corpustools.formats.vocabulary import Vocabulary
from corpustools.stages.tokenize import long_text
from corpustools.stages.tokenize import run as running

SCORES = {"a": -1.5, "b": -2.0, "ab": -2.25, "ba": -3.0, " ": -2.0, "abab": -4.5, "b a": -5.0}
TEXT = "abab ba \u00e9 ab b a " * 700
COLUMNS = ("pieces", "score", "logprob", "logz", "entropy", "length")
REQUESTS = {
    "best": {},
    "a sample": {"alpha": 0.5, "seed": 3},
    "samples": {"alpha": 0.5, "seed": 3, "samples": 3},
    "biased samples": {"mode": "viterbi-sampling", "samples": 2, "seed": 3},
    "bare ids": {"format": "u16", "alpha": 0.2, "seed": 3, "samples": 2},
    "windows": {"format": "u32", "context": 100},
    "objects": {"format": "jsonl"},
    "columns": {"format": "jsonl", "columns": COLUMNS, "alpha": 0.5, "seed": 3, "samples": 2},
    "columns of the best": {"format": "jsonl", "columns": ("length", "pieces"), "scores": "f64"},
    "score": {"format": "jsonl", "columns": ("logprob", "score"), "scores": "f64"},
    "lists": {"nbest": 2, "format": "jsonl"},
}


def make_batches_small(monkeypatch: pytest.MonkeyPatch):
    """Make a record of 2,000 bytes a long one."""
    for module, name, size in (
        (batches, "BATCH_BYTES", 1000),
        (batches, "LONG_BYTES", 2000),
        (running, "LONG_BYTES", 2000),
        (long_text, "BATCH_BYTES", 1000),
    ):
        monkeypatch.setattr(module, name, size)


@pytest.mark.parametrize("field", [None, "text"])
@pytest.mark.parametrize("case", REQUESTS)
def test_parts_give_what_the_whole_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str, field: str | None):
    """In every format, with columns and samples, from lines and from objects, between short records."""
    options = REQUESTS[case] | ({"field": field} if field else {})
    texts = ["ab", TEXT, "", "ba" + TEXT[5:], "b"]
    lines = [json.dumps({"x": 1, "text": text}) if field else text for text in texts]
    (tmp_path / "in").write_text("\n".join(lines), encoding="utf-8")
    tokenizer = Tokenizer.from_scores(SCORES)
    whole = tokenize(tokenizer, tmp_path / "in", tmp_path / "whole", workers=2, **options)
    passed = []
    make_batches_small(monkeypatch)
    write = long_text.LongText.write
    monkeypatch.setattr(long_text.LongText, "write", lambda *given: passed.append(1) or write(*given))
    parts = tokenize(tokenizer, tmp_path / "in", tmp_path / "parts", workers=2, **options)
    made, wanted = (tmp_path / "parts").read_bytes(), (tmp_path / "whole").read_bytes()
    if "columns" in options:
        for one, other in zip(made.splitlines(), wanted.splitlines(), strict=True):
            assert list(json.loads(one)) == list(json.loads(other)) == ["ids", *options["columns"]]
            for name, value in json.loads(one).items():
                assert value == (
                    pytest.approx(json.loads(other)[name], rel=1e-11)
                    if name in COLUMNS[1:]
                    else json.loads(other)[name]
                )
    else:
        assert made == wanted
    assert (parts.records, parts.segmentations, parts.tokens) == (whole.records, whole.segmentations, whole.tokens)
    streams = field is None and "columns" not in options and "samples" not in options
    assert len(passed) == (0 if streams or case == "lists" else 2 * options.get("samples", 1))


@pytest.mark.parametrize("columns", [(), ("pieces", "score")])
def test_a_long_document_may_have_no_ids(tmp_path: Path, columns: tuple[str, ...]):
    """Parts without ids leave no comma, and no object without its list."""
    none, some = np.zeros(0, np.int32), np.array([1, 0], np.int32)
    writer = make_writer("jsonl", Vocabulary(2, {}, lambda: ["a", "b"]), columns)
    writer.open(str(tmp_path / "out"), 1)
    for parts in ([], [none], [none, some, none, some]):
        for part in parts:
            writer.write_part(part)
        writer.add_columns({"score": -1.0, "logz": 0.0}, iter(parts))
        assert writer.end_document() == sum(map(len, parts))
    writer.finish()
    ids = [[], [], [1, 0, 1, 0]]
    found = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert [one["ids"] for one in found] == ids
    assert [one["pieces"] for one in found if columns] == [["ab"[i] for i in one] for one in ids if columns]
    assert [list(one) for one in found] == [["ids", *columns]] * 3


def test_a_bad_long_record_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """As a short one is; it keeps its number."""
    make_batches_small(monkeypatch)
    lines = [{"text": "ab"}, {"text": None, "x": "a" * 5000}, {"text": "b"}, {"text": "a" * 5000}]
    (tmp_path / "in").write_text("".join(json.dumps(line) + "\n" for line in lines))
    tokenizer = Tokenizer.from_scores(SCORES)
    done = tokenize(tokenizer, tmp_path / "in", tmp_path / "out", field="text", skip_bad=True)
    assert (done.records, done.skipped, done.first_skipped) == (3, {"null": 1}, f"{tmp_path / 'in'}: record 2 (null)")
    assert len((tmp_path / "out").read_text().splitlines()) == 3


@pytest.mark.parametrize("form", ["ids", "npy"])
def test_a_record_beyond_the_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str):
    """The error names it and the bound; skipping counts it, and what follows keeps its number."""
    make_batches_small(monkeypatch)
    monkeypatch.setattr(batches, "LONGEST_WHOLE", 10000)
    good = [json.dumps({"text": "abab" * 40}) for _ in range(3)]
    (tmp_path / "in").write_text("\n".join([good[0], json.dumps({"text": "a" * 10000}), *good[1:]]) + "\n")
    (tmp_path / "null").write_text("\n".join([good[0], '{"text": null}', *good[1:]]) + "\n")
    tokenizer = Tokenizer.from_scores(SCORES)
    options = {"field": "text", "alpha": 0.5, "seed": 1, "format": form}
    with pytest.raises(
        DataError, match="in: record 2 is longer than the 10000 bytes that may be held at once; split it"
    ):
        tokenize(tokenizer, tmp_path / "in", tmp_path / "out", **options)
    for name, cause in (("in", "size"), ("null", "null")):
        done = tokenize(tokenizer, tmp_path / name, tmp_path / f"{name}.out", skip_bad=True, **options)
        assert (done.records, done.skipped) == (3, {cause: 1})
    assert (tmp_path / "in.out").read_bytes() == (tmp_path / "null.out").read_bytes()


PEAKS = {
    "field": ("--field", "text", "in.jsonl"),
    "objects": ("-f", "jsonl", "in.txt"),
    "samples": ("--alpha", "0.5", "-s", "1", "--samples", "2", "in.txt"),
    "columns": ("--field", "text", "-f", "jsonl", "--with", "entropy,pieces", "in.jsonl"),
}


@needs_speed
@pytest.mark.parametrize("case", PEAKS)
def test_memory_of_a_long_record(folder: Folder, case: str):
    """At most three times its size beside what a short one takes."""
    size = 32 * MIB
    text = ("the quick brown fox jumps over the lazy dog " * (size // 44 + 1))[:size]
    folder.write("in.txt", text.encode() + b"\n")
    folder.write("in.jsonl", json.dumps({"text": text}).encode() + b"\n")
    folder.write("short", b'{"text": "the quick"}\n')
    pieces = sorted({*text.split(), *"abcdefghijklmnopqrstuvwxyz "})
    folder.write("m", "".join(f"{piece}\t-5\n" for piece in pieces).encode())
    command = ("tokenize", "-m", "m", "-q", "-j", "2", *PEAKS[case][:-1])
    short = folder.measured(*command, "short", "-o", "out").ok().peak
    long = folder.measured(*command, PEAKS[case][-1], "-o", "out").ok().peak
    assert long - short <= 3 * size, f"{long / MIB:.0f} MiB, {short / MIB:.0f} for a short record"


@pytest.mark.parametrize("options", [{}, {"nbest": 2}, {"alpha": 1.0, "unique": True, "samples": 2}, {"field": "text"}])
def test_a_character_that_cannot_be_written_is_placed(folder: Folder, options: dict[str, object]):
    """The error names the file and the record, counted from 1, however long the record is."""
    folder.write("m.json", json.dumps({"model": {"type": "Unigram", "vocab": [["a", -1.0]], "unk_id": None}}).encode())
    field = "field" in options
    for name, text in (("short", "b"), ("long", "a" * (3 << 20) + "b")):
        if name == "long" and options and not field:
            continue
        lines = [json.dumps({"text": one}) if field else one for one in ("a", text)]
        folder.write("first", (lines[0] + "\n").encode())
        folder.write(name, "".join(line + "\n" for line in lines).encode())
        words = [word for key, value in options.items() for word in (f"--{key}", value) if word is not True]
        said = f"{name}: record 2 holds a character that the vocabulary cannot write"
        folder.corpus("tokenize", "-m", "m.json", *words, "first", name).failed(1, said)

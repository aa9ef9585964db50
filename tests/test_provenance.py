"""Where documents came from: every row of the table leads to the ids of its record."""

import numpy as np
import pytest
from spm_files import train

from corpustools import Tokenizer
from corpustools.files import batches
from corpustools.formats import best_fit
from corpustools.formats.provenance import COLUMNS

LINES = ["the quick brown fox", "", "jumps over", "the lazy dog " * 9, "a", "and runs away", "over the fox", "dog"] * 5


@pytest.fixture
def model(folder):
    return folder.write("t.model", train(model_type="unigram"))


def table(folder, name="p.tsv"):
    """The rows, None where a place is empty."""
    head, *rows = folder.read(name).decode().splitlines()
    assert tuple(head.split("\t")) == COLUMNS
    return [[row[0], *(int(cell) if cell else None for cell in row[1:])] for row in (line.split("\t") for line in rows)]


@pytest.mark.parametrize("shards", [[], ["--shards", 3], ["--shard-tokens", 40]])
@pytest.mark.parametrize("windows", [[], ["--context", 16], ["--context", 16, "--pack", "best-fit"]])
def test_every_row_leads_to_the_ids_of_its_record(folder, model, windows, shards):
    """In windows, where the document may be cut, to its first ids; a dropped document has no place."""
    folder.write("a.txt", "\n".join(LINES).encode() + b"\n")
    folder.write("b.txt", "\n".join(reversed(LINES)).encode() + b"\n")
    output = "x{shard}" if shards else "x"
    arguments = ["-m", model, "a.txt", "b.txt", "--eos", "-f", "u32", "-o", output, "--provenance", "p.tsv"]
    folder.corpus("tokenize", *arguments, *windows, *shards).ok()
    files = [np.fromfile(path, "<u4").tolist() for path in sorted(folder.path.glob("x*"))]
    tokenizer = Tokenizer.load(folder.path / "t.model")
    rows = table(folder)
    assert [row[:2] for row in rows] == [[name, i + 1] for name in ("a.txt", "b.txt") for i in range(len(LINES))]
    missing = 0
    for row, text in zip(rows, [*LINES, *reversed(LINES)], strict=True):
        ids = [*tokenizer.encode(text), tokenizer.eos_id]
        assert row[2] == len(ids)
        if row[3] is None:
            missing += 1
            continue
        room = 16 - row[4] % 16 if windows else len(ids)
        assert files[row[3]][row[4] : row[4] + min(len(ids), room)] == ids[:room]
    assert missing <= (1 if windows == ["--context", 16] else 0) * 16
    assert missing < len(rows) / 4


def test_records_that_have_no_document_keep_their_numbers(folder, model):
    """So a row leads to its line; samples of one record are neighbours."""
    lines = ['{"text": "the fox"}', "", '{"text": null}', '{"text": "dog"}', "{", '{"text": "a"}']
    folder.write("a.jsonl", "\n".join(lines).encode() + b"\n")
    arguments = ["--field", "text", "--skip-bad", "--samples", 2, "--alpha", 0.5, "-s", 1]
    done = folder.corpus("tokenize", "-m", model, "a.jsonl", *arguments, "-o", "x", "--provenance", "p.tsv")
    assert done.status == 3
    assert [row[1] for row in table(folder)] == [1, 1, 4, 4, 6, 6]


def test_a_long_record_that_goes_through_in_parts(folder, model, monkeypatch):
    """Its row is as any other's."""
    from corpustools import tokenize

    monkeypatch.setattr(batches, "BATCH_BYTES", 64)
    monkeypatch.setattr(batches, "LONG_BYTES", 128)
    folder.write("a.txt", ("the fox\n" + "the lazy dog " * 99 + "\nthe dog\n").encode())
    monkeypatch.chdir(folder.path)
    lengths = {}
    for name, options in (("whole", {"columns": ["length"], "format": "jsonl"}), ("parts", {})):
        tokenize("t.model", "a.txt", "x", eos=True, provenance=f"{name}.tsv", **options)
        lengths[name] = table(folder, f"{name}.tsv")
    assert lengths["whole"] == lengths["parts"]
    assert [row[1] for row in lengths["whole"]] == [1, 2, 3]


@pytest.mark.parametrize("lot", [30, 200])
def test_documents_that_wait_for_another_lot(folder, model, monkeypatch, lot):
    """They come later in the windows, and their rows say where."""
    from corpustools import tokenize

    monkeypatch.setattr(best_fit, "LOT_IDS", lot)
    monkeypatch.setattr(best_fit, "LOT_WINDOWS", 1)
    folder.write("a.txt", "\n".join(LINES).encode() + b"\n")
    monkeypatch.chdir(folder.path)
    tokenize("t.model", "a.txt", "x", format="u32", context=16, pack="best-fit", eos=True, provenance="p.tsv")
    ids, tokenizer = np.fromfile("x", "<u4").tolist(), Tokenizer.load("t.model")
    for row, text in zip(table(folder), LINES, strict=True):
        wanted = [*tokenizer.encode(text), tokenizer.eos_id][:16]
        assert ids[row[4] : row[4] + len(wanted)] == wanted


def test_it_is_published_with_the_output(folder, model):
    """A run that fails leaves neither."""
    folder.write("a.jsonl", b'{"text": "the"}\n{}\n')
    arguments = ["--field", "text", "-o", "x", "--provenance", "p.tsv", "--manifest", "m.json"]
    folder.corpus("tokenize", "-m", model, "a.jsonl", *arguments).failed(1, "record 2")
    assert {*folder.names()} - {"tmp"} == {"a.jsonl", "t.model"}


def test_as_a_parquet_file(folder, model):
    """The same rows."""
    parquet = pytest.importorskip("pyarrow.parquet")
    folder.write("a.txt", "\n".join(LINES).encode() + b"\n")
    for name in ("p.tsv", "p.parquet"):
        arguments = ["-m", model, "a.txt", "--context", 16, "-f", "u16", "-o", "x", "--provenance", name]
        folder.corpus("tokenize", *arguments).ok()
    found = parquet.read_table(folder.path / "p.parquet")
    assert tuple(found.column_names) == COLUMNS
    assert [list(row.values()) for row in found.to_pylist()] == table(folder)


@pytest.mark.parametrize("path", ["x", "t.model", "a.txt", "m.json"])
def test_it_replaces_nothing_that_the_run_needs(folder, model, path):
    """Not the output, the model, an input or the manifest."""
    folder.write("a.txt", b"the\n")
    arguments = ["-o", "x", "--provenance", path, "--manifest", "m.json"]
    done = folder.corpus("tokenize", "-m", model, "a.txt", *arguments).failed(2)
    assert "would replace" in done.stderr or "are the same file" in done.stderr
    assert {*folder.names()} - {"tmp"} == {"a.txt", "t.model"}

"""Texts of a column of Parquet and Arrow files: the same ids as from lines, bad rows counted by cause."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from harness import MIB, Folder, needs_speed
from hypothesis import given, settings
from hypothesis import strategies as st
from table_files import KINDS, pa, pq, write_table

from corpustools import DataError, Tokenizer, tokenize
from corpustools.files.batches import RecordBatch
from corpustools.files.chunks import RecordFormat
from corpustools.files.inputs import inspect
from corpustools.files.rows import InputReader

PIECES = "".join(f"{piece}\t-{i + 1}\n" for i, piece in enumerate(["▁", *"abcdefgh", "ab", "▁cd"])).encode()
TEXTS = [" ".join(random.Random(i).choices(["ab", "cd", "gh", "e"], k=i % 9)) for i in range(400)]


@pytest.fixture
def model(folder: Folder) -> str:
    """A small model in the folder."""
    return folder.write("model", PIECES)


def texts_in(folder: Folder, *names: str, field: str = "text", options: tuple[object, ...] = ()):
    """Run `corpus tokenize` over a field of files."""
    return folder.corpus("tokenize", "-m", "model", "--field", field, *options, *names)


def lines_of(folder: Folder, texts: list[str], *options: object) -> bytes:
    """The ids of the same texts as lines."""
    folder.write("lines", "".join(text + "\n" for text in texts).encode())
    return folder.corpus("tokenize", "-m", "model", *options, "lines").ok().stdout


COLUMNS = {
    "string": pa.string(),
    "large_string": pa.large_string(),
    "string_view": pa.string_view(),
    "dictionary": pa.dictionary(pa.int32(), pa.string()),
    "dictionary of large": pa.dictionary(pa.int8(), pa.large_string()),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("column", COLUMNS)
def test_rows_give_the_ids_of_lines(folder: Folder, model: str, kind: str, column: str):
    """Every type of text, read in batches of 90 rows; samples too, whose draws depend on the row's number."""
    texts = TEXTS[:90] * 4 if "dictionary" in column else TEXTS
    table = pa.table({"id": range(len(texts)), "text": pa.array(texts).cast(COLUMNS[column])})
    name = write_table(folder.path / "in", table, kind, 90)
    for options in ((), ("--alpha", 0.5, "-s", 7, "--samples", 2)):
        assert texts_in(folder, name, options=options).ok().stdout == lines_of(folder, texts, *options)


def test_lines_and_rows_of_all_kinds_may_be_mixed(folder: Folder, model: str):
    """Records are numbered over all inputs; errors count them in their own."""
    table = pa.table({"text": TEXTS})
    names = [write_table(folder.path / kind, table, kind, 150) for kind in KINDS]
    folder.write("in.jsonl", "".join(json.dumps({"text": text}) + "\n" for text in TEXTS).encode())
    draws = ("--alpha", 0.3, "-s", 1)
    found = texts_in(folder, "in.jsonl", names[0], "in.jsonl", *names[1:], options=draws).ok().stdout
    assert found == lines_of(folder, TEXTS * 5, *draws)
    bad = write_table(folder.path / "bad", pa.table({"text": ["a", None]}))
    texts_in(folder, "in.jsonl", bad).failed(1, "bad: record 2 has no text but null")


@pytest.mark.parametrize("kind", KINDS)
def test_a_column_inside_structs_is_named_with_dots(folder: Folder, model: str, kind: str):
    r"""`a.b` is b inside a, `a\.b` the column of that name; a row whose struct is null has no text."""
    rows = [{"b": "ab", "n": {"t": "cd"}}, {"b": "cd e", "n": {"t": "a"}}]
    table = pa.table({"x": [1, 2], "a": rows, "a.b": ["g", "h"]})
    name = write_table(folder.path / "in", table, kind)
    for field, texts in (("a.b", ["ab", "cd e"]), ("a.n.t", ["cd", "a"]), (r"a\.b", ["g", "h"])):
        assert texts_in(folder, name, field=field).ok().stdout == lines_of(folder, texts)
    name = write_table(folder.path / "in", pa.table({"a": [{"b": "ab"}, None, {"b": None}]}), kind)
    texts_in(folder, name, field="a.b").failed(1, "record 2 has no text but null")


@pytest.mark.parametrize("kind", KINDS)
def test_bad_rows_are_counted_by_cause(folder: Folder, model: str, kind: str):
    """Nulls and invalid UTF-8 end the run, or are skipped and leave their numbers to nobody."""
    raw = [b"ab", None, b"a\xff", b"cd", b"\xc3", b"\xa9", "é".encode(), None]
    table = pa.table({"text": pa.array(raw, pa.binary()).view(pa.string())})
    name = write_table(folder.path / "in", table, kind, 3)
    texts_in(folder, name).failed(1, "in: record 2 has no text but null")
    outcome = texts_in(folder, name, options=("--skip-bad", "--manifest", "m.json"))
    assert outcome.status == 3, str(outcome)
    assert outcome.stdout == lines_of(folder, ["ab", "cd", "é"])
    assert json.loads(folder.read("m.json"))["skipped"] == {"null": 2, "utf8": 3}


@pytest.mark.parametrize(
    ("table", "field", "words"),
    [
        (pa.table({"body": ["a"], "n": [1]}), "text", "has no column 'text'; there are body, n"),
        (pa.table({"text": [1]}), "text", "column 'text' is of type int64"),
        (pa.table({"text": [b"a"]}), "text", "column 'text' is of type binary"),
        (pa.table({"text": [["a"]]}), "text", "column 'text' is of type list<"),
        (pa.table({"text": ["a"]}), "text.a", "column 'text' is of type string"),
        (pa.table({"text": [{"b": "a"}]}), "text.a", "has no column 'text.a'; there are b"),
        (pa.table({"text": pa.array([1, 2]).dictionary_encode()}), "text", "column 'text' is of type dictionary"),
        (pa.Table.from_arrays([pa.array(["a"])] * 2, ["text", "text"]), "text", "has 2 times the column 'text'"),
    ],
)
def test_a_column_that_is_no_text_is_refused_at_once(folder: Folder, model: str, table, field: str, words: str):
    """The error names the file, the column and what is there; it comes before anything is read."""
    write_table(folder.path / "in", table, "arrow")
    folder.write("out", b"old")
    texts_in(folder, "in", field=field, options=("-o", "out")).failed(1, "in: ", words)
    assert folder.read("out") == b"old"


def test_what_tables_do_not_do_is_refused(folder: Folder, model: str):
    """No column named, a part, a pipe: one line each, with the way."""
    name = write_table(folder.path / "in", pa.table({"text": TEXTS}))
    folder.corpus("tokenize", "-m", "model", name).failed(1, "is a Parquet file", "the name of their text column")
    texts_in(folder, name, options=("--part", "1/2")).failed(2, "a part needs plain files of lines")
    piped = folder.corpus("tokenize", "-m", "model", "--field", "text", stdin=folder.read(name))
    piped.failed(1, "is a Parquet file", "through a pipe")
    without = {"PYTHONPATH": str(folder.path)}
    folder.write("pyarrow.py", b"raise ImportError('no pyarrow here')\n")
    folder.corpus("tokenize", "-m", "model", "--field", "text", name, env=without).failed(
        1, "pip install 'corpustools[parquet]'"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_torn_and_changed_tables_are_errors(tmp_path: Path, monkeypatch, kind: str):
    """Cut anywhere, or written to meanwhile: status 1, and the old output stays."""
    (tmp_path / "model").write_bytes(PIECES)
    loaded = Tokenizer.load(tmp_path / "model")
    path = tmp_path / "in"
    write_table(path, pa.table({"text": TEXTS}), kind, 100)
    data = path.read_bytes()
    (tmp_path / "out").write_bytes(b"old")
    for size in range(600, len(data), len(data) // 9):
        path.write_bytes(data[:size])
        with pytest.raises(DataError, match="in: "):
            tokenize(loaded, path, tmp_path / "out", field="text")
    path.write_bytes(data)
    found = inspect([str(path)], tables=True)
    reader = InputReader(found, RecordFormat(), column=("text",))
    path.write_bytes(data + b"x")
    with pytest.raises(DataError, match="was changed while it was read"):
        list(reader)
    assert (tmp_path / "out").read_bytes() == b"old"


def test_rows_are_a_source_to_verify(folder: Folder, model: str):
    """`corpus verify` holds ids against the rows that they were made of, and finds a row that changed."""
    name = write_table(folder.path / "in", pa.table({"text": TEXTS}), "parquet", 70)
    texts_in(folder, name, options=("-f", "jsonl", "-o", "out.jsonl")).ok()
    verify = ["verify", "out.jsonl", "-m", "model", "--field", "text", "--source"]
    folder.corpus(*verify, name).ok()
    other = write_table(folder.path / "other", pa.table({"text": [*TEXTS[:200], "gh gh gh", *TEXTS[201:]]}), "arrow")
    folder.corpus(*verify, other).failed(1, "other: record 201")


@settings(max_examples=60)
@given(
    st.lists(st.none() | st.binary(max_size=9) | st.text(max_size=9).map(str.encode), max_size=30),
    st.sampled_from(KINDS),
    st.integers(1, 9),
)
def test_batches_hold_the_bytes_of_the_rows(tmp_path_factory, values, kind: str, rows: int):
    """Texts, numbers and nulls of any bytes, however the file cuts its rows."""
    folder = tmp_path_factory.mktemp("rows")
    column = pa.array(values, pa.binary()).view(pa.string())
    write_table(folder / "in", pa.table({"n": range(len(values)), "text": column}), kind, rows)
    found, number = [], 0
    for batch in InputReader(inspect([str(folder / "in")] * 2, tables=True), RecordFormat(), column=("text",)):
        assert isinstance(batch, RecordBatch)
        assert batch.first == number
        number += len(batch.starts)
        found += [None if batch.null[i] else batch.record(i) for i in range(len(batch.starts))]
    assert found == values * 2


@needs_speed
def test_one_large_row_group_in_bounded_memory(folder: Folder, model: str):
    """A column of 250 MiB in one row group, and a text of 3 MiB among short ones."""
    texts = ["ab cd " * (i * 7919 % 900) for i in range(1500)] + ["ab " * MIB]
    batch = pa.record_batch({"text": texts, "n": list(range(1501))})
    with pq.ParquetWriter(folder.path / "in", batch.schema, compression="zstd") as writer:
        writer.write_table(pa.Table.from_batches([batch] * 60), row_group_size=1 << 30)
    options = ["--field", "text", "-j", 2, "-f", "u16", "-o", "out", "in"]
    outcome = folder.measured("tokenize", "-m", "model", *options).ok()
    assert outcome.peak <= 512 * MIB, str(outcome)

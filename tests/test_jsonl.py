"""Text inside JSON lines: one rule for every odd line."""

from __future__ import annotations

import json

import numpy as np
import pytest
from harness import Folder
from hypothesis import given, settings
from hypothesis import strategies as st

from corpustools.errors import DataError
from corpustools.files.bad_records import CAUSES, BadRecords
from corpustools.files.batches import cut_records
from corpustools.files.chunks import RecordFormat
from corpustools.formats.batch import IdBatch
from corpustools.kernels.json.plain import VERDICTS
from corpustools.stages.tokenize import field
from corpustools.stages.tokenize.field import JUDGED_BYTES, Texts, parse_field, take_field

MODEL = b"a\t-1.0\nb\t-1.0\nab\t-1.5\n"


def taken(data: bytes, keys: tuple[str, ...] = ("text",), skip_bad: bool = False) -> Texts:
    """What is found under a field of lines."""
    return take_field(cut_records(data, 0, RecordFormat()), keys, skip_bad)


def texts(data: bytes) -> list[tuple[int, bytes]]:
    """The number and the text of each record that is not passed over."""
    return [(batch.first + i, batch.record(i)) for batch in taken(data).batches for i in range(len(batch.starts))]


VALUES = st.recursive(st.none() | st.text() | st.floats() | st.integers(), st.lists)
TAKEN = {
    "the last of two": (b'{"text": "a", "text": "b"}', "b"),
    "an escaped key": (b'{"te\\u0078t": "a"}', "a"),
    "a pair of surrogates": (b'{"text": "\\ud83d\\ude00"}', "\U0001f600"),
    "half a pair elsewhere": (b'{"x": "\\ud83d", "text": "a"}', "a"),
    "no number": (b'{"x": NaN, "y": -Infinity, "text": "a"}', "a"),
    "a large exponent": (b'{"x": 1e400, "text": "a"}', "a"),
    "5,000 digits": (b'{"x": ' + b"7" * 5000 + b', "text": "a"}', "a"),
    "500 levels": (b'{"x": ' + b"[" * 500 + b"]" * 500 + b', "text": "a"}', "a"),
    "NUL": (b'{"text": "a\\u0000b"}', "a\0b"),
    "an empty text": (b'{"text": ""}', ""),
    "white space around": (b' \t{"text": "a"}\r', "a"),
    "a byte order mark at the front": (b'\xef\xbb\xbf{"text": "a"}', "a"),
}
REFUSED = {
    "half a surrogate pair": ("surrogate", b'{"text": "a\\ud83d"}', r"surrogate pair in 'text' \(character 1\)"),
    "no UTF-8": ("utf8", b'{"text": "\xff"}', r"not valid UTF-8 \(byte 10 of the line\)"),
    "no UTF-8 elsewhere": ("utf8", b'{"x": "\xff", "text": "a"}', "not valid UTF-8"),
    "UTF-16": ("json", '{"text": "a"}'.encode("utf-16-le"), "is no JSON"),
    "100,000 levels": ("depth", b'{"x": ' + b"[" * 100000 + b"]" * 100000 + b', "text": "a"}', "nested too deeply"),
    "a control character": ("json", b'{"text": "a\tb"}', "is no JSON"),
    "single quotes": ("json", b"{'text': 'a'}", "is no JSON"),
    "two objects": ("json", b'{"text": "a"}{"text": "b"}', "is no JSON"),
    "a leading zero": ("json", b'{"x": 01, "text": "a"}', "is no JSON"),
    "a byte order mark later": ("json", b'{"text": "a"}\n\xef\xbb\xbf{"text": "a"}', "is no JSON"),
    "no field": ("missing", b'{"x": "a"}', "has no 'text'"),
    "null": ("null", b'{"text": null}', "has no text under 'text' but null"),
    "a number": ("type", b'{"text": 1}', "but a number"),
    "a list": ("type", b'{"text": ["a"]}', "but a list"),
    "an object": ("type", b'{"text": {}}', "but an object"),
    "a list of objects": ("type", b'[{"text": "a"}]', "is no JSON object"),
    "a text": ("type", b'"text"', "is no JSON object"),
}


@pytest.mark.parametrize("case", TAKEN)
def test_what_is_taken(case: str):
    """The text of the key, as UTF-8."""
    data, text = TAKEN[case]
    assert texts(data + b"\n") == [(0, text.encode())]


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case: str):
    """By the name of what is wrong, or counted by its cause."""
    cause, data, said = REFUSED[case]
    with pytest.raises(DataError, match=said):
        texts(data + b"\n")
    bad = taken(data + b"\n", skip_bad=True).bad
    assert (bad.counts, bad.first.endswith(f"({cause})")) == ({cause: 1}, True)


class TimidKernel:
    """Finds something wrong with every line."""

    def scan(self, data, starts, ends, keys, out, offsets, verdicts, places):
        """Say that no line is JSON."""
        offsets[:], verdicts[:], places[:] = 0, VERDICTS.index("json"), 0


@pytest.mark.parametrize("case", [*TAKEN, *REFUSED])
def test_the_library_decides_about_what_the_kernel_does_not_take(case: str, monkeypatch: pytest.MonkeyPatch):
    """A line goes alone to json, whose word counts: a text is taken, and a cause is the same."""
    cause, data = ("", TAKEN[case][0]) if case in TAKEN else REFUSED[case][:2]
    if cause == "utf8" or "levels" in case:
        return
    data = b'{"text": "x"}\n' * (b"\xef\xbb\xbf" not in data) + data + b'\n{"text": "y"}\n'
    wanted = taken(data, skip_bad=True)
    monkeypatch.setattr(field.kernels, "load", lambda theme: TimidKernel())
    found = taken(data, skip_bad=True)
    told = [
        [(batch.first + i, batch.record(i)) for batch in one.batches for i in range(len(batch.starts))]
        for one in (found, wanted)
    ]
    assert told[0] == told[1]
    assert (found.bad.counts, found.bad.first) == (wanted.bad.counts, wanted.bad.first)


@pytest.mark.parametrize("case", REFUSED)
def test_long_lines_are_refused_for_the_same_cause(case: str):
    """A line that json would take much memory for has the kernel's verdict, and the error says where."""
    cause, line, _ = REFUSED[case]
    if case in ("UTF-16", "a byte order mark later"):
        return
    long = line + b" " * JUDGED_BYTES + b"\n"
    bad = taken(long, skip_bad=True).bad
    assert bad.counts == {cause: 1}
    with pytest.raises(DataError, match=r"\(byte \d+ of the line\)|is no JSON object|has no 'text'"):
        taken(long)


@given(st.lists(st.text(max_size=5) | st.just(None), max_size=12))
def test_blank_lines_are_passed_over_and_records_keep_their_numbers(values: list[str | None]):
    """A sample of a record is keyed by its number, so a part of the file has to give it the same."""
    lines = [b" \r" if value is None else json.dumps({"text": value}).encode() for value in values]
    found = texts(b"".join(line + b"\n" for line in lines))
    assert found == [(i, value.encode()) for i, value in enumerate(values) if value is not None]


@settings(max_examples=60)
@given(
    st.dictionaries(st.text(max_size=4), st.recursive(st.none() | st.text() | st.floats() | st.integers(), st.lists))
)
def test_whatever_json_writes_is_read_back(content: dict[str, object]):
    """With and without escapes."""
    content["text"] = "a\u2028\u00e9"
    for escaped in (False, True):
        assert texts(json.dumps(content, ensure_ascii=escaped).encode("utf-8", "surrogatepass") + b"\n") == [
            (0, "a\u2028\u00e9".encode())
        ]


def test_the_command_names_file_and_record(folder: Folder):
    """Counted from 1 in each file, as editors count lines; the summary counts what was tokenized."""
    folder.write("m", MODEL)
    folder.write("a.jsonl", b'{"text": "ab"}\n\n{"text": "b"}\n\n')
    folder.write("b.jsonl", b'\n{"text": "a"}\n{"text": 7}\n')
    outcome = folder.corpus("tokenize", "-m", "m", "--field", "text", "a.jsonl", "--with", "pieces", "-f", "jsonl").ok()
    assert [json.loads(line)["pieces"] for line in outcome.stdout.splitlines()] == [["ab"], ["b"]]
    assert outcome.stderr.startswith("2 records, 2 tokens")
    command = ("tokenize", "-m", "m", "--field", "text", "a.jsonl", "b.jsonl")
    folder.corpus(*command).failed(1, "b.jsonl: record 3 has no text under 'text' but a number")


NESTED = {
    "a text": (b'{"a": {"b": "x"}}', "x"),
    "the last of two objects": (b'{"a": {"b": "x"}, "a": {"b": "y"}}', "y"),
    "a key with a dot beside it": (b'{"a.b": "y", "a": {"b": "x"}}', "x"),
    "the last object without it": (b'{"a": {"b": "x"}, "a": {}}', "missing"),
    "no outer object": (b'{"b": "x"}', "missing"),
    "a null instead of the object": (b'{"a": null}', "null"),
    "a null in the object": (b'{"a": {"b": null}}', "null"),
    "a list instead of the object": (b'{"a": [{"b": "x"}]}', "type"),
    "a text instead of the object": (b'{"a": "b"}', "type"),
}


@pytest.mark.parametrize("case", NESTED)
def test_a_field_inside_an_object(case: str):
    """`a.b` is the key b of the object under a, and of nothing else."""
    data, wanted = NESTED[case]
    found = taken(data + b"\n", ("a", "b"), skip_bad=True)
    assert [batch.record(0).decode() for batch in found.batches] or list(found.bad.counts) == [wanted]
    assert wanted in found.bad.counts or [batch.record(0).decode() for batch in found.batches] == [wanted]


@pytest.mark.parametrize(
    ("name", "keys"),
    [("a", ["a"]), ("a.b", ["a", "b"]), (r"a\.b", ["a.b"]), (r"a\\.b", ["a\\", "b"]), (r"a\b", [r"a\b"]), ("", [""])],
)
def test_a_dot_parts_keys(name: str, keys: list[str]):
    """A backslash takes a dot, and a backslash, into the key; before anything else it is one itself."""
    assert parse_field(name) == tuple(keys)


@given(st.lists(st.text(alphabet="a.\\", max_size=5), min_size=1, max_size=4))
def test_messages_write_a_field_as_its_user_does(keys: list[str]):
    """Whatever a key holds, there is a way to name it."""
    assert parse_field(field._name(tuple(keys))) == tuple(keys)


CRAWL = b"""\
{"text": "ab"}

{"text": null}
{"text": "a"}
{"text": "\xff"}
{"x": 1}
broken
{"text": "b"}
{"text": null}
"""


def test_bad_records_are_skipped_and_counted(folder: Folder):
    """Status 3; the summary, its JSON and the manifest say how many of which cause, and where the first stands."""
    folder.write("m", MODEL)
    folder.write("a.jsonl", b'{"text": "a"}\n')
    folder.write("b.jsonl", CRAWL)
    command = ("tokenize", "-m", "m", "--field", "text", "a.jsonl", "b.jsonl")
    folder.corpus(*command).failed(1, "b.jsonl: record 3 has no text under 'text' but null")
    outcome = folder.corpus(*command, "--skip-bad", "-f", "pieces", "--manifest", "told.json")
    assert (outcome.status, outcome.stdout) == (3, b"a\nab\na\nb\n"), str(outcome)
    said = "; 5 bad records skipped (1 json, 1 missing, 2 null, 1 utf8), first b.jsonl: record 3 (null)"
    assert outcome.stderr.startswith("4 records, 4 tokens"), str(outcome)
    assert outcome.stderr.endswith(f"{said}\n"), str(outcome)
    counts = {"null": 2, "utf8": 1, "missing": 1, "json": 1}
    told = [json.loads(folder.read("told.json"))]
    told.append(json.loads(folder.corpus(*command, "--skip-bad", "--progress", "json").stderr))
    for one in told:
        assert (one["records"], one["skipped"], one["first_skipped"]) == (4, counts, "b.jsonl: record 3 (null)")
    clean = folder.corpus("tokenize", "-m", "m", "--field", "text", "a.jsonl", "--skip-bad").ok()
    assert "skipped" not in clean.stderr


@pytest.mark.parametrize("form", ["u16", "ids", "jsonl"])
def test_skipped_records_keep_their_numbers(folder: Folder, form: str):
    """Samples of the others are the same as where the bad records are empty texts, in every format and any threads."""
    folder.write("m", MODEL)
    good = [b'{"text": "%s"}\n' % (b"ab" * (i % 7)) for i in range(4000)]
    folder.write("good", b"".join(good))
    holes = [b'{"text": null}\n' if i % 7 == 0 else line for i, line in enumerate(good)]
    folder.write("holes", b"".join(holes))
    command = ("tokenize", "-m", "m", "--field", "text", "--alpha", "0.3", "-s", "7", "-q", "-f", form)
    whole = folder.corpus(*command, "good").ok().stdout
    if form == "u16":
        wanted = whole
    else:
        wanted = b"".join(line for i, line in enumerate(whole.splitlines(keepends=True)) if i % 7)
    for workers in (1, 3):
        outcome = folder.corpus(*command, "--skip-bad", "-j", workers, "holes")
        assert (outcome.status, outcome.stdout == wanted) == (3, True), str(outcome)


def test_an_input_of_bad_records_alone(folder: Folder):
    """There is an output, and it is empty."""
    folder.write("m", MODEL)
    folder.write("a.jsonl", b"x\n" * 3)
    for form in ("ids", "npy"):
        outcome = folder.corpus("tokenize", "-m", "m", "--field", "t", "--skip-bad", "a.jsonl", "-o", "out", "-f", form)
        assert (outcome.status, "3 json" in outcome.stderr) == (3, True), str(outcome)
        assert len(folder.read("out")) in (0, 128)


def test_bad_records_add_up():
    """The first one of all is named, whatever batches have none; only known causes are counted."""
    total = BadRecords()
    for causes in ([], ["null", "json"], ["null"]):
        batch = BadRecords(skip=True)
        for i, cause in enumerate(causes):
            assert cause in CAUSES
            batch.refuse(cause, f"x: record {i}", "is bad", "")
        total.add(batch)
    assert (total.counts, total.first, total.total) == ({"null": 2, "json": 1}, "x: record 0 (null)", 3)


@given(st.lists(st.lists(st.integers(0, 9), max_size=4), max_size=4))
def test_batches_of_documents_join(lists: list[list[int]]):
    """Ids, ends and columns are those of the documents one after another."""
    batches = [
        IdBatch(np.array(ids, np.int32), np.arange(1, len(ids) + 1), {"score": [float(i) for i in ids]})
        for ids in lists
    ]
    joined = IdBatch.joined(batches)
    flat = [i for ids in lists for i in ids]
    assert joined.ids.tolist() == flat
    assert joined.ends.tolist() == list(range(1, len(flat) + 1))
    assert joined.columns.get("score", []) == flat


def test_samples_do_not_depend_on_blank_lines_in_other_parts(folder: Folder):
    """Parts of a file with blank lines concatenate to the whole."""
    folder.write("m", MODEL)
    folder.write("in", b"".join(b'{"text": "abababab"}\n' + b"\n" * (i % 3) for i in range(300)))
    command = ("tokenize", "-m", "m", "--field", "text", "--alpha", "0.3", "-s", "7", "-q", "in")
    whole = folder.corpus(*command).ok().stdout
    assert whole.count(b"\n") == 300
    assert b"".join(folder.corpus(*command, "--part", f"{i}/3").ok().stdout for i in (1, 2, 3)) == whole

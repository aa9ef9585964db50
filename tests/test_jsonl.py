"""Text inside JSON lines: one rule for every odd line."""

from __future__ import annotations

import json

import pytest
from harness import Folder
from hypothesis import given, settings
from hypothesis import strategies as st

from corpustools.errors import DataError
from corpustools.files.batches import cut_records
from corpustools.files.chunks import RecordFormat
from corpustools.stages.tokenize.field import take_field

MODEL = b"a\t-1.0\nb\t-1.0\nab\t-1.5\n"


def texts(data: bytes) -> list[tuple[int, bytes]]:
    """The number and the text of each record that is not passed over."""
    return [
        (batch.first + i, batch.data[start:end])
        for batch in take_field(cut_records(data, 0, RecordFormat()), "text")
        for i, (start, end) in enumerate(zip(batch.starts, batch.ends, strict=True))
    ]


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
    "half a surrogate pair": (b'{"text": "a\\ud83d"}', r"surrogate pair in 'text' \(character 1\)"),
    "no UTF-8": (b'{"text": "\xff"}', r"not valid UTF-8 \(byte 10 of the line\)"),
    "no UTF-8 elsewhere": (b'{"x": "\xff", "text": "a"}', "not valid UTF-8"),
    "UTF-16": ('{"text": "a"}'.encode("utf-16-le"), "is no JSON"),
    "100,000 levels": (b'{"x": ' + b"[" * 100000 + b"]" * 100000 + b', "text": "a"}', "nested too deeply"),
    "a control character": (b'{"text": "a\tb"}', "is no JSON"),
    "single quotes": (b"{'text': 'a'}", "is no JSON"),
    "two objects": (b'{"text": "a"}{"text": "b"}', "is no JSON"),
    "a leading zero": (b'{"x": 01, "text": "a"}', "is no JSON"),
    "a byte order mark later": (b'{"text": "a"}\n\xef\xbb\xbf{"text": "a"}', "is no JSON"),
    "no field": (b'{"x": "a"}', "has no 'text'"),
    "null": (b'{"text": null}', "has no text under 'text' but null"),
    "a number": (b'{"text": 1}', "but a number"),
    "a list": (b'{"text": ["a"]}', "but a list"),
    "an object": (b'{"text": {}}', "but an object"),
    "a list of objects": (b'[{"text": "a"}]', "is no JSON object"),
    "a text": (b'"text"', "is no JSON object"),
}


@pytest.mark.parametrize("case", TAKEN)
def test_what_is_taken(case: str):
    """The text of the key, as UTF-8."""
    data, text = TAKEN[case]
    assert texts(data + b"\n") == [(0, text.encode())]


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case: str):
    """By the name of what is wrong."""
    data, said = REFUSED[case]
    with pytest.raises(DataError, match=said):
        texts(data + b"\n")


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


def test_samples_do_not_depend_on_blank_lines_in_other_parts(folder: Folder):
    """Parts of a file with blank lines concatenate to the whole."""
    folder.write("m", MODEL)
    folder.write("in", b"".join(b'{"text": "abababab"}\n' + b"\n" * (i % 3) for i in range(300)))
    command = ("tokenize", "-m", "m", "--field", "text", "--alpha", "0.3", "-s", "7", "-q", "in")
    whole = folder.corpus(*command).ok().stdout
    assert whole.count(b"\n") == 300
    assert b"".join(folder.corpus(*command, "--part", f"{i}/3").ok().stdout for i in (1, 2, 3)) == whole

"""Under a header, a quoted field that holds a line break is refused: cut into lines its record would be torn."""

from __future__ import annotations

import csv
import io
import time

import pytest
from harness import MIB, Folder, needs_speed
from hypothesis import given
from hypothesis import strategies as st
from reference import records, shuffled

from corpustools.errors import DataError
from corpustools.files.chunks import SLACK, Chunk, RecordFormat
from corpustools.files.quotes import QuotedFields

LINES = RecordFormat(header=1)


def refused(header: bytes, data: bytes, form: RecordFormat = LINES) -> bool:
    """Whether a chunk of whole records is refused under a header."""
    try:
        QuotedFields(header, form, "in").check(
            Chunk(bytearray(data + bytes(SLACK)), 0, len(data), 0, len(header)), "in"
        )
    except DataError:
        return True
    return False


TORN = {
    "a field": (b"a,b\n", b'1,"x\n'),
    "the first field": (b"a,b\n", b'"x\ny",2\n'),
    "with a doubled quote": (b"a,b\n", b'1,"say ""x\n'),
    "a column alone": (b"text\n", b'"first\nsecond"\n'),
    "semicolons": (b"a;b\n", b'1;"x\n'),
    "bars": (b"a|b\n", b'1|"x\n'),
    "CR LF": (b"a,b\r\n", b'1,"x\r\ny"\r\n'),
    "behind good ones": (b"a,b\n", b'1,"x"\n2,"y"\n3,"z\n'),
    "an empty line in it": (b"a,b\n", b'1,"x\n\ny"\n'),
}
WHOLE = {
    "quoted fields": (b"a,b\n", b'"1","x, y"\n"","say ""x"""\n'),
    "inches": (b"a,b\n", b'5" pipe,3"\n'),
    "a quote in the middle of a field": (b"a,b\n", b'1,He said "no\n'),
    "unknown dialect: a backslash": (b"a,b\n", b'1,"say \\"x\\" "\n'),
    "CR LF": (b"a,b\r\n", b'"1","x"\r\n'),
    "separated by tabs": (b"a\tb\n", b'1\t"Well, she said\n'),
    "nothing": (b"a,b\n", b""),
}


@pytest.mark.parametrize("case", TORN)
def test_a_torn_record_is_refused(case: str):
    """It ends inside a quoted field."""
    assert refused(*TORN[case])


@pytest.mark.parametrize("case", WHOLE)
def test_a_whole_record_is_taken(case: str):
    """Quotes that open no field mean nothing."""
    assert not refused(*WHOLE[case])


@given(st.lists(st.lists(st.text('a",;\n\r ', max_size=6), min_size=2, max_size=3), min_size=1, max_size=6))
def test_what_csv_writes_is_refused_when_a_line_is_no_record(rows: list[list[str]]):
    """Against the standard library: refused if and only if a field of some row holds a line feed."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    breaks = any("\n" in field for row in rows for field in row)
    assert refused(b"a,b,c\n", out.getvalue().encode()) == breaks


def test_records_of_other_kinds_have_no_quotes():
    """NUL-terminated and fixed-size records may hold line breaks."""
    assert not refused(b"a,b\0", b'1,"x\0', RecordFormat(delimiter=0, header=1))
    assert not refused(b"a,b\n", b'1,"x', RecordFormat(record_bytes=4, header=1))


@pytest.mark.parametrize("options", [[], ["-m", "64MiB", "--spill", "raw"], ["--no-temp"], ["-n", "5"], ["pipe"]])
def test_the_process_names_file_and_byte(folder: Folder, options: list[str]):
    """On every path a record can take; the old output stays."""
    line = b"1,some words that are not short at all\n"
    good = b"a,b\n" + line * 20_000
    folder.write("good", good)
    folder.write("bad", good + b'2,"torn\nfield"\n' + line * 20_000)
    folder.write("out", b"old\n")
    said = (1, f"record at byte {len(good)} ends inside a quoted field", "without their header")
    if options == ["pipe"]:
        outcome = folder.corpus("shuffle", "--header", "1", "-o", "out", stdin=folder.read("bad"))
        outcome.failed(said[0], "standard input", *said[1:])
    else:
        outcome = folder.corpus("shuffle", "good", "bad", "--header", "1", "-o", "out", *options)
        outcome.failed(said[0], "bad: the", *said[1:])
    assert folder.read("out") == b"old\n"


def test_without_a_header_lines_are_lines(folder: Folder):
    """A quote means nothing in text."""
    data = b'"Well\n' + b"x,y\n" * 100
    folder.write("in", data)
    assert folder.corpus("shuffle", "in", "-s", "1").ok().stdout == shuffled(records(data), "1")


def test_a_torn_header(folder: Folder):
    """Its first line would stay on top, and the rest of it be shuffled."""
    folder.write("in", b'a,"b\nc"\n1,2\n')
    folder.corpus("shuffle", "in", "--header", "1").failed(1, "in: the header ends inside a quoted field")
    folder.corpus("shuffle", "in", "--header", "2", "-s", "1").ok()


@pytest.mark.parametrize("piped", [False, True])
def test_a_long_record(folder: Folder, piped: bool):
    """One that is longer than any buffer is judged by the number of its quotes."""
    for quote, status in ((b'"', 1), (b"'", 0)):
        data = b"a,b\n1," + quote + b"x" * (9 * MIB) + b"\n" + b"y,z\n"
        name = folder.write("in", data)
        arguments = ["shuffle", "--header", "1", "-s", "1", "-o", "out", *([] if piped else [name])]
        outcome = folder.corpus(*arguments, stdin=data if piped else None)
        if status:
            outcome.failed(1, "odd number of quotes", "quoted field")
        else:
            assert sorted(records(outcome.ok() and folder.read("out"))) == sorted(records(data))


@needs_speed
def test_files_without_quotes_are_looked_at_quickly():
    """At gigabytes a second: the look costs a shuffle nothing that could be measured."""
    data = bytearray(b"some words,without any marks\n" * (64 * MIB // 29) + bytes(SLACK))
    fields, best = QuotedFields(b"a,b\n", LINES, "in"), 1e9
    for _ in range(5):
        begin = time.process_time()
        fields.check(Chunk(data, 0, len(data) - SLACK, 0, 0), "in")
        best = min(best, time.process_time() - begin)
    assert best < 0.2

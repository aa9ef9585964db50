"""The JSON kernel: equal to its twin and to the standard library's json, on lines of every kind and on any bytes."""

from __future__ import annotations

import json
from functools import cache
from itertools import pairwise
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from corpustools.kernels.json import plain as json_plain
from corpustools.kernels.json.plain import BLANK, DEEPEST, NO_UTF8, OUT_SLACK, TAKEN, TOO_DEEP, VERDICTS

try:
    from corpustools.kernels.json import compiled as json_compiled
except ImportError:
    json_compiled = None

BACKENDS = [pytest.param((json_plain, False), id="plain")]
if json_compiled:
    BACKENDS += [pytest.param((json_compiled, False), id="compiled")]
    BACKENDS += [pytest.param((json_compiled, True), id="compiled for any processor")]
FIELDS = [(b"text",), (b"a", b"text"), (b"",), ("é".encode(),), (b"a", b"a", b"a")]


def scan(backend, lines, keys, around=b""):
    """Return verdict, place and text of each line; they stand in a buffer with other bytes before and behind each."""
    module, portable = backend
    data = around + around.join(lines) + around
    lengths = np.array([len(line) for line in lines], np.int64)
    ends = np.cumsum(lengths + len(around), dtype=np.int64)
    out, offsets = np.full(int(lengths.sum()) + OUT_SLACK, 0xAA, np.uint8), np.empty(len(lines) + 1, np.int64)
    verdicts, places = np.empty(len(lines), np.uint8), np.empty(len(lines), np.int64)
    module.scan(data, ends - lengths, ends, keys, out, offsets, verdicts, places, portable)
    texts = [out[a:b].tobytes() for a, b in pairwise(offsets)]
    return list(zip(verdicts.tolist(), places.tolist(), texts, strict=True))


def by_the_library(line, keys):
    """Return what a line is by the standard library's json and our rules, and its text."""
    if not line.strip(b" \t\r\n"):
        return "blank", b""
    try:
        value = json.loads(line.decode(), parse_int=float)
    except UnicodeDecodeError:
        return "utf8", b""
    except ValueError:
        return "json", b""
    if not isinstance(value, dict):
        return "type", b""
    for key in keys:
        if not isinstance(value, dict):
            return ("null" if value is None else "type"), b""
        if key.decode() not in value:
            return "missing", b""
        value = value[key.decode()]
    if not isinstance(value, str):
        return ("null" if value is None else "type"), b""
    try:
        return "taken", value.encode()
    except UnicodeEncodeError:
        return "surrogate", b""


def check(lines, keys, around=b""):
    """Hold all backends against each other, places included, and against the library."""
    found = [scan(backend.values[0], lines, keys, around) for backend in BACKENDS]
    for one in found[1:]:
        assert one == found[0]
    assert [(VERDICTS[verdict], text) for verdict, _, text in found[0]] == [
        by_the_library(line, keys) for line in lines
    ]


KEYS = st.sampled_from(["text", "a", "", "é", "b", "te", "texts"])
TEXTS = st.text(max_size=40) | st.text(alphabet='a"\\\n\x7f\x00é漢😀\ud83d\ude00/', max_size=40)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=5)
# What a line may be made of, and what it may not.
TOKENS = [
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b" ",
    b"\t",
    b"\r",
    b"\n",
    b'"',
    b"\\",
    b'"text"',
    b'"a"',
    b'""',
    b'{"a":',
]
TOKENS += [b'"text":"x"', b'"t\\u0065xt"', b'"\\ud83d"', b'"\\ud83d\\ude00"', b'"\\uD83d\\uD83d"', b'"\\u00"', b'"\\x"']
TOKENS += [b'"\\\\"', b'"\\n\\"\\/"', b"0", b"-0", b"01", b"1.", b"-", b"1e5", b"1E+", b".5", b"1.5e-3", b"7" * 40]
TOKENS += [b"true", b"false", b"null", b"nul", b"NaN", b"Infinity", b"-Infinity", b"-Inf", b"True", b"\x00", b"\x1f"]
TOKENS += [
    b"\x7f",
    b"\xff",
    b"\xc3\xa9",
    b"\xe6\xbc",
    b"\xed\xa0\x80",
    b"\xf0\x9f\x98\x80",
    b"\xef\xbb\xbf",
    b"//",
    b"'",
]
MADE_OF_TOKENS = st.lists(st.sampled_from(TOKENS), max_size=14).map(b"".join)
EDITS = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 3), st.sampled_from(TOKENS) | st.binary(max_size=3)), max_size=3
)


def edited(line, edits):
    """Return a line with some bytes cut out and others put in."""
    for share, size, new in edits:
        at = int(share * len(line))
        line = line[:at] + new + line[at + size :]
    return line


def written(content, escaped, spaces):
    """Return an object as json writes it; half of a surrogate pair stays escaped, or becomes a question mark."""
    text = json.dumps(content, ensure_ascii=escaped, separators=(" , ", "\t: ") if spaces else None)
    return text.encode("utf-8", "replace")


@st.composite
def lines_of(draw, keys):
    """Draw a line: mostly an object that has the field, sometimes twice, and sometimes with edits."""
    line = written(draw(OBJECTS | VALUES), draw(st.booleans()), draw(st.booleans()))
    if draw(st.integers(0, 7)):
        for _ in range(draw(st.integers(1, 3))):
            wanted = draw(TEXTS | TEXTS | VALUES)
            for depth in range(len(keys) - 1, -1, -1):
                wanted = {keys[depth].decode(): wanted} | (
                    draw(OBJECTS) if depth and not draw(st.integers(0, 3)) else {}
                )
            more = written(wanted, draw(st.booleans()), draw(st.booleans()))
            if line[:1] == b"{" and line != b"{}":
                line = draw(st.sampled_from([line[:-1] + b"," + more[1:], more[:-1] + b"," + line[1:]]))
            else:
                line = more
    return edited(line, draw(EDITS)) if draw(st.booleans()) else line


@settings(max_examples=300)
@given(
    drawn=st.sampled_from(FIELDS).flatmap(
        lambda keys: st.tuples(st.lists(lines_of(keys), min_size=1, max_size=4), st.just(keys))
    ),
    around=st.sampled_from([b"", b"\n", b'"', b'{"text":"', b"\\u00e9" * 8]),
)
def test_objects_with_mistakes(drawn, around):
    """What json writes, whole and with up to three edits, is taken or refused as json does it."""
    check(*drawn, around)


@settings(max_examples=300)
@given(lines=st.lists(MADE_OF_TOKENS | st.binary(max_size=80), max_size=5), keys=st.sampled_from(FIELDS))
@example(lines=[b""], keys=(b"text",))
@example(lines=[b'{"text":"' + b"\\ud83d" * 9 + b'","text":"b"}', b'{"text":"a'], keys=(b"text",))
@example(lines=[b'{"a":{"text":"x"},"a":{"b":{"text":"y"}},"text":"z"}'], keys=(b"a", b"text"))
def test_any_bytes(lines, keys):
    """Nothing crashes, and the verdicts are those of json."""
    check(lines, keys)


@cache
def real_lines():
    """Paragraphs of these tests beside values of every kind, with and without escapes."""
    pages = sorted(Path(__file__).parent.glob("test_[a-j]*.py"))
    paragraphs = [part for page in pages for part in page.read_text("utf-8").split("\n\n")]
    letters = [
        "žluťoučký kůň",
        "Съешь ещё этих мягких",
        "漢字とかな交じり文",
        "😀 \U0001f468\u200d\U0001f469",
        'say "\\n"\t',
    ]
    lines = []
    for i, text in enumerate(paragraphs[:200]):
        record = {"id": i, "meta": {"tags": ["a", None, True], "score": -1.5e-7 * i}, "text": text + letters[i % 5] * 3}
        lines.append(json.dumps(record, ensure_ascii=bool(i % 2)).encode())
    return lines


@settings(max_examples=200)
@given(seed=st.integers(0, 2**32), edits=st.integers(0, 3))
def test_real_lines_with_mistakes(seed, edits):
    """Pages of text with flipped, lost, doubled and foreign bytes, long enough for every step of the loops."""
    random = Random(seed)
    lines = []
    for line in random.sample(real_lines(), 5):
        for _ in range(edits):
            at, size = random.randrange(len(line)), random.choice([0, 0, 1, 1, 2, 40])
            new = random.choice([random.choice(TOKENS), random.randbytes(1), line[at : at + size] * 2])
            line = line[:at] + new + line[at + size :]
        lines.append(line)
    check(lines, random.choice([(b"text",), (b"meta", b"score")]), b"\n")


def first_wrong_byte(line):
    """Where a line stops being UTF-8, or None."""
    try:
        line.decode()
    except UnicodeDecodeError as error:
        return error.start
    return None


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_kind_of_utf8(backend):
    """All pairs of bytes, and all leads of three and four with what decides, at every place of a step."""
    parts = [bytes([a, b]) for a in range(128, 256) for b in range(256)]
    parts += [bytes([a, b, c]) for a in range(0xE0, 0xF0) for b in range(256) for c in (0x7F, 0x80, 0xBF, 0xC0)]
    ends = [b"\x80\x80", b"\xbf\xbf", b"\x80", b"\x80a", b"a\x80", b"\x80\x80\x80"]
    parts += [bytes([a, b]) + end for a in range(0xF0, 0xF8) for b in range(256) for end in ends]
    lines = [b'{"text": "' + b"a" * (i % 37) + part + b"b" * (i % 3) + b'"}' for i, part in enumerate(parts)]
    found = scan(backend, lines, (b"text",))
    for line, (verdict, place, _) in zip(lines, found, strict=True):
        assert (place if verdict == NO_UTF8 else None) == first_wrong_byte(line), line
    assert {verdict for verdict, _, _ in found} >= {TAKEN, NO_UTF8}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"x":', b"}"), (b'[{"text":', b"}]")])
def test_the_deepest_line(backend, opening, closing):
    """1,024 levels are taken, however little of the stack is left; one more is too deep, and says where."""
    size = opening.count(b"[") + opening.count(b"{")

    def line(levels):
        middle = opening * ((levels - 1) // size) + b'"x"' + closing * ((levels - 1) // size)
        return b'{"x": ' + middle + b', "text": "a"}'

    levels = DEEPEST - (DEEPEST - 1) % size
    found = scan(backend, [line(levels), line(levels + size)], (b"text",))
    assert found[0] == (TAKEN, found[0][1], b"a")
    assert found[1][0] == TOO_DEEP
    assert line(levels + size)[found[1][1] :][:1] in b"[{"


@pytest.mark.parametrize("backend", BACKENDS)
def test_escapes_of_every_code_unit(backend):
    """All 65,536, in both cases of their digits: halves of pairs are told, the others become UTF-8."""
    codes = [code for code in range(0, 0x10000, 1 if backend[0] is json_compiled else 7) for _ in range(2)]
    lines = [b'{"text": "%s"}' % ((b"\\u%04x", b"\\u%04X")[i % 2] % code) for i, code in enumerate(codes)]
    for code, (verdict, _, text) in zip(codes, scan(backend, lines, (b"text",)), strict=True):
        half = 0xD800 <= code < 0xE000
        assert (VERDICTS[verdict], text) == (("surrogate", b"") if half else ("taken", chr(code).encode())), hex(code)


def arrays(lines=1, room=OUT_SLACK + 8):
    """What the kernel writes to, for so many lines of 8 bytes together."""
    return [
        np.zeros(room, np.uint8),
        np.zeros(lines + 1, np.int64),
        np.zeros(lines, np.uint8),
        np.zeros(lines, np.int64),
    ]


def places(*values):
    """Starts or ends of lines."""
    return np.array(values, np.int64)


LIES = {
    "a line behind the data": lambda m: m.scan(b"12345678", places(0), places(9), [b"a"], *arrays()),
    "a line before the data": lambda m: m.scan(b"12345678", places(-1), places(8), [b"a"], *arrays()),
    "a line backwards": lambda m: m.scan(b"12345678", places(5), places(4), [b"a"], *arrays()),
    "a huge end": lambda m: m.scan(b"12345678", places(0), places(2**63 - 1), [b"a"], *arrays()),
    "no slack": lambda m: m.scan(b"12345678", places(0), places(8), [b"a"], *arrays(room=OUT_SLACK + 7)),
    "no room for the second": lambda m: m.scan(b'{"a":"x"}', places(0, 0), places(9, 9), [b"a"], *arrays(2, 33 + 8)),
    "fewer ends than starts": lambda m: m.scan(b"12345678", places(0, 0), places(8), [b"a"], *arrays(2)),
    "too few offsets": lambda m: m.scan(
        b"1", places(0), places(1), [b"a"], arrays()[0], places(0), np.zeros(1, np.uint8), places(0)
    ),
    "too few verdicts": lambda m: m.scan(
        b"1", places(0), places(1), [b"a"], arrays()[0], places(0, 0), np.zeros(0, np.uint8), places(0)
    ),
    "too few places": lambda m: m.scan(
        b"1", places(0), places(1), [b"a"], arrays()[0], places(0, 0), np.zeros(1, np.uint8), places()
    ),
    "no key": lambda m: m.scan(b"12345678", places(0), places(8), [], *arrays()),
    "more keys than levels": lambda m: m.scan(b"12345678", places(0), places(8), [b"a"] * 1025, *arrays()),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_refused(backend, lie):
    """Arguments that do not fit each other are an error, and no byte outside a buffer is touched."""
    with pytest.raises(ValueError):
        LIES[lie](backend[0])


@pytest.mark.parametrize("backend", BACKENDS)
def test_lines_may_overlap_and_be_none(backend):
    """Each is read by itself; a batch of no lines is fine."""
    module, portable = backend
    out, offsets, verdicts, where = arrays(2, OUT_SLACK + 40)
    data = b'{"a":"x"}  '
    module.scan(data, places(0, 9), places(9, 11), [b"a"], out, offsets, verdicts, where, portable)
    assert (out[:1].tobytes(), offsets.tolist(), verdicts.tolist()) == (b"x", [0, 1, 1], [TAKEN, BLANK])
    module.scan(b"", places(), places(), [b"a"], *arrays(0), portable)

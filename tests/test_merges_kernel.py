"""Pairs of pieces that merges join: kernel and twin alike, equal to a search by hand, and no caller is believed."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from corpustools.errors import DataError
from corpustools.kernels.merges import plain
from corpustools.stages.tokenize.bpe import merges
from corpustools.stages.tokenize.bpe.merges import of_splits, slots_for
from corpustools.stages.tokenize.lattice.trie import join

try:
    from corpustools.kernels.merges import compiled
except ImportError:
    compiled = None

BACKENDS = [pytest.param(plain, id="plain")]
if compiled:
    BACKENDS.append(pytest.param(compiled, id="compiled"))
needs_compiled = pytest.mark.skipif(compiled is None, reason="the kernels are not compiled")

PIECES = st.lists(
    st.binary(max_size=20)
    | st.text("ab", max_size=8).map(str.encode)
    | st.text("aé中", max_size=5).map(str.encode)
    | st.integers(0, 40).map(lambda n: b"eight by" * 3 + b"a" * n),
    max_size=60,
    unique=True,
)


def splits(kernel, pieces, divided, characters, room=4096):
    text, starts = join(pieces)
    rows = np.full((3, room), -7, np.int32)
    count = kernel.find_splits(text, starts, len(pieces), slots_for(len(pieces)), divided, characters, *rows)
    return count, rows[:, : min(count, room)].T.tolist(), rows[:, count:]


@pytest.mark.parametrize("kernel", BACKENDS)
@settings(deadline=None)
@given(pieces=PIECES, characters=st.booleans(), data=st.data())
def test_all_ways_to_divide_pieces_are_found(kernel, pieces, characters, data):
    """Each piece is divided wherever both halves are pieces, and nothing is written behind."""
    divided = data.draw(st.integers(0, len(pieces)))
    expected = [
        [pieces.index(piece[:cut]), pieces.index(piece[cut:]), i]
        for i, piece in enumerate(pieces[:divided])
        for cut in range(1, len(piece))
        if (not characters or piece[cut] >> 6 != 2) and piece[:cut] in pieces and piece[cut:] in pieces
    ]
    count, rows, behind = splits(kernel, pieces, divided, characters)
    assert (count, rows) == (len(expected), expected)
    assert (behind == -7).all()
    room = data.draw(st.integers(0, len(expected)))
    assert splits(kernel, pieces, divided, characters, room)[:2] == (len(expected), expected[:room])


@pytest.mark.parametrize("kernels", ["plain", "compiled"])
def test_more_splits_than_were_expected(kernels, monkeypatch):
    """Where pieces can be divided in many ways, all of them are returned, with codes and priorities."""
    if kernels == "compiled" and compiled is None:
        pytest.skip("the kernels are not compiled")
    monkeypatch.setattr(merges, "load", lambda theme: {"plain": plain, "compiled": compiled}[kernels])
    pieces = [b"a" * n for n in range(1, 60)]
    codes = np.arange(1000, 1059, dtype=np.int32)
    left, right, made, priority = of_splits(pieces, codes, codes[:50] * 2, characters=False)
    expected = [(999 + cut, 999 + n - cut, 999 + n, 1998 + 2 * n) for n in range(1, 51) for cut in range(1, n)]
    assert list(zip(left.tolist(), right.tolist(), made.tolist(), priority.tolist(), strict=True)) == expected


def test_a_piece_too_long_to_be_divided():
    """Dividing it would take the square of its length."""
    with pytest.raises(DataError, match="a piece of 4097 bytes"):
        of_splits([b"a" * 4097], np.zeros(1, np.int32), np.zeros(1, np.int32), characters=False)


@pytest.mark.parametrize("kernel", BACKENDS)
@settings(deadline=None)
@given(pieces=PIECES.filter(bool), data=st.data())
def test_given_pairs_are_found(kernel, pieces, data):
    """A pair has the numbers of its halves and of what it makes; the first with something unknown is named."""
    halves = data.draw(st.lists(st.sampled_from([*pieces, b"unknown"]), max_size=20))
    halves = halves[: len(halves) // 2 * 2]
    whole = [halves[i] + halves[i + 1] for i in range(0, len(halves), 2)]
    if data.draw(st.booleans()):
        pieces = list(dict.fromkeys([*pieces, *whole]))
    expected = []
    for i, both in enumerate(whole):
        if not {halves[2 * i], halves[2 * i + 1], both} <= set(pieces):
            break
        expected.append([pieces.index(halves[2 * i]), pieces.index(halves[2 * i + 1]), pieces.index(both)])
    rows = np.full((3, len(whole)), -7, np.int32)
    table = (*join(pieces), len(pieces), slots_for(len(pieces)))
    assert kernel.find_pairs(*table, *join(halves), len(whole), *rows) == len(expected)
    assert rows[:, : len(expected)].T.tolist() == expected
    assert (rows[:, len(expected) :] == -7).all() or kernel is plain


def read(kernel, data, at=0):
    halves = np.zeros(len(data) - at, np.uint8)
    starts = np.zeros((len(data) - at) // 2 + 3, np.int64)
    end, pairs = kernel.read_pairs(data, at, halves, starts)
    if pairs < 0:
        return end, pairs
    bounds = starts[: 2 * pairs + 1].tolist()
    return end, [halves[a:b].tobytes() for a, b in itertools.pairwise(bounds)]


WORDS = st.text(max_size=6) | st.sampled_from(["", " ", "Ġa", "\\", '"', "\n", "\x7f", "😀", "#version"])
LISTS = st.lists(st.lists(WORDS, min_size=2, max_size=2) | st.tuples(WORDS, WORDS).map(" ".join), max_size=8)


@pytest.mark.parametrize("kernel", BACKENDS)
@settings(deadline=None)
@given(rows=LISTS, escaped=st.booleans(), indent=st.sampled_from([None, 0, 3]), around=st.text(" \n\r\t", max_size=3))
@example(rows=["#version: 0.2", ["a", "b"]], escaped=True, indent=None, around="")
@example(rows=["a b"], escaped=True, indent=None, around="")
@example(rows=[["\ud800", "a"]], escaped=True, indent=None, around="")
def test_lists_of_pairs_are_read_as_json_reads_them(kernel, rows, escaped, indent, around):
    """Both forms, every escape and all white space; what has not two halves is refused."""
    text = around + json.dumps(rows, ensure_ascii=escaped, indent=indent) + around
    pairs = [row.split(" ") if isinstance(row, str) else row for row in rows]
    refused = any(len(pair) != 2 or "\ud800" in pair for pair in pairs)
    refused = refused or any(isinstance(row, str) and row.startswith("#version") for row in rows)
    data = b"before" + text.encode() + b"}"
    expected = -1, -1
    if not refused:
        expected = len(data) - 1, [half.encode() for pair in pairs for half in pair]
    assert read(kernel, data, 6) == expected


BROKEN = [
    *('', ' ', '[', '[[', '[["a"', '[["a",', '[["a","b"', '[["a","b"]', '[["a","b"],', '[["a","b"],]', '[,]', '[[]]'),
    *('["a b",]', '["ab"]', '["a  b"]', '["a b"', '["a b', '[["a"]]', '[["a","b","c"]]', '[["a" "b"]]'),
    *('[1]', '[["a",1]]', '[null]', '{"a":"b"}', '"a b"', '["a\\x b"]', '["a\\u12 b"]', '["\\ud800 b"]', '["a\nb c"]'),
    '[[["a","b"]]]',
    '[["a","b"]["a"]]',
    *('[["a","\x00"]]', '[["a","b\\"]]', '[["a","\\udc00\\ud800"]]', "[['a','b']]", '[["a","b"];["a","b"]]'),
]  # fmt: skip


@pytest.mark.parametrize("kernel", BACKENDS)
@pytest.mark.parametrize("text", BROKEN)
def test_what_is_no_list_of_pairs_is_refused(kernel, text):
    """Nothing is guessed: who gave it reads it in another way, and says what is wrong."""
    assert read(kernel, text.encode()) == (-1, -1)


@needs_compiled
@settings(deadline=None)
@given(text=st.text(alphabet='[]",\\ud8dc00ab \n#', max_size=40) | st.binary(max_size=40))
def test_any_bytes_are_read_alike(text):
    """Kernel and twin read random text in the same way, and bytes that are no text without harm."""
    if isinstance(text, str):
        assert read(compiled, text.encode()) == read(plain, text.encode())
    else:
        read(compiled, b"[[" + text)
        read(compiled, b'["' + text)


@needs_compiled
def test_callers_that_lie_are_refused():
    """Short buffers, starts that go back, pieces that stand twice: an error, and nothing is written."""
    pieces = [b"a", b"b", b"ab"]
    text, starts = join(pieces)
    slots, rows = slots_for(3), np.zeros((3, 4), np.int32)
    good = [text, starts, 3, slots, 3, False, *rows]
    for place, wrong in (
        (0, b"ab"),
        (1, starts[:3]),
        (1, starts[::-1].copy()),
        (1, starts - 1),
        (2, 4),
        (2, -1),
        (3, np.zeros(4, np.uint64)),
        (3, np.zeros(9, np.uint64)),
        (4, 4),
        (4, -1),
        (7, np.zeros(3, np.int32)),
    ):
        with pytest.raises(ValueError, match=r"."):
            compiled.find_splits(*[wrong if i == place else one for i, one in enumerate(good)])
        slots[:] = 0
    with pytest.raises(ValueError, match="stands twice"):
        compiled.find_splits(*join([b"a", b"a"]), 2, slots_for(2), 2, False, *rows)
    halves, begins = join([b"a", b"b"])
    for wrong in ((halves, begins, 2), (halves, begins[::-1].copy(), 1), (b"a", begins, 1), (halves, begins, -1)):
        with pytest.raises(ValueError, match=r"."):
            compiled.find_pairs(text, starts, 3, slots_for(3), *wrong, *rows)
    for at, room, places in ((-1, 9, 9), (9, 9, 9), (0, 7, 9), (0, 9, 6)):
        with pytest.raises(ValueError, match=r"."):
            compiled.read_pairs(b'["a b"] ', at, np.zeros(room, np.uint8), np.zeros(places, np.int64))

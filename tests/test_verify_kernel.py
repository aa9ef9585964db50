"""The loops of verify: kernel and twin equal, spelling against a definition by brute force, lying callers refused."""

import itertools
from hashlib import blake2b

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vocabularies import make_model, make_tokenizer

from corpustools.inspect.verify.spelling import known_characters
from corpustools.kernels.verify import plain
from corpustools.kernels.verify.status import Place, Status

try:
    from corpustools.kernels.verify import compiled
except ImportError:
    compiled = None

BACKENDS = [pytest.param(plain, id="plain")] + ([pytest.param(compiled, id="compiled")] if compiled else [])
# id -> its piece; 0 is unknown. `b` and `d` are no pieces of their own, and neither is 'é'.
PIECES = [b"", b"a", b"c", b"ab", b"bc", b"bd", "é中".encode(), "中".encode(), b"abab", b"dd"]


def spelling(backend, pieces=PIECES, unknown=0, fuse=True, bos=-1, eos=-1, marks=False, byte_of=()):
    forms = [piece for piece in pieces if piece]
    bounds = np.cumsum([0, *map(len, forms)]).astype(np.int64)
    first = np.cumsum([0, *(bool(piece) for piece in pieces)]).astype(np.int32)
    numbers = np.full(len(pieces), -1, np.int16)
    for i, byte in byte_of:
        numbers[i] = byte
    known = known_characters(forms)
    return backend.Spelling(b"".join(forms), bounds, first, numbers, known, len(pieces), unknown, fuse, bos, eos, marks)


def run(kernel, ids, ends, text, stops, place=None, chosen=None, is_open=False, ids_end=False):
    """Run once from a place; return status, place and hashes."""
    where, hashes = np.zeros(12, np.int64), np.zeros(len(stops), np.uint64)
    (place or Place()).store(where)
    starts = np.array([0, *stops[:-1]], np.int64) if stops else np.zeros(0, np.int64)
    status = kernel.run(
        where, np.array(ids, np.int32), None if ends is None else np.array(ends, np.int64), text, starts,
        np.array(stops, np.int64), None if chosen is None else bytes(chosen), is_open, ids_end, hashes,
    )  # fmt: skip
    return Status(status), Place.of(where), hashes.tolist()


def spells(ids, text, fuse=True):
    """The definition: some way of giving every id its piece, or unknown characters, makes the text."""
    places = {0}
    for i in ids:
        found = set()
        for at in places:
            if i:
                found |= {at + len(PIECES[i])} if text.startswith(PIECES[i], at) else set()
                continue
            for character in text[at:].decode():
                if character.encode() in PIECES:
                    break
                at += len(character.encode())
                found.add(at)
                if not fuse:
                    break
        places = found
    return len(text) in places


TEXTS = st.text("abcdé中", max_size=10)
IDS = st.lists(st.integers(0, len(PIECES) - 1), max_size=8)


@settings(max_examples=400)
@given(text=TEXTS, ids=IDS, fuse=st.booleans())
@pytest.mark.parametrize("backend", BACKENDS)
def test_ids_spell_a_text_as_the_definition_says(backend, text, ids, fuse):
    """Unknown ids take one character or more, in whichever way makes the text."""
    data = text.encode()
    status, place, _ = run(spelling(backend, fuse=fuse), ids, [len(ids)], data, [len(data)])
    assert (status == Status.MORE_TEXT) == spells(ids, data, fuse)
    assert (place.record == 1) == spells(ids, data, fuse)


@st.composite
def agreeing(draw, wrong=True):
    """Documents that mostly agree: their ids, ends, text and the ends of texts."""
    ids, ends, texts = [], [], []
    for _ in range(draw(st.integers(0, 6))):
        # Two unknown ids in a row are one token: their characters cannot be told apart, but both take some.
        mine = draw(IDS)
        parts = [PIECES[i] if i else draw(st.sampled_from(["é", "b", "dé", "bb"])).encode() for i in mine]
        texts.append(b"".join(parts))
        if wrong and draw(st.integers(0, 9)) == 0:
            mine = draw(IDS)
        ids += mine
        ends.append(len(ids))
    return ids, ends, texts


@settings(max_examples=400)
@given(case=agreeing(), marks=st.sampled_from([(-1, -1), (1, -1), (-1, 2), (1, 2)]), walk=st.booleans(), data=st.data())
@pytest.mark.skipif(compiled is None, reason="no compiled kernel")
def test_kernel_and_twin_agree(case, marks, walk, data):
    """Status, place and hashes are the same, for windows that end anywhere."""
    ids, ends, texts = case
    text, stops = b"".join(texts), np.cumsum([0, *map(len, texts)])[1:].tolist()
    chosen = data.draw(st.none() | st.lists(st.integers(0, 1), min_size=len(texts), max_size=len(texts)))
    bounds = None if walk else ends
    if bounds and data.draw(st.booleans()):
        bounds = bounds[:-1]
    options = {"bos": marks[0], "eos": marks[1], "fuse": data.draw(st.booleans())}
    is_open, ids_end = data.draw(st.booleans()), data.draw(st.booleans())
    found = [
        run(
            spelling(backend, **options),
            ids,
            bounds,
            text,
            stops,
            chosen=None if walk else chosen,
            is_open=is_open,
            ids_end=ids_end,
        )
        for backend in (plain, compiled)
    ]
    assert found[0] == found[1]


@settings(max_examples=150)
@given(case=agreeing(wrong=False), data=st.data(), walk=st.booleans())
@pytest.mark.parametrize("backend", BACKENDS)
def test_windows_may_end_anywhere(backend, case, data, walk):
    """Ids and text that come in small pieces end at the same place as all at once."""
    ids, ends, texts = case
    kernel = spelling(backend, eos=1 if walk else -1)
    if walk:
        ids = [i for a, b in itertools.pairwise([0, *ends]) for i in [*ids[a:b], 1]]
        ends = None
    place, base, agreed, text = Place(), 0, 0, b""
    stop = 0
    for number, whole in enumerate(texts):
        cuts = [0, *sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=3))), len(whole)]
        for a, b in itertools.pairwise(cuts):
            is_open = b < len(whole) or (a, b) != (cuts[-2], cuts[-1])
            text += whole[a:b]
            while True:
                window = ids[base:stop]
                bounds = None if ends is None else [end - base for end in ends[agreed:] if end <= stop]
                status, place, _ = run(kernel, window, bounds, text, [len(text)], place, is_open=is_open)
                agreed += place.document
                keep = place.held_id if place.held_id >= 0 and place.stage else place.id
                base += keep
                place.id, place.document = place.id - keep, 0
                place.held_id = max(place.held_id - keep, -1) if place.held_id >= 0 else -1
                if status != Status.MORE_IDS:
                    break
                assert stop < len(ids)
                stop += data.draw(st.integers(1, 5))
                stop = min(stop, len(ids))
            assert status == Status.MORE_TEXT
            keep = min(place.text, place.held_text) if place.held_id >= 0 else place.text
            text = text[keep:] if is_open else b""
            place.text, place.held_text = place.text - keep, place.held_text - keep
        assert place.record == 1, number
        place.record = 0
    assert agreed == len(texts) if ends is not None else base + place.id == len(ids)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("ids", "ends", "status"),
    [
        ([3, 1, 4, 2], [4], Status.MORE_TEXT),
        ([1, 4, 2], [3], Status.NO_BOS),
        ([], [0], Status.NO_BOS),
        ([3, 1, 4], [3], Status.NO_EOS),
        ([3, 1, 4, 1, 2], [5], Status.NO_EOS),
        ([3, 1, 4, 2, 2], [5], Status.ENDS_LATE),
        ([3, 1], [2], Status.ENDS_EARLY),
        ([3, 1, 1, 2], [4], Status.WRONG_TEXT),
        ([3, 1, 10, 2], [4], Status.NO_SUCH_ID),
        ([3, 1, -1, 2], [4], Status.NO_SUCH_ID),
        ([3, 1, 4], [], Status.MORE_IDS),
    ],
)
def test_what_is_wrong_has_a_name(backend, ids, ends, status):
    """The text is `abc`, in documents that begin with 3 and end with 2."""
    assert run(spelling(backend, bos=3, eos=2), ids, ends, b"abc", [3])[0] == status


@pytest.mark.parametrize("backend", BACKENDS)
def test_byte_ids_stand_for_unknown_characters_only(backend):
    """The byte of a character that is a piece is another id's; so a swapped id is found."""
    pieces = [b"", b"a", b"", b"", b""]
    kernel = spelling(backend, pieces, byte_of=[(2, 0xC3), (3, 0xA9), (4, ord("a"))])
    assert run(kernel, [2, 3], [2], "é".encode(), [2])[0] == Status.MORE_TEXT
    assert run(kernel, [1], [1], b"a", [1])[0] == Status.MORE_TEXT
    assert run(kernel, [4], [1], b"a", [1])[0] == Status.WRONG_TEXT
    assert run(kernel, [2], [1], "é".encode(), [2])[0] == Status.ENDS_EARLY


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_last_unknown_id_takes_what_is_left(backend):
    """Where nothing says that documents end, the end of all ids does."""
    for ids_end, status in ((False, Status.MORE_IDS), (True, Status.MORE_TEXT)):
        assert run(spelling(backend), [1, 0], None, b"abbd", [4], ids_end=ids_end)[0] == status


@pytest.mark.parametrize("backend", BACKENDS)
def test_marks_are_no_text(backend):
    """Bytes 0xFF part what is segmented alone; no id spells them."""
    kernel = spelling(backend, marks=True)
    assert run(kernel, [1, 3], [2], b"\xffa\xff\xffab\xff", [7])[0] == Status.MORE_TEXT
    assert run(kernel, [3], [1], b"a\xffb", [3])[0] == Status.WRONG_TEXT


@pytest.mark.parametrize("backend", BACKENDS)
def test_many_unknown_characters_end_soon(backend):
    """One unknown id takes a long run of characters; a text that does not fit behind it is told without long search."""
    text = b"b" * 5000
    assert run(spelling(backend), [0], [1], text, [5000])[0] == Status.MORE_TEXT
    assert run(spelling(backend), [0, 9], [2], b"d" * 5000 + b"a", [5001])[0] == Status.WRONG_TEXT


LIES = {
    "more bytes of forms than there are": lambda m: m.Spelling(
        b"a", np.array([0, 2]), np.array([0, 1], np.int32), bytes(2), bytes(1 << 18), 1, -1, False, -1, -1, False
    ),
    "a form without bytes": lambda m: m.Spelling(
        b"a", np.array([0, 0]), np.array([0, 1], np.int32), bytes(2), bytes(1 << 18), 1, -1, False, -1, -1, False
    ),
    "a form that is not there": lambda m: m.Spelling(
        b"a", np.array([0, 1]), np.array([0, 2], np.int32), bytes(2), bytes(1 << 18), 1, -1, False, -1, -1, False
    ),
    "forms of too few ids": lambda m: m.Spelling(
        b"a", np.array([0, 1]), np.array([0, 1], np.int32), bytes(4), bytes(1 << 18), 2, -1, False, -1, -1, False
    ),
    "too few characters": lambda m: m.Spelling(
        b"a", np.array([0, 1]), np.array([0, 1], np.int32), bytes(2), bytes(1 << 17), 1, -1, False, -1, -1, False
    ),
    "a record beyond its text": lambda m: run(spelling(m), [1], [1], b"a", [2]),
    "documents beyond the ids": lambda m: run(spelling(m), [1], [2], b"a", [1]),
    "documents backwards": lambda m: run(spelling(m), [1, 1], [2, 1], b"a", [1]),
    "a place beyond the ids": lambda m: run(spelling(m), [1], None, b"a", [1], Place(id=2)),
    "a place beyond the text": lambda m: run(spelling(m), [1], None, b"a", [1], Place(stage=1, text=2)),
    "a held id beyond the ids": lambda m: run(spelling(m), [1], None, b"a", [1], Place(stage=1, held_id=2)),
    "a held text beyond the text": lambda m: run(
        spelling(m), [1], None, b"a", [1], Place(stage=1, held_id=0, held_text=2)
    ),
    "a record that is not there": lambda m: run(spelling(m), [1], None, b"a", [1], Place(record=2)),
    "prints beyond the data": lambda m: m.fingerprints(b"a", np.array([0]), np.array([2]), bytes(32), bytearray(16)),
    "prints backwards": lambda m: m.fingerprints(b"ab", np.array([2]), np.array([1]), bytes(32), bytearray(16)),
    "prints without room": lambda m: m.fingerprints(b"a", np.array([0]), np.array([1]), bytes(32), bytearray(8)),
    "lines without room": lambda m: m.read_lines(b"1 2\n", bytearray(4), bytearray(8)),
    "ends without room": lambda m: m.read_lines(b"1\n\n", bytearray(8), bytearray(8)),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("lie", LIES)
def test_lying_callers_are_refused(backend, lie):
    """Everything is checked before a loop begins."""
    with pytest.raises(ValueError):
        LIES[lie](backend)


@settings(max_examples=150)
@given(records=st.lists(st.binary(max_size=40), max_size=8), key=st.binary(min_size=32, max_size=32))
@pytest.mark.skipif(compiled is None, reason="no compiled kernel")
def test_fingerprints_are_alike(records, key):
    """Kernel and twin give the same numbers, and equal records equal ones."""
    # A key without bits would multiply everything by zero; keys are drawn.
    key = blake2b(key, digest_size=32).digest()
    data, bounds = b"".join(records), np.cumsum([0, *map(len, records)]).astype(np.int64)
    found = []
    for backend in (plain, compiled):
        out = np.zeros((len(records), 2), np.uint64)
        backend.fingerprints(data, bounds[:-1].copy(), bounds[1:].copy(), key, out)
        found.append([tuple(row) for row in out.tolist()])
    assert found[0] == found[1]
    for (a, x), (b, y) in itertools.combinations(zip(records, found[0], strict=True), 2):
        assert (a == b) == (x == y)


@settings(max_examples=400)
@given(text=st.binary(max_size=60) | st.text("0123456789 \t\r\n", max_size=60).map(str.encode))
@pytest.mark.skipif(compiled is None, reason="no compiled kernel")
def test_lines_are_read_alike(text):
    """Kernel and twin read the same ids and stop at the same byte."""
    found = []
    for backend in (plain, compiled):
        ids, ends = np.zeros((len(text) + 1) // 2, np.int32), np.zeros(text.count(b"\n"), np.int64)
        count, lines, stopped = backend.read_lines(text, ids, ends)
        found.append((ids[:count].tolist(), ends[:lines].tolist(), stopped))
    assert found[0] == found[1]


@pytest.mark.parametrize("backend", BACKENDS)
def test_ids_below_two_to_the_31(backend):
    """The largest id is read, and the next number stops the reading, however many zeros stand before it."""
    for text, expected in (b"02147483647\n", ([2147483647], 12)), (b"1 2147483648\n", ([1], 2)):
        ids, ends = np.zeros(9, np.int32), np.zeros(1, np.int64)
        count, _, stopped = backend.read_lines(text, ids, ends)
        assert (ids[:count].tolist(), stopped) == expected
    ids, ends = np.zeros(16, np.int32), np.zeros(1, np.int64)
    assert backend.read_lines(b"0" * 25 + b"7\n", ids, ends)[::2] == (1, 27)
    assert ids[0] == 7


@settings(max_examples=100)
@given(text=st.text("abcé ", max_size=20), seed=st.integers(0, 1000), fuse=st.booleans(), byte_ids=st.booleans())
def test_every_segmentation_spells_its_text(text, seed, fuse, byte_ids):
    """Samples of small models, with unknown characters and with bytes in their place."""
    from corpustools.inspect.verify.spelling import spelling_of

    scores = {b"a": -1.0, b"ab": -1.5, b"bc": -2.0, b" ": -1.0, b"c": -2.0}
    tokenizer = make_tokenizer(scores, fuse=fuse, byte_ids=byte_ids)
    ids = tokenizer.sample(text, alpha=0.1, seed=seed)[0]
    data = text.encode()
    assert run(spelling_of(tokenizer.model, False, False), ids, [len(ids)], data, [len(data)])[1].record == 1


def test_a_model_writes_its_arcs_only():
    """A control id, or one whose piece no text can meet, spells nothing."""
    from corpustools.inspect.verify.spelling import spelling_of

    model = make_model({b"a": -1.0, b"b": -1.0}, arc=np.array([False, True, False]))
    kernel = spelling_of(model, False, False)
    assert run(kernel, [1], [1], b"a", [1])[0] == Status.MORE_TEXT
    assert run(kernel, [2], [1], b"b", [1])[0] == Status.WRONG_TEXT

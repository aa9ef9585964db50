"""Normalisation: SentencePiece as oracle on every code point and hostile strings; kernel and twin equal."""

import itertools
import unicodedata
from functools import cache

import numpy as np
import pytest
import sentencepiece
from hypothesis import example, given, settings
from hypothesis import strategies as st
from spm_files import USER_DEFINED, shipped_charsmap, spm_model, train

from corpustools import kernels
from corpustools.errors import DataError
from corpustools.kernels.normalize import plain as normalize_plain
from corpustools.stages.tokenize.models import parse
from corpustools.stages.tokenize.models.wire import BYTES, message
from corpustools.stages.tokenize.text.charsmap import compile_charsmap
from corpustools.stages.tokenize.text.nfc import NfcNormalizer, _is_composed
from corpustools.stages.tokenize.text.normalize import CharsmapNormalizer, Normalizer

try:
    from corpustools.kernels.normalize import compiled as normalize_compiled
except ImportError:
    normalize_compiled = None

BACKENDS = [pytest.param("plain", id="plain")]
if normalize_compiled:
    BACKENDS.append(pytest.param("compiled", id="compiled"))
RULES = ["nmt_nfkc", "nfkc", "nmt_nfkc_cf", "nfkc_cf", "identity"]
SYMBOLS = [
    (),
    ("<mask>", "<m", " two  words ", "\u2581\u2581", "é", "ﬁ", "\u3000x", "x\u3000", "\t", "\u2581 a"),
]
# What decides: spaces of all kinds, the mark, halves of it, rules that begin alike, rules that make spaces,
# rules that remove, malformed and cut-off characters.
SPACES = [" ", "  ", "\u2581", "\u3000", "\u00a0", "\t", "\n", "\r\n", "\0", "\u200b", "\u2028"]
LETTERS = [
    "a",
    "A",
    "\ufdfa",
    "e\u0301",
    "A\u030a\u0301",
    "\ufb01",
    "\u2460",
    "が",
    "か\u3099",
    "\uff8a\uff9f",
    "각",
]
LETTERS += ["\u1100\u1161", "漢字", "\U0001d4b3", "😀", "\u0344", "i\u0307", *SYMBOLS[1]]
BROKEN = [
    b"\xe2",
    b"\xe2\x96",
    b"\x96\x81",
    b"\xff",
    b"\xc0\xaf",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xf0\x9f\x98",
]
PARTS = [part.encode() for part in SPACES + LETTERS] + BROKEN
TEXTS = st.lists(
    st.one_of(st.sampled_from(PARTS), st.binary(max_size=4), st.text(max_size=4).map(str.encode)), max_size=12
).map(b"".join)


@cache
def pair(rule, symbols, options):
    """Return our normaliser of a model and the oracle's."""
    dummy, trim, escape, suffix = options
    data = spm_model(
        [("a", -1.0), *((symbol, 0.0, USER_DEFINED) for symbol in symbols)],
        trainer=[(24, suffix)],
        normalizer=[(2, shipped_charsmap(rule)), (3, dummy), (4, trim), (5, escape)],
    )
    return parse(data, "m").normalizer, sentencepiece.SentencePieceProcessor(model_proto=data)


@pytest.fixture(params=BACKENDS)
def backend(request, monkeypatch):
    monkeypatch.setenv("CORPUS_KERNELS", request.param)
    return request.param


def batch(normalizer, texts):
    """Return the records of one batch call on the texts, joined with newlines as a file has them."""
    data = b"\n".join(texts)
    ends = np.cumsum([len(text) + 1 for text in texts]) - 1
    out, offsets = normalizer.normalize_batch(data, ends - [len(text) for text in texts], ends)
    return [bytes(out[a:b]) for a, b in itertools.pairwise(offsets.tolist())]


@pytest.mark.parametrize("rule", RULES)
def test_every_code_point_equals_sentencepiece(rule):
    """Each code point, alone and between letters, is normalized as by the library."""
    ours, oracle = pair(rule, (), (1, 1, 1, 0))
    texts = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    texts += ["a" + text + "b" for text in texts[:0xE000]]
    wanted = [oracle.normalize(text).encode() for text in texts]
    made = batch(ours, [text.encode() for text in texts])
    assert [(t, m, w) for t, m, w in zip(texts, made, wanted, strict=True) if m != w] == []


@settings(deadline=None)
@given(
    rule=st.sampled_from(RULES),
    symbols=st.sampled_from(SYMBOLS),
    options=st.tuples(*[st.integers(0, 1)] * 4),
    texts=st.lists(TEXTS, min_size=1, max_size=4),
)
@example("nmt_nfkc", (), (1, 1, 1, 1), ["\u2581".encode()])
@example("nmt_nfkc", (), (1, 0, 1, 1), [b"   "])
@example("identity", SYMBOLS[1], (1, 1, 1, 0), ["  \u2581\u2581\u2581 <mask> \u2581 ".encode()])
def test_random_text_equals_sentencepiece(backend_of_given, rule, symbols, options, texts):
    """Any text is normalized as by the library, with every option."""
    ours, oracle = pair(rule, symbols, options)
    assert batch(ours, texts) == [oracle.normalize(text) for text in texts]


@pytest.fixture(params=BACKENDS, scope="module")
def backend_of_given(request):
    """As `backend`, for tests under hypothesis, which wants no function-scoped fixtures."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CORPUS_KERNELS", request.param)
        yield request.param


@settings(deadline=None)
@given(
    rule=st.sampled_from(RULES[:3]),
    symbols=st.sampled_from(SYMBOLS),
    options=st.tuples(*[st.integers(0, 1)] * 4),
    parts=st.lists(TEXTS, max_size=4),
    step=st.integers(1, 5),
)
def test_a_record_in_parts_equals_the_whole(backend_of_given, rule, symbols, options, parts, step):
    """Where a text is cut into parts does not change what is made of it."""
    ours, _ = pair(rule, symbols, options)
    text = b"".join(parts)
    stream = ours.stream()
    made = b"".join(stream.feed(text[i : i + step]) for i in range(0, len(text), step))
    assert made + stream.feed(b"", final=True) == ours.normalize(text)


@pytest.mark.skipif(normalize_compiled is None, reason="no compiler")
@settings(deadline=None)
@given(
    rule=st.sampled_from(RULES[:3]),
    symbols=st.sampled_from(SYMBOLS),
    flags=st.integers(0, 15),
    text=TEXTS,
    room=st.integers(1, 40),
    is_open=st.booleans(),
)
@example("nmt_nfkc", (), 2, b"\xef\xb7\xba\x00 a", 1, True)
@example("nmt_nfkc", (), 2, b"bb a", 40, True)
@example("nmt_nfkc", (), 0, b"bb  a", 40, True)
@example("nmt_nfkc", (), 6, b"bb a\xcc", 40, True)
def test_the_kernel_resumes_where_its_output_was_full(rule, symbols, flags, text, room, is_open):
    """Output in buffers of any size is that of one large buffer."""
    tables = compile_charsmap(shipped_charsmap(rule), [s.encode() for s in symbols]).tables
    bounds = np.array([0]), np.array([len(text)])
    state, twin_state, offsets = np.zeros(6, np.int64), np.zeros(6, np.int64), np.zeros(2, np.int64)
    whole = bytearray(64 + 60 * len(text))
    assert not normalize_plain.normalize(tables, flags, text, *bounds, is_open, twin_state, whole, offsets)
    made, out = b"", bytearray(room)
    while normalize_compiled.normalize(tables, flags, text, *bounds, is_open, state, out, offsets):
        made += bytes(out[: state[5]])
        out = out if state[5] else bytearray(2 * len(out))
        state[5] = 0
    assert made + bytes(out[: state[5]]) == bytes(whole[: twin_state[5]])
    assert state[:5].tolist() == twin_state[:5].tolist()


@pytest.mark.skipif(normalize_compiled is None, reason="no compiler")
def test_buffers_that_do_not_fit_are_refused():
    """The kernel checks bounds, offsets and state before it runs."""
    tables = compile_charsmap(b"", []).tables
    one, state, offsets = np.array([5]), np.zeros(6, np.int64), np.zeros(2, np.int64)
    with pytest.raises(ValueError, match="outside the text"):
        normalize_compiled.normalize(tables, 0, b"abc", one * 0, one, False, state, bytearray(9), offsets)
    with pytest.raises(ValueError, match="16 are needed"):
        normalize_compiled.normalize(tables, 0, b"abc", one * 0, one, False, state, bytearray(9), offsets[:1])
    with pytest.raises(ValueError, match="damaged"):
        normalize_compiled.normalize(tables, 0, b"abc", one, one, False, state - 1, bytearray(9), offsets)


@settings(max_examples=300, deadline=None)
@given(
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=4)), max_size=6),
    cut=st.floats(0.5, 1.0),
    text=TEXTS,
)
def test_a_damaged_charsmap_is_refused_or_harmless(changes, cut, text):
    """No change of bytes in a charsmap leads outside of it."""
    blob = bytearray(shipped_charsmap("nmt_nfkc"))
    for place, new in changes:
        at = int(place * (len(blob) - 4))
        blob[at : at + len(new)] = new
    blob = bytes(blob[: int(len(blob) * cut)] if cut < 0.9 else blob)
    try:
        charsmap = compile_charsmap(blob, [])
    except DataError:
        return
    CharsmapNormalizer(charsmap, 7).normalize(text).decode()


@pytest.mark.parametrize("output", ["", " ", " c", "c ", "\u2581"])
@pytest.mark.parametrize("options", [(1, 1, 1, 0), (0, 1, 0, 0), (0, 0, 1, 1)])
def test_a_space_before_what_a_rule_takes_away_is_trimmed(backend, output, options, tmp_path):
    """With a combining mark, "a" is no longer text that stands for itself; the space before it may have to go."""
    rules = tmp_path / "rules.tsv"
    rules.write_text("61 301\t" + " ".join(f"{ord(character):X}" for character in output) + "\n")
    charsmap = message(train(normalization_rule_tsv=str(rules)), "model", {3: BYTES})[3]
    charsmap = message(charsmap, "normalizer_spec", {2: BYTES})[2]
    dummy, trim, escape, suffix = options
    specs = [(2, charsmap), (3, dummy), (4, trim), (5, escape)]
    data = spm_model([("a", -1.0)], trainer=[(24, suffix)], normalizer=specs)
    ours, oracle = parse(data, "m").normalizer, sentencepiece.SentencePieceProcessor(model_proto=data)
    texts = [
        text.encode() for text in ("bbbb a\u0301", "bbbb a\u0301 b", "bbbb  a\u0301a\u0301b", "bb a a\u0301\u0301")
    ]
    assert batch(ours, texts) == [oracle.normalize(text) for text in texts]


def units(**changes):
    """Return a charsmap of one rule, a to b, with units exchanged: u0 is the root, u96 a, u2 its output."""
    words = {"u0": 1 << 10, "u96": 0x62 << 10 | 1 << 8 | 0x61, "u2": 1 << 31} | changes
    trie = np.full(256, 1 << 31, np.uint32)
    for name, word in words.items():
        if name.startswith("u"):
            trie[int(name[1:])] = word
    return (1024).to_bytes(4, "little") + trie.astype("<u4").tobytes() + changes.get("strings", b"b\0")


def test_a_charsmap_by_hand_does_what_it_says():
    """The smallest charsmap replaces what it names."""
    assert CharsmapNormalizer(compile_charsmap(units(), []), 0).normalize(b"banana") == b"bbnbnb"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"u0": 0}, "trie is damaged"),
        ({"u0": 1 << 10 | 0x61}, "trie is damaged"),
        ({"u0": 1 << 20}, "trie is damaged"),
        ({"u2": 1 << 31 | 2}, "trie is damaged"),
        ({"u2": 0x62}, "trie is damaged"),
        ({"u96": 0x61 << 10 | 0x61}, "more than 1000 bytes"),
        ({"strings": b"b"}, "do not end with NUL"),
        ({"strings": b"\xff\0"}, "not UTF-8"),
        ({"u2": 1 << 31 | 1, "strings": "é\0".encode()}, "not UTF-8"),
    ],
)
def test_a_charsmap_that_would_lead_astray_is_refused(changes, said):
    """Units outside the array, outputs outside the strings, a ring of units, outputs that are no text."""
    with pytest.raises(DataError, match=said):
        compile_charsmap(units(**changes), [])


@settings(deadline=None)
@given(texts=st.lists(TEXTS, min_size=1, max_size=4), step=st.integers(1, 5))
@example([b"e", b"\xcc\x81"], 1)
def test_nfc_composes_what_is_text_and_keeps_other_bytes(texts, step):
    """NFC is that of Python's unicodedata, and bytes that are no text stay."""
    nfc = NfcNormalizer()
    wanted = [
        unicodedata.normalize("NFC", text.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
        for text in texts
    ]
    assert batch(nfc, texts) == wanted
    for text, whole in zip(texts, wanted, strict=True):
        stream = nfc.stream()
        made = b"".join(stream.feed(text[i : i + step]) for i in range(0, len(text), step))
        assert made + stream.feed(b"", final=True) == whole


@settings(deadline=None)
@given(
    texts=st.lists(
        st.sampled_from([b"a", "\u4e2d\u6587".encode(), b"", b"\n", b"b\nc", b"e\xcc\x81", b"\xff"]), min_size=1
    ),
    delimiters=st.lists(st.sampled_from([b"\n", b"\0", b"\r\n", b""]), min_size=1),
)
def test_nfc_of_records_between_delimiters_is_that_of_each(texts, delimiters):
    """Nothing is composed across a delimiter."""
    data, starts, ends = b"", [], []
    for text, delimiter in zip(texts, itertools.cycle(delimiters), strict=False):
        starts.append(len(data))
        ends.append(len(data) + len(text))
        data += text + delimiter
    out, offsets = NfcNormalizer().normalize_batch(data, np.array(starts, np.int64), np.array(ends, np.int64))
    found = [bytes(out)[a:b] for a, b in itertools.pairwise(offsets.tolist())]
    assert found == [NfcNormalizer().normalize(text) for text in texts]


@settings(deadline=None)
@given(texts=st.lists(TEXTS, min_size=1, max_size=4))
def test_the_identity_keeps_every_byte(texts):
    """Without rules text stays as it is."""
    assert batch(Normalizer(), texts) == texts


def test_no_records_make_an_empty_batch(backend):
    """A batch of no records is empty for every normalizer."""
    empty = np.zeros(0, np.int64)
    for normalizer in (Normalizer(), NfcNormalizer(), CharsmapNormalizer(compile_charsmap(b"", []), 7)):
        out, offsets = normalizer.normalize_batch(b"abc", empty, empty)
        assert (bytes(out), offsets.tolist()) == (b"", [0])
    assert kernels.load("normalize").__name__.endswith(".plain") == (backend == "plain")


@settings(deadline=None, max_examples=300)
@given(
    text=st.text(
        "ae\u0301\u0327天\u1100\u1161\u11a8\uac00\u0915\u093c\u0958\u09c7\u09be\u212b\U0001d15e\U0001f600 ", max_size=30
    )
    | st.text(max_size=20),
    repeats=st.integers(1, 90),
)
def test_what_is_composed_is_known_without_composing_it(text, repeats):
    """Also where more places need a second look than are looked at one by one."""
    text = text * repeats
    for name in ["plain", *(["compiled"] if normalize_compiled else [])]:
        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.setenv("CORPUS_KERNELS", name)
            assert _is_composed(text.encode("utf-8", "surrogatepass")) == (
                unicodedata.is_normalized("NFC", text) and not any("\ud800" <= c <= "\udfff" for c in text)
            )

"""The splitting kernel: equal to its twin and to the way in Python, on any bytes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pre_tokenizers import AWKWARD, BACKENDS, BEST, FLAGGED, NFC, PIECES, SHAPES, TOKENS, compiled, normalizer, run

from corpustools.kernels.split import plain


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shape", sorted(SHAPES))
@settings(max_examples=40)
@given(texts=st.lists(AWKWARD, min_size=1, max_size=4))
@example(PIECES)
@example(["", "a", "", " a", "a  b", "\n  \n  a", "DON'T 'S 's'\u017f 're'r", "  \r\n\r x"])
def test_parts_are_those_of_the_way_in_python(backend, shape, texts):
    """The same bytes, and none of the records is left to Python without a reason."""
    made = normalizer(shape)
    records = [text.encode() for text in texts]
    parts, left = run(backend, made, records, b"\xf0 '")
    assert parts == [made.normalize_in_python(record) for record in records]
    if SHAPES[shape][0] != NFC:
        assert left == []
    assert all(not text.isascii() for text in map(bytes.decode, left))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("added", ["some", "flagged"])
@pytest.mark.parametrize("shape", sorted(SHAPES))
@settings(max_examples=30)
@given(
    texts=st.lists(
        st.lists(st.sampled_from([*PIECES, *(one.content for one in TOKENS + FLAGGED), "<", "s>"]), max_size=16).map(
            "".join
        ),
        max_size=4,
    )
)
@example(["<s>", "<s>a<s><s>a", " <s> the", "the the", "the  the", "你好你好", "你 你好", "THE  THE", "é", "e\u0301"])
def test_added_tokens_stand_alone(backend, added, shape, texts):
    """The longest from left to right, as in Python; only where one asks for what stands around it is Python asked."""
    made = normalizer(shape, added)
    records = [text.encode() for text in texts]
    parts, left = run(backend, made, records, b"<")
    assert parts == [made.normalize_in_python(record) for record in records]
    if added == "some" and not SHAPES[shape][0]:
        assert left == []
    if added == "flagged":
        assert {record for record in records if b"[m]" in record} <= set(left)


@pytest.mark.parametrize("shape", sorted(SHAPES))
@settings(max_examples=40)
@given(
    records=st.lists(
        st.one_of(st.binary(max_size=12), AWKWARD.map(str.encode)).flatmap(
            lambda b: st.tuples(st.just(b), st.integers(0, 9)).map(lambda pair: pair[0][pair[1] % 3 :])
        ),
        max_size=4,
    )
)
def test_bytes_that_are_no_text_are_left_to_python(shape, records):
    """All of them and, without a composed form, nothing else; kernel and twin alike."""
    made = normalizer(shape, "some")
    for backend in BACKENDS:
        parts, left = run(backend, made, records)
        assert parts == [made.normalize_in_python(record) for record in records]
        wrong = [record for record in records if record != record.decode("utf-8", "ignore").encode()]
        assert [record for record in left if record in wrong] == wrong
        if not SHAPES[shape][0]:
            assert left == wrong


@pytest.mark.parametrize("shape", ["GPT-2", "with a space", "Llama 3", "o200k", "StarCoder", "DeepSeek 3", "Llama 2"])
@settings(max_examples=60)
@given(
    pieces=st.lists(
        st.sampled_from([piece for piece in PIECES if piece.isascii()] + ["word", "Word ", " a", "1 "]),
        min_size=1,
        max_size=12,
    ),
    times=st.integers(10, 120),
    ends=st.text("aA1 \n'.\t\u00e9", max_size=5),
)
@example([" "], 128, "a")
@example(["\t "], 100, "\n")
@example(["a"], 200, "'")
@example([" \n"], 100, "'s")
@example(["ab, "], 40, "é")
def test_long_texts_are_those_of_the_way_in_python(shape, pieces, times, ends):
    """A long text is split in two stretches at once: wherever the second one begins, the parts are the same."""
    made = normalizer(shape)
    records = [start + "".join(pieces) * times + ends for start in ("", "x", "x'", " \n ")]
    parts, left = run(BEST, made, [record.encode() for record in records])
    assert left == []
    assert parts == [made.normalize_in_python(record.encode()) for record in records]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shape", ["Llama 3", "Command R", "marks always", "Gemma"])
def test_a_batch_of_many_records(backend, shape):
    """Records that are left to Python keep their places among the others; a batch may be empty."""
    made = normalizer(shape, "flagged")
    kinds = [b"The cat's 123 hats.", b"", b"\xff bad", "e\u0301 [m] x".encode(), b"a<s>b", "你好 é".encode(), b"on on"]
    records = [kinds[i * i % 7] + b" %d" % i for i in range(500)]
    parts, left = run(backend, made, records, b"\n")
    assert parts == [made.normalize_in_python(record) for record in records]
    assert 0 < len(left) < 500
    assert run(backend, made, []) == ([], [])


@pytest.mark.parametrize("shape", ["Llama 3", "GPT-2", "o200k", "StarCoder", "DeepSeek 3", "Llama 2", "marks first"])
@pytest.mark.parametrize("text", ["a", " ", "1", ".", "\n", " \n", "\u4e2d", "A", "'", "\u0301", "Aa", "a\u4e2dA"])
def test_a_long_run_takes_time_that_grows_with_it(shape, text):
    """Half a million times the same: each pattern looks at a character a few times."""
    made = normalizer(shape)
    record = (text * 500_000).encode()
    (parts,), left = run(BEST, made, [record] if BEST == "compiled" else [record[:30]])
    assert left == []
    assert len(parts) >= 30
    assert run(BEST, made, [record[:3000]])[0] == [made.normalize_in_python(record[:3000])]


LIES = {
    "a record before the data": {"starts": [-1]},
    "a record behind the data": {"ends": [4]},
    "a record that ends before it starts": {"starts": [2], "ends": [1]},
    "fewer ends than starts": {"ends": []},
    "an output without room": {"out": 2 * 3 + plain.OUT_SLACK - 1},
    "a growth of nothing": {"growth": 0},
    "offsets without room": {"offsets": 1},
    "no room for what was done": {"done": 0},
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_refused(backend, lie):
    """Arguments that do not fit each other are an error before the first byte is touched."""
    module = {"plain": plain, "compiled": compiled}[backend]
    told = {"starts": [0], "ends": [3], "out": 2 * 3 + plain.OUT_SLACK, "growth": 2, "offsets": 2, "done": 1}
    told |= LIES[lie]
    starts, ends = (np.array(told[name], np.int64) for name in ("starts", "ends"))
    out, done = np.empty(told["out"], np.uint8), np.empty(told["done"], np.uint8)
    with pytest.raises(ValueError):
        module.split(
            normalizer("GPT-2")._fast._program,
            b"abc",
            starts,
            ends,
            told["growth"],
            out,
            np.empty(told["offsets"], np.int64),
            done,
        )

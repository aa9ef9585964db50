"""Vocabularies and merges of tokenizer.json files that are read in one sweep: the same as one entry after another."""

import json

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from corpustools.errors import DataError, UnsupportedModel
from corpustools.stages.tokenize.models import hf_merges, hf_vocabulary, parse
from corpustools.stages.tokenize.models.json_merges import MergePairs, read_json
from corpustools.stages.tokenize.text.byte_alphabet import byte_alphabet

ALPHABET = byte_alphabet()
TOKENS = st.text(alphabet="abĠĊ中é😀\x00" + "".join(ALPHABET)[180:], max_size=4)


def plainly(data):
    """What json says."""
    return json.loads(data.decode("utf-8-sig"))


def listed(content):
    """The content with its merges as lists again, and whether they were any."""
    model = content["model"] if isinstance(content, dict) and isinstance(content.get("model"), dict) else {}
    swept = isinstance(model.get("merges"), MergePairs)
    return (content | {"model": model | {"merges": list(model["merges"])}} if swept else content), swept


@settings(deadline=None)
@given(
    merges=st.lists(st.lists(TOKENS, min_size=2, max_size=2), max_size=6),
    vocabulary=st.dictionaries(TOKENS | st.sampled_from(["merges", '"merges": [']), st.integers(0, 9), max_size=4),
    indent=st.sampled_from([None, 1]),
    escaped=st.booleans(),
    mark=st.sampled_from([b"", b"\xef\xbb\xbf"]),
)
def test_merges_are_taken_out_of_a_file_whole(merges, vocabulary, indent, escaped, mark):
    """The file is what json says it is, whatever stands before and behind its merges."""
    content = {"a": {"merges": 1}, "model": {"vocab": vocabulary, "merges": merges, "x": [1.5, "]"]}, "b": "merges"}
    data = mark + json.dumps(content, ensure_ascii=escaped, indent=indent).encode()
    assert listed(read_json(data)) == (plainly(data), True)


@pytest.mark.parametrize(
    "text",
    [
        '{"model": {"merges": ["a b c"]}}',
        '{"model": {"merges": [["a", "b"], ["a"]]}}',
        '{"merges": [["a", "b"]], "model": {"merges": []}}',
        '{"merges": [["a", "b"]]}',
        '[{"merges": [["a", "b"]]}]',
        '{"x\\"merges": [["a", "b"]], "model": {"merges": [["c", "d"]]}}',
        '{"model": {"merges": [["a", "b"]], "merges": 7}}',
        '{"model": {"merges": 7}}',
        '{"model": {"merges": ["\\ud800 a"]}}',
    ],
)
def test_other_files_are_read_as_json_reads_them(text):
    """Merges that are malformed, or stand elsewhere or again, are left as they are."""
    assert listed(read_json(text.encode())) == (plainly(text.encode()), False)


@pytest.mark.parametrize(
    "text",
    [
        '{"model": {"merges": [["a", "b"]], "x": NaN}}',
        '{"x": NaN, "model": {"merges": [["a", "b"]]}}',
        '{"model": {"merges": [["a", "b"]]}',
        '{"model": {"merges": [["a", "b"]]}} x',
        '{"model": {"merges": [["a", "b"]] [["a", "b"]]}}',
        '{"model": "merges": [["a", "b"]]}',
        '{"model": {"merges": NaN}}',
        '{"model": {"merges": [["a", "b"]], "merges": Infinity}}',
        '{"model": {"merges": [["a", "b\x01"]]}}',
    ],
)
def test_what_is_no_json_is_refused(text):
    """The kernel's sweep makes no broken file whole."""
    with pytest.raises(ValueError, match=r"."):
        read_json(text.encode())


def test_a_merge_that_is_no_text_is_refused():
    """A byte of no UTF-8 in a merge is named like one elsewhere."""
    with pytest.raises(DataError, match="not valid JSON"):
        parse(b'{"model": {"vocab": {"\\u0061": 0}, "merges": [["a", "\xff"]]}}', "m")


@settings(deadline=None)
@given(tokens=st.lists(TOKENS, unique=True, min_size=1, max_size=12), data=st.data())
@example(tokens=["a", "aa", "aaa"], data=None)
def test_merges_are_found_as_one_by_one(tokens, data):
    """Both ways find the same rows, or fail in the same words; of a pair that stands twice the last one counts."""
    halves = st.sampled_from([*tokens, *(token[:1] for token in tokens)])
    drawn = st.lists(st.lists(halves, min_size=2, max_size=2), max_size=8)
    pairs = [["a", "a"], ["aa", "a"], ["a", "aa"], ["a", "a"]] if data is None else data.draw(drawn)
    if data is None or data.draw(st.booleans()):
        tokens = list(dict.fromkeys([*tokens, *(one + other for one, other in pairs)]))
    swept = read_json(json.dumps({"model": {"merges": pairs}}).encode())["model"]
    assert isinstance(swept["merges"], MergePairs)

    def outcome(spec):
        try:
            return [column.tolist() for column in hf_merges._columns(spec, tokens)]
        except (DataError, UnsupportedModel) as error:
            return str(error)

    for unknown in (None, tokens[0]):
        assert outcome(swept | {"unk_token": unknown}) == outcome({"merges": pairs, "unk_token": unknown})


@settings(deadline=None)
@given(tokens=st.lists(st.text(max_size=3) | TOKENS, max_size=12), data=st.data())
def test_tokens_become_bytes_as_one_by_one(tokens, data):
    """Each token's bytes, whether it is an arc, and what is known of single bytes."""
    added = set(data.draw(st.lists(st.sampled_from(range(len(tokens))), max_size=3))) if tokens else set()
    arc, spelled = np.array([bool(token) for token in tokens], np.bool_), np.ones(len(tokens), np.bool_)
    spelled &= arc
    pieces, odd, missing = hf_vocabulary._byte_level(tokens, arc, spelled, added)
    known = {}
    for i, token in enumerate(tokens):
        written = bool(token) and i not in added and set(token) <= ALPHABET.keys()
        expected = bytes(ALPHABET[letter] for letter in token) if written else token.encode("utf-8", "surrogatepass")
        far = any(byte >= 0xF5 for byte in expected)
        if written and len(token) == 1:
            expected = hf_vocabulary.private(i) if far else expected
            known[ALPHABET[token]] = expected
        assert (pieces[i], arc[i], spelled[i]) == (expected, written and (not far or len(token) == 1), written)
    assert odd == {byte: known.get(byte, "\ufffd".encode()) for byte in range(256)}
    assert set(missing) == set(range(0xF5)) - {0xC0, 0xC1} - known.keys()


@given(ids=st.permutations(range(6)))
def test_ids_in_any_order(ids):
    """Tokens stand where their ids say."""
    tokens, _ = hf_vocabulary.bpe({"vocab": {f"t{i}": i for i in ids}})
    assert tokens == [f"t{i}" for i in range(6)]


@pytest.mark.parametrize("ids", [[0, 0], [0, 2], [0, -1], [0, 1.0], [False, 1], [0, 1 << 70], [0, None]])
def test_ids_that_are_no_numbering(ids):
    """The first token that does not fit is named."""
    with pytest.raises(UnsupportedModel, match=r"'(a|b)' is "):
        hf_vocabulary.bpe({"vocab": dict(zip("ab", ids, strict=True))})

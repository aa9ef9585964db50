"""Our engine for canonical ids and the model's own library: equal where others are known to differ."""

import json

import numpy as np
import pytest
from bpe_files import BYTE_LEVEL, byte_level_file, sentencepiece_file, trained
from hypothesis import given, settings
from hypothesis import strategies as st

from corpustools.errors import UnsupportedModel
from corpustools.files.batches import RecordBatch
from corpustools.stages.tokenize.bpe.by_reference import ByReference
from corpustools.stages.tokenize.bpe.canonical import Canonical
from corpustools.stages.tokenize.bpe.reference import load_reference
from corpustools.stages.tokenize.lattice.trie import join
from corpustools.stages.tokenize.models import parse
from corpustools.stages.tokenize.models.special import without_special
from corpustools.stages.tokenize.text.hf_decode import byte_alphabet

pytest.importorskip("tokenizers", reason="the peer is missing: pip install tokenizers")

LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPLIT = {"type": "Split", "pattern": {"Regex": LLAMA3}, "behavior": "Isolated", "invert": False}
PARTS = st.sampled_from([*"the quick1 2\n'é天\u088f\u0301\u200d.", "</s>", " the"])
NO_REGEX = BYTE_LEVEL | {"use_regex": False}


def sequence(*steps):
    return {"type": "Sequence", "pretokenizers": list(steps)}


def letters(text):
    names = {byte: letter for letter, byte in byte_alphabet().items()}
    return "".join(names[byte] for byte in text.encode())


def joins(*texts):
    """Return merges that make each text of its letters, one after another."""
    merges = []
    for text in texts:
        shown = letters(text)
        merges += [[shown[:i], shown[i]] for i in range(1, len(shown))]
    return [list(pair) for pair in dict.fromkeys(map(tuple, merges))]


def batch(documents):
    data, bounds = join(documents)
    return RecordBatch(data, bounds[:-1], bounds[1:], 0, "a.txt")


def ours(model, documents, bos=-1, eos=-1):
    """Return the ids of documents by our engine."""
    data, bounds = join(documents)
    text, offsets = model.normalizer.normalize_batch(data, bounds[:-1], bounds[1:])
    found = Canonical(model, bos, eos).batch(text, offsets, 0)
    return [ids.tolist() for ids in np.split(found.ids, found.ends)[:-1]]


def agree(data, documents):
    """Check that both engines give the same ids, and return them."""
    model = parse(data, "m")
    found = ours(model, documents)
    assert found == [ids.tolist() for ids in load_reference(model).encode_batch(documents)]
    return model, found


def test_a_letter_of_a_later_unicode_is_no_letter():
    """U+088F is a letter from Unicode 17 on. The library knows 16 and cuts before it, so no merge reaches over."""
    text = "a\u088f"
    data = byte_level_file(merges=joins(text))
    _, [new] = agree(data, [text.encode()])
    assert len(new) > 1
    # The letter before it in the code is old enough.
    _, [old] = agree(byte_level_file(merges=joins("a\u088e")), ["a\u088e".encode()])
    assert len(old) == 1


def test_text_of_a_special_token():
    """It becomes the token, and other text where special tokens are text."""
    data = byte_level_file(added=[{"content": "<|endoftext|>"}])
    documents = [b"the<|endoftext|>quick", b"<|endoftext|>", b"<|endoftext|<|endoftext|>|>"]
    model, found = agree(data, documents)
    end = model.vocab_size - 1
    assert [ids.count(end) for ids in found] == [1, 1, 1]
    text = without_special(model)
    wanted = [ids.tolist() for ids in load_reference(model, "text").encode_batch(documents)]
    assert ours(text, documents) == wanted
    assert not any(end in ids for ids in wanted)


def with_special(data, *texts):
    """Return a tokenizer.json in which pieces of the vocabulary are special added tokens too."""
    content = json.loads(data)
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    vocabulary = content["model"]["vocab"]
    content["added_tokens"] = [flags | {"id": vocabulary[text], "content": text} for text in texts]
    return json.dumps(content).encode()


def test_merges_make_no_special_token_of_text():
    """A special token that merges lead to is written in the parts that it was made of, and what they lead on to is not.

    The library makes the special id, so it is no reference for such a file.
    """
    data = with_special(byte_level_file(merges=joins("abcde")), "abc", "ab")
    model = parse(data, "m")
    places = json.loads(data)["model"]["vocab"]
    text = without_special(model)
    found = ours(text, [b"abc", b"abcd", b"abcde", b"ab", b"abab"])
    a, b, c = (places[letter] for letter in "abc")
    assert found == [[a, b, c], [places["abcd"]], [places["abcde"]], [a, b], [a, b, a, b]]
    assert ours(model, [b"abc"]) == [[places["abc"]]]
    with pytest.raises(UnsupportedModel, match="makes special tokens by merges"):
        load_reference(model, "text")
    whole = without_special(parse(with_special(byte_level_file(joins("abc"), ignore_merges=True), "abc"), "m"))
    assert ours(whole, [b"abc"]) == [[len(byte_alphabet()), c]]


def test_symbols_make_no_special_token_of_text():
    """A user-defined piece that bears the name of a special token is text like any other where that is asked for."""
    model = parse(sentencepiece_file(user_defined_symbols="<pad>,<other>"), "m")
    pad, other = (model.pieces.index(text) for text in (b"<pad>", b"<other>"))
    [ids] = ours(model, [b"a<pad>b<other>"])
    [text] = ours(without_special(model), [b"a<pad>b<other>"])
    assert (pad in ids, other in ids) == (True, True)
    assert (pad in text, other in text) == (False, True)


@pytest.mark.parametrize("single", [True, False])
def test_digits_are_a_step_of_their_own(single):
    """Digits before the pattern cut numbers into single ones, or off from what stands before them."""
    digits = {"type": "Digits", "individual_digits": single}
    for pattern in ([SPLIT, NO_REGEX], [BYTE_LEVEL]):
        data = byte_level_file(merges=joins("12", " 12", "123"), pre_tokenizer=sequence(digits, *pattern))
        _, [ids, blank] = agree(data, [b"123", b" 12"])
        assert (len(ids), len(blank)) == (3, 3) if single else (1, 2)


def test_ids_behind_a_gap_are_numbered_on():
    """The library does not look at the id of an added token, and ours does as it does."""
    content = json.loads(byte_level_file(added=[{"content": "<s>"}, {"content": "<b>", "special": False}]))
    size = len(content["model"]["vocab"])
    for token, gap in zip(content["added_tokens"], (100, 900), strict=True):
        token["id"] += gap
    model, [ids] = agree(json.dumps(content).encode(), [b"a<s>b<b>"])
    assert (ids[1], ids[3]) == (size, size + 1)
    assert "<s>" in model.notes[0]


@pytest.mark.parametrize(
    "splitter",
    [
        NO_REGEX,
        BYTE_LEVEL | {"add_prefix_space": True},
        sequence({"type": "Punctuation", "behavior": "Isolated"}, BYTE_LEVEL),
        sequence({"type": "WhitespaceSplit"}, BYTE_LEVEL),
        sequence(SPLIT | {"behavior": "Removed", "pattern": {"String": " "}}, NO_REGEX),
        sequence(SPLIT | {"behavior": "Contiguous"}, NO_REGEX),
    ],
)
def test_steps_that_others_drop_are_honoured(splitter):
    """Words end where the file says, in any combination of steps."""
    data = byte_level_file(merges=joins(" the", "e q", "..", " a."), pre_tokenizer=splitter)
    agree(data, [b"the quick a. .. the the", b" the  quick\n", "\u00e9t\u00e9 don't".encode(), b""])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(PARTS).map("".join), max_size=6))
def test_any_text(texts):
    """Trained models of both libraries, text of merges, marks, blanks and special tokens."""
    documents = [text.encode() for text in texts]
    agree(byte_level_file(added=[{"content": "</s>", "lstrip": True}]), documents)
    agree(sentencepiece_file(), documents)


@pytest.mark.parametrize("data", [byte_level_file(added=[{"content": "</s>"}]), sentencepiece_file()])
def test_the_reference_alone_writes_what_ours_writes(data):
    """Ids, ends and special tokens made of text are those of our engine, with and without bos and eos."""
    model = parse(data, "m")
    documents = [b"the quick</s> brown", b"", b"\xff fox", b"</s></s>", b"dog"]
    for bos, eos in ((-1, -1), (5, -1), (-1, 7), (model.vocab_size - 1, model.vocab_size - 1)):
        canonical = Canonical(model, bos, eos)
        library = ByReference(load_reference(model), canonical)
        found = library.batch(batch(documents))
        text, offsets = model.normalizer.normalize_batch(*join(documents)[:1], *bounds_of(documents))
        wanted = canonical.batch(text, offsets, 0)
        assert found.ids.tolist() == wanted.ids.tolist()
        assert found.ends.tolist() == wanted.ends.tolist()
        assert found.special.tolist() == wanted.special.tolist()
        assert found.ids.dtype == np.int32
        assert library.others == (model.kind == "hf-bpe")
    assert ByReference(load_reference(model), Canonical(model)).batch(batch([])).ends.tolist() == []


def bounds_of(documents):
    _, bounds = join(documents)
    return bounds[:-1], bounds[1:]


def test_merges_are_trained_at_all():
    """The models above have pieces of several letters."""
    assert max(len("".join(pair)) for pair in trained()) > 3

"""What is left out when a model is loaded, with nothing coming of it: tries, names, ranges that are parsed again."""

import re

import numpy as np
import pytest
from bpe_models import by_hand, tokenizer_json, trained_byte_level
from hypothesis import example, given
from hypothesis import strategies as st

from corpustools.errors import DataError
from corpustools.stages.tokenize.models import json_floats, parse
from corpustools.stages.tokenize.models.tiktoken import CL100K, O200K, QWEN
from corpustools.stages.tokenize.text.dfa import automaton
from corpustools.stages.tokenize.text.hf_regex import translate
from corpustools.stages.tokenize.text.hf_split import GPT2
from corpustools.stages.tokenize.tokenizer import Tokenizer

PATTERNS = [
    *(GPT2, CL100K, O200K, QWEN, r"\p{N}{1,3}", r"[一-龥]+", r"[^\p{L}\s]|\p{Lu}", r"[\p{L}a-é\p{M}]+|\p{L}(?!\p{L})"),
    # What looks like a range and is none, a character that stands for ranges elsewhere, and groups.
    *(r"[\\Uaaaaaaaa-é\p{L}]", r"[\\\p{L}]", r"\x{f0000}|[\x{f0001}\p{L}]+|\p{N}", r"(\p{L})+x", r"[a-\x{100}\p{L}]"),
    *(r"[a\p{L}]|[^\P{N}]|(?:\p{L}\p{M}*)+|\p{L}b|\p{L}c", r"(?<=\p{L})\p{N}"),
]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_stand_ins_for_ranges_change_nothing(pattern):
    """A pattern has the automaton, width and groups that it has when each of its ranges is parsed."""
    classes = translate(pattern)
    whole = re._parser.parse(classes.pattern, classes.flags)
    assert classes.stand_ins or "\\p" not in pattern
    assert (classes.tree.getwidth(), classes.groups) == (whole.getwidth(), classes.whole.groups)
    short, long = automaton(classes.tree, classes.stand_ins), automaton(whole, {})
    assert (short is None) == (long is None)
    if short and long:
        assert short.total == long.total
        for one, other in zip((*short.columns, short.next, short.verdicts), (*long.columns, long.next, long.verdicts),
                              strict=True):  # fmt: skip
            assert np.array_equal(one, other)


@pytest.mark.parametrize("file", [trained_byte_level(), by_hand()])
def test_canonical_ids_need_no_trie(file):
    """It is made when a segmentation is drawn, and not before."""
    tokenizer = Tokenizer(parse(file.encode(), "m"))
    assert tokenizer.encode("a ab")
    made = vars(tokenizer._engine)
    assert "trie" not in made
    assert "names" not in vars(tokenizer.vocabulary)
    assert tokenizer.sample("a ab", alpha=0)
    assert "trie" in made


@given(text=st.from_regex(r"-?[0-9]{1,12}\.[0-9]{1,12}", fullmatch=True) | st.floats(-1e3, 0).map(repr))
@example("-0.0")
@example("1844674407370955161.5")
@example("9999999999.999999999")
def test_numbers_are_read_alike_at_once_and_digit_by_digit(text):
    """The short way takes most scores of a vocabulary; it has the same two roundings."""
    value = json_floats.float_of_tokenizers(text)
    slowly = json_floats._digit_by_digit(text.removeprefix("-"))
    assert (abs(value), np.signbit(value)) == (slowly, text.startswith("-"))


@pytest.mark.parametrize("token", ["a" * 4097, "\ud800"])
def test_pieces_that_have_no_trie_are_refused_at_once(token):
    """A model that could not be sampled is none, whatever is asked of it first."""
    model = parse(tokenizer_json(["<unk>", "a", token], [], unk_token="<unk>").encode("utf-8", "surrogatepass"), "m")
    with pytest.raises(DataError, match=r"4097 bytes|piece 2 of the vocabulary is not UTF-8"):
        Tokenizer(model)

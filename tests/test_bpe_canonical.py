"""Canonical ids of byte-pair models: those of the models' own libraries, on every text."""

from __future__ import annotations

import json
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from bpe_models import by_hand, inner_mark, odd_sentencepiece, trained_byte_level, trained_sentencepiece
from hypothesis import example, given, settings
from hypothesis import strategies as st
from spm_files import TEXT

from corpustools.errors import DataError, UnsupportedModel
from corpustools.kernels.bpe.plain import joined
from corpustools.stages.tokenize.bpe.canonical import Canonical
from corpustools.stages.tokenize.bpe.merges import SPACE_MARK, bytes_before_words
from corpustools.stages.tokenize.models import parse

tokenizers = pytest.importorskip("tokenizers")
sentencepiece = pytest.importorskip("sentencepiece")

FILES = {
    "byte-level": trained_byte_level,
    "byte-level, whole words first": lambda: trained_byte_level(ignore_merges=True),
    "unknown letters": by_hand,
    "unknown letters fused": lambda: by_hand(fuse_unk=True),
    "bytes": lambda: by_hand(unknown=False, fallback=True),
    "bytes and an unknown token": lambda: by_hand(fallback=True, fuse_unk=True),
    "whole texts first": lambda: by_hand(ignore_merges=True, metaspace=False),
    "inner marks": inner_mark,
    "sentencepiece": trained_sentencepiece,
    "sentencepiece, inner marks": lambda: trained_sentencepiece(split_by_whitespace=False, vocab_size=120),
    "sentencepiece with bytes": lambda: trained_sentencepiece(byte_fallback=True, vocab_size=340),
    "sentencepiece, odd pieces": odd_sentencepiece,
    "sentencepiece, odd pieces and bytes": lambda: odd_sentencepiece(fallback=True),
}
TEXTS = (
    st.text(st.sampled_from(["a", "b", "c", "x", "y", "é", "中", " ", "▁", "ü", "\n"]), max_size=30)
    | st.lists(st.sampled_from([*TEXT[:40], " ", "  ", "1", "<|endoftext|>", "<unk>", "<s>"]), max_size=12).map("".join)
    | st.text(max_size=12)
)


@cache
def pair(name: str) -> tuple[Canonical, Any]:
    """Return ours, and the peer as a function from a text to its ids."""
    made = FILES[name]()
    if isinstance(made, str):
        peer = tokenizers.Tokenizer.from_str(made)
        return Canonical(parse(made.encode(), name)), lambda text: peer.encode(text, add_special_tokens=False).ids
    processor = sentencepiece.SentencePieceProcessor()
    processor.LoadFromSerializedProto(made)
    return Canonical(parse(made, name)), processor.encode


def encode(canonical: Canonical, texts: list[str | bytes]) -> list[list[int]]:
    """Return the ids of several texts, segmented in one call."""
    rows = [text.encode() if isinstance(text, str) else text for text in texts]
    ends = np.cumsum([0, *map(len, rows)], dtype=np.int64)
    normalized, offsets = canonical.model.normalizer.normalize_batch(b"".join(rows), ends[:-1], ends[1:])
    batch = canonical.batch(normalized, offsets, 0)
    return [ids.tolist() for ids in np.split(batch.ids, batch.ends[:-1])] if rows else []


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=60)
@given(texts=st.lists(TEXTS, min_size=1, max_size=4))
@example(["aaaaaaaaa", "", "ababab bab", "▁▁▁a▁a ▁ b", "中中b中b", "xyxyx xyx", "aa bab aa b"])
@example(["b </b  </ b </", "b▁▁b </", "b", "b <", "中 a b </中a"])
@example(["üü ü中é  éü▁ü", "ü", "ü ü", "abcabbcc ab cccc", "\n\n a\n"])
def test_ids_equal_those_of_the_library(name: str, texts: list[str]):
    """Whatever the model: letters, unknown letters, bytes, pieces that are taken apart, symbols that stand alone."""
    ours, peer = pair(name)
    assert encode(ours, texts) == [peer(text) for text in texts]


@given(
    letters=st.lists(st.integers(0, 2), max_size=14),
    merges=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(3, 9)), max_size=9),
)
def test_merges_by_their_definition(letters: list[int], merges: list[tuple[int, int, int]]):
    """Of all neighbouring pairs the one with the least (priority, place) is joined, until none is left."""
    pairs = {(left, right): (i // 2, made) for i, (left, right, made) in enumerate(merges)}
    row = list(letters)
    while found := [(pairs[pair][0], at) for at, pair in enumerate(pairwise(row)) if pair in pairs]:
        at = min(found)[1]
        row[at : at + 2] = [pairs[row[at], row[at + 1]][1]]
    assert joined(letters, pairs) == row


def words_of(name: str, text: str) -> list[str]:
    """Return the words of a text, by where they end among the ids."""
    canonical, _ = pair(name)
    normalized = canonical.model.normalizer.normalize(text.encode())
    batch = canonical.batch(normalized, np.array([0, len(normalized)], np.int64), 0, parts=True)
    assert batch.part_ends is not None
    pieces = canonical.model.pieces
    return [b"".join(pieces[i] for i in ids).decode() for ids in np.split(batch.ids, batch.part_ends)[:-1]]


def test_words_are_told_by_their_ends():
    """A model without pre-tokens has its words begin at marks, and its symbols are words."""
    assert words_of("byte-level", "the fox  runs") == ["the", " fox", " ", " runs"]
    assert words_of("unknown letters", "ab a  b") == ["▁ab", "▁a", "▁▁b"]
    assert words_of("sentencepiece, odd pieces", "a 中aa b") == ["▁a", "▁", "中", "aa▁b"]
    assert [pair(name)[0].model.word_cuts for name in FILES] == [
        *("marks", "marks", "space-marks", "space-marks", "space-marks", "space-marks", "marks"),
        *("space-marks", "space-marks", "space-marks", "space-marks", "space-marks", "space-marks"),
    ]


def test_no_word_begins_where_a_piece_goes_on():
    """Behind a character that a piece has before a mark no word begins; behind all others one does."""
    assert words_of("inner marks", "b a</b </ a </中 a") == ["▁b▁a</b▁</", "▁a", "▁</中", "▁a"]
    assert pair("inner marks")[0].model.merges.begins == frozenset(range(256)) - {ord("b")}
    model = pair("sentencepiece, inner marks")[0].model
    texts = [piece.decode() for piece, made in zip(model.pieces, model.arc, strict=True) if made]
    inner = {text[i - 1].encode()[-1] for text in texts for i, c in enumerate(text) if c == "▁" and text[:i].strip("▁")}
    assert 3 < len(inner - {0x81}) < 100
    assert model.merges.begins | {0x81} == frozenset(range(256)) - inner | {0x81}


def test_where_a_word_can_begin_nowhere_a_record_is_one():
    """Words are whole records where pieces have marks behind every byte that a character can end with."""
    assert not bytes_before_words(bytes([byte]) + SPACE_MARK for byte in range(256))
    assert bytes_before_words([b"a", SPACE_MARK * 3, SPACE_MARK + b"a"]) == frozenset(range(256))
    assert bytes_before_words([b"a" + SPACE_MARK * 2 + b"b" + SPACE_MARK]) == frozenset(range(256)) - set(b"ab")


def test_bytes_that_are_no_text():
    """Every byte of a byte-level model has its id, and is joined as bytes are."""
    canonical, _ = pair("byte-level")
    ids = encode(canonical, [b"\xff\xfe\x80the", "天".encode()[:2]])
    pieces = [canonical.model.pieces[i] for i in ids[0]]
    surfaces = canonical.model.normalizer.surfaces
    assert b"".join(surfaces.get(piece, piece) for piece in pieces) == b"\xff\xfe\x80the"
    assert len(ids[1]) <= 2


def test_an_added_token_is_found_and_told():
    """Text of an added token is its id, noted where it is a special one; its letters are never joined to it."""
    canonical, peer = pair("byte-level")
    text = b"the<|endoftext|>fox"
    normalized = canonical.model.normalizer.normalize(text)
    batch = canonical.batch(normalized, np.array([0, len(normalized)], np.int64), 0)
    assert batch.ids.tolist() == peer(text.decode())
    assert [int(batch.ids[place]) for place in batch.special] == [0]


FAULTS = {
    "a merge of one token": (lambda: by_hand(merges=["ab"]), DataError, "instead of two tokens"),
    "a merge of three": (lambda: by_hand(merges=[["a", "b", "c"]]), DataError, "instead of two tokens"),
    "a token that is not there": (lambda: by_hand(merges=[["a", "q"]]), DataError, "needs 'q'"),
    "a piece that is not there": (lambda: by_hand(merges=[["c", "a"]]), DataError, "needs 'ca'"),
    "the unknown token": (
        lambda: by_hand(vocabulary={"<unk>": 0, "a": 1, "<unk>a": 2}, merges=[["<unk>", "a"]]),
        UnsupportedModel,
        "joins the unknown token",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_merges_that_cannot_be_read(fault: str):
    """A merge that the library refuses too is named; so is one that nothing here could do."""
    make, error, message = FAULTS[fault]
    with pytest.raises(error, match=message):
        parse(make().encode(), "m")


def test_dropout_in_the_file_is_named():
    """The file asks for random ids, and canonical ones are not."""
    made = json.loads(by_hand())
    made["model"]["dropout"] = 0.1
    model = parse(json.dumps(made).encode(), "m")
    assert any("dropout of 0.1" in note for note in model.notes)

"""The libraries of byte-pair models as encoders: what they are given, what comes back, how they fail."""

import itertools
import sys
from dataclasses import replace

import numpy as np
import pytest
import sentencepiece
from bpe_files import byte_level_file, sentencepiece_file, trained
from hypothesis import given, settings
from hypothesis import strategies as st
from vocabularies import make_model

from corpustools.errors import DataError, SystemFailure, UnsupportedModel
from corpustools.stages.tokenize.bpe.reference import PORTION, Reference, load_reference, portions
from corpustools.stages.tokenize.models import parse
from corpustools.stages.tokenize.text.hf_text import HuggingFaceNormalizer

tokenizers = pytest.importorskip("tokenizers", reason="the peer is missing: pip install tokenizers")

END = {"content": "</s>"}
PLAIN = {"content": "<sep>", "special": False}
DOCUMENTS = ["the quick brown fox", "", "don't  été 1234\n", "天地</s>玄<sep>黄", " the the"]


def loaded(data, special="library"):
    return load_reference(parse(data, "m"), special)


def lists(found):
    return [None if ids is None else ids.tolist() for ids in found]


def test_a_tokenizer_json_is_encoded_as_the_library_does_it():
    """Ids of a batch are those of the library's own calls, one text at a time, without bos and eos."""
    data = byte_level_file(added=[END, PLAIN])
    oracle = tokenizers.Tokenizer.from_buffer(data)
    found = loaded(data).encode_batch([text.encode() for text in DOCUMENTS])
    assert lists(found) == [oracle.encode(text, add_special_tokens=False).ids for text in DOCUMENTS]
    assert all(ids.dtype == np.int32 for ids in found)
    assert loaded(b"\xef\xbb\xbf" + data).library == f"tokenizers {tokenizers.__version__}"


def test_merges_are_applied_by_their_definition():
    """The library joins the neighbours whose merge stands first in the list, again and again."""
    data, merges = byte_level_file(), trained()
    places = {tuple(pair): i for i, pair in enumerate(merges)}
    symbols = list("thethe")
    while True:
        ranked = [(places[pair], i) for i, pair in enumerate(itertools.pairwise(symbols)) if pair in places]
        if not ranked:
            break
        _, i = min(ranked)
        symbols[i : i + 2] = [symbols[i] + symbols[i + 1]]
    assert len(symbols) < 6
    names = parse(data, "m").pieces
    [ids] = loaded(data).encode_batch([b"thethe"])
    assert [names[i].decode() for i in ids.tolist()] == symbols


def ranked(pieces, special=()):
    """Return a model with ranks: `pieces` in the order of their ids, cut into words by GPT-2's rules."""
    cuts = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return make_model(
        dict.fromkeys(pieces, 0.0),
        "byte-level",
        unknown=False,
        kind="tiktoken",
        pieces=list(pieces),
        special=frozenset(special),
        normalizer=HuggingFaceNormalizer(None, cuts, [], {}, {}),
        decoder=lambda ids: b"".join(pieces[i] for i in ids),
    )


def by_ranks(ranks, word):
    """Return the ids of a word by the definition: of all neighbours that make a piece, the least rank, leftmost."""
    parts = [word[i : i + 1] for i in range(len(word))]
    if word in ranks:
        return [ranks[word]]
    while True:
        found = [(ranks[a + b], i) for i, (a, b) in enumerate(itertools.pairwise(parts)) if a + b in ranks]
        if not found:
            return [ranks[part] for part in parts]
        i = min(found)[1]
        parts[i : i + 2] = [parts[i] + parts[i + 1]]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text("abc é", min_size=2, max_size=5), max_size=12), st.text("abc é", max_size=30))
def test_files_of_ranks_have_the_ids_of_their_definition(words, text):
    """Ranks of trained pieces become merges that give the same ids, a whole word that is a piece included."""
    pieces = [bytes([byte]) for byte in range(256)]
    for word in words:
        parts = by_ranks({piece: i for i, piece in enumerate(pieces)}, word.encode())
        if len(parts) > 1:
            pieces.append(pieces[parts[0]] + pieces[parts[1]])
    pieces.append(b"</s>")
    ranks = {piece: i for i, piece in enumerate(pieces[:-1])}
    library = load_reference(ranked(pieces, [len(pieces) - 1]))
    cuts = library._tokenizer.pre_tokenizer.pre_tokenize_str(text + "</s>")
    wanted = [i for _, (a, b) in cuts for i in by_ranks(ranks, (text + "</s>")[a:b].encode())]
    assert lists(library.encode_batch([(text + "</s>").encode()])) == [wanted]


def test_text_of_special_tokens_is_text_where_that_is_asked_for():
    """Special added tokens are found or left as text; added tokens that are not special are found in any case."""
    data = byte_level_file(added=[END, PLAIN])
    end, plain = (tokenizers.Tokenizer.from_buffer(data).token_to_id(text) for text in ("</s>", "<sep>"))
    [found] = loaded(data).encode_batch([b"a</s><sep>"])
    [text] = loaded(data, "text").encode_batch([b"a</s><sep>"])
    assert (end in found, plain in found) == (True, True)
    assert (end in text, plain in text) == (False, True)


def test_bytes_that_are_not_utf_8_are_told_apart():
    """What the library cannot take has no ids, and its neighbours have theirs."""
    found = loaded(byte_level_file()).encode_batch([b"the", b"\xff", b"", b"the \xed\xa0\x80", b"fox"])
    assert [ids is None for ids in found] == [False, True, False, True, False]


def test_a_sentencepiece_model_is_encoded_as_the_library_does_it():
    """Any bytes are taken, bytes that are not UTF-8 and NUL among them."""
    data = sentencepiece_file()
    oracle = sentencepiece.SentencePieceProcessor(model_proto=data)
    documents = [*(text.encode() for text in DOCUMENTS), b"a\xffb", b"a\0b", b"\xe2\x96"]
    found = loaded(data).encode_batch(documents)
    assert lists(found) == [oracle.encode(one) for one in documents]
    assert loaded(data).library == f"sentencepiece {sentencepiece.__version__}"


def test_sentencepiece_without_special_text_is_refused_where_it_would_make_some():
    """A user-defined piece that bears the name of the end is what the library makes of that text."""
    assert loaded(sentencepiece_file(), "text").library
    with pytest.raises(UnsupportedModel, match="always makes special tokens"):
        loaded(sentencepiece_file(user_defined_symbols="<pad>"), "text")


def test_dropout_in_the_file_is_not_drawn():
    """Canonical ids are the same every time."""
    data = byte_level_file(dropout=0.9)
    [ids] = loaded(byte_level_file()).encode_batch([b"the quick brown fox"])
    drawn = loaded(data)
    assert all(drawn.encode_batch([b"the quick brown fox"])[0].tolist() == ids.tolist() for _ in range(20))


@pytest.mark.parametrize(
    ("sizes", "wanted"),
    [
        ([], []),
        ([0, 0], [(0, 2)]),
        ([PORTION, 1], [(0, 1), (1, 2)]),
        ([PORTION + 5, 0, 1, 1], [(0, 1), (1, 4)]),
        ([1, PORTION - 1, 1], [(0, 2), (2, 3)]),
    ],
)
def test_portions_are_bounded(sizes, wanted):
    """No call is given more than a portion, but for one document that is larger."""
    assert list(portions(sizes)) == wanted


class PanicException(BaseException):
    pass


class Failing(Reference):
    """A library that fails in its own way at each document that holds the word 'bad'."""

    library = "stand-in 1"

    def __init__(self, error):
        self.error = error

    def _encode(self, documents):
        if any(b"bad" in document for document in documents):
            raise self.error
        return [np.array([len(document)], np.int32) for document in documents]


@pytest.mark.parametrize("error", [PanicException("no entry found"), ValueError("no entry found")])
def test_a_failure_names_the_document(error):
    """A panic of the library's Rust code, which is no Exception, is an error of the document that caused it."""
    with pytest.raises(DataError, match=r"^a\.txt: record 2: stand-in 1 fails \(no entry found\)"):
        Failing(error).encode_batch([b"x", b"xx", b"a bad one", b"bad"], lambda i: f"a.txt: record {i}")
    with pytest.raises(DataError, match="document 1"):
        Failing(error).encode_batch([b"x" * PORTION, b"bad"])


@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError()])
def test_what_is_no_failure_of_the_library_goes_through(error):
    """An interrupt stays one."""
    with pytest.raises(type(error)):
        Failing(error).encode_batch([b"bad"])


def test_a_failure_that_does_not_come_back_is_none():
    """Documents that pass one by one have their ids."""
    library = Failing(ValueError())
    library._encode = lambda documents: (
        [np.zeros(1, np.int32)] if len(documents) == 1 else Failing._encode(library, [b"bad"])
    )
    assert lists(library.encode_batch([b"x", b"y"])) == [[0], [0]]


def test_a_file_that_the_library_refuses_is_named():
    """What the library says of the file is told, whatever form its failure takes."""
    model = replace(parse(byte_level_file(), "m"), file=byte_level_file(continuing_subword_prefix="############"))
    with pytest.raises(UnsupportedModel, match=r"^tokenizers [\d.]+ does not load the model \(.+\)"):
        load_reference(model)


def test_models_without_a_library_are_refused():
    """A list of pieces and scores has no library to be asked."""
    with pytest.raises(UnsupportedModel, match="has no reference library"):
        load_reference(parse(b"a\t-1\nb\t-2\n", "m"))


def test_a_missing_library_is_told_by_its_extra(monkeypatch):
    """Who has not installed the library is told how, in one line."""
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(SystemFailure, match=r"reference; pip install 'corpustools\[bpe\]'$"):
        loaded(byte_level_file())

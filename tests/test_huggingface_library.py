"""What the tokenizers library does with a tokenizer.json where a good guess is wrong; its answers are pinned here."""

import hashlib
import itertools
import json
import pickle

import numpy as np
import pytest
from test_huggingface import (
    BYTE_LEVEL,
    NORMALIZERS,
    SPLITTERS,
    byte_level,
    metaspace,
    needs_peer,
    split,
    tokenizer_json,
    tokenizers,
)

from corpustools.errors import DataError, UnsupportedModel
from corpustools.stages.tokenize.models import parse
from corpustools.stages.tokenize.models.model import piece_names
from corpustools.stages.tokenize.text.byte_alphabet import byte_alphabet
from corpustools.stages.tokenize.text.hf_text import private
from corpustools.stages.tokenize.tokenizer import Tokenizer

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
WORDS = ["\u2581", "\u2581hello", "\u2581world", "hello", "world", *"abcdhelowrdxyCafKs<>/0A4\u2603\u0915\u092e\u0e01"]


def load(normalizer=None, splitter=None, more=(), added=None, **changes):
    """Return a Unigram tokenizer of SPECIAL, WORDS and more; ids 0 to 3 are special."""
    words = dict.fromkeys([*WORDS, *more])
    vocab = [[text, 0.0] for text in SPECIAL]
    vocab += [[text, -5.0 - 0.001 * i - (len(text) == 1)] for i, text in enumerate(words)]
    flags = {"special": True, "normalized": False}
    given = [{"id": i, "content": text} | flags for i, text in enumerate(SPECIAL)] if added is None else added
    model = {key: changes.pop(key) for key in ("unk_id", "byte_fallback", "vocab") if key in changes}
    content = tokenizer_json(
        normalizer, splitter or metaspace("always", True), given, **({"vocab": vocab, "unk_id": 3} | model)
    )
    tokenizer = Tokenizer(parse(json.dumps(content | changes).encode(), "m"))
    return tokenizer, {name: i for i, name in enumerate(piece_names(tokenizer.model))}


def names(tokenizer, places, text):
    back = {i: name for name, i in places.items()}
    return " ".join(back[i] for i in tokenizer.encode(text))


def test_a_special_piece_that_the_normalizer_makes_is_met_by_the_model():
    """An added token of the vocabulary is a piece of the lattice too."""
    made = load("NFKC")
    assert names(*made, "hello \uff1c/s\uff1e world") == "\u2581hello \u2581 </s> \u2581world"
    assert names(*made, "\uff1cs\uff1e") == "\u2581 <s>"
    # Found before the model it is the same id.
    assert names(*made, "hello</s>") == "\u2581hello </s>"


def test_the_unknown_token_s_text_is_one_token_with_unknown_text_beside_it():
    """The model fuses the unknown token's own text with unknown characters."""
    tokenizer, places = load("NFKC", added=[])
    assert names(tokenizer, places, "x\uff1cunk\uff1ey") == "\u2581 x <unk> y"
    assert tokenizer.encode("天<unk>天") == tokenizer.encode("天") == [places["\u2581"], 3]
    assert tokenizer.encode("<unk><unk>") == [places["\u2581"], 3]
    # Found before the model it stands alone.
    assert load("NFKC")[0].encode("a天<unk>天").count(3) == 3


def test_a_token_of_single_words_is_still_a_piece_within_a_word():
    """The flag single_word is for the search before the model alone."""
    mask = {"id": 9, "content": "<mask>", "single_word": True, "lstrip": True, "normalized": False}
    made = load(more=["<mask>"], added=[mask])
    assert names(*made, "hello <mask> world") == "\u2581hello <mask> \u2581world"
    assert names(*made, "hello<mask>world") == "\u2581hello <mask> world"


def test_accents_are_marks_of_all_three_kinds():
    """StripAccents removes spacing and enclosing marks as well."""
    normalizer = {"type": "Sequence", "normalizers": [{"type": "NFKD"}, {"type": "StripAccents"}]}
    made = load(normalizer)
    assert names(*made, "\u0915\u093e\u092e") == "\u2581 \u0915 \u092e"
    assert names(*made, "K\u00e9\u20dd") == "\u2581 K e"
    assert names(*made, "\u0e01\u0e47\u0e33") == "\u2581 \u0e01 <unk>"


def test_ids_of_added_tokens_are_given_not_read():
    """Added tokens are numbered on behind the vocabulary; a note names the first that the file numbers otherwise."""
    added = [{"id": 900, "content": "<b>"}, {"id": 1, "content": "</s>"}, {"id": 900, "content": "<a>"}]
    tokenizer, places = load(added=added)
    size = len(tokenizer)
    assert (places["<b>"], places["<a>"]) == (size - 2, size - 1)
    assert tokenizer.encode("<b><a></s>") == [size - 2, size - 1, 2]
    assert tokenizer.model.notes == (
        f"'<b>' has the id 900 in the file; the tokenizers library, and so this, gives it {size - 2}",
    )


def test_a_byte_piece_as_text_is_a_piece():
    """The text of a byte piece is met by the model."""
    pieces = [f"<0x{byte:02X}>" for byte in range(256)]
    tokenizer, places = load(more=pieces, byte_fallback=True)
    assert names(tokenizer, places, "hello <0x0A> world") == "\u2581hello \u2581 <0x0A> \u2581world"
    assert names(tokenizer, places, "天<0x41>") == "\u2581 <0xE5> <0xA4> <0xA9> <0x41>"
    with pytest.raises(UnsupportedModel, match="only 1 of 256"):
        load(more=["<0x41>"], byte_fallback=True)


@pytest.mark.parametrize(
    ("normalizer", "text", "wanted"),
    [
        ("none", "hello world", "\u2581hello \u2581world"),
        ("Strip", "hello", "\u2581hello"),
        ("Strip", "  hello world", "hello \u2581world"),
        ("none", "<s>hello", "<s> hello"),
        ({"type": "Prepend", "prepend": "a"}, "hello", "\u2581 a hello"),
        # What replaces a match of two characters stands where the second one stood.
        ({"type": "Replace", "pattern": {"String": "xx"}, "content": "a"}, "xxhello", "a hello"),
        ({"type": "Replace", "pattern": {"String": "x"}, "content": "a"}, "xhello", "\u2581 a hello"),
    ],
)
def test_first_means_offset_0_of_the_original_text(normalizer, text, wanted):
    """What a normalizer takes away or replaces at the beginning counts."""
    assert names(*load(normalizer, metaspace("first", True)), text) == wanted


def test_a_model_without_unknown_token_refuses_the_record():
    """Known text has its ids, and other text is an error that names the record."""
    tokenizer, places = load(unk_id=None)
    assert names(tokenizer, places, "hello world") == "\u2581hello \u2581world"
    with pytest.raises(DataError, match="record 0 holds a character that the vocabulary cannot write"):
        tokenizer.encode("hello 天")


@pytest.mark.parametrize(
    ("decoder", "wanted"),
    [
        (None, "\u2581hello \u2581world"),
        (metaspace("always", True), "hello world"),
        (metaspace("never", True), " hello world"),
        ({"type": "WordPiece", "prefix": "\u2581w", "cleanup": False}, "\u2581helloorld"),
        ({"type": "BPEDecoder", "suffix": "o"}, "\u2581hell \u2581wrld"),
        ({"type": "CTC", "pad_token": "l", "word_delimiter_token": "\u2581", "cleanup": True}, " heo word"),
        ({"type": "Replace", "pattern": {"Regex": "[a-h\u2581]+"}, "content": "_"}, "_llo_worl_"),
        ({"type": "Strip", "content": "\u2581", "start": 1, "stop": 0}, "helloworld"),
        ({"type": "Fuse"}, "\u2581hello\u2581world"),
    ],
)
def test_decoders(decoder, wanted):
    """Each decoder makes the text that the library makes, special tokens skipped."""
    tokenizer, places = load(decoder=decoder)
    assert tokenizer.decode([0, places["\u2581hello"], places["\u2581world"]]) == wanted


def test_bytes_that_are_no_character_are_decoded_one_by_one():
    """Each byte of a run that is no UTF-8 becomes U+FFFD."""
    pieces = [f"<0x{byte:02X}>" for byte in range(256)]
    decoder = {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"}]}
    tokenizer, places = load(more=pieces, byte_fallback=True, decoder=decoder)
    ids = [places[f"<0x{byte:02X}>"] for byte in (0xE5, 0xA4)]
    assert tokenizer.decode([*ids, places["a"], *ids, places["<0xA9>"]]) == "\ufffd\ufffda天"


def template(*parts):
    single = [
        {"SpecialToken": {"id": part, "type_id": 0}} if part else {"Sequence": {"id": "A", "type_id": 0}}
        for part in parts
    ]
    return {"type": "TemplateProcessing", "single": single, "pair": single, "special_tokens": {}}


def test_what_is_put_around_a_text_is_noted_and_not_done():
    """A post_processor leaves a note, and says which ids bos and eos are."""
    tokenizer, places = load(post_processor=template("", "</s>"))
    assert tokenizer.encode("hello") == [places["\u2581hello"]]
    assert tokenizer.model.notes == (
        "the tokenizers library puts </s> behind every text by default (post_processor of the file); "
        "here bos and eos ask for them",
    )
    # The file's own word on what begins and ends a text comes before names that are usual.
    assert load(post_processor=template("<pad>", "", "<s>"))[0].model.control == {
        "bos": 1,
        "eos": 0,
        "pad": 1,
        "unk": 3,
    }
    roberta = {"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0], "trim_offsets": True}
    sequence = {"type": "Sequence", "processors": [BYTE_LEVEL["GPT-2"], roberta]}
    assert "<s> before and </s> behind" in load(post_processor=sequence)[0].model.notes[0]
    assert load(post_processor=BYTE_LEVEL["GPT-2"])[0].model.notes == ()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"truncation": {"max_length": 4}}, "the file's truncation"),
        ({"padding": {"strategy": {"Fixed": 8}}}, "the file's padding"),
        ({"post_processor": {"type": "Other"}}, "the post_processor 'Other'"),
        ({"decoder": {"type": "Other"}}, "the decoder 'Other'"),
        ({"pre_tokenizer": split({"Regex": "a*"}, "Isolated")}, "matches of no characters"),
        ({"pre_tokenizer": split({"Regex": "(?i:é)"}, "Isolated")}, "without regard to case"),
        ({"pre_tokenizer": split({"Regex": "(?i:ss)"}, "Isolated")}, "one character without regard to case"),
        ({"pre_tokenizer": split({"Regex": "a{1,2}+"}, "Isolated")}, "a repetition"),
        ({"normalizer": {"type": "Prepend", "prepend": ""}}, "Prepend of nothing"),
    ],
)
def test_what_is_not_done_is_refused_by_name(changes, said):
    """What is not done as the library does it is named."""
    with pytest.raises(UnsupportedModel, match=said):
        load(**changes)


@pytest.mark.parametrize(
    "last", [BYTE_LEVEL["GPT-2"], {"type": "Sequence", "pretokenizers": [metaspace("first", True)]}]
)
def test_text_that_is_in_letters_for_bytes_is_not_changed_again(last):
    """What cuts may stand behind ByteLevel, but what changes text may not."""
    content = byte_level("GPT-2")
    content["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [BYTE_LEVEL["GPT-2"], last]}
    with pytest.raises(UnsupportedModel, match="behind ByteLevel"):
        parse(json.dumps(content).encode(), "m")


def without_bytes(missing, merges=()):
    """Return a tokenizer.json that cuts nothing, without the letters of some bytes."""
    letters = {letter: byte for letter, byte in byte_alphabet().items() if byte not in missing}
    content = byte_level("Llama 3")
    content["pre_tokenizer"] = BYTE_LEVEL["GPT-2"] | {"add_prefix_space": False, "use_regex": False}
    content["model"]["vocab"] = {token: i for i, token in enumerate([*letters, *("".join(pair) for pair in merges)])}
    content["model"]["merges"] = [list(pair) for pair in merges]
    return json.dumps(content).encode()


@needs_peer
@pytest.mark.parametrize(
    "text", ["", "\x03", "a\x03b", "\x03a\x03\x03b\x03", "ab\U00040001b", "a\x03\U00040001\x03b", "天\x03地"]
)
def test_a_byte_without_a_piece_is_left_out_as_by_the_library(text):
    """What is beside it becomes neighbours, and an output says so; records of a batch keep their places."""
    data = without_bytes({0x03, 0xF1, 0xC0, 0xF5, 0xFF}, [("a", "b")])
    model = parse(data, "m")
    assert "no piece for 2 of the bytes of text (0x03, 0xF1): they are left out" in model.notes[0]
    peer = tokenizers.Tokenizer.from_str(data.decode())
    wanted = [byte_alphabet_bytes(token) for token in peer.encode(text).tokens]
    assert model.normalizer.normalize(text.encode()) == b"".join(wanted)
    texts = [b"x", text.encode(), b"a\x03", b"", b"\x03", b"b"]
    ends = np.cumsum([len(one) for one in texts])
    starts = np.append(0, ends[:-1])
    made, offsets = model.normalizer.normalize_batch(b"".join(texts), starts, ends)
    rows = [bytes(made[a:b]) for a, b in itertools.pairwise(offsets.tolist())]
    assert rows == [model.normalizer.normalize(one) for one in texts]
    assert rows[2:] == [b"a", b"", b"", b"b"]
    # Before a piece is missing, nothing is left out.
    assert parse(without_bytes(()), "m").normalizer.normalize(text.encode()) == text.encode()


def test_a_normaliser_that_leaves_bytes_out_still_finds_special_tokens():
    """Added tokens stand as characters that hold none of the bytes; as text they are text without those."""
    content = json.loads(without_bytes({0x03}))
    content["added_tokens"] = [{"id": 255, "content": "<\x03>", "special": True, "normalized": False}]
    model = parse(json.dumps(content).encode(), "m")
    assert model.normalizer.normalize(b"a\x03<\x03>") == b"a\xff" + private(255)
    assert Tokenizer(model, special="text").model.normalizer.normalize(b"a\x03<\x03>") == b"a<>"
    copy = pickle.loads(pickle.dumps(model.normalizer))
    assert copy.normalize(b"a\x03<\x03>") == b"a\xff" + private(255)


def byte_alphabet_bytes(token):
    return bytes(map(byte_alphabet().__getitem__, token))


def test_a_letter_for_a_byte_beyond_text_can_be_an_added_token():
    """Such a letter stands for its byte and for itself, with one id and one character beyond Unicode."""
    content = byte_level("Llama 3")
    i = content["model"]["vocab"]["\u00f8"]
    content["added_tokens"] = [{"id": i, "content": "\u00f8", "special": False, "normalized": True}]
    tokenizer = Tokenizer(parse(json.dumps(content).encode(), "m"))
    assert tokenizer.normalize("a\u00f8") == b"a\xff" + private(i)
    assert tokenizer.sample("\u00f8", seed=1, alpha=0.0)[0] == [i]


def test_added_tokens_that_normalisation_takes_away_or_makes_equal_are_refused():
    """The library cannot load such a file."""
    with pytest.raises(UnsupportedModel, match="nothing is left of the added token"):
        load("Strip", added=[{"id": 0, "content": " ", "normalized": True}])
    with pytest.raises(UnsupportedModel, match="are one when they are normalised"):
        load("Lowercase", added=[{"id": i, "content": text, "normalized": True} for i, text in enumerate(["A", "a"])])


def test_names_of_added_tokens_are_their_text():
    """What is no text in the lattice is printed as the text that it stands for."""
    tokenizer, places = load(added=[{"id": 0, "content": "<new one>"}, {"id": 2, "content": "</s>"}])
    assert places["<new<0x20>one>"] == len(tokenizer) - 1
    assert places["</s>"] == 2


def test_word_characters_in_brackets_and_outside_differ_in_six():
    """Powers and fractions of Latin-1 are word characters outside of brackets only."""
    outside = parse(json.dumps(tokenizer_json(splitter=split({"Regex": "\\w+"}, "Isolated"))).encode(), "m")
    inside = parse(json.dumps(tokenizer_json(splitter=split({"Regex": "[\\w]+"}, "Isolated"))).encode(), "m")
    assert outside.normalizer.normalize("-½a".encode()) == b"-" + b"\xff" + "½a".encode()
    assert inside.normalizer.normalize("-½a".encode()) == "-½".encode() + b"\xff" + b"a"


DIGEST = "5edde5a4253d42da695291805b74457fcbb11407d45b59a765837e545ca4b7cf"


def test_ids_do_not_depend_on_the_tables_of_the_running_python():
    """One digest over what every normalizer and pre-tokenizer makes of code points of all planes."""
    codes = [
        *range(0x3400),
        *range(0xA000, 0xAC00),
        *range(0xD780, 0xD800),
        *range(0xF900, 0x20000, 3),
        *range(0x2F800, 0x32400, 5),
    ]
    text = "".join(f"{chr(code)}a" for code in codes if not 0xD800 <= code < 0xE000).encode()
    digest = hashlib.sha256()
    plain = [name for name in NORMALIZERS if not name.startswith("Precompiled")]
    for normalizer, splitter in [*((name, "none") for name in plain), *(("none", name) for name in SPLITTERS)]:
        digest.update(parse(json.dumps(tokenizer_json(normalizer, splitter)).encode(), "m").normalizer.normalize(text))
    assert digest.hexdigest() == DIGEST


def test_a_piece_that_looks_like_an_end_is_no_end_where_the_file_names_special_tokens():
    """Web text makes pieces such as </s>; the document's end is the special token."""
    content = byte_level("Llama 3")
    content["model"]["vocab"] |= {"<s>": 256, "</s>": 257}
    assert parse(json.dumps(content).encode(), "m").control == {"bos": 256, "eos": 257}
    flags = {"special": True, "normalized": False}
    content["added_tokens"] = [{"id": 258, "content": "<|endoftext|>"} | flags]
    assert parse(json.dumps(content).encode(), "m").control == {"eos": 258}
    content["added_tokens"] = [{"id": 258, "content": "<\uff5cend\u2581of\u2581sentence\uff5c>"} | flags]
    assert parse(json.dumps(content).encode(), "m").control == {"eos": 258}

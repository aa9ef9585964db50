"""tokenizer.json: what it becomes, what is refused by name, and the tokenizers package as peer."""

import base64
import json
import unicodedata
from functools import cache

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from spm_files import shipped_charsmap

from corpustools.errors import DataError, UnsupportedModel
from corpustools.stages.tokenize.decode import decode
from corpustools.stages.tokenize.models import parse
from corpustools.stages.tokenize.models.json_floats import float_of_tokenizers
from corpustools.stages.tokenize.text.byte_alphabet import byte_alphabet
from corpustools.stages.tokenize.text.hf_regex import translate
from corpustools.stages.tokenize.text.hf_text import private
from corpustools.stages.tokenize.tokenizer import Tokenizer

try:
    import tokenizers
except ImportError:
    tokenizers = None


needs_peer = pytest.mark.skipif(tokenizers is None, reason="the peer is missing: pip install tokenizers")


LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
NORMALIZERS = {
    "none": None,
    "NFC": {"type": "NFC"},
    "NFD": {"type": "NFD"},
    "NFKC": {"type": "NFKC"},
    "NFKD": {"type": "NFKD"},
    "Lowercase": {"type": "Lowercase"},
    "Strip": {"type": "Strip", "strip_left": True, "strip_right": True},
    "StripAccents": {"type": "Sequence", "normalizers": [{"type": "NFD"}, {"type": "StripAccents"}]},
    "Nmt": {"type": "Nmt"},
    "Prepend": {
        "type": "Sequence",
        "normalizers": [
            {"type": "Prepend", "prepend": "\u2581"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"},
        ],
    },
    "Replace": {"type": "Replace", "pattern": {"Regex": " {2,}|\\p{Zs}|[\\u200B\\x41]"}, "content": "\\1"},
    "Precompiled": {"type": "Precompiled", "precompiled_charsmap": "nmt_nfkc"},
    "Precompiled cf": {"type": "Precompiled", "precompiled_charsmap": "nfkc_cf"},
}


def metaspace(scheme, split):
    return {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": scheme, "split": split}


def split(pattern, behavior, invert=False):
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}


SPLITTERS = {
    "none": None,
    "always": metaspace("always", True),
    "first": metaspace("first", True),
    "never": metaspace("never", True),
    "unsplit": metaspace("first", False),
    "old": {"type": "Metaspace", "replacement": "\u2581", "add_prefix_space": True},
    "T5": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, metaspace("always", True)]},
    "Whitespace": {"type": "Whitespace"},
    "WhitespaceSplit": {"type": "WhitespaceSplit"},
    "Punctuation": {"type": "Punctuation", "behavior": "MergedWithPrevious"},
    "Digits": {"type": "Digits", "individual_digits": True},
    "Number": {"type": "Digits", "individual_digits": False},
    "Bert": {"type": "BertPreTokenizer"},
    "Delimiter": {"type": "CharDelimiterSplit", "delimiter": "a"},
    "Llama 3": split({"Regex": LLAMA3}, "Isolated"),
    "inverted": split({"Regex": "\\w+|[^\\s\\w]"}, "Removed", True),
    **{f"by a, {b}": split({"String": "a"}, b) for b in ("Removed", "Isolated", "Contiguous")},
    **{f"by a, {b}": split({"String": "a"}, b) for b in ("MergedWithPrevious", "MergedWithNext")},
    "contiguous": split({"Regex": "[a-d]"}, "Contiguous", True),
}
ADDED = [
    {"id": 1, "content": "<s>", "special": True, "normalized": False},
    {"id": 2, "content": "<sep>", "special": False, "normalized": True},
    {"id": 3, "content": "<SEP>x", "special": False, "normalized": False, "lstrip": True, "rstrip": True},
    {"id": 4, "content": "aa", "special": False, "normalized": False, "single_word": True},
    {"id": 5, "content": "\u00e9", "special": False, "normalized": True},
]
FLAGS = {"single_word": False, "lstrip": False, "rstrip": False}
PARTS = [
    " ",
    "  ",
    "a",
    "aa",
    "b",
    "Hello",
    "wor",
    "'s",
    "'LL",
    "123",
    "4",
    "\n",
    "\r\n",
    "\t",
    ".",
    "!?",
    "\u060c",
]
PARTS += [
    "\u0645\u0631\u064b\u062d",
    "你好",
    "é",
    "e\u0301",
    "\ufb01",
    "\u2460",
    "\u3000",
    "\u00a0",
    "\u200b",
    "😀",
    "\u2581",
    "\x1c",
]
PARTS += [
    "<s>",
    "<sep>",
    "<SEP>x",
    "\u0600a",
    "\u0130",
    "\u03a3",
    "\u1780\u17d2",
    "\0",
    "\u2028",
    "\ufdfa",
    "_",
    "\u00bd",
]
TEXTS = st.lists(st.one_of(st.sampled_from(PARTS), st.characters(exclude_categories=["Cs", "Cn"])), max_size=9).map(
    "".join
)


def tokenizer_json(normalizer="none", splitter="none", added=(), **model):
    normalizer = NORMALIZERS[normalizer] if isinstance(normalizer, str) else normalizer
    if normalizer and normalizer["type"] == "Precompiled":
        blob = base64.b64encode(shipped_charsmap(normalizer["precompiled_charsmap"])).decode()
        normalizer = {"type": "Precompiled", "precompiled_charsmap": blob}
    model = {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0]], "byte_fallback": False} | model
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [FLAGS | token for token in added],
        "normalizer": normalizer,
        "pre_tokenizer": SPLITTERS[splitter] if isinstance(splitter, str) else splitter,
        "post_processor": None,
        "decoder": None,
        "model": model,
    }


@cache
def pair(normalizer, splitter):
    """Return our model and the peer's tokenizer, in which every part is one unknown token with its text."""
    content = json.dumps(tokenizer_json(normalizer, splitter, ADDED))
    return parse(content.encode(), "m"), tokenizers.Tokenizer.from_str(content)


def parts_of(model, text):
    surfaces = {private(token["id"]): token["content"].encode() for token in ADDED}
    parts = model.normalizer.normalize(text.encode()).split(b"\xff")
    return [surfaces.get(part, part).decode() for part in parts if part]


@needs_peer
@settings(max_examples=500)
@given(normalizer=st.sampled_from(sorted(NORMALIZERS)), splitter=st.sampled_from(sorted(SPLITTERS)), text=TEXTS)
@example("Precompiled", "none", "\r\n \u0600a e\u0301")
@example("Lowercase", "T5", "A\u03a3 B")
@example("none", "first", "<s>a <SEP>x  b")
def test_parts_equal_those_of_tokenizers(normalizer, splitter, text):
    """Normalizer and pre-tokenizer cut text as the peer does."""
    model, peer = pair(normalizer, splitter)
    encoding = peer.encode(text, add_special_tokens=False)
    # An added token's text is there with the white space it took.
    added = {token["id"]: token["content"] for token in ADDED}
    wanted = [added.get(i, token) for i, token in zip(encoding.ids, encoding.tokens, strict=True)]
    assert parts_of(model, text) == wanted


BYTE_LEVEL = {
    "GPT-2": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
    "Llama 3": {
        "type": "Sequence",
        "pretokenizers": [
            SPLITTERS["Llama 3"],
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False},
        ],
    },
    # Falcon's. Behind ByteLevel a superscript of Latin-1 is a digit, wherever a character has its byte.
    "behind bytes": {
        "type": "Sequence",
        "pretokenizers": [
            {"type": "Punctuation", "behavior": "Contiguous"},
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
            {"type": "Digits", "individual_digits": False},
            split({"Regex": "[0-9][0-9][0-9]"}, "Isolated"),
        ],
    },
}


def byte_level(name, added=()):
    vocab = {character: i for i, character in enumerate(sorted(byte_alphabet()))}
    content = tokenizer_json("none", BYTE_LEVEL[name], added, type="BPE", vocab=vocab, merges=[], unk_id=None)
    return content | {"decoder": BYTE_LEVEL["GPT-2"]}


ALONE = ["Whitespace", "inverted", "Punctuation", "Digits", "WhitespaceSplit"]


@needs_peer
@pytest.mark.parametrize(
    "splitter",
    ["Llama 3", *(pytest.param(name, marks=pytest.mark.heavy) for name in ALONE)],
)
def test_classes_of_characters_equal_those_of_tokenizers(splitter):
    """Every character that this Python's Unicode knows, except what later versions changed."""
    model, peer = pair("none", splitter)
    for code in range(0x10FFFF):
        if unicodedata.category(chr(code)) not in ("Cs", "Cn", "Co") and code != 0xE9:
            text = f"b{chr(code)}b"
            wanted = peer.encode(text, add_special_tokens=False).tokens
            assert parts_of(model, text) == wanted, hex(code)


@needs_peer
@settings(max_examples=200)
@given(name=st.sampled_from(sorted(BYTE_LEVEL)), text=TEXTS)
@example("behind bytes", "ab 1234567² 天地玄黄①")
def test_byte_level_parts_equal_those_of_tokenizers(name, text):
    """The byte-level pre-tokenizers cut text as the peer does."""
    content = byte_level(name)
    peer = tokenizers.Tokenizer.from_str(json.dumps(content)).pre_tokenizer
    alphabet = byte_alphabet()
    wanted = [bytes(alphabet[c] for c in part) for part, _ in peer.pre_tokenize_str(text)]
    made = parse(json.dumps(content).encode(), "m").normalizer.normalize(text.encode())
    assert [part for part in made.split(b"\xff") if part] == wanted


def test_unigram():
    """What a Unigram file says is what the model holds."""
    vocab = [["<unk>", 0.0], ["<s>", 0.0], ["\u2581a", -1.5], ["b", -2.25], ["<0x41>", -9.0]]
    added = [
        {"id": 0, "content": "<unk>", "special": True},
        {"id": 5, "content": "<new>", "normalized": False},
    ]
    model = parse(json.dumps(tokenizer_json("NFC", "always", added, vocab=vocab)).encode(), "m")
    assert (model.kind, model.weighted, model.unit, model.cuts) == ("hf-unigram", True, "character", "marks")
    assert model.scores.tolist() == [0, 0, -1.5, -2.25, -9, 0, 0, 0]
    assert model.unknown_score == -19
    # An added token of the vocabulary has a piece for its text, and one for where it was found before the model; the
    # unknown token has a third one for unknown characters.
    assert model.pieces == [b"<unk>", b"<s>", "\u2581a".encode(), b"b", b"<0x41>", private(5), private(0), b""]
    assert model.outputs.tolist() == [0, 1, 2, 3, 4, 5, 0, 0]
    assert (model.unknown_id, model.vocab_size) == (7, 6)
    # The text of <unk> and <s> is met by the lattice, and <unk> is found before it.
    assert (model.special_ids, model.special_codes.nonzero()[0].tolist()) == ({0, 1}, [0, 1, 6])
    assert model.normalizer.surfaces == {private(0): b"<unk>", private(5): b"<new>"}
    assert model.control == {"bos": 1, "unk": 0}
    made = model.normalizer.normalize(b"a<new>e\xcc\x81 b")
    assert made == "\u2581a".encode() + b"\xff" + private(5) + b"\xff" + "\u2581é\u00ff\u2581b".encode().replace(
        b"\xc3\xbf", b"\xff"
    )
    assert model.normalizer.normalize(b"\xff") == "\u2581\ufffd".encode()


def test_byte_level_bpe_keeps_bytes_that_are_no_text():
    """Bytes above 0xF4 mark cuts and added tokens, so their own tokens have characters beyond Unicode."""
    added = [{"id": 256, "content": "<|endoftext|>", "special": True, "normalized": False}]
    model = parse(json.dumps(byte_level("Llama 3", added)).encode(), "m")
    assert (model.kind, model.weighted, model.unit, model.unknown_id) == ("hf-bpe", False, "byte-level", None)
    assert model.control == {"eos": 256}
    text = b"a\xff\xf5\x80<|endoftext|> \xed\xa0\x80b"
    made = model.normalizer.normalize(text)
    assert private(256) in made.split(b"\xff")
    places = {piece: i for i, piece in enumerate(model.pieces)}
    ids, rest = [], made.replace(b"\xff", b"")
    while rest:
        width = 4 if rest[0] >= 0xF5 else 1
        ids.append(places[rest[:width]])
        rest = rest[width:]
    assert model.arc[ids].all()
    assert decode(model, ids) == text.replace(b"<|endoftext|>", b"")


@needs_peer
@settings(max_examples=200)
@given(
    text=st.floats(-1e4, 0).map(repr)
    | st.from_regex(r"-?(0|[1-9][0-9]{0,25})\.[0-9]{1,30}([eE][-+]?[0-9]{1,3})?", fullmatch=True)
)
def test_scores_are_the_numbers_that_tokenizers_reads(text):
    """A score's decimal digits become the double that the peer makes of them."""
    content = json.dumps(tokenizer_json("none", "none", [], vocab=[["<unk>", 0.0], ["a", "SCORE"]]))
    try:
        peer = tokenizers.Tokenizer.from_str(content.replace('"SCORE"', text))
    except Exception:  # all that its binding raises
        with pytest.raises(ValueError, match="out of range"):
            float_of_tokenizers(text)
        return
    assert float_of_tokenizers(text) == json.loads(peer.to_str())["model"]["vocab"][1][1]


WORDS = ["\u2581", "\u2581a", "a", "b", "ab", "\u2581ab", "bab", "天", "天地", "\u2581天", "<", "new", "aab"]
WITH_ADDED = [
    {"id": 0, "content": "<unk>", "special": True, "normalized": False},
    {"id": 1 + len(WORDS), "content": "<new>", "normalized": False, "special": False},
    {"id": 2 + len(WORDS), "content": "地ab", "normalized": False, "special": False},
]


@cache
def unigram_pair(byte_fallback):
    vocab = [["<unk>", 0.0], *([word, -1.0 - 0.37 * i % 2.9] for i, word in enumerate(WORDS))]
    added = [dict(token) for token in WITH_ADDED]
    if byte_fallback:
        vocab += [[f"<0x{byte:02X}>", -12.0 - byte / 256] for byte in range(256)]
        for token in added[1:]:
            token["id"] += 256
    content = tokenizer_json("none", "always", added, vocab=vocab, byte_fallback=byte_fallback)
    content["decoder"] = {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"}]}
    return Tokenizer(parse(json.dumps(content).encode(), "m")), tokenizers.Tokenizer.from_str(json.dumps(content))


@needs_peer
@pytest.mark.parametrize("kernels", ["compiled", pytest.param("plain", marks=pytest.mark.heavy)])
@pytest.mark.parametrize("byte_fallback", [False, True])
@settings(max_examples=200)
@given(
    text=st.lists(st.sampled_from([*"ab 天地<z\u00e9\U0001f600", "<new>", "<unk>", "地ab"]), max_size=40).map("".join)
)
def test_unigram_ids_equal_those_of_tokenizers(kernels, byte_fallback, text):
    """Added tokens among them, which a vocabulary's own pieces may spell as well."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("CORPUS_KERNELS", kernels)
        ours, peer = unigram_pair(byte_fallback)
        tokenizer = Tokenizer(ours.model)
        assert tokenizer.encode(text) == peer.encode(text).ids
        assert ours.decode(tokenizer.sample(text, 0.3, "d")[0]) == ours.decode(tokenizer.encode(text))


@pytest.mark.parametrize("kernels", ["compiled", "plain"])
def test_byte_level_characters_beyond_unicode_have_one_path(kernels, monkeypatch):
    """An added token, or a byte from 0xF5 on, is four bytes in the lattice that no byte's own piece may take apart."""
    monkeypatch.setenv("CORPUS_KERNELS", kernels)
    added = [{"id": 256, "content": "<|endoftext|>", "special": True, "normalized": False}]
    tokenizer = Tokenizer(parse(json.dumps(byte_level("Llama 3", added)).encode(), "m"))
    text = b"ab\xff\xf5\x80<|endoftext|>\xfe c"
    for seed in range(20):
        ids = tokenizer.sample(text, 0.0, seed)[0]
        assert ids.count(256) == 1
        assert tokenizer.decode_bytes(ids) == text.replace(b"<|endoftext|>", b"")
    assert tokenizer.log_partition(b"<|endoftext|>\xff\xfe<|endoftext|>", 0.0) == 0.0
    assert tokenizer.expected_length(b"<|endoftext|>\xff\xfe", 0.0) == 3.0


def test_byte_fallback_bpe():
    """A BPE vocabulary with byte fallback is read, and decodes bytes back to text."""
    vocab = {"<unk>": 0, **{f"<0x{byte:02X}>": byte + 1 for byte in range(256)}, "\u2581a": 257, "b": 258}
    content = tokenizer_json("Prepend", "none", type="BPE", vocab=vocab, merges=[], unk_token="<unk>", fuse_unk=True)
    content["model"]["byte_fallback"] = True
    content["decoder"] = {
        "type": "Sequence",
        "decoders": [
            {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
            {"type": "ByteFallback"},
            {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0},
        ],
    }
    model = parse(json.dumps(content).encode(), "m")
    assert model.byte_ids.tolist() == list(range(1, 257))
    assert model.arc.nonzero()[0].tolist() == [0, 257, 258]
    assert (model.unknown_id, model.fuse_unknown) == (0, True)
    assert decode(model, [257, 258, 0xE5 + 1, 0xA4 + 1, 0xA9 + 1]) == "ab天".encode()


def bpe(**changes):
    return tokenizer_json(
        **({"type": "BPE", "vocab": {"<unk>": 0, "a": 1}, "merges": [], "unk_token": "<unk>"} | changes)
    )


REFUSED = {
    "WordPiece": (tokenizer_json(type="WordPiece"), "the model type 'WordPiece'"),
    "a suffix": (bpe(end_of_word_suffix="</w>"), "end_of_word_suffix '</w>'"),
    "a prefix": (bpe(continuing_subword_prefix="##"), "continuing_subword_prefix '##'"),
    "no unknown": (bpe(unk_token=None), "drops characters"),
    "gaps in the ids": (bpe(vocab={"<unk>": 0, "a": 2}), "are not 0, 1, 2"),
    "a byte is missing": (
        tokenizer_json(splitter=BYTE_LEVEL["GPT-2"], type="BPE", vocab={"a": 0}, merges=[], ignore_merges=True),
        "no piece for the byte 0x00",
    ),
    "a normalizer": (tokenizer_json({"type": "BertNormalizer"}), "the normalizer 'BertNormalizer'"),
    "a pre-tokenizer": (
        tokenizer_json(splitter={"type": "UnicodeScripts"}),
        "the pre_tokenizer 'UnicodeScripts'",
    ),
    "a property": (tokenizer_json(splitter=split({"Regex": "\\p{Han}"}, "Isolated")), "the property Han"),
    "a class in a class": (
        tokenizer_json(splitter=split({"Regex": "[a&&[b]]"}, "Isolated")),
        "a class within",
    ),
    "a group": (
        tokenizer_json(splitter=split({"Regex": "(?m:.)"}, "Isolated")),
        "a group of an unknown kind",
    ),
    "an escape": (tokenizer_json(splitter=split({"Regex": "\\X"}, "Isolated")), r"\\X"),
    "a bad expression": (tokenizer_json(splitter=split({"Regex": "(a"}, "Isolated")), "not understood"),
}
DAMAGED = {
    "an id out of range": tokenizer_json(unk_id=5),
    "a score that is no number": tokenizer_json(vocab=[["<unk>", "x"]]),
    "a row too short": tokenizer_json(vocab=[["<unk>"]]),
    "no vocabulary": tokenizer_json(vocab=[]),
    "an added token without id": tokenizer_json(added=[{"content": "x"}]),
    "a huge id": tokenizer_json(added=[{"id": 1 << 40, "content": "x"}]),
    "a charsmap that is no base64": tokenizer_json({"type": "Precompiled", "precompiled_charsmap": "identity"}),
    "a behavior": tokenizer_json(splitter=split({"String": "a"}, "Sideways")),
    "an incomplete normalizer": tokenizer_json({"type": "Strip"}),
    "an unknown unk_token": bpe(unk_token="?"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_done_is_refused_by_name(case):
    """A part that is not supported is an error that names the file and the part."""
    content, said = REFUSED[case]
    with pytest.raises(UnsupportedModel, match=said) as caught:
        parse(json.dumps(content).encode(), "the-file")
    assert str(caught.value).startswith("the-file: ")


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_file_is_an_error(case):
    """A file that is no sound tokenizer.json is refused with its name."""
    content = json.dumps(DAMAGED[case]).replace('"precompiled_charsmap": ""', '"precompiled_charsmap": "%"')
    with pytest.raises(DataError, match="the-file"):
        parse(content.encode(), "the-file")


@settings(deadline=None)
@given(st.data())
def test_a_tokenizer_json_with_any_part_exchanged_is_refused_or_read(data):
    """Exchange one value anywhere in the tree for one of another type."""
    content = json.loads(json.dumps(tokenizer_json("Prepend", "T5", ADDED)))
    node, key = {"": content}, ""
    while isinstance(node[key], dict | list) and node[key] and data.draw(st.booleans()):
        node = node[key]
        key = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
    node[key] = data.draw(
        st.sampled_from([None, True, -1, 3, 2.5, 1e400, "x", "", [], {}, [["a", 1]], {"type": "NFC"}])
    )
    try:
        model = parse(json.dumps(content).encode(), "m")
    except DataError:
        return
    model.normalizer.normalize("a <s> é\u2581".encode())


def test_white_space_of_regular_expressions_is_unicodes():
    r"""\s and negated classes mean what they mean in the peer's regular expressions."""
    space = translate(r"\s").whole
    assert [code for code in range(0x3001) if space.fullmatch(chr(code))] == [
        *range(9, 14), 32, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000,
    ]  # fmt: skip
    assert not translate(r"[^\S]").whole.fullmatch("a")
    assert translate(r"[\P{L}x]").whole.fullmatch("x")
    assert not translate(r"[\P{L}x]").whole.fullmatch("y")

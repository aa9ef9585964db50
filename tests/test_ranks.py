"""tiktoken and tekken files: how they are recognised, what they become, what is refused by name."""

import base64
import contextlib
import hashlib
import itertools
import json
import random
import re
from functools import cache

import numpy as np
import pytest
from harness import Folder
from hypothesis import example, given, settings
from hypothesis import strategies as st

from corpustools.errors import CorpusError, DataError, UnsupportedModel
from corpustools.stages.tokenize.bpe.canonical import Canonical
from corpustools.stages.tokenize.decode import decode
from corpustools.stages.tokenize.models import parse, tiktoken
from corpustools.stages.tokenize.models.model import piece_names
from corpustools.stages.tokenize.tokenizer import Tokenizer

WORDS = [b"th", b"the", b" the", b"in", b"ing", " 天".encode(), "天地".encode(), b"<|", b"\xff\xfe", b"  ", b"\n\n"]
PIECES = [bytes([byte]) for byte in range(256)] + WORDS
END = 300
TEXTS = [
    "",
    "the thing  in the\n\n ring",
    "天地 天!",
    "<|end|>the</s><s>[INST]",
    "I'LL 12345 x\r\n \t",
    "e\u0301 \u0130",
]


def lines(pieces=PIECES, end=b"\n"):
    """Return a rank file of pieces."""
    return b"".join(base64.b64encode(piece) + b" %d" % rank + end for rank, piece in enumerate(pieces))


@pytest.fixture
def known(monkeypatch):
    """Make the small rank file of these tests a known one, and give its content."""

    def add(pattern=tiktoken.CL100K, **options):
        found = tiktoken.RankFile("small", pattern, {"<|end|>": END, "<|pad|>": END + 5}, eos="<|end|>", **options)
        monkeypatch.setitem(tiktoken.KNOWN, tiktoken.digest(dict(enumerate(PIECES))), found)
        return lines()

    return add


def tekken(pieces=PIECES, special=(), reserved=10, more=2, **config):
    """Return a tekken.json; `more` ranks stand behind those that its model uses."""
    rows = [*pieces, *(b"unused%d" % n for n in range(more))]
    content = {
        "config": {
            "pattern": tiktoken.O200K,
            "num_vocab_tokens": len(rows),
            "default_vocab_size": len(pieces) + reserved,
            "default_num_special_tokens": reserved,
            "version": "v3",
        }
        | config,
        "vocab": [
            {"rank": rank, "token_bytes": base64.b64encode(piece).decode(), "token_str": None}
            for rank, piece in enumerate(rows)
        ],
    }
    if special:
        content["special_tokens"] = [
            {"rank": rank, "token_str": text, "is_control": True} for rank, text in enumerate(special)
        ]
    return content


def parsed(content):
    return parse(json.dumps(content).encode(), "m")


def test_a_known_rank_file(known):
    """Ranks are ids, special tokens lie behind them, and ids without a piece are none."""
    model = parse(known(), "m")
    assert (model.kind, model.unit, model.cuts, model.weighted) == ("tiktoken", "byte-level", "marks", False)
    assert model.vocab_size == END + 6
    assert model.control == {"eos": END}
    assert model.special_ids == {END, END + 5}
    assert model.pieces[256:260] == WORDS[:4]
    assert [i for i in range(model.vocab_size) if model.arc[i]] == [*range(264), 265, 266]
    names = piece_names(model)
    assert (names[257], names[END], names[255]) == ("the", "<|end|>", "<0xFF>")


@pytest.mark.parametrize(
    "data",
    [
        lines(end=b"\r\n"),
        lines().removesuffix(b"\n"),
        lines() + b"\n\n",
        b"".join(random.Random(3).sample(lines().splitlines(keepends=True), len(PIECES))),
    ],
    ids=["CRLF", "no last newline", "blank lines", "any order"],
)
def test_how_ranks_are_laid_out_does_not_matter(known, data):
    """The same ranks are the same model, however their lines end and whatever their order."""
    known()
    assert tiktoken.parse(data, "m").pieces == parse(lines(), "m").pieces


def test_the_digest_is_that_of_the_published_file():
    """A file as tiktoken writes it has the digest that it is published with; Whisper's empty piece is its padding."""
    assert tiktoken.digest(dict(enumerate(PIECES))) == hashlib.sha256(lines()).hexdigest()
    data = lines() + b"= 267\n"
    ranks = tiktoken.read_ranks(data, "m")
    assert ranks[267] == b""
    assert tiktoken.digest(ranks) == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("make", [lambda known: known(), lambda _: json.dumps(tekken()).encode()])
@pytest.mark.parametrize("text", [*TEXTS, b"\xff\xfe\xf5 \xc0the\xe5\xa4"])
def test_every_segmentation_spells_its_text(known, make, text):
    """Sampled ids decode to the text, bytes outside of UTF-8 too, and none of them is special."""
    tokenizer = Tokenizer(parse(make(known), "m"))
    given_bytes = text.encode() if isinstance(text, str) else text
    for seed in range(5):
        ids = tokenizer.sample(text, seed=seed, alpha=0.0)[0]
        assert tokenizer.decode_bytes(ids) == given_bytes
        assert not tokenizer.special_ids.intersection(ids)
    end = tokenizer.eos_id
    assert tokenizer.decode_bytes([*ids, end]) == given_bytes


@pytest.mark.parametrize(
    ("pattern", "text", "cuts"),
    [
        (None, "I'll 12345 don'T", ["I", "'ll", " 12345", " don", "'", "T"]),
        (tiktoken.CL100K, "I'Ll 12345 don'T\n\n  x", ["I", "'Ll", " ", "123", "45", " don", "'T", "\n\n", " ", " x"]),
        (tiktoken.QWEN, "I'll 123", ["I", "'ll", " ", "1", "2", "3"]),
        (tiktoken.O200K, "I'll 1234 CamelCase/\n", ["I'll", " ", "123", "4", " Camel", "Case", "/\n"]),
    ],
)
def test_text_is_cut_by_the_known_pattern(known, pattern, text, cuts):
    """No piece reaches across the cuts of the file's own pattern."""
    model = parse(known(pattern), "m")
    assert model.normalizer.normalize(text.encode()) == "\xff".join(cuts).encode("latin-1")


def test_a_file_whose_library_normalises(known):
    """Text of such a file is brought to Unicode's normal form C first."""
    assert parse(known(nfc=True), "m").normalizer.normalize("e\u0301".encode()) == "é".encode()
    # The mark is no letter to the pattern, and stands alone.
    assert parse(known(), "m").normalizer.normalize("e\u0301".encode()) == b"e\xff\xcc\x81"


def test_what_is_known_of_published_files():
    """Special ids are no ranks, the names of bos and eos are special tokens, and every pattern can be followed."""
    sizes = {"r50k_base (GPT-2)": 50_256, "p50k_base": 50_281, "cl100k_base": 100_256, "o200k_base": 199_998}
    sizes |= {"Llama-3": 128_000, "Qwen": 151_643, "Whisper multilingual": 50_257}
    assert len(tiktoken.KNOWN) == len(sizes)
    for found in tiktoken.KNOWN.values():
        ids = sorted(found.special.values())
        assert len(set(ids)) == len(ids)
        # p50k_base leaves out one rank for its special token.
        assert ids[0] >= sizes[found.name] or (found.name, ids) == ("p50k_base", [50_256])
        assert found.eos in found.special
        assert not found.bos or found.bos in found.special
        assert found.name != "Llama-3" or len(ids) == 256


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({4: b"JQ= 4"}, r"m, line 5: 'JQ=' is not base64"),
        ({4: b"J*== 4"}, r"m, line 5: 'J\*==' is not base64"),
        ({4: b"JQ== 4 5"}, r"m, line 5: 'JQ== 4 5' is not base64 and a rank"),
        ({4: b"JQ=="}, r"m, line 5: 'JQ==' is not base64 and a rank"),
        ({4: b"JQ== -4"}, r"m, line 5: 'JQ== -4' is not base64 and a rank"),
        ({4: b"JQ== 4.0"}, r"m, line 5: 'JQ== 4.0' is not base64 and a rank"),
        ({4: b"JQ== 99999999999999999999"}, r"m, line 5: 'JQ== 9*' is not base64 and a rank"),
        ({4: b"JQ== 2147483648"}, r"m, line 5: 'JQ== 2147483648' is not base64 and a rank"),
        ({4: b"\xff\0 4 " + b"x" * 100}, r"m, line 5: '\\\\xff\\x00 4 x*…' is not base64 and a rank"),
        ({4: b"AA== 4"}, r"m, line 5: the piece of line 1 stands here again"),
        ({4: b"AAA= 3"}, r"m, line 5: the rank 3 of line 4 stands here again"),
    ],
)
def test_a_damaged_rank_file_names_the_line(changes, said):
    """What is wrong with a line is said with its number."""
    rows = lines().splitlines()
    for place, row in changes.items():
        rows[place] = row
    with pytest.raises(DataError, match=said) as caught:
        parse(b"\n".join(rows), "m")
    assert not isinstance(caught.value, UnsupportedModel)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (lines(), "267 ranks (0 to 266)"),
        (lines().replace(b" 266\n", b" 999\n"), "267 ranks (0 to 999)"),
        (b"".join(lines().splitlines(keepends=True)[5:]), "262 ranks (5 to 266)"),
    ],
    ids=["sound", "gap", "does not begin at 0"],
)
def test_an_unknown_rank_file_says_what_to_give(data, found):
    """A rank file that is none of the known ones cannot be used alone; the error names what can."""
    with pytest.raises(UnsupportedModel) as caught:
        parse(data, "the-file")
    assert found in caught.value.what
    assert "tokenizer.json" in caught.value.remedy
    assert "cl100k_base" in caught.value.remedy


def test_many_lines_are_read_before_they_are_refused():
    """A rank file larger than any is read and refused; its size is named."""
    data = b"".join(b"%s %d\n" % (base64.b64encode(b"%07d" % n), n) for n in range(300_000))
    with pytest.raises(UnsupportedModel, match="300,000 ranks"):
        parse(data, "m")


def test_words_with_counts_are_no_ranks():
    """A list of words with their counts is read as such, even where every word could be base64."""
    rows = b"that 40\nwith 39\nhave 37\nthis 36\nfrom 35\nthey 34\nwhat 33\nyour 32\n"
    assert parse(rows, "m").kind == "counts"


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255) | st.none()), max_size=6))
@example([(0, 0xEF)])
def test_a_damaged_file_is_never_more_than_an_error(changes):
    """Whatever a byte is replaced by, or left out: a model, or one error of ours."""
    data = bytearray(lines())
    for place, byte in changes:
        data[place : place + 1] = b"" if byte is None else bytes([byte])
    with contextlib.suppress(CorpusError):
        parse(bytes(data), "m")


def test_a_tekken_file():
    """Ids are ranks behind the special ids; ranks beyond the vocabulary's size are left out."""
    model = parsed(tekken(special=["<unk>", "<s>", "</s>", "<pad>"]))
    assert (model.kind, model.unit, model.cuts, model.weighted) == ("tekken", "byte-level", "marks", False)
    assert model.vocab_size == 10 + len(PIECES)
    assert model.control == {"bos": 1, "eos": 2, "pad": 3}
    assert model.special_ids == set(range(10))
    assert model.pieces[:5] == [b"<unk>", b"<s>", b"</s>", b"<pad>", b"<SPECIAL_4>"]
    assert model.pieces[10 + 256] == b"th"
    assert not model.arc[:10].any()
    assert model.normalizer.normalize(b"I'll x") == b"I'll\xff x"


def test_a_tekken_file_that_names_no_special_tokens():
    """Up to version 7 the library knows their names; from then on the file has to say them."""
    for version in ("v1", "v3", "v7"):
        model = parsed(tekken(reserved=25, version=version))
        assert model.control == {"bos": 1, "eos": 2, "pad": 11}
        assert model.pieces[19:21] == [b"[TOOL_CONTENT]", b"<SPECIAL_20>"]
    assert parsed(tekken(reserved=2)).control == {"bos": 1}
    with pytest.raises(DataError, match="m: the file names no special tokens, which version 'v11' has to"):
        parsed(tekken(version="v11"))
    assert parsed(tekken(version="v11", special=["<s>"])).control == {"bos": 0}


def without(content, *keys):
    for key in keys[:-1]:
        content = content[key]
    del content[keys[-1]]


def put(value, *keys):
    def change(content):
        for key in keys[:-1]:
            content = content[key]
        content[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: without(c, "config", "pattern"), "malformed .KeyError: 'pattern'"),
        (lambda c: without(c, "vocab", 7, "rank"), "malformed .KeyError: 'rank'"),
        (put(8, "vocab", 7, "rank"), "entry 7 of the vocabulary has the rank 8"),
        (put("B=", "vocab", 7, "token_bytes"), "rank 7: 'B=' is not base64"),
        (put(None, "vocab", 7, "token_bytes"), "malformed"),
        (put("", "vocab", 7, "token_bytes"), "the piece of rank 7 is empty"),
        (put("Ag==", "vocab", 7, "token_bytes"), "the piece of rank 7 is that of rank 2 again"),
        (put("Agc=", "vocab", 7, "token_bytes"), "no piece for the byte 0x07"),
        (put(5, "vocab", 7), "malformed"),
        (put({}, "vocab"), "fewer than the 267 ranks"),
        (put(10**6, "config", "default_vocab_size"), "fewer than the 999,990 ranks"),
        (put("277", "config", "default_vocab_size"), "default_vocab_size is '277'"),
        (put(True, "config", "default_vocab_size"), "default_vocab_size is True"),
        (put(-1, "config", "default_num_special_tokens"), "default_num_special_tokens -1"),
        (put(277, "config", "default_num_special_tokens"), "default_num_special_tokens 277"),
        (put(5, "config", "pattern"), "the pattern 5"),
        (put("(", "config", "pattern"), "the regular expression"),
        (put([{"rank": 1, "token_str": "a"}], "special_tokens"), "not numbered 0, 1, 2"),
        (put([{"rank": n, "token_str": str(n)} for n in range(11)], "special_tokens"), "below 10"),
        (put([{"rank": n, "token_str": "a"} for n in range(2)], "special_tokens"), "stands twice"),
        (put([{"rank": 0}], "special_tokens"), "malformed .KeyError: 'token_str'"),
        (put(7, "special_tokens"), "malformed"),
    ],
)
def test_a_damaged_tekken_file(change, said):
    """What is wrong is said in one line that begins with the file's name."""
    content = tekken()
    change(content)
    with pytest.raises(DataError, match=said) as caught:
        parsed(content)
    assert str(caught.value).startswith("m")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("pattern", [r"\s++$|\S+|\s", r"^a|[^a]", r"\w+|\W", r"a\b|.", r"\p{Han}+|\P{Han}"])
def test_a_pattern_that_engines_read_differently(pattern):
    """A pattern is never guessed at: tiktoken's engine and the one whose rules are followed here have to agree."""
    with pytest.raises(UnsupportedModel) as caught:
        parsed(tekken(pattern=pattern))
    assert "tokenizer.json" in caught.value.remedy


# Pieces that overlap with themselves, that are never made, and that are words although merges make others of them.
OVERLAPPING = [b"aa", b"ba", b"aab", b"aaa", b"ab", b"abab", b"bab", b"xyz", b"ababab", b" a", b" aa", b"a b"]
BYTES = [bytes([byte]) for byte in range(256)]
PARTS = [b"a", b"b", b" ", b"xyz", "天".encode(), b"\xf5", b"\xe5\xa4"]


@cache
def overlapping():
    return Canonical(parsed(tekken([*BYTES, *OVERLAPPING, b"\xe5\xa4"])))


def by_definition(part, ranks):
    """Return the ranks of a part as tiktoken defines them: the least rank that two neighbours make, leftmost first."""
    if part in ranks:
        return [ranks[part]]
    pieces = [part[i : i + 1] for i in range(len(part))]
    while found := [(ranks[a + b], i) for i, (a, b) in enumerate(itertools.pairwise(pieces)) if a + b in ranks]:
        i = min(found)[1]
        pieces[i : i + 2] = [pieces[i] + pieces[i + 1]]
    return [ranks[piece] for piece in pieces]


@settings(max_examples=200, deadline=None)
@given(text=st.lists(st.sampled_from(PARTS), max_size=20).map(b"".join))
@example(b"aaaaaaa abababab babab xyz xyzx")
@example(b"<s>aab")
@example(b"\xf5xyz")
def test_merges_are_those_of_the_definition(text):
    """Canonical ids follow from the ranks alone, whatever bytes the text has."""
    canonical = overlapping()
    model = canonical.model
    marked = model.normalizer.normalize(text)
    ids = canonical.batch(marked, np.array([0, len(marked)], np.int64), 0).ids.tolist()
    odd = re.compile(b"[\xf5-\xf7]...", re.DOTALL)
    parts = [odd.sub(lambda one: model.normalizer.surfaces[one.group()], part) for part in marked.split(b"\xff")]
    ranks = {piece: rank for rank, piece in enumerate([*BYTES, *OVERLAPPING, b"\xe5\xa4"])}
    assert [i - 10 for i in ids] == [rank for part in parts if part for rank in by_definition(part, ranks)]
    assert decode(model, ids) == text


def test_the_command_reads_them(tmp_path):
    """Documents in, ids with an end each out, and the text back."""
    folder = Folder(tmp_path)
    folder.write("tekken.json", json.dumps(tekken()).encode())
    text = "".join(f"{text}\n" for text in TEXTS if "\n" not in text and "\r" not in text).encode()
    folder.write("t.txt", text)
    sample = ("--mode", "sample", "--alpha", 0, "-s", 1, "--eos")
    folder.corpus("tokenize", "-m", "tekken.json", *sample, "t.txt", "-o", "out.ids").ok()
    rows = [row.split() for row in folder.read("out.ids").splitlines()]
    assert all(row[-1] == b"2" for row in rows)
    assert folder.corpus("detokenize", "-m", "tekken.json", "out.ids").ok().stdout == text
    folder.write("ranks", lines())
    refused = folder.corpus("tokenize", "-m", "ranks", "t.txt")
    refused.failed(1, "ranks is a tiktoken file of 267 ranks", "tokenizer.json")

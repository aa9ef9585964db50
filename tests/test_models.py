"""Model files: what the formats hold, what is refused by name, and ten thousand damaged ones."""

import base64
import json
import math
import random
import struct
import tempfile
from functools import cache

import numpy as np
import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st
from spm_files import (
    BYTE,
    CONTROL,
    NORMAL,
    SPECIAL,
    UNKNOWN,
    UNUSED,
    USER_DEFINED,
    field,
    piece,
    spm_model,
    train,
)

from corpustools.errors import DataError, SystemFailure, UnsupportedModel
from corpustools.kernels.wire import plain as wire_plain
from corpustools.stages.tokenize.decode import decode
from corpustools.stages.tokenize.models import load_model, parse
from corpustools.stages.tokenize.models.sentencepiece import PIECE
from corpustools.stages.tokenize.models.wire import BYTES as WIRE_BYTES
from corpustools.stages.tokenize.models.wire import fields, message

try:
    from corpustools.kernels.wire import compiled as wire_compiled
except ImportError:
    wire_compiled = None

BACKENDS = [pytest.param(wire_plain, id="plain")]
if wire_compiled:
    BACKENDS.append(pytest.param(wire_compiled, id="compiled"))

BYTES = [(f"<0x{byte:02X}>", 0.0, BYTE) for byte in range(256)]
TRAINED = {
    "unigram": {},
    "bpe": {"model_type": "bpe"},
    "byte_fallback": {"byte_fallback": True, "vocab_size": 340},
    "symbols": {"user_defined_symbols": ["<sep>", "▁quick▁", "天地"], "control_symbols": ["<2ja>"]},
    "suffix": {"treat_whitespace_as_suffix": True},
    "ids": {"pad_id": 0, "unk_id": 3, "bos_id": -1, "eos_id": 1, "unk_surface": "??", "unk_piece": "[U]"},
    "raw": {
        "normalization_rule_name": "identity",
        "remove_extra_whitespaces": False,
        "add_dummy_prefix": False,
    },
    "keep_spaces": {"normalization_rule_name": "nmt_nfkc_cf", "remove_extra_whitespaces": False},
    "denormalizer": {"denormalization_rule_tsv": None},
}
TEXTS = [
    "",
    " ",
    "the quick  brown fox ",
    "天地玄黄 <sep>!",
    "Ünknown ⁇ \u2581 x",
    "\u3000a\u0301\n\u2581\u2581b",
    "<s>the</s>",
]


def trained(name, tmp_path):
    options = dict(TRAINED[name])
    if "denormalization_rule_tsv" in options:
        rules = tmp_path / "rules.tsv"
        rules.write_text("71 75\t51\n", encoding="ascii")
        options["denormalization_rule_tsv"] = str(rules)
    return train(**options)


@pytest.mark.parametrize("name", TRAINED)
def test_sentencepiece_models_are_read_as_the_library_reads_them(name, tmp_path):
    """Pieces, scores, kinds and normalization are those of the library, for each trained model."""
    data = trained(name, tmp_path)
    oracle = sentencepiece.SentencePieceProcessor(model_proto=data)
    model = parse(data, "m")
    agrees(model, oracle)
    assert model.weighted == (name != "bpe")
    assert model.kind == ("sentencepiece-bpe" if name == "bpe" else "sentencepiece-unigram")
    for text in TEXTS:
        assert model.normalizer.normalize(text.encode()) == oracle.normalize(text).encode()


def agrees(model, oracle):
    """Compare every property of every id."""
    assert len(model.pieces) == oracle.get_piece_size()
    byte_ids = model.byte_ids.tolist() if model.byte_ids is not None else []
    for i, text in enumerate(model.pieces):
        name = f"<0x{byte_ids.index(i):02X}>".encode() if i in byte_ids else text
        assert name == oracle.id_to_piece(i).encode()
        assert i not in byte_ids or text == bytes([byte_ids.index(i)])
        assert model.scores[i] == oracle.get_score(i)
        hidden = [oracle.is_control(i), oracle.is_unknown(i), oracle.is_unused(i), oracle.is_byte(i)]
        assert model.arc[i] == (not any(hidden))
        assert (i in model.invisible) == hidden[0]
        assert (i == model.unknown_id) == hidden[1]
    roles = {"unk": oracle.unk_id(), "bos": oracle.bos_id(), "eos": oracle.eos_id(), "pad": oracle.pad_id()}
    assert model.control == {role: i for role, i in roles.items() if i >= 0}


@pytest.mark.parametrize("name", TRAINED)
def test_decoding_equals_sentencepiece(name, tmp_path):
    """Any ids decode to the text that the library gives."""
    data = trained(name, tmp_path)
    oracle = sentencepiece.SentencePieceProcessor(model_proto=data)
    model = parse(data, "m")
    draw = random.Random(name)
    for text in TEXTS:
        ids = oracle.encode(text)
        assert decode(model, ids) == oracle.decode(ids).encode()
    for _ in range(1000):
        ids = [draw.randrange(len(model.pieces)) for _ in range(draw.randrange(1, 8))]
        assert decode(model, ids) == oracle.decode(ids).encode(), ids


def test_an_id_outside_the_vocabulary_is_an_error():
    """An id that is none is named with the vocabulary's size."""
    model = parse(spm_model([("a", -1.0)]), "m")
    for i in (-1, 4):
        with pytest.raises(DataError, match=f"the id {i} is outside the vocabulary of 4"):
            decode(model, [i])


def test_scores_are_the_float32_values_and_the_unknown_is_ten_below_the_lowest():
    """Scores and the unknown piece's score are computed as in the library."""
    model = parse(spm_model([("a", -0.1), ("b", -1.7), ("c", -99.0, UNUSED), ("d", -50.0, USER_DEFINED)]), "m")
    assert model.scores[3:5].tolist() == [struct.unpack("<f", struct.pack("<f", x))[0] for x in (-0.1, -1.7)]
    assert model.unknown_score == np.float32(np.float32(-1.7) - np.float32(10))
    assert model.arc.tolist() == [False] * 3 + [True, True, False, True]
    assert model.user_defined.tolist() == [False] * 6 + [True]


def test_byte_fallback_without_an_unknown_piece():
    """With a piece for every byte no unknown piece is needed."""
    data = spm_model([("a", -1.0)], trainer=[(35, 1), (40, (1 << 64) - 1)], special=BYTES)
    model = parse(data, "m")
    oracle = sentencepiece.SentencePieceProcessor(model_proto=data)
    assert oracle.encode("ab") == [0xE2, 0x96, 0x81, 256, 0x62]
    assert (model.unknown_id, model.pieces[-1], bool(model.arc[-1])) == (257, b"", False)
    assert model.byte_ids.tolist() == list(range(256))
    assert "unk" not in model.control


@pytest.mark.parametrize("backend", BACKENDS)
@settings(deadline=None)
@given(rows=st.lists(st.binary(max_size=12), max_size=6), room=st.integers(0, 8), tail=st.binary(max_size=9))
def test_leading_pieces_are_read_until_another_layout(backend, rows, room, tail):
    """What the fast reader takes has to be what the general reader finds there."""
    data = b"".join(field(1, piece(row, 1.5, kind)) for kind, row in enumerate(rows, 1)) + tail
    starts, ends = np.zeros(room, np.int64), np.zeros(room, np.int64)
    scores, types = np.zeros(room, np.float32), np.zeros(room, np.uint8)
    count, position = backend.pieces(data, starts, ends, scores, types)
    assert count >= min(room, len(rows))
    found = [message(value, "m", PIECE) for _, _, value in fields(data[:position], "m")]
    assert [row.get(1) for row in found] == [data[a:b] for a, b in zip(starts[:count], ends[:count], strict=True)]
    assert [row.get(3, NORMAL) for row in found] == types[:count].tolist()
    assert [struct.unpack("<f", row[2].to_bytes(4, "little"))[0] for row in found] == pytest.approx(
        scores[:count].tolist(), nan_ok=True
    )


def test_pieces_written_in_an_unusual_layout_are_read_the_same():
    """Score before text, the type spelled out, a long piece, unknown fields, specs in two parts."""
    long = "x" * 200
    rows = [field(2, -1.5) + field(1, "a"), field(1, "b") + field(2, -2.0) + field(3, NORMAL), field(1, long)]
    rows.append(field(1, "c") + field(200, "extension") + field(2, -3.0))
    data = spm_model([]) + b"".join(field(1, row) for row in rows)
    data += field(3, field(3, 0)) + field(3, field(4, 0)) + field(201, 7)
    model = parse(data, "m")
    agrees(model, sentencepiece.SentencePieceProcessor(model_proto=data))
    assert model.pieces[3:] == [b"a", b"b", long.encode(), b"c"]
    assert model.normalizer.normalize(b" a  b") == "▁a▁▁b".encode()


BROKEN = {
    "no unknown piece": (spm_model([("a", -1.0)], special=[]), "0 unknown pieces"),
    "two unknown pieces": (spm_model([("a", -1.0), ("u", 0.0, UNKNOWN)]), "2 unknown pieces"),
    "no pieces": (spm_model([]), "no pieces"),
    "an empty piece": (spm_model([("", -1.0)]), "piece 3 is empty"),
    "NUL in a piece": (spm_model([("a\0b", -1.0)]), "piece 3 is empty, .* or contains NUL"),
    "a long piece": (spm_model([("a" * 8000, -1.0)]), "of 8000 bytes or more"),
    "the same piece twice": (spm_model([("a", -1.0), ("a", -2.0)]), "defined twice"),
    "a score that is no number": (spm_model([("a", math.nan)]), "not finite"),
    "an infinite score": (spm_model([("a", -math.inf)]), "not finite"),
    "an unknown type": (spm_model([("a", -1.0, 9)]), "piece 3 has an unknown type"),
    "byte pieces without fallback": (spm_model([("a", -1.0), *BYTES]), "byte_fallback"),
    "fallback without all bytes": (spm_model([("a", -1.0), *BYTES[1:]], trainer=[(35, 1)]), "byte_fallback"),
    "a torn charsmap": (spm_model([("a", -1.0)], normalizer=[(2, b"\0\4\0\0abc\0")]), "charsmap is torn"),
    "cut off": (spm_model([("a", -1.0)])[:-1], "torn at byte"),
    "a field of another type": (spm_model([("a", -1.0)]) + field(2, 5), "field 2 as wire type 0"),
    "a word model": (spm_model([("a", -1.0)], trainer=[(3, 3)]), "a SentencePiece word model"),
    "a character model": (spm_model([("a", -1.0)], trainer=[(3, 4)]), "a SentencePiece char model"),
    "GGUF": (b"GGUF\3\0\0\0", "a GGUF file"),
    "ZIP": (b"PK\3\4rest", "a ZIP archive"),
    "gzip": (b"\x1f\x8b\x08", "a gzip file"),
    "Git LFS": (b"version https://git-lfs.github.com/spec/v1\noid x\n", "git lfs pull"),
    "tiktoken": (b"IQ== 0\nIg== 1\nIw== 2\nJA== 3\n", "a tiktoken file of 4 ranks"),
    "tekken": (b'{"config": {}, "vocab": [], "version": 1}', "is malformed"),
    "vocab.json": (b'{"a": 0, "b": 1}', "a vocab.json"),
    "other JSON": (b'{"a": "b"}', "no model of a known format"),
    "torn JSON": (b'{"a": ', "not valid JSON"),
    "deep JSON": (b'{"a": ' + b"[" * 100_000, "not valid JSON"),
    "empty": (b"", "no model of a known format"),
    "text": (b"hello world of models\n", "no model of a known format"),
    "noise": (bytes(range(255, 0, -1)), "no model of a known format"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_cannot_be_used_is_refused_by_name(case):
    """A file that is no sound model is one line that begins with its name."""
    data, said = BROKEN[case]
    with pytest.raises(DataError, match=said) as caught:
        parse(data, "the-file")
    assert str(caught.value).startswith("the-file")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("case", ["a word model", "a character model", "GGUF", "ZIP", "tiktoken"])
def test_a_sound_file_that_is_not_done_is_unsupported(case):
    """What is sound and not supported has an error of its own kind."""
    with pytest.raises(UnsupportedModel):
        parse(BROKEN[case][0], "m")


def test_a_file_that_cannot_be_read(tmp_path):
    """A missing model is an error of the system, with its path."""
    with pytest.raises(SystemFailure, match=r"cannot read the model .*missing: no such file"):
        load_model(tmp_path / "missing")


def bytepiece_file(words, **changes):
    counts = {bytes([byte]): 1 for byte in range(256)} | words
    ordered = sorted(counts, key=lambda piece: (len(piece), piece))
    rows = {base64.b64encode(p).decode(): [i, p.decode("utf-8", "ignore"), counts[p]] for i, p in enumerate(ordered, 3)}
    return json.dumps(rows | changes).encode()


def test_bytepiece():
    """What a bytepiece file says is what the model holds."""
    model = parse(bytepiece_file({b"the": 40, "天地".encode(): 4}), "m")
    assert (model.kind, model.unit, model.cuts, model.unknown_id) == (
        "bytepiece",
        "byte",
        "newline-runs",
        None,
    )
    assert model.control == {"pad": 0, "bos": 1, "eos": 2}
    assert model.pieces[:4] == [b"", b"", b"", b"\0"]
    assert model.pieces[-2:] == [b"the", "天地".encode()]
    assert model.scores[-2] == math.log(40) - math.log(300)
    assert model.arc.tolist() == [False] * 3 + [True] * 258
    assert model.normalizer.normalize(b"e\xcc\x81 \xff  ") == b"\xc3\xa9 \xff  "
    assert decode(model, [1, 258, 259, 2]) == b"\xffthe"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"dGhl": [259, "the"]}, "not .id, text, count"),
        ({"dGhl": [259, "the", 0]}, "not .id, text, count"),
        ({"dGhl": [259.0, "the", 5]}, "not .id, text, count"),
        ({"dGhl": [2, "the", 5]}, "the id 2"),
        ({"dGhl": [258, "the", 5]}, "the id 258"),
        ({"dGhl": [260, "the", 5]}, "the id 260"),
        ({"dG l": [259, "the", 5]}, "base64"),
    ],
)
def test_a_damaged_bytepiece_model(changes, said):
    """A damaged bytepiece file is refused by what is wrong with it."""
    with pytest.raises(DataError, match=said):
        parse(bytepiece_file({b"the": 5}, **changes), "m")


def test_a_bytepiece_model_without_a_byte_is_unsupported():
    """A byte without a piece is named."""
    rows = json.loads(bytepiece_file({}))
    rows[base64.b64encode(b"ab").decode()] = rows.pop(base64.b64encode(b"\x07").decode())
    with pytest.raises(UnsupportedModel, match="no piece for the byte 0x07"):
        parse(json.dumps(rows).encode(), "m")


def test_a_vocabulary_of_pieces_and_scores():
    """Lines of piece and score are read; marks and control pieces are recognised."""
    text = "<unk>\t0\n<s>\t0\n▁the\t-2.5\n<sep>\t0\nx\ty\t-3\n▁\t-4.25e0\nhi\t0\n"
    model = parse(text.encode(), "m")
    assert (model.kind, model.weighted, model.unknown_id) == ("vocabulary", True, 0)
    assert model.pieces == [b"<unk>", b"<s>", "▁the".encode(), b"<sep>", b"x\ty", "▁".encode(), b"hi"]
    assert model.scores.tolist() == [0, 0, -2.5, 0, -3, -4.25, 0]
    assert model.arc.tolist() == [False, False, True, False, True, True, True]
    assert model.user_defined.tolist() == [False] * 6 + [True]
    assert model.unknown_score == -14.25
    assert model.control == {"unk": 0, "bos": 1}
    assert model.normalizer.normalize(b" the  x ") == "▁the▁x".encode()


def test_a_vocabulary_equals_the_model_it_was_exported_from():
    """Exported pieces and scores make the same model again."""
    data = train()
    oracle = sentencepiece.SentencePieceProcessor(model_proto=data)
    rows = [f"{oracle.id_to_piece(i)}\t{oracle.get_score(i)!r}\n" for i in range(oracle.get_piece_size())]
    exported, model = parse("".join(rows).encode(), "m"), parse(data, "m")
    assert exported.pieces == model.pieces
    assert exported.scores.tolist() == model.scores.tolist()
    assert exported.arc.tolist() == model.arc.tolist()


def test_a_bpe_vocabulary_has_ranks_and_no_weights():
    """Scores 0, -1, -2 ... are merge ranks, not probabilities."""
    model = parse("<unk>\t0\n<s>\t0\n</s>\t0\n▁t\t-0\nhe\t-1\n▁the\t-2\n".encode(), "m")
    assert (model.weighted, model.arc.tolist()) == (False, [False] * 3 + [True] * 3)
    assert not model.user_defined.any()


def test_word_counts_are_scored_as_in_jieba():
    """Counts become log shares, where later lines win and zero is no word."""
    model = parse("天地 30 n\n天 5 n\n地\t15\n无 0 x\n天 10\n".encode(), "m")
    assert (model.kind, model.unknown_id, model.fuse_unknown) == ("counts", 5, False)
    assert model.pieces == [w.encode() for w in ("天地", "天", "地", "无", "天", "<unk>")]
    # The second line of a word wins, the total is that of all lines, and zero counts are no words.
    assert model.arc.tolist() == [True, False, True, False, True, False]
    assert model.scores[[0, 2, 4]].tolist() == pytest.approx([math.log(30 / 60), math.log(15 / 60), math.log(10 / 60)])
    assert model.unknown_score == -math.log(60)
    assert model.normalizer.normalize("天  地".encode()) == "天  地".encode()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"a\t-1\nb\t-1\na\t-2\n", "line 3 defines 'a' for the second time"),
        (b"a\t-1\nb\n", "line 2 is neither"),
        (b"a\t-1\nb\tnan\n", "line 2 is neither"),
        (b"a\t-1\n\xff\t-2\n", "line 2 is not UTF-8"),
        (b"a\t-1\nb\t0.5\n", "line 2 has a score above 0"),
        (b"a\t0\nb\t0.0\n", "no piece with a score below 0"),
        (b"a 5\nb many\n", "line 2 is neither"),
    ],
)
def test_a_damaged_list_names_its_line(data, said):
    """A line that is wrong is named by its number."""
    with pytest.raises(DataError, match=said):
        parse(data, "m")


@cache
def small_charsmap():
    """Return a charsmap of a few rules, small enough that most damage hits it."""
    rules = "41\t61\nE4\t61 65\n3000\t20\nAD\t\n31 32\t78 20 79\n31\t7A\n"
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as file:
        file.write(rules)
        file.flush()
        spec = message(train(normalization_rule_tsv=file.name), "m", {3: WIRE_BYTES})[3]
    return message(spec, "m", {2: WIRE_BYTES})[2]


def seeds():
    """Return small models of every format, as bytes."""
    pieces = [
        ("▁a", -1.0),
        ("b", -2.5),
        ("ab", -2.0),
        ("天", -3.0),
        ("q", -4.0, UNUSED),
        ("<x>", 0.0, USER_DEFINED),
    ]
    spm = spm_model(pieces, trainer=[(3, 1), (24, 0), (44, "??")], normalizer=[(1, "n"), (3, 1), (4, 1), (5, 1)])
    charsmap = spm_model(pieces, normalizer=[(2, small_charsmap())])
    fallback = spm_model([("a", -1.0)], trainer=[(35, 1)], special=[*SPECIAL, ("<2ja>", 0.0, CONTROL), *BYTES])
    bpe = spm_model([("a", 0.0), ("b", -1.0), ("ab", -2.0)], trainer=[(3, 2)])
    return [spm, charsmap, fallback, bpe]


def mutated(data, draw):
    data = bytearray(data)
    for _ in range(draw.randrange(1, 4)):
        at = draw.randrange(len(data))
        kind = draw.randrange(4)
        if kind == 0:
            data[at] = draw.randrange(256)
        elif kind == 1:
            data[at] ^= 1 << draw.randrange(8)
        elif kind == 2:
            del data[at : at + draw.randrange(1, 9)]
        else:
            data[at:at] = draw.randbytes(draw.randrange(1, 5))
        if not data:
            return b"x"
    return bytes(data)


def test_ten_thousand_damaged_sentencepiece_models_are_refused_or_right():
    """Whatever is accepted, the library accepts too, and reads the same from it."""
    draw = random.Random(5)
    originals = seeds()
    accepted = 0
    for number in range(10_000):
        data = mutated(originals[number % len(originals)], draw)
        try:
            model = parse(data, "m")
        except DataError:
            continue
        if not model.kind.startswith("sentencepiece"):
            continue
        oracle = sentencepiece.SentencePieceProcessor()
        oracle.load_from_serialized_proto(data)
        accepted += 1
        sound(model)
        if number % 8 == 0:
            agrees_where_text(model, oracle)
    assert accepted > 500


def agrees_where_text(model, oracle):
    try:
        [oracle.id_to_piece(i) for i in range(oracle.get_piece_size())]
    except UnicodeDecodeError:
        return
    if b"\0" not in model.pieces and model.pieces[-1] != b"":
        agrees(model, oracle)
    text = " ab <x> 天\u2581 A\u3000\u00ad ä 12 13"
    assert model.normalizer.normalize(text.encode()) == oracle.normalize(text.encode())


def other_seeds():
    unigram = [["<unk>", 0.0], ["\u2581a", -1.5], ["b", -2.0]]
    spec = {
        "added_tokens": [{"id": 3, "content": "<x>", "special": True, "normalized": False}],
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFKC"}, {"type": "Lowercase"}]},
        "pre_tokenizer": {
            "type": "Metaspace",
            "replacement": "\u2581",
            "prepend_scheme": "always",
            "split": True,
        },
        "model": {"type": "Unigram", "unk_id": 0, "vocab": unigram, "byte_fallback": False},
    }
    bpe = spec | {"model": {"type": "BPE", "vocab": {"<unk>": 0, "a": 1, "b": 2}, "merges": [], "unk_token": "<unk>"}}
    lists = ["<unk>\t0\n\u2581a\t-1.5\nb\t-2.25\nc\t-3\n", "天地 30 n\n天 5 n\n地 15\n"]
    return [json.dumps(spec).encode(), json.dumps(bpe).encode(), *(text.encode() for text in lists)]


def test_ten_thousand_damaged_files_of_other_formats_are_refused_or_sound():
    """No change of bytes makes a crash or an unsound model."""
    draw = random.Random(6)
    bytepiece, originals = bytepiece_file({b"ab": 9}), other_seeds()
    accepted = 0
    for number in range(10_000):
        data = mutated(bytepiece if number % 16 == 0 else originals[number % 4], draw)
        try:
            model = parse(data, "m")
        except DataError:
            continue
        accepted += 1
        sound(model)
    assert accepted > 1000


def sound(model):
    """Check what the lattice relies on."""
    size = len(model.pieces)
    assert [len(model.scores), len(model.arc), len(model.user_defined)] == [size] * 3
    arcs = [model.pieces[i] for i in np.flatnonzero(model.arc)]
    assert all(arcs)
    assert len(set(arcs)) == len(arcs)
    assert np.isfinite(model.scores).all()
    assert math.isfinite(model.unknown_score)
    assert model.unknown_id is None or 0 <= model.unknown_id < size
    # Only such a tokenizer.json has neither unknown token nor bytes; it refuses records.
    assert model.unit != "character" or model.unknown_id is not None or model.kind == "hf-unigram"
    assert model.byte_ids is None or (model.byte_ids.dtype == np.int32 and min(model.byte_ids) >= 0)
    assert all(0 <= i < size for i in model.control.values())
    text = model.normalizer.normalize("a b<x> 天\u2581".encode())
    assert model.cuts == "marks" or text.decode()


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_noise_is_no_model(data):
    """Random bytes are refused, whatever they begin with."""
    for prefix in (
        b"",
        b"\n",
        b"{",
        b"a\t-1\n",
        b"\n\x0e\n\x05<unk>\x15\0\0\0\0\x18\x02\n\x0a\n\x01a\x15\0\0\x80\xbf",
    ):
        try:
            model = parse(prefix + data, "m")
        except DataError:
            continue
        sound(model)

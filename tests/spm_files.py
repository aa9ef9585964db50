"""SentencePiece model files for tests: a protobuf writer, and the charsmaps of the installed trainer."""

import io
import struct
from functools import cache

from corpustools.stages.tokenize.models.wire import BYTES, message

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
SPECIAL = [("<unk>", 0.0, UNKNOWN), ("<s>", 0.0, CONTROL), ("</s>", 0.0, CONTROL)]


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(number, value):
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    if isinstance(value, int):
        return varint(number << 3) + varint(value & (1 << 64) - 1)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def piece(text, score=0.0, kind=NORMAL):
    return field(1, text) + field(2, score) + (field(3, kind) if kind != NORMAL else b"")


def spm_model(pieces, trainer=(), normalizer=(), denormalizer=None, special=SPECIAL):
    """Return a serialised ModelProto; trainer and normalizer are (field number, value) pairs."""
    rows = b"".join(field(1, piece(*row)) for row in [*special, *pieces])
    specs = field(2, b"".join(field(*pair) for pair in trainer))
    specs += field(3, b"".join(field(*pair) for pair in normalizer))
    if denormalizer is not None:
        specs += field(5, b"".join(field(*pair) for pair in denormalizer))
    return rows + specs


WORDS = "the quick brown fox jumps over the lazy dog and runs away from it all 天地玄黄宇宙洪荒"
TEXT = WORDS.split() * 20


def train(**options):
    """Return the bytes of a model that the installed trainer makes from a few sentences."""
    import sentencepiece

    out = io.BytesIO()
    options = {"vocab_size": 60, "hard_vocab_limit": False, "character_coverage": 1.0} | options
    sentences = [" ".join(TEXT[i : i + 7]) for i in range(0, len(TEXT), 7)]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences), model_writer=out, minloglevel=3, **options
    )
    return out.getvalue()


@cache
def shipped_charsmap(name):
    """Return the precompiled charsmap of a normalization rule, b"" for identity."""
    if name == "identity":
        return b""
    normalizer = message(train(normalization_rule_name=name), "model", {3: BYTES})[3]
    return message(normalizer, "normalizer_spec", {2: BYTES})[2]

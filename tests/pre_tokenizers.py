"""The pre_tokenizer objects of well-known models, text that is awkward for them, and a way to run the splitter."""

from __future__ import annotations

import os
from functools import cache
from itertools import pairwise
from unittest.mock import patch

import numpy as np
from hypothesis import strategies as st

from corpustools.stages.tokenize.text.hf_text import AddedToken, HuggingFaceNormalizer

try:
    from corpustools.kernels.split import compiled
except ImportError:
    compiled = None

CONTRACTIONS = "'s|'t|'re|'ve|'m|'ll|'d"
BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
WORDS = BYTES | {"use_regex": True}
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
ENDS = r"|\s*[\r\n]+|\s+(?!\S)|\s+"
CL100K = rf"(?i:{CONTRACTIONS})|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*{ENDS}"
QWEN2 = CL100K.replace("{1,3}", "")
QWEN35 = QWEN2.replace(r"\p{L}+", r"[\p{L}\p{M}]+").replace(r"[^\s\p{L}\p{N}]+", r"[^\s\p{L}\p{M}\p{N}]+")
O200K = (
    rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}*{LOWER}+(?i:{CONTRACTIONS})?"
    rf"|[^\r\n\p{{L}}\p{{N}}]?{UPPER}+{LOWER}*(?i:{CONTRACTIONS})?"
    rf"|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*{ENDS}"
)
TEKKEN = O200K.replace(f"(?i:{CONTRACTIONS})?", "").replace("{1,3}", "")
DEEPSEEK_3 = (
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*"
    + ENDS
)


def split(pattern, behavior="Isolated"):
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": behavior, "invert": False}


def sequence(*parts):
    return {"type": "Sequence", "pretokenizers": list(parts)}


def digits(each):
    return {"type": "Digits", "individual_digits": each}


BYTE_LEVEL = {
    "GPT-2": WORDS,
    "with a space": WORDS | {"add_prefix_space": True},
    "whole": BYTES,
    "whole with a space": BYTES | {"add_prefix_space": True},
    "Llama 3": sequence(split(CL100K), BYTES),
    "Qwen 2": sequence(split(QWEN2), BYTES),
    "Qwen 3.5": sequence(split(QWEN35), BYTES),
    "o200k": sequence(split(O200K), BYTES),
    "Tekken": sequence(split(TEKKEN), BYTES),
    "StarCoder": sequence(digits(True), WORDS),
    "numbers": sequence(digits(False), WORDS),
    "punctuation": sequence({"type": "Punctuation", "behavior": "Contiguous"}, WORDS),
    "DeepSeek coder": sequence(
        split("[\r\n]"),
        split(r"\s?\p{L}+"),
        split(r"\s?\p{P}+"),
        split("[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"),
        digits(True),
        BYTES,
    ),
    "DeepSeek": sequence(
        split("[\r\n]"),
        split("\\s?[A-Za-z\u00b5\u00c0-\u00d6\u0370-\u0373\U00010400-\U0001044f]+"),
        split("\\s?[!-/:-~\uff01-\uff0f\u2018-\u201f\u3000-\u3002]+"),
        split("\\s+$"),
        digits(True),
        BYTES,
    ),
    "DeepSeek 3": sequence(split(r"\p{N}{1,3}"), split("[\u4e00-\u9fa5\u3040-\u309f]+"), split(DEEPSEEK_3), BYTES),
    "three digits": sequence(split("[0-9][0-9][0-9]"), WORDS),
    "Falcon": sequence(
        {"type": "Punctuation", "behavior": "Contiguous"}, WORDS, digits(False), split("[0-9][0-9][0-9]")
    ),
    "lazy": sequence(split(r"a{2,4}?b|\p{L}+?(?=x)|(?:ab|a)(?:c|bcd)?"), BYTES),
}

PIECES = [
    *"aAbBxzsStTdDmMrReEvVlLkK019'\"/_.,!-<>()[]{}|~`^\\#$%&*+=:;?@",
    *" \t\n\r\x0b\x0c\x1c\x1f\x7f\0\x85\xa0",
    *"'\u2019\u017f\u212a\u0130\u0131\u00df\u00b2\u00bd\u00b5\u0345\u01c5\u02b0\u00aa",
    *"\u2028\u2029\u200b\u200d\u2060\ufeff\u3000\u1680\u180e\u2581\ufffd\ue000\U0010fffd",
    *"\u0301\u0323\u0327\u0591\u064b\u093c\u094d\u0e33\u0f71\u1100\u1161\u11a8\uac00\uac01\u3099\u302a\u20dd",
    *"éüñçжΣς你好あアーก็कि한글ЁאبءّΩ\u2126\ufb01\u2460\u2167\u0660\u0967\uff11\U0001d7d8\U00020000\U0001f600\U0001f3fd",
    *"\u088f\u0c5c\ua7ce\U00016ea0\U000323b0\ufdd0\uffff",
    *["'s", "'S", "'LL", "'ve", "'\u017f", "'r", "'re", "123", "1234", "  ", "   ", "\r\n", " \n", "\n ", "\n\n"],
    *["the", "The", "THE", "don't", "DON'T", "e\u0301", "a\u0323\u0301", "aab", "aaab", "abcd", "abc", "//", "\t\t"],
]
AWKWARD = st.lists(st.one_of(st.sampled_from(PIECES), st.characters(exclude_categories=["Cs"])), max_size=24).map(
    "".join
)

BACKENDS = ["plain", *(["compiled"] if compiled else [])]
BEST = BACKENDS[-1]
MARK = "\u2581"
ODD = {byte: f"<{byte:02X}>".encode() for byte in range(128, 256)}
NFC = {"type": "NFC"}


def replace(old, content):
    return {"type": "Replace", "pattern": {"String": old}, "content": content}


def metaspace(scheme, cuts, mark=MARK):
    return {"type": "Metaspace", "replacement": mark, "prepend_scheme": scheme, "split": cuts}


LLAMA = {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": MARK}, replace(" ", MARK)]}
AT_SPACES = {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False}
# Normalizer and pre_tokenizer of each shape.
SHAPES = {
    **{name: (None, spec) for name, spec in BYTE_LEVEL.items()},
    "Qwen 2, composed": (NFC, BYTE_LEVEL["Qwen 2"]),
    "Command R": (NFC, BYTE_LEVEL["StarCoder"]),
    "nothing": (None, None),
    "Llama 2": (LLAMA, None),
    "Gemma": (replace(" ", MARK), AT_SPACES),
    "odd prefix": (
        {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "a b"}, LLAMA["normalizers"][1]]},
        None,
    ),
    **{f"marks {scheme}": (None, metaspace(scheme, True)) for scheme in ("always", "first", "never")},
    **{f"unsplit {scheme}": (NFC, metaspace(scheme, False)) for scheme in ("always", "first", "never")},
    "ASCII marks": (None, metaspace("always", True, "a")),
    "wide marks": (None, metaspace("first", True, "\U0001f600")),
}


def token(i, content, **flags):
    names = ("single_word", "lstrip", "rstrip", "normalized", "special", "passed_over")
    return AddedToken(i, content, **dict.fromkeys(names, False) | flags)


TOKENS = [
    token(0, "<s>"),
    token(1, "<s><s>a"),
    token(2, "the"),
    token(70_000, "  ", normalized=True),
    token(786_431 - 0x60000, "\n\n", normalized=True),
    token(5, "'"),
    token(6, "é"),
    token(7, MARK + "a", normalized=True),
    token(8, "你好", normalized=True),
    token(9, "你", special=True, passed_over=True),
    token(10, "THE", passed_over=True, normalized=True),
]
FLAGGED = [token(11, "[m]", lstrip=True), token(12, "[n]", rstrip=True), token(13, "on", single_word=True)]
ADDED = {"none": [], "some": TOKENS, "flagged": [*TOKENS, *FLAGGED]}


@cache
def normalizer(shape, added="none"):
    return HuggingFaceNormalizer(*SHAPES[shape], ADDED[added], ODD, {})


def run(backend, made, records, around=b""):
    """Return the marked bytes of records, and those that were left to Python; other bytes stand around each record."""
    left = []

    def slowly(data):
        left.append(bytes(data))
        return made.normalize_in_python(data)

    data = around + around.join(records) + around
    lengths = np.array([len(record) for record in records], np.int64)
    ends = np.cumsum(lengths + len(around), dtype=np.int64)
    with patch.dict(os.environ, CORPUS_KERNELS=backend):
        out, offsets = made._fast.batch(data, ends - lengths, ends, slowly)
    return [bytes(out[a:b]) for a, b in pairwise(offsets.tolist())], left

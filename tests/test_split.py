"""The splitter: equal to the tokenizers package, on every code point, and slow where a file has no usual shape."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache

import pytest
from hypothesis import example, given, settings
from pre_tokenizers import (
    AT_SPACES,
    AWKWARD,
    BEST,
    BYTE_LEVEL,
    BYTES,
    MARK,
    NFC,
    ODD,
    PIECES,
    compiled,
    metaspace,
    normalizer,
    replace,
    run,
    sequence,
    split,
)

from corpustools.stages.tokenize.text.hf_decode import byte_alphabet
from corpustools.stages.tokenize.text.hf_forms import Form
from corpustools.stages.tokenize.text.hf_text import HuggingFaceNormalizer
from corpustools.stages.tokenize.text.unicode import CATEGORIES, runs

try:
    import tokenizers
except ImportError:
    tokenizers = None

needs_peer = pytest.mark.skipif(tokenizers is None, reason="the peer is missing: pip install tokenizers")


@needs_peer
@pytest.mark.parametrize("name", sorted(BYTE_LEVEL))
@settings(max_examples=100)
@given(text=AWKWARD)
@example("".join(PIECES))
@example(" ".join(PIECES))
def test_parts_are_those_of_tokenizers(name, text):
    """The peer's own pre_tokenizer, asked directly."""
    peer = peer_of(name)
    alphabet = byte_alphabet()
    wanted = [bytes(alphabet[c] for c in part) for part, _ in peer.pre_tokenize_str(text)]
    parts, left = run(BEST, normalizer(name), [text.encode()])
    assert (parts[0].split(b"\xff") if parts[0] else [], left) == (wanted, [])


@cache
def peer_of(name):
    vocab = {character: i for i, character in enumerate(sorted(byte_alphabet()))}
    model = {"type": "BPE", "vocab": vocab, "merges": []}
    return tokenizers.Tokenizer.from_str(json.dumps({"model": model, "pre_tokenizer": BYTE_LEVEL[name]})).pre_tokenizer


CONTEXTS = ["{}", "a{}a", " {}{} ", "'{}1{}2", "\n{} {}\n", "A{}\u0301{}b"]


@cache
def telling_codes():
    """All code points below U+3400, those beside which a class changes, and one in 61 of the others."""
    edges = {edge for name in CATEGORIES for run in runs(name) for edge in run} | {0x9FA5, 0xD7FF}
    near = {code for edge in edges for code in range(edge - 2, edge + 3)} | {*range(0x3400), *range(0, 0x110000, 61)}
    return sorted(code for code in near if 0 <= code < 0xD800 or 0xE000 <= code < 0x110000)


def every_code_point(context):
    return [context.format(*[chr(code)] * 2).encode() for code in telling_codes()]


@pytest.mark.parametrize("context", [*CONTEXTS[1:3], *(pytest.param(one, marks=pytest.mark.heavy) for one in CONTEXTS)])
@pytest.mark.parametrize("name", ["o200k", *(pytest.param(one, marks=pytest.mark.heavy) for one in sorted(BYTE_LEVEL))])
def test_every_code_point_is_split_as_in_python(name, context):
    """In a record of its own."""
    made = normalizer(name)
    records = every_code_point(context)
    parts, left = run(BEST, made, records)
    assert left == []
    for record, part in zip(records, parts, strict=True):
        assert part == made.normalize_in_python(record), record


@needs_peer
@pytest.mark.heavy
@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("name", sorted(BYTE_LEVEL))
def test_every_code_point_is_split_as_by_tokenizers(name, context):
    """In a record of its own; the peer asked directly."""
    peer, alphabet = peer_of(name), byte_alphabet()
    records = every_code_point(context)
    parts, _ = run(BEST, normalizer(name), records)
    for record, part in zip(records, parts, strict=True):
        wanted = [bytes(alphabet[c] for c in one) for one, _ in peer.pre_tokenize_str(record.decode())]
        assert part.split(b"\xff") == wanted, record


def test_text_that_is_composed_is_told_by_its_characters():
    """Alone, and behind letters and marks: what is not left to Python is what Python leaves alone."""
    form, made = Form("NFC"), normalizer("Qwen 2, composed")
    codes = [*range(0x3400), *range(0xA000, 0xD800, 7), *range(0xF900, 0x11A00), *range(0x1D100, 0x30000, 11)]
    for context in ("{}", "a\u0323{}", "\u1100{}", "\u0915\u093c{}", "é{}\u0327"):
        texts = [context.format(chr(code)) for code in codes]
        _, left = run(BEST, made, [text.encode() for text in texts])
        asked = {text.decode() for text in left}
        assert all(form(text) == text for text in texts if text not in asked)
        # A composed letter, a syllable and a mark in order are no reason to ask.
        if context == "{}":
            assert not asked & {"é", "\u1ea5", "한", "\u094d", "\u05b0", "你", "\U0001f600"}
            assert {"\u0301", "\u212b", "\u1161", "\u0958"} <= asked
            assert len(asked) < 1500


@pytest.mark.parametrize(
    ("normalizer", "pre_tokenizer"),
    [
        ({"type": "NFD"}, BYTES),
        ({"type": "Sequence", "normalizers": [NFC, {"type": "Lowercase"}]}, BYTES),
        (replace("  ", MARK), None),
        (replace(" ", " a"), None),
        (replace(" ", MARK), BYTE_LEVEL["GPT-2"]),
        (replace(" ", MARK), AT_SPACES | {"invert": True}),
        (None, {"type": "Whitespace"}),
        (None, AT_SPACES),
        (None, split("(?<=a)b")),
        (None, split("a(?!bc)")),
        (None, split("(?>a+)a|b")),
        (None, split("ab", "Contiguous")),
        (None, split("a{1,3000}")),
        (None, split("(?:a?b?c?)+d")),
        (None, sequence(split("a"), BYTE_LEVEL["with a space"])),
        (None, metaspace("always", True, " ")),
        (None, sequence(metaspace("always", True), split("a"))),
    ],
)
def test_what_is_not_known_is_done_in_python(normalizer, pre_tokenizer):
    """Nothing is guessed: a shape that is not known by its parts has no fast way."""
    assert HuggingFaceNormalizer(normalizer, pre_tokenizer, [], ODD, {})._fast is None


MEMORY = """
import sys
from pathlib import Path
from corpustools.stages.tokenize.text.hf_text import HuggingFaceNormalizer
from corpustools.stages.tokenize.text.unicode import CATEGORIES, runs
made = HuggingFaceNormalizer(None, {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}, [], None, {})
record = b"It is 20 MB, isn't it? " * 870_000
def peak():
    return int(next(line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line).split()[1])
before = peak()
made.normalize_batch(record, *(__import__("numpy").array([at]) for at in (0, len(record))))
print((peak() - before) / 1024)
"""


@pytest.mark.skipif(not compiled, reason="the twin is not made for long texts")
def test_a_long_record_takes_memory_for_what_is_written():
    """A record of 20 MB whose parts are 28 MB, half of which are moved."""
    done = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 50

"""The same ids and the same text under every Python: one pinned digest for each feature of a tokenizer.json.

The tests run under one interpreter. Run this file itself under another one to compare: it prints what differs.
"""

from __future__ import annotations

import hashlib
import json
import random
import sys
from typing import Any

import pytest

pytest.importorskip("tokenizers")

from tokenizer_fuzz import outcome, pipeline, text

from corpustools.errors import CorpusError
from corpustools.stages.tokenize.models import parse
from corpustools.stages.tokenize.tokenizer import Tokenizer

PIPELINES = 200
TEXTS = 12
DIGESTS = {
    "added token, lstrip": "4c4457df27f690ed",
    "added token, normalized": "519c5f4d091b85e8",
    "added token, rstrip": "26dd16ecf7a7d75b",
    "added token, single_word": "3970da5a7f263bc8",
    "added token, special": "90e92bd918acf922",
    "decoder BPEDecoder": "a0c8cfdbd21d4dd6",
    "decoder ByteFallback": "38da698764419b78",
    "decoder ByteLevel": "df7318134ce7e852",
    "decoder CTC": "548559c40784024d",
    "decoder Fuse": "1eb3a24847b76e1b",
    "decoder Metaspace": "72519b5c4a2f5327",
    "decoder Replace": "18bb88aef8fcd4a4",
    "decoder Sequence": "175533a3176867d0",
    "decoder Strip": "585c0ae8ffc5406f",
    "decoder WordPiece": "188d1ef04e371004",
    "model BPE": "fa25a7c4a82b8720",
    "model Unigram": "a86750385980a932",
    "model Unigram, byte fallback": "ce76d3eaa4bd8348",
    "normalizer Lowercase": "9e51d88812fc86ab",
    "normalizer NFC": "82af0a6b316a328a",
    "normalizer NFD": "53f0a10c0eea4700",
    "normalizer NFKC": "d6be47999bc45465",
    "normalizer NFKD": "d7106e9cd2937a9f",
    "normalizer Nmt": "83637c0da72bb186",
    "normalizer Precompiled": "351c9b80e6d9a72a",
    "normalizer Prepend": "159870832ee6de2c",
    "normalizer Replace": "e049cddd10ed77cd",
    "normalizer Sequence": "a8983dc8eee54a88",
    "normalizer Strip": "ddbf2cd8a3aa4ce6",
    "normalizer StripAccents": "6c5ac0d9b4a67c5b",
    "pre_tokenizer BertPreTokenizer": "816ac95dc3c8d57c",
    "pre_tokenizer ByteLevel": "805663aab406d2e3",
    "pre_tokenizer CharDelimiterSplit": "64a573d2e7ccb049",
    "pre_tokenizer Digits": "bf676770e71066ee",
    "pre_tokenizer Metaspace": "9ae59d92555b8b65",
    "pre_tokenizer Punctuation": "1516af27363cb97e",
    "pre_tokenizer Sequence": "555e24c6a29b323f",
    "pre_tokenizer Split": "c08724861bd155c7",
    "pre_tokenizer Whitespace": "ff1fb843e6183762",
    "pre_tokenizer WhitespaceSplit": "2b699128c13419d6",
}


def features(content: Any) -> set[str]:
    """Return the features that a tokenizer.json has: types of its parts, flags of added tokens, kinds of models."""
    found = set()
    for part in ("normalizer", "pre_tokenizer", "decoder"):
        waiting = [content[part]]
        while waiting:
            one = waiting.pop()
            if isinstance(one, list):
                waiting += one
            elif isinstance(one, dict) and "type" in one:
                found.add(f"{part} {one['type']}")
                waiting += [value for value in one.values() if isinstance(value, list)]
    for token in content["added_tokens"]:
        found |= {f"added token, {flag}" for flag in token if token[flag] is True}
    model = content["model"]
    return found | {f"model {model['type']}" + ", byte fallback" * bool(model.get("byte_fallback"))}


def kind_of(error: Exception) -> str:
    """Return which of the package's public errors one is."""
    return next(one.__name__ for one in type(error).__mro__ if one.__module__ == CorpusError.__module__)


def outcomes(rng: random.Random, content: Any) -> list[object]:
    """Return what a tokenizer.json makes of some texts and ids: ids by best path and drawn, and decoded text."""
    model = outcome(lambda: parse(json.dumps(content).encode(), "m"), CorpusError)
    if isinstance(model, Exception):
        return []
    tokenizer, made = Tokenizer(model), []
    for number in range(TEXTS):
        one = text(rng)
        ids = outcome(lambda one=one: tokenizer.encode(one), CorpusError)
        drawn = outcome(lambda one=one, n=number: tokenizer.sample(one, alpha=0.0, seed="s", record=n), CorpusError)
        some = [rng.randrange(len(tokenizer)) for _ in range(5)]
        made.append([kind_of(one) if isinstance(one, Exception) else list(one) for one in (ids, drawn)])
        made += [model.normalizer.normalize(one.encode()).hex(), tokenizer.decode(some)]
    return made


def digests() -> dict[str, str]:
    """Return a digest of what every feature had a part in."""
    rng = random.Random("every Python")
    sums: dict[str, Any] = {}
    for _ in range(PIPELINES):
        _, content = pipeline(rng)
        made = json.dumps(outcomes(rng, content)).encode()
        for feature in features(content) if made != b"[]" else ():
            sums.setdefault(feature, hashlib.blake2b(digest_size=8)).update(made)
    return {feature: one.hexdigest() for feature, one in sorted(sums.items())}


def test_every_feature_gives_what_is_pinned():
    """Whatever the tables of the running Python."""
    assert digests() == DIGESTS


if __name__ == "__main__":
    found = digests()
    for name in sorted(found.keys() | DIGESTS.keys()):
        if found.get(name) != DIGESTS.get(name):
            sys.stdout.write(f"{name}: {found.get(name)} instead of {DIGESTS.get(name)}\n")
    sys.stdout.write(f"{sys.version.split()[0]}: {len(found)} features\n")

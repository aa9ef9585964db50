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
    "decoder BPEDecoder": "004b9698a18325a0",
    "decoder ByteFallback": "98f9638a5dcd2276",
    "decoder ByteLevel": "8718d7cc09c1e669",
    "decoder CTC": "888673b88009d63c",
    "decoder Fuse": "f54c0152f0718bc9",
    "decoder Metaspace": "c305985b49762e76",
    "decoder Replace": "0ecabe0a65e251cc",
    "decoder Sequence": "d2b8a29a9ac60600",
    "decoder Strip": "06e9715c6739108c",
    "decoder WordPiece": "4acfddb451eb86f6",
    "model BPE": "3823f0ee3177148c",
    "model Unigram": "a86750385980a932",
    "model Unigram, byte fallback": "ce76d3eaa4bd8348",
    "normalizer Lowercase": "9e51d88812fc86ab",
    "normalizer NFC": "36001a6cb80b3f80",
    "normalizer NFD": "5c45b54b38ff9bc3",
    "normalizer NFKC": "542a76111665834d",
    "normalizer NFKD": "cbe853b4cc6ab377",
    "normalizer Nmt": "80f88052c3d434da",
    "normalizer Precompiled": "f3d2c5ec3fa7cab0",
    "normalizer Prepend": "d68bd482417dc5f6",
    "normalizer Replace": "d6607615b594f80f",
    "normalizer Sequence": "32a4f6a6a67785c6",
    "normalizer Strip": "1fa877723a5e72fc",
    "normalizer StripAccents": "6c5ac0d9b4a67c5b",
    "pre_tokenizer BertPreTokenizer": "fdb54398861ea925",
    "pre_tokenizer ByteLevel": "0297eaf03510e1fd",
    "pre_tokenizer CharDelimiterSplit": "4669f75e4615077c",
    "pre_tokenizer Digits": "f5c02eec968c51da",
    "pre_tokenizer Metaspace": "bb1da683c7b90141",
    "pre_tokenizer Punctuation": "4a2704aafe273f3e",
    "pre_tokenizer Sequence": "ee43afee26e70395",
    "pre_tokenizer Split": "3c72f6de4d1d3cbe",
    "pre_tokenizer Whitespace": "ff1fb843e6183762",
    "pre_tokenizer WhitespaceSplit": "9a22cda95da873dd",
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

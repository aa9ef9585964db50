"""Small byte-pair models for tests: a trainer by the definition, and the files that libraries read."""

import itertools
import json
from collections import Counter
from functools import cache

from spm_files import TEXT, train

from corpustools.stages.tokenize.text.byte_alphabet import byte_alphabet

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
WORDS = [*TEXT, "don't", "1234", "12", "été", "...", "  ", "\n"]


@cache
def trained(count=60):
    """Return merges of letters that stand for bytes, by the definition of byte-pair encoding."""
    letters = {byte: letter for letter, byte in byte_alphabet().items()}
    words = Counter("".join(letters[byte] for byte in (" " + word).encode()) for word in WORDS)
    parts = {word: list(word) for word in words}
    merges = []
    for _ in range(count):
        pairs = Counter()
        for word, symbols in parts.items():
            for pair in itertools.pairwise(symbols):
                pairs[pair] += words[word]
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(list(best))
        for symbols in parts.values():
            i = 0
            while i + 1 < len(symbols):
                if (symbols[i], symbols[i + 1]) == best:
                    symbols[i : i + 2] = ["".join(best)]
                i += 1
    return merges


def byte_level_file(merges=None, added=(), pre_tokenizer=BYTE_LEVEL, normalizer=None, **model):
    """Return the bytes of a byte-level tokenizer.json; `added` are added tokens, by content and flags."""
    merges = trained() if merges is None else merges
    tokens = list(dict.fromkeys([*byte_alphabet(), *("".join(pair) for pair in merges)]))
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    content = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [flags | {"id": len(tokens) + i} | one for i, one in enumerate(added)],
        "normalizer": normalizer,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": None,
        "decoder": BYTE_LEVEL,
        "model": {"type": "BPE", "vocab": {token: i for i, token in enumerate(tokens)}, "merges": merges} | model,
    }
    return json.dumps(content).encode()


@cache
def sentencepiece_file(**options):
    """Return the bytes of a SentencePiece byte-pair model with byte fallback."""
    return train(model_type="bpe", **({"byte_fallback": True, "vocab_size": 340} | options))

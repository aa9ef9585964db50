"""Small byte-pair models for tests: what the trainers of two libraries make of a few sentences, and files by hand."""

import json
from functools import cache

from spm_files import BYTE, TEXT, UNUSED, USER_DEFINED, spm_model, train

BYTES = [(f"<0x{byte:02X}>", 0.0, BYTE) for byte in range(256)]
GPT2 = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
LLAMA = {
    "type": "Sequence",
    "normalizers": [
        {"type": "Prepend", "prepend": "▁"},
        {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
    ],
}


def tokenizer_json(vocabulary, merges, *, normalizer=None, pre_tokenizer=None, added=(), **model):
    """Return a tokenizer.json with a BPE model."""
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    vocab = vocabulary if isinstance(vocabulary, dict) else {token: i for i, token in enumerate(vocabulary)}
    content = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [flags | token for token in added],
        "normalizer": normalizer,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": None,
        "decoder": None,
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None}
        | {"end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False}
        | {"vocab": vocab, "merges": merges}
        | model,
    }
    return json.dumps(content)


@cache
def trained_byte_level(size=400, **model):
    """Return the tokenizer.json of a byte-level model that `tokenizers` trains."""
    import tokenizers

    peer = tokenizers.Tokenizer(tokenizers.models.BPE())
    peer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    peer.decoder = tokenizers.decoders.ByteLevel()
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=alphabet, special_tokens=["<|endoftext|>"], show_progress=False
    )
    peer.train_from_iterator([" ".join(TEXT)], trainer)
    content = json.loads(peer.to_str())
    content["model"] |= model
    return json.dumps(content)


@cache
def trained_sentencepiece(**options):
    """Return a SentencePiece BPE model that its trainer makes."""
    return train(model_type="bpe", vocab_size=options.pop("vocab_size", 90), **options)


LETTERS = ["▁", "a", "b", "c", "é", "中"]
# Pairs that overlap, that stand twice, that are never reached, and that are joined late.
MERGES = ["#version: 0.2", "a b", "b c", "▁ a", "ab c", "a bc", "c c", "▁a b", "cc cc", "中 é", "a a", "aa aa", "a b"]
MADE = ["ab", "bc", "▁a", "abc", "cc", "▁ab", "cccc", "中é", "aa", "aaaa"]


def by_hand(*, unknown=True, fallback=False, metaspace=True, **model):
    """Return a tokenizer.json of characters."""
    tokens = ["<unk>"] * unknown + [name for name, *_ in BYTES] * fallback + LETTERS + MADE
    settings = {"unk_token": "<unk>" if unknown else None, "byte_fallback": fallback} | model
    settings = {"vocabulary": tokens, "merges": MERGES} | settings
    return tokenizer_json(**settings, normalizer=LLAMA if metaspace else None)


def inner_mark():
    """Return a tokenizer.json of characters in which one piece has a mark ▁ behind another character, as in Gemma's."""
    merges = ["< /", "▁ </", "b ▁</", "▁ ▁", "▁ a", "a b", "▁▁ b", "中 a"]
    made = ["</", "▁</", "b▁</", "▁▁", "▁a", "ab", "▁▁b", "中a"]
    return tokenizer_json(["<unk>", *LETTERS, "<", "/", *made], merges, normalizer=LLAMA, unk_token="<unk>")


ODD = [
    ("▁", -1.0),
    ("a", -2.0),
    ("b", -2.0),
    ("x", -2.0, UNUSED),
    ("ab", -0.5, UNUSED),
    ("ba", -0.5),
    ("bab", -0.4),
    ("xy", -0.3),
    ("xyx", -0.2, UNUSED),
    ("▁ab", -3.0),
    ("aa", -4.0, UNUSED),
    ("aaaa", -5.0, UNUSED),
    ("aa▁b", -6.0, USER_DEFINED),
    ("中", -6.0, USER_DEFINED),
    ("中中b", -6.0, USER_DEFINED),
]


def odd_sentencepiece(*, fallback=False):
    """Return a model with unused and user-defined pieces, equal scores, and letters that are no pieces alone."""
    return spm_model([*(BYTES if fallback else []), *ODD], trainer=[(3, 2), *([(35, 1)] if fallback else [])])

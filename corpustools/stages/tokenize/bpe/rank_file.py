"""A vocabulary with ranks as merges, so that one library is the reference of both."""

from __future__ import annotations

import json

from corpustools.stages.tokenize.models.model import Model
from corpustools.stages.tokenize.text.byte_alphabet import byte_alphabet
from corpustools.stages.tokenize.text.hf_text import HuggingFaceNormalizer

Merges = list[tuple[str, str]]


def merges_of_ranks(model: Model) -> tuple[dict[str, int], Merges]:
    """Return the vocabulary and the merges of a model with ranks (tiktoken, tekken), in letters that stand for bytes.

    A rank says when a piece is made, and a merge says of what: of any two pieces that it can be cut into. Special
    tokens are left out, as no text becomes one in such models.
    """
    assert model.decoder is not None
    letters = {byte: letter for letter, byte in byte_alphabet().items()}
    vocabulary = {
        model.decoder((i,)).decode("latin-1").translate(letters): i
        for i, piece in enumerate(model.pieces)
        if piece and i not in model.special
    }
    merges = [
        (piece[:cut], piece[cut:])
        for piece in sorted(vocabulary, key=vocabulary.__getitem__)
        for cut in range(1, len(piece))
        if piece[:cut] in vocabulary and piece[cut:] in vocabulary
    ]
    return vocabulary, merges


def frame_of_ranks(model: Model) -> bytes:
    """Return a tokenizer.json with the way of text to such a model, and an empty model."""
    assert isinstance(model.normalizer, HuggingFaceNormalizer)
    content = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": model.normalizer.normalizer,
        "pre_tokenizer": model.normalizer.pre_tokenizer,
        "post_processor": None,
        "decoder": None,
        "model": {"type": "BPE", "vocab": {}, "merges": []},
    }
    return json.dumps(content).encode()

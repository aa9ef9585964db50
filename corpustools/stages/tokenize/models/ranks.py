"""Byte-level vocabularies with ranks: what tiktoken's and Mistral's files become."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np

from corpustools.errors import UnsupportedModel
from corpustools.stages.tokenize.bpe.merges import Merges, of_splits
from corpustools.stages.tokenize.lattice.trie import join
from corpustools.stages.tokenize.models.hf_vocabulary import FIRST_ODD, odd_surfaces
from corpustools.stages.tokenize.models.model import Model
from corpustools.stages.tokenize.text.hf_text import FIRST_PRIVATE, LAST_PRIVATE, HuggingFaceNormalizer, private

BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
_LARGEST = LAST_PRIVATE - FIRST_PRIVATE


def pre_tokenizer(pattern: str | None) -> dict[str, Any]:
    """Return, as in a tokenizer.json, the cuts that a pattern makes; None is GPT-2's."""
    if pattern is None:
        return {**BYTE_LEVEL, "use_regex": True}
    split = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    return {"type": "Sequence", "pretokenizers": [split, {**BYTE_LEVEL, "use_regex": False}]}


def ranked_model(
    kind: str,
    pieces: dict[int, bytes],
    special: dict[int, str],
    control: dict[str, int],
    cuts: dict[str, Any],
    *,
    nfc: bool = False,
) -> Model:
    """Return the model of pieces whose ids ascend with their ranks.

    No text becomes a special token: both libraries keep theirs apart from the text that is encoded.

    Args:
        kind: see `Model`.
        pieces: the bytes of each id; ids may be missing. An empty piece is none.
        special: the text of each special id.
        control: ids under the names 'bos', 'eos', 'pad', where present.
        cuts: the pre-tokenizer, as in a tokenizer.json.
        nfc: whether text is brought to Unicode's normal form C first.

    Raises:
        UnsupportedModel: a byte has no piece, there are too many ids, or the pre-tokenizer is not done here.
    """
    size = max([*pieces, *special]) + 1
    if size > _LARGEST:
        raise UnsupportedModel(f"the vocabulary has {size:,} ids", f"{_LARGEST:,} at most are supported")
    singles = {piece[0]: i for i, piece in pieces.items() if len(piece) == 1}
    if len(singles) < 256:
        missing = min(set(range(256)) - singles.keys())
        raise UnsupportedModel(f"the vocabulary has no piece for the byte 0x{missing:02X}")
    matched, texts = [b""] * size, [b""] * size
    for i, text in special.items():
        matched[i] = text.encode()
    for i, piece in pieces.items():
        texts[i] = matched[i] = piece
    with_odd = _with_odd(texts)
    arc = np.fromiter(map(bool, texts), np.bool_, size)
    # Such a byte stands in no text but as a character of its own.
    arc[with_odd] = False
    arc[[singles[byte] for byte in range(FIRST_ODD, 256)]] = True
    for byte in range(FIRST_ODD, 256):
        matched[singles[byte]] = private(singles[byte])
    odd = {byte: matched[i] for byte, i in singles.items()}
    normalizer = {"type": "NFC"} if nfc else None
    return Model(
        kind=kind,
        pieces=matched,
        scores=np.zeros(size),
        arc=arc,
        weighted=False,
        unit="byte-level",
        unknown_id=None,
        unknown_score=0.0,
        fuse_unknown=False,
        byte_ids=None,
        user_defined=np.zeros(size, np.bool_),
        control=control,
        normalizer=HuggingFaceNormalizer(normalizer, cuts, [], odd, odd_surfaces(odd)),
        cuts="marks",
        special=frozenset(special),
        invisible=frozenset(special),
        decoder=partial(_joined, texts),
        merges=_merges({i: piece for i, piece in pieces.items() if piece}, odd, with_odd),
    )


def _with_odd(texts: list[bytes]) -> list[int]:
    """Return the numbers of the texts that hold a byte of no UTF-8."""
    joined, starts = join(texts)
    places = np.flatnonzero(np.frombuffer(joined, np.uint8) >= FIRST_ODD)
    found: list[int] = np.unique(np.searchsorted(starts, places, "right") - 1).tolist()
    return found


def _merges(pieces: dict[int, bytes], letters: dict[int, bytes], with_odd: list[int]) -> Merges:
    """Return the merges of ranks: two neighbours are joined wherever that makes a piece, the least rank first.

    Args:
        pieces: the bytes of each id.
        letters: what stands for each byte in text.
        with_odd: the ids of pieces that no text is.
    """
    texts, codes = list(pieces.values()), np.fromiter(pieces, np.int32, len(pieces))
    wholes = dict(zip(texts, pieces, strict=True))
    of_letters = {letter: wholes[bytes([byte])] for byte, letter in letters.items()}
    for i in with_odd:
        del wholes[pieces[i]]
    return Merges(*of_splits(texts, codes, codes, characters=False), of_letters, wholes)


def _joined(texts: list[bytes], ids: Iterable[int]) -> bytes:
    return b"".join(texts[i] for i in ids)

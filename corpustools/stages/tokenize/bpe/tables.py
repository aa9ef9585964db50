"""Merges as the flat tables that kernels read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from corpustools.kernels import load
from corpustools.stages.tokenize.bpe.merges import UNKNOWN, Codes, Merges
from corpustools.stages.tokenize.lattice.trie import Offsets, join
from corpustools.stages.tokenize.models.model import Model

# One place for every letter: a byte, or a code point up to the last that four bytes can write.
LETTERS = 1 << 21
# Marks of seams: of the 30,000 pairs of characters in the largest vocabularies one place in forty is marked by chance.
SEAM_BYTES = 1 << 17


def merger_of(model: Model, merges: Merges, kernel: Any = None) -> Any:
    """Return a kernel's `Merger` of a model, by default that of the kernel in use; any number of threads may use it."""
    kernel = load("bpe") if kernel is None else kernel
    characters = model.unit == "character"
    last = _last_code(model, merges)
    pairs = np.stack([merges.left, merges.right, merges.priority, merges.made], axis=1)
    text, ends, codes = _texts(merges.wholes)
    symbol_text, symbol_ends, symbol_codes = _texts(dict(sorted(merges.symbols.items())))
    code_text, code_ends = _code_texts(model, merges, last + 1)
    apart_ends, apart = _apart(merges.apart, last + 1)
    return kernel.Merger(
        pairs=np.ascontiguousarray(pairs, np.int32),
        pair_slots=np.zeros(kernel.SLOT_WORDS * _slots(len(pairs)), np.uint32),
        letters=_letters(merges.letters, characters=characters),
        whole_text=text,
        whole_ends=ends,
        whole_codes=codes,
        whole_slots=np.zeros(_slots(len(codes)) if len(codes) else 0, np.int32),
        symbol_text=symbol_text,
        symbol_ends=symbol_ends,
        symbol_codes=symbol_codes,
        apart_ends=apart_ends,
        apart=apart,
        byte_codes=np.zeros(0, np.int32) if model.byte_ids is None else model.byte_ids.astype(np.int32),
        unknown=UNKNOWN if model.unknown_id is None else model.unknown_id,
        fuse=model.fuse_unknown,
        characters=characters,
        begins=bytes(byte in merges.begins for byte in range(256)),
        code_text=code_text,
        code_ends=code_ends,
        seams=_seams(model, merges, kernel),
    )


def _slots(count: int) -> int:
    """Return the number of slots of a table that is at most half full: a power of two."""
    return 1 << max(4, (2 * count - 1).bit_length())


def _last_code(model: Model, merges: Merges) -> int:
    return max([len(model.pieces) - 1, *merges.letters.values()])


def _letters(letters: Mapping[bytes, int], *, characters: bool) -> Codes:
    """Return the code of each letter plus 1 at its place, 0 where there is none; pages that stay zero cost nothing."""
    table = np.zeros(LETTERS, np.int32)
    places = [place_of_letter(letter, characters=characters) for letter in letters]
    table[places] = np.fromiter(letters.values(), np.int32, len(letters)) + 1
    return table


def place_of_letter(letter: bytes, *, characters: bool) -> int:
    """Return the place of a letter: its code point, or a byte's value."""
    if len(letter) == 1:
        return letter[0]
    if not characters and len(letter) != 4:
        raise ValueError(f"the letter {letter!r} is no byte")
    first = letter[0] & (0x7F >> len(letter))
    for byte in letter[1:]:
        first = first << 6 | byte & 0x3F
    return first


def _texts(texts: Mapping[bytes, int]) -> tuple[bytes, Offsets, Codes]:
    """Return texts in one buffer, where each ends in it, and their codes."""
    joined, offsets = join(list(texts))
    return joined, offsets[1:], np.fromiter(texts.values(), np.int32, len(texts))


def _code_texts(model: Model, merges: Merges, codes: int) -> tuple[bytes, Offsets]:
    """Return the texts of all codes in one buffer, and where each ends in it."""
    texts = [*model.pieces, *[b""] * (codes - len(model.pieces))]
    for letter, code in merges.letters.items():
        if code >= len(model.pieces):
            texts[code] = letter
    text, offsets = join(texts)
    return text, offsets[1:]


def _seams(model: Model, merges: Merges, kernel: Any) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """Return room for the marks of seams; none where a letter's bytes are joined as something else than bytes."""
    if model.byte_ids is not None:
        odd = [code for byte, code in enumerate(model.byte_ids.tolist()) if model.pieces[code] != bytes([byte])]
        if np.isin(odd, np.concatenate([merges.left, merges.right])).any():
            return np.zeros(0, np.uint64)
    return np.zeros((kernel.NEAR_BYTES + SEAM_BYTES) // 8, np.uint64)


def _apart(apart: Mapping[int, tuple[int, ...]], codes: int) -> tuple[Codes, Codes]:
    """Return where what is written in the place of each code ends, and all of that; nothing where no code is apart."""
    if not apart:
        return np.zeros(0, np.int32), np.zeros(0, np.int32)
    sizes = np.zeros(codes, np.int32)
    sizes[list(apart)] = [len(row) for row in apart.values()]
    flat = [one for code in sorted(apart) for one in apart[code]]
    return np.cumsum(sizes, dtype=np.int32), np.array(flat, np.int32)

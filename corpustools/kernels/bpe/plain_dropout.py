"""Byte-pair encoding with dropout in plain Python: the twin of dropout.pxi."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from corpustools.kernels.bpe.status import DONE, UNWRITABLE
from corpustools.kernels.mixture.plain import WordDraws

BYTES_OF_DROP_CACHE = 8
_UNKNOWN = -1


def joined_with_dropout(
    codes: Sequence[int], pairs: Mapping[tuple[int, int], tuple[int, int]], chance: float, draws: WordDraws, place: int
) -> list[int]:
    """Return what the letters of a word become where pairs are left out at random.

    In every step each pair that could be joined is left out with this chance, and the first of the others is joined,
    until a step leaves all of them out. One draw says how many are left out before the first that is not.

    Args:
        codes: the codes of the letters.
        pairs: (priority, made) by (left, right).
        chance: the probability with which a pair is left out.
        draws: the draws of the record.
        place: which of the record's words it is.
    """
    row = list(codes)
    step = 0
    while True:
        found = sorted((pairs[pair][0], i) for i, pair in enumerate(pairwise(row)) if pair in pairs)
        u, skipped, power = draws.draw(place, step), 0, chance
        while skipped < len(found) and u < power:
            skipped += 1
            power *= chance
        if skipped == len(found):
            return row
        at = found[skipped][1]
        row[at : at + 2] = [pairs[row[at], row[at + 1]][1]]
        step += 1


def drop(
    merger: Any, text: Any, offsets: Any, *, chance: float, seed: Any, first_record: int, first_sample: int,
    samples: int, bos: int, eos: int, out: Any, ends: Any, state: Any, cache: Any, room: Any,
) -> int:  # fmt: skip
    """Write the codes of segmentations in which pairs are left out at random.

    Args:
        merger: plain.Merger.
        text: the records, marked: words stand between bytes 0xFF.
        offsets: where each record begins, and the last one ends, int64; one more than records.
        chance: the probability with which a pair is left out of a step. With 0 ids are canonical; else a word that the
            model takes at once is made of its letters, too.
        seed: the two words of the key, uint64.
        first_record: the number of the first record.
        first_sample: the number of its first sample.
        samples: how many segmentations of each record, one after another.
        bos: a code that begins every segmentation, or -1.
        eos: a code that ends every segmentation, or -1.
        out: receives the codes from state[1] on, int32; one a byte, two a segmentation, OUT_SLACK more.
        ends: receives where each segmentation ends in `out`, int64.
        state: int64[4], zeros at first: segmentations that are done, codes, none, letters that need room.
        cache: BYTES_OF_DROP_CACHE, zeros at first: it belongs to this model, and to one thread of the kernel.
        room: memory of the kernel: LETTER_BYTES for each letter of a long word, aligned to 8.

    Returns:
        DONE, MORE_ROOM or UNWRITABLE, see status.py.
    """
    data, bounds, count = bytes(text), offsets.tolist(), len(offsets) - 1
    for s in range(int(state[0]), count * samples):
        record, sample = divmod(s, samples)
        draws = WordDraws(first_record + record, first_sample + sample, seed)
        row = _record(merger, data, bounds[record], bounds[record + 1], chance, draws)
        if row is None:
            return UNWRITABLE
        row = [bos] * (bos >= 0) + row + [eos] * (eos >= 0)
        out[state[1] : state[1] + len(row)] = row
        ends[s] = state[1] + len(row)
        state[:2] = s + 1, ends[s]
    return DONE


def _record(merger: Any, data: bytes, at: int, end: int, chance: float, draws: WordDraws) -> list[int] | None:
    """Return the codes of a record; None where a letter cannot be written."""
    out: list[int] = []
    last, begun = 0, at
    for place, (begin, stop) in enumerate(merger._words(data, at, end)):
        # A mark between two parts keeps unknown letters apart.
        last = last if begin == begun else 0
        begun = stop
        for code in _word(merger, data[begin:stop], chance, draws, place):
            if code == _UNKNOWN and merger._unknown == _UNKNOWN:
                return None
            if code != _UNKNOWN or not (merger._fuse and last == _UNKNOWN):
                out.append(merger._unknown if code == _UNKNOWN else code)
            last = code
    return out


def _word(merger: Any, word: bytes, chance: float, draws: WordDraws, place: int) -> list[int]:
    """Return the codes of a word; -1 for an unknown letter."""
    if not chance or word in merger._symbols:
        codes: list[int] = merger._word(word)
        return codes
    row = joined_with_dropout(merger._codes(word), merger._pairs, chance, draws, place)
    return [one for code in row for one in merger._written(code)]

"""Words that are drawn among words that are not, in Python. Twin: compiled.pyx."""

from __future__ import annotations

from typing import Any

import numpy as np

from corpustools.kernels.order.plain import block as philox

_MASK = (1 << 64) - 1


class WordDraws:
    """The draws of one sample of one record: the third and fourth word of the Philox block that keys the lattice's."""

    def __init__(self, record: int, sample: int, seed: Any) -> None:
        words = philox(np.array([record & _MASK], np.uint64), int(seed[0]), int(seed[1]), sample & _MASK)
        self._start, self._mask = int(words[0, 2]), int(words[0, 3])

    def draw(self, place: int, step: int) -> float:
        """Return draw `step` of the record's word `place`, in [0, 1)."""
        x = (self._start + place * 0x9E3779B97F4A7C15 + step * 0xD1342543DE82EF95) & _MASK
        x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & _MASK
        x = (x ^ x >> 27) * 0x94D049BB133111EB & _MASK
        return (((x ^ x >> 31) ^ self._mask) >> 11) * 2.0**-53


def choose(
    ids: Any, word_ends: Any, record_words: Any, fixed: Any, starts: Any, stops: Any, *, chance: float, seed: Any,
    first_record: int, first_sample: int, samples: int, places: Any, bounds: Any, last: Any,
) -> int:  # fmt: skip
    """Choose each word with this chance, but those that are fixed; return how many are chosen.

    Args:
        ids: the canonical ids of all records, int32.
        word_ends: where each word ends in `ids`, int64, shape (words,).
        record_words: how many words there are up to the end of each record, int64, shape (records,).
        fixed: by id, uint8: a word that holds such an id, or none, is not chosen.
        starts: where each word begins in the text, int64, shape (words,).
        stops: where it ends, int64, shape (words,).
        chance: the probability of each word.
        seed: the two words of the key, uint64.
        first_record: the number of the first record.
        first_sample: the number of its first sample.
        samples: how many segmentations of each record.
        places: receives which words are chosen, by segmentation, int64, room for words * samples.
        bounds: receives where each of these begins and ends in the text, int64, room for 2 * words * samples.
        last: receives the number of chosen words up to the end of each segmentation, int64.
    """
    chosen = begin = 0
    ends = [0, *word_ends.tolist()]
    for i, end in enumerate(record_words.tolist()):
        for k in range(samples):
            draws = WordDraws(first_record + i, first_sample + k, seed)
            for word in range(begin, end):
                is_drawn = draws.draw(word - begin, 0) < chance
                if is_drawn and not _is_fixed(fixed, ids[ends[word] : ends[word + 1]]):
                    places[chosen] = word
                    bounds[2 * chosen : 2 * chosen + 2] = starts[word], stops[word]
                    chosen += 1
            last[i * samples + k] = chosen
        begin = end
    return chosen


def _is_fixed(fixed: Any, ids: Any) -> bool:
    return len(ids) == 0 or bool(fixed[ids].any())


def weave(
    ids: Any, word_ends: Any, record_words: Any, places: Any, last: Any, drawn: Any, drawn_ends: Any, *, samples: int,
    bos: int, eos: int, out: Any, ends: Any, same: Any,
) -> int:  # fmt: skip
    """Put drawn ids in the places of canonical ones; return how many ids there are.

    Args:
        ids: the canonical ids of all records, int32.
        word_ends: where each word ends in `ids`, int64.
        record_words: how many words there are up to the end of each record, int64.
        places: which words are chosen, int64, by segmentation.
        last: the number of chosen words up to the end of each segmentation, int64.
        drawn: the ids of the chosen words, int32.
        drawn_ends: where each chosen word ends in `drawn`, int64.
        samples: how many segmentations of each record.
        bos: an id that begins every segmentation, or -1.
        eos: an id that ends every segmentation, or -1.
        out: receives the ids, int32: room for the canonical ones of each sample, the drawn ones and two a segmentation.
        ends: receives where each segmentation ends in `out`, int64.
        same: receives of each chosen word whether its canonical ids were drawn, uint8.
    """
    used = chosen = 0
    stops, drawn_stops = [0, *word_ends.tolist()], [0, *drawn_ends.tolist()]
    first = 0
    for i, words in enumerate(record_words.tolist()):
        for k in range(samples):
            made = [np.array([bos] if bos >= 0 else [], np.int32)]
            at = stops[first]
            for word in range(chosen, int(last[i * samples + k])):
                place = int(places[word])
                new = drawn[drawn_stops[word] : drawn_stops[word + 1]]
                same[word] = np.array_equal(new, ids[stops[place] : stops[place + 1]])
                made += [ids[at : stops[place]], new]
                at = stops[place + 1]
            chosen = int(last[i * samples + k])
            made += [ids[at : stops[words]], np.array([eos] if eos >= 0 else [], np.int32)]
            joined = np.concatenate(made)
            out[used : used + len(joined)] = joined
            used += len(joined)
            ends[i * samples + k] = used
        first = words
    return used

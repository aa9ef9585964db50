"""Stochastic segmentation of byte-pair models: each word is drawn with a certain probability, else it is canonical.

The law of a word is P(segmentation) = (1 - chance) · [it is the canonical one] + chance · w / Z, and words are
independent. w is the product of the weights of its tokens, Z the sum over all segmentations of the word.
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from corpustools.kernels import load
from corpustools.stages.tokenize.bpe.mixture_law import Growth, WordLaws, sums
from corpustools.stages.tokenize.lattice.segmenter import Batch, Segmenter
from corpustools.stages.tokenize.lattice.trie import Offsets
from corpustools.stages.tokenize.lattice.weights import Weights
from corpustools.stages.tokenize.lattice.words import Words, measure_words, segment_words
from corpustools.stages.tokenize.lattice.workspace import Ids
from corpustools.stages.tokenize.models.model import Floats, Mask, Model
from corpustools.stages.tokenize.text.normalize import Buffer

WORD_CUTS = {"none": 0, "marks": 1, "space-marks": 2}


class WordSegmenter(Protocol):
    """What segments records word by word, without bos and eos."""

    def words(self, text: Buffer, offsets: Offsets, first_record: int) -> tuple[Ids, Offsets]:
        """Return the pieces of all records, int32, and where each word ends in them, int64."""


@dataclass(frozen=True)
class MixtureBatch(Batch):
    """Segmentations drawn from the mixture.

    columns: what was asked for of each, by name, float64. growth: of the records; None where it was not asked for.
    """

    columns: dict[str, Floats] = field(default_factory=dict)
    growth: Growth | None = None


@dataclass(frozen=True)
class _Chosen:
    """Words of a batch: bounds in the text, places among all words, and how many up to each segmentation's end."""

    bounds: Words
    places: Offsets
    last: Offsets
    record_words: Offsets


class Mixture:
    """Draws each word of a record with a probability, and leaves it canonical else; from any number of threads.

    Draws depend on seed, epoch, sample, the record's number, the word's number in it and where it begins, and on
    nothing else. A word whose canonical ids hold an unknown id, bytes of an unknown character, a special or
    user-defined token is never drawn: its probability is 1. A word with one segmentation takes its draw like others.

    Args:
        model: the model.
        canonical: its canonical segmentation.
        sampler: draws words; its key is that of all draws, and its bos and eos are put around segmentations.
        wide: the same weights for the mode SAMPLE_WIDE.
        chance: the probability that a word is drawn, 0 to 1.
        cuts: how words lie in normalised text, see `Model.word_cuts`.
    """

    def __init__(
        self, model: Model, canonical: WordSegmenter, sampler: Segmenter, wide: Weights, chance: float, cuts: str
    ) -> None:
        self.canonical, self.sampler, self.chance = canonical, sampler, chance
        self._wide = wide
        self._cuts = WORD_CUTS[cuts]
        self._fixed = fixed_pieces(model).astype(np.uint8)
        self._local = threading.local()

    def batch(
        self, text: Buffer, offsets: Offsets, first_record: int, columns: Collection[str] = (), growth: bool = False
    ) -> MixtureBatch:
        """Segment the normalised records offsets[i]:offsets[i + 1], each as often as the sampler's key has samples.

        Args:
            text: the normalised text of all records.
            offsets: where each record begins, and the end, int64, shape (n + 1,).
            first_record: the number of the first record.
            columns: of 'logprob', 'entropy' (in nats) and 'length' (the expected number of tokens), all of them exact
                and under the mixture.
            growth: count how many tokens more are expected.

        Returns:
            The segmentations; ids are a view that the same thread's next batch overwrites.

        Raises:
            DataError: a character that the vocabulary cannot write.
        """
        pieces, word_ends = self.canonical.words(text, offsets, first_record)
        sampler, samples, count = self.sampler, self.sampler.key.samples, len(offsets) - 1
        chosen = self._choose(text, offsets, pieces, word_ends, first_record, self.chance, samples)
        drawn, drawn_ends = segment_words(sampler, text, offsets, first_record, chosen.bounds, chosen.last)
        ends, same = np.zeros(samples * count, np.int64), np.zeros(len(chosen.places), np.uint8)
        out = self._room(samples * (len(pieces) + 2 * count) + len(drawn))
        size = load("mixture").weave(
            pieces,
            word_ends,
            chosen.record_words,
            chosen.places,
            chosen.last,
            drawn,
            drawn_ends,
            samples=samples,
            bos=sampler.bos,
            eos=sampler.eos,
            out=out,
            ends=ends,
            same=same,
        )
        known: dict[str, Floats] = {}
        more = None
        if columns or growth:
            laws = self._laws(text, offsets, pieces, word_ends, first_record)
            more = laws.growth(len(pieces)) if growth else None
            weights = self._log_weights(drawn, drawn_ends)
            known = laws.columns(columns, samples, chosen.places, chosen.last, weights, same != 0)
        done = sampler.batch_of(out[:size], ends)
        return MixtureBatch(done.ids, done.ends, done.special, columns=known, growth=more)

    def _choose(
        self,
        text: Buffer,
        offsets: Offsets,
        pieces: Ids,
        word_ends: Offsets,
        first_record: int,
        chance: float,
        samples: int,
    ) -> _Chosen:
        """Choose each word with this chance, but those that are fixed."""
        most, count = len(word_ends) * samples, len(offsets) - 1
        bounds, places = np.empty((most, 2), np.int64), np.empty(most, np.int64)
        last, record_words = np.zeros(count * samples, np.int64), np.zeros(count, np.int64)
        found = load("mixture").choose(
            text,
            offsets,
            pieces,
            word_ends,
            self._fixed,
            cuts=self._cuts,
            chance=chance,
            seed=self.sampler.seed,
            first_record=first_record,
            first_sample=self.sampler.key.first_sample,
            samples=samples,
            bounds=bounds,
            places=places,
            last=last,
            record_words=record_words,
        )
        return _Chosen(bounds[:found], places[:found], last, record_words)

    def _laws(self, text: Buffer, offsets: Offsets, pieces: Ids, word_ends: Offsets, first_record: int) -> WordLaws:
        """Return what is known of every word that may be drawn."""
        free = self._choose(text, offsets, pieces, word_ends, first_record, 2.0, 1)
        starts = np.append(0, word_ends[:-1])
        weights = self._log_weights(pieces, word_ends)[free.places]
        return WordLaws(
            chance=self.chance,
            measures=measure_words(self.sampler.trie, self._wide, text, free.bounds),
            weights=weights,
            lengths=(word_ends - starts)[free.places],
            places=free.places,
            record_ends=free.last,
            fixed=self._fixed_lengths(word_ends, free),
        )

    def _fixed_lengths(self, word_ends: Offsets, free: _Chosen) -> Offsets:
        """Return how many tokens the words of each record have that are never drawn."""
        ends = np.append(0, word_ends)
        by_record = np.diff(np.append(0, ends[free.record_words]))
        of_free = np.append(0, np.cumsum(np.diff(ends)[free.places]))
        return by_record - np.diff(np.append(0, of_free[free.last]))

    def _log_weights(self, pieces: Ids, word_ends: Offsets) -> Floats:
        """Return the logarithm of the weight of each word's pieces."""
        return sums(self._wide.log_weights[pieces], word_ends)

    def _room(self, size: int) -> Ids:
        """Return room for so many ids, the same for every batch of a thread."""
        room: Ids | None = getattr(self._local, "room", None)
        if room is None or len(room) < size:
            room = self._local.room = np.empty(size, np.int32)
        return room


def fixed_pieces(model: Model) -> Mask:
    """Say by piece whether a word that is canonically written with it is never drawn.

    Special and user-defined tokens are, and what is no arc of the lattice: the unknown piece, byte pieces. So are
    pieces with a character that is no piece alone, because that one would be an unknown character in the lattice.
    """
    free = model.arc & ~model.user_defined
    if model.special_codes is not None:
        free &= ~model.special_codes
    if model.unit == "character":
        alone = {piece for piece, arc in zip(model.pieces, model.arc.tolist(), strict=True) if arc}
        for code in np.flatnonzero(free).tolist():
            free[code] = all(character in alone for character in _characters(model.pieces[code]))
    return np.asarray(~free)


def _characters(piece: bytes) -> list[bytes]:
    """Return the characters of a piece, as the lattice steps over them."""
    starts = [i for i, byte in enumerate(piece) if byte & 0xC0 != 0x80] or [0]
    return [piece[a:b] for a, b in zip(starts, [*starts[1:], len(piece)], strict=True)]

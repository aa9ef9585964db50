"""Stochastic segmentation of byte-pair models: each word is drawn with a certain probability, else it is canonical.

The law of a word is P(segmentation) = (1 - chance) · [it is the canonical one] + chance · w / Z, and words are
independent. w is the product of the weights of its tokens, Z the sum over all segmentations of the word.
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass, field, replace

import numpy as np

from corpustools.kernels import load
from corpustools.stages.tokenize.bpe.canonical import Canonical
from corpustools.stages.tokenize.bpe.mixture_law import Growth, WordLaws, sums
from corpustools.stages.tokenize.bpe.rooms import Rooms
from corpustools.stages.tokenize.bpe.token_counts import Counts, log_probabilities
from corpustools.stages.tokenize.lattice.segmenter import Batch, Segmenter
from corpustools.stages.tokenize.lattice.trie import Offsets
from corpustools.stages.tokenize.lattice.weights import Weights
from corpustools.stages.tokenize.lattice.words import Words, measure_words, segment_words
from corpustools.stages.tokenize.lattice.workspace import Ids
from corpustools.stages.tokenize.models.model import Floats, Mask, Model
from corpustools.stages.tokenize.text.normalize import Buffer


@dataclass(frozen=True)
class CanonicalWords:
    """The canonical segmentation of records, word by word, without bos and eos.

    pieces: int32 (see `Model.ids_of`). ends: where each word ends in `pieces`, int64, shape (words,).
    starts, stops: the first byte of each word in the normalised text and its end, int64, shape (words,).
    record_words: how many words there are up to the end of each record, int64, shape (records,).
    """

    pieces: Ids
    ends: Offsets
    starts: Offsets
    stops: Offsets
    record_words: Offsets

    def record(self, i: int) -> Ids:
        """Return the pieces of record i."""
        first, last = (int(self.ends[words - 1]) if words else 0 for words in self._words_around(i))
        return self.pieces[first:last]

    def _words_around(self, i: int) -> tuple[int, int]:
        return int(self.record_words[i - 1]) if i else 0, int(self.record_words[i])


@dataclass(frozen=True, kw_only=True)
class MixtureBatch(Batch):
    """Segmentations drawn from the mixture.

    columns: what was asked for of each, by name, float64. growth: of the records; None where it was not asked for.
    canonical: the segmentations that words were drawn among; a view that the same thread's next batch overwrites.
    """

    canonical: CanonicalWords
    columns: dict[str, Floats] = field(default_factory=dict)
    growth: Growth | None = None


class Mixture:
    """Draws each word of a record with a probability, and leaves it canonical else; from any number of threads.

    Draws depend on seed, epoch, sample, the record's number, the word's number in it and where it begins, and on
    nothing else. A word whose canonical ids hold an unknown id, bytes of an unknown character, a special or
    user-defined token is never drawn: its probability is 1. A word with one segmentation takes its draw like others.

    Args:
        model: the model.
        canonical: its canonical segmentation, without bos and eos.
        sampler: draws words; its key is that of all draws, and its bos and eos are put around segmentations.
        wide: the same weights for the mode SAMPLE_WIDE.
        chance: the probability that a word is drawn, 0 to 1.
    """

    def __init__(self, model: Model, canonical: Canonical, sampler: Segmenter, wide: Weights, chance: float) -> None:
        self.canonical, self.sampler, self.chance = canonical, sampler, chance
        self._wide = wide
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
        words = self._words(text, offsets, first_record)
        sampler, samples, count = self.sampler, self.sampler.key.samples, len(offsets) - 1
        places, bounds, last = self._choose(words, first_record, self.chance, samples, "drawn")
        drawn, drawn_ends = segment_words(sampler, text, offsets, first_record, bounds, last)
        ends, same = np.zeros(samples * count, np.int64), np.zeros(len(places), np.uint8)
        out = self._rooms.get("ids", samples * (len(words.pieces) + 2 * count) + len(drawn), np.int32)
        size = load("mixture").weave(
            words.pieces,
            words.ends,
            words.record_words,
            places,
            last,
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
            laws = self._laws(text, words, first_record)
            more = laws.growth(len(words.pieces)) if growth else None
            known = laws.columns(columns, samples, places, last, self._log_weights(drawn, drawn_ends), same != 0)
        done = sampler.batch_of(out[:size], ends)
        return MixtureBatch(done.ids, done.ends, done.special, canonical=words, columns=known, growth=more)

    def _words(self, text: Buffer, offsets: Offsets, first_record: int) -> CanonicalWords:
        """Return the canonical segmentation of records, word by word."""
        pieces, _, ends = self.canonical.codes(text, offsets, first_record, parts=True)
        assert ends is not None
        size = int(offsets[-1] - offsets[0])
        starts, stops = (self._rooms.get(name, size, np.int64) for name in ("starts", "stops"))
        record_words = np.zeros(len(offsets) - 1, np.int64)
        count = self.canonical.merger.words(text, offsets, starts=starts, ends=stops, record_ends=record_words)
        return CanonicalWords(pieces, ends, starts[:count], stops[:count], record_words)

    def _choose(
        self, words: CanonicalWords, first_record: int, chance: float, samples: int, room: str
    ) -> tuple[Offsets, Words, Offsets]:
        """Choose each word with this chance, but those that are fixed.

        Returns:
            Which words are chosen, by segmentation, and where they are in the text, both in the memory `room`; how
            many there are up to the end of each segmentation; int64.
        """
        most = len(words.ends) * samples
        places = self._rooms.get(f"places {room}", most, np.int64)
        bounds = self._rooms.get(f"bounds {room}", 2 * most, np.int64)
        last = np.zeros(len(words.record_words) * samples, np.int64)
        found = load("mixture").choose(
            words.pieces,
            words.ends,
            words.record_words,
            self._fixed,
            words.starts,
            words.stops,
            chance=chance,
            seed=self.sampler.seed,
            first_record=first_record,
            first_sample=self.sampler.key.first_sample,
            samples=samples,
            places=places,
            bounds=bounds,
            last=last,
        )
        return places[:found], bounds[: 2 * found].reshape(-1, 2), last

    def _laws(self, text: Buffer, words: CanonicalWords, first_record: int) -> WordLaws:
        """Return what is known of every word that may be drawn."""
        places, bounds, last = self._choose(words, first_record, 2.0, 1, "free")
        lengths = np.diff(np.append(0, words.ends))
        is_fixed = np.ones(len(lengths), np.bool_)
        is_fixed[places] = False
        return WordLaws(
            chance=self.chance,
            measures=measure_words(self.sampler.trie, self._wide, text, bounds),
            weights=self._log_weights(words.pieces, words.ends)[places],
            lengths=lengths[places],
            places=places,
            record_ends=last,
            fixed=sums(lengths * is_fixed, words.record_words),
        )

    def _log_weights(self, pieces: Ids, word_ends: Offsets) -> Floats:
        """Return the logarithm of the weight of each word's pieces."""
        return sums(self._wide.log_weights[pieces], word_ends)

    @property
    def _rooms(self) -> Rooms:
        """The arrays of the calling thread."""
        rooms: Rooms | None = getattr(self._local, "rooms", None)
        if rooms is None:
            rooms = self._local.rooms = Rooms()
        return rooms


def canonical_ids(batch: Batch, i: int, outputs: Ids | None, bos: bool, eos: bool) -> Ids:
    """Return the canonical ids of record i, without bos and eos.

    Args:
        batch: canonical segmentations, one a record, or a batch of the mixture.
        i: the record's place in the batch.
        outputs: the ids of pieces, int32; None: they are the pieces themselves.
        bos: whether an id stands before each segmentation.
        eos: whether an id stands behind each.
    """
    if isinstance(batch, MixtureBatch):
        pieces = batch.canonical.record(i)
        return pieces if outputs is None else outputs[pieces]
    begin = int(batch.ends[i - 1]) if i else 0
    return batch.ids[begin + bos : int(batch.ends[i]) - eos]


def counted_model(model: Model, counts: Counts) -> Model:
    """Return the model with probabilities by how often each id was written, int64, shape (vocab_size,)."""
    # An unknown id that bytes always replace has a piece, and is never written.
    logs = log_probabilities(counts)
    logs = np.append(logs, logs.min())
    ids = np.arange(len(model.pieces)) if model.outputs is None else model.outputs
    none = np.zeros(len(model.pieces), np.bool_)
    return replace(model, scores=logs[np.minimum(ids, len(counts))], weighted=True, user_defined=none)


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

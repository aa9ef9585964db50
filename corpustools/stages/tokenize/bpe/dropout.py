"""BPE-dropout: segmentations of byte-pair models in which merges are left out at random.

The law is that of the paper (Provilkov, Emelianenko, Voita 2020): in every step each pair that could be joined is left
out with the same probability, the first of the others is joined, and the next step looks at all pairs again, until a
step leaves all of them out. Each place where a pair stands is left out or not on its own. No formula gives the
probability of a segmentation.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from corpustools.kernels import load
from corpustools.kernels.bpe.status import MORE_ROOM, UNWRITABLE
from corpustools.stages.tokenize.bpe.canonical import Canonical
from corpustools.stages.tokenize.lattice.segmenter import Batch, SampleKey, seed_key
from corpustools.stages.tokenize.lattice.trie import Offsets
from corpustools.stages.tokenize.lattice.unwritable import Unwritable
from corpustools.stages.tokenize.models.model import Model
from corpustools.stages.tokenize.text.normalize import Buffer


class Dropout(Canonical):
    """Segments text word by word as merges do of which some are left out, from any number of threads.

    Draws depend on seed, epoch, sample, the record's number, the word's number in it and the step, and on nothing else.
    With a chance of 0 ids are the canonical ones. Else words that the model takes at once (`ignore_merges`) are made of
    their letters like all others. User-defined symbols and added tokens stay whole.

    Args:
        model: the model.
        chance: the probability with which a pair is left out of a step, 0 to 1.
        key: what draws are keyed by.
        bos, eos: ids put around every segmentation, or -1.
        merger: the tables of the model. None: they are made.

    Raises:
        UsageError: the model has no merges.
    """

    def __init__(
        self, model: Model, chance: float, key: SampleKey, bos: int = -1, eos: int = -1, merger: Any = None
    ) -> None:
        super().__init__(model, bos, eos, merger)
        self.chance, self.key = chance, key
        self.seed = seed_key(key.seed)

    def batch(
        self, text: Buffer, offsets: Offsets, first_record: int, measured: bool = False, *, parts: bool = False
    ) -> Batch:
        """Segment the normalised records offsets[i]:offsets[i + 1], each as often as the key has samples.

        Args:
            text: the records, as the model's normaliser makes them.
            offsets: int64, shape (n + 1,).
            first_record: the number of the first record.
            measured: not looked at: these segmentations have no score.
            parts: not looked at.

        Raises:
            DataError: a character that the vocabulary cannot write.
        """
        kernel, space, samples = load("bpe"), self._mine(), self.key.samples
        count, size = len(offsets) - 1, int(offsets[-1] - offsets[0])
        codes = space.ids(samples * (size + 2 * count) + kernel.OUT_SLACK)
        ends, state = np.zeros(samples * count, np.int64), np.zeros(4, np.int64)
        while True:
            status = kernel.drop(
                self.merger,
                text,
                offsets,
                chance=self.chance,
                seed=self.seed,
                first_record=first_record,
                first_sample=self.key.first_sample,
                samples=samples,
                bos=self.bos,
                eos=self.eos,
                out=codes,
                ends=ends,
                state=state,
                cache=space.dropped,
                room=space.room,
            )
            if status == UNWRITABLE:
                raise Unwritable(first_record + int(state[0]) // samples)
            if status != MORE_ROOM:
                break
            space.grow(int(state[3]))
        space.shrink()
        return self.batch_of(codes[: state[1]], ends)

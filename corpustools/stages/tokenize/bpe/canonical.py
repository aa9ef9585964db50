"""Canonical segmentation: the ids that the model's own merges make of text."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from corpustools.errors import UsageError
from corpustools.kernels import load
from corpustools.kernels.bpe.status import MORE_ROOM, UNWRITABLE
from corpustools.stages.tokenize.bpe.tables import merger_of
from corpustools.stages.tokenize.lattice.segmenter import Batch, SampleKey
from corpustools.stages.tokenize.lattice.special import special_among
from corpustools.stages.tokenize.lattice.trie import Offsets
from corpustools.stages.tokenize.lattice.unwritable import Unwritable
from corpustools.stages.tokenize.lattice.workspace import Ids
from corpustools.stages.tokenize.models.model import Model
from corpustools.stages.tokenize.text.normalize import Buffer

# Letters of the longest word that fits into a thread's memory at first. It grows for longer ones.
WORD_LETTERS = 1 << 12


class Workspace:
    """The memory that one thread joins letters in, and what it remembers of words."""

    def __init__(self) -> None:
        kernel = load("bpe")
        self.cache = np.zeros(kernel.CACHE_BYTES // 8, np.uint64)
        self._letters = WORD_LETTERS
        self.room = np.empty(WORD_LETTERS * kernel.LETTER_BYTES, np.uint8)
        self._ids: Ids = np.empty(0, np.int32)

    def ids(self, size: int) -> Ids:
        """Return room for so many ids, the same for every batch: memory touched for the first time is dear."""
        if len(self._ids) < size:
            self._ids = np.empty(size, np.int32)
        return self._ids

    def grow(self, letters: int) -> None:
        """Make room for a word of so many letters."""
        self._letters = letters
        self.room = np.empty(letters * load("bpe").LETTER_BYTES, np.uint8)

    def shrink(self) -> None:
        """Give back what a strange word took: it is not held for the rest of the run."""
        if self._letters > WORD_LETTERS:
            self.grow(WORD_LETTERS)


class Canonical:
    """Segments text as the merges of a model do, from any number of threads.

    Args:
        model: the model.
        bos, eos: ids put around every segmentation, or -1.
        merger: the tables of the model. None: they are made.

    Raises:
        UsageError: the model has no merges.
    """

    def __init__(self, model: Model, bos: int = -1, eos: int = -1, merger: Any = None) -> None:
        if model.merges is None:
            raise UsageError(f"this {model.kind} model has no merges, so canonical ids are not defined", "use viterbi")
        self.model = model
        self.bos, self.eos = bos, eos
        self.key = SampleKey()
        self.merger = merger if merger is not None else merger_of(model, model.merges)
        self._local = threading.local()

    def batch(
        self, text: Buffer, offsets: Offsets, first_record: int, measured: bool = False, *, parts: bool = False
    ) -> Batch:
        """Segment the normalised records offsets[i]:offsets[i + 1].

        Args:
            text: the records, as the model's normaliser makes them.
            offsets: int64, shape (n + 1,).
            first_record: the number of the first record, for errors.
            measured: not looked at: canonical segmentations have no score.
            parts: note where each word ends.

        Returns:
            The segmentations; with `parts` also `part_ends`.

        Raises:
            DataError: a character that the vocabulary cannot write.
        """
        return self.batch_of(*self.codes(text, offsets, first_record, parts=parts))

    def codes(
        self, text: Buffer, offsets: Offsets, first_record: int, *, parts: bool
    ) -> tuple[Ids, Offsets, Offsets | None]:
        """Return the codes of the pieces of records, where each record ends in them, and where each word does.

        Raises:
            DataError: a character that the vocabulary cannot write.
        """
        count, size = len(offsets) - 1, int(offsets[-1] - offsets[0])
        space = self._mine()
        codes = space.ids(size + 2 * count + load("bpe").OUT_SLACK)
        ends = np.zeros(count, np.int64)
        word_ends = np.empty(size, np.int64) if parts else None
        state = np.zeros(4, np.int64)
        while True:
            status = self.merger.segment(
                text,
                offsets,
                first=int(state[0]),
                bos=self.bos,
                eos=self.eos,
                out=codes,
                ends=ends,
                word_ends=word_ends,
                state=state,
                cache=space.cache,
                room=space.room,
            )
            if status == UNWRITABLE:
                raise Unwritable(first_record + int(state[0]))
            if status != MORE_ROOM:
                break
            space.grow(int(state[3]))
        space.shrink()
        part_ends = None if word_ends is None else word_ends[: state[2]]
        return codes[: state[1]], ends, part_ends

    def batch_of(self, codes: Ids, ends: Offsets, part_ends: Offsets | None = None) -> Batch:
        """Return segmentations in ids; `codes`, in which they are written, is overwritten with them."""
        special = special_among(self.model, codes, ends, bos=self.bos >= 0, eos=self.eos >= 0)
        outputs = self.model.outputs
        ids = codes if outputs is None else np.take(outputs, codes, out=codes, mode="clip")
        return Batch(ids, ends, special, part_ends=part_ends)

    def _mine(self) -> Workspace:
        """Return the workspace of the calling thread."""
        workspace: Workspace | None = getattr(self._local, "workspace", None)
        if workspace is None:
            workspace = self._local.workspace = Workspace()
        return workspace

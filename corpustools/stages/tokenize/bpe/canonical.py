"""Canonical segmentation: the ids that the model's own merges make of text."""

from __future__ import annotations

import threading
from copy import copy
from functools import cached_property
from typing import Any

import numpy as np

from corpustools.errors import UsageError
from corpustools.kernels import load
from corpustools.kernels.bpe.status import MORE_ROOM, UNWRITABLE
from corpustools.stages.tokenize.bpe.merges import SPACE_MARK
from corpustools.stages.tokenize.bpe.tables import merger_of
from corpustools.stages.tokenize.lattice.segmenter import Batch, SampleKey
from corpustools.stages.tokenize.lattice.special import special_among
from corpustools.stages.tokenize.lattice.trie import Offsets
from corpustools.stages.tokenize.lattice.unwritable import Unwritable
from corpustools.stages.tokenize.lattice.workspace import Ids
from corpustools.stages.tokenize.models.model import Model
from corpustools.stages.tokenize.text.normalize import Buffer

CUT = 0xFF
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
        self._word_ends: Offsets = np.empty(0, np.int64)

    def word_ends(self, size: int) -> Offsets:
        """Return room for the ends of so many words, likewise."""
        if len(self._word_ends) < size:
            self._word_ends = np.empty(size, np.int64)
        return self._word_ends

    @cached_property
    def dropped(self) -> np.ndarray[Any, Any]:
        """What dropout remembers of words, which are made of their letters there even if the model takes them whole."""
        return np.zeros(load("bpe").BYTES_OF_DROP_CACHE // 8, np.uint64)

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
            raise UsageError(
                f"this {model.kind} model has no merges, so canonical ids are not defined", "use mode viterbi"
            )
        self.model = model
        self.bos, self.eos = bos, eos
        self.key = SampleKey()
        self.merger = merger if merger is not None else merger_of(model, model.merges)
        self._local = threading.local()

    def around(self, bos: int, eos: int) -> Canonical:
        """Return the same with other ids around segmentations; both share each thread's memory."""
        other = copy(self)
        other.bos, other.eos = bos, eos
        return other

    def stream(self, record: int, sample: int = 0, measured: bool = False) -> CanonicalStream:
        """Return what segments one record that arrives in parts; sample and measured make no difference."""
        return CanonicalStream(self, record)

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
        word_ends = space.word_ends(size) if parts else None
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


class CanonicalStream:
    """The canonical segmentation of one record whose normalised text arrives in parts, word by word.

    Memory holds the word that may go on. `special` is the id of the first special token that the text became so far,
    None where there is none; `score` and `log_z` are 0.

    Args:
        canonical: segments the record.
        record: the record's number.
    """

    def __init__(self, canonical: Canonical, record: int) -> None:
        self._whole, self._words = canonical, canonical.around(-1, -1)
        self._record = record
        self._text = b""
        self._begun = self._unknown = False
        self.score = self.log_z = 0.0
        self.special: int | None = None

    def feed(self, text: Buffer, final: bool = False) -> Ids:
        """Take the next part and return the ids that are certain now, int32.

        Raises:
            DataError: a character that the vocabulary cannot write.
        """
        self._text += bytes(text)
        end = len(self._text) if final else self._certain()
        words, self._text = self._text[:end], self._text[end:]
        ids = self._segment(words)
        before = self._whole.bos if not self._begun else -1
        behind = self._whole.eos if final else -1
        self._begun = True
        return np.array([before] * (before >= 0) + ids + [behind] * (behind >= 0), np.int32)

    def _segment(self, words: bytes) -> list[int]:
        """Return the ids of whole words. An unknown letter may be one with that at the end of the last words."""
        if not words:
            return []
        model = self._whole.model
        codes, _, _ = self._words.codes(words, np.array([0, len(words)], np.int64), self._record, parts=False)
        ends = codes[[0, -1]] == model.unknown_id if len(codes) else (False, False)
        fused = self._unknown and model.fuse_unknown and words[0] != CUT and ends[0]
        self._unknown = bool(ends[1]) and words[-1] != CUT
        batch = self._words.batch_of(codes, np.array([len(codes)], np.int64))
        ids: list[int] = batch.ids.tolist()
        if len(batch.special) and self.special is None:
            self.special = ids[batch.special[0]]
        return ids[int(fused) :]

    def _certain(self) -> int:
        """Return up to where no word goes on, whatever follows."""
        merges, text = self._whole.model.merges, self._text
        assert merges is not None
        if merges.symbols:
            return self._before_symbols(max(map(len, merges.symbols)))
        cut = text.rfind(CUT) + 1
        mark = text.rfind(SPACE_MARK, cut) if merges.begins else -1
        while mark > cut and (text.endswith(SPACE_MARK, cut, mark) or text[mark - 1] not in merges.begins):
            mark = text.rfind(SPACE_MARK, cut, mark)
        return max(cut, mark)

    def _before_symbols(self, longest: int) -> int:
        """Return the end of the last word that is followed by more than any symbol could take."""
        size = len(self._text)
        starts, ends, count = np.empty(size, np.int64), np.empty(size, np.int64), np.empty(1, np.int64)
        offsets = np.array([0, size], np.int64)
        words = self._words.merger.words(self._text, offsets, starts=starts, ends=ends, record_ends=count)
        certain = ends[: max(words - 1, 0)]
        return int(certain[certain <= size - longest].max(initial=0))

"""Normalised text to ids: many records in one call, or one record that arrives in parts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from corpustools.errors import UsageError
from corpustools.kernels import load
from corpustools.seeds import seed_words
from corpustools.stages.tokenize.lattice.special import special_among
from corpustools.stages.tokenize.lattice.trie import Offsets, Trie
from corpustools.stages.tokenize.lattice.unwritable import Unwritable
from corpustools.stages.tokenize.lattice.weights import CUTS, Weights
from corpustools.stages.tokenize.lattice.workspace import Ids as Ids
from corpustools.stages.tokenize.lattice.workspace import Workspace, WorkspacePool
from corpustools.stages.tokenize.models.model import Model
from corpustools.stages.tokenize.text.normalize import Buffer

Measures = np.ndarray[Any, np.dtype[np.float64]]


@lru_cache(maxsize=64)
def seed_key(seed: str) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """Return the two words that a seed keys all draws with, uint64, shape (2,)."""
    return np.array(seed_words(seed), np.uint64)


@dataclass(frozen=True)
class SampleKey:
    """What draws are keyed by, besides the record's number and the position in its normalised text."""

    seed: str = ""
    epoch: int = 0
    samples: int = 1

    def __post_init__(self) -> None:
        """Refuse numbers that no draw is keyed by.

        Raises:
            UsageError: an epoch or a number of samples out of range.
        """
        if not 0 <= self.epoch < 1 << 32 or not 1 <= self.samples < 1 << 32:
            raise UsageError(
                f"{self.samples} samples in epoch {self.epoch}", "samples count from 1, epochs from 0, both below 2^32"
            )

    @property
    def first_sample(self) -> int:
        """The counter of the first sample: epochs stand 2^32 samples apart."""
        return self.epoch << 32


@dataclass(frozen=True)
class Batch:
    """Segmentations, one after the other.

    ids: int32, of all; a view that the same thread's next batch overwrites. ends: where each ends in `ids`, int64.
    special: where in `ids` text became a special token, int64, ascending.
    measures: score (Σ log p) and log Z of each, float64, shape (n, 2), or None; log Z is 0 in modes that do not
    sample from a distribution.
    part_ends: where each word ends in `ids`, int64, the ids around segmentations not counted as words; or None.
    """

    ids: Ids
    ends: Offsets
    special: Offsets
    measures: Measures | None = None
    part_ends: Offsets | None = None


class Segmenter:
    """Segments text under one set of weights, from any number of threads.

    Args:
        model: the model.
        trie: its vocabulary.
        weights: the mode and its tables.
        key: what draws are keyed by.
        bos, eos: ids put around every segmentation, or -1.
        workspaces: each thread's memory; what it remembers of text holds for these weights only. None: its own.
    """

    def __init__(
        self,
        model: Model,
        trie: Trie,
        weights: Weights,
        key: SampleKey | None = None,
        bos: int = -1,
        eos: int = -1,
        workspaces: WorkspacePool | None = None,
    ) -> None:
        self.model = model
        self.trie = trie
        self.weights = weights
        self.key = key or SampleKey()
        self.bos = bos
        self.eos = eos
        self.workspaces = workspaces or WorkspacePool(trie, weights.mode)
        self.seed = seed_key(self.key.seed)
        self._cuts = CUTS[model.cuts]

    def stream(self, record: int, sample: int = 0, measured: bool = False) -> StreamingSegmenter:
        """Return what segments one sample of one record that arrives in parts."""
        return StreamingSegmenter(self, record, sample, measured)

    def batch(
        self, text: Buffer, offsets: Offsets, first_record: int, measured: bool, samples: int | None = None
    ) -> Batch:
        """Segment the normalised records offsets[i]:offsets[i + 1], each `samples` times in a row.

        Raises:
            DataError: a character that the vocabulary cannot write.
        """
        count, samples = len(offsets) - 1, self.key.samples if samples is None else samples
        size = int(offsets[-1] - offsets[0])
        space = self.workspaces.mine()
        ids = space.ids(samples * (size + 2 * count) + load("lattice").OUT_SLACK)
        ends = np.zeros(samples * count, np.int64)
        measures = np.empty((samples * count, 2), np.float64) if measured else None
        done = 0
        while True:
            done = self.weights.lattice.segment(
                text,
                offsets,
                count,
                mode=self.weights.mode,
                cuts=self._cuts,
                seed=self.seed,
                first_record=first_record,
                first_sample=self.key.first_sample,
                samples=samples,
                bos=self.bos,
                eos=self.eos,
                out=ids,
                ends=ends,
                measures=measures,
                first=done,
                **space.arguments(),
            )
            if done < 0:
                raise Unwritable(first_record - 1 - done)
            if done == count:
                break
            space.grow()
        if len(space.codes) > 64 * space.cells:
            self.workspaces.forget_mine()  # one strange record does not hold its memory for the rest of the run
        return self.batch_of(ids[: ends[-1] if len(ends) else 0], ends, measures)

    def batch_of(self, pieces: Ids, ends: Offsets, measures: Measures | None = None) -> Batch:
        """Return segmentations in ids; `pieces`, in which they are written, is overwritten with them."""
        special = special_among(self.model, pieces, ends, bos=self.bos >= 0, eos=self.eos >= 0)
        return Batch(self._written(pieces), ends, special, measures)

    def _written(self, pieces: Ids) -> Ids:
        """Put the ids that are written in the place of second pieces."""
        outputs = self.model.outputs
        return pieces if outputs is None else np.take(outputs, pieces, out=pieces, mode="clip")


class StreamingSegmenter:
    """One sample of one record whose normalised text arrives in parts.

    `special` is the id of the first special token that the text became so far, None where there is none. Memory holds
    the text and the choices from the last point through which all surviving paths pass: some
    hundred bytes, and more only where a text's paths never meet. `score` and `log_z` are those of the parts so
    far where `measured` asks for them.

    Args:
        segmenter: segments the record; its own memory is not used.
        record: the record's number.
        sample: which of the record's samples.
        measured: keep `score` and `log_z`.
        workspace: the memory to segment in. None: its own.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        record: int,
        sample: int = 0,
        measured: bool = False,
        workspace: Workspace | None = None,
    ) -> None:
        self._measured = measured
        self._segmenter = segmenter
        self._record = record
        self._space = workspace or Workspace(segmenter.trie, segmenter.weights.mode)
        self._state = np.zeros(load("lattice").STATE_SIZE, np.uint8)
        self._text = b""
        self._base = 0
        first = segmenter.key.first_sample + sample
        segmenter.weights.lattice.begin(self._state, record, first, segmenter.seed)
        self._begun = False
        self.score = 0.0
        self.log_z = 0.0
        self.special: int | None = None

    def feed(self, text: Buffer, final: bool = False) -> Ids:
        """Take the next part and return the ids that are certain now, int32.

        Raises:
            DataError: a character that the vocabulary cannot write.
        """
        segmenter, lattice = self._segmenter, self._segmenter.weights.lattice
        self._text += bytes(text)
        parts = [np.array([segmenter.bos], np.int32)] if segmenter.bos >= 0 and not self._begun else []
        self._begun = True
        while True:
            out = np.empty(len(self._text) + load("lattice").OUT_SLACK, np.int32)
            written, full = lattice.advance(
                self._state,
                self._text,
                self._base,
                len(self._text),
                final,
                mode=segmenter.weights.mode,
                cuts=segmenter._cuts,
                out=out,
                measured=self._measured,
                **self._space.arguments(),
            )
            special = special_among(segmenter.model, out[:written], np.array([written], np.int64))
            parts.append(segmenter._written(out[:written]))
            if len(special) and self.special is None:
                self.special = int(parts[-1][special[0]])
            needed, self.score, self.log_z, unencodable = lattice.standing(self._state)
            if unencodable:
                raise Unwritable(self._record)
            self._text = self._text[needed - self._base :]
            self._base = needed
            if not full:
                break
            self._space.grow()
        if final and segmenter.eos >= 0:
            parts.append(np.array([segmenter.eos], np.int32))
        return np.concatenate(parts)


class Measurer:
    """Log Z, entropy and expected number of tokens of a distribution, exactly, record by record.

    Args:
        model: the model.
        trie: its vocabulary.
        weights: made for the mode SAMPLE_WIDE.
    """

    def __init__(self, model: Model, trie: Trie, weights: Weights) -> None:
        self._weights = weights
        self._cuts = CUTS[model.cuts]
        self._ring_cells = 1 << trie.longest.bit_length()

    def measure(self, text: Buffer) -> tuple[float, float, float]:
        """Return log Z and entropy, in nats, and the expected number of tokens of one normalised record."""
        return self.measure_parts([(text, True)])

    def measure_parts(self, parts: Iterable[tuple[Buffer, bool]]) -> tuple[float, float, float]:
        """Return the same for a record that comes in parts, the last one told by True."""
        kernel = load("lattice")
        state = np.zeros(kernel.MOMENTS_SIZE, np.uint8)
        ring = np.zeros(self._ring_cells * kernel.MOMENT_SIZE, np.uint8)
        text, base, log_z, entropy, length = b"", 0, 0.0, 0.0, 0.0
        for part, last in parts:
            text = text + bytes(part) if text else bytes(part)
            log_z, entropy, length, needed = self._weights.lattice.measure(
                state, ring, self._weights.log_weights, text, base, len(text), last, self._cuts
            )
            text, base = text[needed - base :], needed
        return log_z, max(entropy, 0.0), length

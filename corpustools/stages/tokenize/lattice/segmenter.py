"""Normalised text to ids: many records in one call, or one record that arrives in parts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from corpustools.errors import DataError
from corpustools.kernels import load
from corpustools.kernels.lattice.modes import ARRIVAL, SAMPLE, VITERBI
from corpustools.seeds import seed_words
from corpustools.stages.tokenize.lattice.trie import Offsets, Trie
from corpustools.stages.tokenize.lattice.weights import CUTS, Law
from corpustools.stages.tokenize.models.model import Model
from corpustools.stages.tokenize.text.normalize import Buffer

# What a thread remembers of spans: the most frequent ten thousand of a language and their segmentations.
CACHE_BYTES = 32 << 20

Ids = np.ndarray[Any, np.dtype[np.int32]]
Measures = np.ndarray[Any, np.dtype[np.float64]]


@lru_cache(maxsize=64)
def seed_key(seed: str) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """Return the two words that a seed keys all draws with, uint64, shape (2,)."""
    return np.array(seed_words(seed), np.uint64)


@dataclass(frozen=True)
class Draws:
    """What randomness is keyed by besides the record number and the position in its normalised text."""

    seed: str = ""
    epoch: int = 0
    samples: int = 1

    @property
    def first_sample(self) -> int:
        """The counter of the first sample: epochs stand 2^32 samples apart."""
        return self.epoch << 32


class Workspace:
    """The memory one thread segments in; it grows only with a text whose paths never meet."""

    def __init__(
        self, trie: Trie, mode: int, cells: int = 4096, cache_bytes: int = CACHE_BYTES, tiles: bool = True
    ) -> None:
        kernel = load("lattice")
        # What is drawn by one number has to fit in whole, or samples would depend on the memory.
        self.cells = max(cells, kernel.SPAN_BYTES) + 8 * trie.longest
        crossing = (trie.longest + 1) * trie.arcs_per_start
        # Only sampling stores arcs. Pages that are not touched take no memory.
        self.arcs = crossing + 8 * self.cells if mode >= SAMPLE and mode != ARRIVAL else crossing
        self.room = np.empty(kernel.workspace_size(self.cells, self.arcs), np.uint8)
        self.codes = np.empty(4 * self.cells, np.uint32)
        self._ids: Ids = np.empty(0, np.int32)
        keeps = trie.character and mode <= SAMPLE and cache_bytes > 0
        self.cache = np.zeros(kernel.CACHE_SIZE // 8 + cache_bytes // 8, np.uint64) if keeps else None
        pulls = tiles and trie.automaton is not None and mode in (VITERBI, SAMPLE)
        self.tile = np.zeros(kernel.TILE_SIZE // 8, np.uint64) if pulls else None

    def ids(self, size: int) -> Ids:
        """Return room for so many ids, the same for every batch: memory touched for the first time is dear."""
        if len(self._ids) < size:
            self._ids = np.empty(size, np.int32)
        return self._ids

    def grow(self) -> None:
        """Double what remembers the choices that are not certain yet."""
        codes = np.empty(2 * len(self.codes), np.uint32)
        codes[: len(self.codes)] = self.codes
        self.codes = codes

    def arguments(self) -> dict[str, Any]:
        """Return the keywords that the kernel takes the workspace by."""
        return {
            "room": self.room,
            "codes": self.codes,
            "cache": self.cache,
            "tile": self.tile,
            "cells": self.cells,
            "arcs": self.arcs,
        }


@dataclass(frozen=True)
class Batch:
    """Segmentations, one after the other.

    ids: int32, of all; a view that the same thread's next batch overwrites. ends: where each ends in `ids`, int64.
    measures: score (Σ log p) and log Z of each, float64, shape (n, 2), or None; log Z is 0 where no law is
    sampled from.
    """

    ids: Ids
    ends: Offsets
    measures: Measures | None


class Segmenter:
    """Runs a law over text, from any number of threads.

    Args:
        model: the model.
        trie: its vocabulary.
        law: the mode and its tables.
        draws: what the random draws are keyed by.
        bos, eos: ids put around every segmentation, or -1.
    """

    def __init__(
        self, model: Model, trie: Trie, law: Law, draws: Draws | None = None, bos: int = -1, eos: int = -1
    ) -> None:
        self.model = model
        self.trie = trie
        self.law = law
        self.draws = draws or Draws()
        self.bos = bos
        self.eos = eos
        self._key = seed_key(self.draws.seed)
        self._cuts = CUTS[model.cuts]

    def batch(
        self, text: Buffer, offsets: Offsets, first_record: int, measured: bool, samples: int | None = None
    ) -> Batch:
        """Segment the normalised records offsets[i]:offsets[i + 1], each `samples` times in a row.

        Raises:
            DataError: a character that the vocabulary cannot write.
        """
        count, samples = len(offsets) - 1, self.draws.samples if samples is None else samples
        size = int(offsets[-1] - offsets[0])
        space = self._space()
        ids = space.ids(samples * (size + 2 * count) + load("lattice").OUT_SLACK)
        ends = np.zeros(samples * count, np.int64)
        measures = np.empty((samples * count, 2), np.float64) if measured else None
        done = 0
        while True:
            done = self.law.lattice.segment(
                text,
                offsets,
                count,
                mode=self.law.mode,
                cuts=self._cuts,
                seed=self._key,
                first_record=first_record,
                first_sample=self.draws.first_sample,
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
                raise _cannot_write(first_record - 1 - done)
            if done == count:
                break
            space.grow()
        if len(space.codes) > 64 * space.cells:
            del self.law.spaces.space  # one strange record does not hold its memory for the rest of the run
        return Batch(ids[: ends[-1] if len(ends) else 0], ends, measures)

    def _space(self) -> Workspace:
        space: Workspace | None = getattr(self.law.spaces, "space", None)
        if space is None:
            space = self.law.spaces.space = Workspace(self.trie, self.law.mode)
        return space


class Running:
    """One sample of one record whose normalised text arrives in parts.

    Memory holds the text and the choices from the last point through which all surviving paths pass: some
    hundred bytes, and more only where a text's paths never meet. `score` and `log_z` are those of the parts so
    far where `measured` asks for them.
    """

    def __init__(self, segmenter: Segmenter, record: int, sample: int = 0, measured: bool = False) -> None:
        self._measured = measured
        self._segmenter = segmenter
        self._record = record
        self._space = Workspace(segmenter.trie, segmenter.law.mode)
        self._state = np.zeros(load("lattice").STATE_SIZE, np.uint8)
        self._text = b""
        self._base = 0
        draws = segmenter.draws
        segmenter.law.lattice.begin(self._state, record, draws.first_sample + sample, segmenter._key)
        self._begun = False
        self.score = 0.0
        self.log_z = 0.0

    def feed(self, text: Buffer, final: bool = False) -> Ids:
        """Take the next part and return the ids that are certain now, int32.

        Raises:
            DataError: a character that the vocabulary cannot write.
        """
        segmenter, lattice = self._segmenter, self._segmenter.law.lattice
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
                mode=segmenter.law.mode,
                cuts=segmenter._cuts,
                out=out,
                measured=self._measured,
                **self._space.arguments(),
            )
            parts.append(out[:written])
            needed, self.score, self.log_z, unencodable = lattice.standing(self._state)
            if unencodable:
                raise _cannot_write(self._record)
            self._text = self._text[needed - self._base :]
            self._base = needed
            if not full:
                break
            self._space.grow()
        if final and segmenter.eos >= 0:
            parts.append(np.array([segmenter.eos], np.int32))
        return np.concatenate(parts)


class Measurer:
    """Log Z, entropy and expected number of tokens of a law, exactly, record by record.

    Args:
        model: the model.
        trie: its vocabulary.
        law: one that was made for the mode SAMPLE_WIDE.
    """

    def __init__(self, model: Model, trie: Trie, law: Law) -> None:
        self._law = law
        self._cuts = CUTS[model.cuts]
        self._ring_cells = 1 << trie.longest.bit_length()

    def measure(self, text: Buffer) -> tuple[float, float, float]:
        """Return log Z and entropy, in nats, and the expected number of tokens of one normalised record."""
        kernel = load("lattice")
        state = np.zeros(kernel.MOMENTS_SIZE, np.uint8)
        ring = np.zeros(self._ring_cells * kernel.MOMENT_SIZE, np.uint8)
        log_z, entropy, length, _ = self._law.lattice.measure(
            state, ring, self._law.log_weights, text, 0, len(text), True, self._cuts
        )
        return log_z, max(entropy, 0.0), length


def _cannot_write(record: int) -> DataError:
    return DataError(
        f"record {record} holds a character that the vocabulary cannot write",
        "the model has neither an unknown token nor byte pieces",
    )

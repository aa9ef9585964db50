"""The memory that text is segmented in, one piece of it a thread."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from corpustools.kernels import load
from corpustools.kernels.lattice.modes import ARRIVAL, SAMPLE, VITERBI
from corpustools.stages.tokenize.lattice.trie import Trie

# The size of a thread's cache: the most frequent ten thousand spans of a language and their segmentations.
CACHE_BYTES = 32 << 20

Ids = np.ndarray[Any, np.dtype[np.int32]]


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
        keeps_words = not trie.character and mode == SAMPLE and cache_bytes > 0
        least = max(cache_bytes, kernel.LEAST_WORD_CACHE)
        self.word_cache = np.zeros(least // 8, np.uint64) if keeps_words else None
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


class WorkspacePool:
    """One workspace a thread, made when the thread first asks for it, gone with the thread.

    A workspace remembers how text was segmented, so a pool belongs to one set of weights.

    Args:
        trie: the vocabulary.
        mode: the mode of the weights.
        **options: those of `Workspace`.
    """

    def __init__(self, trie: Trie, mode: int, **options: Any) -> None:
        self._trie, self._mode, self._options = trie, mode, options
        self._local = threading.local()

    def mine(self) -> Workspace:
        """Return the workspace of the calling thread."""
        workspace: Workspace | None = getattr(self._local, "workspace", None)
        if workspace is None:
            workspace = self._local.workspace = Workspace(self._trie, self._mode, **self._options)
        return workspace

    def forget_mine(self) -> None:
        """Give the calling thread's workspace up."""
        del self._local.workspace

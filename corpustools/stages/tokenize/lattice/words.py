"""Words of normalised records, each a lattice of its own: samples of some of them, and measures of each."""

from __future__ import annotations

from typing import Any

import numpy as np

from corpustools.kernels import load
from corpustools.stages.tokenize.lattice.segmenter import Measures, Segmenter
from corpustools.stages.tokenize.lattice.trie import Offsets, Trie
from corpustools.stages.tokenize.lattice.unwritable import Unwritable
from corpustools.stages.tokenize.lattice.weights import Weights
from corpustools.stages.tokenize.lattice.workspace import Ids
from corpustools.stages.tokenize.text.normalize import Buffer

# Among so many bits of places a word finds itself again, whose measures are not computed twice.
MEASURED_BITS = 16

# The first byte of each word in the text and its end, int64, shape (n, 2).
Words = np.ndarray[Any, np.dtype[np.int64]]


def segment_words(
    segmenter: Segmenter, text: Buffer, offsets: Offsets, first_record: int, words: Words, last: Offsets
) -> tuple[Ids, Offsets]:
    """Segment some words of records as a segmenter of samples does.

    Args:
        segmenter: what it is done with; the ids stand in its memory of this thread. Its bos and eos are not used.
        text: the normalised text of all records.
        offsets: where each record begins, and the end, int64, shape (records + 1,).
        first_record: the number of the first record.
        words: those of the first record's first sample, those of its second sample, and so on.
        last: how many words there are up to the end of each sample, int64, shape (records * samples,).

    Returns:
        Pieces (see `Model.ids_of`), int32, and where each word ends in them, int64, shape (n,).

    Raises:
        DataError: a character that the vocabulary cannot write.
    """
    kernel, count, samples = load("lattice"), len(offsets) - 1, segmenter.key.samples
    space = segmenter.workspaces.mine()
    out = space.ids(int(words[:, 1].sum() - words[:, 0].sum()) + kernel.OUT_SLACK)
    ends = np.zeros(len(words), np.int64)
    done = 0
    while True:
        done = kernel.segment_words(
            segmenter.weights.lattice,
            text,
            offsets,
            count,
            words=words,
            last=last,
            mode=segmenter.weights.mode,
            seed=segmenter.seed,
            first_record=first_record,
            first_sample=segmenter.key.first_sample,
            samples=samples,
            out=out,
            ends=ends,
            first=done,
            word_cache=space.word_cache,
            **space.arguments(),
        )
        if done < 0:
            raise Unwritable(first_record + (-1 - done) // samples)
        if done == count * samples:
            return out[: ends[-1] if len(ends) else 0], ends
        space.grow()


def measure_words(trie: Trie, weights: Weights, text: Buffer, words: Words) -> Measures:
    """Return log Z, entropy and expected number of tokens of each word: float64, shape (n, 3).

    Args:
        trie: the vocabulary.
        weights: made for the mode SAMPLE_WIDE.
        text: the normalised text.
        words: where they are in it.
    """
    kernel = load("lattice")
    ring = np.zeros((1 << trie.longest.bit_length()) * kernel.MOMENT_SIZE, np.uint8)
    out = np.empty((len(words), 3), np.float64)
    seen = np.empty(1 << min(MEASURED_BITS, len(words).bit_length()), np.int64)
    kernel.measure_words(weights.lattice, weights.log_weights, ring, text, words, seen, out)
    return out

"""Where text became special tokens."""

from __future__ import annotations

import numpy as np

from corpustools.stages.tokenize.lattice.trie import Offsets
from corpustools.stages.tokenize.models.model import Integers, Model


def special_among(model: Model, pieces: Integers, ends: Offsets, *, bos: bool = False, eos: bool = False) -> Offsets:
    """Return where special tokens made of text stand among segmentations.

    Args:
        model: the model.
        pieces: what the segmentations are written in, one after another, int32; `model.outputs` has the ids of them.
        ends: where each segmentation ends in `pieces`, int64.
        bos: every segmentation begins with an id that was asked for, which does not count.
        eos: every segmentation ends with such an id.

    Returns:
        Places in `pieces`, int64, ascending.
    """
    if model.special_codes is None:
        return np.zeros(0, np.int64)
    codes = np.flatnonzero(model.special_codes).astype(np.int32)
    if not len(codes):
        return np.zeros(0, np.int64)
    # Most models have theirs side by side, so that a range leaves few ids to look up.
    found = np.flatnonzero((pieces - codes[0]).view(np.uint32) <= np.uint32(codes[-1] - codes[0]))
    found = found[model.special_codes[pieces[found]]]
    if len(found) and bos:
        found = np.setdiff1d(found, np.append(0, ends[:-1]), assume_unique=True)
    if len(found) and eos:
        found = np.setdiff1d(found, ends - 1, assume_unique=True)
    return found

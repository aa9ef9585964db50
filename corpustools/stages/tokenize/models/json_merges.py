"""A tokenizer.json whose merges are read by a kernel: half a million lists of two strings take most of a second."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NoReturn

import numpy as np

from corpustools.kernels import load
from corpustools.stages.tokenize.lattice.trie import Bytes, Offsets
from corpustools.stages.tokenize.models.json_floats import float_of_tokenizers

_KEY = b'"merges"'
_LIST = re.compile(rb"[ \t\n\r]*:[ \t\n\r]*(?=\[)")


@dataclass(frozen=True)
class MergePairs:
    """The pairs of a list of merges, all of them well-formed.

    halves: the bytes of both halves of each, one behind the other, uint8.
    starts: where each half begins, and where the last ends, int64, shape (2 * count + 1,).
    count: how many pairs there are.
    """

    halves: Bytes
    starts: Offsets
    count: int

    def __iter__(self) -> Iterator[list[str]]:
        """Give the pairs as they stand in the file."""
        text = self.halves.tobytes()
        parts = [text[a:b].decode() for a, b in pairwise(self.starts.tolist())]
        return map(list, zip(parts[::2], parts[1::2], strict=True))


def read_json(data: bytes) -> Any:
    """Return what a JSON file holds; where that is a model with merges, these may be `MergePairs`.

    Raises:
        ValueError: it is not valid JSON.
        RecursionError: it is nested too deeply.
    """
    found = _without_merges(data)
    return _read(data) if found is None else found


def _read(data: bytes) -> Any:
    def no_constant(text: str) -> NoReturn:
        raise ValueError(f"{text} is no number")

    return json.loads(data.decode("utf-8-sig"), parse_constant=no_constant, parse_float=float_of_tokenizers)


def _without_merges(data: bytes) -> Any:
    """Return the content with its merges as `MergePairs`, or None where they are to be read as anything else.

    What the kernel has read is a whole value in UTF-8, and everything around it is valid JSON with NaN in its place: so
    the file is valid, and json tells where the value stands.
    """
    at = _list_of_merges(data)
    if at is None:
        return None
    room = len(data) - at
    halves, starts = np.empty(room, np.uint8), np.empty(room // 2 + 3, np.int64)
    end, count = load("merges").read_pairs(data, at, halves, starts)
    if count < 0:
        return None
    bounds = starts[: 2 * count + 1].copy()
    given = MergePairs(halves[: bounds[-1]].copy(), bounds, count)
    left = [given]

    def constant(text: str) -> MergePairs:
        if text != "NaN" or not left:
            raise ValueError(text)
        return left.pop()

    try:
        data[at:end].decode()
        text = (data[:at] + b"NaN" + data[end:]).decode("utf-8-sig")
        content = json.loads(text, parse_constant=constant, parse_float=float_of_tokenizers)
        return content if content["model"]["merges"] is given else None
    except (ValueError, RecursionError, LookupError, TypeError):
        return None


def _list_of_merges(data: bytes) -> int | None:
    """Return where the first list stands that is called merges."""
    at = data.find(_KEY)
    while at >= 0:
        found = _LIST.match(data, at + len(_KEY))
        if found:
            return found.end()
        at = data.find(_KEY, at + 1)
    return None

"""Records of a tokenizer.json into marked bytes by a kernel, where the file has one of the usual shapes.

What a shape leaves open is done record by record in Python: bytes that are no text, text that canonical composition may
change, and added tokens that ask for what stands around them. kernels/split/program.h says what the kernel is given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from corpustools import kernels
from corpustools.stages.tokenize.text.byte_alphabet import letters_of_bytes
from corpustools.stages.tokenize.text.dfa import Automaton, automaton
from corpustools.stages.tokenize.text.hf_chain import Cut, Marks, Space, Splitter
from corpustools.stages.tokenize.text.hf_forms import composition_orders
from corpustools.stages.tokenize.text.hf_regex import Classes
from corpustools.stages.tokenize.text.normalize import Buffer, Offsets
from corpustools.stages.tokenize.text.token_trie import token_tables

# What becomes of an added token that is found, instead of its id: it stays text, or the record is not done here.
PASSED_OVER, NOT_DONE_HERE = -1, -2

# When a mark is put before a text: by a normalizer, or by a Metaspace.
_ALWAYS, _SCHEMES = 1, {"never": 0, "always": 2, "first": 3}
# The kernel's lanes have so much room.
_LANE_GROWTH = 3
# Bytes of a cut, of a token, of the cut behind it, and of a space before a text.
_AROUND_A_TOKEN = 8
_LONGEST_MARK, _LONGEST_PREFIX = 4, 32
_MOST_CUTTERS = 12


class FastSplitter:
    """Makes the marked bytes of many records in one call that releases the GIL.

    Args:
        program: what kernels.split is given.
        growth: no byte of a record becomes more bytes than that.
    """

    def __init__(self, program: tuple[Any, ...], growth: int) -> None:
        self._program = program
        self._growth = growth

    def batch(
        self, data: Buffer, starts: Offsets, ends: Offsets, slowly: Callable[[Buffer], bytes]
    ) -> tuple[Buffer, Offsets]:
        """Return the marked bytes of records; see Normalizer.normalize_batch.

        Args:
            data: the text of all records.
            starts: first byte of each record, int64, shape (n,).
            ends: end of each record, exclusive, int64, shape (n,).
            slowly: makes the marked bytes of a record that the kernel leaves open.
        """
        kernel = kernels.load("split")
        starts, ends = np.ascontiguousarray(starts, np.int64), np.ascontiguousarray(ends, np.int64)
        offsets, done = np.empty(len(starts) + 1, np.int64), np.empty(len(starts), np.uint8)
        room = int((ends - starts).sum()) * self._growth + kernel.OUT_SLACK * (len(starts) + 1)
        out = np.empty(room, np.uint8)
        kernel.split(self._program, data, starts, ends, self._growth, out, offsets, done)
        left = np.flatnonzero(done == 0)
        if not len(left):
            return out[: offsets[-1]].data, offsets
        view, lengths, at = memoryview(data), np.diff(offsets), 0
        texts: list[Buffer] = []
        for i in left.tolist():
            made = slowly(view[starts[i] : ends[i]])
            texts += [out[at : offsets[i]].data, made]
            at, lengths[i] = offsets[i], len(made)
        texts.append(out[at : offsets[-1]].data)
        np.cumsum(lengths, out=offsets[1:])
        return b"".join(texts), offsets


def fast_splitter(
    normalizer: Any, splitters: Sequence[Splitter], raw: Mapping[bytes, int], normal: Mapping[bytes, int]
) -> FastSplitter | None:
    """Return what does the same as a normalizer and splitters, or None where they have no shape that is known here.

    Args:
        normalizer: that object of tokenizer.json, which was found to be well-formed.
        splitters: of its pre_tokenizer.
        raw: what becomes of the added tokens that are looked for in the text: an id, or one of the above.
        normal: the same of those that are looked for in the normalised text.
    """
    steps = _steps(normalizer)
    composed = bool(steps) and steps[0]["type"] == "NFC"
    steps, splitters = steps[composed:], list(splitters)
    space = bool(splitters) and isinstance(splitters[0].rule, Space)
    marks = cutters = None
    rest = splitters[space:]
    if steps:
        marks = _rewriting(steps, rest) if not space else None
    elif len(rest) == 1 and isinstance(rest[0].rule, Marks) and not space:
        marks = _marking(rest[0].rule)
    else:
        cutters = _cutters(rest)
    if (marks is None) == (cutters is None) or (space and len(rest) > 1):
        return None
    shortest = min(map(len, [*raw, *normal]), default=1)
    growth = _LONGEST_MARK + 1 if marks else _LANE_GROWTH
    growth += -(-(_AROUND_A_TOKEN + (_LONGEST_PREFIX if marks else 0)) // shortest) if raw or normal else 0
    orders = composition_orders() if composed else None
    return FastSplitter((token_tables(raw), token_tables(normal), orders, cutters, space, marks), growth)


def _steps(normalizer: Any) -> list[dict[str, Any]]:
    """Return the steps of a normalizer one behind another."""
    if normalizer is None:
        return []
    if normalizer["type"] != "Sequence":
        return [normalizer]
    return [step for part in normalizer["normalizers"] for step in _steps(part)]


def _rewriting(steps: list[dict[str, Any]], splitters: list[Splitter]) -> tuple[Any, ...] | None:
    """Return the rule of a normalizer that writes marks for spaces, with one before the text or not."""
    prefix = str(steps[0]["prepend"]) if steps[0]["type"] == "Prepend" else ""
    if [step["type"] for step in steps] != ["Prepend"] * bool(prefix) + ["Replace"]:
        return None
    mark = str(steps[-1]["content"])
    if steps[-1]["pattern"] != {"String": " "} or " " in mark or not all(map(_cuts_at_spaces, splitters)):
        return None
    return _rule(mark, prefix.replace(" ", mark), _ALWAYS if prefix else _SCHEMES["never"], False, True)


def _cuts_at_spaces(splitter: Splitter) -> bool:
    """Say whether a splitter cuts at spaces alone, so that a text without any stays whole."""
    rule = splitter.rule
    return isinstance(rule, Cut) and rule.classes.pattern == "\\U00000020" and not rule.invert


def _marking(rule: Marks) -> tuple[Any, ...] | None:
    """Return the rule of a pre-tokenizer that writes marks for spaces."""
    if rule.mark == " ":
        return None
    return _rule(rule.mark, rule.mark, _SCHEMES[rule.scheme], rule.cuts, False)


def _rule(mark: str, prefix: str, scheme: int, cuts: bool, rewrites: bool) -> tuple[Any, ...] | None:
    try:
        encoded = mark.encode(), prefix.encode()
    except UnicodeEncodeError:
        return None
    if not 1 <= len(encoded[0]) <= _LONGEST_MARK or len(encoded[1]) > _LONGEST_PREFIX:
        return None
    return (*encoded, scheme, cuts, rewrites)


def _cutters(splitters: list[Splitter]) -> tuple[Any, ...] | None:
    """Return the tables of cutters one behind another."""
    if len(splitters) > _MOST_CUTTERS:
        return None
    made: list[Automaton] = []
    for splitter in splitters:
        rule = splitter.rule
        if not isinstance(rule, Cut):
            return None
        one = _cutter(rule)
        if one is None:
            return None
        made.append(one)
    places, class_at, entry_at = [], 0, 0
    for one in made:
        places.append((class_at, entry_at, one.bytewise, one.total))
        class_at, entry_at = class_at + len(one.columns[1]), entry_at + len(one.next)
    if not made:
        return ((), b"", b"", b"", b"")
    return (
        tuple(places),
        np.concatenate([one.columns[0] for one in made]),
        np.concatenate([one.columns[1] for one in made]),
        np.concatenate([one.next for one in made]),
        np.concatenate([one.verdicts for one in made]),
    )


def _cutter(rule: Cut) -> Automaton | None:
    made = None
    if rule.behavior == "Isolated":
        made = automaton(rule.classes.tree, rule.classes.stand_ins)
    elif rule.behavior == "Contiguous" and rule.classes.tree.getwidth() == (1, 1):
        # Characters in a row become one part.
        run = Classes(f"(?:{rule.classes.pattern})+", rule.classes.flags)
        made = automaton(run.tree, run.stand_ins)
    return made.of_bytes(letters_of_bytes()) if made and rule.in_letters else made

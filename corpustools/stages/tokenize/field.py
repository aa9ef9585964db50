"""Text out of JSON records, with one rule for every odd line.

A line of white space alone is passed over. Every other line has to be UTF-8 and hold one JSON object with a string
under the field: of a key that stands twice the last counts, numbers may be of any length, NaN and Infinity are taken
as Python writes them, and half of a surrogate pair is bad in the wanted text alone.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from corpustools.files.bad_records import BadRecords
from corpustools.files.batches import RecordBatch

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_OBJECT = "every record is one JSON object"
_FIELD = "every record needs this field, with a JSON string"


@dataclass(frozen=True)
class Texts:
    """The texts that a batch of records has under a field.

    batches: of neighbouring records: where records are left out another batch begins, since a record keeps its number.
    passed_over: how many records have nothing in them.
    bad: those that cannot be taken.
    """

    batches: list[RecordBatch]
    passed_over: int
    bad: BadRecords


def parse_field(name: str) -> tuple[str, ...]:
    r"""Return the keys that a field names, from the outermost object inwards.

    >>> parse_field("meta.text"), parse_field(r"meta\.text")
    (('meta', 'text'), ('meta.text',))

    Args:
        name: keys with dots between them. A dot inside a key is written `\.`, a backslash before a dot `\\`.
    """
    keys = [""]
    for part in re.split(r"(\\[.\\]|\.)", name):
        if part == ".":
            keys.append("")
        else:
            keys[-1] += part[1:] if part in (r"\.", r"\\") else part
    return tuple(keys)


def take_field(batch: RecordBatch, keys: tuple[str, ...], skip_bad: bool = False) -> Texts:
    """Return the texts that a batch of JSON objects has under a field.

    Args:
        batch: one object a record.
        keys: the field, as `parse_field` returns it.
        skip_bad: count records that cannot be taken instead of raising.

    Raises:
        DataError: a record is no JSON object, or has no text under the field; the error names its file and number.
    """
    bad = BadRecords(skip_bad)
    texts: list[bytes] = []
    taken: list[int] = []
    blank = 0
    for i, (start, end) in enumerate(zip(batch.starts.tolist(), batch.ends.tolist(), strict=True)):
        line = batch.data[start:end]
        if batch.number_in_source(i) == 1:
            line = line.removeprefix(_BYTE_ORDER_MARK)
        if not line.strip():
            blank += 1
            continue
        try:
            texts.append(_text(line, keys))
            taken.append(i)
        except _Bad as found:
            bad.refuse(found.cause, batch.place(i), found.what, found.remedy)
    return Texts(_runs(texts, taken, batch), blank, bad)


def _runs(texts: list[bytes], taken: list[int], batch: RecordBatch) -> list[RecordBatch]:
    """Return batches of the texts of neighbouring records; `taken` are their places in `batch`."""
    ends = np.cumsum([len(text) for text in texts], dtype=np.int64)
    starts = np.concatenate([np.zeros(1, np.int64), ends])[: len(ends)]
    data = b"".join(texts)
    bounds = [0, *(np.flatnonzero(np.diff(taken) != 1) + 1).tolist(), len(taken)] if taken else []
    return [
        RecordBatch(data, starts[a:b], ends[a:b], batch.first + taken[a], batch.source, batch.before)
        for a, b in pairwise(bounds)
    ]


class _Bad(Exception):
    """A line that cannot be taken: a cause of `BadRecords`, and how the sentence about the record goes on."""

    def __init__(self, cause: str, what: str, remedy: str) -> None:
        super().__init__(what)
        self.cause, self.what, self.remedy = cause, what, remedy


def _text(line: bytes, keys: tuple[str, ...]) -> bytes:
    """Return the UTF-8 of the text that one line has under the keys."""
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise _Bad("utf8", f"is not valid UTF-8 (byte {error.start} of the line)", "write it as UTF-8") from error
    try:
        # Python takes no integer of more than 4,300 digits as an int; here none is looked at.
        value = json.loads(text, parse_int=float)
    except RecursionError as error:
        raise _Bad("depth", "is nested too deeply", "leave it out, or take the text out of it first") from error
    except ValueError as error:
        raise _Bad("json", f"is no JSON ({error})", _OBJECT) from error
    if not isinstance(value, dict):
        raise _Bad("type", "is no JSON object", _OBJECT)
    for depth, key in enumerate(keys):
        if not isinstance(value, dict):
            raise _wrong_kind(value, "object", keys[:depth])
        if key not in value:
            raise _Bad("missing", f"has no '{_name(keys[: depth + 1])}'", _FIELD)
        value = value[key]
    if not isinstance(value, str):
        raise _wrong_kind(value, "text", keys)
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        what = f"has half of a surrogate pair in '{_name(keys)}' (character {error.start})"
        raise _Bad("surrogate", what, "write whole pairs") from error


def _wrong_kind(value: Any, wanted: str, keys: tuple[str, ...]) -> _Bad:
    cause = "null" if value is None else "type"
    return _Bad(cause, f"has no {wanted} under '{_name(keys)}' but {_KINDS[type(value)]}", _FIELD)


def _name(keys: tuple[str, ...]) -> str:
    """Return the field as a user writes it."""
    return ".".join(re.sub(r"\\(?=[.\\]|$)|\.", r"\\\g<0>", key) for key in keys)


_KINDS = {type(None): "null", bool: "a boolean", float: "a number", str: "a text", list: "a list", dict: "an object"}

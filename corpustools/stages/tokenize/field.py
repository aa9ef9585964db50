"""Text out of JSON records, with one rule for every odd line.

A line of white space alone is passed over. Every other line has to be UTF-8 and hold one JSON object with a string
under the field: of a key that stands twice the last counts, numbers may be of any length, NaN and Infinity are taken
as Python writes them, and half of a surrogate pair is bad in the wanted text alone.

The kernel reads a batch at once. What it cannot take goes line by line to the standard library's json, which decides
and words the message.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from corpustools import kernels
from corpustools.errors import UsageError
from corpustools.files.bad_records import BadRecords
from corpustools.files.batches import RecordBatch
from corpustools.files.rows import RowBatch
from corpustools.kernels.json.plain import BLANK, DEEPEST, IS_NULL, OUT_SLACK, TAKEN, VERDICTS

# Of a longer line, or one with more brackets, json would make more objects than there should be memory for, or call
# itself too often: the kernel's verdict stands.
JUDGED_BYTES, JUDGED_BRACKETS = 1 << 20, 500
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

    Raises:
        UsageError: there are more keys than a line may have levels.
    """
    keys = [""]
    for part in re.split(r"(\\[.\\]|\.)", name):
        if part == ".":
            keys.append("")
        else:
            keys[-1] += part[1:] if part in (r"\.", r"\\") else part
    if len(keys) > DEEPEST:
        raise UsageError(f"a field of {len(keys)} keys", f"accepted are up to {DEEPEST}")
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
    if isinstance(batch, RowBatch):
        return _take_rows(batch, batch.null, skip_bad)
    count = len(batch.starts)
    starts, ends = np.ascontiguousarray(batch.starts), np.ascontiguousarray(batch.ends)
    if (
        count
        and batch.number_in_source(0) == 1
        and bytes(memoryview(batch.data)[starts[0] : ends[0]][:3]) == _BYTE_ORDER_MARK
    ):
        starts = starts.copy()
        starts[0] += len(_BYTE_ORDER_MARK)
    out = np.empty(int((ends - starts).sum()) + OUT_SLACK, np.uint8)
    offsets, verdicts, places = np.empty(count + 1, np.int64), np.empty(count, np.uint8), np.empty(count, np.int64)
    names = tuple(key.encode("utf-8", "surrogatepass") for key in keys)
    kernels.load("json").scan(batch.data, starts, ends, names, out, offsets, verdicts, places)
    text_starts, text_ends, written = offsets[:-1], offsets[1:].copy(), int(offsets[-1])
    bad = BadRecords(skip_bad)
    for i in np.flatnonzero(verdicts > BLANK).tolist():
        line = memoryview(batch.data)[starts[i] : ends[i]]
        try:
            text = _judge(line, keys, int(verdicts[i]), int(places[i]))
        except _Bad as found:
            bad.refuse(found.cause, batch.place(i), found.what, found.remedy)
        else:
            out[written : written + len(text)] = np.frombuffer(text, np.uint8)
            text_starts[i], text_ends[i] = written, written + len(text)
            written += len(text)
            verdicts[i] = TAKEN
    return Texts(_runs(out.data, text_starts, text_ends, verdicts, batch), int((verdicts == BLANK).sum()), bad)


def _take_rows(batch: RecordBatch, null: Any, skip_bad: bool) -> Texts:
    """Return the texts of rows, whose column was found already."""
    bad = BadRecords(skip_bad)
    verdicts = np.full(len(batch.starts), TAKEN, np.uint8)
    # Together they may be UTF-8 where one alone is not: a character may not go over from one text to the next.
    data, begins = memoryview(batch.data), batch.starts[batch.starts < len(batch.data)]
    whole = not (np.frombuffer(data, np.uint8)[begins] & 0xC0 == 0x80).any() and _is_utf8(data)
    suspects = np.flatnonzero(null) if whole else np.arange(len(batch.starts))
    for i in suspects.tolist():
        if null is not None and null[i]:
            bad.refuse("null", batch.place(i), "has no text but null", "every row needs a text")
        elif not _is_utf8(data[batch.starts[i] : batch.ends[i]]):
            bad.refuse("utf8", batch.place(i), "is not valid UTF-8", "write it as UTF-8")
        else:
            continue
        verdicts[i] = BLANK
    return Texts(_runs(data, batch.starts, batch.ends, verdicts, batch), 0, bad)


def _is_utf8(data: memoryview) -> bool:
    try:
        str(data, "utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _runs(data: memoryview, starts: Any, ends: Any, verdicts: Any, batch: RecordBatch) -> list[RecordBatch]:
    """Return batches of the texts of neighbouring records."""
    taken = np.flatnonzero(verdicts == TAKEN)
    bounds = [0, *(np.flatnonzero(np.diff(taken) != 1) + 1).tolist(), len(taken)] if len(taken) else []
    runs = [(int(taken[a]), int(taken[a]) + b - a) for a, b in pairwise(bounds)]
    return [RecordBatch(data, starts[a:b], ends[a:b], batch.first + a, batch.source, batch.before) for a, b in runs]


class _Bad(Exception):
    """A line that cannot be taken: a cause of `BadRecords`, and how the sentence about the record goes on."""

    def __init__(self, cause: str, what: str, remedy: str) -> None:
        super().__init__(what)
        self.cause, self.what, self.remedy = cause, what, remedy


def _judge(line: memoryview, keys: tuple[str, ...], verdict: int, place: int) -> bytes:
    """Return the text of a line that the kernel did not take, or raise what is wrong with it.

    Args:
        line: the line.
        keys: the field.
        verdict: what the kernel found, an index of VERDICTS.
        place: at which byte of the line.
    """
    if len(line) > JUDGED_BYTES or VERDICTS[verdict] in ("utf8", "depth"):
        raise _worded(line, keys, verdict, place)
    text = bytes(line).decode()
    if text.count("[") + text.count("{") > JUDGED_BRACKETS:
        raise _worded(line, keys, verdict, place)
    try:
        # Python takes no integer of more than 4,300 digits as an int; here none is looked at.
        value = json.loads(text, parse_int=float)
    except RecursionError:
        raise _worded(line, keys, verdict, place) from None
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


def _worded(line: memoryview, keys: tuple[str, ...], verdict: int, place: int) -> _Bad:
    """Return what the kernel found wrong, with the place that it names."""
    cause, name, at = VERDICTS[verdict], _name(keys), f"(byte {place} of the line)"
    if cause == "utf8":
        return _Bad(cause, f"is not valid UTF-8 {at}", "write it as UTF-8")
    if cause == "depth":
        remedy = f"accepted are {DEEPEST} levels; leave it out, or take the text out of it first"
        return _Bad(cause, f"is nested too deeply {at}", remedy)
    if cause == "json":
        return _Bad(cause, f"is no JSON {at}", _OBJECT)
    if cause == "type" and not bytes(line[:place]).strip():
        return _Bad(cause, "is no JSON object", _OBJECT)
    if cause == "missing":
        return _Bad(cause, f"has no '{name}'", _FIELD)
    if cause == "surrogate":
        return _Bad(cause, f"has half of a surrogate pair in '{name}' {at}", "write whole pairs")
    kind = "null" if verdict == IS_NULL else _KIND_OF.get(bytes(line[place : place + 1]), "a number")
    return _Bad(cause, f"has no text under '{name}' but {kind} {at}", _FIELD)


def _name(keys: tuple[str, ...]) -> str:
    """Return the field as a user writes it."""
    return ".".join(re.sub(r"\\(?=[.\\]|$)|\.", r"\\\g<0>", key) for key in keys)


_KINDS = {type(None): "null", bool: "a boolean", float: "a number", str: "a text", list: "a list", dict: "an object"}
_KIND_OF = {b"t": "a boolean", b"f": "a boolean", b'"': "a text", b"[": "a list", b"{": "an object"}
